"""Command flags made from the kinds' JSON schemas: each input is written once, in `pipelines.kinds`."""

import functools
import inspect
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import fields
from typing import Annotated, Any, ClassVar, Final

import typer
from typer.core import TyperCommand

from atelier.cli import making

#: Shorter or other names than the field's own.
OTHER_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "negative_prompt": ("--negative",),
    "duration_seconds": ("--duration",),
    "loras": ("--lora",),
    "extras": ("--extra",),
    "instruments": ("--instrument",),
}

_TYPES: Final[Mapping[str, Any]] = {"integer": int, "number": float, "string": str, "boolean": bool}


class Maker:
    """A command with an option for each input field of its kinds. They are read only when the command is
    looked at: else each start of `atelier` would take a third longer."""

    def __init__(self, command: Callable[..., None], kinds: Sequence[str], skip: Container[str]) -> None:
        self._command, self.kinds, self._skip = command, kinds, skip

    def __call__(self, **given: Any) -> None:
        self.whole(**given)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.whole)

    @functools.cached_property
    def whole(self) -> Callable[..., None]:
        """What typer reads and runs."""
        inputs = self._inputs()

        @functools.wraps(self._command)
        def with_inputs(**given: Any) -> None:
            given.pop("as_json")
            values = {name: given.pop(name) for name in inputs}
            how = making.Making(**{each.name: given.pop(each.name) for each in fields(making.Making)})
            set_ = {name: _typed(name, value) for name, value in values.items() if value not in (None, [])}
            self._command(**given, making=how, inputs=set_)

        own = inspect.signature(self._command).parameters.values()
        shared = inspect.signature(making.options).parameters.values()
        parameters = [
            *(each for each in own if each.name not in ("making", "inputs")),
            *shared,
            *(_option(name, schema) for name, schema in inputs.items()),
        ]
        parameters.sort(key=lambda each: each.kind)  # arguments first, the options in the order of writing
        vars(with_inputs)["__signature__"] = inspect.Signature(parameters)
        with_inputs.__annotations__ = {each.name: each.annotation for each in parameters}
        return with_inputs

    def _inputs(self) -> dict[str, dict[str, Any]]:
        """The schemas of the fields, each as the last of the kinds has it."""
        from pipelines.kinds import KINDS

        last = {
            name: kind for kind in self.kinds for name in KINDS[kind].model_fields if name not in self._skip
        }
        schemas = {kind: KINDS[kind].model_json_schema()["properties"] for kind in set(last.values())}
        return {name: schemas[kind][name] for name, kind in last.items()}

    def add_to(self, app: typer.Typer, panel: str) -> None:
        """Make it a command of the app, whose options are made when somebody asks for them."""
        command = self._command

        class Late(LateCommand):
            maker = self

        app.command(command.__name__, cls=Late, help=command.__doc__, rich_help_panel=panel)(lambda: None)


class LateCommand(TyperCommand):
    """Stands for a maker's command; its options and what it runs are those of the whole one."""

    maker: ClassVar[Maker]

    @functools.cached_property
    def whole(self) -> Any:
        app = typer.Typer(add_completion=False)
        app.command(self.name)(self.maker.whole)
        return typer.main.get_command(app)

    def get_params(self, ctx: Any) -> list[Any]:
        self.params, self.callback = self.whole.params, self.whole.callback
        return super().get_params(ctx)


def makes(kinds: Sequence[str], skip: Container[str]) -> Callable[[Callable[..., None]], Maker]:
    """Give a command the options of `making.options`, and one for each input field of these kinds but those
    in `skip`.

    The command gets them as the arguments `making`, and `inputs`: what was set, by field name.
    """
    return lambda command: Maker(command, kinds, skip)


def plain(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema without its `null` alternative; of words and a reference, that of the words."""
    options = schema.get("anyOf", schema.get("oneOf", ()))
    return next((each for each in options if each.get("type") != "null"), schema)


def _option(name: str, schema: Mapping[str, Any]) -> inspect.Parameter:
    flags = (*OTHER_NAMES.get(name, ()), "--" + name.replace("_", "-"))
    option = typer.Option(*flags, help=_help(name, schema), show_default=False, rich_help_panel="Inputs")
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[_type(schema), option]
    )


def _type(schema: Mapping[str, Any]) -> Any:
    inner = plain(schema)
    if inner.get("type") == "array":
        return list[str] | None
    return _TYPES[inner.get("type", "string")] | None


def _typed(name: str, value: Any) -> Any:
    """What was typed as the field takes it: `fox=0.8` is an addition to the model with its scale."""
    return [_lora(each) for each in value] if name == "loras" else value


def _lora(text: str) -> dict[str, Any]:
    name, equals, scale = text.partition("=")
    try:
        return {"name": name, "scale": float(scale)} if equals else {"name": name}
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not NAME or NAME=SCALE", param_hint="--lora") from None


def _help(name: str, schema: Mapping[str, Any]) -> str:
    """The field's own description, with its unit and what it may be."""
    inner = plain(schema)
    one = inner.get("items", inner)
    parts = [str(schema.get("description", "")).rstrip(".") + "."]
    if "enum" in one:
        parts.append(f"One of {', '.join(map(str, one['enum']))}.")
    if "minimum" in inner and "maximum" in inner and inner["maximum"] < 1e6:
        parts.append(
            f"{inner['minimum']} to {inner['maximum']}{' ' + schema['unit'] if 'unit' in schema else ''}."
        )
    if name == "loras":
        parts.append("NAME or NAME=SCALE.")
    if inner.get("type") == "array":
        parts.append("Repeat it.")
    return " ".join(parts)
