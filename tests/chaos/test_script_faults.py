"""The state server forgets the scripts, as after a restart or a failover."""

from infra.jobs.record import Outcome, Status
from tests.chaos.matrix import Seen, fault
from tests.integration.cluster import Cluster, outcomes
from tests.servers import StateServer


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
    # When they are forgotten again and again, until the job has ended
    flushes = 0
    while not cluster.job(running.id).status.final:
        client.script_flush()
        flushes += 1
        cluster.submit("steps=1")
    # Then
    job = cluster.wait_for_end(running)
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.SUCCEEDED])
    page = cluster.queue.list("local", limit=1000)
    ended = [cluster.wait_for_end(each, seconds=60) for each in page.jobs]
    assert {each.status for each in ended} == {Status.SUCCEEDED}
    client.close()
    seen(f"{flushes} flushes during the run, {len(ended)} jobs succeeded in their first attempt")
