"""`atelier demo`: a stack of its own, or the one that runs; both jobs; nothing left."""

import json
import subprocess
from pathlib import Path

import psutil
from PIL import Image

from pipelines.catalog import Catalog
from tests.e2e.stack import ATELIER, alive, environment
from tests.servers import missing, wait_for


def demo(home: Path, *arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """Run it with no server around."""
    return subprocess.run(
        [*ATELIER, "demo", *arguments],
        env=environment(home, **settings),
        cwd=home.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_it_brings_its_own_stack_and_takes_it_away(tmp_path):
    done = demo(tmp_path / "unused", "--out", "made")

    assert done.returncode == 0, done.stderr
    assert "ready http://" in done.stderr
    assert "stopped" in done.stderr
    assert [Path(path).suffix for path in done.stdout.splitlines()] == [".png", ".txt"]
    assert all((tmp_path / path).is_file() for path in done.stdout.splitlines())
    assert not (tmp_path / "unused").exists()


def test_it_keeps_the_home_that_it_is_given(tmp_path):
    done = demo(tmp_path / "unused", "--home", str(tmp_path / "mine"), "--out", str(tmp_path), "--json")

    assert done.returncode == 0, done.stderr
    assert [job["status"] for job in json.loads(done.stdout)["jobs"]] == ["succeeded", "succeeded"]
    assert (tmp_path / "mine" / "log" / "api.log").is_file()


def test_it_uses_the_stack_that_runs(stack, tmp_path):
    done = stack.run("demo", "--out", str(tmp_path / "made"))

    assert done.returncode == 0, done.stderr
    assert f"using the server at {stack.url}" in done.stderr
    assert len(list((tmp_path / "made").iterdir())) == 2
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


def test_the_models_that_come_along_make_a_picture_and_a_text(tmp_path):
    models = Catalog.load().models
    if not all(models[name].is_here() for name in ("house/scenes", "house/tales")):
        missing("the house models' weights")

    done = demo(tmp_path / "unused", "--out", str(tmp_path), catalog="")

    assert done.returncode == 0, done.stderr
    picture, text = (Path(path) for path in done.stdout.splitlines())
    with Image.open(picture) as image:
        assert image.size == (64, 64)
    assert text.read_text().strip()
