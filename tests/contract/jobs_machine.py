"""A random walk over JobQueue: workers that die and come back, calls sent twice, clocks that jump.

Before each call the machine predicts the answer from the record; after each it checks all that is stored.
"""

import contextlib
import math
from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

import pytest
import redis
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from infra.archive import Archive
from infra.errors import JobNotFound, OwnerLimit, TooFast, TooManyAtOnce, WorkerPaused
from infra.jobs.answers import Beat, Committed, Filters, Limits, Requeued, WorkerCard
from infra.jobs.bulk import Bulk
from infra.jobs.operator import Operator, What
from infra.jobs.owners import Owners, OwnerSettings
from infra.jobs.queue import JobQueue
from infra.jobs.record import (
    Artifact,
    Idempotency,
    Job,
    JobError,
    NewJob,
    Outcome,
    Priority,
    Status,
)
from infra.jobs.scripts import PREFIX
from infra.jobs.survey import server_time
from tests.contract.jobs_snapshot import Snapshot, check

LIMITS = Limits(lease_seconds=10.0, max_queued_per_owner=12, max_crashes=2, max_losses=2)
GAP_MS = 6666
WORKERS = {
    "both": WorkerCard("both", "h", 1, "cpu", ("image", "text"), ("a", "b", "t"), ("a",), {"a": 4, "t": 8}),
    "image": WorkerCard("image", "h", 2, "cpu", ("image",), ("a", "b"), ("b",)),
    "only-a": WorkerCard("only-a", "h", 3, "cpu", ("image",), ("a",), ()),
}
MODELS = {"a": "image", "b": "image", "t": "text"}
OWNERS = ("ann", "bob", "cy")
OUTCOMES = [
    *[Outcome.RELEASED, Outcome.CRASHED, Outcome.FAILED] * 2,  # more often, since the job goes on
    *(Outcome.CANCELLED, Outcome.TIMED_OUT, Outcome.LOST),
]
RESULT = Artifact("0.png", 0, "output", 7, "image/png", 10, "ab")

GRANTS = (
    *({"weight": 4.0}, {"weight": 0.5}, {"weight": None}),
    *({"max_running": 1}, {"max_running": 3}, {"max_running": 0}, {"max_running": None}),
    *({"max_queued": 3}, {"max_queued": None}),
    *({"rate": 0.5, "burst": 2}, {"rate": None, "burst": None}),
    *[{"rate": 0.01, "burst": 3}] * 4,
)
"""What operators do to an owner's settings."""

owners = st.sampled_from(OWNERS)
workers = st.sampled_from(sorted(WORKERS))
twice = st.sampled_from([False, False, False, True])
picks = st.integers(0, 1000)


Failure = tuple[Outcome, bool, float | None]
"""Outcome, whether its error is retryable, the delay asked for."""

failures = st.tuples(st.sampled_from(OUTCOMES), st.booleans(), st.sampled_from([None, 0.0, 3.0]))
wishes = st.fixed_dictionaries(
    {
        "priority": st.sampled_from(Priority),
        "cost": st.sampled_from([0.5, 1.0, 20.0]),
        "start_deadline_seconds": st.sampled_from([None, None, 3.0]),
        "deadline_seconds": st.sampled_from([None, None, 5.0]),
        "webhook": st.sampled_from([None, "we_1"]),
        "rows": st.sampled_from([0, 1, 1, 3]),  # 0: shares no run
    }
)


class JobsMachine(RuleBasedStateMachine):
    """Give it a client of an empty server in `state`, and an empty `archive`."""

    state: ClassVar[redis.Redis]
    steps: ClassVar[Counter[str]] = Counter()
    """How often each rule was taken, in all runs."""
    archive: ClassVar[Archive]

    @initialize(max_running=st.sampled_from([0, 1, 2]))
    def begin(self, max_running: int) -> None:
        self.state.flushall()
        self.ids = 0
        self.now = Snapshot({})  # as of the end of the last step
        self.woken: set[str] = set()  # rung for, and not yet back with a claim
        self.queue = JobQueue(
            self.state,
            limits=replace(LIMITS, max_running_per_owner=max_running),
            ring=self._hear_ring,
            archive=self.archive,
        )
        self.operator = Operator(self.state, limits=LIMITS, ring=self._hear_ring)
        self.owners = Owners(
            self.state,
            limits=replace(LIMITS, max_running_per_owner=max_running),
            ring=self._hear_ring,
        )
        self.own = dict.fromkeys(OWNERS, OwnerSettings())
        self.held: dict[str, str] = {}  # attempt → job, of workers that believe in it; some wrongly
        self.versions: dict[str, int] = {}
        self.results: dict[str, Job] = {}
        self.paused: dict[What, set[str]] = {what: set() for what in What}
        self.clocks: dict[str, float] = {}
        self.skew = 0
        self.queue.tick()
        for owner in OWNERS:
            self.queue.enqueue([self._job(owner, model) for model in MODELS])
        self.now = Snapshot.take(self.state)
        self._claim("both", again=False)

    def _job(self, owner: str, model: str, **given: Any) -> NewJob:
        start = {"id": self._new_id("job"), "cost": 1.0, "max_attempts": 2, "expires_in_seconds": 20}
        return NewJob(
            owner=owner, kind="kind", model=model, queue=MODELS[model], inputs={"x": []}, **(start | given)
        )

    def _hear_ring(self, queue: str, job_id: str) -> None:
        now = Snapshot.take(self.state)
        assert (now.jobs[job_id].queue, now.place(now.jobs[job_id])) == (queue, "ready")
        self.woken |= self.now.parked_anywhere() - now.parked_anywhere()

    def _new_id(self, kind: str) -> str:
        """Counted, so that a walk can be repeated."""
        self.ids += 1
        return f"{kind}_{self.ids:024d}"

    def _step(self, name: str) -> None:
        self.steps[name] += 1

    def _some_job(self, pick: int) -> Job:
        jobs = [job for job in self.now.jobs.values() if not job.delete_requested_at]
        return sorted(jobs, key=lambda job: job.id)[pick % len(jobs)]

    def _has_jobs(self) -> bool:
        return any(not job.delete_requested_at for job in self.now.jobs.values())

    def _some_attempt(self, pick: int) -> tuple[str, str]:
        """Three times of four one that is really held, if there is any."""
        real = [attempt_id for attempt_id, job_id in self.held.items() if self._is_held(job_id, attempt_id)]
        some = sorted(real if real and pick % 4 else self.held)
        attempt_id = some[pick // 4 % len(some)]
        return self.held[attempt_id], attempt_id

    def _record(self, job_id: str) -> Job | None:
        try:
            return self.queue.get(job_id)
        except JobNotFound:
            return None

    def _is_held(self, job_id: str, attempt_id: str) -> bool:
        job = self._record(job_id)
        return job is not None and job.status is Status.RUNNING and job.attempt_id == attempt_id

    # The API's calls

    @rule(
        owner=owners,
        models=st.lists(st.sampled_from(sorted(MODELS)), min_size=1, max_size=3),
        wish=wishes,
        links=st.sampled_from(["alone", "alone", "after", "chain"]),
        again=twice,
    )
    def enqueue(self, owner: str, models: list[str], wish: dict[str, Any], links: str, again: bool) -> None:
        """One to three jobs: alone, all after an older job, or each after the one before."""
        self._step("enqueue")
        older = self.queue.list(owner, limit=5).jobs
        link: tuple[str, ...] = (older[-1].id,) if older and links == "after" else ()
        jobs = []
        for model in models:
            shared = {"batch": model if wish["rows"] else "", "rows": wish["rows"] or 1}
            jobs.append(self._job(owner, model, waits_for=link, **(wish | shared)))
            link = (jobs[-1].id,) if links == "chain" else link
        key = Idempotency(self._new_id("job"), "same")
        room = self._settings(owner).max_queued - self.queue.owner_usage(owner).queued
        bucket, early = self._bucket(owner), server_time(self.state)
        try:
            first = self.queue.enqueue(jobs, key)
        except (OwnerLimit, TooManyAtOnce) as error:
            self._check_refusal(error, jobs, room, bucket, early)
            assert self.queue.replayed(owner, key) is None
            return
        assert len(jobs) <= room
        assert self._tokens(owner, bucket, server_time(self.state)) >= len(jobs) - 0.001
        assert [job.id for job in first.jobs] == [new.id for new in jobs]
        left = self._bucket(owner)
        if again:
            assert self.queue.enqueue(jobs, key).jobs == first.jobs
            others = [replace(new, id=self._new_id("job"), waits_for=()) for new in jobs]
            assert self.queue.enqueue(others, key).jobs == first.jobs
            assert self._bucket(owner) == left

    def _check_refusal(
        self, error: Exception, jobs: list[NewJob], room: float, bucket: float, early: int
    ) -> None:
        """It was due, the right one, and took nothing."""
        owner, count = jobs[0].owner, len(jobs)
        settings = self._settings(owner)
        assert self._bucket(owner) == bucket
        if count > room:
            assert type(error) is OwnerLimit
        elif count > settings.burst:
            assert isinstance(error, TooManyAtOnce)
        else:
            assert isinstance(error, TooFast)
            late, wait = server_time(self.state), 1000 * error.retry_after
            assert self._tokens(owner, bucket, early) < count
            empty = 1000 * settings.burst / settings.rate  # the clock may have been set back since
            assert self._tokens(owner, min(bucket, late + empty), late + wait) >= count - 0.001
            assert self._tokens(owner, min(bucket, early + empty), early + wait - 1000) < count
            self._step("slow")

    def _settings(self, owner: str) -> Any:
        """What holds for the owner, by the model of this walk; a limit that is none is endless."""
        found = self.own[owner].over(self.owners.common)
        return found.model_copy(update={"max_running": found.max_running or math.inf})

    def _bucket(self, owner: str) -> float:
        return float(self.state.get(f"{PREFIX}bucket:{owner}") or 0)

    def _tokens(self, owner: str, full_at: float, now: float) -> float:
        settings = self._settings(owner)
        if not settings.rate:
            return math.inf
        return max(0.0, settings.burst - max(0.0, full_at - now) / 1000 * settings.rate)

    @precondition(_has_jobs)
    @rule(pick=picks, again=twice, action=st.sampled_from(["cancel", "cancel", "delete", "retry"]))
    def change_mind(self, pick: int, again: bool, action: str) -> None:
        """One rule for what is rarer than enqueueing, so that queues have time to fill."""
        self._step(action)
        {"cancel": self._cancel, "delete": self._delete, "retry": self._retry}[action](pick, again)

    def _cancel(self, pick: int, again: bool) -> None:
        before = self._some_job(pick)
        after = self.queue.cancel(before.id, before.owner)
        if before.status is Status.QUEUED:
            assert after.status is Status.CANCELLED
        elif before.status is Status.RUNNING:
            assert after.cancel_requested_at is not None
        else:
            assert after == before
        if again:
            assert self.queue.cancel(before.id, before.owner) == after

    def _cancel_many(self, pick: int) -> None:
        owner, model = OWNERS[pick % 3], ("a", None)[pick % 2]
        status = (None, Status.QUEUED)[pick // 2 % 2]
        Bulk(self.state, self.queue).cancel([owner], Filters(status=status, model=model))
        left = self.queue.list(owner, status=Status.QUEUED, model=model, limit=50).jobs
        assert not left

    def _delete(self, pick: int, again: bool) -> None:
        before = self._some_job(pick)
        gone = self.queue.delete(before.id, before.owner)
        assert (gone is None) == (before.status is Status.RUNNING)
        if again:
            assert self.queue.delete(before.id, before.owner) == gone
        assert before.id not in [job.id for job in self.queue.list(before.owner, limit=100).jobs]

    def _retry(self, pick: int, again: bool) -> None:
        new_id = self._new_id("job")
        old = self._some_job(pick)
        try:
            new = self.queue.retry(old.id, old.owner, new_id)
        except (OwnerLimit, JobNotFound):  # no room; or what it waited for was deleted
            return
        assert (new.retry_of, new.inputs, new.cost) == (old.id, old.inputs, old.cost)
        assert self.queue.get(old.id).retried_as == new_id
        if again:
            assert self.queue.retry(old.id, old.owner, new_id) == new

    # The workers' calls

    @rule(worker=workers, again=twice)
    def claim(self, worker: str, again: bool) -> None:
        self._claim(worker, again)

    def _claim(self, worker: str, again: bool) -> None:
        self._step("claim")
        card, attempt_id = WORKERS[worker], self._new_id("attempt")
        able = self._claimable(card)
        raised = [job_id for job_id in able if self.now.jobs[job_id].front]
        self.woken.discard(worker)
        held = [job_id for attempt_id, job_id in self.held.items() if self._is_held(job_id, attempt_id)]
        try:
            jobs = self.queue.claim_batch(card, attempt_id, held=held)
        except WorkerPaused:
            assert worker in self.paused[What.WORKER]
            return
        assert worker not in self.paused[What.WORKER]
        if again:
            assert self.queue.claim_batch(card, attempt_id, held=held) == jobs
        if not jobs:
            assert not able
            return
        assert jobs[0].id in (raised or able)
        assert jobs[0].attempt_id == attempt_id
        self._check_riders(card, jobs, able)
        assert worker not in Snapshot.take(self.state).parked_anywhere()
        self.held |= {str(job.attempt_id): job.id for job in jobs}

    def _check_riders(self, card: WorkerCard, jobs: tuple[Job, ...], able: set[str]) -> None:
        """Jobs that share a run are alike, each could have been claimed, and together they fill a bucket."""
        assert {job.status for job in jobs} == {Status.RUNNING}
        assert len({job.attempt_id for job in jobs}) == len({job.id for job in jobs}) == len(jobs)
        running = Counter(job.owner for job in jobs if not job.front)
        assert all(count <= self._settings(owner).max_running for owner, count in running.items())
        assert all(job.weight == self._settings(job.owner).weight for job in jobs)
        if len(jobs) > 1:
            self._step("share")
            assert {job.id for job in jobs[1:]} <= able
            assert len({(job.model, job.batch) for job in jobs}) == 1
            assert not any(job.alone or not job.batch for job in jobs)
            assert sum(job.rows for job in jobs) in (2, 4, 8)
            assert sum(job.rows for job in jobs) <= card.batches[jobs[0].model]

    def _claimable(self, card: WorkerCard) -> set[str]:
        now = self.now
        running = Counter(job.owner for job in now.jobs.values() if job.status is Status.RUNNING)
        return {
            job.id
            for queue in card.queues
            for job in now.ready(queue)
            if job.model in card.models
            and (job.front or running[job.owner] < self._settings(job.owner).max_running)
            and not self._is_paused(job)
        }

    def _is_paused(self, job: Job) -> bool:
        return job.queue in self.paused[What.QUEUE] or job.model in self.paused[What.MODEL]

    @rule(pick=picks, again=twice)
    def finish(self, pick: int, again: bool) -> None:
        """Whoever believes in an attempt commits it, rightly or not."""
        if not self.held:
            return self._claim(sorted(WORKERS)[pick % len(WORKERS)], again)
        self._commit(pick, again)

    @rule(pick=picks, again=twice, beats=st.sampled_from([True, False, False]), failure=failures)
    def work(self, pick: int, again: bool, beats: bool, failure: Failure) -> None:
        """Or beats for it, or gives it up."""
        if not self.held:
            return self._claim(sorted(WORKERS)[pick % len(WORKERS)], again)
        self._step("beat" if beats else "requeue")
        if beats:
            self._beat(pick)
        else:
            self._requeue(pick, again, *failure)

    def _beat(self, pick: int) -> None:
        job_id, attempt_id = self._some_attempt(pick)
        expected = Beat.LOST
        if self._is_held(job_id, attempt_id):
            job = self.queue.get(job_id)
            flag = Beat.CANCEL if job.cancel_requested_at else Beat.TIMED_OUT if job.timed_out_at else Beat.OK
            expected = flag
        lease = [(job_id, attempt_id)]
        assert self.queue.cancel_flags(lease) == {attempt_id: expected}
        told = self.queue.beat(lease, WORKERS["both"], {attempt_id: {"fraction": pick % 4 / 4}})
        assert told == {attempt_id: expected}
        assert self.queue.emit(job_id, attempt_id, "job.output", {"attempt": attempt_id}) == (
            expected is not Beat.LOST
        )
        if expected is Beat.LOST:
            del self.held[attempt_id]

    def _commit(self, pick: int, again: bool) -> None:
        self._step("commit")
        job_id, attempt_id = self._some_attempt(pick)
        before = self._record(job_id)
        committed_before = before is not None and before.manifest == f"m/{attempt_id}"
        cancelled = before is not None and before.cancel_requested_at is not None
        deleted = before is None or before.delete_requested_at is not None
        if self._is_held(job_id, attempt_id):
            expected = Committed.CANCELLED if cancelled else Committed.OK
        else:
            expected = Committed.OK if committed_before else Committed.FENCED
        answer = self.queue.commit(job_id, attempt_id, f"m/{attempt_id}", "sha", [RESULT])
        if expected is not Committed.FENCED or not (cancelled or deleted):
            assert answer is expected, (before, attempt_id)
        if answer is Committed.OK:
            assert self.queue.get(job_id).manifest == f"m/{attempt_id}"
        if again:
            assert self.queue.commit(job_id, attempt_id, f"m/{attempt_id}", "sha", [RESULT]) is answer
        if pick % 2:
            del self.held[attempt_id]

    def _requeue(
        self, pick: int, again: bool, outcome: Outcome, retryable: bool, delay: float | None
    ) -> None:
        job_id, attempt_id = self._some_attempt(pick)
        was_held = self._is_held(job_id, attempt_id)
        expected = _requeued(self.queue.get(job_id), outcome, retryable) if was_held else None
        error = JobError("oom", "Out of memory.", "", retryable) if outcome is Outcome.FAILED else None
        answer = self.queue.requeue(job_id, attempt_id, outcome, error, delay)
        if expected is None:
            assert answer in (Requeued.FENCED, self._told(attempt_id))
        else:
            assert answer is expected
            ended = self.queue.get(job_id).attempts[-1]
            assert (ended.id, ended.outcome, ended.error) == (attempt_id, outcome, error)
        if again:
            assert self.queue.requeue(job_id, attempt_id, outcome, error, delay) is answer
        self._take_over(pick)

    def _take_over(self, pick: int) -> None:
        """Another worker comes along, so that the one before is a zombie; it may commit all the same."""
        self.now = Snapshot.take(self.state)
        self._claim("both", again=False)
        if self.held and pick % 3 == 0:
            self._commit(pick, again=False)

    def _told(self, attempt_id: str) -> Requeued | None:
        word = self.state.hget(f"{PREFIX}a:{attempt_id}", "requeue")
        return None if word is None else Requeued(str(word))

    # Time

    @rule(seconds=st.sampled_from([0.5, 2.0, 4.0]), ticks=st.sampled_from([True, True, True, False]))
    def wait(self, seconds: float, ticks: bool) -> None:
        self._step("wait")
        self._move_clock(round(seconds * 1000))
        if ticks:
            self._tick()

    @rule(pick=picks)
    def lose(self, pick: int) -> None:
        """Nobody beats for longer than a lease."""
        self._step("lose")
        for _ in range(3):
            self._move_clock(4000)
            self._tick()
        self._take_over(pick)

    # What operators do

    @rule(pick=picks, again=twice)
    def operate(self, pick: int, again: bool) -> None:
        """Raise a job, or pause something, mostly for one claim only, so that the walk goes on."""
        if pick % 2 and self._has_jobs():
            return self._raise(pick // 2, again)
        self._step("pause")
        names = {What.QUEUE: ("image", "text"), What.MODEL: tuple(MODELS), What.WORKER: tuple(WORKERS)}
        what = list(What)[pick // 2 % 3]
        name = names[what][pick // 6 % len(names[what])]
        self._pause(what, name, again)
        self._claim(sorted(WORKERS)[pick % 3], again=False)
        if pick % 4:
            self._resume(what, name, again)

    @rule(owner=owners, changes=st.sampled_from(GRANTS), again=twice, wish=wishes)
    def grant(self, owner: str, changes: dict[str, Any], again: bool, wish: dict[str, Any]) -> None:
        """Change an owner's settings; what waits is looked at, too."""
        self._step("grant")
        self.own[owner] = self.own[owner].model_copy(update=changes)
        for _ in range(1 + again):
            assert self.owners.change(owner, OwnerSettings(**changes)) == self.own[owner]
        assert self.owners.all() == {name: own for name, own in self.own.items() if own.own()}
        self._check_standings()
        if changes.get("rate"):
            for _ in range(changes["burst"] + 1):  # the last comes too fast, unless there is no room for it
                self.enqueue(owner, ["t"], wish, "alone", False)

    def _check_standings(self) -> None:
        """Each ready job has a place, which cannot be past the end of its queue."""
        for job in self.now.jobs.values():
            standing = self.queue.standing(job)
            assert (standing is None) == (job.status is not Status.QUEUED)
            if standing is not None:
                ready = self.now.ready(job.queue)
                assert (standing.position is None) == (job.id not in {each.id for each in ready})
                assert standing.position is None or standing.position <= len(ready) + sum(
                    each.front for each in ready
                )
                assert (standing.estimated_start_seconds or 0.0) >= 0.0
                assert standing.estimated_start_seconds is None or not standing.paused

    def _pause(self, what: What, name: str, again: bool) -> None:
        first = self.operator.pause(what, name, "admin")
        self.paused[what].add(name)
        if again:
            assert self.operator.pause(what, name, "another") == first

    def _resume(self, what: What, name: str, again: bool) -> None:
        self.now = Snapshot.take(self.state)
        assert self.operator.resume(what, name)
        self.paused[what].discard(name)
        if again:
            assert not self.operator.resume(what, name)

    def _raise(self, pick: int, again: bool) -> None:
        self._step("raise")
        before = self._some_job(pick)
        after = self.operator.front(before.id)
        assert after.front or before.status is not Status.QUEUED
        if again:
            assert self.operator.front(before.id).front == after.front

    # Time and trouble

    @rule(
        action=st.sampled_from(["jump", "leave", "collect", "archive", "cancel_many", "end_untold"]),
        pick=picks,
    )
    def disturb(self, action: str, pick: int) -> None:
        self._step(action)
        acts = {
            "jump": self._jump,
            "leave": self._leave,
            "collect": self._collect,
            "archive": self._archive,
            "cancel_many": self._cancel_many,
            "end_untold": self._end_untold,
        }
        acts[action](pick)

    def _jump(self, pick: int) -> None:
        """The state server was away for long, or its clock was set."""
        self._tick()
        leases = set(Snapshot.take(self.state).zset("lease"))
        self._move_clock((60_000, -30_000)[pick % 2])
        assert self.queue.tick().grace
        assert set(Snapshot.take(self.state).zset("lease")) == leases

    def _leave(self, pick: int) -> None:
        worker = sorted(WORKERS)[pick % len(WORKERS)]
        self.queue.leave(worker)
        self.paused[What.WORKER].discard(worker)

    def _end_untold(self, pick: int) -> None:
        """Code of schema 1 has ended a job: as ours does, but nobody was told. The next tick mends it."""
        told = sorted(self.now.zset("outbox"))
        if not told:
            return
        message_id = told[pick % len(told)]
        job_id = self.state.hget(f"{PREFIX}outbox:{message_id}", "job")
        if job_id not in self.now.jobs or self.now.jobs[job_id].delete_requested_at:
            return
        self.state.zrem(f"{PREFIX}outbox", message_id)
        self.state.delete(f"{PREFIX}outbox:{message_id}")
        self.state.sadd(f"{PREFIX}hooked", job_id)

    def _archive(self, pick: int) -> None:
        """Final records move, and their jobs are what they were; one of them is deleted now and then."""
        moved = self.queue.archive(0.0)
        left = Snapshot.take(self.state).jobs
        gone = [job for job in self.now.jobs.values() if job.id not in left]
        assert len(gone) == moved
        now = server_time(self.state)
        for job in gone:
            assert job.status.final
            assert not job.delete_requested_at
            if job.expires_at is not None and job.expires_at > now + 1000:
                assert self.queue.get(job.id, job.owner) == job
                assert job in self.queue.list(job.owner, status=job.status, limit=100).jobs
        if gone and pick % 3 == 0:
            self._delete_archived(gone[pick % len(gone)])

    def _delete_archived(self, job: Job) -> None:
        with contextlib.suppress(JobNotFound):  # its life may be over
            assert self.queue.delete(job.id, job.owner) == job
        with pytest.raises(JobNotFound):
            self.queue.get(job.id, job.owner)

    def _collect(self, pick: int) -> None:
        for job in self.queue.expired():
            assert job.archived or self.now.jobs[job.id].status.final
            if job.archived:
                self.archive.delete(job.owner, job.id)
            assert self.queue.forget(job.id)
            assert not self.state.exists(f"{PREFIX}j:{job.id}", f"{PREFIX}ev:{job.id}")

    def _move_clock(self, by_ms: int) -> None:
        self.skew += by_ms
        self.state.set(f"{PREFIX}skew", self.skew)

    def _tick(self) -> None:
        """Judged by the times that the ticks themselves noted: the machine that runs this may be slow."""
        before = self._ticked_at()
        tick = self.queue.tick()
        since = self._ticked_at() - before
        assert tick.grace == (since > GAP_MS or since < 0)
        if not tick.grace:
            now = Snapshot.take(self.state)
            for name in ("lease", "delayed", "deadlines", "workers"):
                assert all(due > self._ticked_at() for due in now.zset(name).values()), name
            assert all(not now.jobs[job_id].status.final for job_id in now.members("hooked"))

    def _ticked_at(self) -> int:
        return int(self.state.get(f"{PREFIX}ticked_at") or 0)

    # What is always true

    @invariant()
    def everything_agrees(self) -> None:
        self.now = now = Snapshot.take(self.state)
        check(now)
        self._check_progress(now)
        self._check_rings(now)

    def _check_progress(self, now: Snapshot) -> None:
        """Versions and virtual times only grow, a result never changes."""
        for job in now.jobs.values():
            assert job.version >= self.versions.get(job.id, 1), job
            self.versions[job.id] = job.version
            if job.status.final:
                first = self.results.setdefault(job.id, job)
                assert _result(job) == _result(first), (first, job)
        for name in now.data:
            if name.startswith("fair:") and name.endswith(":now"):
                assert now.number(name) >= self.clocks.get(name, 0.0), name
                self.clocks[name] = now.number(name)

    def _check_rings(self, now: Snapshot) -> None:
        """No idle worker sleeps beside a job that it could run, unless one was woken, who will pass it on."""
        ready = [
            job
            for queue in now.queues
            for job in now.ready(queue, claimable=True)
            if not self._is_paused(job)
        ]
        for job in ready:
            able = {worker for worker in now.parked(job.queue) if now.can_run(worker, job.model)}
            assert self.woken or not able or self._is_at_limit(now, job.owner), (job, able)
        for owner in now.owners:
            assert not now.members(f"blocked:{owner}") or self._is_at_limit(now, owner), owner

    def _is_at_limit(self, now: Snapshot, owner: str) -> bool:
        return int(now.counters(f"count:{owner}").get("running", 0)) >= self._settings(owner).max_running


def _result(job: Job) -> tuple[Any, ...]:
    return (
        job.status,
        job.manifest,
        job.manifest_sha256,
        job.artifacts,
        job.error,
        job.attempts,
        job.finished_at,
    )


def _requeued(job: Job, outcome: Outcome, retryable: bool) -> Requeued:
    """What the rules say of a running job whose attempt ends so."""
    if job.cancel_requested_at or outcome is Outcome.CANCELLED:
        return Requeued.CANCELLED
    if outcome is Outcome.TIMED_OUT or job.timed_out_at:
        return Requeued.FAILED
    left = {
        Outcome.RELEASED: True,
        Outcome.CRASHED: job.crashes + 1 < LIMITS.max_crashes,
        Outcome.LOST: job.losses + 1 < LIMITS.max_losses,
        Outcome.FAILED: retryable and job.fails + 1 < job.max_attempts,
    }
    return Requeued.QUEUED if left[outcome] else Requeued.FAILED
