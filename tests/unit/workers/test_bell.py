import threading
import time

from workers.bell import Bell


def rest_until(bell: Bell, ended: threading.Event) -> threading.Thread:
    """A loop that only rests."""

    def run() -> None:
        while not ended.is_set():
            bell.rest(0.05)
        bell.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread


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


def test_an_answer_waits_until_the_loop_rests_again() -> None:
    bell, ended = Bell(), threading.Event()
    loop = rest_until(bell, ended)
    for _ in range(20):
        bell.answer()
    ended.set()
    loop.join()


def test_an_answer_does_not_wait_for_a_loop_that_has_ended() -> None:
    bell = Bell()
    bell.close()
    bell.answer()
