"""Group commit: what several callers want written at the same time goes out as one batch.

A server that syncs every write is busy for milliseconds with each sync, and one sync serves all that has
arrived by then. So whoever comes while a batch is on its way waits for the next one, which takes all of them:
one round trip and one sync for as many as there are, and no wait at all for who comes alone.
"""

import os
import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from infra.errors import StateUnavailable

Q = TypeVar("Q")
A = TypeVar("A")

AnswerAll = Callable[[Sequence[Q]], Sequence[A | Exception]]
"""Gives each request its answer or its own error; what it raises is everyone's."""

MOST = 64
"""Requests in one batch, so that the last of them is answered well before clients give a reply up."""


class Together(Generic[Q, A]):
    """Batches the requests of this process's threads or greenlets; `ask` is safe to call from any of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: list[_Asked[Q, A]] = []
        self._writing = False

    def ask(self, request: Q, answer_all: AnswerAll[Q, A]) -> A:
        """The answer to this request. Who is interrupted here takes it back, unless it is on its way.

        `answer_all` is the same for all who ask here. It is not kept: its owner, who keeps this, is so
        freed at once when it is dropped, and its connections with it.
        """
        asked = _Asked[Q, A](request)
        with self._lock:
            self._waiting.append(asked)
            starts, self._writing = not self._writing, True
        try:
            if starts:
                self._start(answer_all)
            return asked.wait()
        except BaseException:
            with self._lock:
                if asked in self._waiting:
                    self._waiting.remove(asked)
            raise

    def _start(self, answer_all: AnswerAll[Q, A]) -> None:
        """Write in a thread of its own: no caller's time limit may end the batch of the others."""
        try:
            threading.Thread(target=self._write, args=[answer_all], name="together", daemon=True).start()
        except RuntimeError as error:
            with self._lock:
                refused, self._waiting, self._writing = self._waiting, [], False
            for asked in refused:
                asked.tell(StateUnavailable(f"Nothing can be written: {error}."))

    def _write(self, answer_all: AnswerAll[Q, A]) -> None:
        """Until nobody waits."""
        while batch := self._next():
            try:
                answers = answer_all([asked.request for asked in batch])
            except Exception as error:  # noqa: BLE001 - raised again by each who waits
                answers = [error] * len(batch)
            for asked, answer in zip(batch, answers, strict=True):
                asked.tell(answer)

    def _next(self) -> "Sequence[_Asked[Q, A]]":
        _let_others_run()  # those who ask at this moment go in this batch
        with self._lock:
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            self._writing = bool(batch)
        return batch


def _let_others_run() -> None:
    if hasattr(os, "sched_yield"):  # not on every system
        os.sched_yield()


class _Asked(Generic[Q, A]):
    """One request, and its answer once there is one."""

    def __init__(self, request: Q) -> None:
        self.request = request
        self._told = threading.Lock()  # held until it is told; one waits, for which an Event costs far more
        self._told.acquire()
        self._answer: A | Exception

    def tell(self, answer: A | Exception) -> None:
        self._answer = answer
        self._told.release()

    def wait(self) -> A:
        self._told.acquire()
        if isinstance(self._answer, Exception):
            raise self._answer.with_traceback(None)
        return self._answer
