"""JSON as the API accepts it: what two parsers could read in two ways is refused, and so is what no
database holds."""

import json
import math
from collections.abc import Iterator
from typing import Any, NoReturn

from api.problems import Fault, Problem

MAX_DEPTH = 32
LARGEST_INTEGER = 2**63 - 1


def parse(body: bytes) -> Any:
    """The value of a UTF-8 JSON document; Problem `malformed_json` (400) that says what is wrong and
    where."""
    if not body.strip():
        raise Problem("malformed_json", "The body is empty; it must be a JSON document.")
    value = _decode(_text(body))
    for pointer, detail in _flaws(value):
        raise Problem("malformed_json", detail, faults=[Fault(pointer, detail)])
    return value


def _text(body: bytes) -> str:
    if body.startswith(b"\xef\xbb\xbf"):
        raise Problem("malformed_json", "The body begins with a byte order mark; send UTF-8 without one.")
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem("malformed_json", f"The body is not UTF-8 (byte {error.start}).") from None


def _decode(text: str) -> Any:
    try:
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_integer,
            parse_float=_number,
            parse_constant=_constant,
        )
    except json.JSONDecodeError as error:
        detail = f"{error.msg} (line {error.lineno}, column {error.colno})."
        raise Problem("malformed_json", detail) from None
    except RecursionError:
        raise Problem("malformed_json", f"Nesting is deeper than {MAX_DEPTH} levels.") from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        double = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise Problem("malformed_json", f"The name {double[:64]!r} appears twice in one object.")
    return value


def _integer(digits: str) -> int:
    if len(digits) > 20 or abs(int(digits)) > LARGEST_INTEGER:
        raise Problem("malformed_json", f"The integer {digits[:24]}… is larger than 2^63 - 1.")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Problem("malformed_json", f"The number {digits[:24]} is too large.")
    return value


def _constant(name: str) -> NoReturn:
    raise Problem("malformed_json", f"{name} is not JSON.")


def _flaws(value: Any) -> Iterator[tuple[str, str]]:
    """(pointer, what is wrong) of nesting too deep and of text that cannot be stored; without recursion."""
    waiting: list[tuple[Any, str, int]] = [(value, "", 1)]
    while waiting:
        item, pointer, depth = waiting.pop()
        if depth > MAX_DEPTH:
            yield pointer, f"Nesting is deeper than {MAX_DEPTH} levels."
        if isinstance(item, str):
            yield from ((pointer, detail) for detail in _text_flaws(item))
        elif isinstance(item, dict):
            for name in item:
                yield from ((pointer, f"A name: {detail}") for detail in _text_flaws(name))
            waiting += [(part, f"{pointer}/{escape(name)}", depth + 1) for name, part in item.items()]
        elif isinstance(item, list):
            waiting += [(part, f"{pointer}/{index}", depth + 1) for index, part in enumerate(item)]


def _text_flaws(text: str) -> Iterator[str]:
    if "\0" in text:
        yield "Text must not contain NUL."
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        yield "Text must not contain half of a surrogate pair."


def escape(name: str | int) -> str:
    """One step of an RFC 6901 pointer."""
    return str(name).replace("~", "~0").replace("/", "~1")
