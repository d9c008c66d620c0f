"""Runs of the engine: attempts are handed over together, and what it tells is taken to each of them."""

import time
from collections.abc import Callable, Iterable, Sequence

from infra.logs import about
from workers import counts
from workers.attempt import LiveAttempt
from workers.course import Course, Times
from workers.engine_client import LAST_WORDS, Engine, EngineDied, Order
from workers.failures import failure_of
from workers.messages import Message
from workers.orders import take

Joining = Callable[[Course], list[LiveAttempt]]
"""Asked often while a run goes on: attempts that join it now."""


def no_others(_course: Course) -> list[LiveAttempt]:
    """Nobody joins."""
    return []


class Runs:
    """For the work loop's thread. Outputs of one run may still be written while the next one goes on."""

    def __init__(self, engine: Engine, on_end: Callable[[LiveAttempt], None]) -> None:
        """`on_end` is called with each attempt of which the engine has told the end, or never will."""
        self.times = Times()
        self._engine = engine
        self._on_end = on_end
        self._open: dict[str, LiveAttempt] = {}
        """Attempts that the engine has, by their ids."""

    def run(self, attempts: list[LiveAttempt], joining: Joining) -> None:
        """Have the engine run these until it can run others. What has crashed an engine runs beside nothing
        that is being written, which it might take down with it.
        """
        alone = any(attempt.job.alone for attempt in attempts)
        if alone or self._engine.lost:
            self.rest()
        self._fail_lost()
        course = Course(self.times)

        def joined() -> Order | None:
            more = [] if alone else joining(course)
            return self._hand_over(more, course) if more else None

        order = self._hand_over(attempts, course)
        self._follow(self._engine.run(*order, self._is_to_stop, joined), course)
        course.ended()
        for attempt in course.attempts:
            attempt.in_run = False
        if alone:
            self.rest()

    def rest(self) -> None:
        """Follow the engine until all that has run is written."""
        self._follow(self._engine.rest(self._is_to_stop), None)
        self._fail_lost()

    def _fail_lost(self) -> None:
        """End those whose engine was replaced while nobody heard it: they would be held for ever."""
        if not self._engine.busy:
            self._fail_all(EngineDied("The engine ended while it was not listened to."))

    def _hand_over(self, attempts: Sequence[LiveAttempt], course: Course) -> Order:
        course.attempts += attempts
        for attempt in attempts:
            self._open[attempt.id], attempt.handed_over = attempt, time.monotonic()
            attempt.in_run = True
        model = attempts[-1].model.model_dump(mode="json")
        return model, [attempt.request for attempt in attempts]

    def _follow(self, messages: Iterable[Message], course: Course | None) -> None:
        """Take what the engine says to whom it is about; if it fails, all that it has fails."""
        try:
            for message in messages:
                if course is not None:
                    course.hear(message)
                self._take(message, course.attempts if course is not None else [])
        except Exception as error:  # noqa: BLE001 - whatever it is, the jobs get an answer
            self._fail_all(error)

    def _fail_all(self, error: Exception) -> None:
        for attempt in list(self._open.values()):
            attempt.failure = failure_of(error, attempt)
            self._end(attempt)

    def _take(self, message: Message, running: Sequence[LiveAttempt]) -> None:
        if "request" not in message:
            for attempt in running:
                if attempt.is_open:
                    take(attempt, message)
            return
        attempt = self._open[message["request"]]
        with about(**attempt.context()):
            take(attempt, message)
        if message["is"] in LAST_WORDS:
            counts.ran(attempt)
            self._end(attempt)

    def _is_to_stop(self, attempt_id: str) -> bool:
        return self._open[attempt_id].stop is not None

    def _end(self, attempt: LiveAttempt) -> None:
        del self._open[attempt.id]
        self._on_end(attempt)
