"""Options made from the kinds' schemas, and what people type."""

import inspect
from pathlib import Path
from typing import get_args

import pytest
import typer

from atelier.cli import generate, given, write
from atelier.cli.chat import chat
from atelier.cli.flags import Maker, makes
from pipelines.kinds import KINDS, schema_of


def options(command) -> dict[str, list[str]]:
    """Flags by parameter name."""
    found = {}
    for name, parameter in inspect.signature(command).parameters.items():
        for extra in get_args(parameter.annotation):
            if isinstance(extra, typer.models.OptionInfo):
                found[name] = [
                    each for each in (extra.default, *(extra.param_decls or ())) if isinstance(each, str)
                ]
    return found


@pytest.mark.parametrize(
    ("command", "kinds", "otherwise"),
    [
        (
            generate.image,
            ["text-to-image", "image-to-image", "inpaint"],
            {"prompt", "width", "height", "image", "mask"},
        ),
        (
            generate.video,
            ["text-to-video", "image-to-video", "video-to-video"],
            {"prompt", "width", "height", "image", "video"},
        ),
        (generate.music, ["text-to-music", "continue-music"], {"prompt", "audio"}),
        (generate.upscale, ["upscale"], {"prompt", "image", "video"}),
        (write.text, ["text"], {"prompt"}),
        (chat, ["chat"], {"messages"}),
        (write.code, ["code"], {"prompt"}),
    ],
)
def test_every_input_field_can_be_typed(command, kinds, otherwise):
    fields = {name for kind in kinds for name in KINDS[kind].model_fields} - otherwise

    assert fields <= options(command).keys()
    for name in fields:
        assert "--" + name.replace("_", "-") in options(command)[name]


def test_values_get_the_types_of_the_schema(tmp_path):
    picture, words = tmp_path / "a.png", tmp_path / "prompt.txt"
    picture.write_bytes(b"png")
    words.write_text("a red circle")
    pairs = given.split(
        [f"prompt=@{words}", "steps=4", "guidance=2.5", f"image=@{picture}", "negative-prompt=7"]
    )

    assert given.typed(pairs, schema_of("image-to-image")) == {
        "prompt": "a red circle",
        "steps": 4,
        "guidance": 2.5,
        "image": picture,
        "negative_prompt": "7",
    }


def test_a_doubled_at_is_an_at():
    assert given.typed({"prompt": "@@home = x"}, schema_of("text")) == {"prompt": "@home = x"}


def test_what_is_no_json_is_left_for_the_server_to_refuse():
    assert given.typed({"steps": "many", "nonsense": "x"}, schema_of("text-to-image")) == {
        "steps": "many",
        "nonsense": "x",
    }


def test_lists_and_references_are_json():
    pairs = {"stop": '["."]', "image": '{"upload": "u"}'}

    assert given.typed(pairs, schema_of("text"))["stop"] == ["."]
    assert given.typed(pairs, schema_of("image-to-image"))["image"] == {"upload": "u"}


@pytest.mark.parametrize("text", ["steps", "=4", ""])
def test_a_pair_needs_a_name_and_an_equals_sign(text):
    with pytest.raises(typer.BadParameter, match="NAME=VALUE"):
        given.split([text])


def test_a_file_that_is_not_there_is_said():
    with pytest.raises(typer.BadParameter, match="no file"):
        given.typed({"prompt": "@/no/such"}, schema_of("text"))


def test_a_size_is_width_and_height():
    assert given.size("512x768") == {"width": 512, "height": 768}


@pytest.mark.parametrize("text", ["512", "x", "512x", "-1x5", "axb"])
def test_other_sizes_are_refused(text):
    with pytest.raises(typer.BadParameter, match="512x768"):
        given.size(text)


def test_a_folder_is_no_file():
    with pytest.raises(typer.BadParameter):
        given.existing(Path("/"))


def test_every_kind_has_a_command():
    makers = [each for module in (generate, write) for each in vars(module).values()] + [chat]
    assert {kind for maker in makers if isinstance(maker, Maker) for kind in maker.kinds} == set(KINDS)


@makes(["text-to-image"], skip=["prompt"])
def paint(*, making, inputs):
    raise AssertionError(inputs)


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        (["fox"], [{"name": "fox"}]),
        (["fox=0.5", "me/snow=-1"], [{"name": "fox", "scale": 0.5}, {"name": "me/snow", "scale": -1.0}]),
    ],
)
def test_an_addition_is_typed_with_its_scale(typed, taken):
    given_ = dict.fromkeys(inspect.signature(paint).parameters) | {"loras": typed}
    with pytest.raises(AssertionError) as caught:
        paint(**given_)
    assert caught.value.args[0] == {"loras": taken}


def test_a_scale_that_is_none_is_refused():
    given_ = dict.fromkeys(inspect.signature(paint).parameters) | {"loras": ["fox=much"]}
    with pytest.raises(typer.BadParameter, match="NAME=SCALE"):
        paint(**given_)
