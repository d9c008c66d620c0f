"""The openai_compatible family, with a server that speaks the protocol over real HTTP."""

import subprocess
import sys
import time

import pytest

from pipelines.base import load_pipeline
from pipelines.catalog import Catalog
from pipelines.errors import EngineError, ModelUnavailable, Stopped, TransientEngineError
from pipelines.families import openai_compatible
from pipelines.families.openai_compatible import OpenAICompatible
from pipelines.seeds import output_seed
from tests.families.test_causal_lm import Recorder, request, texts
from tests.families.test_example import block
from tests.openai_server import OpenAIServer, words

TALK = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Who are you?"}]


@pytest.fixture
def server():
    with OpenAIServer().serving() as server:
        yield server


@pytest.fixture
def family(server):
    return OpenAICompatible.load(None, "cpu", "auto", url=server.url, model="big", timeout_seconds=5)


def serve(family, *requests, **stop):
    recorder = Recorder(**stop)
    family.serve(requests, recorder)
    return recorder


def error_of(family, asked=None):
    made = serve(family, asked or request())
    assert made.outputs == {}
    return made.errors["a"]


def test_every_output_is_a_stream_with_its_own_seed(server, family):
    made = serve(family, request(n=3, max_tokens=5, top_p=0.9, min_p=0.1, temperature=0.5, stop=["END"]))

    assert len({*texts(made)}) == 3
    assert [made.streamed("a", index) for index in range(3)] == texts(made)
    assert [(output.seed, output.bucket) for output in made.outputs["a"]] == [(7, 0), (8, 0), (9, 0)]
    assert made.outputs["a"][0].facts == {"finish_reason": "length", "tokens": 5}
    assert sorted(made.steps)[-1] == (15, 15)
    path, body = min(server.requests, key=lambda asked: asked[1]["seed"])
    assert path == "/v1/completions"
    assert body == {
        "model": "big",
        "prompt": "Once",
        "max_tokens": 5,
        "temperature": 0.5,
        "top_p": 0.9,
        "min_p": 0.1,
        "stop": ["END"],
        "seed": output_seed(7, 0),
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_conversation_and_each_way_of_asking_for_code(server, family):
    serve(
        family,
        request("chat", "chat", messages=TALK),
        request("on", "code", prefix="def f(", seed=1),
        request("gap", "code", prefix="def f(", suffix="): pass", seed=2),
        request("told", "code", prompt="Add.", prefix="def f(", suffix="f()", language="python", seed=3),
    )

    asked = {body["seed"]: (path, body) for path, body in server.requests}
    assert asked[7][0] == asked[3][0] == "/v1/chat/completions"
    assert asked[7][1]["messages"] == TALK
    assert (asked[1][0], asked[1][1]["prompt"]) == ("/v1/completions", "def f(")
    assert (asked[2][1]["prompt"], asked[2][1]["suffix"]) == ("def f(", "): pass")
    instruction = asked[3][1]["messages"][-1]["content"]
    assert all(part in instruction for part in ("Add.", "python", "def f(", "f()"))


def test_code_by_instruction_is_what_stands_in_the_block(server, family):
    server.say = lambda path, body: ["``", "`python\nx = ", "1\n", "``", "`\nThat is ", "it."]

    made = serve(family, request(kind="code", prompt="Set x.", language="python"))

    assert texts(made) == [made.streamed("a")] == ["x = 1"]
    assert made.outputs["a"][0].facts == {
        "finish_reason": "stop", "tokens": 5, "language": "python", "parses": True
    }  # fmt: skip


def test_a_stop_text_ends_the_output_and_the_stream(server, family):
    server.say = lambda path, body: ["one ", "E", "ND", *[" two"] * 50_000]

    made = serve(family, request(stop=["END"]))

    assert texts(made) == ["one "]
    assert made.outputs["a"][0].facts["finish_reason"] == "stop"
    wait_until(lambda: server.running == 0 and server.broken_off == 1)


def wait_until(whether, seconds=10):
    end = time.monotonic() + seconds
    while not whether():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_requests_run_at_the_same_time_and_join(server, family):
    server.pace = 0.01
    recorder = Recorder()

    def coming():
        yield request("long", n=4, max_tokens=100)
        while len(recorder.steps) < 4:
            yield None
        yield request("short", max_tokens=3)
        while len(recorder.outputs) < 2:
            yield None

    family.serve(coming(), recorder)

    assert list(recorder.outputs) == ["short", "long"]
    assert server.most == 5


def test_a_stop_closes_its_streams_only(server, family):
    server.pace = 0.01

    made = serve(
        family, request("a", n=2, max_tokens=1000), request("b", max_tokens=60), stop_after=5, stop_only="a"
    )

    assert isinstance(made.errors["a"], Stopped)
    assert len(made.outputs["b"][0].value.split()) == 60
    wait_until(lambda: server.running == 0 and server.broken_off == 2)


def test_a_stop_ends_a_wait_for_a_silent_server(server, family):
    server.pace = 4.0
    began = time.monotonic()

    made = serve(family, request(max_tokens=1), stop_after=0)

    assert isinstance(made.errors["a"], Stopped)
    assert time.monotonic() - began < 3


def test_a_request_that_waits_gives_signs_of_life(server, family, monkeypatch):
    monkeypatch.setattr(openai_compatible, "SIGN_SECONDS", 0.1)
    server.pace = 0.5

    made = serve(family, request(max_tokens=1))

    assert (0, 1) in made.steps
    assert made.steps[-1] == (1, 1)


def test_the_key_comes_from_the_environment_and_further_fields_from_the_row(server, monkeypatch):
    server.key = "secret-1"
    options = {"url": server.url, "model": "big", "key_env": "BIG_KEY", "body": {"top_k": 20}}
    with pytest.raises(ModelUnavailable, match="BIG_KEY"):
        OpenAICompatible.load(None, "cpu", "auto", **options)

    monkeypatch.setenv("BIG_KEY", "secret-1")
    made = serve(OpenAICompatible.load(None, "cpu", "auto", **options), request())
    assert made.errors == {}
    assert server.requests[-1][1]["top_k"] == 20

    monkeypatch.setenv("BIG_KEY", "secret-2")
    error = error_of(OpenAICompatible.load(None, "cpu", "auto", **options))
    assert isinstance(error, ModelUnavailable)
    assert "key" in error.detail
    assert "secret" not in error.detail


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (
            400,
            {"error": {"code": "context_length_exceeded", "message": "Once"}},
            (EngineError, "context_length_exceeded"),
        ),
        (422, b"not JSON: Once", (EngineError, "422")),
        (404, {}, (ModelUnavailable, "404")),
        (429, {"error": {"type": "rate_limit", "code": 7}}, (TransientEngineError, "rate_limit")),
        (503, b"x" * 100_000, (TransientEngineError, "503")),
        (307, {}, (EngineError, "307")),
    ],
)
def test_a_refusal_is_told_by_status_and_code_never_by_its_words(server, family, status, body, error):
    kind, told = error
    server.refuse = lambda path, asked: (status, body)

    raised = error_of(family)

    assert type(raised) is kind
    assert told in raised.detail
    assert "Once" not in raised.detail


@pytest.mark.parametrize(
    ("change", "kind", "told"),
    [
        ({"finish": None}, TransientEngineError, "broke off"),
        ({"refuse": lambda path, body: (200, {"choices": []})}, EngineError, "protocol"),
        ({"say": lambda path, body: ["x" * 600_000] * 2}, EngineError, "max_tokens"),
        ({"pace": 30.0}, TransientEngineError, "no sign of life"),
    ],
)
def test_what_breaks_on_the_way_is_told(server, change, kind, told):
    family = OpenAICompatible.load(None, "cpu", "auto", url=server.url, model="big", timeout_seconds=0.5)
    for name, value in change.items():
        setattr(server, name, value)

    error = error_of(family)

    assert type(error) is kind
    assert told in error.detail


def test_what_is_not_the_protocol_within_a_stream_is_told(server, family):
    server.finish = ["not a word"]

    assert "protocol" in error_of(family).detail


def test_a_server_that_is_not_there_may_come_back():
    family = OpenAICompatible.load(None, "cpu", "auto", url=OpenAIServer().url, model="big")

    assert isinstance(error_of(family), TransientEngineError)


def test_one_that_fails_leaves_the_others(server, family):
    server.refuse = lambda path, body: (400, {}) if body["prompt"] == "bad" else None

    made = serve(family, request("a", prompt="bad", n=3), request("b"))

    assert isinstance(made.errors["a"], EngineError)
    asked = next(body for _, body in server.requests if body["prompt"] == "Once")
    assert texts(made, "b") == ["".join(words("/v1/completions", asked))]


def test_the_row_in_the_docs_is_one(tmp_path, monkeypatch):
    (tmp_path / "models.toml").write_text(block("toml", "openai_compatible"))
    monkeypatch.setenv("QWEN_KEY", "k")

    model = Catalog.load([tmp_path / "models.toml"]).get("local/qwen")

    assert load_pipeline(model, "cpu").model == "Qwen/Qwen3-4B"


def test_it_needs_no_torch():
    code = "import pipelines.families.openai_compatible, sys; print('torch' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"
