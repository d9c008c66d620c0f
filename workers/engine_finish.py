"""What becomes of the outputs of a request, inside the engine: tried, looked at, written as files, told to
the parent. Beside the next run, so that the device does not wait for it.
"""

import os
import queue
import threading
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from infra.confine import NotConfined
from infra.crash_points import CrashPoint, crash_point
from pipelines import media
from pipelines.base import Output, Request
from pipelines.errors import EngineError, OutputBlocked, PipelineError, Stopped
from pipelines.outputs import File
from pipelines.provenance import NO_MARKS, Marks
from pipelines.safety import Policy, Verdict
from pipelines.safety.guard import Guard, released
from workers.engine_errors import BROKEN_DEVICE, ORPHANED, breaks_device, error_as_json, translate
from workers.messages import PipeClosed, Sender
from workers.trials import NOT_CONFINED, Trials, has_tests

WAITING_MOST = 16
"""Requests whose outputs wait to be written; then the runs wait, so that outputs do not fill the memory."""


@dataclass(frozen=True)
class Place:
    """Where a request's files go, and what is written into them about their origin."""

    folder: Path
    provenance: dict[str, Any]
    verdict: Verdict
    """What the safety policy makes of the prompt."""


@dataclass(frozen=True)
class Made:
    """A request that has run."""

    request: Request
    outputs: list[Output]
    place: Place
    stopped: Callable[[], bool]
    """Whether its outputs are not wanted any more."""
    blocked: Callable[[], tuple[str, ...]] = tuple
    """The categories for which what was streamed of it must not go on."""


class Finisher:
    """Finishes what has been made, at once."""

    def __init__(
        self,
        sender: Sender,
        guard: Guard | None = None,
        marks: Marks = NO_MARKS,
        trials: Trials | None = None,
    ) -> None:
        """Without a `guard`, only what no policy allows is kept back; without `trials` no code is run."""
        self.guard = guard or Guard(Policy())
        self.trials = trials
        self._sender = sender
        self._marks = marks

    @property
    def waiting(self) -> list[str]:
        """Ids of the requests that have run and are not told yet."""
        return []

    def take(self, made: Made) -> None:
        """Finish a request, whatever happens; raises PipeClosed only."""
        try:
            self._finish(made)
        except PipeClosed:
            raise
        except OutputBlocked as blocked:
            self.tell_failed(made.request, blocked)
        except Exception as error:  # noqa: BLE001 - a disk, a classifier, an encoder: told and logged
            if not isinstance(error, PipelineError):
                traceback.print_exception(error)
            self.tell_failed(made.request, translate(error))
            if breaks_device(error):
                os._exit(BROKEN_DEVICE)

    def tell_failed(
        self, request: Request, error: PipelineError, *, stopped: bool = False, blocked: Sequence[str] = ()
    ) -> None:
        """Tell that a request has failed, or was `stopped`, or that what it wrote was `blocked`."""
        if isinstance(error, Stopped) and blocked:
            error = self._refusal(request, blocked)
        if isinstance(error, Stopped) and stopped:
            self._sender.send("stopped", request=request.id)
        else:
            self._sender.send("failed", request=request.id, error=error_as_json(error))

    def _finish(self, made: Made) -> None:
        request, files = made.request, list[File]()
        try:
            outputs = self._tried(made)
        except NotConfined:
            raise EngineError(NOT_CONFINED) from None
        for output in outputs:
            if made.stopped():
                self.tell_failed(request, Stopped(), stopped=True, blocked=made.blocked())
                return
            self._sender.send("encoding", request=request.id)
            free = self._looked_at(made, output)
            if has_tests(request):
                self._sender.send("delta", request=request.id, index=free.index, text=free.value)
            files += media.write(free, made.place.folder, made.place.provenance, request.inputs, self._marks)
        crash_point(CrashPoint.ENGINE_MADE)
        self._sender.send("done", request=request.id, files=[_as_json(file) for file in files])
        crash_point(CrashPoint.ENGINE_TOLD)

    def _tried(self, made: Made) -> list[Output]:
        """The outputs, those of a request with tests in the order of how many they pass."""
        if self.trials is None or not has_tests(made.request):
            return made.outputs
        return self.trials.ranked(
            made.request,
            made.outputs,
            lambda: self._sender.send("encoding", request=made.request.id),
        )

    def _looked_at(self, made: Made, output: Output) -> Output:
        """An output as the safety policy lets it go; raises OutputBlocked. The parent is told of it."""
        found = self.guard.found_in(output)
        if found.blocked:
            raise self._refusal(made.request, found.blocked)
        if found.labels:
            self._tell_found(made.request, found.labels, "blur" if found.blur else "label")
        return released(output, made.place.verdict | found)

    def _refusal(self, request: Request, categories: Sequence[str]) -> OutputBlocked:
        """The error of a request whose output is not given out. The parent is told of it."""
        self._tell_found(request, categories, "block")
        return OutputBlocked(f"It is refused for: {', '.join(categories)}.")

    def _tell_found(self, request: Request, categories: Sequence[str], follows: str) -> None:
        self._sender.send("found", request=request.id, categories=list(categories), follows=follows)


class FinisherBehind(Finisher):
    """Finishes in a thread of its own, one request after the other, while the device computes the next."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        self._made: queue.Queue[Made] = queue.Queue(WAITING_MOST)
        self._lock = threading.Lock()
        self._waiting: list[str] = []
        threading.Thread(target=self._run, name="finisher", daemon=True).start()

    @property
    def waiting(self) -> list[str]:
        with self._lock:
            return list(self._waiting)

    def take(self, made: Made) -> None:
        """Have a request finished; waits while too many do."""
        with self._lock:
            self._waiting.append(made.request.id)
        self._made.put(made)

    def _run(self) -> None:
        while True:
            made = self._made.get()
            try:
                super().take(made)
            except PipeClosed:
                os._exit(ORPHANED)
            with self._lock:
                self._waiting.remove(made.request.id)


def _as_json(file: File) -> dict[str, Any]:
    return {**asdict(file), "path": str(file.path)}
