"""Calls about many jobs, of one owner or of all, in pieces that end in time."""

import pytest

from infra.errors import OwnerLimit
from infra.jobs.answers import Filters
from infra.jobs.bulk import Bulk, Swept
from infra.jobs.record import Job, Status
from tests.unit.jobs.conftest import Bench

OWNERS = ("ann", "bob", "cy")


def hasty(bench: Bench) -> Bulk:
    """Each of its calls does the least that it can."""
    return Bulk(bench.state, bench.queue, seconds=0)


def test_jobs_of_all_owners_are_cancelled(bench: Bench) -> None:
    for owner in OWNERS:
        bench.add(owner)
        bench.add(owner, model="words", queue="text")

    assert bench.bulk.cancel(OWNERS, Filters(queue="text")) == Swept(3, None)
    assert bench.bulk.cancel(["bob"], Filters()) == Swept(1, None)
    assert bench.bulk.cancel(OWNERS, Filters()) == Swept(2, None)


def test_a_call_that_has_no_time_goes_on_at_its_cursor(bench: Bench) -> None:
    for owner in OWNERS:
        bench.queue.enqueue([bench.new(owner) for _ in range(120)])

    counts, cursor = [], None
    while True:
        swept = hasty(bench).cancel(OWNERS, Filters(), cursor)
        counts.append(swept.count)
        if (cursor := swept.next_cursor) is None:
            break
    assert counts == [100, 20, 100, 20, 100, 20, 0]
    assert {bench.queue.owner_usage(owner).queued for owner in OWNERS} == {0}


def test_failed_and_cancelled_jobs_of_all_owners_are_retried_once(bench: Bench) -> None:
    old = [bench.queue.cancel(bench.add(owner).id, owner) for owner in OWNERS]
    bench.finish()

    assert bench.bulk.retry(OWNERS, Filters()) == Swept(3, None)
    assert bench.bulk.retry(OWNERS, Filters(status=Status.CANCELLED)) == Swept(0, None)
    found = [bench.queue.get(bench.queue.get(job.id).retried_as or "") for job in old]
    assert [(job.retry_of, job.owner) for job in found] == [(job.id, job.owner) for job in old]


def test_retries_go_on_at_their_cursor(bench: Bench) -> None:
    for owner in OWNERS:
        bench.queue.cancel(bench.add(owner).id, owner)

    first = hasty(bench).retry(OWNERS, Filters())
    assert first.count == 1
    assert bench.bulk.retry(OWNERS, Filters(), first.next_cursor) == Swept(2, None)


def test_two_calls_at_once_make_one_repetition(bench: Bench) -> None:
    bench.queue.cancel(bench.add().id, "ann")

    def both(job: Job, new_id: str) -> bool:
        for _ in range(2):
            bench.queue.retry(job.id, "ann", new_id)
        return True

    assert bench.bulk.retry(["ann"], Filters(), repeat=both).count == 1
    assert bench.queue.owner_usage("ann").queued == 1


def test_a_job_that_cannot_be_repeated_is_left_out(bench: Bench) -> None:
    jobs = [bench.queue.cancel(bench.add().id, "ann") for _ in range(3)]
    bench.queue.delete(jobs[2].id, "ann")
    tried: list[str] = []

    def never(job: Job, new_id: str) -> bool:
        tried.append(job.id)
        return False

    assert bench.bulk.retry(["ann"], Filters(), repeat=never).count == 0
    assert tried == [job.id for job in jobs[:2]]


def test_an_owner_at_its_limit_does_not_stop_the_others(bench: Bench) -> None:
    for owner in ("ann", "bob"):
        for _ in range(2):
            bench.queue.cancel(bench.add(owner).id, owner)
    bench = bench.limited(max_queued_per_owner=1)

    assert bench.bulk.retry(OWNERS, Filters()).count == 2
    with pytest.raises(OwnerLimit):
        bench.bulk.retry(OWNERS, Filters())


def test_pages_have_the_jobs_of_all_owners_newest_first(bench: Bench) -> None:
    jobs = [bench.add(owner) for _ in range(2) for owner in OWNERS]
    deleted = bench.add("bob")
    bench.queue.delete(deleted.id, "bob")

    found: list[str] = []
    cursor = None
    while True:
        page = bench.bulk.page(OWNERS, Filters(), cursor, limit=4)
        found += [job.id for job in page.jobs]
        if (cursor := page.next_cursor) is None:
            break
    assert found == [job.id for job in reversed(jobs)]


def test_pages_are_filtered(bench: Bench) -> None:
    bench.add()
    wanted = bench.add("bob", model="words", queue="text")

    for filters in (Filters(queue="text"), Filters(model="words"), Filters(queue="text", model="words")):
        assert [job.id for job in bench.bulk.page(OWNERS, filters).jobs] == [wanted.id]
    assert bench.bulk.page(["ann"], Filters(queue="text")).jobs == ()
    assert bench.bulk.page(OWNERS, Filters(status=Status.FAILED)).jobs == ()


@pytest.mark.parametrize("cursor", ["", "x", "-1", "ann:x", "1" * 30])
def test_a_cursor_that_was_never_given_is_refused(bench: Bench, cursor: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        bench.bulk.page(OWNERS, Filters(), cursor)
    with pytest.raises(ValueError, match="cursor"):
        bench.bulk.cancel(OWNERS, Filters(), cursor)
