"""What a command is given to work on: a file here, another job's output, an upload, a URL."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atelier.cli import given
from pipelines.errors import InvalidInputs

if TYPE_CHECKING:
    from atelier.client import Client
    from atelier.records import Job

JOB = re.compile(r"(job_[0-9a-f]{24})(?:/(.+))?")
UPLOAD = re.compile(r"upl_[0-9a-f]{24}")
VIDEOS = {".mp4", ".m4v", ".mov", ".webm", ".mkv"}

WHAT = "A file, JOB or JOB/ARTIFACT of another job, or a URL."
FromFlag = Annotated[
    str | None, typer.Option("--from", help=f"Start from this. {WHAT}", rich_help_panel="Inputs")
]
ImageFlag = Annotated[
    str | None, typer.Option("--image", help=f"Start from this picture. {WHAT}", rich_help_panel="Inputs")
]
MaskFlag = Annotated[
    str | None,
    typer.Option("--mask", help=f"Make only its white part anew. {WHAT}", rich_help_panel="Inputs"),
]
VideoFlag = Annotated[
    str | None, typer.Option("--video", help=f"Start from this video. {WHAT}", rich_help_panel="Inputs")
]
PromptFromFlag = Annotated[
    str | None,
    typer.Option(
        "--prompt-from",
        metavar="JOB",
        help="The prompt is what this text job writes.",
        rich_help_panel="Inputs",
    ),
]


def source(text: str) -> Any:
    """What was typed, as the client's `submit` takes it."""
    if found := JOB.fullmatch(text):
        job, artifact = found.groups()
        return {"job": job} | ({"artifact": artifact} if artifact else {})
    if UPLOAD.fullmatch(text):
        return {"upload": text}
    if text.startswith(("http://", "https://")):
        return {"url": text}
    return given.existing(Path(text))


def field_for(client: "Client", found: Any) -> str:
    """`video` or `image`: the field that takes it."""
    if isinstance(found, Path):
        name = found.name
    elif "job" in found:
        return _made_by(client.get(found["job"]), found.get("artifact", ""))
    else:
        name = found.get("url", "").partition("?")[0]
    return "video" if Path(name).suffix.lower() in VIDEOS else "image"


def prompt(words: str | None, job: str | None) -> dict[str, Any]:
    """The input `prompt`, if there is one: words, or the text of a job."""
    if job is None:
        return {} if words is None else {"prompt": words}
    if words is not None:
        raise typer.BadParameter("give a prompt or --prompt-from, not both")
    if not JOB.fullmatch(job):
        raise typer.BadParameter(f"{job!r} is no job's id", param_hint="--prompt-from")
    return {"prompt": source(job)}


def _made_by(job: "Job", artifact: str) -> str:
    from pipelines.kinds import parse_inputs

    for each in job.artifacts:
        if each.name == artifact:
            return each.media_type.partition("/")[0]
    if artifact:
        return "video" if Path(artifact).suffix in VIDEOS else "image"
    try:
        return parse_inputs(job.kind, job.inputs).gives()
    except InvalidInputs:  # of a newer server, whose inputs this command does not know
        return "video" if job.kind.endswith("video") else "image"
