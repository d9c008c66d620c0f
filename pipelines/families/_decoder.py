"""Continuous batching: one loop in which requests join and leave while others run.

A prompt is read in pieces, one piece between two tokens of the others, so that a long one holds up nobody.
Then its lines join the *shared* batch, whose size changes as they come and go: their texts are the same in
any company but for rounding. A request whose seed must repeat bit for bit (`Request.repeatable`), and every
request to a model whose state cannot be padded, is computed in *fixed* batches of its own instead, of 8, 4, 2
or 1 lines and to the end of the longest, token by token in turn with the others.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch

from pipelines.base import Emit, buckets
from pipelines.errors import EngineError, OutOfMemory, PipelineError, Stopped
from pipelines.families._lines import Line, Work
from pipelines.families._rows import Rows, may_join
from pipelines.families._sampling import choose
from pipelines.families._torch import free_memory, memory_errors_translated

PIECE = 512
"""Tokens of a prompt that are read at once."""

LARGEST_BUCKET = 8

OVERFLOW = "The model's numbers overflowed; another number format (dtype) may help."

T = TypeVar("T")


class Batch:
    """Lines that are computed together. While their prompt is read, all are of one request."""

    def __init__(self, model: Any, lines: list[Line], fixed: bool) -> None:
        self.rows = Rows(model)
        self.lines = lines
        self.fixed = fixed
        self.reading = True
        for row, line in enumerate(lines):
            line.bucket, line.row = (len(lines), row) if fixed else (0, 0)

    def advance(self, most: int) -> torch.Tensor | None:
        """Read each line's last token, or `most` further ones of a prompt; the logits for each line, or None
        where the prompt is not yet read."""
        if not self.reading:
            return self.rows.read([line.ids[-1:] for line in self.lines])
        ids, begin = self.lines[0].ids, self.rows.lengths[0]
        logits = self.rows.read([ids[begin : begin + most]])
        if begin + most < len(ids):
            return None
        self.rows.pick([0] * len(self.lines))
        self.reading = False
        return logits.expand(len(self.lines), -1)

    def keep(self, lines: list[Line]) -> None:
        """Go on with these of its lines."""
        if not self.reading and 0 < len(lines) < len(self.lines):
            self.rows.pick([self.lines.index(line) for line in lines])
        self.lines = lines

    def join(self, other: "Batch") -> None:
        """Go on with the other's lines, too."""
        self.lines = self.lines + other.lines
        self.rows.join(other.rows)


class Decoder:
    """Serves requests with one model, at most `limit` lines at once."""

    def __init__(self, model: Any, limit: int) -> None:
        self._model = model
        self._limit = limit
        self._joins = may_join(model)
        self._waiting: deque[Batch] = deque()
        self._running: list[Batch] = []
        """At most one of them is reading its prompt; those whose is read are merged at the next tick."""

    @property
    def busy(self) -> bool:
        """Whether a request is not done yet."""
        return bool(self._running or self._waiting)

    def add(self, work: Work) -> None:
        """Let a request's lines wait for room."""
        self.add_lines(work, work.lines)

    def add_lines(self, work: Work, lines: list[Line]) -> None:
        """Let some of its lines wait for room."""
        fixed = work.request.repeatable or not self._joins
        for size in buckets(len(lines), min(self._limit, LARGEST_BUCKET)):
            self._waiting.append(Batch(self._model, lines[:size], fixed))
            lines = lines[size:]

    def tick(self, emit: Emit) -> list[Work]:
        """Read a piece of one prompt, and make a token for each running line; the requests now done."""
        works = list(dict.fromkeys(line.work for batch in self._all for line in batch.lines))
        for work in works:
            if emit.stopped(work.request):
                self._fail(work, Stopped(), emit)
        self._let_in()
        self._merge(emit)
        for batch in list(self._running):
            if batch.lines:  # else its request has failed a moment ago
                self._advance(batch, emit)
        for work in works:
            if not work.failed:
                work.tell(emit)
        return [work for work in works if work.done]

    @property
    def _all(self) -> list[Batch]:
        return [*self._running, *self._waiting]

    @property
    def _size(self) -> int:
        return sum(len(batch.lines) for batch in self._running)

    def _let_in(self) -> None:
        """Begin with the batch that has waited longest, if there is room and no other is being read."""
        if not self._waiting or any(batch.reading for batch in self._running):
            return
        if not self._running or self._size + len(self._waiting[0].lines) <= self._limit:
            self._running.append(self._waiting.popleft())

    def _merge(self, emit: Emit) -> None:
        """Have the lines whose prompt was read last join the shared batch."""
        shared = [batch for batch in self._running if not batch.fixed and not batch.reading]
        for other in shared[1:]:
            self._running.remove(other)
            self._try(shared[0], partial(shared[0].join, other), emit)

    def _advance(self, batch: Batch, emit: Emit) -> None:
        """Give each line of the batch its next token; the lines that are done leave."""
        if (tokens := self._try(batch, partial(self._next, batch), emit)) is None:
            for line in batch.lines[:1]:  # its prompt is long: a sign of life
                line.work.tell(emit, anyway=True)
            return
        made = list(zip(batch.lines, tokens, strict=True))
        for work in dict.fromkeys(line.work for line, token in made if token is None):
            self._fail(work, EngineError(OVERFLOW), emit)
        for line, token in made:
            if token is not None and not line.work.failed:
                line.take(token, emit)
        going_on = [line for line in batch.lines if not line.finish]
        if not batch.fixed or not going_on:
            self._keep(batch, going_on)

    def _next(self, batch: Batch) -> list[int | None] | None:
        """The next token of each line of the batch; None while its prompt is being read."""
        logits = batch.advance(PIECE if self._joins else len(batch.lines[0].ids))
        return None if logits is None else choose(logits, batch.lines)

    def _try(self, batch: Batch, action: Callable[[], T], emit: Emit) -> T | None:
        """What the action on the batch gives; None where memory was short, for which room is made."""
        try:
            with memory_errors_translated():
                return action()
        except OutOfMemory as error:
            shortage = str(error)
        self._make_room(batch, shortage, emit)  # here, since the exception kept the tensors alive
        return None

    def _make_room(self, batch: Batch, shortage: str, emit: Emit) -> None:
        """Have the batch's lines wait, to be read again with fewer beside them; fail them where that cannot
        help, or a fixed batch would not be the same again."""
        lines, alone = batch.lines, self._size == 1
        self._limit = max(1, self._size // 2)
        if alone or (batch.fixed and any(line.made for line in lines)):
            for work in dict.fromkeys(line.work for line in lines):
                self._fail(work, OutOfMemory(shortage), emit)
            return
        self._keep(batch, [])
        free_memory()
        size = max(1, len(lines) // 2) if batch.fixed else 1
        parts = [lines[begin : begin + size] for begin in range(0, len(lines), size)]
        self._waiting.extendleft(Batch(self._model, part, batch.fixed) for part in reversed(parts))

    def _fail(self, work: Work, error: PipelineError, emit: Emit) -> None:
        work.failed = True
        for batch in self._all:
            self._keep(batch, [line for line in batch.lines if line.work is not work])
        emit.failed(work.request, error)

    def _keep(self, batch: Batch, lines: list[Line]) -> None:
        """Go on with these of the batch's lines; without any it is over."""
        batch.keep(lines)
        if not lines:
            self._running = [one for one in self._running if one is not batch]
            self._waiting = deque(one for one in self._waiting if one is not batch)
