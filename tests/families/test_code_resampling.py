"""Code that does not parse is written anew, if the model's row asks for it."""

import pytest

from pipelines.errors import ModelUnavailable
from pipelines.families._code import parses_as_javascript, whole_parses
from pipelines.families.causal_lm import CausalLM
from pipelines.kinds import parse_inputs
from tests.families.test_causal_lm import Recorder, request, texts
from tests.families.tiny.causal_lm import save_chat_lm

BROKEN = {"prefix": "def f(:\n", "language": "python", "max_tokens": 6}  # nothing that follows mends it
WHOLE = {"prefix": "x = 1\n", "language": "python", "max_tokens": 6, "stop": [" ", "\n"]}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return save_chat_lm(tmp_path_factory.mktemp("chat"))


@pytest.fixture(scope="module")
def resampling(weights):
    return CausalLM.load(weights, "cpu", "auto", resample=3)


def served(family, *requests):
    recorder = Recorder()
    family.serve(requests, recorder)
    return recorder


def facts(recorder, name="a"):
    return [dict(output.facts) for output in recorder.outputs[name]]


def test_what_never_parses_is_tried_so_often_and_no_longer(resampling):
    made = served(resampling, request(kind="code", **BROKEN, n=2))

    assert [one["resampled"] for one in facts(made)] == [3, 3]
    assert [one["parses"] for one in facts(made)] == [False, False]
    assert [made.streamed("a", index) for index in (0, 1)] == texts(made)
    assert len(made.deltas) == 2  # in one piece each, when it is certain
    assert max(step for step, _ in made.steps) <= 12  # never more than is asked for


def test_a_try_goes_on_with_the_seeds_random_numbers(weights, resampling):
    once = CausalLM.load(weights, "cpu", "auto")
    twice = CausalLM.load(weights, "cpu", "auto", resample=1)
    asked = request(kind="code", **BROKEN)

    first, second, fourth = (texts(served(family, asked)) for family in (once, twice, resampling))

    assert len({*first, *second, *fourth}) == 3
    assert texts(served(resampling, asked)) == fourth


def test_only_what_is_broken_is_written_anew(resampling):
    """Of two requests side by side, and of outputs that are shared and fixed alike."""
    for repeatable in (True, False):
        broken = request("a", "code", repeatable, **BROKEN)
        whole = request("b", "code", repeatable, prefix="x = 1\n#", language="py", max_tokens=1)
        made = served(resampling, broken, whole)

        assert (facts(made)[0]["resampled"], facts(made, "b")[0]["resampled"]) == (3, 0)
        assert facts(made, "b")[0]["parses"] is True


@pytest.mark.parametrize("more", [{"language": ""}, {"language": "cobol"}, {"temperature": 0.0}])
def test_without_a_parser_or_chance_there_is_no_second_try(resampling, more):
    made = served(resampling, request(kind="code", **(BROKEN | more)))

    assert facts(made)[0].get("resampled", 0) == 0


def test_other_kinds_are_streamed_as_ever(resampling):
    made = served(resampling, request(max_tokens=12))

    assert "resampled" not in facts(made)[0]
    assert len(made.deltas) > 1


@pytest.mark.parametrize("value", [-1, 17, True, "3", 1.5])
def test_the_option_is_a_small_number(weights, value):
    with pytest.raises(ModelUnavailable, match="resample"):
        CausalLM.load(weights, "cpu", "auto", resample=value)


@pytest.mark.parametrize(("code", "whether"), [
    ("function f(a) {\n  return a ?? `x${a}`;\n}\n", True), ("", True), ("let = = 1", False),
    ("const g = async (...x) => ({ ...x, y: x?.[0] });", True), ("function f(a) {\n  return a;\n", False),
    ("def f(x):\n    return x", False),
])  # fmt: skip
def test_javascript_is_parsed(code, whether):
    assert parses_as_javascript(code) is whether
    assert whole_parses(parse_inputs("code", {"prefix": ";", "language": "JS"}), code) is whether
