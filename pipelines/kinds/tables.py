"""The inputs of the kinds as Markdown tables, for docs/kinds.md: `python -m pipelines.kinds`."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.kinds import KINDS, schema_of

Schema = Mapping[str, Any]


def table(kind: str) -> Iterator[str]:
    """One line for each input of a kind: its name, what it may be, its default, its meaning."""
    schema = schema_of(kind)
    yield "| Field | Values | Default | Meaning |"
    yield "|---|---|---|---|"
    for name, field in schema["properties"].items():
        needed = name in schema.get("required", ())
        default = "required" if needed else f"`{json.dumps(field.get('default'), ensure_ascii=False)}`"
        unit = f" {field['unit']}" if "unit" in field else ""
        values = _values(field, schema.get("$defs", {}))
        yield f"| `{name}` | {values}{unit} | {default} | {field['description']} |"


def section(kind: str) -> Iterator[str]:
    """What the page says of a kind, as far as the code knows it."""
    yield f"## `{kind}`"
    yield ""
    yield KINDS[kind].summary
    yield ""
    yield from table(kind)


def _values(field: Schema, definitions: Schema) -> str:
    """What a field may be, in words."""
    match field:
        case {"anyOf": options} | {"oneOf": options}:
            return ", or ".join(_values(each, definitions) for each in options if each.get("type") != "null")
        case {"$ref": reference}:
            return _named(reference.rpartition("/")[2], definitions)
        case {"enum": only}:
            return ", ".join(f"`{each}`" for each in only)
        case {"type": "array", "items": items, "maxItems": most}:
            least = f"{field['minItems']} to " if "minItems" in field else "up to "
            return f"{least}{most} of: {_values(items, definitions)}"
        case {"type": "string", "maxLength": most}:
            return f"text, up to {most} characters"
        case _:
            return _number(field)


def _named(name: str, definitions: Schema) -> str:
    match name:
        case "FileRef":
            return "a file"
        case "TextRef":
            return "a text of another job"
        case _:
            return "{" + ", ".join(f"`{each}`" for each in definitions[name]["properties"]) + "}"


def _number(field: Schema) -> str:
    low = f"{field['minimum']:g} ≤" if "minimum" in field else f"{field['exclusiveMinimum']:g} <"
    high = f"≤ {field['maximum']:g}" if "maximum" in field else f"< {field['exclusiveMaximum']}"
    multiple = f", multiple of {field['multipleOf']}" if "multipleOf" in field else ""
    return f"{'whole ' if field['type'] == 'integer' else ''}number, {low} x {high}{multiple}"
