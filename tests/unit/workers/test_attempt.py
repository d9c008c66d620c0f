from pathlib import Path

import pytest

from tests.unit.workers.jobs import a_job
from workers.attempt import Delta, Interrupted, LiveAttempt, Stop
from workers.desk import Desk
from workers.drain import Drain


@pytest.fixture
def drain() -> Drain:
    return Drain(60)


@pytest.fixture
def attempt(tmp_path: Path, drain: Drain) -> LiveAttempt:
    return LiveAttempt(a_job(), "a" * 32, tmp_path, drain)


def test_the_first_reason_to_stop_stays(attempt: LiveAttempt) -> None:
    attempt.check()
    attempt.hear(Stop.CANCELLED)
    attempt.hear(Stop.TIMED_OUT)
    with pytest.raises(Interrupted) as caught:
        attempt.check()
    assert caught.value.stop is Stop.CANCELLED


def test_a_lost_lease_overrules_other_reasons(attempt: LiveAttempt) -> None:
    attempt.hear(Stop.CANCELLED)
    attempt.hear(Stop.LOST)
    assert attempt.stop is Stop.LOST


def test_the_end_of_a_drain_releases(attempt: LiveAttempt, drain: Drain) -> None:
    drain.begin()
    assert attempt.stop is None
    drain.hurry()
    assert attempt.stop is Stop.RELEASED


def test_text_is_joined_and_counted_in_characters(attempt: LiveAttempt) -> None:
    attempt.write(0, "Él ")
    attempt.write(0, "dijo")
    attempt.write(1, "two")
    assert attempt.take_deltas() == [Delta(0, 0, "Él dijo"), Delta(1, 0, "two")]
    attempt.write(0, "!")
    assert attempt.take_deltas() == [Delta(0, 7, "!")]


def test_text_that_could_not_be_told_comes_first_again(attempt: LiveAttempt) -> None:
    attempt.write(0, "one")
    untold = attempt.take_deltas()
    attempt.write(1, "two")
    attempt.give_back(untold)
    assert [delta.text for delta in attempt.take_deltas()] == ["one", "two"]


def test_progress_and_preview_are_told_once(attempt: LiveAttempt) -> None:
    attempt.enter("loading")
    attempt.advance(1, 4, b"preview")
    attempt.enter("encoding")
    progress = {"fraction": 0.25, "step": 1, "steps": 4, "stage": "encoding", "attempt_id": attempt.id}
    assert attempt.take_news() == (progress, b"preview")
    assert attempt.take_news() is None
    assert attempt.progress == progress


def test_one_of_several_is_dropped_before_any_is_prepared(tmp_path: Path, drain: Drain) -> None:
    desk = Desk()
    attempts = [LiveAttempt(a_job(), letter * 32, tmp_path, drain) for letter in "ab"]
    for each in attempts:
        desk.take(each)
    desk.drop(attempts[1])
    assert desk.held() == attempts[:1]
