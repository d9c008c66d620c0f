"""`image`, `video`, `music`, `upscale`: queue a job, follow it, fetch what it made.

What is given to start from decides the kind.
"""

from typing import Annotated, Any

import typer

from atelier.cli import given
from atelier.cli.common import client_of
from atelier.cli.flags import makes
from atelier.cli.making import Making
from atelier.cli.source import (
    WHAT,
    FromFlag,
    ImageFlag,
    MaskFlag,
    PromptFromFlag,
    VideoFlag,
    field_for,
    prompt,
    source,
)

SizeFlag = Annotated[
    str | None, typer.Option("--size", help="WIDTHxHEIGHT in pixels.", rich_help_panel="Inputs")
]


@makes(
    ["text-to-image", "image-to-image", "inpaint"],
    skip=["prompt", "width", "height", "image", "mask"],
)
def image(
    words: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="What the picture shows.", show_default=False)
    ] = None,
    *,
    start: FromFlag = None,
    picture: ImageFlag = None,
    mask: MaskFlag = None,
    prompt_from: PromptFromFlag = None,
    size: SizeFlag = None,
    making: Making,
    inputs: dict[str, Any],
) -> None:
    """Make pictures from a description: anew, from a picture (--from), or a part of one (--mask)."""
    inputs |= prompt(words, prompt_from) | given.size(size)
    if (first := one_of(start, picture)) is not None:
        inputs["image"] = source(first)
    if mask is not None:
        inputs["mask"] = source(mask)
    kind = "inpaint" if mask is not None else "image-to-image" if first is not None else "text-to-image"
    with client_of(making.context) as client:
        making.see_through(client, making.submit(client, kind, inputs))


@makes(
    ["text-to-video", "image-to-video", "video-to-video"],
    skip=["prompt", "width", "height", "image", "video"],
)
def video(
    words: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="What the video shows.", show_default=False)
    ] = None,
    *,
    start: FromFlag = None,
    picture: ImageFlag = None,
    film: VideoFlag = None,
    prompt_from: PromptFromFlag = None,
    size: SizeFlag = None,
    making: Making,
    inputs: dict[str, Any],
) -> None:
    """Make a video from a description: anew, from a picture or from a video (--from)."""
    inputs |= prompt(words, prompt_from) | given.size(size)
    with client_of(making.context) as client:
        field = "text"
        if (first := one_of(start, picture, film)) is not None:
            found = source(first)
            field = "image" if picture else "video" if film else field_for(client, found)
            inputs[field] = found
        making.see_through(client, making.submit(client, f"{field}-to-video", inputs))


@makes(["text-to-music", "continue-music"], skip=["prompt", "audio"])
def music(
    words: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="What the music is like.", show_default=False)
    ] = None,
    *,
    start: FromFlag = None,
    prompt_from: PromptFromFlag = None,
    making: Making,
    inputs: dict[str, Any],
) -> None:
    """Make music from a description: anew, or going on from a recording or a MIDI file (--from)."""
    inputs |= prompt(words, prompt_from)
    if start is not None:
        inputs["audio"] = source(start)
    kind = "text-to-music" if start is None else "continue-music"
    with client_of(making.context) as client:
        making.see_through(client, making.submit(client, kind, inputs))


@makes(["upscale"], skip=["prompt", "image", "video"])
def upscale(
    what: Annotated[str, typer.Argument(metavar="SOURCE", help=f"The picture or video. {WHAT}")],
    words: Annotated[
        str | None, typer.Argument(metavar="PROMPT", help="What it shows.", show_default=False)
    ] = None,
    *,
    prompt_from: PromptFromFlag = None,
    making: Making,
    inputs: dict[str, Any],
) -> None:
    """Make a picture, or a video, larger."""
    with client_of(making.context) as client:
        found = source(what)
        inputs |= prompt(words, prompt_from) | {field_for(client, found): found}
        making.see_through(client, making.submit(client, "upscale", inputs))


def one_of(*given: str | None) -> str | None:
    """The one that was given, if one was."""
    found = [each for each in given if each is not None]
    if len(found) > 1:
        raise typer.BadParameter("give one thing to start from")
    return found[0] if found else None
