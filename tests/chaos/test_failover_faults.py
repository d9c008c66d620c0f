"""The master of a Sentinel group dies under load."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.connections import check_durable, connect
from infra.errors import StateUnavailable
from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job
from tests.chaos.matrix import Seen, fault
from tests.chaos.sentinel_group import sentinel_group
from tests.chaos.truth import consistent, succeeded_once
from tests.integration.cluster import Cluster
from tests.servers import StateServer, valkey_program, wait_for

BEFORE, AFTER = 20, 10
"""Jobs that are accepted before the failover, and after it."""


@pytest.mark.slow
@fault(
    12,
    "kill -9 the master of a Sentinel group under load, with `ATELIER_DURABILITY=replicated`",
    "a replica takes over; no accepted job is lost, none has a second result",
)
def test_a_failover(
    make_cluster: Callable[..., Cluster],
    start_server: Callable[..., StateServer],
    tmp_path: Path,
    seen: Seen,
) -> None:
    with sentinel_group(valkey_program(), tmp_path / "sentinel", start_server) as group:
        # Given a worker at work, and jobs that come without a pause
        cluster = make_cluster(group.servers[0], redis_url=group.url, durability="replicated")
        cluster.queue = replicated(cluster)
        cluster.start_worker()
        accepted = [accept(cluster) for _ in range(BEFORE)]
        wait_for(lambda: any(cluster.job(job.id).status.final for job in accepted), what="a result")
        done = {job.id: found for job in accepted if (found := cluster.job(job.id)).status.final}
        # When
        old = group.master()
        old.kill()
        killed_at = time.monotonic()
        accepted.append(accept(cluster))
        recovery = time.monotonic() - killed_at
        accepted += [accept(cluster) for _ in range(AFTER - 1)]
        # Then
        assert group.master() is not old
        for job in accepted:
            found = succeeded_once(cluster, job, seconds=60)
            assert done.get(job.id, found) == found
        consistent(cluster)
        seen(f"{len(accepted)} of {len(accepted)} accepted jobs have one result", recovery)


def replicated(cluster: Cluster) -> JobQueue:
    """A queue that accepts as the API would with these settings."""
    state = connect(cluster.settings.state_address)
    durability = check_durable(state, cluster.settings.durability)
    limits = Limits.from_settings(cluster.settings)
    return JobQueue(state, limits=limits, ring=cluster.ring, durability=durability)


def accept(cluster: Cluster) -> Job:
    """A job that was accepted, however often it has to be tried."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return cluster.submit("steps=1 sleep=0.05")
        except StateUnavailable:
            assert time.monotonic() < deadline
