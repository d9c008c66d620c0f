"""Fair shares over many simulated claims: device-seconds by weight, newcomers, priority; limits, threads."""

import heapq
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from threading import Barrier, Thread

import pytest

from infra.errors import OwnerLimit
from infra.jobs.answers import OwnerUsage
from infra.jobs.owners import OwnerSettings
from infra.jobs.record import Job
from tests.unit.jobs.conftest import CARD, Bench

WEIGHTS = {"ann": 1.0, "bob": 2.0, "cy": 4.0}
THREADS = 8


def jain(shares: Mapping[str, float]) -> float:
    """Jain's index of fairness (Jain, Chiu, Hawe 1984): 1 when all shares are equal, 1/n when one has all."""
    values = list(shares.values())
    return sum(values) ** 2 / (len(values) * sum(value**2 for value in values))


def served(bench: Bench, seconds: float, workers: int) -> list[Job]:
    """What is claimed while `workers` run jobs as long as they cost, for so many simulated seconds."""
    claimed: list[Job] = []
    free = [(0.0, worker) for worker in range(workers)]
    running: dict[int, Job] = {}
    while free[0][0] < seconds:
        now, worker = heapq.heappop(free)
        if worker in running:
            bench.commit(running.pop(worker))
        job = bench.claim(replace(CARD, id=f"w{worker}"))
        assert job is not None, "somebody's jobs ran out"
        running[worker] = job
        claimed.append(job)
        heapq.heappush(free, (now + job.cost, worker))
    return claimed


def fill(bench: Bench, owner: str, costs: list[float]) -> None:
    for start in range(0, len(costs), 50):
        bench.queue.enqueue([bench.new(owner, cost=cost) for cost in costs[start : start + 50]])


@pytest.mark.parametrize("workers", [1, 4])
def test_device_seconds_go_by_weight_whatever_the_jobs_cost(bench: Bench, workers: int) -> None:
    # Given owners of weight 1, 2 and 4 with more work than can be done, in jobs of 1 to 10 device-seconds
    chance = random.Random(7)
    for owner, weight in WEIGHTS.items():
        bench.owners.change(owner, OwnerSettings(weight=weight))
        fill(bench, owner, [chance.uniform(1, 10) for _ in range(150)])

    # When workers are busy for 700 device-seconds
    jobs = served(bench, 700 / workers, workers)

    # Then each has got device-seconds by its weight
    costs = Counter[str]()
    for job in jobs:
        costs[job.owner] += job.cost
    index = jain({owner: costs[owner] / weight for owner, weight in WEIGHTS.items()})
    assert index >= 0.99, dict(costs)
    assert costs["cy"] / costs["ann"] == pytest.approx(4, rel=0.2)


@pytest.mark.parametrize("workers", [1, 3])
def test_a_thousand_jobs_of_another_delay_a_newcomer_by_a_job_a_worker(bench: Bench, workers: int) -> None:
    # Given an owner with 1,000 queued jobs, of whom every worker runs one
    fill(bench, "ann", [1.0] * 1000)
    for worker in range(workers):
        assert bench.claim(replace(CARD, id=f"w{worker}")) is not None

    # When somebody else submits a single job
    newcomer = bench.add("bob")

    # Then it is among the next jobs that the workers take, one each at most before it
    order = [job.id for job in served(bench, 2.0, workers)]
    assert newcomer.id in order
    assert order.index(newcomer.id) < workers


def test_a_high_priority_takes_nothing_from_others(bench: Bench) -> None:
    # Given two owners with work, one of whom calls all of its work urgent
    for _ in range(20):
        bench.add("ann", priority="high")
        bench.add("bob", priority="low")
    last = bench.add("bob", priority="high")

    # Then both get their half, and the urgent job of the other one is the first of its own
    jobs = served(bench, 10.0, 1)
    assert Counter(job.owner for job in jobs) == {"ann": 5, "bob": 5}
    assert next(job.id for job in jobs if job.owner == "bob") == last.id


def test_a_new_weight_counts_for_jobs_that_wait(bench: Bench) -> None:
    fill(bench, "ann", [1.0] * 40)
    fill(bench, "bob", [1.0] * 40)
    assert Counter(job.owner for job in served(bench, 10.0, 1)) == {"ann": 5, "bob": 5}

    bench.owners.change("bob", OwnerSettings(weight=4.0))
    assert Counter(job.owner for job in served(bench, 20.0, 1)) == {"ann": 4, "bob": 16}

    bench.owners.change("bob", OwnerSettings(weight=None))
    assert Counter(job.owner for job in served(bench, 10.0, 1)) == {"ann": 5, "bob": 5}


def test_a_job_that_is_given_back_is_refunded_what_it_was_charged(bench: Bench) -> None:
    # Given a job that was charged by weight 2, when its owner's weight has changed since
    bench.owners.change("ann", OwnerSettings(weight=2.0))
    job = bench.start(cost=8.0)
    charged = bench.state.zscore("atl:{g0}:fair:owner:image:idle", "ann")
    bench.owners.change("ann", OwnerSettings(weight=0.5))

    bench.queue.requeue(job.id, job.attempt_id or "", "released")  # type: ignore[arg-type]

    assert (charged, bench.state.zscore("atl:{g0}:fair:owner:image:active", "ann")) == (4.0, 0.0)
    assert bench.queue.get(job.id).weight == 2.0


def together(act: object, times: int) -> Counter[str]:
    """What came of calling `act` in threads that begin at the same moment, `times` each."""
    outcomes: list[str] = []
    begin = Barrier(THREADS)

    def run(number: int) -> None:
        begin.wait(10)
        for _ in range(times):
            outcomes.append(act(number))  # type: ignore[operator]

    threads = [Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(outcomes) == THREADS * times
    return Counter(outcomes)


def test_limits_hold_exactly_when_many_enqueue_at_once(bench: Bench) -> None:
    # Given one owner with the limit of everybody, and one with its own
    bench = bench.limited(max_queued_per_owner=37)
    bench.owners.change("bob", OwnerSettings(max_queued=5))

    def enqueue(number: int) -> str:
        owner = "bob" if number % 2 else "ann"
        try:
            bench.queue.enqueue([bench.new(owner) for _ in range(1 + number // 2 % 2)])
        except OwnerLimit:
            return f"{owner} refused"
        return owner

    together(enqueue, 20)

    assert bench.queue.owner_usage("ann").queued == 37
    assert bench.queue.owner_usage("bob").queued == 5


def test_running_limits_hold_exactly_when_many_claim_at_once(bench: Bench) -> None:
    bench = bench.limited(max_running_per_owner=3)
    bench.owners.change("bob", OwnerSettings(max_running=6))
    fill(bench, "ann", [1.0] * 30)
    fill(bench, "bob", [1.0] * 30)

    def claim(number: int) -> str:
        job = bench.claim(replace(CARD, id=f"w{number}"))
        return job.owner if job else "nobody"

    assert together(claim, 4) == {"ann": 3, "bob": 6, "nobody": THREADS * 4 - 9}
    assert bench.queue.owner_usage("ann") == OwnerUsage(queued=27, running=3)


def test_the_rate_holds_exactly_when_many_enqueue_at_once(bench: Bench) -> None:
    # Given 20 tokens, and another one in an hour
    bench.owners.change("ann", OwnerSettings(rate=1 / 3600, burst=20))

    def enqueue(number: int) -> str:
        try:
            bench.queue.enqueue([bench.new() for _ in range(1 + number % 2)])
        except OwnerLimit as error:
            return type(error).__name__
        return "accepted"

    outcomes = together(enqueue, 10)

    assert bench.queue.owner_usage("ann").queued == 20
    assert set(outcomes) == {"accepted", "TooFast"}
