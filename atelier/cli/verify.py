"""`verify`: what made a file."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from atelier.cli.common import JsonFlag, client_of, finish, output_of
from atelier.cli.exits import Exit

if TYPE_CHECKING:
    from atelier.verify import Report

MANIFESTS = {
    "trusted": "signed by {signer}, who is trusted here; unchanged since",
    "valid": "signed by {signer}, who is not known here; unchanged since",
    "broken": "signed by {signer}, but changed since ({faults})",
    "unreadable": "cannot be read ({faults})",
}

JOBS = {
    "no": "{id}, which this server does not know (any more), or which is somebody else's",
    "unasked": "{id}; no server was asked",
}

NEAR = 0.02
"""How far from 1 a picture's scale must be to be worth telling: it is estimated to half a percent."""


def verify(
    context: typer.Context,
    *,
    file: Annotated[Path, typer.Argument(help="A picture, video or sound.", exists=True, dir_okay=False)],
    trust: Annotated[
        list[Path] | None,
        typer.Option(
            "--trust", help="Certificates (PEM) of a signer to trust; may be repeated.", exists=True
        ),
    ] = None,
    ask: Annotated[
        bool, typer.Option("--ask/--no-ask", help="Whether to ask the server about the job that it names.")
    ] = True,
    as_json: JsonFlag = False,
) -> None:
    """Tell what made a file: by its manifest, its metadata and its watermark, and what the server knows."""
    from atelier.verify import CannotVerify, own_anchors
    from atelier.verify import verify as look
    from infra.settings import load_settings

    output = output_of(context)
    anchors = [*own_anchors(load_settings()), *(trust or ())]
    with ExitStack() as stack:
        client = stack.enter_context(client_of(context)) if ask else None
        try:
            report = look(file, anchors, client)
        except CannotVerify as error:
            output.object({"error": {"type": "cannot_verify", "title": str(error)}})
            output.note(f"error: {error}")
            finish(Exit.INVALID)
    output.object(report.as_json())
    for name, words in _lines(report):
        output.result(f"{name:10} {words}")
    finish(_exit(report))


def _exit(report: "Report") -> Exit:
    if report.is_broken:
        return Exit.FAILED
    return Exit.OK if report.is_generated else Exit.NOT_FOUND


def _lines(report: "Report") -> list[tuple[str, str]]:
    findings = report.findings
    return [
        ("generated", "yes" if report.is_generated else "nothing in it says so"),
        ("manifest", _manifest(findings["manifest"])),
        ("metadata", _metadata(findings["metadata"])),
        ("watermark", _watermark(findings["watermark"])),
        ("job", _job(report.job)),
    ]


def _manifest(found: dict[str, Any] | None) -> str:
    if found is None:
        return "none"
    faults, signer = ", ".join(found["faults"]), found.get("signer") or "somebody unnamed"
    words = MANIFESTS[found["state"]].format(signer=signer, faults=faults)
    return "; ".join([words, *(f"{name} {value}" for name, value in found.get("told", {}).items())])


def _metadata(found: dict[str, str] | None) -> str:
    return "; ".join(f"{name} {value}" for name, value in found.items()) if found else "none"


def _watermark(found: dict[str, Any] | None) -> str:
    if found is None:
        return "none"
    number = "unknown" if found["number"] is None else str(found["number"])
    scaled = f"; scaled to about {found['scale']:.0%} since" if abs(found["scale"] - 1) > NEAR else ""
    return f"Atelier's, deployment {number}{scaled}"


def _job(found: dict[str, Any] | None) -> str:
    if found is None:
        return "none named"
    if found["known"] == "yes":
        artifact = found["artifact"]
        what = f"this is its {artifact}" if artifact else "none of its files is this one, byte for byte"
        return f"{found['id']} of this server; {what}"
    return JOBS[found["known"]].format(id=found["id"])
