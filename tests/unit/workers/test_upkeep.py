"""What a worker does for its models while it has no job, with a real engine that has room for 1,000 bytes."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from infra.jobs.answers import WorkerCard
from pipelines.models import Model
from pipelines.rows import append_rows
from tests.unit.workers.conftest import FAKE_FAMILY, impatient
from tests.unit.workers.models import a_model
from workers.engine_client import Deadlines, Engine, EngineHung
from workers.messages import Message
from workers.shelf import Business, Shelf
from workers.upkeep import Upkeep

Keep = Callable[..., Upkeep]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, deadlines: Deadlines) -> Iterator[Engine]:
    monkeypatch.setenv("PYTHONPATH", str(FAKE_FAMILY))
    monkeypatch.syspath_prepend(FAKE_FAMILY)
    engine = Engine("cpu", "1000", deadlines)
    engine.ensure()
    yield engine
    engine.close()


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf([tmp_path / "models.toml"], ["image"], lambda: None)


@pytest.fixture
def keep(engine: Engine, shelf: Shelf, tmp_path: Path) -> Keep:
    """The upkeep for these models, whose names are to be preloaded."""

    def keep(*models: Model, preload: tuple[str, ...] = (), idle: float = 0.0) -> Upkeep:
        keys = {"name", "family", "kinds", "queue", "weights", "pinned"}
        rows = [model.model_dump(mode="json", include=keys) for model in models]
        append_rows(tmp_path / "models.toml", rows)
        return Upkeep(engine, shelf, preload, idle, lambda: False)

    return keep


def run(engine: Engine, model: Model, folder: Path) -> list[Message]:
    """One picture of a model."""
    (folder / "made").mkdir(exist_ok=True)
    request = {
        "request": "a" * 32,
        "kind": "text-to-image",
        "inputs": {"prompt": "x", "seed": 1, "width": 64, "height": 64, "steps": 1, "n": 1},
        "files": {},
        "folder": str(folder / "made"),
        "provenance": {},
    }
    told = list(engine.run(model.model_dump(mode="json"), [request], lambda _: False))
    return told + list(engine.rest(lambda _: False))


def card(engine: Engine, shelf: Shelf) -> WorkerCard:
    return Business("worker_1", "cpu", ["image"], shelf).card(engine.stock)


def test_a_job_finds_its_model_loaded(keep: Keep, engine: Engine, shelf: Shelf, tmp_path: Path) -> None:
    # Given three models, of which one is pinned and one is to be preloaded
    one, two = a_model(tmp_path, "one", "bytes=400"), a_model(tmp_path, "two", "bytes=10")
    pinned = a_model(tmp_path, "pinned", "bytes=300 load_sleep=0.1", pinned=True)
    upkeep = keep(one, two, pinned, preload=("test/one", "test/unknown"))
    assert card(engine, shelf).memory_budget == 1000
    # When it has nothing to do
    assert upkeep.tend()
    assert engine.warm == ("test/pinned",)
    assert upkeep.tend()
    assert not upkeep.tend()
    # Then both are loaded, and the card says so and what it cost
    shown = card(engine, shelf)
    assert shown.warm == ("test/pinned", "test/one")
    assert shown.memory_held == 700
    measured = {each.model: each for each in shown.measured}
    assert (measured["test/pinned"].bytes, measured["test/one"].bytes) == (300, 400)
    assert measured["test/pinned"].load_seconds >= 0.1
    # and a run does not load
    assert "loading" not in [message["is"] for message in run(engine, one, tmp_path)]


@impatient(load=3.0)
def test_one_that_does_not_load_harms_nothing(keep: Keep, engine: Engine, tmp_path: Path) -> None:
    bad, crash = a_model(tmp_path, "bad", "load_fail"), a_model(tmp_path, "crash", "load_crash")
    hung, good = a_model(tmp_path, "hung", "load_sleep=9"), a_model(tmp_path, "good", "bytes=10")
    names = tuple(model.name for model in (bad, crash, hung, good))
    upkeep = keep(bad, crash, hung, good, preload=names)
    assert [upkeep.tend(), upkeep.tend()] == [True, True]
    assert not upkeep.tend(), "the engine is gone; the next claim starts another"
    engine.ensure()
    assert upkeep.tend()
    engine.ensure()
    # Each has been tried once
    assert [upkeep.tend(), upkeep.tend()] == [True, False]
    assert engine.warm == ("test/good",)
    # until its files change
    (tmp_path / "crash" / "behaviour.txt").write_text("bytes=20")
    assert [upkeep.tend(), upkeep.tend()] == [True, False]
    assert engine.warm == ("test/good", "test/crash")


def test_another_engine_is_warmed_as_well(keep: Keep, engine: Engine, shelf: Shelf, tmp_path: Path) -> None:
    upkeep = keep(a_model(tmp_path, "one", "bytes=400"), preload=("test/one",))
    assert [upkeep.tend(), upkeep.tend()] == [True, False]
    dead = psutil.Process(engine.ensure().pid)
    os.kill(dead.pid, signal.SIGKILL)
    psutil.wait_procs([dead], timeout=5)
    assert not upkeep.tend()
    engine.ensure()
    assert (card(engine, shelf).warm, card(engine, shelf).memory_held) == ((), 0)
    assert card(engine, shelf).measured, "what a cold start costs is still known"
    assert [upkeep.tend(), upkeep.tend()] == [True, False]
    assert card(engine, shelf).warm == ("test/one",)


def test_pinned_ones_come_back_and_others_do_not(keep: Keep, engine: Engine, tmp_path: Path) -> None:
    # Given a job that needed the room of all that was loaded beforehand
    pinned, one = a_model(tmp_path, "pinned", "bytes=500", pinned=True), a_model(tmp_path, "one", "bytes=400")
    large = a_model(tmp_path, "large", "bytes=900")
    upkeep = keep(pinned, one, large, preload=("test/one",))
    assert [upkeep.tend(), upkeep.tend(), upkeep.tend()] == [True, True, False]
    run(engine, large, tmp_path)
    assert engine.warm == ("test/large",)
    # Then only the pinned one takes its place again
    assert [upkeep.tend(), upkeep.tend()] == [True, False]
    assert engine.warm == ("test/pinned",)


def test_what_nobody_uses_goes_but_not_what_is_pinned(
    keep: Keep, engine: Engine, shelf: Shelf, tmp_path: Path
) -> None:
    pinned, one = a_model(tmp_path, "pinned", "bytes=500", pinned=True), a_model(tmp_path, "one", "bytes=400")
    upkeep = keep(pinned, one, preload=("test/one",), idle=1.0)
    assert [upkeep.tend(), upkeep.tend()] == [True, True]
    used = time.monotonic()
    run(engine, one, tmp_path)
    deadline = time.monotonic() + 10
    while not upkeep.tend():
        assert time.monotonic() < deadline
    assert time.monotonic() - used >= 1.0
    assert card(engine, shelf).warm == ("test/pinned",)
    assert not upkeep.tend()


def test_a_drain_ends_a_load_that_nobody_waits_for(
    engine: Engine, shelf: Shelf, keep: Keep, tmp_path: Path
) -> None:
    keep(a_model(tmp_path, "slow", "load_sleep=60"))
    began = time.monotonic()
    upkeep = Upkeep(engine, shelf, ("test/slow",), 0.0, lambda: time.monotonic() > began + 0.3)
    assert upkeep.tend()
    assert time.monotonic() - began < 20
    assert engine.pid is None


@impatient(load=8.0)
def test_how_much_has_been_read_is_told_and_gives_no_more_time(engine: Engine, tmp_path: Path) -> None:
    # Given weights that take some seconds to read, and others that take longer than loading may
    slowly = a_model(tmp_path, "slowly", "read=3", stored=120_000_000)
    told = run(engine, slowly, tmp_path)
    # Then fractions are told that grow
    fractions = [message["fraction"] for message in told if message["is"] == "reading"]
    assert len(fractions) > 2
    assert fractions == sorted(set(fractions))
    assert 0.7 < fractions[-1] <= 1.0
    with pytest.raises(EngineHung, match="8 s while loading a model"):
        run(engine, a_model(tmp_path, "endless", "read=30", stored=120_000_000), tmp_path)
    # and of small ones nothing
    engine.ensure()
    small = run(engine, a_model(tmp_path, "small", "read=0.5", stored=1_000_000), tmp_path)
    assert "reading" not in [message["is"] for message in small]
