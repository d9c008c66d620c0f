"""A real engine process, with the fake family in it."""

import hashlib
import os
import signal
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.unit.workers.conftest import Run, impatient
from workers.engine_client import Engine, EngineDeaf, EngineDied, EngineHung
from workers.messages import SCHEMA, Message


def names(messages: list[Message]) -> list[str]:
    """What the messages are, progress and text left out."""
    return [message["is"] for message in messages if message["is"] not in ("progress", "delta")]


def test_a_run_loads_the_model_and_writes_files(run: Run, engine: Engine, tmp_path: Path) -> None:
    messages = run("steps=3", n=2)
    assert names(messages) == ["loading", "loaded", "started", "encoding", "encoding", "done"]
    files = messages[-1]["files"]
    assert [file["name"] for file in files] == ["0.png", "0.thumbnail.webp", "1.png", "1.thumbnail.webp"]
    for file in files:
        assert hashlib.sha256(Path(file["path"]).read_bytes()).hexdigest() == file["sha256"]
    with Image.open(tmp_path / "1.png") as picture:
        assert picture.info["seed"] == "6"
        assert picture.info["job"] == "job_1"
    assert engine.warm == ("test/fake",)


def test_a_loaded_model_is_not_loaded_again(run: Run) -> None:
    run("one")
    assert names(run("two")) == ["started", "encoding", "done"]


def test_models_stay_loaded_while_there_is_room_and_rows_that_load_the_same_share(
    run: Run, engine: Engine
) -> None:
    assert "loading" not in names(run("x") + run("x", "test/fake-text"))[4:]
    run("x", "test/fake-other")
    assert engine.warm == ("test/fake", "test/fake-text", "test/fake-other")


def test_progress_is_told_with_previews(run: Run) -> None:
    told = [message for message in run("steps=4 sleep=0.06 preview") if message["is"] == "progress"]
    assert [message["step"] for message in told] == [1, 2, 3, 4]
    assert {message["total"] for message in told} == {4}
    assert all(message["preview"] for message in told)


def test_a_fast_model_does_not_flood_the_pipe(run: Run) -> None:
    told = [message for message in run("steps=1000", steps=150) if message["is"] == "progress"]
    assert len(told) < 20
    assert told[-1]["step"] == 1000


def test_text_is_streamed(run: Run, tmp_path: Path) -> None:
    messages = run("steps=4", "test/fake-text", n=2)
    for index in range(2):
        text = "".join(m["text"] for m in messages if m["is"] == "delta" and m["index"] == index)
        assert text == "word0 word1 word2 word3"
        assert (tmp_path / f"{index}.txt").read_text() == text


def test_a_stop_ends_the_run_within_a_step(run: Run) -> None:
    heard: list[Message] = []
    run("steps=100 sleep=0.1", heard=heard, stop=lambda: len(heard) > 4)
    assert heard[-1]["is"] == "stopped"
    assert max(message["step"] for message in heard if message["is"] == "progress") < 8


def test_a_stopped_text_ends_too(run: Run) -> None:
    heard: list[Message] = []
    run("steps=100 sleep=0.1", "test/fake-text", heard=heard, stop=lambda: len(heard) > 4)
    assert heard[-1]["is"] == "stopped"


@impatient(stop=0.5)
def test_an_engine_that_does_not_stop_is_killed(run: Run, engine: Engine) -> None:
    with pytest.raises(EngineDeaf, match=r"0.5 s"):
        run("steps=100 sleep=0.1 ignore_stop", stop=lambda: True)
    assert names(run("next"))[-1] == "done"


@pytest.mark.parametrize(
    ("prompt", "error", "retryable"),
    [
        ("fail=retryable", "engine_error_transient", True),
        ("fail=fatal", "engine_error", False),
        ("fail=bug", "engine_error", False),
        ("oom", "out_of_memory", True),
    ],
)
def test_errors_are_told_by_type(run: Run, prompt: str, error: str, retryable: bool) -> None:
    last = run(prompt)[-1]
    assert last["is"] == "failed"
    assert last["error"]["type"] == error
    assert last["error"]["retryable"] is retryable
    assert "Traceback" not in str(last)
    assert names(run("next"))[-1] == "done"


def test_an_unexpected_error_does_not_quote_itself(run: Run) -> None:
    assert run("fail=bug")[-1]["error"]["detail"] == "The model failed with an unexpected ZeroDivisionError."


def test_out_of_memory_is_tried_again_with_all_caches_cleared(run: Run, tmp_path: Path) -> None:
    run("other", "test/fake-other")
    messages = run(f"oom times=1 log={tmp_path}/log")
    gone = [message["model"] for message in messages if message["is"] == "unloaded"]
    assert gone == ["test/fake-other", "test/fake"]
    assert [name for name in names(messages) if name != "unloaded"] == [
        "loading", "loaded", "started", "loading", "loaded", "started", "encoding", "done"
    ]  # fmt: skip


def test_a_text_that_has_been_streamed_is_not_begun_again(run: Run, tmp_path: Path) -> None:
    messages = run(f"oom at=2 times=1 log={tmp_path}/log", "test/fake-text")
    assert names(messages) == ["loading", "loaded", "started", "failed"]


def test_a_model_that_does_not_load_fails_the_request_only(run: Run) -> None:
    assert run("x", "test/fake-broken-load")[-1]["error"]["type"] == "model_unavailable"
    assert names(run("next"))[-1] == "done"


@pytest.mark.parametrize(("prompt", "how"), [("crash", "exit code 70"), ("segfault", "signal SIGSEGV")])
def test_a_dead_engine_is_told_and_replaced(run: Run, engine: Engine, prompt: str, how: str) -> None:
    with pytest.raises(EngineDied, match=how):
        run(prompt)
    assert engine.warm == ()
    assert names(run("next"))[-1] == "done"


@impatient(step=2.0)
def test_a_hung_engine_is_killed_and_replaced(run: Run) -> None:
    with pytest.raises(EngineHung, match="2 s while running"):
        run("hang")
    assert names(run("next"))[-1] == "done"


@impatient(step=2.0)
def test_an_engine_that_holds_the_gil_is_killed(run: Run) -> None:
    with pytest.raises(EngineHung):
        run("gil=30")


@impatient(load=1.0)
def test_loading_has_a_deadline_of_its_own(run: Run) -> None:
    with pytest.raises(EngineHung, match="1 s while loading a model"):
        run("x", "test/fake-slow-load")


@impatient(encode=4.0, step=2.0)
def test_encoding_has_a_deadline_of_its_own(run: Run) -> None:
    """Longer than the one between two steps, or shorter."""
    assert names(run("encode=2.5"))[-1] == "done"
    with pytest.raises(EngineHung, match="4 s while encoding"):
        run("encode=30")
    assert names(run("next"))[-1] == "done"


@impatient(step=2.0)
def test_a_stopped_process_is_killed_all_the_same(run: Run, engine: Engine) -> None:
    pid = engine.ensure().pid
    heard: list[Message] = []

    def freeze() -> bool:
        if len(heard) == 4:
            os.kill(pid, signal.SIGSTOP)
        return False

    with pytest.raises(EngineHung):
        run("steps=100 sleep=0.1", heard=heard, stop=freeze)
    assert not psutil.pid_exists(pid)


def test_an_engine_that_takes_no_orders_is_killed(
    run: Run, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an order that no pipe holds; a worker that waited for ever would hold its job as long."""
    monkeypatch.setattr("workers.engine_process.TAKE_SECONDS", 1.0)
    pid = engine.ensure().pid
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(EngineHung, match="takes no orders"):
        run("word " * 19_000, "test/fake-text")
    assert not psutil.pid_exists(pid)
    assert names(run("next"))[-1] == "done"


def test_an_engine_killed_while_idle_is_replaced(engine: Engine) -> None:
    first = engine.ensure()
    os.kill(first.pid, signal.SIGKILL)
    psutil.wait_procs([psutil.Process(first.pid)], timeout=5)
    assert engine.ensure().pid != first.pid


def test_a_run_that_the_caller_leaves_does_not_disturb_the_next(run: Run, engine: Engine) -> None:
    class Bug(Exception):
        pass

    def bug() -> bool:
        raise Bug

    with pytest.raises(Bug):
        run("steps=5 sleep=0.1", stop=bug)
    assert names(run("next"))[-1] == "done"


def test_a_closed_engine_ends(engine: Engine) -> None:
    pid = engine.ensure().pid
    engine.close()
    assert not psutil.pid_exists(pid)


def test_an_engine_of_another_release_is_refused_before_it_has_work(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files under a running worker were replaced; the work loop breaks on it, and the worker ends."""
    monkeypatch.setattr("workers.messages.SCHEMA", SCHEMA + 1)
    with pytest.raises(ValueError, match="worker and engine differ"):
        engine.ensure()
