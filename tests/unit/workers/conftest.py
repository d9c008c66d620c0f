"""An engine that knows the fake family, and requests for it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipelines.catalog import Catalog
from workers.engine_client import Deadlines, Engine
from workers.messages import Message

FAKE_FAMILY = Path(__file__).parents[2] / "fake_family"

Run = Callable[..., list[Message]]

PATIENT = Deadlines(load=30.0, step=15.0, encode=30.0, stop=15.0)


def impatient(**shorter: float) -> pytest.MarkDecorator:
    """Of a test: the deadlines of its engine that are short."""
    return pytest.mark.parametrize("deadlines", [replace(PATIENT, **shorter)], ids=[" ".join(shorter)])


@pytest.fixture
def fake_catalog() -> Catalog:
    return Catalog.load([FAKE_FAMILY / "catalog.toml"])


@pytest.fixture
def deadlines() -> Deadlines:
    """Longer than a busy machine needs; a test of one of them asks for a shorter one by `impatient`."""
    return PATIENT


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, deadlines: Deadlines) -> Iterator[Engine]:
    """An engine that has room for two models."""
    monkeypatch.setenv("PYTHONPATH", str(FAKE_FAMILY))
    engine = Engine("cpu", "auto", deadlines)
    yield engine
    engine.close()


@pytest.fixture
def run(engine: Engine, fake_catalog: Catalog, tmp_path: Path) -> Run:
    """Runs one request on the engine: its messages, or the engine's failure."""

    def run(
        prompt: str,
        model: str = "test/fake",
        *,
        stop: Callable[[], bool] = lambda: False,
        heard: list[Message] | None = None,
        **inputs: Any,
    ) -> list[Message]:
        kind = "text" if model == "test/fake-text" else "text-to-image"
        resolved = fake_catalog.resolve(kind, model, {"prompt": prompt, "seed": 5, **inputs})
        request = {
            "request": "a" * 32,
            "kind": kind,
            "inputs": resolved.inputs.as_json(),
            "files": {},
            "folder": str(tmp_path),
            "provenance": {"prompt": prompt, "job": "job_1"},
        }
        messages = [] if heard is None else heard
        model = resolved.model.model_dump(mode="json")
        for message in engine.run(model, [request], lambda _: stop()):
            messages.append(message)
        for message in engine.rest(lambda _: stop()):
            messages.append(message)
        return messages

    return run
