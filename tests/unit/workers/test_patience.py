import pytest

from infra.errors import ObjectNotFound, StateUnavailable, StorageRefused
from workers.attempt import Interrupted, Stop
from workers.patience import persist


class Flaky:
    """Away for the first `failures` calls."""

    def __init__(self, failures: int) -> None:
        self.failures = failures
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise StateUnavailable
        return "answer"


def test_a_service_that_comes_back_is_asked_again() -> None:
    call = Flaky(2)
    assert persist(call, 5) == "answer"
    assert call.calls == 3


def test_patience_ends() -> None:
    call = Flaky(1000)
    with pytest.raises(StateUnavailable):
        persist(call, 0.25)
    assert call.calls == 2


def test_without_time_there_is_one_try() -> None:
    call = Flaky(1)
    with pytest.raises(StateUnavailable):
        persist(call, 0)
    assert call.calls == 1


def test_a_reason_to_stop_ends_the_waiting() -> None:
    def check() -> None:
        raise Interrupted(Stop.RELEASED)

    with pytest.raises(Interrupted):
        persist(Flaky(1000), 60, check)


def test_other_errors_are_not_waited_for() -> None:
    def call() -> str:
        raise ObjectNotFound

    with pytest.raises(ObjectNotFound):
        persist(call, 60)


def test_a_storage_that_refuses_is_not_waited_for() -> None:
    calls = []

    def refused() -> None:
        calls.append(1)
        raise StorageRefused

    with pytest.raises(StorageRefused):
        persist(refused, 60)
    assert len(calls) == 1
