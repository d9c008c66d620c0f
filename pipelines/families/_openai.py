"""OpenAI's protocol for text: what is sent for one output, and what is heard. Needs no torch."""

import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from httpx_sse import EventSource, SSEError
from pydantic import BaseModel, ValidationError

from pipelines.base import Request
from pipelines.errors import EngineError, ModelUnavailable, TransientEngineError
from pipelines.seeds import output_seed

STOPS_SENT = 4
"""OpenAI takes no more stop texts."""

TRY_AGAIN = {408, 409, 425, 429}
"""Statuses below 500 that may pass."""

NOT_THERE = {401: "does not accept the key", 403: "does not accept the key", 404: "does not know it"}

CODE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""What a server's error code looks like. Its message is not passed on, since it may quote the prompt."""

MOST_ERROR_BYTES = 65_536

ONLY_CODE = "Answer with code only, without any explanation."


class Delta(BaseModel):
    """More of a message."""

    content: str | None = None


class Choice(BaseModel):
    """More of an output: `text` in completions, `delta` in conversations."""

    text: str | None = None
    delta: Delta | None = None
    finish_reason: str | None = None


class Usage(BaseModel):
    """What the whole took."""

    completion_tokens: int | None = None


class Piece(BaseModel):
    """One event of a stream."""

    choices: list[Choice] = []
    usage: Usage | None = None
    error: Any = None

    @property
    def text(self) -> str:
        """The text that it adds."""
        if not self.choices:
            return ""
        delta = self.choices[0].delta
        return (delta.content if delta else self.choices[0].text) or ""

    @property
    def finish(self) -> str:
        """Why the output ended with it; empty: it goes on."""
        return (self.choices[0].finish_reason if self.choices else None) or ""


def question(request: Request, index: int) -> tuple[str, dict[str, Any]]:
    """The path and the body that ask for output `index`, without the model's name."""
    inputs = request.inputs
    body: dict[str, Any] = {
        "max_tokens": inputs.max_tokens,
        "temperature": inputs.temperature,
        "top_p": inputs.top_p,
        "seed": output_seed(inputs.seed, index),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if inputs.min_p:  # not every server takes it
        body["min_p"] = inputs.min_p
    if inputs.stop:
        body["stop"] = list(inputs.stop[:STOPS_SENT])
    if request.kind == "text":
        return "/completions", {**body, "prompt": inputs.prompt}
    if request.kind == "chat":
        messages = [{"role": one.role, "content": one.content} for one in inputs.messages]
        return "/chat/completions", {**body, "messages": messages}
    if instructs(request):
        return "/chat/completions", {**body, "messages": _instruction(inputs)}
    gap = {"suffix": inputs.suffix} if inputs.suffix else {}
    return "/completions", {**body, "prompt": inputs.prefix, **gap}


def instructs(request: Request) -> bool:
    """Whether it asks for code by an instruction."""
    return request.kind == "code" and bool(request.inputs.prompt.strip())


def _instruction(inputs: Any) -> list[dict[str, str]]:
    words = [inputs.prompt]
    if inputs.language:
        words.append(f"The language is {inputs.language}.")
    if inputs.prefix:
        words.append(f"Your code goes on from this, without repeating it:\n\n```\n{inputs.prefix}\n```")
    if inputs.suffix:
        words.append(f"Right after your code comes:\n\n```\n{inputs.suffix}\n```")
    return [{"role": "system", "content": ONLY_CODE}, {"role": "user", "content": "\n\n".join(words)}]


async def pieces(response: httpx.Response) -> AsyncGenerator[Piece, None]:
    """The events of an answer, to its end; raises what the server says instead."""
    await _check(response)
    async for event in EventSource(response).aiter_sse():
        if event.data == "[DONE]":
            return
        piece = Piece.model_validate_json(event.data)
        if piece.error is not None:
            raise TransientEngineError(f"The model's server broke off{_code(piece.error)}.")
        yield piece


async def _check(response: httpx.Response) -> None:
    """Raise unless the answer is a stream that has begun well."""
    status = response.status_code
    if status == httpx.codes.OK:
        return
    if status in NOT_THERE:
        raise ModelUnavailable(f"The model's server {NOT_THERE[status]} ({status}).")
    told = f"The model's server refused the request ({status}{_code(await _error(response))})."
    raise (TransientEngineError if status in TRY_AGAIN or status >= 500 else EngineError)(told)


async def _error(response: httpx.Response) -> Any:
    """The `error` of a refusal's body, if it has one."""
    body = b""
    async for part in response.aiter_bytes():
        body += part
        if len(body) > MOST_ERROR_BYTES:
            return None
    try:
        return Piece.model_validate_json(body).error
    except ValidationError:
        return None


def _code(error: Any) -> str:
    """A server's error code in words of ours, or nothing."""
    named = [error.get("code"), error.get("type")] if isinstance(error, dict) else []
    return next((f", {name}" for name in named if isinstance(name, str) and CODE.fullmatch(name)), "")


@contextmanager
def errors_translated() -> Iterator[None]:
    """Raise in our words what goes wrong on the way to the server and back."""
    try:
        yield
    except (SSEError, ValidationError) as error:
        raise EngineError("The model's server does not speak OpenAI's protocol.") from error
    except httpx.TimeoutException as error:
        raise TransientEngineError("The model's server gave no sign of life in time.") from error
    except httpx.RequestError as error:
        raise TransientEngineError("The model's server cannot be reached, or broke off.") from error
