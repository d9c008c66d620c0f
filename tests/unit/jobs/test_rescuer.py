"""The rescuer ticks by itself, and outlives a state server that is away."""

from collections.abc import Callable, Iterator

import pytest
import redis
from structlog.testing import capture_logs

from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.jobs.record import Outcome, Status
from infra.jobs.rescuer import Rescuer
from tests.servers import StateServer, wait_for
from tests.unit.jobs.conftest import Bench

SHORT = Limits(lease_seconds=1.5)


@pytest.fixture
def server(start_server: Callable[..., StateServer]) -> StateServer:
    return start_server()


@pytest.fixture
def client(server: StateServer) -> Iterator[redis.Redis]:
    client = server.client()
    yield client
    client.close()


@pytest.fixture
def rescuers(client: redis.Redis) -> Iterator[list[Rescuer]]:
    """Two at once: there is no leader."""
    running = [Rescuer(JobQueue(client, limits=SHORT), 0.1) for _ in range(2)]
    for rescuer in running:
        rescuer.start()
    yield running
    for rescuer in running:
        rescuer.stop()


@pytest.mark.usefixtures("rescuers")
def test_a_lost_job_is_taken_back(client: redis.Redis) -> None:
    bench = Bench(client, SHORT)
    job = bench.start()

    wait_for(lambda: bench.queue.get(job.id).status is Status.QUEUED, what="the rescue")
    job = bench.queue.get(job.id)
    assert [attempt.outcome for attempt in job.attempts] == [Outcome.LOST]
    assert job.losses == 1


@pytest.mark.usefixtures("rescuers")
def test_jobs_and_leases_survive_the_state_server(client: redis.Redis, server: StateServer) -> None:
    # Given a queued and a running job
    bench = Bench(client, SHORT)
    running, queued = bench.start(), bench.add()

    # When the server is killed, stays away for longer than a lease, and comes back
    server.kill()
    wait_for(lambda: not _answers(client))
    server.start()
    client.incrby("atl:{g0}:skew", 60_000)

    # Then both are there, and the running one is committed by its worker
    assert bench.queue.get(queued.id).status is Status.QUEUED
    assert bench.queue.get(running.id).status is Status.RUNNING
    assert bench.commit(running) == "ok"


@pytest.mark.usefixtures("rescuers")
def test_what_nobody_foresaw_ends_no_rescuer(client: redis.Redis) -> None:
    # Given a tick that fails with an error that is no matter of waiting
    client.set("atl:{g0}:lease", "no sorted set")
    with capture_logs() as logs:
        wait_for(lambda: "rescuer.broken" in [each["action"] for each in logs], what="the failure")
    client.delete("atl:{g0}:lease")
    bench = Bench(client, SHORT)
    job = bench.start()
    wait_for(lambda: bench.queue.get(job.id).status is Status.QUEUED, what="the rescue")


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_a_rescuer_that_never_started_stops(client: redis.Redis) -> None:
    Rescuer(JobQueue(client, limits=SHORT), 0.1).stop()
