"""`doctor`: what is wrong, and what to do about it."""

import typer

from atelier.cli.common import JsonFlag, finish, output_of, url_of
from atelier.cli.exits import Exit


def doctor(context: typer.Context, as_json: JsonFlag = False) -> None:
    """Look at this machine, this home, the server and the models, and say what is wrong."""
    from atelier.doctor import Finding, Verdict, examine
    from infra.settings import load_settings

    output = output_of(context)
    findings: list[Finding] = []
    for finding in examine(load_settings(), url_of(context)):
        findings.append(finding)
        output.result(f"{finding.verdict} {finding.what:9} {finding.detail}")
        if finding.way_out and finding.verdict is not Verdict.GOOD:
            output.result(f"            {finding.way_out}")
    bad = [each for each in findings if each.verdict is Verdict.BAD]
    output.object(
        {
            "ok": not bad,
            "findings": [vars(each) | {"verdict": each.verdict.name.lower()} for each in findings],
        }
    )
    if bad:
        output.note(f"{len(bad)} of these will not work.")
        finish(Exit.FAILED)
