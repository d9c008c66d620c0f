"""Jobs that share a run: which are claimed together, and what each keeps for itself."""

from collections import Counter
from dataclasses import replace

import pytest

from infra.errors import WorkerPaused
from infra.jobs.operator import What
from infra.jobs.record import Job, Outcome, Status, new_attempt_id
from tests.unit.jobs.conftest import CARD, Bench

BATCHING = replace(CARD, batches={"plain": 8, "other": 2})
LIKE = {"batch": "64x64"}


def claim(bench: Bench, **how: object) -> tuple[Job, ...]:
    return bench.queue.claim_batch(BATCHING, new_attempt_id(), **how)


def add(bench: Bench, count: int, owner: str = "ann", **given: object) -> list[Job]:
    return [bench.add(owner, **{**LIKE, **given}) for _ in range(count)]


@pytest.mark.parametrize(("waiting", "sizes"), [(1, [1]), (3, [2, 1]), (7, [4, 2, 1]), (13, [8, 4, 1])])
def test_runs_are_the_largest_full_buckets(bench: Bench, waiting: int, sizes: list[int]) -> None:
    added = add(bench, waiting)

    runs = [claim(bench) for _ in sizes]
    assert [len(run) for run in runs] == sizes
    assert [job.id for run in runs for job in run] == [job.id for job in added]
    assert claim(bench) == ()


def test_each_has_a_lease_and_an_attempt_of_its_own(bench: Bench) -> None:
    add(bench, 4)
    first, second, third, fourth = claim(bench)
    assert len({job.attempt_id for job in (first, second, third, fourth)}) == 4

    bench.commit(first)
    bench.queue.cancel(second.id, "ann")
    bench.queue.requeue(second.id, str(second.attempt_id), Outcome.CANCELLED)
    bench.queue.requeue(third.id, str(third.attempt_id), Outcome.RELEASED)

    found = [bench.queue.get(job.id).status for job in (first, second, third, fourth)]
    assert found == [Status.SUCCEEDED, Status.CANCELLED, Status.QUEUED, Status.RUNNING]


def test_a_claim_said_again_gives_the_same_jobs(bench: Bench) -> None:
    add(bench, 5)
    attempt_id = new_attempt_id()
    jobs = bench.queue.claim_batch(BATCHING, attempt_id)
    bench.commit(jobs[1])

    again = bench.queue.claim_batch(BATCHING, attempt_id)
    assert [job.id for job in again] == [jobs[0].id, jobs[2].id, jobs[3].id]


def test_only_what_is_alike_shares_a_run(bench: Bench) -> None:
    add(bench, 1)
    add(bench, 1, batch="128x128")
    add(bench, 1, batch="")
    add(bench, 1, model="other")

    assert [len(claim(bench)) for _ in range(4)] == [1, 1, 1, 1]


def test_a_job_of_several_outputs_takes_as_many_rows(bench: Bench) -> None:
    add(bench, 1, rows=3)
    add(bench, 4, rows=1)

    assert [[job.rows for job in claim(bench)] for _ in range(3)] == [[3, 1], [1, 1], [1]]


def test_rows_fill_a_bucket_or_the_job_runs_alone(bench: Bench) -> None:
    add(bench, 1, rows=3)
    add(bench, 1, rows=2)
    add(bench, 1, rows=1)

    assert [[job.rows for job in claim(bench)] for _ in range(3)] == [[3], [2], [1]]


def test_a_model_takes_no_more_rows_than_it_can(bench: Bench) -> None:
    add(bench, 5, model="other")

    assert [len(claim(bench)) for _ in range(3)] == [2, 2, 1]


def test_a_job_that_has_crashed_runs_alone(bench: Bench) -> None:
    add(bench, 2)
    first, second = claim(bench)
    for job in (first, second):
        bench.queue.requeue(job.id, str(job.attempt_id), Outcome.CRASHED)
    add(bench, 2)

    runs = [claim(bench) for _ in range(3)]
    assert Counter(len(run) for run in runs) == {1: 2, 2: 1}
    assert all(not job.crashes for run in runs if len(run) > 1 for job in run)


def test_owners_take_turns_within_a_run(bench: Bench) -> None:
    add(bench, 20, "ann")
    add(bench, 20, "bob")

    assert Counter(job.owner for job in claim(bench)) == {"ann": 4, "bob": 4}


def test_riders_are_paid_for(bench: Bench) -> None:
    """Who had seven of eight places of a run waits until the other has had as much."""
    add(bench, 7, "ann")
    add(bench, 1, "bob")
    assert Counter(job.owner for job in claim(bench)) == {"ann": 7, "bob": 1}

    for _ in range(8):
        bench.add("ann", batch="")
        bench.add("bob", batch="")
    assert Counter(job.owner for _ in range(6) for job in claim(bench)) == {"bob": 6}


def test_a_running_limit_holds_within_a_run(bench: Bench) -> None:
    limited = bench.limited(max_running_per_owner=3)
    add(limited, 6, "ann")
    add(limited, 1, "bob")

    assert Counter(job.owner for job in claim(limited)) == {"ann": 3, "bob": 1}
    assert claim(limited) == ()


def test_priority_decides_who_rides_along(bench: Bench) -> None:
    add(bench, 2, priority="low")
    high = add(bench, 2, priority="high")

    assert [job.id for job in bench.queue.claim_batch(replace(CARD, batches={"plain": 2}), "f" * 32)] == [
        job.id for job in high
    ]


def test_an_idle_worker_goes_before_one_that_claims_ahead(bench: Bench) -> None:
    idle = replace(BATCHING, id="w2")
    assert bench.queue.claim_batch(idle, new_attempt_id()) == ()  # parks
    (running,) = [bench.start(batch="")]
    add(bench, 1)
    bench.rings.clear()

    assert claim(bench, ahead=True, held=[running.id]) == ()


def test_who_claims_ahead_is_given_the_next_run_and_never_parked(bench: Bench) -> None:
    running = bench.start(batch="")
    add(bench, 2)

    assert len(claim(bench, ahead=True, held=[running.id])) == 2
    assert claim(bench, ahead=True, held=[running.id]) == ()
    (worker,) = bench.queue.workers()
    assert not worker.parked
    assert worker.jobs == (running.id,)


def test_jobs_join_a_run_while_it_is_their_turn(bench: Bench) -> None:
    bench.add(**LIKE)
    (first,) = claim(bench)
    joining = add(bench, 3)
    other = bench.add("bob", batch="")

    def join(rows: int) -> list[str]:
        jobs = bench.queue.claim_like(BATCHING, new_attempt_id(), first, rows, held=[first.id])
        return [job.id for job in jobs]

    # It is bob's turn: ann has run one already. His job is no rider, so nobody joins before he is served.
    assert join(7) == []
    assert [job.id for job in claim(bench)] == [other.id]
    assert join(2) == [job.id for job in joining[:2]]
    assert join(7) == [joining[2].id]


def test_a_paused_worker_is_given_no_riders(bench: Bench) -> None:
    bench.start(batch="")
    add(bench, 1)
    bench.operator.pause(What.WORKER, CARD.id, "admin")

    with pytest.raises(WorkerPaused):
        claim(bench, ahead=True)
