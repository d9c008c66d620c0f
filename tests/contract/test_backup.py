"""A backup, restored into an empty server, has every job once, in one place, and all that belongs to it."""

import gzip
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

import pytest
import redis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from infra.archive import Archive
from infra.backup import BadBackup, NotEmpty, restore, take
from infra.backup.families import family_of
from infra.errors import JobGone, JobNotFound
from infra.jobs.answers import Committed, Limits, WorkerCard
from infra.jobs.operator import Operator, What
from infra.jobs.owners import Owners, OwnerSettings
from infra.jobs.queue import JobQueue
from infra.jobs.record import (
    Idempotency,
    Job,
    JobError,
    NewJob,
    Outcome,
    Status,
    new_attempt_id,
    new_job_id,
)
from infra.jobs.scripts import PREFIX
from infra.keys import Keys
from infra.storage.folder import FolderStorage
from infra.uploads import Uploads
from infra.webhooks.endpoints import Endpoints
from infra.webhooks.outbox import Outbox
from tests.contract.jobs_machine import LIMITS, JobsMachine
from tests.contract.jobs_snapshot import Snapshot, check
from tests.servers import FORGETFUL, StateServer

CARD = WorkerCard("w1", "host", 1, "cpu", queues=("image",), models=("plain",))
FLAKY = JobError("flaky", "It failed.", retryable=True)


class House:
    """A state server with some of everything on it."""

    def __init__(self, state: redis.Redis, folder: Path) -> None:
        self.state = state
        self.file = folder / "backup"
        archive = Archive(FolderStorage(folder / "artifacts"))
        self.queue = JobQueue(state, limits=Limits(), archive=archive)
        self.uploads = Uploads(state, expires_seconds=3600, owner_bytes=1000)
        self.keys = Keys(state)
        self.endpoints = Endpoints(state, "always")
        self.outbox = Outbox(state, "always")
        self.operator = Operator(state, limits=Limits())
        self.owners = Owners(state, limits=Limits())

    def new(self, **given: Any) -> NewJob:
        return replace(NewJob(new_job_id(), "ann", "text-to-image", "plain", "image", {"n": 1}, 1.0), **given)

    def add(self, **given: Any) -> Job:
        return self.queue.enqueue([self.new(**given)]).jobs[0]

    def start(self, **given: Any) -> tuple[str, str]:
        self.add(**given, priority="high")
        attempt_id = new_attempt_id()
        job = self.queue.claim(CARD, attempt_id)
        assert job is not None
        return job.id, attempt_id

    def finish(self, **given: Any) -> Job:
        job_id, attempt_id = self.start(**given)
        assert self.queue.commit(job_id, attempt_id, "m", "s", []) == Committed.OK
        return self.queue.get(job_id)

    def move(self) -> dict[str, int]:
        """Take a backup, lose everything, restore."""
        self.file.unlink(missing_ok=True)
        take(self.state, self.file)
        self.state.flushall()
        return restore(self.state, Limits(), self.file)


@pytest.fixture
def house(state: redis.Redis, tmp_path: Path) -> House:
    return House(state, tmp_path)


def test_every_job_is_where_it_was_but_those_that_ran_wait_again(house: House) -> None:
    queue = house.queue
    done, failed = house.finish(), house.start()
    queue.requeue(*failed, Outcome.FAILED, replace(FLAKY, retryable=False))
    asked = house.start()
    queue.cancel(asked[0], "ann")
    deleted = house.start()
    queue.delete(deleted[0], "ann")
    running = house.start()
    late = house.start()
    queue.requeue(*late, Outcome.FAILED, FLAKY, delay_seconds=60)
    ready, waits = house.add(), house.add(waits_for=[running[0]])
    before = {job.id: job for job in queue.list("ann", limit=50).jobs}

    house.move()

    check(Snapshot.take(house.state), streams=False)
    now = {job.id: job for job in queue.list("ann", limit=50).jobs}
    assert list(now) == list(before)
    assert [now[each] for each in (done.id, failed[0], ready.id, late[0])] == [
        before[each] for each in (done.id, failed[0], ready.id, late[0])
    ]
    assert now[asked[0]].status is Status.CANCELLED
    again = now[running[0]]
    assert (again.status, again.attempt_id, again.fails, again.crashes, again.losses) == (
        "queued",
        None,
        0,
        0,
        0,
    )
    assert [attempt.outcome for attempt in again.attempts] == [Outcome.RELEASED]
    assert queue.commit(*running, "m", "s", []) == Committed.FENCED
    snapshot = Snapshot.take(house.state)
    assert snapshot.place(now[waits.id]) == "waiting"
    assert snapshot.place(now[late[0]]) == "delayed"
    assert deleted[0] in [job.id for job in queue.expired()]
    (stats,) = queue.queue_stats()
    assert (stats.succeeded, stats.failed, stats.cancelled) == (1, 1, 2)
    claimed = queue.claim(CARD, new_attempt_id())
    assert claimed is not None
    assert claimed.id == running[0]


def test_a_repeated_request_is_answered_as_before(house: House) -> None:
    job, gone = house.new(), house.new()
    house.queue.enqueue([job], Idempotency("key", "print"))
    house.queue.enqueue([gone], Idempotency("gone", "print"))
    house.queue.delete(gone.id, "ann")
    house.queue.forget(gone.id)

    house.move()

    assert house.queue.enqueue([house.new()], Idempotency("key", "print")).jobs[0].id == job.id
    with pytest.raises(JobGone):
        house.queue.enqueue([house.new()], Idempotency("gone", "print"))
    assert 0 < house.state.pttl(f"{PREFIX}idem:ann:key") <= 24 * 3600_000


def test_archived_jobs_are_listed_and_expire(house: House) -> None:
    job, deleted = house.finish(), house.finish()
    house.state.set(f"{PREFIX}skew", 60_000)
    assert house.queue.archive(30) == 2
    house.queue.delete(deleted.id, "ann")

    house.move()

    assert house.queue.list("ann").jobs == (job,)
    with pytest.raises(JobNotFound):
        house.queue.get(deleted.id, "ann")
    house.state.set(f"{PREFIX}skew", 120_000)
    assert [each.id for each in house.queue.expired()] == [deleted.id]
    house.state.set(f"{PREFIX}skew", 8 * 86400_000)
    assert {each.id for each in house.queue.expired()} == {job.id, deleted.id}


def test_keys_webhooks_uploads_and_pauses_stay(house: House) -> None:
    key, text = house.keys.create("ann")
    revoked, _ = house.keys.create("ann")
    house.keys.revoke(revoked.id)
    endpoint, _ = house.endpoints.create("ann", "https://example.org/hook")
    secrets = house.endpoints.target(endpoint.id, "ann")
    told = house.finish(webhook=endpoint.id)
    hooked = house.add(webhook=endpoint.id)
    upload = house.uploads.complete(
        house.uploads.reserve(
            "ann", filename="a.png", media_type="image/png", size=3, sha256="0", width=1, height=1
        )
    )
    house.uploads.refer(upload.id, [hooked.id])
    house.operator.pause(What.QUEUE, "image", "ann", "for a while")
    own = house.owners.change("ann", OwnerSettings(weight=2.0, max_queued=5, rate=0.01, burst=5))

    house.move()

    assert house.owners.all() == {"ann": own}

    assert [each.id for each in house.keys.list()] == [key.id]
    assert house.keys.authenticate(text) == key
    assert house.endpoints.target(endpoint.id, "ann") == secrets
    (message,) = house.outbox.take(5)
    assert message.job == told.id
    assert house.state.smembers(f"{PREFIX}hooked") == {hooked.id}
    assert house.uploads.get(upload.id, "ann") == upload
    assert house.state.hget(f"{PREFIX}uploads:bytes", "ann") == "3"
    assert house.state.smembers(f"{PREFIX}upload:{upload.id}:jobs") == {hooked.id}
    assert house.queue.claim(CARD, new_attempt_id()) is None  # the queue is paused


def test_what_is_accepted_after_the_cut_is_left_out_with_its_key(house: House) -> None:
    """A client that got no answer sends it again, and must not be told of a job that is not there."""
    early, late = house.new(), house.new()
    house.queue.enqueue([early], Idempotency("early", "print"))

    class Late(redis.Redis):
        """Enqueues one more when the jobs' ids are read."""

        def scan_iter(self, match: Any = None, *args: Any, **kwargs: Any) -> Any:
            if match == f"{PREFIX}j:*":
                house.queue.enqueue([late], Idempotency("late", "print"))
            return super().scan_iter(match, *args, **kwargs)

    take(Late(connection_pool=house.state.connection_pool), house.file)
    house.state.flushall()
    restore(house.state, Limits(), house.file)

    assert [job.id for job in house.queue.list("ann").jobs] == [early.id]
    assert house.queue.enqueue([late], Idempotency("late", "print")).replayed is False


def test_a_server_that_is_not_empty_is_left_alone(house: House) -> None:
    job = house.add()
    take(house.state, house.file)

    with pytest.raises(NotEmpty, match="is not empty"):
        restore(house.state, Limits(), house.file)
    assert house.queue.get(job.id) == job


def test_workers_and_tickers_may_be_there_already(house: House) -> None:
    job = house.add()
    take(house.state, house.file)
    house.state.flushall()
    house.queue.tick()
    assert house.queue.claim(CARD, new_attempt_id()) is None
    _, key = Keys(house.state).create("operator")

    restore(house.state, Limits(), house.file)

    claimed = house.queue.claim(CARD, new_attempt_id())
    assert claimed is not None
    assert claimed.id == job.id
    assert Keys(house.state).authenticate(key) is not None


class TestFile:
    @pytest.fixture
    def file(self, house: House) -> Path:
        house.add()
        take(house.state, house.file)
        house.state.flushall()
        return house.file

    def test_is_for_its_owner_only_and_replaces_none(self, file: Path, state: redis.Redis) -> None:
        assert file.stat().st_mode & 0o077 == 0
        with pytest.raises(BadBackup, match="exists already"):
            take(state, file)

    @pytest.mark.parametrize("left", [0, 1, 20, 0.5, 0.99])
    def test_a_cut_one_is_refused(self, file: Path, state: redis.Redis, left: float) -> None:
        data = file.read_bytes()
        file.write_bytes(data[: int(left * len(data)) if isinstance(left, float) else left])

        with pytest.raises(BadBackup):
            restore(state, Limits(), file)
        assert state.keys("*") == []

    @pytest.mark.parametrize(
        "change",
        [
            lambda lines: lines[:1] + lines[2:],
            lambda lines: lines[:-1],
            lambda lines: [line.replace(b'"ann"', b'"bob"') for line in lines],
            lambda lines: [*lines, b'{"kind":"job"}\n'],
            lambda lines: lines[1:],
            lambda lines: [b"not json\n"],
            lambda lines: [],
        ],
        ids=["a line less", "no end", "another owner", "more", "no header", "no JSON", "nothing"],
    )
    def test_a_changed_one_is_refused(
        self, file: Path, state: redis.Redis, change: Callable[[list[bytes]], list[bytes]]
    ) -> None:
        lines = gzip.decompress(file.read_bytes()).splitlines(keepends=True)
        file.write_bytes(gzip.compress(b"".join(change(lines))))

        with pytest.raises(BadBackup):
            restore(state, Limits(), file)
        assert state.keys("*") == []

    @pytest.mark.parametrize(("field", "words"), [("format", "format 99"), ("schema", "newer version")])
    def test_one_of_a_newer_version_is_refused(
        self, file: Path, state: redis.Redis, field: str, words: str
    ) -> None:
        lines = gzip.decompress(file.read_bytes()).splitlines()
        header = json.loads(lines[0]) | {field: 99}
        rewrite(file, [json.dumps(header).encode(), *lines[1:-1]])

        with pytest.raises(BadBackup, match=words):
            restore(state, Limits(), file)

    def test_one_that_is_missing_is_told(self, state: redis.Redis, tmp_path: Path) -> None:
        with pytest.raises(BadBackup, match="cannot be read"):
            restore(state, Limits(), tmp_path / "nowhere")


def rewrite(file: Path, lines: list[bytes]) -> None:
    """A whole backup of these lines."""
    text = b"".join(line + b"\n" for line in lines)
    end = {"kind": "end", "lines": len(lines), "sha256": sha256(text).hexdigest()}
    file.write_bytes(gzip.compress(text + json.dumps(end).encode() + b"\n"))


def test_a_backup_that_is_killed_leaves_no_file(house: House, valkey: StateServer, tmp_path: Path) -> None:
    for _ in range(300):
        house.add()
    code = (
        "import sys, time; from pathlib import Path; from infra.backup import take;"
        "from infra.connections import connect;"
        "tell = lambda what, count: (print(what, flush=True), time.sleep(60));"
        "take(connect(sys.argv[1]), Path(sys.argv[2]), tell)"
    )
    file = tmp_path / "killed"
    with subprocess.Popen(
        [sys.executable, "-c", code, valkey.url, str(file)], stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"job\n"
        child.kill()

    assert not file.exists()
    take(house.state, file)
    assert file.exists()


def test_every_key_has_been_thought_of(house: House) -> None:
    house.keys.create("ann")
    endpoint, _ = house.endpoints.create("ann", "https://example.org/hook")
    house.endpoints.rotate_own("ann")
    house.finish(webhook=endpoint.id)
    house.outbox.take(1)
    house.start()
    house.add(waits_for=[house.add().id])
    house.operator.pause(What.QUEUE, "image", "ann", "")
    house.queue.tick()
    names = [key.removeprefix(PREFIX) for key in house.state.keys("*")]

    assert len(names) > 30
    assert [name for name in sorted(names) if family_of(name) is None] == []


WALK = settings(
    max_examples=12,
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],
)


@pytest.mark.timeout(300)
def test_whatever_has_happened_can_be_restored(
    start_server: Callable[..., StateServer], tmp_path: Path
) -> None:
    server = start_server(options=FORGETFUL)
    file = tmp_path / "backup"

    class Machine(JobsMachine):
        archive = Archive(FolderStorage(tmp_path / "artifacts"))
        state = server.client()
        steps: ClassVar[Counter[str]] = Counter()

        def teardown(self) -> None:
            before = Snapshot.take(self.state)
            skew = self.state.get(f"{PREFIX}skew")
            file.unlink(missing_ok=True)
            take(self.state, file)
            self.state.flushall()
            self.state.set(f"{PREFIX}skew", skew or 0)
            restore(self.state, LIMITS, file)
            same_jobs(before, Snapshot.take(self.state))

    run_state_machine_as_test(Machine, settings=WALK)
    assert file.exists()


def same_jobs(before: Snapshot, after: Snapshot) -> None:
    check(after, streams=False)
    assert set(after.jobs) == set(before.jobs)
    assert set(after.counters("archived")) == set(before.counters("archived"))
    for job in before.jobs.values():
        restored = after.jobs[job.id]
        if job.status.final:
            assert restored == job
        elif not restored.status.final:
            assert restored.status is Status.QUEUED
            assert len(restored.attempts) == len(job.attempts)
            assert (restored.fails, restored.crashes, restored.losses) == (job.fails, job.crashes, job.losses)
        else:
            assert job.cancel_requested_at or job.timed_out_at or job.waits_for
