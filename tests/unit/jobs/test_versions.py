"""Records of older and newer code, side by side."""

import json
from dataclasses import asdict
from pathlib import Path

from infra.archive import Archive
from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.jobs.record import SCHEMA, Job, JobError, Status
from infra.jobs.scripts import PREFIX
from infra.storage.folder import FolderStorage
from tests.unit.jobs.conftest import CARD, RESULT, Bench


def add_of_schema(bench: Bench, schema: int, owner: str = "ann") -> Job:
    job = bench.add(owner)
    bench.state.hset(f"{PREFIX}j:{job.id}", "schema", schema)
    return job


def test_a_record_of_the_schema_before_is_carried_out(bench: Bench) -> None:
    job = add_of_schema(bench, SCHEMA - 1)
    bench.state.hdel(f"{PREFIX}j:{job.id}", "webhook", "seed_chosen")

    claimed = bench.claim()

    assert claimed is not None
    assert (claimed.id, claimed.schema, claimed.webhook) == (job.id, SCHEMA - 1, None)
    assert not claimed.seed_chosen  # it might have been given


def test_a_record_says_whether_its_seed_was_chosen(bench: Bench) -> None:
    for chosen in (True, False):
        job = bench.finish(seed_chosen=chosen)

        assert job.seed_chosen is chosen
        assert bench.queue.retry(job.id, "ann").seed_chosen is chosen
        assert bench.claim() is not None


def test_a_record_of_newer_code_is_left_to_newer_workers(bench: Bench) -> None:
    newer = add_of_schema(bench, SCHEMA + 1)

    assert bench.claim() is None
    job = bench.queue.get(newer.id)
    assert (job.status, job.fails, job.attempts) == (Status.QUEUED, 0, ())


def test_newer_records_hold_nobody_up(bench: Bench) -> None:
    """Neither the owner's own older records, nor those of owners who come later."""
    for _ in range(5):
        add_of_schema(bench, SCHEMA + 1)
    own = add_of_schema(bench, SCHEMA)
    for owner in ("bob", "cy"):
        add_of_schema(bench, SCHEMA + 1, owner)
    other = add_of_schema(bench, SCHEMA, "dee")

    claimed = [bench.claim() for _ in range(3)]

    assert {job.id for job in claimed if job} == {own.id, other.id}
    assert claimed[2] is None


def test_fields_that_newer_code_has_added_are_left_alone(bench: Bench) -> None:
    job = bench.finish()
    newer = {"invented_later": 1}
    error = JobError("oom", "Out of memory.")
    bench.state.hset(
        f"{PREFIX}j:{job.id}",
        mapping={
            "invented_later": "1",
            "artifacts": json.dumps([asdict(RESULT) | newer]),
            "error": json.dumps(asdict(error) | newer),
        },
    )
    bench.state.hset(f"{PREFIX}w:{CARD.id}", "card", json.dumps(asdict(CARD) | newer))

    read = bench.queue.get(job.id)

    assert (read.artifacts, read.error) == ((RESULT,), error)
    assert [worker.card for worker in bench.queue.workers()] == [CARD]


def test_records_of_schema_1_are_not_archived(bench: Bench) -> None:
    """A collector of release 1 would take the files of an archived job for leftovers."""
    jobs = [add_of_schema(bench, schema) for schema in (1, SCHEMA)]
    for _ in jobs:
        claimed = bench.claim()
        assert claimed is not None
        bench.commit(claimed)

    assert bench.state.zrange(f"{PREFIX}finished", 0, -1) == [jobs[1].id]


def test_what_older_code_has_removed_stops_no_archiving(bench: Bench, tmp_path: Path) -> None:
    """Its `forget` knows nothing of `finished`."""
    queue = JobQueue(bench.state, limits=Limits(), archive=Archive(FolderStorage(tmp_path)))
    removed, kept = bench.finish(), bench.finish()
    bench.state.delete(f"{PREFIX}j:{removed.id}")
    bench.wait(2)

    assert queue.archive(1, limit=1) == 0
    assert queue.archive(1, limit=1) == 1
    assert queue.get(kept.id, kept.owner).id == kept.id
