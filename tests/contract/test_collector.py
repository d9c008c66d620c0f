"""The collector removes what is over, objects first, and nothing that anybody may still read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from structlog.testing import capture_logs

from infra.archive import Archive
from infra.collector import Collected, Collector, archive, collect, usage_bytes
from infra.errors import JobNotFound, StorageRefused, StorageUnavailable
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


@dataclass
class House:
    """Jobs and uploads on one state server and one storage."""

    state: redis.Redis
    storage: Storage

    def __post_init__(self) -> None:
        self.queue = self.queue_with(Archive(self.storage))
        self.uploads = Uploads(self.state, expires_seconds=1, owner_bytes=1000)

    def queue_with(self, archive: Archive) -> JobQueue:
        return JobQueue(self.state, limits=Limits(), archive=archive)

    def collect(self, **how: Any) -> Collected:
        return collect(self.queue, self.uploads, self.storage, **how)

    def archive(self, queue: JobQueue | None = None) -> int:
        """Those that ended a minute ago."""
        return archive(queue or self.queue, older_than_seconds=60)

    def search(self, **how: Any) -> Found:
        how = {"older_than_seconds": OLD} | how
        return search(self.queue, self.uploads, self.storage, **how)

    def later(self, seconds: float) -> None:
        """Put the clock of jobs forward."""
        self.state.incrby(f"{PREFIX}skew", int(seconds * 1000))

    def finished(self, expires_in_seconds: int = 3600) -> Job:
        """A job that has succeeded with one artifact."""
        self.queue.enqueue([new_job(expires_in_seconds)])
        attempt_id = new_attempt_id()
        job = self.queue.claim(CARD, attempt_id)
        assert job is not None
        manifest = manifest_key(job.owner, job.id, attempt_id)
        self.storage.put(artifact_key(job.owner, job.id, attempt_id, "0.png"), b"picture", "image/png")
        self.storage.put(manifest, b"{}", "application/json")
        assert self.queue.commit(job.id, attempt_id, manifest, "0" * 64, []) == Committed.OK
        return self.queue.get(job.id)

    def uploaded(self) -> Upload:
        upload = self.uploads.reserve(
            "local", filename="a.png", media_type="image/png", size=3, sha256="0" * 64, width=1, height=1
        )
        self.storage.put(upload_key("local", upload.id), b"abc", "image/png")
        return self.uploads.complete(upload)

    def has_expired(self) -> bool:
        return bool(self.queue.expired(10))


@pytest.fixture
def house(state: redis.Redis, storage: Storage) -> House:
    return House(state, storage)


def test_an_expired_job_goes_with_its_objects(house: House) -> None:
    over, fresh = house.finished(1), house.finished()
    wait_for(house.has_expired, what="the expiry")

    would = house.collect(dry_run=True)
    done = house.collect()

    assert would == done == Collected(jobs=Tally(1, len("picture{}")))
    with pytest.raises(JobNotFound):
        house.queue.get(over.id)
    assert house.queue.get(fresh.id).status is Status.SUCCEEDED
    assert sorted(house.storage.list()) == sorted(house.storage.list(job_prefix("local", fresh.id)))
    assert house.collect() == Collected()


def test_a_deleted_job_goes_at_once(house: House) -> None:
    job = house.finished()
    house.queue.delete(job.id, "local")

    assert house.collect().jobs.count == 1
    assert [*house.storage.list()] == []


def test_an_upload_goes_when_its_life_is_over(house: House) -> None:
    house.uploaded()
    wait_for(lambda: house.uploads.due(house.queue), what="the expiry")

    assert house.collect() == Collected(uploads=Tally(1, 3))
    assert [*house.storage.list()] == []
    assert house.collect() == Collected()


def test_an_upload_stays_while_a_job_refers_to_it(house: House) -> None:
    upload = house.uploaded()
    job = new_job(3600)
    house.uploads.refer(upload.id, [job.id])
    house.queue.enqueue([job])

    assert house.collect() == Collected()
    assert [*house.storage.list()] == [upload_key("local", upload.id)]


def test_the_record_stays_until_the_objects_are_gone(house: House) -> None:
    job = house.finished(1)
    wait_for(house.has_expired, what="the expiry")
    nowhere = open_storage(Settings(storage_url="s3+http://a:b@127.0.0.1:1/bucket"))

    with pytest.raises(StorageUnavailable):
        collect(house.queue, house.uploads, nowhere)

    assert house.queue.get(job.id).id == job.id


def test_a_job_that_cannot_be_removed_holds_up_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked, others = house.finished(1), [house.finished(1) for _ in range(3)]
    wait_for(lambda: len(house.queue.expired(10)) == 4, what="the expiry")
    delete_prefix = house.storage.delete_prefix

    def refuse(prefix: str) -> Tally:
        if locked.id in prefix:
            raise StorageRefused("object lock")
        return delete_prefix(prefix)

    monkeypatch.setattr(house.storage, "delete_prefix", refuse)
    monkeypatch.setattr("infra.collector.BATCH", 1)
    assert house.collect().jobs.count == len(others)
    assert house.queue.get(locked.id).id == locked.id
    monkeypatch.undo()
    assert house.collect().jobs.count == 1


def test_a_job_of_which_a_collector_died_in_between_is_finished_by_the_next(house: House) -> None:
    job = house.finished(1)
    wait_for(house.has_expired, what="the expiry")
    house.storage.delete_prefix(job_prefix("local", job.id))

    assert house.collect() == Collected(jobs=Tally(1, 0))


class TestArchive:
    """What an archived job is to its owner: test_archive.py."""

    def test_old_records_move(self, house: House) -> None:
        old = house.finished()
        house.later(61)
        young = house.finished()

        assert house.archive() == 1
        assert [*Archive(house.storage).list()] == [("local", old.id)]
        assert house.queue.get(young.id).id == young.id
        with pytest.raises(JobNotFound):
            house.queue.get(old.id)  # the state server alone
        assert house.queue.get(old.id, "local") == old
        assert house.archive() == 0

    def test_goes_when_its_life_is_over(self, house: House) -> None:
        house.finished(100)
        house.later(61)
        assert house.archive() == 1
        assert house.collect() == Collected()
        house.later(60)

        would = house.collect(dry_run=True)
        assert house.collect() == would
        assert would.archived.count == 1
        assert [*house.storage.list()] == []
        left = {key.removeprefix(PREFIX) for key in house.state.keys(f"{PREFIX}*")}
        assert not {
            name for name in left if name.startswith(("j:", "jobs:", "archived", "expiring", "finished"))
        }

    def test_nothing_is_lost_when_the_storage_is_away(self, house: House) -> None:
        job = house.finished()
        house.later(61)
        nowhere = open_storage(Settings(storage_url="s3+http://a:b@127.0.0.1:1/bucket"))
        lonely = house.queue_with(Archive(nowhere))

        with pytest.raises(StorageUnavailable):
            house.archive(lonely)
        assert lonely.get(job.id, "local") == job

    def test_a_record_that_changed_meanwhile_is_written_again(self, house: House) -> None:
        job = house.finished()
        house.later(61)

        class Slow(Archive):
            def put(self, record: Mapping[str, str]) -> None:
                super().put(record)
                house.state.hincrby(f"{PREFIX}j:{job.id}", "version", 1)  # as a retry of the job does

        slow = house.queue_with(Slow(house.storage))
        assert house.archive(slow) == 0
        assert house.archive() == 1
        assert house.queue.get(job.id, "local").version == job.version + 1

    def test_one_that_is_deleted_meanwhile_does_not_come_back(self, house: House) -> None:
        job = house.finished()
        house.later(61)

        class Slow(Archive):
            def put(self, record: Mapping[str, str]) -> None:
                house.queue.delete(job.id, "local")
                house.storage.delete_prefix(job_prefix("local", job.id))
                house.queue.forget(job.id)
                super().put(record)

        slow = house.queue_with(Slow(house.storage))
        assert house.archive(slow) == 0
        assert [*house.storage.list()] == []


class TestSearch:
    def test_attempts_without_a_result_and_orphans_are_removed(self, house: House) -> None:
        job = house.finished()
        result = [*house.storage.list()]
        house.storage.put(artifact_key("local", job.id, new_attempt_id(), "0.png"), b"lost", "image/png")
        house.storage.put(
            artifact_key("local", new_job_id(), new_attempt_id(), "0.png"), b"gone!", "image/png"
        )
        house.storage.put(upload_key("local", "upl_unknown"), b"x", "image/png")

        would = house.search(dry_run=True)
        assert would == Found(attempts=Tally(1, 4), orphans=Tally(2, 6))
        assert house.search() == would
        assert sorted(house.storage.list()) == sorted(result)

    def test_young_ones_stay(self, house: House) -> None:
        house.storage.put(artifact_key("local", new_job_id(), new_attempt_id(), "0.png"), b"x", "image/png")

        assert house.search(older_than_seconds=86400) == Found()

    def test_those_of_a_job_that_still_runs_stay(self, house: House) -> None:
        job = new_job(3600)
        house.queue.enqueue([job])
        attempt_id = new_attempt_id()
        house.queue.claim(CARD, attempt_id)
        house.storage.put(artifact_key("local", job.id, attempt_id, "0.png"), b"x", "image/png")

        assert house.search() == Found()

    def test_uploads_stay(self, house: House) -> None:
        house.uploaded()

        assert house.search() == Found()

    def test_what_a_job_json_names_stays_though_the_state_server_lost_it(self, house: House) -> None:
        job = house.finished(100)
        house.storage.put(artifact_key("local", job.id, new_attempt_id(), "0.png"), b"lost", "image/png")
        house.later(61)
        house.archive()
        kept = [*house.storage.list(f"local/{job.id}/{job.attempt_id}/"), record_key("local", job.id)]
        house.state.flushall()

        assert house.queue.get(job.id, "local") == job
        assert house.search() == Found(attempts=Tally(1, 4), adopted=1)
        assert sorted(house.storage.list()) == sorted(kept)
        assert house.queue.list("local").jobs == (job,)
        newer = house.queue.enqueue([new_job(3600)]).jobs[0]
        assert [each.id for each in house.queue.list("local").jobs] == [newer.id, job.id]
        house.later(200)
        assert house.collect().archived.count == 1
        assert [*house.storage.list()] == []

    def test_a_job_json_that_cannot_be_read_protects_all_beside_it(self, house: House) -> None:
        job = house.finished()
        house.storage.put(record_key("local", job.id), b'{"format": 999}', "application/json")
        house.state.flushall()
        before = sorted(house.storage.list())

        assert house.search() == Found()
        assert sorted(house.storage.list()) == before
        with pytest.raises(JobNotFound):
            house.queue.get(job.id, "local")

    def test_a_state_server_that_knows_hardly_any_upload_lets_all_stay(self, house: House) -> None:
        for _ in range(FEW + 1):
            house.uploaded()
        house.state.flushall()

        assert house.search() == Found(strangers=FEW + 1)
        assert len([*house.storage.list()]) == FEW + 1
        assert house.search(strangers_too=True).orphans.count == FEW + 1

    def test_a_state_server_that_knows_hardly_any_job_lets_all_stay(self, house: House) -> None:
        for _ in range(FEW + 1):
            house.finished()
        house.state.flushall()
        before = sorted(house.storage.list())

        found = house.search()
        assert found == Found(strangers=2 * (FEW + 1))
        assert sorted(house.storage.list()) == before
        found = house.search(strangers_too=True)
        assert found.orphans.count == 2 * (FEW + 1)
        assert [*house.storage.list()] == []


class TestThread:
    @pytest.fixture
    def collector(self, house: House, monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
        """One that looks all the time."""
        monkeypatch.setattr("infra.collector.COLLECT_EVERY_SECONDS", 0.02)
        monkeypatch.setattr("infra.collector.SEARCH_EVERY_SECONDS", -1.0)
        collector = Collector(house.queue, house.uploads, house.storage, records_keep_seconds=60)
        yield collector
        collector.stop()

    def test_collects_and_archives(self, house: House, collector: Collector) -> None:
        over, old = house.finished(30), house.finished()
        house.later(61)
        collector.start()

        wait_for(lambda: [*Archive(house.storage).list()] == [("local", old.id)], what="the archive")
        wait_for(lambda: not [*house.storage.list(job_prefix("local", over.id))], what="the collection")

    def test_a_broken_record_does_not_end_it(self, house: House, collector: Collector) -> None:
        broken = house.finished()
        house.state.hdel(f"{PREFIX}j:{broken.id}", "id")
        over = house.finished(100)
        house.later(61)
        with capture_logs() as logs:
            collector.start()
            wait_for(lambda: "collector.broken" in [each["action"] for each in logs], what="the failure")
        house.later(60)

        wait_for(lambda: not [*house.storage.list(job_prefix("local", over.id))], what="the collection")


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


def test_a_deleted_job_is_not_brought_back_by_a_slow_archiving(house: House) -> None:
    # Given a collector that has read a record, and is slow to write it
    job = house.finished()
    house.later(120)

    class Slow(Archive):
        def put(self, record: Mapping[str, str]) -> None:
            """Meanwhile another collector archives the job, and its owner deletes it with its objects."""
            assert house.archive() == 1
            house.queue.delete(job.id, job.owner)
            house.storage.delete_prefix(job_prefix(job.owner, job.id))
            super().put(record)

    # When it goes on, before what is known of the job is removed
    house.archive(house.queue_with(Slow(house.storage)))
    house.queue.forget(job.id)

    # Then nothing is left from which the job could be indexed again
    assert not list(house.storage.list(job_prefix(job.owner, job.id)))
    assert house.search().adopted == 0
