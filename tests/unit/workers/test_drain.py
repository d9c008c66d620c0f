import os
import signal
import time
from collections.abc import Iterator

import pytest
from celery.worker import state as celery_state

from workers.drain import Drain


@pytest.fixture(autouse=True)
def untouched() -> Iterator[None]:
    """Celery's flag and the signal handlers are as before when a test has ended."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    celery_state.should_stop = None
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_drain_is_over_when_its_time_is_up() -> None:
    woken: list[bool] = []
    drain = Drain(0.05, wake=[lambda: woken.append(True)])
    assert not drain.begun
    assert not drain.over
    drain.begin()
    drain.begin()
    assert drain.begun
    assert woken == [True]
    time.sleep(0.06)
    assert drain.over


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_second_signal_hurries(number: signal.Signals) -> None:
    drain = Drain(60)
    drain.obey_signals()
    os.kill(os.getpid(), number)
    assert (drain.begun, drain.over) == (True, False)
    assert celery_state.should_stop == 0
    os.kill(os.getpid(), number)
    assert drain.over
