"""The collector removes what is over, objects first, and nothing that anybody may still read."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from infra.collector import Collected, collect, collect_leftovers, usage_bytes
from infra.errors import JobNotFound, StorageUnavailable
from infra.jobs.answers import Committed, Limits, WorkerCard
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job, NewJob, Status, new_attempt_id, new_job_id
from infra.settings import Settings
from infra.storage import Storage, open_storage
from infra.storage.keys import artifact_key, job_prefix, manifest_key, upload_key
from infra.uploads import Upload, Uploads
from tests.servers import wait_for

CARD = WorkerCard("w1", "host", 1, "cpu", queues=("image",), models=("test/fake",))
OLD = -1.0  # seconds: everything stored until now counts as old


@pytest.fixture
def queue(state: redis.Redis) -> JobQueue:
    return JobQueue(state, limits=Limits())


@pytest.fixture
def uploads(state: redis.Redis) -> Uploads:
    return Uploads(state, expires_seconds=1, owner_bytes=1000)


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

    assert would == done == Collected(jobs=1, objects=2)
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

    assert collect(queue, uploads, storage) == Collected(jobs=1, objects=2)
    assert [*storage.list()] == []


def test_an_upload_goes_when_its_life_is_over(queue: JobQueue, uploads: Uploads, storage: Storage) -> None:
    uploaded(uploads, storage)
    wait_for(lambda: uploads.due(queue), what="the expiry")

    assert collect(queue, uploads, storage) == Collected(uploads=1, objects=1)
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


class TestLeftovers:
    def test_attempts_without_a_result_are_removed(
        self, queue: JobQueue, storage: Storage, finished: Callable[[int], Job]
    ) -> None:
        job = finished(3600)
        result = [*storage.list()]
        storage.put(artifact_key("local", job.id, new_attempt_id(), "0.png"), b"lost", "image/png")
        storage.put(artifact_key("local", new_job_id(), new_attempt_id(), "0.png"), b"gone", "image/png")

        assert collect_leftovers(queue, storage, older_than_seconds=OLD, dry_run=True).leftovers == 2
        assert collect_leftovers(queue, storage, older_than_seconds=OLD).leftovers == 2
        assert sorted(storage.list()) == sorted(result)

    def test_young_ones_stay(self, queue: JobQueue, storage: Storage) -> None:
        storage.put(artifact_key("local", new_job_id(), new_attempt_id(), "0.png"), b"x", "image/png")

        assert collect_leftovers(queue, storage) == Collected()

    def test_those_of_a_job_that_still_runs_stay(self, queue: JobQueue, storage: Storage) -> None:
        job = new_job(3600)
        queue.enqueue([job])
        attempt_id = new_attempt_id()
        queue.claim(CARD, attempt_id)
        storage.put(artifact_key("local", job.id, attempt_id, "0.png"), b"x", "image/png")

        assert collect_leftovers(queue, storage, older_than_seconds=OLD) == Collected()

    def test_uploads_stay(self, queue: JobQueue, uploads: Uploads, storage: Storage) -> None:
        uploaded(uploads, storage)

        assert collect_leftovers(queue, storage, older_than_seconds=OLD) == Collected()


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
