"""Code is run with its tests where that is allowed, and comes best first. The children are real ones."""

import os
from pathlib import Path
from typing import Any

import pytest

from infra import code_check
from pipelines.base import Capabilities, Output, Request
from workers import trials
from workers.engine_finish import Finisher
from workers.engine_run import Run
from workers.messages import Message, Receiver, Sender
from workers.trials import Trials

DOUBLE = {"prefix": "def double(x):\n", "language": "python", "tests": ["double(2) == 4", "double(0) == 0"]}
ANSWERS = ["    return x", "    return x +", "    return 2 * x", "    return 4"]


class Writer:
    """A family that writes ANSWERS."""

    capabilities = Capabilities(max_batch=1, serves=("code",), streams=True)

    def serve(self, requests: Any, emit: Any) -> None:
        for request in requests:
            if request is not None:
                for index in range(request.inputs.n):
                    emit.delta(request, index, ANSWERS[index])
                facts = [{"parses": answer != ANSWERS[1]} for answer in ANSWERS]
                outputs = [
                    Output(i, ANSWERS[i], seed=10 + i, facts=facts[i]) for i in range(request.inputs.n)
                ]
                emit.done(request, outputs)


class Nobody:
    def stopped(self, request: str) -> bool:
        return False

    def joining(self, model: Message, kinds: Any) -> None:
        return None


def told(tmp_path: Path, allowed: Trials | None, **inputs: Any) -> list[Message]:
    """What the worker hears of one request."""
    reading, writing = os.pipe()
    asked = {
        "request": "a",
        "kind": "code",
        "inputs": {"seed": 10, "n": 4, **inputs},
        "files": {},
        "folder": str(tmp_path),
        "provenance": {},
    }
    sender = Sender(writing)
    finisher = Finisher(sender, trials=allowed)
    run = Run(sender, Nobody(), {"model": {}, "requests": [asked]}, finisher)
    if run.waiting:
        run.carry_out(Writer(), run.waiting)
    receiver, messages = Receiver(reading), []
    while (message := receiver.receive(0)) is not None:
        messages.append(message)
    os.close(reading)
    os.close(writing)
    return messages


def test_the_best_comes_first_and_keeps_its_seed(tmp_path: Path) -> None:
    messages = told(tmp_path, Trials(), **DOUBLE)

    files = messages[-1]["files"]
    assert [(file["index"], file["seed"], file["facts"]["tests_passed"]) for file in files] == [
        (0, 12, 2), (1, 10, 1), (2, 13, 1), (3, 11, 0),
    ]  # fmt: skip
    assert {file["facts"]["tests"] for file in files} == {2}
    assert Path(files[0]["path"]).read_text() == ANSWERS[2]
    deltas = [(message["index"], message["text"]) for message in messages if message["is"] == "delta"]
    assert deltas == [(0, ANSWERS[2]), (1, ANSWERS[0]), (2, ANSWERS[3]), (3, ANSWERS[1])]


def test_javascript_is_ranked_too(tmp_path: Path) -> None:
    asked = {
        "prefix": "const f = () => {/*",
        "suffix": "*/ return 1 }",
        "language": "js",
        "tests": ["f() === 1", "f() === 2"],
    }
    files = told(tmp_path, Trials(), **asked)[-1]["files"]

    assert [file["facts"]["tests_passed"] for file in files] == [1, 1, 1, 1]
    assert [file["seed"] for file in files] == [10, 12, 13, 11]  # what parses first, else as they came


def test_without_tests_all_is_as_ever(tmp_path: Path) -> None:
    messages = told(tmp_path, Trials(), **(DOUBLE | {"tests": []}))

    assert [file["seed"] for file in messages[-1]["files"]] == [10, 11, 12, 13]
    assert "tests" not in messages[-1]["files"][0]["facts"]


def test_without_leave_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "passed_tests", None)
    (message,) = told(tmp_path, None, **DOUBLE)

    assert (message["is"], message["error"]["type"]) == ("failed", "engine_error")
    assert "ATELIER_RUN_CODE" in message["error"]["detail"]


def test_where_it_cannot_be_confined_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "can_confine", lambda: False)
    (message,) = told(tmp_path, Trials(), **DOUBLE)

    assert (message["is"], message["error"]["retryable"]) == ("failed", False)
    assert "confine" in message["error"]["detail"]


def test_a_machine_that_turns_out_not_to_confine_fails_the_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = Trials()
    assert allowed.possible
    broken = "import platform; platform.machine = lambda: 'riscv64'; " + code_check.PROGRAM
    monkeypatch.setattr(code_check, "PROGRAM", broken)

    messages = told(tmp_path, allowed, **DOUBLE)

    assert (messages[-1]["is"], messages[-1]["request"]) == ("failed", "a")


def test_who_has_tests() -> None:
    from pipelines.kinds import parse_inputs

    assert trials.has_tests(Request("a", "code", parse_inputs("code", DOUBLE)))
    assert not trials.has_tests(Request("a", "text", parse_inputs("text", {"prompt": "x"})))
