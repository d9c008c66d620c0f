"""Errors as answers."""

from api.translation import to_problem
from infra.media_check import Unconfined


def test_a_machine_that_cannot_confine_says_what_would_help() -> None:
    problem = to_problem(Unconfined())
    assert (problem.type.slug, problem.type.status) == ("media_unconfined", 503)
    assert "ATELIER_MEDIA_CONFINEMENT=best_effort" in problem.detail
    assert problem.headers["Retry-After"]
