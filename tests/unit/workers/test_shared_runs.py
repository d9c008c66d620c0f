"""Several requests in one run of a real engine: what happens to one leaves the others as they were."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.jobs.record import Outcome
from pipelines.catalog import Catalog
from pipelines.models import Model
from tests.servers import wait_for
from tests.unit.workers.conftest import FAKE_FAMILY, impatient
from tests.unit.workers.jobs import a_job
from workers.attempt import LiveAttempt
from workers.drain import Drain
from workers.engine_client import Deadlines, Engine, EngineDied, Order
from workers.messages import Message
from workers.runs import Runs as WorkerRuns
from workers.runs import no_others

Told = dict[str, list[Message]]
"""What was told of each request, by its name; of the run as a whole under the empty name."""


class Runs:
    """Gives an engine runs of several requests, each named and with a prompt."""

    def __init__(self, engine: Engine, catalog: Catalog, folder: Path) -> None:
        self._engine, self._catalog, self._folder = engine, catalog, folder
        self.heard: list[Message] = []

    def ordered(self, prompts: dict[str, str], kind: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        name = "test/fake-text" if kind == "text" else "test/fake"
        requests = []
        for number, (request, prompt) in enumerate(prompts.items()):
            resolved = self._catalog.resolve(kind, name, {"prompt": prompt, "seed": number})
            folder = self._folder / request
            folder.mkdir()
            requests.append(
                {
                    "request": request,
                    "kind": kind,
                    "inputs": resolved.inputs.as_json(),
                    "files": {},
                    "folder": str(folder),
                    "provenance": {},
                }
            )
        return self._catalog.models[name].model_dump(mode="json"), requests

    def start(
        self,
        prompts: dict[str, str],
        *,
        kind: str = "text-to-image",
        stop: Callable[[str], bool] = lambda _: False,
        joining: Callable[[], Order | None] = lambda: None,
    ) -> Iterator[Message]:
        for message in self._engine.run(*self.ordered(prompts, kind), stop, joining):
            self.heard.append(message)
            yield message

    def told(self, messages: Sequence[Message]) -> Told:
        found: Told = {}
        for message in messages:
            found.setdefault(message.get("request", ""), []).append(message)
        return found

    def all_of(self, prompts: dict[str, str], **how: Any) -> Told:
        list(self.start(prompts, **how))
        self.heard += self._engine.rest(how.get("stop", lambda _: False))
        return self.told(self.heard)


@pytest.fixture
def runs(engine: Engine, fake_catalog: Catalog, tmp_path: Path) -> Runs:
    return Runs(engine, fake_catalog, tmp_path / "made")


@pytest.fixture(autouse=True)
def _made(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()


def batches(log: Path) -> list[int]:
    """How many requests each that was started ran together with."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line["batch"] for line in lines if line["event"] == "started"]


def sample(message: Message) -> str:
    return str(message["files"][0]["sample_sha256"])


def ends(told: Told) -> dict[str, str]:
    return {request: messages[-1]["is"] for request, messages in told.items() if request}


def test_requests_are_computed_together(runs: Runs, tmp_path: Path) -> None:
    log = tmp_path / "log"
    told = runs.all_of(dict.fromkeys("abcd", f"a star log={log}"))

    assert ends(told) == dict.fromkeys("abcd", "done")
    assert batches(log) == [4, 4, 4, 4]


@pytest.mark.parametrize("fault", ["fail=fatal", "fail=bug", "oom", "fail=retryable"])
def test_one_that_fails_leaves_the_others_samples_unchanged(runs: Runs, tmp_path: Path, fault: str) -> None:
    without = runs.all_of({"a": "a star", "b": "a boat"})
    expected = {name: sample(without[name][-1]) for name in "ab"}
    runs.heard.clear()
    (tmp_path / "made").rename(tmp_path / "before")
    (tmp_path / "made").mkdir()

    told = runs.all_of({"a": "a star", "b": "a boat", "c": f"steps=3 {fault}"})

    assert ends(told) == {"a": "done", "b": "done", "c": "failed"}
    assert {name: sample(told[name][-1]) for name in "ab"} == expected


def test_texts_are_tried_again_one_by_one(runs: Runs, tmp_path: Path) -> None:
    bug = f"at=0 fail=bug times=1 log={tmp_path / 'log'}"

    told = runs.all_of({"a": bug, "b": "steps=2", "c": "steps=2"}, kind="text")

    assert ends(told) == dict.fromkeys("abc", "done")


@impatient(stop=0.5)
def test_who_waits_to_be_tried_alone_can_be_stopped(runs: Runs, engine: Engine, tmp_path: Path) -> None:
    # Given texts that are tried one by one, each for longer than an engine may take to obey a stop
    bug = f"at=0 fail=bug times=1 steps=12 sleep=0.1 log={tmp_path / 'log'}"
    slow = "steps=12 sleep=0.1"

    def stop(request: str) -> bool:
        return request == "c" and any(m["is"] == "delta" for m in runs.heard)

    told = runs.all_of({"a": bug, "b": slow, "c": slow}, kind="text", stop=stop)

    assert ends(told) == {"a": "done", "b": "done", "c": "stopped"}
    assert engine.pid is not None


def test_one_that_is_stopped_leaves_the_others_as_they_are(runs: Runs) -> None:
    stopped = False

    def stop(request: str) -> bool:
        return stopped and request == "b"

    for message in runs.start({"a": "steps=8 sleep=0.1", "b": "steps=8 sleep=0.1"}, stop=stop):
        stopped = stopped or message["is"] == "progress"
    runs.heard += runs._engine.rest(stop)

    told = runs.told(runs.heard)
    assert ends(told) == {"a": "done", "b": "stopped"}
    assert max(m["step"] for m in told["a"] if m["is"] == "progress") == 8


def test_a_crash_ends_all_and_says_so(runs: Runs, engine: Engine) -> None:
    with pytest.raises(EngineDied):
        list(runs.start({"a": "steps=3", "b": "crash"}))

    assert not engine.busy


def test_the_device_goes_on_while_outputs_are_written(runs: Runs, engine: Engine) -> None:
    first = list(runs.start({"a": "encode=1.5"}))
    assert engine.busy  # `a` has run, and is being written

    second = list(runs.start({"b": "steps=2"}))

    assert "started" in [message["is"] for message in second]
    assert ("done", "a") not in [(m["is"], m.get("request")) for m in first]
    runs.heard += engine.rest(lambda _: False)
    assert ends(runs.told(runs.heard)) == {"a": "done", "b": "done"}
    order = [m["request"] for m in runs.heard if m["is"] in ("progress", "done")]
    assert order.index("b") < len(order) - 1 - order[::-1].index("a")


def test_what_an_engine_had_that_was_replaced_unheard_has_an_end(
    runs: Runs, engine: Engine, tmp_path: Path
) -> None:
    # Given a picture that is being written, and an engine that dies and is replaced while nobody listens
    ended: list[LiveAttempt] = []
    worker = WorkerRuns(engine, ended.append)
    attempt = LiveAttempt(a_job(crashes=0, rows=1), "a", tmp_path, Drain(60))
    model, (attempt.request,) = runs.ordered({"a": "encode=3"}, "text-to-image")
    attempt.model = Model.model_validate(model)
    worker.run([attempt], no_others)
    assert not ended
    assert engine.pid is not None
    os.kill(engine.pid, signal.SIGKILL)
    wait_for(lambda: engine.lost, what="a lost engine")
    engine.ensure()
    # Then its attempt is not held for ever
    worker.rest()
    assert ended == [attempt]
    assert attempt.outcome is Outcome.CRASHED


@impatient(stop=0.5)
def test_one_that_has_run_may_be_stopped_late(runs: Runs, engine: Engine) -> None:
    # It waits to be written, longer than an engine may take to obey a stop
    list(runs.start({"a": "encode=1", "b": "encode=1"}))
    told = runs.told(list(engine.rest(lambda request: request == "b")))
    assert ends(told) == {"a": "done", "b": "stopped"}


@impatient(encode=4.0)
def test_what_is_too_slow_to_be_written_is_told_of_both(runs: Runs, engine: Engine) -> None:
    list(runs.start({"a": "encode=30"}))

    with pytest.raises(Exception, match="4 s while encoding"):
        list(runs.start({"b": "steps=200 sleep=0.1"}))


@pytest.mark.parametrize(("revision", "starts"), [("1", 1), ("2", 2)])
def test_texts_join_while_others_are_written_if_the_model_is_the_same(
    runs: Runs, revision: str, starts: int
) -> None:
    model, later = runs.ordered({"later": "steps=2"}, "text")
    waiting = [later]

    def joining() -> Order | None:
        seen = any(message["is"] == "delta" for message in runs.heard)
        return (model | {"revision": revision}, waiting.pop()) if seen and waiting else None

    told = runs.all_of({"first": "steps=40 sleep=0.1"}, kind="text", joining=joining)

    assert ends(told) == {"first": "done", "later": "done"}
    assert [message["is"] for message in told[""]].count("started") == starts
    assert told[""][2]["serves"]


def test_a_broken_device_leaves_no_word_about_either(
    monkeypatch: pytest.MonkeyPatch, fake_catalog: Catalog, tmp_path: Path
) -> None:
    """Nobody knows whose fault it was: both are tried again, each alone."""
    monkeypatch.setenv("PYTHONPATH", str(FAKE_FAMILY))
    patient = Engine("cpu", "auto", Deadlines(load=60.0, step=60.0, encode=60.0, stop=60.0))
    runs = Runs(patient, fake_catalog, tmp_path / "made")
    with pytest.raises(EngineDied, match="exit code 5"):
        list(runs.start({"a": "steps=3", "b": "steps=3 fail=device"}))
