"""Command flags made from the kinds' JSON schemas: each input is written once, in `pipelines.kinds`."""

import functools
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, Final

import typer

from pipelines.kinds import KINDS

#: Shorter or other names than the field's own.
OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {"negative_prompt": ("--negative",)}

_TYPES: Final[Mapping[str, Any]] = {"integer": int, "number": float, "string": str, "boolean": bool}


def takes_inputs(
    kinds: Iterable[str], skip: Iterable[str]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command one option for each input field of these kinds, but those in `skip`.

    The command gets what was set as the argument `inputs`, a dict by field name.
    """
    fields = {
        name: schema for kind in kinds for name, schema in properties(kind).items() if name not in set(skip)
    }

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_inputs(**given: Any) -> None:
            inputs = {name: given.pop(name) for name in fields}
            command(
                **given, inputs={name: value for name, value in inputs.items() if value not in (None, [])}
            )

        own = [each for each in inspect.signature(command).parameters.values() if each.name != "inputs"]
        options = [_option(name, schema) for name, schema in fields.items()]
        vars(with_inputs)["__signature__"] = inspect.Signature(own + options)  # what typer reads
        with_inputs.__annotations__ = {each.name: each.annotation for each in own + options}
        return with_inputs

    return decorate


def properties(kind: str) -> dict[str, dict[str, Any]]:
    """The input fields of a kind, each with its JSON schema."""
    return dict(KINDS[kind].model_json_schema()["properties"])


def plain(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema without its `null` alternative."""
    return next((each for each in schema.get("anyOf", ()) if each.get("type") != "null"), schema)


def _option(name: str, schema: Mapping[str, Any]) -> inspect.Parameter:
    flags = (*OTHER_NAMES.get(name, ()), "--" + name.replace("_", "-"))
    option = typer.Option(*flags, help=_help(schema), show_default=False, rich_help_panel="Inputs")
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[_type(schema), option]
    )


def _type(schema: Mapping[str, Any]) -> Any:
    inner = plain(schema)
    if inner.get("type") == "array":
        return list[str] | None
    return _TYPES[inner.get("type", "string")] | None


def _help(schema: Mapping[str, Any]) -> str:
    """The field's own description, with its unit and what it may be."""
    inner = plain(schema)
    parts = [str(schema.get("description", "")).rstrip(".") + "."]
    if "enum" in inner:
        parts.append(f"One of {', '.join(inner['enum'])}.")
    if "minimum" in inner and "maximum" in inner and inner["maximum"] < 1e6:
        parts.append(
            f"{inner['minimum']} to {inner['maximum']}{' ' + schema['unit'] if 'unit' in schema else ''}."
        )
    return " ".join(parts)
