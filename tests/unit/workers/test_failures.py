from pathlib import Path

import pytest

from infra.errors import StateUnavailable, StorageRefused, StorageUnavailable
from infra.jobs.record import Attempt, JobError, Outcome
from pipelines.errors import ModelUnavailable
from tests.unit.workers.jobs import a_job
from workers.attempt import Interrupted, LiveAttempt, Stop
from workers.drain import Drain
from workers.engine_client import EngineDeaf, EngineDied, EngineHung
from workers.errors import InputDamaged
from workers.failures import failure_of


@pytest.fixture
def attempt(tmp_path: Path) -> LiveAttempt:
    return LiveAttempt(a_job(), "a" * 32, tmp_path, Drain(60))


@pytest.mark.parametrize(
    ("error", "outcome", "error_type", "retryable"),
    [
        (EngineDied("signal SIGSEGV"), Outcome.CRASHED, "engine_crashed", True),
        (EngineHung("120 s"), Outcome.CRASHED, "engine_hung", True),
        (ModelUnavailable("not here"), Outcome.RELEASED, "model_unavailable", False),
        (InputDamaged("not as stated"), Outcome.FAILED, "input_damaged", True),
        (StorageUnavailable("host 10.0.0.1"), Outcome.FAILED, "storage_failed", True),
        (StorageRefused("host 10.0.0.1"), Outcome.RELEASED, "storage_refused", True),
        (ZeroDivisionError("secret"), Outcome.FAILED, "worker_broken", True),
    ],
)
def test_each_error_has_an_outcome_and_a_type(
    attempt: LiveAttempt, error: Exception, outcome: Outcome, error_type: str, retryable: bool
) -> None:
    failure = failure_of(error, attempt)
    assert failure.outcome is outcome
    assert failure.error is not None
    assert (failure.error.type, failure.error.retryable) == (error_type, retryable)
    assert failure.error.title
    assert "secret" not in failure.error.detail
    assert "10.0.0.1" not in failure.error.detail


@pytest.mark.parametrize("stop", list(Stop))
def test_a_stop_has_the_outcome_of_its_name(attempt: LiveAttempt, stop: Stop) -> None:
    failure = failure_of(Interrupted(stop), attempt)
    assert (failure.outcome.value, failure.error) == (stop.value, None)


@pytest.mark.parametrize("error", [EngineDeaf(), EngineDied(), EngineHung()])
def test_an_engine_that_ends_while_it_is_stopped_is_no_crash(attempt: LiveAttempt, error: Exception) -> None:
    attempt.hear(Stop.CANCELLED)
    assert failure_of(error, attempt).outcome is Outcome.CANCELLED


def test_when_the_queue_is_away_there_is_nothing_to_tell(attempt: LiveAttempt) -> None:
    assert failure_of(StateUnavailable(), attempt).outcome is Outcome.LOST


def test_a_job_that_the_storage_refuses_again_and_again_fails(tmp_path: Path) -> None:
    def met(worker: str, times: int) -> LiveAttempt:
        refused = JobError("storage_refused", "It refuses.", retryable=True)
        attempts = [
            Attempt(f"{number:032}", number, worker, "cpu", 1000, 2000, Outcome.RELEASED, refused)
            for number in range(1, times + 1)
        ]
        present = Attempt("a" * 32, times + 1, "worker_1", "cpu", 3000)
        return LiveAttempt(a_job(attempts=(*attempts, present)), "a" * 32, tmp_path, Drain(60))

    assert failure_of(StorageRefused(), met("worker_1", 2)).outcome is Outcome.RELEASED
    assert failure_of(StorageRefused(), met("worker_1", 3)).outcome is Outcome.FAILED
    assert failure_of(StorageRefused(), met("another", 50)).outcome is Outcome.RELEASED
