"""The collector removes what is over, objects first, and nothing that anybody may still read."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
import redis

from infra.archive import Archive
from infra.collector import Collected, archive, collect, usage_bytes
from infra.errors import JobNotFound, StorageUnavailable
from infra.jobs.answers import Committed, Limits, WorkerCard
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job, NewJob, Status, new_attempt_id, new_job_id
from infra.jobs.scripts import PREFIX
from infra.search import FEW, Found, search
from infra.settings import Settings
from infra.storage import Storage, Tally, open_storage
from infra.storage.keys import artifact_key, job_prefix, manifest_key, record_key, upload_key
from infra.uploads import Upload, Uploads
from tests.servers import wait_for

CARD = WorkerCard("w1", "host", 1, "cpu", queues=("image",), models=("test/fake",))
OLD = -1.0  # seconds: everything stored until now counts as old


@pytest.fixture
def queue(state: redis.Redis, storage: Storage) -> JobQueue:
    return JobQueue(state, limits=Limits(), archive=Archive(storage))


@pytest.fixture
def uploads(state: redis.Redis) -> Uploads:
    return Uploads(state, expires_seconds=1, owner_bytes=1000)


@pytest.fixture
def later(state: redis.Redis) -> Callable[[float], None]:
    """Puts the clock of jobs forward."""

    def skip(seconds: float) -> None:
        state.incrby(f"{PREFIX}skew", int(seconds * 1000))

    return skip


@pytest.fixture(params=["folder", "rclone"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return open_storage(Settings(home=tmp_path))
    return open_storage(Settings(storage_url=request.getfixturevalue("s3_rclone").url()))


def new_job(expires_in_seconds: int) -> NewJob:
    return NewJob(
        id=new_job_id(),
        owner="local",
        kind="text-to-image",
        model="test/fake",
        queue="image",
        inputs={},
        cost=1.0,
        max_attempts=3,
        expires_in_seconds=expires_in_seconds,
    )


@pytest.fixture
def finished(queue: JobQueue, storage: Storage) -> Callable[[int], Job]:
    """Makes a job that has succeeded with one artifact."""

    def make(expires_in_seconds: int) -> Job:
        queue.enqueue([new_job(expires_in_seconds)])
        attempt_id = new_attempt_id()
        job = queue.claim(CARD, attempt_id)
        assert job is not None
        manifest = manifest_key(job.owner, job.id, attempt_id)
        storage.put(artifact_key(job.owner, job.id, attempt_id, "0.png"), b"picture", "image/png")
        storage.put(manifest, b"{}", "application/json")
        assert queue.commit(job.id, attempt_id, manifest, "0" * 64, []) == Committed.OK
        return queue.get(job.id)

    return make


def uploaded(uploads: Uploads, storage: Storage) -> Upload:
    upload = uploads.reserve(
        "local", filename="a.png", media_type="image/png", size=3, sha256="0" * 64, width=1, height=1
    )
    storage.put(upload_key("local", upload.id), b"abc", "image/png")
    return uploads.complete(upload)


def test_an_expired_job_goes_with_its_objects(
    queue: JobQueue, uploads: Uploads, storage: Storage, finished: Callable[[int], Job]
) -> None:
    over, fresh = finished(1), finished(3600)
    wait_for(lambda: queue.expired(10), what="the expiry")

    would = collect(queue, uploads, storage, dry_run=True)
    done = collect(queue, uploads, storage)

    assert would == done == Collected(jobs=Tally(1, len("picture{}")))
    with pytest.raises(JobNotFound):
        queue.get(over.id)
    assert queue.get(fresh.id).status is Status.SUCCEEDED
    assert sorted(storage.list()) == sorted(storage.list(job_prefix("local", fresh.id)))
    assert collect(queue, uploads, storage) == Collected()


def test_a_deleted_job_goes_at_once(
    queue: JobQueue, uploads: Uploads, storage: Storage, finished: Callable[[int], Job]
) -> None:
    job = finished(3600)
    queue.delete(job.id, "local")

    assert collect(queue, uploads, storage).jobs.count == 1
    assert [*storage.list()] == []


def test_an_upload_goes_when_its_life_is_over(queue: JobQueue, uploads: Uploads, storage: Storage) -> None:
    uploaded(uploads, storage)
    wait_for(lambda: uploads.due(queue), what="the expiry")

    assert collect(queue, uploads, storage) == Collected(uploads=Tally(1, 3))
    assert [*storage.list()] == []
    assert collect(queue, uploads, storage) == Collected()


def test_an_upload_stays_while_a_job_refers_to_it(
    queue: JobQueue, uploads: Uploads, storage: Storage
) -> None:
    upload = uploaded(uploads, storage)
    job = new_job(3600)
    uploads.refer(upload.id, [job.id])
    queue.enqueue([job])

    assert collect(queue, uploads, storage) == Collected()
    assert [*storage.list()] == [upload_key("local", upload.id)]


def test_the_record_stays_until_the_objects_are_gone(
    queue: JobQueue, uploads: Uploads, finished: Callable[[int], Job]
) -> None:
    job = finished(1)
    wait_for(lambda: queue.expired(10), what="the expiry")
    nowhere = open_storage(Settings(storage_url="s3+http://a:b@127.0.0.1:1/bucket"))

    with pytest.raises(StorageUnavailable):
        collect(queue, uploads, nowhere)

    assert queue.get(job.id).id == job.id


def test_a_job_of_which_a_collector_died_in_between_is_finished_by_the_next(
    queue: JobQueue, uploads: Uploads, storage: Storage, finished: Callable[[int], Job]
) -> None:
    job = finished(1)
    wait_for(lambda: queue.expired(10), what="the expiry")
    storage.delete_prefix(job_prefix("local", job.id))

    assert collect(queue, uploads, storage) == Collected(jobs=Tally(1, 0))


class TestArchive:
    """What an archived job is to its owner: test_archive.py."""

    def test_old_records_move(
        self,
        queue: JobQueue,
        storage: Storage,
        finished: Callable[[int], Job],
        later: Callable[[float], None],
    ) -> None:
        old = finished(3600)
        later(61)
        young = finished(3600)

        assert archive(queue, older_than_seconds=60) == 1
        assert [*Archive(storage).list()] == [("local", old.id)]
        assert queue.get(young.id).id == young.id
        with pytest.raises(JobNotFound):
            queue.get(old.id)  # the state server alone
        assert queue.get(old.id, "local") == old
        assert archive(queue, older_than_seconds=60) == 0

    def test_goes_when_its_life_is_over(
        self,
        queue: JobQueue,
        uploads: Uploads,
        storage: Storage,
        finished: Callable[[int], Job],
        later: Callable[[float], None],
        state: redis.Redis,
    ) -> None:
        finished(100)
        later(61)
        assert archive(queue, older_than_seconds=60) == 1
        assert collect(queue, uploads, storage) == Collected()
        later(60)

        would = collect(queue, uploads, storage, dry_run=True)
        assert collect(queue, uploads, storage) == would
        assert would.archived.count == 1
        assert [*storage.list()] == []
        left = {key.removeprefix(PREFIX) for key in state.keys(f"{PREFIX}*")}
        assert not {
            name for name in left if name.startswith(("j:", "jobs:", "archived", "expiring", "finished"))
        }

    def test_nothing_is_lost_when_the_storage_is_away(
        self, state: redis.Redis, finished: Callable[[int], Job], later: Callable[[float], None]
    ) -> None:
        job = finished(3600)
        later(61)
        nowhere = open_storage(Settings(storage_url="s3+http://a:b@127.0.0.1:1/bucket"))
        lonely = JobQueue(state, limits=Limits(), archive=Archive(nowhere))

        with pytest.raises(StorageUnavailable):
            archive(lonely, older_than_seconds=60)
        assert lonely.get(job.id, "local") == job

    def test_a_record_that_changed_meanwhile_is_written_again(
        self,
        state: redis.Redis,
        storage: Storage,
        finished: Callable[[int], Job],
        later: Callable[[float], None],
    ) -> None:
        job = finished(3600)
        later(61)

        class Slow(Archive):
            def put(self, record: Mapping[str, str]) -> None:
                super().put(record)
                state.hincrby(f"{PREFIX}j:{job.id}", "version", 1)  # as a retry of the job does

        slow = JobQueue(state, limits=Limits(), archive=Slow(storage))
        queue = JobQueue(state, limits=Limits(), archive=Archive(storage))
        assert archive(slow, older_than_seconds=60) == 0
        assert archive(queue, older_than_seconds=60) == 1
        assert queue.get(job.id, "local").version == job.version + 1

    def test_one_that_is_deleted_meanwhile_does_not_come_back(
        self,
        state: redis.Redis,
        queue: JobQueue,
        storage: Storage,
        finished: Callable[[int], Job],
        later: Callable[[float], None],
    ) -> None:
        job = finished(3600)
        later(61)

        class Slow(Archive):
            def put(self, record: Mapping[str, str]) -> None:
                queue.delete(job.id, "local")
                storage.delete_prefix(job_prefix("local", job.id))
                queue.forget(job.id)
                super().put(record)

        slow = JobQueue(state, limits=Limits(), archive=Slow(storage))
        assert archive(slow, older_than_seconds=60) == 0
        assert [*storage.list()] == []


class TestSearch:
    def test_attempts_without_a_result_and_orphans_are_removed(
        self, queue: JobQueue, uploads: Uploads, storage: Storage, finished: Callable[[int], Job]
    ) -> None:
        job = finished(3600)
        result = [*storage.list()]
        storage.put(artifact_key("local", job.id, new_attempt_id(), "0.png"), b"lost", "image/png")
        storage.put(artifact_key("local", new_job_id(), new_attempt_id(), "0.png"), b"gone!", "image/png")
        storage.put(upload_key("local", "upl_unknown"), b"x", "image/png")

        would = search(queue, uploads, storage, older_than_seconds=OLD, dry_run=True)
        assert would == Found(attempts=Tally(1, 4), orphans=Tally(2, 6))
        assert search(queue, uploads, storage, older_than_seconds=OLD) == would
        assert sorted(storage.list()) == sorted(result)

    def test_young_ones_stay(self, queue: JobQueue, uploads: Uploads, storage: Storage) -> None:
        storage.put(artifact_key("local", new_job_id(), new_attempt_id(), "0.png"), b"x", "image/png")

        assert search(queue, uploads, storage) == Found()

    def test_those_of_a_job_that_still_runs_stay(
        self, queue: JobQueue, uploads: Uploads, storage: Storage
    ) -> None:
        job = new_job(3600)
        queue.enqueue([job])
        attempt_id = new_attempt_id()
        queue.claim(CARD, attempt_id)
        storage.put(artifact_key("local", job.id, attempt_id, "0.png"), b"x", "image/png")

        assert search(queue, uploads, storage, older_than_seconds=OLD) == Found()

    def test_uploads_stay(self, queue: JobQueue, uploads: Uploads, storage: Storage) -> None:
        uploaded(uploads, storage)

        assert search(queue, uploads, storage, older_than_seconds=OLD) == Found()

    def test_what_a_job_json_names_stays_though_the_state_server_lost_it(
        self,
        queue: JobQueue,
        uploads: Uploads,
        storage: Storage,
        finished: Callable[[int], Job],
        later: Callable[[float], None],
        state: redis.Redis,
    ) -> None:
        job = finished(100)
        storage.put(artifact_key("local", job.id, new_attempt_id(), "0.png"), b"lost", "image/png")
        later(61)
        archive(queue, older_than_seconds=60)
        kept = [*storage.list(f"local/{job.id}/{job.attempt_id}/"), record_key("local", job.id)]
        state.flushall()

        assert queue.get(job.id, "local") == job
        assert search(queue, uploads, storage, older_than_seconds=OLD) == Found(
            attempts=Tally(1, 4), adopted=1
        )
        assert sorted(storage.list()) == sorted(kept)
        assert queue.list("local").jobs == (job,)
        newer = queue.enqueue([new_job(3600)]).jobs[0]
        assert [each.id for each in queue.list("local").jobs] == [newer.id, job.id]
        later(200)
        assert collect(queue, uploads, storage).archived.count == 1
        assert [*storage.list()] == []

    def test_a_job_json_that_cannot_be_read_protects_all_beside_it(
        self,
        queue: JobQueue,
        uploads: Uploads,
        storage: Storage,
        finished: Callable[[int], Job],
        state: redis.Redis,
    ) -> None:
        job = finished(3600)
        storage.put(record_key("local", job.id), b'{"format": 999}', "application/json")
        state.flushall()
        before = sorted(storage.list())

        assert search(queue, uploads, storage, older_than_seconds=OLD) == Found()
        assert sorted(storage.list()) == before
        with pytest.raises(JobNotFound):
            queue.get(job.id, "local")

    def test_a_state_server_that_knows_hardly_any_job_lets_all_stay(
        self,
        queue: JobQueue,
        uploads: Uploads,
        storage: Storage,
        finished: Callable[[int], Job],
        state: redis.Redis,
    ) -> None:
        for _ in range(FEW + 1):
            finished(3600)
        state.flushall()
        before = sorted(storage.list())

        found = search(queue, uploads, storage, older_than_seconds=OLD)
        assert found == Found(strangers=2 * (FEW + 1))
        assert sorted(storage.list()) == before
        found = search(queue, uploads, storage, older_than_seconds=OLD, strangers_too=True)
        assert found.orphans.count == 2 * (FEW + 1)
        assert [*storage.list()] == []


class TestUsage:
    def test_counts_artifacts_and_records(self, tmp_path: Path) -> None:
        settings = Settings(home=tmp_path)
        assert usage_bytes(settings) == 0
        open_storage(settings).put("local/a/b/c.png", b"x" * 1000, "image/png")
        settings.places.state.mkdir()
        (settings.places.state / "appendonly.aof").write_bytes(b"y" * 234)

        assert usage_bytes(settings) == 1234

    def test_follows_no_links(self, tmp_path: Path) -> None:
        settings = Settings(home=tmp_path)
        settings.places.artifacts.mkdir()
        (settings.places.artifacts / "link").symlink_to("/usr")

        assert usage_bytes(settings) < 100
