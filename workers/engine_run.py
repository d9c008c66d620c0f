"""One run inside the engine: the requests of an order, and what the parent is told of them meanwhile."""

import base64
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from pipelines.base import Output, Request
from pipelines.errors import EngineError, PipelineError, Stopped
from pipelines.kinds import parse_inputs
from pipelines.safety import Verdict
from pipelines.safety.guard import Stream
from workers.engine_finish import Finisher, Made, Place
from workers.messages import Message, Sender
from workers.trials import has_tests, refusal_of

PROGRESS_SECONDS = 0.05
"""Shortest time between two progress messages of a run: people see no more, and a fast model would fill the
pipe.
"""


class Orders(Protocol):
    """What a run hears of the parent meanwhile."""

    def stopped(self, request: str) -> bool:
        """Whether the parent wants this request to end."""

    def joining(self, model: Message, kinds: Sequence[str]) -> Message | None:
        """The next order, if it is one to join a run of this model that takes requests of these kinds."""


class Run:
    """The requests of one order. Also the `emit` of serving families."""

    def __init__(self, sender: Sender, orders: Orders, order: Message, finisher: Finisher) -> None:
        self.has_spoken = False
        """Whether some text has been given away: then the run cannot be begun again unseen."""
        self._sender = sender
        self._orders = orders
        self._finisher = finisher
        self._guard = finisher.guard
        self._model = order["model"]
        self._places: dict[str, Place] = {}
        self._open: dict[str, Request] = {}
        self._tried: set[str] = set()
        """The requests that are computed now; the other open ones are tried after them."""
        self._told_at: dict[str, float] = {}
        self._streams: dict[tuple[str, int], Stream] = {}
        self._blocked: dict[str, tuple[str, ...]] = {}
        """Requests that must not go on, and for which categories."""
        self._take(order)

    @property
    def waiting(self) -> list[Request]:
        """The requests that have not run yet, or run now."""
        return list(self._open.values())

    def _take(self, order: Message) -> list[Request]:
        """Open the requests of an order; those now open."""
        requests = [_request(asked) for asked in order["requests"]]
        self._open |= {request.id: request for request in requests}
        self._places |= {asked["request"]: _place(asked) for asked in order["requests"]}
        for request in requests:
            if has_tests(request) and (refusal := refusal_of(self._finisher.trials)):
                self.failed(request, refusal)
        return [request for request in requests if request.id in self._open]

    def carry_out(self, pipeline: Any, requests: list[Request]) -> None:
        """Run these requests on a pipeline. Raises Stopped when all were stopped, or what the family
        raises.
        """
        self._tried = {request.id for request in requests}
        if requests[0].kind in pipeline.capabilities.serves:
            pipeline.serve(self._arriving(requests, pipeline.capabilities.serves), self)
            return
        outputs = pipeline.run(requests, self._batch_progress(requests))
        for request, made in zip(requests, outputs, strict=True):
            if request.id not in self._open:
                continue
            if self.stopped(request):
                self.failed(request, Stopped())
            else:
                self.done(request, made)

    def _arriving(self, requests: list[Request], serves: Sequence[str]) -> Iterator[Request | None]:
        """The requests and those that join them, until all of these are told; None while there is none."""
        yield from requests
        while (joined := self._orders.joining(self._model, serves)) or self._tried & self._open.keys():
            self._end_stopped()
            if joined is None:
                yield None
                continue
            taken = self._take(joined)
            self._tried |= {request.id for request in taken}
            yield from taken

    def _batch_progress(self, requests: Sequence[Request]) -> Callable[..., set[int]]:
        def progress(step: int, total: int, previews: Sequence[bytes | None] | None = None) -> set[int]:
            if self._is_due(requests[0], step, total):
                for request, preview in zip(requests, previews or [None] * len(requests), strict=True):
                    if request.id in self._open:
                        self._tell_progress(request, step, total, preview)
            self._end_stopped()
            rows = {row for row, request in enumerate(requests) if self.stopped(request)}
            if len(rows) == len(requests):
                raise Stopped
            for row in rows:  # told at once, though its neighbours go on
                if requests[row].id in self._open:
                    self.failed(requests[row], Stopped())
            return rows

        return progress

    def _end_stopped(self) -> None:
        """End those that were stopped while they wait to be tried alone; their family ends the others."""
        for request in self.waiting:
            if request.id not in self._tried and self.stopped(request):
                self.failed(request, Stopped())

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
        self._end_stopped()
        if self._is_due(request, step, total):
            self._tell_progress(request, step, total, None)

    def stopped(self, request: Request) -> bool:
        return request.id in self._blocked or self._orders.stopped(request.id)

    def done(self, request: Request, outputs: list[Output]) -> None:
        if len(outputs) != request.inputs.n:
            self.failed(request, EngineError(f"The model made {len(outputs)} of {request.inputs.n} outputs."))
            return
        del self._open[request.id]
        made = Made(
            request,
            outputs,
            self._places[request.id],
            stopped=lambda: self.stopped(request),
            blocked=lambda: self._blocked.get(request.id, ()),
        )
        self._finisher.take(made)

    def failed(self, request: Request, error: PipelineError) -> None:
        del self._open[request.id]
        self._finisher.tell_failed(
            request, error, stopped=self.stopped(request), blocked=self._blocked.get(request.id, ())
        )

    def fail_rest(self, error: PipelineError) -> None:
        """Tell that all open requests have failed, or with Stopped were stopped."""
        for request in self.waiting:
            self.failed(request, error)


def _request(asked: Message) -> Request:
    files = {field: Path(path) for field, path in asked["files"].items()}
    inputs = parse_inputs(asked["kind"], asked["inputs"])
    return Request(asked["request"], asked["kind"], inputs, files, asked.get("repeatable", True))


def _place(asked: Message) -> Place:
    verdict = asked.get("verdict") or {}
    prompt = Verdict(labels=tuple(verdict.get("labels", ())), blur=verdict.get("blur", False))
    return Place(Path(asked["folder"]), asked["provenance"], prompt)
