"""A cancel and a commit at the same moment: one of them is first, and both callers are told which."""

from collections import Counter
from collections.abc import Sequence
from random import Random
from threading import Barrier, Thread
from time import perf_counter, sleep
from typing import cast

import pytest
import redis

from infra.jobs.answers import Committed, Limits, WorkerCard
from infra.jobs.events import Events
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job, NewJob, Outcome, Status, new_attempt_id, new_job_id
from infra.jobs.scripts import PREFIX
from tests.chaos.matrix import Seen, fault
from tests.contract.jobs_snapshot import Snapshot, check
from tests.servers import StateServer

CARD = WorkerCard("w", "host", 1, "cpu", ("image",), ("plain",))
HEAT = 100
"""Jobs that run at once; the two sides go through them side by side."""

LEAD_SECONDS = 0.0006
"""How far either side may be ahead: about the time of a call, so that either may be first."""


def test_cancel_and_commit_end_a_job_once(state_server: StateServer) -> None:
    races(state_server, 300)


@pytest.mark.slow
@pytest.mark.timeout(900)
@fault(29, "A cancel races the commit, 5,000 times", "exactly one final state each, and both are told which")
def test_five_thousand_cancels_and_commits(valkey: StateServer, seen: Seen) -> None:
    ends = races(valkey, 5000)
    seen(f"{ends[Status.SUCCEEDED]} succeeded, {ends[Status.CANCELLED]} were cancelled, none both or neither")


def races(server: StateServer, count: int) -> Counter[Status]:
    """How the jobs ended; each is checked."""
    seen: Counter[Status] = Counter()
    random = Random(count)
    with server.client() as ours, server.client() as others:
        queue = JobQueue(ours, limits=Limits(max_queued_per_owner=HEAT))
        handicap = 0.0  # of the side that has won more, since how long each takes depends on the machine
        for _ in range(count // HEAT):
            jobs = [run_one(queue) for _ in range(HEAT)]
            leads = [handicap + random.uniform(-LEAD_SECONDS, LEAD_SECONDS) for _ in jobs]
            answers = race(queue, JobQueue(others, limits=Limits()), jobs, leads)
            ends = [check_end(ours, job, answer) for job, answer in zip(jobs, answers, strict=True)]
            handicap += LEAD_SECONDS * (1 - 2 * ends.count(Status.SUCCEEDED) / HEAT)
            seen.update(ends)
        check(Snapshot.take(ours))
        assert int(ours.zcard(f"{PREFIX}outbox")) == count
    assert min(seen[Status.SUCCEEDED], seen[Status.CANCELLED]) > count // 50, seen
    return seen


def run_one(queue: JobQueue) -> Job:
    new = NewJob(new_job_id(), "ann", "kind", "plain", "image", {}, 1.0, webhook="we_1")
    queue.enqueue([new])
    job = queue.claim(CARD, new_attempt_id())
    assert job is not None
    assert job.id == new.id
    return job


def race(worker: JobQueue, owner: JobQueue, jobs: Sequence[Job], leads: Sequence[float]) -> list[Committed]:
    """What the worker is told at each commit, while the owner cancels the same job."""
    answers: list[Committed] = []
    start = Barrier(2, timeout=30)

    def cancel_all() -> None:
        for job, lead in zip(jobs, leads, strict=True):
            start.wait()
            pause(lead)
            owner.cancel(job.id, job.owner)

    other = Thread(target=cancel_all)
    other.start()
    for job, lead in zip(jobs, leads, strict=True):
        start.wait()
        pause(-lead)
        answers.append(worker.commit(job.id, job.attempt_id or "", f"m/{job.attempt_id}", "sha", []))
    other.join()
    return answers


def pause(seconds: float) -> None:
    """More exact than a sleep; lets the other thread run meanwhile."""
    end = perf_counter() + seconds
    while perf_counter() < end:
        sleep(0)


def check_end(state: redis.Redis, before: Job, answer: Committed) -> Status:
    """The record, its attempt, its events and its message all tell what the worker was told."""
    queue = JobQueue(state, limits=Limits())
    job = queue.get(before.id)
    expected = {
        Committed.OK: (Status.SUCCEEDED, Outcome.SUCCEEDED, f"m/{before.attempt_id}"),
        Committed.CANCELLED: (Status.CANCELLED, Outcome.CANCELLED, None),
    }
    assert (job.status, job.attempts[-1].outcome, job.manifest) == expected[answer]
    assert queue.commit(job.id, before.attempt_id or "", "another", "sha", []) is answer
    told = [event.type for event in Events(state).read(job.id, "0-1") if event.type != "job.started"]
    assert told == [f"job.{job.status.value}"]
    message = cast(dict[str, str], state.hgetall(f"{PREFIX}outbox:{job.id.replace('job_', 'msg_')}"))
    assert message["type"] == told[0]
    return job.status
