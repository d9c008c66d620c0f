"""The worker's side of its engine: give it work, hear it, and end it when it is silent or deaf for too
long.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from infra.settings import Settings
from workers import counts
from workers.engine_process import EngineProcess
from workers.messages import Message, PipeClosed

LOOK_SECONDS = 0.1
"""How often a wait for the engine looks whether it should stop."""

START_SECONDS = 120.0
"""Time to start: Python, and on a GPU torch and its driver, on a busy machine with a cold disk."""

LAST_WORDS = {"done", "failed", "stopped"}
"""Messages after which a request is over."""


class EngineFailure(Exception):
    """The engine did not bring the run to an end; there is none now, until the next `ensure`."""


class EngineDied(EngineFailure):
    """The engine's process ended in the midst of the work."""


class EngineHung(EngineFailure):
    """The engine gave no sign of life for longer than its phase allows, and was killed."""


class EngineDeaf(EngineFailure):
    """The engine did not obey a stop within its time, and was killed."""


@dataclass(frozen=True)
class Deadlines:
    """Longest silence of the engine, in seconds."""

    load: float
    """While it loads a model."""
    step: float
    """Between two steps."""
    encode: float
    """While it writes the outputs of one request as files."""
    stop: float
    """Between a stop and the end that it asks for."""

    @classmethod
    def of(cls, settings: Settings) -> "Deadlines":
        """The deadlines that the settings state."""
        return cls(
            load=settings.load_timeout_seconds,
            step=settings.step_timeout_seconds,
            encode=settings.encode_timeout_seconds,
            stop=settings.stop_grace_seconds,
        )


class Engine:
    """One engine process at a time. For one thread, which must outlive the engine (see EngineProcess)."""

    def __init__(self, device: str, cache: int, deadlines: Deadlines) -> None:
        self._device = device
        self._cache = cache
        self._deadlines = deadlines
        self._process: EngineProcess | None = None
        self.warm: tuple[str, ...] = ()
        """Names of the models that the engine keeps loaded, last used last."""

    def ensure(self) -> EngineProcess:
        """The running engine; another one is started when it is gone. Raises EngineDied, EngineHung."""
        if self._process is not None and not self._process.alive:
            self._end(self._process.close)
        if self._process is None:
            self._process = EngineProcess(self._device, self._cache)
            self._wait_until_ready(self._process)
        return self._process

    def run(
        self,
        model: dict[str, Any],
        requests: list[dict[str, Any]],
        stop: Callable[[str], bool],
        joining: Callable[[], list[dict[str, Any]]] = list,
    ) -> Iterator[Message]:
        """Run requests on a model: every message of the engine until all are told. Meanwhile it asks `stop`
        which of them are to end, and `joining` for further ones to run beside them.

        Raises EngineDied, EngineHung or EngineDeaf.
        """
        watch = Watch(self._deadlines, {request["request"] for request in requests})
        process = self.ensure()
        try:
            process.sender.send("run", model=model, requests=requests)
            yield from self._exchange(process, watch, model, stop, joining)
        except PipeClosed:
            how = self._end(process.close)
            if watch.open:
                counts.engine_ended("died")
                raise EngineDied(f"The engine ended with {how}.") from None
        except EngineHung:
            counts.engine_ended("hung")
            self._end(process.abort)
            raise
        except EngineDeaf:
            counts.engine_ended("deaf")
            self._end(process.kill)
            raise
        except BaseException:  # left in the midst of a run, whose messages must not reach the next one
            self._end(process.kill)
            raise

    def close(self) -> None:
        """End the engine, if there is one."""
        if self._process is not None:
            self._end(self._process.close)

    def _wait_until_ready(self, process: EngineProcess) -> None:
        try:
            if process.receiver.receive(START_SECONDS) is not None:
                return
        except PipeClosed:
            raise EngineDied(f"The engine ended with {self._end(process.close)} while starting.") from None
        self._end(process.abort)
        raise EngineHung(f"The engine was not ready after {START_SECONDS:g} s.")

    def _exchange(
        self,
        process: EngineProcess,
        watch: "Watch",
        model: dict[str, Any],
        stop: Callable[[str], bool],
        joining: Callable[[], list[dict[str, Any]]],
    ) -> Iterator[Message]:
        while True:
            message = process.receiver.receive(LOOK_SECONDS)
            watch.hear(message)
            if message is not None:
                self.warm = tuple(message.get("warm", self.warm))
                if message["is"] == "finished":
                    if watch.open:  # they came too late to join, and are run now
                        continue
                    return
                yield message
            for request in filter(stop, watch.not_told_to_stop()):
                watch.tell_to_stop(request)
                process.sender.send("stop", request=request)
            if more := joining():
                watch.open.update(request["request"] for request in more)
                process.sender.send("join", model=model, requests=more)

    def _end(self, how: Callable[[], str]) -> str:
        """Forget the engine and end it; how it ended, in words."""
        self._process, self.warm = None, ()
        return how()


class Watch:
    """What the worker knows of a run: which requests are open, and for how long the engine may be silent."""

    def __init__(self, deadlines: Deadlines, open_requests: set[str]) -> None:
        self._deadlines = deadlines
        self.open = open_requests
        self._phase, self._limit = "beginning", deadlines.step
        self._heard = time.monotonic()
        self._stop_told: dict[str, float] = {}

    def not_told_to_stop(self) -> set[str]:
        """The open requests that may go on."""
        return self.open - self._stop_told.keys()

    def tell_to_stop(self, request: str) -> None:
        """From now on the engine has `stop` seconds to end it."""
        self._stop_told[request] = time.monotonic()

    def hear(self, message: Message | None) -> None:
        """Take note of a message, or of the lack of one; raises EngineHung or EngineDeaf."""
        now = time.monotonic()
        if message is not None:
            self._heard = now
            self._note(message)
        elif now - self._heard > self._limit:
            raise EngineHung(f"The engine gave no sign of life for {self._limit:g} s while {self._phase}.")
        told = [self._stop_told[request] for request in self.open & self._stop_told.keys()]
        if told and now - min(told) > self._deadlines.stop:
            raise EngineDeaf(f"The engine did not stop within {self._deadlines.stop:g} s.")

    def _note(self, message: Message) -> None:
        match message["is"]:
            case "loading":
                self._phase, self._limit = "loading a model", self._deadlines.load
            case "loaded" | "started":
                self._phase, self._limit = "running", self._deadlines.step
            case "encoding":
                self._phase, self._limit = "encoding", self._deadlines.encode
            case name if name in LAST_WORDS:
                self.open.discard(message["request"])
                self._phase, self._limit = "running", self._deadlines.step
