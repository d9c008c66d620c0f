import threading
import time

from workers.bell import Bell


def test_ringing_ends_a_rest_at_once() -> None:
    bell = Bell()
    threading.Timer(0.05, bell.ring).start()
    began = time.monotonic()
    bell.rest(10)
    assert time.monotonic() - began < 5


def test_a_ring_while_busy_is_not_lost() -> None:
    bell = Bell()
    bell.ring()
    began = time.monotonic()
    bell.rest(10)
    assert time.monotonic() - began < 5


def test_it_tells_when_the_loop_rests() -> None:
    rested: list[bool] = []
    bell = Bell(on_rest=lambda: rested.append(bell.resting))
    assert not bell.resting
    bell.rest(0)
    assert rested == [True]
    assert not bell.resting


def test_once_rung_it_counts_as_busy() -> None:
    seen: list[bool] = []

    def ring() -> None:
        bell.ring()
        seen.append(bell.resting)

    bell = Bell(on_rest=ring)
    bell.rest(10)
    assert seen == [False]


def test_a_deaf_rest_is_none_for_others() -> None:
    rested: list[bool] = []
    bell = Bell(on_rest=lambda: rested.append(True))
    threading.Timer(0.05, bell.ring).start()
    began = time.monotonic()
    bell.rest(10, deaf=True)
    assert time.monotonic() - began < 5
    assert rested == []
