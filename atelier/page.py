"""The demo's `index.html`: the page that the code model wrote, filled with what the other models made."""

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from atelier.pieces import Piece
from atelier.records import Job

LONGEST_TITLE: Final = 100  # characters; a first paragraph beyond that is part of the tale

PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>
body {{ font: 18px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem }}
img, video {{ image-rendering: pixelated; width: 20rem; max-width: 100% }}
audio {{ display: block; width: 20rem; max-width: 100% }}
details {{ margin-top: 3rem; font-size: 15px }}
td {{ padding: 0 1em 0 0; vertical-align: top }}
</style>
<main id="page"></main>
<p id="fault" role="alert"></p>
<div id="rest"></div>
<details>
<summary>What was asked, and which model answered</summary>
<table>
{rows}
</table>
</details>
{code}<script>{script}</script>
</html>
"""

SCRIPT: Final = """
const fault = document.getElementById("fault"), made = document.getElementById("page");
try {{
  if (typeof page !== "function") throw "no function was written";
  made.innerHTML = page({arguments});
}} catch (error) {{
  fault.textContent = "The code that the model wrote does not run here: " + error;
  document.querySelector("details").open = true;
}}
for (const [tag, file] of {media}) {{
  if (!file || made.querySelector(tag + '[src="' + file + '"]')) continue;
  if (!fault.textContent) fault.textContent = "The page that the model wrote leaves this out:";
  const element = document.createElement(tag);
  element.src = file;
  element.controls = true;
  document.getElementById("rest").append(element);
}}
"""
"""What the function leaves out, or all if it fails, stands below, and is said to."""

SHOWN: Final = {"large": "img", "film": "video", "song": "audio"}
"""Which element shows which piece."""


def index_html(pieces: Sequence[Piece], jobs: Mapping[str, Job], files: Mapping[str, Path]) -> str:
    """The page, for a folder that holds the files; jobs and files by the pieces' refs.

    Words of models are escaped before the function gets them. The page runs the one file of code that was
    written, and may load nothing from elsewhere, whatever that code says.
    """
    title, story = title_and_story(files["tale"].read_text(encoding="utf-8") if "tale" in files else "")
    media = [(tag, files[ref].name if ref in files else "") for ref, tag in SHOWN.items()]
    words = [html.escape(title), html.escape(story), *(name for _, name in media)]
    script = SCRIPT.format(arguments=", ".join(map(_literal, words)), media=json.dumps(media))
    rows = "\n".join(_row(piece, jobs[piece.ref], files.get(piece.ref)) for piece in pieces)
    code = '<script src="page.js"></script>\n' if "page" in files else ""  # an older one may lie there
    return PAGE.format(policy=_policy(script), title=words[0], rows=rows, code=code, script=script)


def title_and_story(tale: str) -> tuple[str, str]:
    """A tale's first paragraph is its title, if it is short and others follow."""
    first, _, rest = tale.strip().partition("\n\n")
    return (first, rest.strip()) if rest and len(first) <= LONGEST_TITLE else ("A tale", tale.strip())


def _literal(value: str) -> str:
    """A string in JavaScript; no tag in it ends the script."""
    return json.dumps(value).replace("<", "\\u003c")


def _policy(script: str) -> str:
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline';"
        f" script-src 'self' 'sha256-{digest}'"
    )


def _row(piece: Piece, job: Job, path: Path | None) -> str:
    """What was made, by which model, and what it was asked."""
    asked = [each if isinstance(each, str) else f"the {each['job'][1:]}" for each in _given(piece)]
    made = f'<a href="{html.escape(path.name)}">{html.escape(path.name)}</a>' if path else job.status
    cells = [html.escape(piece.called), made, html.escape(job.model), html.escape(", ".join(asked))]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _given(piece: Piece) -> list[Any]:
    return [piece.inputs[name] for name in ("prompt", "image") if name in piece.inputs]
