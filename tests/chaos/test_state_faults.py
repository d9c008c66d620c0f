"""What happens to the state server: killed, away for long, hung, robbed of its last writes."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from infra.jobs.record import Outcome
from infra.storage.keys import MANIFEST
from tests.chaos.matrix import Seen, fault
from tests.chaos.truth import consistent, succeeded_once
from tests.integration.api.support import ApiServer, text_to_image
from tests.integration.cluster import Cluster, now_ms, outcomes
from tests.servers import StateServer, redis_program, valkey_program, wait_for

EVERYSEC = ("--appendonly", "yes", "--appendfsync", "everysec")
CALLS = 24
ANSWER_SECONDS = 3.0


@fault(8, "kill -9 the state server in the midst of a run", "no rerun; the commit waits for its return")
def test_the_state_server_is_killed(
    make_cluster: Callable[..., Cluster], either_state: StateServer, seen: Seen
) -> None:
    # Given a running job
    cluster = make_cluster(either_state)
    worker = cluster.start_worker()
    job = cluster.submit("steps=15 sleep=0.1")
    cluster.wait_until(job, lambda found: found.progress)
    # When the server is away until after the run
    either_state.kill()
    wait_for(
        lambda: any(key.endswith(MANIFEST) for key in cluster.stored(job)), 20, "all files in the storage"
    )
    either_state.start()
    # Then
    returned_at = now_ms()
    job = succeeded_once(cluster, job)
    assert outcomes(job) == [Outcome.SUCCEEDED]
    assert job.finished_at is not None
    assert worker.process.poll() is None
    consistent(cluster)
    seen("the same attempt committed", (job.finished_at - returned_at) / 1000)


@pytest.mark.slow
@fault(
    9, "The state server is away for five times the lease", "all leases are renewed, nothing is taken back"
)
def test_the_state_server_is_away_for_long(
    make_cluster: Callable[..., Cluster], either_state: StateServer, seen: Seen
) -> None:
    # Given a running job and an idle worker that would take it
    cluster = make_cluster(either_state, lease_seconds=1.0, beat_seconds=0.25, tick_seconds=0.25)
    cluster.start_worker()
    cluster.start_worker()
    job = cluster.submit("steps=80 sleep=0.1")
    cluster.wait_until(job, lambda found: found.progress)
    # When
    either_state.kill()
    time.sleep(5)  # the fault itself
    either_state.start()
    # Then the same attempt goes on
    returned_at = now_ms()
    step = cluster.job(job.id).progress["step"]
    cluster.wait_for_step(job, step + 5)
    recovery = (now_ms() - returned_at) / 1000
    assert outcomes(succeeded_once(cluster, job)) == [Outcome.SUCCEEDED]
    graces = [record for worker in cluster.workers for record in worker.records("rescuer.grace")]
    assert graces
    consistent(cluster)
    seen("grace for every lease; one attempt", recovery)


@fault(10, "SIGSTOP the state server", "the API answers 503 in less than 3 s, and no thread is stuck")
def test_the_state_server_hangs(
    cluster: Cluster, state: StateServer, start_api: Callable[..., ApiServer], seen: Seen
) -> None:
    # Given an API that has answered as many calls at once
    api = start_api(redis_url=state.url, broker_url=cluster.settings.broker_url)
    with api.client() as client, ThreadPoolExecutor(CALLS) as pool:
        assert {status for status, _ in pool.map(submit, [client] * CALLS)} == {202}
        threads = threads_of(api)
        # When
        state.freeze()
        answers = list(pool.map(submit, [client] * CALLS))
        state.thaw()
        # Then
        thawed_at = time.monotonic()
        wait_for(lambda: submit(client)[0] == 202, what="an accepted job")
        recovery = time.monotonic() - thawed_at
        assert {status for status, _ in answers} == {503}
        slowest = max(seconds for _, seconds in answers)
        assert slowest < ANSWER_SECONDS
        wait_for(lambda: threads_of(api) <= threads, what="the end of every thread that was added")
    seen(f"{CALLS} calls at once answered 503, the slowest after {slowest:.1f} s", recovery)


def submit(client: httpx.Client) -> tuple[int, float]:
    """Status and seconds of a submission."""
    began = time.monotonic()
    status = client.post("/v1/jobs", json=text_to_image()).status_code
    return status, time.monotonic() - began


def threads_of(api: ApiServer) -> int:
    """Threads of all its processes."""
    assert api.process is not None
    processes = psutil.Process(api.process.pid).children(recursive=True)
    return sum(process.num_threads() for process in processes)


@fault(
    11,
    "The state server dies and loses what it has written since the last confirmed commit, its file torn",
    "no confirmed result is lost or made twice",
    stand_in="kill -9, and a cut through the append-only file",
)
@pytest.mark.parametrize(
    ("program", "options"),
    [
        pytest.param(valkey_program, EVERYSEC, id="valkey, everysec with WAITAOF"),
        pytest.param(redis_program, ("--appendonly", "yes", "--appendfsync", "always"), id="redis7, always"),
    ],
)
def test_the_last_writes_are_lost(
    make_cluster: Callable[..., Cluster],
    start_server: Callable[..., StateServer],
    program: Callable[[], str],
    options: tuple[str, ...],
    seen: Seen,
) -> None:
    # Given a job whose commit was confirmed, and one that was accepted before that and claimed after it
    state = start_server(program(), options=options)
    cluster = make_cluster(state)
    done = cluster.submit("a star")
    next_one = cluster.submit("steps=20 sleep=0.1")
    worker = cluster.start_worker()
    wait_for(lambda: worker.records("attempt.ended"), what="the confirmed commit")
    confirmed = size_of_log(state)
    before = succeeded_once(cluster, done)
    cluster.wait_until(next_one, lambda found: found.progress)
    # When all that came later goes, in the midst of a write
    state.kill()
    cut(state, confirmed + 7)
    state.start()
    # Then
    returned_at = now_ms()
    assert succeeded_once(cluster, done) == before
    again = succeeded_once(cluster, next_one)
    assert again.finished_at is not None
    consistent(cluster)
    seen(
        "the confirmed result stands; the other job, whose claim was lost, has one result",
        (again.finished_at - returned_at) / 1000,
    )


def log_of(state: StateServer) -> Path:
    """The append-only file that is being written."""
    return max((state.folder / "data" / "appendonlydir").glob("*.incr.aof"))


def size_of_log(state: StateServer) -> int:
    return log_of(state).stat().st_size


def cut(state: StateServer, size: int) -> None:
    """Leave the first `size` bytes of the append-only file."""
    assert size < size_of_log(state)
    with log_of(state).open("r+b") as file:
        file.truncate(size)
