"""Machine-made requests from the API's own description: no server error, and every answer as described."""

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS

from api.routes import ROUTES
from tests.integration.api.support import ApiServer

NOT_CHECKED = (
    "positive_data_acceptance",  # most calls succeed only for a job that exists
    "ignored_auth",  # a server without keys asks for none
    "missing_required_header",
    "use_after_free",
    "ensure_resource_availability",
)
STREAMS = "/v1/jobs/{job_id}/events"  # would not end; test_events has it


@pytest.mark.parametrize(
    ("method", "path"), [(route.method, route.path) for route in ROUTES if route.path != STREAMS]
)
def test_answers_are_as_described(api: ApiServer, method: str, path: str) -> None:
    schema = schemathesis.openapi.from_url(f"{api.url}/openapi.json")
    excluded = [check for check in CHECKS.get_all() if check.__name__ in NOT_CHECKED]

    @given(case=schema[path][method].as_strategy())
    @settings(
        max_examples=12,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def check(case: schemathesis.Case) -> None:
        case.headers.pop("Prefer", None)  # waiting takes its time
        case.call_and_validate(excluded_checks=excluded)

    check()


def test_the_document_is_served(client: httpx.Client) -> None:
    body = client.get("/openapi.json").json()
    assert body["openapi"].startswith("3.1")
    assert "/v1/jobs" in body["paths"]
