"""Clocks that jump, on the state server and on a worker, and rescuers that are too many or away."""

import threading
from collections.abc import Callable

import pytest

from infra.jobs.record import Outcome, Status
from infra.jobs.scripts import PREFIX
from tests.chaos.matrix import Seen, fault
from tests.integration.cluster import Cluster, outcomes
from tests.servers import StateServer

HOUR_MS = 3_600_000
MINUTE_MS = 60_000
SHORT_OF_A_LEASE = "steps=40 sleep=0.1"  # four seconds, with leases of three
TICKERS = 12


@fault(
    27,
    "The state server's clock jumps by an hour, forwards or backwards, while a job runs",
    "all leases are renewed once (grace), no job is taken from its worker",
)
@pytest.mark.parametrize("hours", [1, -1])
def test_the_state_servers_clock_jumps(hours: int, cluster: Cluster, state: StateServer, seen: Seen) -> None:
    # Given a running job, and an idle worker that would take it
    cluster.start_worker()
    cluster.start_worker()
    job = cluster.wait_for_status(cluster.submit(SHORT_OF_A_LEASE), Status.RUNNING)
    # When
    client = state.client()
    client.set(f"{PREFIX}skew", hours * HOUR_MS)
    # Then
    job = cluster.wait_for_end(job)
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.SUCCEEDED])
    # and a new job runs by the new clock
    after = cluster.wait_for_end(cluster.submit("steps=1"))
    assert after.status is Status.SUCCEEDED
    assert abs(after.created_at - job.created_at - hours * HOUR_MS) < MINUTE_MS
    client.close()
    seen("one attempt, then jobs by the new clock")


@fault(
    27,
    "A worker's clock is an hour ahead or behind",
    "no effect: only the state server's clock counts",
)
@pytest.mark.parametrize("hours", [1, -1])
def test_a_workers_clock_is_wrong(
    hours: int, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, seen: Seen
) -> None:
    # Given one worker with a wrong clock, and a sound one
    with monkeypatch.context() as environ:
        environ.setenv("WRONG_CLOCK_SECONDS", str(hours * 3600))
        wrong = cluster.start_worker()
    cluster.start_worker()
    # When both work for longer than a lease
    jobs = [cluster.submit(SHORT_OF_A_LEASE) for _ in range(4)]
    ended = [cluster.wait_for_end(job, seconds=40) for job in jobs]
    # Then
    assert [outcomes(job) for job in ended] == [[Outcome.SUCCEEDED]] * 4
    info = cluster.info(wrong)
    assert info is not None
    by_wrong = sum(job.attempts[0].worker == info.card.id for job in ended)
    assert 0 < by_wrong < len(jobs)
    assert all(abs(job.attempts[0].started_at - ended[0].created_at) < MINUTE_MS for job in ended)
    seen(f"{by_wrong} of 4 jobs ran on the wrong clock, each once")


@fault(
    28, "A dozen rescuers tick at once, without pause, while workers are lost", "each loss is counted once"
)
def test_many_rescuers(cluster: Cluster, seen: Seen) -> None:
    # Given
    victim = cluster.start_worker()
    job = cluster.wait_for_status(cluster.submit(SHORT_OF_A_LEASE), Status.RUNNING)
    stopped = threading.Event()
    found: list[str] = []

    def tick() -> None:
        while not stopped.is_set():
            found.extend(cluster.queue.tick().lost)

    tickers = [threading.Thread(target=tick) for _ in range(TICKERS)]
    for ticker in tickers:
        ticker.start()
    # When
    victim.kill()
    job = cluster.wait_until(job, lambda found: found.losses)
    stopped.set()
    for ticker in tickers:
        ticker.join()
    # Then
    assert (found, job.losses, job.status) == ([job.id], 1, Status.QUEUED)
    cluster.start_worker()
    job = cluster.wait_for_end(job)
    assert outcomes(job) == [Outcome.LOST, Outcome.SUCCEEDED]
    seen(f"{TICKERS} tickers, one loss")


@fault(
    28,
    "Nobody ticks for a minute, while a worker holds a job and another is lost",
    "grace: the living worker keeps its job; the lost one's is taken a lease later",
)
@pytest.mark.slow
def test_no_rescuer_for_a_minute(
    make_cluster: Callable[..., Cluster], state: StateServer, seen: Seen
) -> None:
    # Given a worker that is the only one to tick, frozen with its job, for a minute by the server's clock
    cluster = make_cluster(state)
    cluster.queue.tick()
    worker = cluster.start_worker()
    kept = cluster.wait_for_status(cluster.submit(SHORT_OF_A_LEASE), Status.RUNNING)
    client = state.client()
    # When
    client.set(f"{PREFIX}skew", MINUTE_MS)
    first = cluster.queue.tick()
    # Then no lease is taken, though all have run out
    assert not first.lost
    kept = cluster.wait_for_end(kept)
    assert outcomes(kept) == [Outcome.SUCCEEDED]
    # and who does not come back loses its job after one more lease
    lost = cluster.wait_for_status(cluster.submit(SHORT_OF_A_LEASE), Status.RUNNING)
    worker.kill()
    client.set(f"{PREFIX}skew", 2 * MINUTE_MS)
    assert cluster.queue.tick().grace
    cluster.start_worker()
    lost = cluster.wait_for_end(lost)
    assert outcomes(lost) == [Outcome.LOST, Outcome.SUCCEEDED]
    client.close()
    seen("grace twice; one attempt for the living, `lost` and a rerun for the dead")
