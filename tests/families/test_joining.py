"""Requests that join a run inside a real engine process, and leave it one by one."""

import itertools

import pytest

from tests import servers
from workers.engine_client import Deadlines, Engine

DEADLINES = Deadlines(load=120.0, step=60.0, encode=60.0, stop=30.0)


@pytest.fixture(scope="module")
def engine():
    engine = Engine("cpu", "auto", DEADLINES)
    pid = engine.ensure().pid
    servers.kept.add(pid)
    yield engine
    engine.close()
    servers.kept.discard(pid)


@pytest.fixture
def ask(catalog, tmp_path):
    """A request as the worker writes it into an order."""

    def ask(name, repeatable=False, **inputs):
        folder = tmp_path / name
        folder.mkdir()
        resolved = catalog.resolve("text", "tiny/lm", {"prompt": "Once", "seed": 3, **inputs})
        return {
            "request": name,
            "kind": "text",
            "inputs": resolved.inputs.as_json(),
            "files": {},
            "folder": str(folder),
            "provenance": {},
            "repeatable": repeatable,
        }

    return ask


class Conversation:
    """Runs an order on the engine; lets others join and ends some of them when it has heard enough."""

    def __init__(self, engine, model):
        self.engine, self.model = engine, model
        self.messages = []

    def hold(self, requests, joining=(), stop_when=lambda name, heard: False):
        waiting = list(joining)

        def come():
            return (self.model, [waiting.pop(0)]) if waiting and self.count("delta") > 3 else None

        def stop(name):
            return stop_when(name, self)

        for message in self.engine.run(self.model, requests, stop, come):
            self.messages.append(message)
        self.messages.extend(self.engine.rest(stop))
        assert not waiting
        return self

    def count(self, name, request=None):
        return sum(
            message["is"] == name and request in (None, message["request"]) for message in self.messages
        )

    def ends(self):
        return [
            (message["request"], message["is"])
            for message in self.messages
            if message["is"] in {"done", "failed", "stopped"}
        ]

    def text(self, request):
        return "".join(
            message["text"]
            for message in self.messages
            if message["is"] == "delta" and message["request"] == request
        )


@pytest.fixture
def talk(engine, catalog):
    model = catalog.get("tiny/lm").model_dump(mode="json")
    return lambda *args, **more: Conversation(engine, model).hold(*args, **more)


def test_requests_join_a_run_and_one_is_stopped_while_the_others_go_on(talk, ask):
    first = [ask(name, max_tokens=200, temperature=0) for name in ("long", "doomed")]
    joining = [ask("short", max_tokens=4), ask("given", repeatable=True, max_tokens=6, n=2)]

    heard = talk(first, joining, stop_when=lambda name, heard: name == "doomed" and heard.count("done") > 1)

    ends = heard.ends()
    assert set(ends) == {("long", "done"), ("doomed", "stopped"), ("short", "done"), ("given", "done")}
    assert ends.index(("short", "done")) < ends.index(("long", "done"))
    done = {message["request"]: message for message in heard.messages if message["is"] == "done"}
    assert done["short"]["files"][0]["facts"]["tokens"] <= 4
    assert [file["bucket"] for file in done["given"]["files"]] == [2, 2]


def test_a_text_that_joined_is_the_text_that_it_is_alone(talk, ask):
    alone = talk([ask("alone", max_tokens=20)])

    joined = talk([ask("first", temperature=0, max_tokens=150)], [ask("second", max_tokens=20)])

    assert joined.text("second") == alone.text("alone")


def test_who_comes_too_late_to_join_is_run_next(engine, talk, ask, catalog):
    """An order to join another model's run waits for the end of that, and is one of its own then."""
    process = engine.ensure()
    other = {**catalog.get("tiny/lm").model_dump(mode="json"), "title": "another row"}
    heard = Conversation(engine, catalog.get("tiny/lm").model_dump(mode="json"))
    sent = itertools.count()

    def stop(name):
        if heard.count("delta") and not next(sent):
            process.sender.send("join", model=other, requests=[ask("late", max_tokens=4)])
        return False

    run = engine.run(heard.model, [ask("first", temperature=0, max_tokens=60)], stop)
    heard.messages.extend(run)
    while ("late", "done") not in heard.ends() and (message := process.receiver.receive(60)) is not None:
        heard.messages.append(message)

    assert heard.ends() == [("first", "done"), ("late", "done")]
