"""Request bodies as pydantic models; every fault becomes a pointer into the body."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from api.problems import Fault, Problem
from api.strict_json import escape

M = TypeVar("M", bound=BaseModel)


def parsed(model: type[M], item: Any, place: str = "") -> M:
    """The item, which stands at `place` in the body; Problem 422 with all that is wrong with it."""
    try:
        return model.model_validate(item)
    except ValidationError as error:
        faults = [
            _fault(place, details["loc"], details["type"], details["msg"]) for details in error.errors()
        ]
        raise Problem("invalid_request", summary(faults), faults=faults) from None


def summary(faults: Sequence[Fault]) -> str:
    """The first fault in words, and how many others there are."""
    first = f"{faults[0].pointer}: {faults[0].detail}"
    return first if len(faults) == 1 else f"{first} (and {len(faults) - 1} more)"


def _fault(place: str, loc: Sequence[str | int], kind: str, message: str) -> Fault:
    parts = [part for part in loc if part != "[key]"]
    if parts and parts[0] == "metadata":
        parts = parts[:2]  # the rest names the type that was tried, not a place
    pointer = place + "".join("/" + escape(part) for part in parts)
    return Fault(pointer, "there is no such field" if kind == "extra_forbidden" else message)
