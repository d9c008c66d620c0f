"""What the command says to people: errors once, with the way out, and times from now."""

from datetime import UTC, datetime, timedelta

import pytest

from atelier.cli.output import Output
from atelier.cli.table import ago, until
from atelier.errors import error_for


def said(capsys: pytest.CaptureFixture[str], status: int, **problem: object) -> list[str]:
    Output().error(error_for(status, problem))
    return capsys.readouterr().err.splitlines()


def test_each_problem_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    errors = [
        {"pointer": "/inputs/steps", "detail": "too few"},
        {"pointer": "/inputs/n", "detail": "too many"},
    ]
    lines = said(capsys, 422, title="Not valid", detail="/inputs/steps: too few", errors=errors)
    assert lines == ["error: Not valid", "  /inputs/steps: too few", "  /inputs/n: too many"]


def test_an_error_without_problems_has_its_detail(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, 404, title="Not there", detail="at all") == ["error: Not there: at all"]


@pytest.mark.parametrize(
    ("status", "slug", "way_out"),
    [(401, "unauthorized", "Set ATELIER_API_KEY"), (403, "forbidden", "keys create OWNER --scope admin")],
)
def test_who_may_not_is_told_which_key_may(
    capsys: pytest.CaptureFixture[str], status: int, slug: str, way_out: str
) -> None:
    lines = said(capsys, status, type=f"urn:atelier:error:{slug}", title="No")
    assert lines[0] == "error: No"
    assert way_out in lines[1]


def test_times_from_now() -> None:
    now = datetime.now(UTC)
    assert until(now + timedelta(minutes=5, seconds=1)) == "in 5 min"
    assert until(now - timedelta(seconds=1)) == "now"
    assert ago(now - timedelta(hours=3)) == "3 h ago"
