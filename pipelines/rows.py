"""Writing rows into the operator's catalog file, all or nothing."""

import json
import os
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from pipelines.errors import FolderRefused


def append_row(into: Path, row: dict[str, Any]) -> None:
    """Add a row to the file; raises FolderRefused where its name is taken or the file is not a catalog."""
    text = _text(into)
    if row["name"] in _names(into, text):
        raise FolderRefused(
            f"{into} has a model {row['name']} already; choose another name or remove that row"
        )
    _write(into, f"{text.rstrip()}\n\n{to_toml(row)}".lstrip())


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _names(file: Path, text: str) -> list[Any]:
    try:
        return [table.get("name") for table in tomllib.loads(text).get("model", [])]
    except (tomllib.TOMLDecodeError, AttributeError) as error:
        raise FolderRefused(f"{file} is not a catalog file: {error}") from error


def _write(file: Path, text: str) -> None:
    """The whole file at once: a reader sees the old one or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, delete=False) as written:
        written.write(text)
        written.flush()
        os.fsync(written.fileno())
    Path(written.name).replace(file)


def to_toml(row: dict[str, Any]) -> str:
    """A `[[model]]` table; JSON writes strings, numbers and lists of them as TOML does."""
    plain = [f"{key} = {_value(value)}" for key, value in row.items() if not isinstance(value, dict)]
    tables = [
        "\n".join([f"\n[model.{key}]", *(f"{name} = {_value(value)}" for name, value in values.items())])
        for key, values in row.items()
        if isinstance(values, dict) and values
    ]
    return "\n".join(["[[model]]", *plain, *tables, ""])


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
