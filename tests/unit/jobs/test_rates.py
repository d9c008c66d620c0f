"""How fast an owner may submit, to the job: the bucket of tokens in `enqueue`."""

import pytest

from infra.errors import OwnerLimit, TooFast, TooManyAtOnce
from infra.jobs.owners import Owners, OwnerSettings
from infra.jobs.record import Idempotency
from infra.jobs.scripts import PREFIX
from tests.unit.jobs.conftest import Bench

SLOW = OwnerSettings(rate=0.1, burst=4)
"""Four at once, then one each 10 s; real time that passes in a test does not matter to that."""


def add(bench: Bench, count: int, owner: str = "ann") -> None:
    bench.queue.enqueue([bench.new(owner) for _ in range(count)])


def seconds_to_wait(bench: Bench, count: int) -> int:
    with pytest.raises(TooFast) as refused:
        add(bench, count)
    assert isinstance(refused.value, OwnerLimit)
    return refused.value.retry_after


def nearly(seconds: int) -> range:
    """The wait that is left, as the test itself takes some of it."""
    return range(seconds - 3, seconds + 1)


def test_the_wait_is_exact_and_each_job_of_a_list_counts(bench: Bench) -> None:
    bench.owners.change("ann", SLOW)
    add(bench, 3)

    # One token is left: two jobs have to wait for one, four for three
    assert seconds_to_wait(bench, 2) in nearly(10)
    assert seconds_to_wait(bench, 4) in nearly(30)
    add(bench, 1)

    # And at that time, not before, they are accepted
    wait = seconds_to_wait(bench, 2)
    assert wait in nearly(20)
    bench.wait(wait - 5)
    assert seconds_to_wait(bench, 2) in nearly(5)
    bench.wait(5)
    add(bench, 2)
    assert seconds_to_wait(bench, 1) in nearly(10)


def test_a_bucket_holds_no_more_than_the_burst(bench: Bench) -> None:
    bench.owners.change("ann", SLOW)
    add(bench, 4)
    bench.wait(3600)

    add(bench, 4)
    assert seconds_to_wait(bench, 1) in nearly(10)


def test_a_refused_request_takes_nothing(bench: Bench) -> None:
    bench = bench.limited(max_queued_per_owner=5)
    bench.owners.change("ann", SLOW)
    bench.owners.change("bob", SLOW)
    add(bench, 2)
    bucket = bench.state.get(f"{PREFIX}bucket:ann")

    for _ in range(3):
        seconds_to_wait(bench, 3)
    bench.owners.change("ann", OwnerSettings(rate=None))
    with pytest.raises(OwnerLimit, match="2 jobs queued, of 5"):
        add(bench, 4)
    bench.owners.change("ann", SLOW)

    assert bench.state.get(f"{PREFIX}bucket:ann") == bucket
    add(bench, 2)


def test_a_repeated_request_takes_nothing(bench: Bench) -> None:
    bench.owners.change("ann", SLOW)
    key, jobs = Idempotency("key", "print"), [bench.new() for _ in range(3)]
    bench.queue.enqueue(jobs, key)

    # Said again by the client, with new ids, and by the connection, with the same ones
    assert bench.queue.enqueue([bench.new() for _ in range(3)], key).replayed
    bench.queue.enqueue(jobs)

    add(bench, 1)
    seconds_to_wait(bench, 1)


def test_a_list_longer_than_the_burst_is_told_so(bench: Bench) -> None:
    bench.owners.change("ann", SLOW)

    with pytest.raises(TooManyAtOnce, match="4 jobs at once"):
        add(bench, 5)
    add(bench, 4)


def test_everybody_has_the_deployments_rate(bench: Bench) -> None:
    bench = bench.limited(submit_rate_per_owner=0.1, submit_burst_per_owner=2)
    bench.owners.change("cy", OwnerSettings(rate=0))

    add(bench, 2)
    assert seconds_to_wait(bench, 1) in nearly(10)
    add(bench, 2, "bob")
    for _ in range(10):
        add(bench, 2, "cy")


def test_a_raised_rate_counts_at_once(bench: Bench) -> None:
    bench.owners.change("ann", OwnerSettings(rate=0.0001, burst=4))
    add(bench, 4)
    assert seconds_to_wait(bench, 1) in nearly(10_000)

    bench.owners.change("ann", OwnerSettings(rate=0.1))
    assert seconds_to_wait(bench, 1) in nearly(10)


def test_a_clock_that_was_set_back_locks_nobody_out(bench: Bench) -> None:
    bench.owners.change("ann", SLOW)
    add(bench, 4)
    bench.state.set(f"{PREFIX}skew", -3_600_000)

    assert seconds_to_wait(bench, 1) in nearly(10)


def test_settings_are_changed_one_by_one_and_taken_back(bench: Bench) -> None:
    owners: Owners = bench.owners
    assert owners.get("ann") == OwnerSettings()

    owners.change("ann", OwnerSettings(weight=2.5, max_queued=7))
    assert owners.change("ann", OwnerSettings(rate=0.5)) == OwnerSettings(weight=2.5, max_queued=7, rate=0.5)
    assert owners.get("ann").over(owners.common).max_queued == 7
    assert owners.get("ann").over(owners.common).burst == bench.limits.submit_burst_per_owner
    owners.change("bob", OwnerSettings(max_running=0))
    assert list(owners.all()) == ["ann", "bob"]

    owners.change("ann", OwnerSettings(weight=None, max_queued=None, rate=None))
    assert owners.all() == {"bob": OwnerSettings(max_running=0)}


def test_a_raised_running_limit_wakes_a_worker(bench: Bench) -> None:
    # Given an owner at its running limit, and an idle worker
    bench.owners.change("ann", OwnerSettings(max_running=1))
    first, second = bench.add(), bench.add()
    assert bench.claim() is not None
    assert bench.claim() is None
    bench.rings.clear()

    # Then a limit that is as low wakes nobody, and a higher one does
    bench.owners.change("ann", OwnerSettings(weight=2.0))
    assert bench.rings == []
    bench.owners.change("ann", OwnerSettings(max_running=2))
    assert bench.rings == [("image", second.id)]
    assert (bench.claim() or first).id == second.id
