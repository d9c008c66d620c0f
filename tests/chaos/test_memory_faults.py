"""The state server's memory is full, and it refuses to throw anything away (`noeviction`)."""

from collections.abc import Callable

import httpx

from infra.jobs.record import Outcome, Status
from tests.chaos.matrix import Seen, fault
from tests.integration.api.support import ApiServer, problem, text_to_image
from tests.integration.cluster import Cluster, now_ms, outcomes
from tests.servers import StateServer


def limit_memory(server: StateServer, limit: int) -> None:
    """In bytes; 0: no limit."""
    with server.client() as client:
        client.config_set("maxmemory", limit)


@fault(
    22,
    "The state server's memory is full while a job runs",
    "new jobs get 503, the running job is committed; when there is room again, jobs are accepted",
)
def test_full_memory(
    make_cluster: Callable[..., Cluster],
    either_state: StateServer,
    start_api: Callable[..., ApiServer],
    seen: Seen,
) -> None:
    # Given a running job
    cluster = make_cluster(either_state)
    places = cluster.settings.model_dump(include={"redis_url", "broker_url", "catalog", "home"})
    url = start_api(**places).url
    cluster.start_worker()
    running = cluster.wait_for_status(cluster.submit("steps=20 sleep=0.1"), Status.RUNNING)
    # When
    limit_memory(either_state, 1)
    # Then nothing new is accepted
    refused = problem(httpx.post(f"{url}/v1/jobs", json=text_to_image()), 503, "state_unavailable")
    # but what runs is committed
    ended = cluster.wait_for_end(running)
    assert (ended.status, outcomes(ended)) == (Status.SUCCEEDED, [Outcome.SUCCEEDED])
    # and then
    limit_memory(either_state, 0)
    freed_at = now_ms()
    after = cluster.wait_for_end(cluster.job(httpx.post(f"{url}/v1/jobs", json=text_to_image()).json()["id"]))
    assert after.status is Status.SUCCEEDED
    assert after.started_at is not None
    seen(f"503 `{refused['type']}`, the running job committed", (after.started_at - freed_at) / 1000)
