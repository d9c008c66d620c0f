"""The run that the engine is at, as far as the worker knows: how far it is, and whether others may join."""

import time

from workers.attempt import LiveAttempt
from workers.messages import Message

AHEAD_SECONDS = 1.0
"""How long before a run ends its worker claims the next: enough to fetch inputs, and not so long that a job
waits here while another worker becomes free."""


class Times:
    """How long a model's last run took; for the work loop."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self.rows: dict[str, int] = {}
        """Most rows that a model has said it computes at once."""

    def note(self, model: str, seconds: float) -> None:
        self._seconds[model] = seconds

    def of(self, model: str) -> float | None:
        """Seconds, or None while no run has ended."""
        return self._seconds.get(model)


class Course:
    """One run, from its order to the engine's `finished`."""

    def __init__(self, times: Times) -> None:
        self.attempts: list[LiveAttempt] = []
        """All that were handed over, those that joined among them."""
        self.serves = False
        """Whether requests may join while it runs."""
        self._times = times
        self._most = 1
        self._began: float | None = None
        self._fraction = 0.0
        self._encodes = False

    @property
    def model(self) -> str:
        return self.attempts[0].job.model

    @property
    def room(self) -> int:
        """How many rows may still join."""
        busy = sum(attempt.job.rows for attempt in self.attempts if attempt.is_open)
        return max(0, self._most - busy)

    def hear(self, message: Message) -> None:
        """Take note of what the engine says."""
        match message["is"]:
            case "started":
                self._began = time.monotonic()
                self.serves, self._most = message["serves"], message["most"]
                self._times.rows[self.model] = self._most
            case "progress" if message["total"]:
                self._fraction = message["step"] / message["total"]
            case "encoding" if message["request"] in {attempt.id for attempt in self.attempts}:
                self._encodes = True  # that of the run before says nothing of this one

    def ended(self) -> None:
        """The engine is free."""
        if self._began is not None:
            self._times.note(self.model, time.monotonic() - self._began)

    @property
    def near_end(self) -> bool:
        """Whether it will probably end within AHEAD_SECONDS."""
        if self._began is None:
            return False
        if self._encodes:
            return True
        taken = time.monotonic() - self._began
        if self._fraction > 0:
            return taken / self._fraction - taken < AHEAD_SECONDS
        usual = self._times.of(self.model)
        return usual is not None and usual - taken < AHEAD_SECONDS
