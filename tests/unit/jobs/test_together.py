"""Group commit: who waits together, and that nobody gets another's answer or error."""

import gc
import signal
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import redis

from infra.connections import connect
from infra.errors import StateUnavailable
from infra.jobs.answers import Limits
from infra.jobs.exchange import exchange, pack
from infra.jobs.queue import JobQueue
from infra.jobs.together import MOST, Together
from tests.servers import StateServer, wait_for


class Slow:
    """Answers each number with its double, an odd one with an error; each batch waits until it is let go."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = threading.Semaphore(0)

    def __call__(self, numbers: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(numbers))
        assert self.go.acquire(timeout=10)
        return [ValueError(str(number)) if number % 2 else 2 * number for number in numbers]


def test_who_comes_meanwhile_goes_in_the_next_batch() -> None:
    slow = Slow()
    together = Together[int, int]()
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(together.ask, 0, slow)
        wait_for(lambda: slow.batches == [[0]])
        others = [pool.submit(together.ask, number, slow) for number in (2, 4, 5)]
        wait_for(lambda: len(together._waiting) == 3)
        slow.go.release(2)
        assert first.result(10) == 0
        assert [each.result(10) for each in others[:2]] == [4, 8]
        with pytest.raises(ValueError, match="5"):
            others[2].result(10)
    assert sorted(slow.batches[1]) == [2, 4, 5]
    slow.go.release()
    assert together.ask(6, slow) == 12, "after a pause it starts again"


def test_a_failure_of_the_batch_is_everyones() -> None:
    def fail(_: Sequence[int]) -> list[int | Exception]:
        raise ConnectionError("gone")

    together = Together[int, int]()
    for number in (1, 2):
        with pytest.raises(ConnectionError, match="gone"):
            together.ask(number, fail)


class Interrupted(Exception):
    pass


@contextmanager
def interrupted_when(condition: Callable[[], object]) -> Iterator[None]:
    """A signal raises Interrupted in this thread once that is so."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    def wait_and_send() -> None:
        wait_for(condition)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, interrupt)
    sender = threading.Thread(target=wait_and_send)
    sender.start()
    try:
        yield
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)


def test_who_is_interrupted_takes_back_what_was_not_sent() -> None:
    slow = Slow()
    together = Together[int, int]()
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(together.ask, 0, slow)
        wait_for(lambda: slow.batches == [[0]])
        with interrupted_when(lambda: together._waiting), pytest.raises(Interrupted):
            together.ask(2, slow)
        slow.go.release(2)
        assert first.result(10) == 0
        assert together.ask(4, slow) == 8
    assert slow.batches == [[0], [4]]


def test_where_no_thread_starts_all_are_told_and_the_next_is_served(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = Slow()
    together = Together[int, int]()
    slow.go.release()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        with pytest.raises(StateUnavailable, match="new thread"):
            together.ask(2, slow)
    assert together.ask(4, slow) == 8
    assert slow.batches == [[4]]


def test_a_crowd_goes_in_batches_of_bounded_size() -> None:
    slow = Slow()
    together = Together[int, int]()
    count = MOST + 10
    with ThreadPoolExecutor(count) as pool:
        answers = [pool.submit(together.ask, 0, slow)]
        wait_for(lambda: slow.batches == [[0]])
        answers += [pool.submit(together.ask, 2 * number, slow) for number in range(1, count)]
        wait_for(lambda: len(together._waiting) == count - 1)
        slow.go.release(3)
        assert [each.result(10) for each in answers] == [4 * number for number in range(count)]
    assert [len(batch) for batch in slow.batches] == [1, MOST, 9]


def test_an_error_reply_stands_in_its_place(valkey_of_session: StateServer) -> None:
    with valkey_of_session.client() as client:
        commands = [pack("SET", "together", "é"), pack("INCR", "together"), pack("GET", "together")]
        stored, error, value = exchange(client, commands)
        client.delete("together")
    assert (stored, value) == ("OK", "é")
    assert isinstance(error, redis.ResponseError)


def test_a_connection_that_was_cut_is_made_again(valkey_of_session: StateServer) -> None:
    with valkey_of_session.client() as client:
        assert exchange(client, [pack("PING")]) == ["PONG"]
        valkey_of_session.client().client_kill_filter(_type="normal", skipme=True)
        assert len(exchange(client, [pack("PING"), pack("PING")])) == 2


def test_a_queue_that_nobody_holds_is_freed_at_once_with_its_connections() -> None:
    queue = JobQueue(connect("redis://127.0.0.1:1"), limits=Limits())
    gone = weakref.ref(queue)
    gc.disable()
    try:
        del queue
        assert gone() is None
    finally:
        gc.enable()
