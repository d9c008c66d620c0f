"""When a queued job may start: estimates against simulated claims of known durations; when there are none."""

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from infra.jobs.answers import QueueStats, WorkerCard
from infra.jobs.operator import What
from infra.jobs.owners import OwnerSettings
from infra.jobs.record import Job
from tests.unit.jobs.conftest import CARD, Bench

SPEED = (
    0.5  # device-seconds of cost that a worker gets through in a second: costs are wrong by a factor of two
)
FACTOR = 1.25  # an estimate is at most this much too long or too short,
SLACK = 1.0  # give or take the duration of one job


@dataclass
class Shop:
    """Workers that take jobs as long as they cost / SPEED, on the clock that the bench moves."""

    bench: Bench
    cards: list[WorkerCard]
    now: float = 0.0
    busy: list[tuple[float, int]] = field(default_factory=list)
    running: dict[int, Job] = field(default_factory=dict)
    started: dict[str, float] = field(default_factory=dict)

    def take(self) -> None:
        """Whoever is free claims."""
        for number, card in enumerate(self.cards):
            if number not in self.running and (job := self.bench.claim(card)) is not None:
                self.running[number] = job
                self.started[job.id] = self.now
                heapq.heappush(self.busy, (self.now + job.cost / SPEED, number))

    def until(self, seconds: float) -> None:
        """Work until then."""
        self.take()
        while self.busy and self.busy[0][0] <= seconds:
            ends, number = heapq.heappop(self.busy)
            self._wait(ends - self.now)
            self.bench.commit(self.running.pop(number))
            self.take()
        self._wait(seconds - self.now)

    def _wait(self, seconds: float) -> None:
        if seconds > 0:
            self.bench.wait(seconds)
            self.now += seconds


@pytest.fixture
def patient(bench: Bench) -> Bench:
    """Nobody beats here, so leases live long."""
    return bench.limited(lease_seconds=100_000.0)


def estimate(bench: Bench, job: Job) -> float | None:
    standing = bench.queue.standing(job)
    assert standing is not None
    return standing.estimated_start_seconds


def image_stats(bench: Bench) -> QueueStats:
    return next(stats for stats in bench.queue.queue_stats() if stats.name == "image")


def errors(shop: Shop, jobs: list[Job]) -> list[tuple[float, float]]:
    """(estimate, what it was) of each job, in seconds from now, after all have started."""
    estimates = {job.id: estimate(shop.bench, job) for job in jobs}
    asked_at = shop.now
    while not all(job.id in shop.started for job in jobs):
        shop.until(shop.now + 5)
    return [(estimates[job.id] or 0.0, shop.started[job.id] - asked_at) for job in jobs]


def check(found: list[tuple[float, float]], longest: float) -> None:
    slack = SLACK * longest / SPEED
    for guess, real in found:
        assert real / FACTOR - slack <= guess <= real * FACTOR + slack, (guess, real)


Costs = Callable[[random.Random], float]
ALIKE: Costs = lambda chance: 2.0  # noqa: E731 - short, and it stands in a table
SPREAD: Costs = lambda chance: chance.choice([0.2, 1.0, 4.0])  # noqa: E731


@pytest.mark.parametrize(("costs", "longest"), [(ALIKE, 2.0), (SPREAD, 4.0)], ids=["alike", "spread"])
@pytest.mark.parametrize("workers", [1, 4])
def test_estimates_come_true(patient: Bench, costs: Costs, longest: float, workers: int) -> None:
    # Given three owners of different weight with work for a while, and workers that have done some of it
    chance = random.Random(3)
    for owner, weight in {"ann": 1.0, "bob": 2.0, "cy": 4.0}.items():
        patient.owners.change(owner, OwnerSettings(weight=weight))
        for _ in range(30):
            patient.add(owner, cost=costs(chance))
    shop = Shop(patient, [replace(CARD, id=f"w{number}") for number in range(workers)])
    shop.until(40.0 / workers + 1)

    # When we ask for some that wait, then they start about when it was said
    waiting = [
        job
        for owner in ("ann", "bob", "cy")
        for job in patient.queue.list(owner, status="queued", limit=100).jobs[::4]  # type: ignore[arg-type]
    ]
    assert len(waiting) >= 15
    found = errors(shop, waiting)
    check(found, longest)


def test_a_job_that_is_next_waits_for_the_rest_of_the_one_that_runs(patient: Bench) -> None:
    # Given a worker that has run a job of 10 s, and has run another one for 3 s, with one in line
    patient.add(cost=5.0)
    patient.add(cost=5.0)
    shop = Shop(patient, [CARD])
    shop.until(13.0)
    following = patient.add(cost=5.0)

    assert estimate(patient, following) == pytest.approx(7.0, abs=0.5)
    assert estimate(patient, patient.add(cost=5.0)) == pytest.approx(17.0, abs=0.5)


def test_a_worker_of_two_queues_gives_each_its_half(patient: Bench) -> None:
    # Given a worker that serves two queues, both of which have jobs of 2 s
    for _ in range(30):
        patient.add(cost=1.0)
        patient.add(queue="text", model="words", cost=1.0)
    shop = Shop(patient, [CARD])
    shop.until(21.0)

    waiting = list(patient.queue.list("ann", model="plain", status="queued", limit=50).jobs)[::6]  # type: ignore[arg-type]
    check(errors(shop, waiting), 1.0)


def test_jobs_that_share_a_run_share_its_time(patient: Bench) -> None:
    # Given a worker that runs four jobs at once, in 8 s
    jobs = [patient.add(cost=1.0) for _ in range(4)]
    claimed = [patient.claim() for _ in jobs]
    patient.wait(8)
    for job in claimed:
        assert job is not None
        patient.commit(job)

    assert image_stats(patient).seconds_per_job == pytest.approx(2.0, abs=0.2)


def test_what_is_not_known_is_left_out(patient: Bench) -> None:
    # Nothing was measured
    first, second = patient.add(), patient.add()
    assert estimate(patient, first) is None
    shop = Shop(patient, [CARD])
    shop.until(1.0)
    assert estimate(patient, second) is None
    shop.until(2.5)
    waiting, later = patient.add(), patient.add(waits_for=[patient.add().id])
    assert estimate(patient, waiting) is not None

    # It is not ready; its queue is paused; its worker is; it is another model's; its owner is at the limit
    assert estimate(patient, later) is None
    for what, name in ((What.QUEUE, "image"), (What.MODEL, "plain"), (What.WORKER, "w1")):
        patient.operator.pause(what, name, "op")
        assert estimate(patient, waiting) is None, what
        patient.operator.resume(what, name)
    assert estimate(patient, patient.add(model="only-elsewhere")) is None
    patient.owners.change("ann", OwnerSettings(max_running=1))
    assert patient.claim(replace(CARD, id="w2")) is None
    assert estimate(patient, waiting) is None
    patient.owners.change("ann", OwnerSettings(max_running=None))
    assert estimate(patient, waiting) is not None

    # Nobody lives; and what was measured is long ago
    for worker in patient.queue.workers():
        patient.queue.leave(worker.card.id)
    assert estimate(patient, waiting) is None
    patient.queue.beat([], CARD)
    assert estimate(patient, waiting) is not None
    patient.wait(3601)
    patient.queue.beat([], CARD)
    assert estimate(patient, waiting) is None


def test_a_trouble_keeps_a_worker_out_of_it(patient: Bench) -> None:
    patient.add()
    shop = Shop(patient, [CARD])
    shop.until(3.0)
    waiting = patient.add()
    patient.queue.beat([], CARD)
    assert estimate(patient, waiting) == 0.0

    patient.queue.beat([], CARD, trouble="The storage refuses.")
    assert estimate(patient, waiting) is None


def test_rates_fade(patient: Bench) -> None:
    # Given a worker that has ended a job every 10 s, for fifteen minutes
    for _ in range(90):
        patient.add(cost=5.0)
    Shop(patient, [CARD]).until(900.0)

    stats = image_stats(patient)
    assert stats.jobs_per_second == pytest.approx(0.1, rel=0.05)
    assert stats.seconds_per_job == pytest.approx(10.0, rel=0.05)

    # When nothing ends any more, then the rate falls, and what a job takes does not
    patient.wait(300)
    stats = image_stats(patient)
    assert stats.jobs_per_second == pytest.approx(0.1 * 0.368, rel=0.1)
    assert stats.seconds_per_job == pytest.approx(10.0, rel=0.05)
