"""The worker's side of its engine: give it work, hear it, and end it when it is silent or deaf for too
long.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from infra.settings import Settings
from workers import counts
from workers.engine_process import EngineProcess
from workers.messages import Message, PipeClosed, PipeFull
from workers.stock import Stock

LOOK_SECONDS = 0.1
"""How often a wait for the engine looks whether it should stop."""

START_SECONDS = 120.0
"""Time to start: Python, and on a GPU torch and its driver, on a busy machine with a cold disk."""

Order = tuple[Message, list[Message]]
"""A model, and requests for it."""

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

    def __init__(self, device: str, memory: str, deadlines: Deadlines) -> None:
        """`memory`: what it may fill, as the setting `model_memory` says it."""
        self._device = device
        self._memory = memory
        self._deadlines = deadlines
        self._process: EngineProcess | None = None
        self._watch = Watch(deadlines)
        self.stock = Stock()
        """What it keeps loaded."""

    @property
    def warm(self) -> tuple[str, ...]:
        """Names of the models that the engine keeps loaded, last used last."""
        return self.stock.warm

    @property
    def pid(self) -> int | None:
        """The running engine's process id."""
        return self._process.pid if self._process is not None and self._process.alive else None

    @property
    def busy(self) -> bool:
        """Whether it has requests of which it has not told the end."""
        return bool(self._watch.open)

    @property
    def lost(self) -> bool:
        """Whether it has ended while it was busy, which nobody has heard yet: `rest` does."""
        return self.busy and self.pid is None

    def ensure(self) -> EngineProcess:
        """The running engine; another one is started when it is gone. Raises EngineDied, EngineHung."""
        if self._process is not None and not self._process.alive:
            self._end(self._process.close)
        if self._process is None:
            self._process = EngineProcess(self._device, self._memory)
            self._wait_until_ready(self._process)
        return self._process

    def run(
        self,
        model: dict[str, Any],
        requests: list[dict[str, Any]],
        stop: Callable[[str], bool],
        joining: Callable[[], Order | None] = lambda: None,
    ) -> Iterator[Message]:
        """Run requests on a model: every message of the engine until it can run others. Outputs may then
        still be being written: what is told of them comes with the next run, or with `rest`. Meanwhile it
        asks `stop` which requests are to end, and `joining` for further ones and their model: if it is the
        same they run beside these, else after them.

        Raises EngineDied, EngineHung or EngineDeaf.
        """
        process = self.ensure()
        self._watch.begin({request["request"] for request in requests})

        def until_free() -> Iterator[Message]:
            process.sender.send("run", model=model, requests=requests)
            for message in self._hear(process, stop):
                if message is not None and message["is"] == "finished":
                    if self._watch.has_more_than(message["encoding"]):  # they came too late to join
                        continue
                    self._watch.finish()
                    return
                if message is not None:
                    yield message
                if more := joining():
                    self._watch.join({request["request"] for request in more[1]}, more[0] == model)
                    process.sender.send("join", model=more[0], requests=more[1])

        yield from self._guarded(process, until_free())

    def rest(self, stop: Callable[[str], bool]) -> Iterator[Message]:
        """Every message until all that has run is written and told. As `run`."""
        if self._process is None or not self._watch.open:
            return

        def until_told(process: EngineProcess) -> Iterator[Message]:
            for message in self._hear(process, stop):
                if message is not None:
                    yield message
                if not self._watch.open:
                    return

        yield from self._guarded(self._process, until_told(self._process))

    def _guarded(
        self, process: EngineProcess, messages: Iterator[Message], *, owes: bool = False
    ) -> Iterator[Message]:
        """The messages; an engine that fails in between, or is left in the midst of its work, is ended.
        `owes`: its end is a failure though no request is open."""
        try:
            yield from messages
        except PipeClosed:
            lost = owes or bool(self._watch.open)
            how = self._end(process.close)
            if lost:
                counts.engine_ended("died")
                raise EngineDied(f"The engine ended with {how}.") from None
        except (EngineHung, PipeFull) as error:
            counts.engine_ended("hung")
            self._end(process.abort)
            if isinstance(error, PipeFull):
                raise EngineHung("The engine takes no orders.") from None
            raise
        except EngineDeaf:
            counts.engine_ended("deaf")
            self._end(process.kill)
            raise
        except BaseException:  # left in the midst of a run, whose messages must not reach the next one
            self._end(process.kill)
            raise

    def _hear(self, process: EngineProcess, stop: Callable[[str], bool]) -> Iterator[Message | None]:
        """What the engine says; None now and then while it says nothing. It is told of stops."""
        while True:
            message = process.receiver.receive(LOOK_SECONDS)
            self._watch.hear(message)
            if message is not None:
                self.stock.note(message)
            began = time.monotonic()
            yield message
            self._watch.pause(time.monotonic() - began)
            for request in filter(stop, self._watch.not_told_to_stop()):
                self._watch.tell_to_stop(request)
                process.sender.send("stop", request=request)

    def load(self, model: dict[str, Any], stop: Callable[[], bool]) -> Message | None:
        """Have a model ready that no request waits for, while the engine is not busy. Why it was not loaded,
        {type, detail}, else None. Once `stop` says so the engine is ended. Raises EngineDied or EngineHung.
        """
        told = self._obey("load", stop, model=model)
        return next((message for message in told if message["is"] == "not_loaded"), None)

    def unload(self, models: Sequence[str], stop: Callable[[], bool]) -> None:
        """Have models of these names let go. As `load`."""
        self._obey("unload", stop, models=models)

    def _obey(self, order: str, stop: Callable[[], bool], **fields: Any) -> list[Message]:
        """What the engine says while it carries out an order that is no run."""
        watch, process = Watch(self._deadlines), self.ensure()

        def until_finished() -> Iterator[Message]:
            process.sender.send(order, **fields)
            while not stop():
                message = process.receiver.receive(LOOK_SECONDS)
                watch.hear(message)
                if message is not None:
                    self.stock.note(message)
                    yield message
                    if message["is"] == "finished":
                        return
            self._end(process.kill)

        return list(self._guarded(process, until_finished(), owes=True))

    def close(self) -> None:
        """End the engine, if there is one."""
        if self._process is not None:
            self._end(self._process.close)

    def _wait_until_ready(self, process: EngineProcess) -> None:
        try:
            if (ready := process.receiver.receive(START_SECONDS)) is not None:
                self.stock.note(ready)
                return
        except PipeClosed:
            raise EngineDied(f"The engine ended with {self._end(process.close)} while starting.") from None
        self._end(process.abort)
        raise EngineHung(f"The engine was not ready after {START_SECONDS:g} s.")

    def _end(self, how: Callable[[], str]) -> str:
        """Forget the engine and end it; how it ended, in words."""
        self._process, self._watch = None, Watch(self._deadlines)
        self.stock.lose()
        return how()


class Watch:
    """What the worker knows of its engine's work: which requests are open, and for how long it may be silent
    while it runs some, and while it writes the outputs of others."""

    def __init__(self, deadlines: Deadlines, open_requests: Iterable[str] = ()) -> None:
        self._deadlines = deadlines
        self.open = set(open_requests)
        """Requests of which the engine has not told the end."""
        self._encoding: dict[str, float] = {}
        """Since when the output that is being written now, of a request, has been."""
        self._stop_told: dict[str, float] = {}
        self._made: set[str] = set()
        """Requests that have run: a stop is obeyed once those before it are written."""
        self._later: set[str] = set()
        """Requests whose run has not begun."""
        self._enter("beginning", deadlines.step)

    def begin(self, requests: set[str]) -> None:
        """A run begins."""
        self.open |= requests
        self._enter("beginning", self._deadlines.step)

    def join(self, requests: set[str], now: bool) -> None:
        """These run beside the others now, or after them: until then they hear no stop."""
        self.open |= requests
        self._later |= set() if now else requests

    def finish(self) -> None:
        """No run is left; outputs may be."""
        self._enter("at rest", inf)

    def has_more_than(self, encoding: list[str]) -> bool:
        """Whether requests are open beside those that have run and are being written."""
        return bool(self.open - set(encoding))

    def not_told_to_stop(self) -> set[str]:
        """The open requests that may go on."""
        return self.open - self._stop_told.keys()

    def tell_to_stop(self, request: str) -> None:
        """From now on the engine has `stop` seconds to end it."""
        self._stop_told[request] = time.monotonic()

    def pause(self, seconds: float) -> None:
        """So long nobody has listened: who hears a message may have to wait for the storage."""
        self._heard += seconds
        for since in (self._encoding, self._stop_told):
            since.update({request: moment + seconds for request, moment in since.items()})

    def hear(self, message: Message | None) -> None:
        """Take note of a message, or of the lack of one; raises EngineHung or EngineDeaf."""
        now = time.monotonic()
        if message is not None:
            self._note(message, now)
        self._check("encoding", min(self._encoding.values(), default=now), self._deadlines.encode, now)
        # A run may have to wait for outputs to be written, of which there are too many.
        self._check(self._phase, self._heard, max(self._limit, self._writing_limit), now)
        told = [self._stop_told[request] for request in self._hearing & self._stop_told.keys()]
        if told and now - min(told) > self._deadlines.stop:
            raise EngineDeaf(f"The engine did not stop within {self._deadlines.stop:g} s.")

    @property
    def _hearing(self) -> set[str]:
        """The requests that a stop ends at their next step."""
        return self.open - self._made - self._later

    @property
    def _writing_limit(self) -> float:
        return self._deadlines.encode if self._encoding else 0.0

    @staticmethod
    def _check(phase: str, since: float, limit: float, now: float) -> None:
        if now - since > limit:
            raise EngineHung(f"The engine gave no sign of life for {limit:g} s while {phase}.")

    def _enter(self, phase: str, limit: float) -> None:
        self._phase, self._limit, self._heard = phase, limit, time.monotonic()

    def _note(self, message: Message, now: float) -> None:
        match message["is"]:
            case "reading":  # gives a load no more time
                return
            case "loading":
                self._enter("loading a model", self._deadlines.load)
            case "loaded" | "started":
                self._enter("running", self._deadlines.step)
                self._stop_told.update(dict.fromkeys(self._later & self._stop_told.keys(), now))
                self._later.clear()
            case "encoding":
                self._encoding[message["request"]] = self._heard = now
            case "finished":
                self._made, self._heard = set(message.get("encoding", ())), now
            case name if name in LAST_WORDS:
                for told in (self._encoding, self._stop_told):
                    told.pop(message["request"], None)
                self.open.discard(message["request"])
                self._heard = now
            case _:
                self._heard = now
