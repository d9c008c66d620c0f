"""A small storm, judged as the big one is (`make storm`), and the judge itself: it must not be blind."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from infra.jobs.record import Attempt, Outcome, Status
from tests.chaos.storm.checks import OFFLINE, Problems, explained, judge
from tests.chaos.storm.evidence import Evidence
from tests.chaos.storm.explain import culprit
from tests.chaos.storm.ledger import Line
from tests.chaos.storm.plan import Victim, body, make_plan
from tests.chaos.storm.size import Size
from tests.chaos.storm.storm import Storm
from tests.contract.jobs_snapshot import Snapshot

SMALL = Size(jobs=300, kills=15, seed=20, workers=3, told_every=0, minutes=8)
QUICK = {"lease_seconds": 10.0, "beat_seconds": 2.0}
"""A lost worker is missed sooner than by default, so that the test ends sooner."""


def test_a_plan_is_the_same_for_the_same_seed() -> None:
    plan = make_plan(seed=7, jobs=1000, kills=100)
    assert plan == make_plan(seed=7, jobs=1000, kills=100)
    assert plan != make_plan(seed=8, jobs=1000, kills=100)
    assert len([kill for kill in plan if kill.victim is not Victim.BROKER]) == 100
    assert {kill.victim for kill in plan} == set(Victim)
    assert body(7, 5, "we_1") == body(7, 5, "we_1")


@pytest.mark.parametrize(
    ("outcome", "kill", "explains"),
    [
        (Outcome.CRASHED, {"victim": "engine", "worker": "w1", "at": 15_000}, True),
        (Outcome.CRASHED, {"victim": "engine", "worker": "w2", "at": 15_000}, False),
        (Outcome.CRASHED, {"victim": "engine", "worker": "w1", "at": 31_000}, False),
        (Outcome.CRASHED, {"victim": "worker", "worker": "w1", "at": 15_000}, False),
        (Outcome.LOST, {"victim": "worker", "worker": "w1", "at": 15_000}, True),
        (Outcome.LOST, {"victim": "state server", "at": 10_050}, True),
        (Outcome.LOST, {"victim": "state server", "at": 15_000}, False),
        (Outcome.FAILED, {"victim": "engine", "worker": "w1", "at": 15_000}, False),
    ],
)
def test_which_kill_explains_an_attempt(outcome: Outcome, kill: Line, explains: bool) -> None:
    attempt = Attempt("a", 1, "w1", "cpu", started_at=10_000, ended_at=30_000, outcome=outcome)
    assert (culprit(attempt, [kill]) is not None) == explains


@pytest.mark.timeout(900)
def test_a_storm_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    # Given 300 jobs and 15 kills
    storm = Storm(tmp_path, SMALL, print, **QUICK)
    try:
        storm.run()
        evidence = Evidence.gather(storm.deployment, storm.ledgers)
        judgement = judge(evidence, storm.deployment, SMALL.seed)
    finally:
        storm.stop()
    # Then every promise is kept
    assert not any(judgement.values()), judgement
    assert len(evidence.accepted) == SMALL.jobs
    assert len(evidence.kills) == SMALL.kills
    assert explained(evidence), "no kill has hit a job"
    # and the judge sees what he is there for
    for spoilt, check in _spoilt(evidence):
        assert list(_check(check)(spoilt)), f"{check} is blind"


def _check(name: str) -> Callable[[Evidence], Problems]:
    return next(check for check in OFFLINE if check.__name__ == name)


def _spoilt(evidence: Evidence) -> Iterator[tuple[Evidence, str]]:
    """The evidence with one thing wrong, and the check that must notice."""
    job = next(job for job in evidence.jobs.values() if job.status is Status.SUCCEEDED)
    key = f"j:{job.id}"
    other = replace(job.attempts[0], id="0" * 32, outcome=Outcome.CRASHED, worker="other", error=None)
    crash = json.dumps(asdict(other))
    doubled = evidence.accepted[0] | {"number": -1}
    ended_twice = ["job.started", "job.succeeded", "job.succeeded"]
    yield replace(evidence, accepted=evidence.accepted[1:]), "every_accepted_job_is_final"
    yield replace(evidence, accepted=[*evidence.accepted, doubled]), "every_accepted_job_is_final"
    yield _changed(evidence, key, status="running"), "every_accepted_job_is_final"
    yield _changed(evidence, key, attempt_id="0" * 32), "one_result_each"
    yield replace(evidence, events=evidence.events | {job.id: ended_twice}), "one_final_event_each"
    yield _changed(evidence, "count", running="1"), "nothing_contradicts_itself"
    yield _changed(evidence, f"queue:{job.queue}", succeeded="1"), "nothing_contradicts_itself"
    yield replace(evidence, stored=evidence.stored | {job.id: {}}), "every_file_has_an_owner"
    yield _changed(evidence, key, **{"attempt:9": crash}), "every_failure_is_explained"
    yield _changed(evidence, key, webhook="we_1"), "every_end_is_told"
    yield replace(evidence, ends=[{"part": "api", "code": 1}]), "nothing_ended_by_itself"


def _changed(evidence: Evidence, key: str, **fields: str) -> Evidence:
    """With other values in one of the state server's hashes."""
    data = evidence.snapshot.data
    return replace(evidence, snapshot=Snapshot(data | {key: data.get(key, {}) | fields}))
