"""Inputs as they are typed: `k=v` and `k=@file`, sizes, pictures."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer

from atelier.cli.flags import plain


def split(pairs: Iterable[str]) -> dict[str, str]:
    """`["steps=4"]` → `{"steps": "4"}`."""
    found: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE")
        found[name] = value
    return found


def typed(pairs: Mapping[str, str], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Values of the types that the kind's JSON schema wants; a name may be written as options are, with `-`.
    Unknown names pass, for the server to refuse."""
    properties = schema.get("properties", {})
    named = {name.replace("-", "_"): value for name, value in pairs.items()}
    return {name: _value(value, properties.get(name, {})) for name, value in named.items()}


def _value(text: str, schema: Mapping[str, Any]) -> Any:
    """`@file` is the file: its text where text is wanted, else an upload. `@@x` is the text `@x`."""
    inner = plain(schema)
    wants_text = inner.get("type") == "string"
    if text.startswith("@@"):
        text = text[1:]
    elif text.startswith("@"):
        path = existing(Path(text[1:]))
        return _read(path) if wants_text else path
    return text if wants_text else _json_or_text(text)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise typer.BadParameter(f"{path} is not text in UTF-8") from error


def _json_or_text(text: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return text


def words(text: str) -> str:
    """`@file` is the file's text, `@@x` the text `@x`."""
    return str(_value(text, {"type": "string"}))


def existing(path: Path) -> Path:
    if not path.is_file():
        raise typer.BadParameter(f"there is no file {path}")
    return path


def size(text: str | None) -> dict[str, int]:
    """`512x768` → width and height; nothing when it is left out."""
    if text is None:
        return {}
    width, x, height = text.lower().partition("x")
    if not (x and width.isdecimal() and height.isdecimal()):
        raise typer.BadParameter(f"{text!r} is not WIDTHxHEIGHT, such as 512x768", param_hint="--size")
    return {"width": int(width), "height": int(height)}
