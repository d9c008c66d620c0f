"""The state server forgets the scripts, as after a restart or a failover."""

from infra.jobs.record import Outcome, Status
from tests.chaos.matrix import Seen, fault
from tests.integration.cluster import Cluster, outcomes
from tests.servers import StateServer

FLUSHES = 50


@fault(
    34,
    "The state server forgets every script while jobs run (NOSCRIPT)",
    "each is loaded again, nothing is noticed",
)
def test_forgotten_scripts(cluster: Cluster, state: StateServer, seen: Seen) -> None:
    # Given
    cluster.start_worker()
    running = cluster.submit("steps=30 sleep=0.1")
    cluster.wait_for_status(running, Status.RUNNING)
    client = state.client()
    # When they are forgotten again and again
    for _ in range(FLUSHES):
        client.script_flush()
        cluster.submit("steps=1")
    # Then
    job = cluster.wait_for_end(running)
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.SUCCEEDED])
    page = cluster.queue.list("local", limit=1000)
    ended = [cluster.wait_for_end(each, seconds=60) for each in reversed(page.jobs)]
    assert {each.status for each in ended} == {Status.SUCCEEDED}
    client.close()
    seen(f"{FLUSHES} flushes during the run, {len(ended)} jobs succeeded in their first attempt")
