"""Kinds: what a job does, and the inputs that each takes. Written once; the API's validation, its JSON
Schema, the web forms and the command's flags all come from here. Loads nothing heavy.

Every field has a help text (`description`), a range, and a unit where it has one. A model's catalog row
may narrow ranges and change defaults (`pipelines.models`), never widen them.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from pipelines.errors import InvalidInputs, Problem, UnknownKind
from pipelines.kinds.base import BLANK, REFERENCE, WORDS, FileRef, Inputs, Media, TextRef
from pipelines.kinds.images import ImageToImage, Inpaint, Lora, TextToImage, Upscale
from pipelines.kinds.music import ContinueMusic, TextToMusic
from pipelines.kinds.texts import Chat, Code, Message, Text
from pipelines.kinds.videos import ImageToVideo, TextToVideo, VideoToVideo

__all__ = [
    "BLANK",
    "KINDS",
    "Chat",
    "Code",
    "ContinueMusic",
    "FileRef",
    "ImageToImage",
    "ImageToVideo",
    "Inpaint",
    "Inputs",
    "Lora",
    "Media",
    "Message",
    "Text",
    "TextRef",
    "TextToImage",
    "TextToMusic",
    "TextToVideo",
    "Upscale",
    "VideoToVideo",
    "inputs_of",
    "parse_inputs",
    "pointer",
    "schema_of",
]

KINDS: dict[str, type[Inputs]] = {
    cls.kind: cls
    for cls in (
        TextToImage,
        ImageToImage,
        Inpaint,
        Upscale,
        TextToVideo,
        ImageToVideo,
        VideoToVideo,
        TextToMusic,
        ContinueMusic,
        Text,
        Chat,
        Code,
    )
}
"""Every kind by its name, in the order that people see them."""


def inputs_of(kind: str) -> type[Inputs]:
    """The inputs class of a kind; raises UnknownKind."""
    if kind not in KINDS:
        raise UnknownKind(f"there is no kind {kind!r}; known: {', '.join(KINDS)}")
    return KINDS[kind]


def parse_inputs(kind: str, raw: Mapping[str, Any]) -> Inputs:
    """`raw` (as JSON gave it) as validated inputs; raises InvalidInputs with every problem's pointer."""
    cls = inputs_of(kind)
    try:
        return cls.model_validate(dict(raw))
    except ValidationError as error:
        found = [_problem(details) for details in error.errors(include_url=False)]
        raise InvalidInputs(list(dict.fromkeys(found))) from error


def schema_of(kind: str) -> dict[str, Any]:
    """JSON Schema (2020-12) of a kind's inputs, with help texts, units and defaults."""
    cls = inputs_of(kind)
    return {**cls.model_json_schema(), "title": cls.__name__, "description": cls.summary}


def pointer(*parts: str | int) -> str:
    """A JSON pointer (RFC 6901) to a value in a request."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def _problem(details: ErrorDetails) -> Problem:
    field = details.get("ctx", {}).get("field")
    place = (*details["loc"], field) if field else details["loc"]
    shown = [part for at, part in enumerate(place) if at != 1 or part not in (WORDS, REFERENCE)]
    return Problem(pointer("inputs", *shown), _words(details))


def _words(details: ErrorDetails) -> str:
    match details:
        case {"type": "extra_forbidden"}:
            return "there is no such field"
        case {"type": "too_long", "input": str(), "ctx": {"max_length": most}}:
            return f"must have at most {most} characters"
        case _:
            return details["msg"]
