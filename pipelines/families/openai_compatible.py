"""Text, conversations and code from a server that speaks OpenAI's protocol: vLLM, llama.cpp, SGLang, others.

Needs no torch. Every output is a stream of its own, with its own seed; all run at the same time, since such a
server batches by itself. A stop closes the stream, at which servers end their work.
"""

import asyncio
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, ClassVar

import httpx

from pipelines.base import Capabilities, Emit, Output, Request
from pipelines.errors import EngineError, ModelUnavailable, PipelineError, Stopped, TransientEngineError
from pipelines.families._code import code_facts
from pipelines.families._openai import CODE, Piece, errors_translated, instructs, pieces, question
from pipelines.families._text import StopFinder, Unfencer
from pipelines.outputs import Facts
from pipelines.seeds import output_seed

LOOK_SECONDS = 0.05
"""How often it is asked whether a request is stopped, or another has come."""

SIGN_SECONDS = 5.0
"""How often a request that waits for the server gives a sign of life: a worker ends an engine without one."""

CONNECT_SECONDS = 10.0

LONGEST_TEXT = 1_000_000
"""Characters of one output: more than max_tokens can be, so the server does not keep to it."""

END = object()


class OpenAICompatible:
    kinds: ClassVar = ("text", "chat", "code")
    capabilities: ClassVar = Capabilities(
        max_batch=16,
        serves=("text", "chat", "code"),
        streams=True,
        repeats=False,
        needs=("httpx", "httpx-sse"),
    )

    def __init__(self, model: str, body: Mapping[str, Any], client: Mapping[str, Any]) -> None:
        self.model, self.body, self.client = model, body, client

    @classmethod
    def load(
        cls,
        weights: Path | None,
        device: str,
        dtype: str,
        *,
        url: str,
        model: str,
        key_env: str = "",
        timeout_seconds: float = 120.0,
        body: Mapping[str, Any] | None = None,
    ) -> "OpenAICompatible":
        """`url`: up to `/v1`; `model`: its name there; `key_env`: the environment variable with the key;
        `timeout_seconds`: longest silence of the server; `body`: further fields of every request to it."""
        headers = {}
        if key_env:
            if not os.environ.get(key_env):
                raise ModelUnavailable(f"the environment variable {key_env}, for the key, is not set")
            headers["Authorization"] = f"Bearer {os.environ[key_env]}"
        timeout = httpx.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds), pool=None)
        limits = httpx.Limits(max_connections=cls.capabilities.max_batch)
        client = {"base_url": url.rstrip("/"), "headers": headers, "timeout": timeout, "limits": limits}
        return cls(model, dict(body or {}), client)

    def serve(self, requests: Iterable[Request | None], emit: Emit) -> None:
        """All requests run at the same time; `None` says that none has come since."""
        asyncio.run(self._serve(iter(requests), emit))

    async def _serve(self, requests: Iterator[Request | None], emit: Emit) -> None:
        running: dict[asyncio.Task[None], Answer] = {}
        coming = True
        async with httpx.AsyncClient(**self.client) as client:
            while coming or running:
                request = next(requests, END) if coming else None
                if isinstance(request, Request):
                    answer = Answer(self, client, request, emit)
                    running[asyncio.create_task(answer.make())] = answer
                else:
                    coming = coming and request is not END
                    await _look(running, emit)


async def _look(running: "dict[asyncio.Task[None], Answer]", emit: Emit) -> None:
    """Let the running requests go on for a moment, and end those that are stopped."""
    if not running:
        await asyncio.sleep(LOOK_SECONDS)
        return
    done, _ = await asyncio.wait(running, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        del running[task]
        task.result()  # raises what nobody expected
    for task, answer in running.items():
        if not task.cancelling() and emit.stopped(answer.request):
            task.cancel()
        answer.tell_alive()


class Answer:
    """What the server makes of one request."""

    def __init__(
        self, family: OpenAICompatible, client: httpx.AsyncClient, request: Request, emit: Emit
    ) -> None:
        self._family, self._client, self.request, self._emit = family, client, request, emit
        self._heard = 0
        """Pieces of text, which are about tokens."""
        self._told_at = time.monotonic()

    async def make(self) -> None:
        """Have all outputs made at the same time, and tell how that ended."""
        error: PipelineError = Stopped()
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._output(index)) for index in range(self.request.inputs.n)]
        except* PipelineError as raised:
            error = _first(raised)
        except* asyncio.CancelledError:
            pass  # it was stopped
        else:
            self._emit.done(self.request, [task.result() for task in tasks])
            return
        self._emit.failed(self.request, error)

    async def _output(self, index: int) -> Output:
        path, body = question(self.request, index)
        line = Line(self.request)
        with errors_translated():
            asked = self._client.stream(
                "POST", path, json={**body, "model": self._family.model, **self._family.body}
            )
            async with asked as response, aclosing(pieces(response)) as heard:
                async for piece in heard:
                    self._give(index, line.take(piece))
                    if piece.text:
                        self._heard += 1
                        self._tell()
                    if line.ended:
                        break
        if not line.finish:
            raise TransientEngineError("The model's server broke off before the end of the text.")
        self._give(index, line.rest())
        seed = output_seed(self.request.inputs.seed, index)
        return Output(index, line.text, seed, bucket=0, facts=line.facts())

    def _give(self, index: int, text: str) -> None:
        if text:
            self._emit.delta(self.request, index, text)

    def tell_alive(self) -> None:
        """Give a sign of life while the server says nothing: how long it may is for `timeout_seconds`."""
        if time.monotonic() - self._told_at > SIGN_SECONDS:
            self._tell()

    def _tell(self) -> None:
        total = self.request.inputs.n * self.request.inputs.max_tokens
        self._told_at = time.monotonic()
        self._emit.progress(self.request, min(self._heard, total), total)


class Line:
    """One output while it grows."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._stops = StopFinder(request.inputs.stop)
        self._block = Unfencer() if instructs(request) else None
        self.text = ""
        self.tokens = 0
        """As many as the server says; until then, how many pieces of text came."""
        self.finish = ""
        """Why it ended, in the server's word."""

    @property
    def ended(self) -> bool:
        """Whether what else the server sends is not wanted."""
        return self._stops.found or (self._block is not None and self._block.found)

    def take(self, piece: Piece) -> str:
        """The text that is certain with one more piece."""
        self.tokens += bool(piece.text)
        self.finish = self.finish or piece.finish
        if piece.usage and piece.usage.completion_tokens is not None:
            self.tokens = piece.usage.completion_tokens
        given = self._stops.push(self._block.push(piece.text) if self._block else piece.text)
        if self.ended:
            self.finish = "stop"
        return self._add(given)

    def rest(self) -> str:
        """What was held back."""
        block = self._block.rest() if self._block else ""
        return self._add(self._stops.push(block) + self._stops.rest())

    def facts(self) -> Facts:
        """What an artifact says of the text beside the text."""
        checked = code_facts(self._request.inputs, self.text) if self._request.kind == "code" else {}
        finish = self.finish if CODE.fullmatch(self.finish) else "unknown"
        return {"finish_reason": finish, "tokens": self.tokens, **checked}

    def _add(self, given: str) -> str:
        self.text += given
        if len(self.text) > LONGEST_TEXT:
            raise EngineError("The model's server does not keep to max_tokens.")
        return given


def _first(raised: BaseExceptionGroup[PipelineError]) -> PipelineError:
    """One of the errors of several outputs; a group of TaskGroup holds no groups."""
    return next(error for error in raised.exceptions if isinstance(error, PipelineError))
