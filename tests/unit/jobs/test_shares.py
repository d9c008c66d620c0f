"""Which job a claim takes: priority of an owner's jobs, fair shares, loaded models, queues, limits."""

from collections import Counter
from dataclasses import replace

from infra.jobs.answers import Measured
from infra.jobs.owners import OwnerSettings
from infra.jobs.record import Job, Outcome
from tests.unit.jobs.conftest import CARD, Bench


def serve(bench: Bench, times: int, card: object = CARD) -> list[Job]:
    """Claim and finish that many jobs, one after the other."""
    served = []
    for _ in range(times):
        job = bench.claim(card)
        assert job is not None
        bench.commit(job)
        served.append(job)
    return served


def test_an_owners_jobs_go_by_priority_then_age(bench: Bench) -> None:
    for name, priority in [("a", "low"), ("b", "normal"), ("c", "high"), ("d", "normal")]:
        bench.add(id=name, priority=priority)

    assert [job.id for job in serve(bench, 4)] == ["c", "b", "d", "a"]


def test_a_busy_owner_does_not_hold_up_another(bench: Bench) -> None:
    for _ in range(20):
        bench.add("ann")
    for _ in range(3):
        bench.add("bob")

    assert Counter(job.owner for job in serve(bench, 6)) == {"ann": 3, "bob": 3}


def test_shares_are_device_seconds_not_jobs(bench: Bench) -> None:
    for _ in range(20):
        bench.add("ann", cost=5.0)
        bench.add("bob", cost=1.0)

    served = serve(bench, 12)
    assert Counter(job.owner for job in served) == {"ann": 2, "bob": 10}


def test_a_weight_multiplies_the_share(bench: Bench) -> None:
    bench.owners.change("bob", OwnerSettings(weight=3.0))
    for _ in range(20):
        bench.add("ann")
        bench.add("bob")

    assert Counter(job.owner for job in serve(bench, 12)) == {"ann": 3, "bob": 9}


def test_who_comes_back_has_saved_nothing_up(bench: Bench) -> None:
    # Given an owner that was served long ago, while another went on alone
    bench.add("ann")
    for _ in range(30):
        bench.add("bob")
    serve(bench, 20)

    # When it comes back
    for _ in range(10):
        bench.add("ann")

    # Then it is served at once, and gets its half from there on
    served = serve(bench, 11)
    assert served[0].owner == "ann"
    assert Counter(job.owner for job in served[1:]) == {"ann": 5, "bob": 5}


def test_a_released_job_is_not_charged(bench: Bench) -> None:
    # Given two owners, and a worker that stops with the first one's job
    bench.add("ann", id="big", cost=50.0)
    big = bench.claim()
    assert big is not None
    for _ in range(4):
        bench.add("ann")
        bench.add("bob")
    bench.queue.requeue(big.id, big.attempt_id or "", Outcome.RELEASED)

    # Then the job is first among equals again, and its owner is charged once, when it runs
    served = serve(bench, 2)
    assert {job.owner for job in served} == {"ann", "bob"}
    assert "big" in {job.id for job in served}
    stats = {stats.name: stats for stats in bench.queue.queue_stats()}
    assert stats["image"].device_seconds == 51.0


def test_a_loaded_model_goes_first_but_not_for_ever(bench: Bench) -> None:
    # Given jobs of a loaded model behind one that is not loaded
    bench.add(id="cold", model="other")
    for _ in range(20):
        bench.add()

    # Then it is passed over, at most eight times
    served = serve(bench, 9, replace(CARD, warm=("plain",)))
    assert [job.model for job in served] == ["plain"] * 8 + ["other"]


def test_what_takes_longer_than_two_loads_does_not_pass(bench: Bench) -> None:
    # Given a worker that has loaded the other model in three seconds, and jobs that wait for it
    card = replace(CARD, warm=("plain",), measured=(Measured("other", 1, 3.0),))
    for name in ("first", "second"):
        bench.add(id=name, model="other")
    for cost in (4.0, 2.0, 1.0, 7.0):
        bench.add(cost=cost)

    # Then six device-seconds pass each of them at most
    served = serve(bench, 6, card)
    assert [(job.model, job.cost) for job in served] == [
        ("plain", 4.0), ("plain", 2.0), ("other", 1.0), ("plain", 1.0), ("other", 1.0), ("plain", 7.0)
    ]  # fmt: skip


def test_a_loaded_model_does_not_pass_a_higher_priority(bench: Bench) -> None:
    bench.add(id="cold", model="other", priority="high")
    bench.add()

    assert serve(bench, 1, replace(CARD, warm=("plain",)))[0].id == "cold"


def test_a_loaded_model_puts_its_owner_ahead_only_so_far(bench: Bench) -> None:
    # Given two owners with one model each, one of them loaded, and jobs of 20 device-seconds
    for _ in range(20):
        bench.add("ann", model="other", cost=20.0)
        bench.add("bob", cost=20.0)

    # Then the loaded one leads by little, and both get their half
    served = serve(bench, 12, replace(CARD, warm=("plain",)))
    assert Counter(job.owner for job in served) in ({"ann": 5, "bob": 7}, {"ann": 6, "bob": 6})


def test_a_worker_serves_the_queue_that_had_least(bench: Bench) -> None:
    for _ in range(10):
        bench.add(queue="image", cost=4.0)
        bench.add(queue="text", model="words", cost=1.0)

    assert Counter(job.queue for job in serve(bench, 10)) == {"image": 2, "text": 8}


def test_jobs_that_no_worker_here_can_run_block_nobody(bench: Bench) -> None:
    for _ in range(5):
        bench.add(model="only-elsewhere")
    mine = bench.add()

    assert [job.id for job in serve(bench, 1)] == [mine.id]
    assert bench.claim() is None


def test_who_could_not_be_served_is_not_owed_everything(bench: Bench) -> None:
    # Given an owner whose model nobody can run, while another one is served for long
    for _ in range(80):
        bench.add("ann", model="only-here", cost=100.0)
        bench.add("bob", cost=100.0)
    serve(bench, 40)

    # When a worker comes that can run it, then the owner is ahead for a while, and shares after that
    served = serve(bench, 20, replace(CARD, models=("plain", "only-here")))
    assert [job.owner for job in served[:7]] == ["ann"] * 7
    assert Counter(job.owner for job in served[8:]) == {"ann": 6, "bob": 6}


def test_an_owner_at_its_running_limit_waits(bench: Bench) -> None:
    bench = bench.limited(max_running_per_owner=2)
    for _ in range(3):
        bench.add("ann")
    first, second = bench.claim(), bench.claim()
    assert first is not None
    assert second is not None
    assert bench.claim() is None

    # Others are served meanwhile, and the end of one lets the next one go
    bench.add("bob")
    assert (bench.claim() or first).owner == "bob"
    bench.commit(first)
    assert (bench.claim() or second).owner == "ann"


def test_the_place_in_the_queue_counts_turns(bench: Bench) -> None:
    ann = [bench.add("ann") for _ in range(3)]
    bob = [bench.add("bob") for _ in range(2)]

    assert [position(bench, job) for job in ann] == [1, 3, 5]
    assert [position(bench, job) for job in bob] == [2, 4]
    running = bench.claim()
    assert running is not None
    assert bench.queue.standing(running) is None


def test_the_place_counts_all_owners_however_many(bench: Bench) -> None:
    for number in range(120):
        bench.add(f"owner{number}")
        bench.add(f"owner{number}")

    assert position(bench, bench.add("ann")) == 121
    assert position(bench, bench.add("ann")) == 242


def test_the_place_goes_by_weight_and_cost(bench: Bench) -> None:
    # Given an owner of weight 2, and one whose jobs cost half
    bench.owners.change("bob", OwnerSettings(weight=2.0))
    ann = [bench.add("ann") for _ in range(3)]
    for _ in range(20):
        bench.add("bob")
        bench.add("cy", cost=0.5)

    # Then before the second job of ann come two of bob's and two of cy's
    assert [position(bench, job) for job in ann] == [1, 2 + 2 + 2, 3 + 4 + 4]
    order = [job.id for job in serve(bench, 16)]
    assert [order.index(job.id) + 1 for job in ann] == [1, 6, 11]


def position(bench: Bench, job: Job) -> int | None:
    standing = bench.queue.standing(job)
    assert standing is not None
    return standing.position
