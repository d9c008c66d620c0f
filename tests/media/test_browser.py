"""A browser's own elements load every picture, video and sound, and see the right size and length."""

import html
import json
import re
from pathlib import Path

import pytest

from pipelines.outputs import File
from tests.media import tools

PAGE = """<!doctype html><meta charset="utf-8"><body>{elements}<script>
const seconds = (element) => Math.round(element.duration * 1000) / 1000;
addEventListener("load", () => {{
  const told = [...document.querySelectorAll("[id]")].map((element) => [element.id, element.tagName === "IMG"
    ? {{size: [element.naturalWidth, element.naturalHeight]}}
    : {{size: [element.videoWidth, element.videoHeight], seconds: seconds(element), ready: element.readyState,
        error: element.error && element.error.message}}]);
  document.body.textContent = JSON.stringify(Object.fromEntries(told));
}});
</script>"""
"""`load` waits for pictures, and for the first frame of media."""

ELEMENTS = {"image": '<img id="{0}" src="{1}">', "video": '<video id="{0}" src="{1}" preload="auto"></video>',
            "audio": '<audio id="{0}" src="{1}" preload="auto"></audio>'}  # fmt: skip
HAVE_CURRENT_DATA = 2


def dumped(folder: Path, elements: str) -> dict[str, dict[str, object]]:
    """What the page's elements tell, in a browser of its own."""
    page = folder / "page.html"
    page.write_text(PAGE.format(elements=elements))
    switches = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
    document = tools.run(
        "chromium",
        *switches,
        f"--user-data-dir={folder / 'profile'}",
        "--timeout=60000",
        "--dump-dom",
        page.as_uri(),
    ).decode()
    body = re.search(r"<body>(.*)</body>", document, re.DOTALL)
    assert body, document
    found: dict[str, dict[str, object]] = json.loads(html.unescape(body[1]))
    return found


def test_chromium_shows_and_plays_every_artifact(written: dict[str, dict[str, File]], tmp_path: Path) -> None:
    files = {
        f"{form}-{suffix}": file
        for form, made in written.items()
        for suffix, file in made.items()
        if file.media_type.partition("/")[0] in ELEMENTS and file.role != "score"
    }
    elements = "".join(
        ELEMENTS[file.media_type.partition("/")[0]].format(name, file.path.as_uri())
        for name, file in files.items()
    )

    told = dumped(tmp_path, elements)

    assert told.keys() == files.keys()
    for name, file in files.items():
        if file.width is not None:
            assert told[name]["size"] == [file.width, file.height], name
        if "ready" in told[name]:
            assert told[name]["error"] is None, name
            assert told[name]["ready"] >= HAVE_CURRENT_DATA, name
            assert told[name]["seconds"] == pytest.approx(file.duration_seconds, abs=0.06), name
