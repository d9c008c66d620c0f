"""Writing rows of catalog files, all or nothing.

Two files are written: the operator's own, where a row is added or taken out and all else stays as it was
written; and the list of what has been pulled, which nobody edits by hand.
"""

import itertools
import json
import os
import re
import stat
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from pipelines.errors import FolderRefused

Row = dict[str, Any]

PULLED_HEAD = (
    "# Written by `atelier models pull`, `accept` and `remove`; it is read after the operator's own files.\n"
)

TABLE = re.compile(r"^\[\[\s*(model|lora)\s*\]\]", re.MULTILINE)


def append_rows(into: Path, rows: list[Row], table: str = "model") -> None:
    """Add rows to the operator's file; raises FolderRefused where a name is taken, or it is no catalog."""
    text = _text(into)
    taken = {row.get("name") for row in _tables(into, text).get(table, [])}
    for row in rows:
        if row["name"] in taken:
            raise FolderRefused(
                f"{into} has a {table} {row['name']} already; choose another name or remove that row"
            )
    try:
        added = "\n".join(to_toml(row, table) for row in rows)
        whole = f"{text.rstrip()}\n\n{added}".lstrip()
        tomllib.loads(whole)
    except (TypeError, tomllib.TOMLDecodeError) as error:
        raise FolderRefused(
            f"the rows cannot be written: a value is not text, a number or a list ({error})"
        ) from error
    _write(into, whole)


def remove_row(file: Path, name: str) -> bool:
    """Take a model's row out of the operator's file; False where it is not there.

    Raises FolderRefused where that cannot be done without touching other lines.
    """
    text = _text(file)
    tables = _tables(file, text)
    models = tables.get("model", [])
    if all(row.get("name") != name for row in models):
        return False
    wanted = {**tables, "model": [row for row in models if row.get("name") != name]}
    for rest in _without_one_table(text):
        if _says(rest, wanted):
            _write(file, rest)
            return True
    raise FolderRefused(f"{file} cannot be changed by a program: take the row of {name} out by hand")


def _without_one_table(text: str) -> Iterator[str]:
    """The text without what stands from one line that looks like a table's head to the next."""
    starts = [match.start() for match in TABLE.finditer(text)] + [len(text)]
    for start, end in itertools.pairwise(starts):
        yield text[:start] + text[end:]


def _says(text: str, wanted: dict[str, list[Row]]) -> bool:
    try:
        return {"model": [], **tomllib.loads(text)} == wanted
    except tomllib.TOMLDecodeError:
        return False


def overlay_row(file: Path, name: str, values: Row) -> None:
    """Set these keys of a model's row in the list of what has been pulled."""
    rows = _pulled(file)
    rows[name] = {**rows.get(name, {"name": name}), **values}
    _write_pulled(file, rows)


def drop_keys(file: Path, name: str, keys: set[str]) -> bool:
    """Take these keys out of a model's row in that list; False where none was there."""
    rows = _pulled(file)
    row = rows.pop(name, {})
    left = {key: value for key, value in row.items() if key not in keys}
    if left == row:
        return False
    if left.keys() > {"name"}:
        rows[name] = left
    _write_pulled(file, rows)
    return True


def _pulled(file: Path) -> dict[str, Row]:
    return {row["name"]: row for row in _tables(file, _text(file)).get("model", [])}


def _write_pulled(file: Path, rows: dict[str, Row]) -> None:
    _write(file, "\n".join([PULLED_HEAD, *map(to_toml, rows.values())]))


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8") if file.exists() else ""


def _tables(file: Path, text: str) -> dict[str, list[Row]]:
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FolderRefused(f"{file} is not a catalog file: {error}") from error
    if not all(isinstance(rows, list) for rows in tables.values()):
        raise FolderRefused(f"{file} is not a catalog file: it has only [[model]] and [[lora]] tables")
    return tables


def _write(file: Path, text: str) -> None:
    """The whole file at once: a reader sees the old one or the new one."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=file.parent, delete=False) as written:
        written.write(text)
        written.flush()
        if file.exists():  # whoever could read it still can
            old = file.stat()
            os.fchmod(written.fileno(), stat.S_IMODE(old.st_mode))
            with suppress(PermissionError):
                os.fchown(written.fileno(), old.st_uid, old.st_gid)
        else:
            os.fchmod(written.fileno(), 0o644)
        os.fsync(written.fileno())
    Path(written.name).replace(file)


def to_toml(row: Row, table: str = "model") -> str:
    """A `[[model]]` table; JSON writes strings, numbers and lists of them as TOML does."""
    plain = [f"{key} = {_value(value)}" for key, value in row.items() if not isinstance(value, dict)]
    tables = [
        "\n".join(
            [f"\n[{table}.{key}]", *(f"{_key(name)} = {_value(value)}" for name, value in values.items())]
        )
        for key, values in row.items()
        if isinstance(values, dict) and values
    ]
    return "\n".join([f"[[{table}]]", *plain, *tables, ""])


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else json.dumps(name)


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {_value(each)}" for key, each in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
