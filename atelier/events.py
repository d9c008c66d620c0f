"""A job's events, followed over as many connections as it takes."""

import json
import time
from collections.abc import Iterator
from typing import Final
from urllib.parse import quote

import httpx
import httpx_sse

from atelier.errors import AtelierError, BadAnswer, WaitTimeout
from atelier.records import Event
from atelier.transport import Transport, worth_waiting_for

LONGEST_SILENCE: Final = 45.0  # seconds; the server sends at least a comment every 15 s
FIRST_PAUSE: Final = 0.2  # seconds before connecting again; doubled while that fails, up to LONGEST_PAUSE
LONGEST_PAUSE: Final = 3.0
SILENCE_BEFORE_DEADLINE: Final = 5.0  # seconds


class EventStream:
    """Iterates over one job's events until the final one; connects again by itself after `Last-Event-ID`.
    Iterated over again, it goes on after the last event that it gave.

    patience: seconds that the server may stay away before the error is raised.
    deadline: on time.monotonic(); after it WaitTimeout is raised. None: never.
    """

    def __init__(
        self,
        transport: Transport,
        job_id: str,
        *,
        patience: float,
        after: str | None = None,
        deadline: float | None = None,
    ) -> None:
        self._transport = transport
        self._job_id = job_id
        self._last_id = after
        self._patience = patience
        self._deadline = deadline
        self._heard = time.monotonic()

    def __iter__(self) -> Iterator[Event]:
        self._heard = time.monotonic()
        pause = FIRST_PAUSE
        while True:
            before = self._heard
            try:
                for event in self._one_connection():
                    yield event
                    if event.final:
                        return
                    self._check_deadline()
            except _NoMore:
                return
            except AtelierError as error:
                self._check(error)
            self._check_deadline()
            pause = FIRST_PAUSE if self._heard != before else min(pause * 2, LONGEST_PAUSE)
            time.sleep(pause)

    def _one_connection(self) -> Iterator[Event]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if self._last_id is not None:
            headers["Last-Event-ID"] = self._last_id
        path = f"/v1/jobs/{quote(self._job_id, safe='')}/events"
        with self._transport.stream(path, headers, self._longest_silence()) as response:
            self._heard = time.monotonic()
            if response.status_code == httpx.codes.NO_CONTENT:
                raise _NoMore
            for sent in httpx_sse.EventSource(response).iter_sse():
                self._heard = time.monotonic()
                if not sent.data:  # only `retry:`, which is about our pauses; we have our own
                    continue
                self._last_id = sent.id or self._last_id
                yield Event(sent.id, sent.event, _data(sent))

    def _check(self, error: AtelierError) -> None:
        """Raise what ends the watching; return if connecting again is right."""
        if not worth_waiting_for(error) or time.monotonic() - self._heard > self._patience:
            raise error

    def _check_deadline(self) -> None:
        if self._deadline is not None and time.monotonic() >= self._deadline:
            raise WaitTimeout(f"{self._job_id} is not final yet")

    def _longest_silence(self) -> float:
        """Seconds without a byte after which to connect again.

        With a deadline it is shorter than the time between the server's comments, because only a silence ends
        the reading, and that is when the deadline is looked at.
        """
        if self._deadline is None:
            return LONGEST_SILENCE
        return max(0.05, min(SILENCE_BEFORE_DEADLINE, self._deadline - time.monotonic()))


class _NoMore(Exception):
    """The final event was seen before; the server has nothing to add."""


def _data(sent: httpx_sse.ServerSentEvent) -> dict[str, object]:
    try:
        data = sent.json()
    except json.JSONDecodeError as error:
        raise BadAnswer(f"an event of type {sent.event!r} is not JSON") from error
    if not isinstance(data, dict):
        raise BadAnswer(f"an event of type {sent.event!r} is not an object")
    return data
