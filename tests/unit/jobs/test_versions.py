"""Records of older and newer code, side by side."""

from infra.jobs.record import SCHEMA, Job, Status
from infra.jobs.scripts import PREFIX
from tests.unit.jobs.conftest import Bench


def add_of_schema(bench: Bench, schema: int, owner: str = "ann") -> Job:
    job = bench.add(owner)
    bench.state.hset(f"{PREFIX}j:{job.id}", "schema", schema)
    return job


def test_a_record_of_the_schema_before_is_carried_out(bench: Bench) -> None:
    job = add_of_schema(bench, SCHEMA - 1)
    bench.state.hdel(f"{PREFIX}j:{job.id}", "webhook")

    claimed = bench.claim()

    assert claimed is not None
    assert (claimed.id, claimed.schema, claimed.webhook) == (job.id, SCHEMA - 1, None)


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
