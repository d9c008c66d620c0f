"""The fake family does what its page says: other tests rest on it."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from pipelines.base import Request, load_pipeline
from pipelines.catalog import Catalog
from pipelines.errors import EngineError, ModelUnavailable, OutOfMemory, Stopped, TransientEngineError

FOLDER = Path(__file__).parents[1] / "fake_family"


@pytest.fixture
def catalog(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return Catalog.load([FOLDER / "catalog.toml"])


@pytest.fixture
def run(catalog):
    def run(*prompts, progress=lambda step, total, previews=None: set(), **inputs):
        pipeline = load_pipeline(catalog.get("test/fake"), "cpu")
        return pipeline.run(
            [
                Request(
                    str(number),
                    "text-to-image",
                    catalog.resolve(
                        "text-to-image", "test/fake", {"prompt": prompt, "seed": 1, **inputs}
                    ).inputs,
                )
                for number, prompt in enumerate(prompts)
            ],
            progress,
        )

    return run


class Emit:
    def __init__(self, stop_after=10**9):
        self.told, self.stop_after = [], stop_after

    def stopped(self, request):
        return len(self.told) >= self.stop_after

    def __getattr__(self, name):
        return lambda request, *values: self.told.append((name, *values))


def test_its_catalog_is_sound(catalog):
    assert catalog.problems == ()
    assert not catalog.get("test/fake-far").is_here()
    assert [catalog.get(f"test/fake{tail}").is_here() for tail in ("", "-text", "-slow-load")] == [True] * 3
    with pytest.raises(ModelUnavailable):
        load_pipeline(catalog.get("test/fake-broken-load"), "cpu")


def test_pictures_and_steps(run):
    steps = []

    ((one, two),) = run("steps=5 preview", n=2, progress=lambda *told: steps.append(told) or set())

    assert [(step, total) for step, total, _ in steps] == [(step, 5) for step in range(1, 6)]
    assert Image.open(io.BytesIO(steps[0][2][0])).format == "WEBP"
    assert (one.seed, two.seed, one.value.size) == (1, 2, (64, 64))
    assert one.value.tobytes() != two.value.tobytes()
    assert one.value.tobytes() == run("steps=5 preview")[0][0].value.tobytes()


def test_a_big_picture_is_big(run):
    data = io.BytesIO()
    run("big=300000")[0][0].value.save(data, "PNG")
    assert data.tell() >= 300_000


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        ("fail=retryable", TransientEngineError),
        ("fail=fatal", EngineError),
        ("fail=bug", ZeroDivisionError),
        ("oom", OutOfMemory),
    ],
)
def test_it_fails_as_it_is_told_and_when(run, prompt, error):
    steps = []
    with pytest.raises(error):
        run(f"a {prompt} at=2", progress=lambda step, total, previews=None: steps.append(step) or set())
    assert steps == [1, 2]


def test_it_fails_only_as_often_as_it_is_told_and_keeps_a_log(run, tmp_path):
    log = tmp_path / "log"
    for _ in range(2):
        with pytest.raises(TransientEngineError):
            run(f"fail=retryable times=2 log={log}")
    run(f"fail=retryable times=2 log={log}")

    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["started", "started", "started", "ended"]
    assert lines[0].keys() == {"event", "request", "kind", "batch", "pid", "seconds"}
    assert lines[0]["pid"] == os.getpid()


def test_it_stops_unless_it_is_told_not_to(run):
    def all_stopped(step, total, previews=None):
        raise Stopped

    with pytest.raises(Stopped):
        run("a", progress=all_stopped)
    assert len(run("ignore_stop", progress=all_stopped)[0]) == 1
    assert [len(made) for made in run("a", "b", progress=lambda *told: {0})] == [0, 1]


def test_text_is_streamed(catalog):
    pipeline = load_pipeline(catalog.get("test/fake-text"), "cpu")
    inputs = catalog.resolve("text", "test/fake-text", {"prompt": "big=3 steps=2", "seed": 1}).inputs
    emit = Emit()

    pipeline.serve([Request("a", "text", inputs)], emit)

    assert [told[2] for told in emit.told if told[0] == "delta"] == ["xxx", "word0", " word1"]
    assert [told[1:] for told in emit.told if told[0] == "progress"] == [(1, 2), (2, 2)]
    assert emit.told[-1][1][0].value == "xxxword0 word1"

    stopping = Emit(stop_after=2)
    pipeline.serve([Request("a", "text", inputs)], stopping)
    assert [told[0] for told in stopping.told][-1] == "failed"


@pytest.mark.parametrize(("prompt", "status"), [("crash", 70), ("segfault", -11)])
def test_it_takes_its_process_down(prompt, status):
    code = (
        "from pipelines.base import Request, load_pipeline\n"
        "from pipelines.catalog import Catalog\n"
        "from pathlib import Path\n"
        f"resolved = Catalog.load([Path('{FOLDER}/catalog.toml')]).resolve("
        f"'text-to-image', 'test/fake', {{'prompt': '{prompt}'}})\n"
        "request = Request('a', 'text-to-image', resolved.inputs)\n"
        "load_pipeline(resolved.model, 'cpu').run([request], lambda *told: set())\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(FOLDER)},
        capture_output=True,
        check=False,
    )
    assert ended.returncode == status, ended.stderr
