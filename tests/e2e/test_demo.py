"""`atelier demo`: a stack of its own, or the one that runs; all five kinds, shown by a page; nothing left."""

import json
import subprocess
from pathlib import Path

import psutil
import pytest

from atelier.pieces import PIECES
from pipelines.catalog import Catalog
from tests.e2e.browser import Page, browser
from tests.e2e.stack import ATELIER, alive, environment
from tests.servers import missing, wait_for

MADE = ["tale.txt", "words.txt", "picture.png", "large.png", "film.mp4", "song.flac", "page.js", "index.html"]

PLAYED = """
Promise.all([...document.querySelectorAll("video, audio")].map(media => new Promise((done, fail) => {
  media.onerror = () => fail(media.error.message);
  media.onended = () => done([media.tagName, media.currentTime]);
  media.loop = false;
  media.playbackRate = 8;
  media.play().catch(fail);
})))
"""
"""Where each of the page's films and sounds came to its end."""


def demo(home: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run it with no server around."""
    return subprocess.run(
        [*ATELIER, "demo", *arguments],
        env=environment(home, **settings),
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_it_brings_its_own_stack_and_takes_it_away(tmp_path):
    done = demo(tmp_path / "unused", "--out", "made", "--seed", "5")

    assert done.returncode == 0, done.stderr
    assert "ready http://" in done.stderr
    assert "stopped" in done.stderr
    assert done.stdout.splitlines() == [f"made/{name}" for name in MADE]
    assert all((tmp_path / "made" / name).is_file() for name in MADE)
    assert all(f"{piece.called} " in done.stderr for piece in PIECES)
    assert not (tmp_path / "unused").exists()

    # The fake code model writes words, which are no JavaScript; the page says so and leads to what was made.
    with browser(tmp_path / "profile") as page:
        page.open((tmp_path / "made" / "index.html").as_uri())
        assert "does not run here" in page.evaluate('document.getElementById("fault").textContent')
        assert page.evaluate('document.querySelector("details").open') is True
        assert page.evaluate("[...document.links].map(link => link.textContent)") == MADE[:-1]
        assert pictures(page) == [["large.png", 128]]


def test_it_keeps_the_home_that_it_is_given(tmp_path):
    done = demo(tmp_path / "unused", "--home", str(tmp_path / "mine"), "--out", str(tmp_path), "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [job["status"] for job in told["jobs"]] == ["succeeded"] * len(PIECES)
    assert told["page"] == str(tmp_path / "index.html")
    assert (tmp_path / "mine" / "log" / "api.log").is_file()


def test_it_uses_the_stack_that_runs(stack, tmp_path):
    done = stack.run("demo", "--out", str(tmp_path / "made"))

    assert done.returncode == 0, done.stderr
    assert f"using the server at {stack.url}" in done.stderr
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == sorted(MADE)
    assert not stack.ended


def test_killed_it_leaves_nothing_behind(tmp_path):
    process = subprocess.Popen(
        [*ATELIER, "demo", "--out", str(tmp_path)],
        env=environment(tmp_path / "unused") | {"TMPDIR": str(tmp_path)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    with process.stderr:
        for line in process.stderr:
            if line.startswith("ready "):
                break
        pids = {child.pid for child in psutil.Process(process.pid).children(recursive=True)}
        assert len(pids) > 4

        process.kill()
        process.wait()

    wait_for(lambda: not alive(pids), 10, "all its processes have ended")


@pytest.fixture(scope="module")
def real(tmp_path_factory) -> Path:
    """What the models that come along make of seed 1."""
    folder = tmp_path_factory.mktemp("demo")
    models = Catalog.load().models.values()
    kinds = {kind for model in models if model.is_here() for kind in model.default_for}
    if lacking := {piece.kind for piece in PIECES} - kinds:
        missing(f"a house model for {sorted(lacking)}")
    done = demo(folder / "unused", "--out", str(folder / "made"), "--seed", "1", catalog="")
    assert done.returncode == 0, done.stderr
    return folder / "made"


def test_the_models_that_come_along_make_a_tale_and_all_that_goes_with_it(real):
    tale = (real / "tale.txt").read_text()

    assert {path.name for path in real.iterdir()} == {*MADE, "song.mid"}
    assert "boat" in tale or "sea" in tale
    assert len(tale.split()) > 50


def test_a_browser_shows_the_page_and_plays_it(real, tmp_path):
    title = (real / "tale.txt").read_text().splitlines()[0]

    with browser(tmp_path / "profile") as page:
        page.open((real / "index.html").as_uri())

        assert "does not run" not in page.evaluate('document.getElementById("fault").textContent')
        assert title in page.evaluate('document.getElementById("page").innerText')
        assert pictures(page) == [["large.png", 256]]
        assert {tag: seconds > 1 for tag, seconds in page.evaluate(PLAYED)} == {"VIDEO": True, "AUDIO": True}


def pictures(page: Page) -> list[list[object]]:
    """Name and width in pixels of each picture that the page shows."""
    return page.evaluate("[...document.images].map(each => [each.src.split('/').pop(), each.naturalWidth])")
