"""One run inside the engine: from the parent's order to files in the requests' folders."""

import base64
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from infra.confine import NotConfined
from infra.crash_points import CrashPoint, crash_point
from pipelines import media
from pipelines.base import Output, Request
from pipelines.errors import (
    EngineError,
    OutOfMemory,
    OutputBlocked,
    PipelineError,
    Stopped,
    TransientEngineError,
)
from pipelines.kinds import parse_inputs
from pipelines.models import Model
from pipelines.outputs import File
from pipelines.provenance import NO_MARKS, Marks
from pipelines.safety import Policy, Verdict
from pipelines.safety.guard import Guard, Stream, released
from workers.engine_cache import PipelineCache
from workers.messages import Message, PipeClosed, Sender
from workers.trials import NOT_CONFINED, Trials, has_tests, refusal_of

PROGRESS_SECONDS = 0.05
"""Shortest time between two progress messages of a run: people see no more, and a fast model would fill the
pipe.
"""

BROKEN_DEVICE = 4
"""Exit code of an engine whose device context is past use."""


@dataclass(frozen=True)
class Place:
    """Where a request's files go, and what is written into them about their origin."""

    folder: Path
    provenance: dict[str, Any]
    verdict: Verdict
    """What the safety policy makes of the prompt."""


class Orders(Protocol):
    """What a run hears of the parent meanwhile."""

    def stopped(self, request: str) -> bool:
        """Whether the parent wants this request to end."""

    def joining(self, model: Message, kinds: Sequence[str]) -> Message | None:
        """The next order, if it is one to join a run of this model that takes requests of these kinds."""


class Runner:
    """Carries out the parent's orders, one after the other, in the main thread."""

    def __init__(
        self,
        sender: Sender,
        orders: Orders,
        cache: PipelineCache,
        guard: Guard | None = None,
        marks: Marks = NO_MARKS,
        *,
        trials: Trials | None = None,
    ) -> None:
        """Without `trials`, no code is run."""
        self._sender = sender
        self._orders = orders
        self._cache = cache
        self._guard = guard
        self._marks = marks
        self._trials = trials

    def run(self, order: Message) -> None:
        """Run the order's requests and tell the parent how each ended; raises PipeClosed only."""
        model = Model.model_validate(order["model"])
        run = Run(self._sender, self._orders, order, self._guard, self._marks, trials=self._trials)
        try:
            self._run(model, run)
        except PipeClosed:
            raise
        except Exception as error:  # noqa: BLE001 - a family may raise anything; it is told and logged
            self._note(model, error)
            run.fail_rest(translate(error))
            if breaks_device(error):
                sys.exit(BROKEN_DEVICE)
        self._sender.send("finished", warm=self._cache.names)

    def _note(self, model: Model, error: Exception) -> None:
        """Print an error for the log; after an unexpected one the pipeline may be in disorder, and goes."""
        if isinstance(error, PipelineError):
            print(f"{type(error).__name__}: {error}", flush=True)
            return
        traceback.print_exception(error)
        self._cache.drop(model.name)

    def _run(self, model: Model, run: "Run") -> None:
        try:
            self._run_once(model, run)
        except Exception as error:
            if not isinstance(translate(error), OutOfMemory) or run.has_spoken:
                raise
        else:
            return
        # Outside the handler, whose exception keeps the failed run's tensors alive.
        self._cache.clear()
        self._run_once(model, run)

    def _run_once(self, model: Model, run: "Run") -> None:
        try:
            pipeline = self._cache.find(model) or self._load(model)
            self._sender.send("started")
            run.carry_out(pipeline)
        except Stopped:
            run.stop_rest()

    def _load(self, model: Model) -> Any:
        began = time.monotonic()
        self._sender.send("loading", model=model.name)
        pipeline = self._cache.load(model)
        crash_point(CrashPoint.ENGINE_LOADED)
        self._sender.send("loaded", model=model.name, seconds=round(time.monotonic() - began, 3))
        return pipeline


class Run:
    """The requests of one order, and what the parent has been told of them. Also the `emit` of serving
    families.
    """

    def __init__(
        self,
        sender: Sender,
        orders: Orders,
        order: Message,
        guard: Guard | None = None,
        marks: Marks = NO_MARKS,
        *,
        trials: Trials | None = None,
    ) -> None:
        """Without a `guard`, only what no policy allows is kept back; without `trials` no code is run."""
        self.has_spoken = False
        """Whether some text has been given away: then the run cannot be begun again unseen."""
        self._sender = sender
        self._orders = orders
        self._guard = guard or Guard(Policy())
        self._marks = marks
        self._trials = trials
        self._model = order["model"]
        self._places: dict[str, Place] = {}
        self._open: dict[str, Request] = {}
        self._told_at: dict[str, float] = {}
        self._streams: dict[tuple[str, int], Stream] = {}
        self._blocked: dict[str, tuple[str, ...]] = {}
        """Requests that must not go on, and for which categories."""
        self._take(order)

    def _take(self, order: Message) -> list[Request]:
        """Open the requests of an order; those now open."""
        requests = [_request(asked) for asked in order["requests"]]
        self._open |= {request.id: request for request in requests}
        self._places |= {asked["request"]: _place(asked) for asked in order["requests"]}
        for request in requests:
            if has_tests(request) and (refusal := refusal_of(self._trials)):
                self.failed(request, refusal)
        return [request for request in requests if request.id in self._open]

    def carry_out(self, pipeline: Any) -> None:
        """Run the open requests on a pipeline. Raises Stopped when all were stopped, or what the family
        raises.
        """
        requests = list(self._open.values())
        if not requests:
            return
        if requests[0].kind in pipeline.capabilities.serves:
            pipeline.serve(self._arriving(requests, pipeline.capabilities.serves), self)
            return
        outputs = pipeline.run(requests, self._batch_progress(requests))
        for request, made in zip(requests, outputs, strict=True):
            if self.stopped(request):
                self.failed(request, Stopped())
            else:
                self.done(request, made)

    def _arriving(self, requests: list[Request], serves: Sequence[str]) -> Iterator[Request | None]:
        """The requests and those that join them, until all are told; None while there is none."""
        yield from requests
        while self._open:
            joined = self._orders.joining(self._model, serves)
            yield from self._take(joined) if joined else [None]

    def _batch_progress(self, requests: Sequence[Request]) -> Callable[..., set[int]]:
        def progress(step: int, total: int, previews: Sequence[bytes | None] | None = None) -> set[int]:
            if self._is_due(requests[0], step, total):
                for request, preview in zip(requests, previews or [None] * len(requests), strict=True):
                    self._tell_progress(request, step, total, preview)
            rows = {row for row, request in enumerate(requests) if self.stopped(request)}
            if len(rows) == len(requests):
                raise Stopped
            return rows

        return progress

    def _is_due(self, request: Request, step: int, total: int) -> bool:
        now = time.monotonic()
        if step < total and now - self._told_at.get(request.id, 0.0) < PROGRESS_SECONDS:
            return False
        self._told_at[request.id] = now
        return True

    def _tell_progress(self, request: Request, step: int, total: int, preview: bytes | None) -> None:
        if self._guard.hides_previews(self._places[request.id].verdict):
            preview = None
        encoded = base64.b64encode(preview).decode() if preview else None
        self._sender.send("progress", request=request.id, step=step, total=total, preview=encoded)

    # What serving families call (pipelines.base.Emit)

    def delta(self, request: Request, index: int, text: str) -> None:
        if not has_tests(request):  # else it is told in the order of the tests that are passed
            self.has_spoken = True
            self._sender.send("delta", request=request.id, index=index, text=text)
        stream = self._streams.setdefault((request.id, index), self._guard.stream())
        if blocked := stream.blocked_by(text):
            self._blocked[request.id] = blocked

    def progress(self, request: Request, step: int, total: int) -> None:
        if self._is_due(request, step, total):
            self._tell_progress(request, step, total, None)

    def stopped(self, request: Request) -> bool:
        return request.id in self._blocked or self._orders.stopped(request.id)

    def done(self, request: Request, outputs: list[Output]) -> None:
        if len(outputs) != request.inputs.n:
            raise EngineError(f"The model made {len(outputs)} of {request.inputs.n} outputs.")
        place = self._places[request.id]
        files: list[File] = []
        try:
            outputs = self._tried(request, outputs)
        except NotConfined:
            self.failed(request, EngineError(NOT_CONFINED))
            return
        for output in outputs:
            if self.stopped(request):
                self.failed(request, Stopped())
                return
            self._sender.send("encoding", request=request.id)
            try:
                free = self._looked_at(request, output)
            except OutputBlocked as blocked:
                self.failed(request, blocked)
                return
            if has_tests(request):
                self._sender.send("delta", request=request.id, index=free.index, text=free.value)
            files += media.write(free, place.folder, place.provenance, request.inputs, self._marks)
        del self._open[request.id]
        crash_point(CrashPoint.ENGINE_MADE)
        self._sender.send("done", request=request.id, files=[_as_json(file) for file in files])
        crash_point(CrashPoint.ENGINE_TOLD)

    def _tried(self, request: Request, outputs: list[Output]) -> list[Output]:
        """The outputs, those of a request with tests in the order of how many they pass."""
        if self._trials is None or not has_tests(request):
            return outputs
        return self._trials.ranked(
            request, outputs, lambda: self._sender.send("encoding", request=request.id)
        )

    def _looked_at(self, request: Request, output: Output) -> Output:
        """An output as the safety policy lets it go; raises OutputBlocked. The parent is told of it."""
        found = self._guard.found_in(output)
        if found.blocked:
            raise self._refusal(request, found.blocked)
        if found.labels:
            self._tell_found(request, found.labels, "blur" if found.blur else "label")
        return released(output, self._places[request.id].verdict | found)

    def _refusal(self, request: Request, categories: Sequence[str]) -> OutputBlocked:
        """The error of a request whose output is not given out. The parent is told of it."""
        self._tell_found(request, categories, "block")
        return OutputBlocked(f"It is refused for: {', '.join(categories)}.")

    def _tell_found(self, request: Request, categories: Sequence[str], follows: str) -> None:
        self._sender.send("found", request=request.id, categories=list(categories), follows=follows)

    def failed(self, request: Request, error: PipelineError) -> None:
        del self._open[request.id]
        if isinstance(error, Stopped) and request.id in self._blocked:
            error = self._refusal(request, self._blocked[request.id])
        if isinstance(error, Stopped) and self.stopped(request):
            self._sender.send("stopped", request=request.id)
        else:
            self._sender.send("failed", request=request.id, error=_error_as_json(error))

    # What ends a run before its end

    def stop_rest(self) -> None:
        """Tell that all open requests were stopped."""
        self.fail_rest(Stopped())

    def fail_rest(self, error: PipelineError) -> None:
        """Tell that all open requests have failed."""
        for request in list(self._open.values()):
            self.failed(request, error)


def translate(error: Exception) -> PipelineError:
    """Any exception of a family as one that can be told to users; its words stay in the log."""
    if isinstance(error, PipelineError):
        return error
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, unimported
        return OutOfMemory()
    if isinstance(error, OSError):  # its disk is full, or a mounted folder is away
        return TransientEngineError("The worker could not read or write its files.")
    if breaks_device(error):
        return TransientEngineError("The device reported an error; the engine is started again.")
    return EngineError(f"The model failed with an unexpected {type(error).__name__}.")


def breaks_device(error: Exception) -> bool:
    """Whether the device's context is past use after this error, so that only a new process helps."""
    return type(error).__name__ == "AcceleratorError" or "CUDA error" in str(error)


def _request(asked: Message) -> Request:
    files = {field: Path(path) for field, path in asked["files"].items()}
    inputs = parse_inputs(asked["kind"], asked["inputs"])
    return Request(asked["request"], asked["kind"], inputs, files, asked.get("repeatable", True))


def _place(asked: Message) -> Place:
    verdict = asked.get("verdict") or {}
    prompt = Verdict(labels=tuple(verdict.get("labels", ())), blur=verdict.get("blur", False))
    return Place(Path(asked["folder"]), asked["provenance"], prompt)


def _as_json(file: File) -> dict[str, Any]:
    return {**asdict(file), "path": str(file.path)}


def _error_as_json(error: PipelineError) -> dict[str, Any]:
    return {"type": error.type, "title": error.title, "detail": error.detail, "retryable": error.retryable}
