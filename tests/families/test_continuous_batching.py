"""Requests to a text model that join and leave while others run."""

import pytest
import torch

from pipelines.errors import EngineError, OutOfMemory, Stopped
from pipelines.families import _decoder
from pipelines.families.causal_lm import CausalLM
from tests.families.test_causal_lm import Recorder, request, texts
from tests.families.tiny.causal_lm import save_hybrid_lm, save_window_lm

# An architecture says that kernels for GPUs are not installed.
pytestmark = pytest.mark.filterwarnings("ignore:.*falling back:UserWarning")


def free(name, **inputs):
    """A request whose seed nobody chose."""
    return request(name, repeatable=False, **{"max_tokens": 16, **inputs})


REQUESTS = [
    free("a"),
    free("b", prompt="The owl said: hello, little fox!", seed=1, temperature=1.5),
    free("c", prompt="x", seed=2, n=3, top_p=0.8),
    free("d", prompt="Ein Märchen", temperature=0, max_tokens=12),
    request("e", prompt="Where do you go?", seed=4, n=2, max_tokens=16),
    free("f", prompt="One", n=9, max_tokens=7),
]


@pytest.fixture(scope="module")
def models(causal_lm, tmp_path_factory):
    home = tmp_path_factory.mktemp("models")
    return {
        "plain": causal_lm,
        "window": CausalLM.load(save_window_lm(home / "window"), "cpu", "auto"),
        "hybrid": CausalLM.load(save_hybrid_lm(home / "hybrid"), "cpu", "auto"),
    }


def serve(model, requests, **stop):
    recorder = Recorder(**stop)
    model.serve(requests, recorder)
    return recorder


def one_by_one(model, requests):
    return {one.id: texts(serve(model, [one]), one.id) for one in requests}


def together(model, requests):
    made = serve(model, requests)
    assert made.errors == {}
    return {name: texts(made, name) for name in made.outputs}


@pytest.mark.parametrize("name", ["plain", "window", "hybrid"])
def test_texts_are_the_same_in_any_company(models, name):
    model = models[name]

    assert together(model, REQUESTS) == together(model, REQUESTS[::-1]) == one_by_one(model, REQUESTS)


@pytest.mark.parametrize("name", ["plain", "window", "hybrid"])
def test_the_likeliest_text_is_what_generate_makes(models, name):
    model = models[name]
    asked = free("a", prompt="Once upon a time a fox met an owl", temperature=0, max_tokens=40)
    read = model.tokenizer(asked.inputs.prompt, return_tensors="pt")

    ids = model.model.generate(**read, max_new_tokens=40, do_sample=False)[0, read.input_ids.shape[1] :]

    assert texts(serve(model, [asked, free("b", prompt="x")])) == [
        model.tokenizer.decode(ids, skip_special_tokens=True).rstrip("\ufffd")
    ]


def test_requests_join_and_leave_while_others_run(causal_lm):
    """The second comes when the first has made ten tokens, and is done before it."""
    recorder, order = Recorder(), []

    def coming():
        yield free("long", max_tokens=60)
        while len(recorder.steps) < 10:
            yield None
        yield free("short", prompt="The owl", max_tokens=5)
        while len(recorder.outputs) < 2:
            order.extend(name for name in recorder.outputs if name not in order)
            yield None
        yield free("late", prompt="x", max_tokens=5)

    causal_lm.serve(coming(), recorder)

    assert order == ["short"]
    assert recorder.outputs.keys() == {"long", "short", "late"}
    assert (
        recorder.outputs["short"][0].value
        == one_by_one(causal_lm, [free("short", prompt="The owl", max_tokens=5)])["short"][0]
    )


def test_lines_that_run_together_are_computed_together(causal_lm):
    sizes = []
    hook = causal_lm.model.register_forward_pre_hook(
        lambda module, args, given: sizes.append(tuple(given["input_ids"].shape)), with_kwargs=True
    )
    together(causal_lm, [free(str(number), seed=number, max_tokens=20) for number in range(8)])
    hook.remove()

    assert (8, 1) in sizes
    assert len(sizes) <= 8 + 20 + 8  # 8 prompts, and hardly more tokens than one request has


def test_no_more_lines_run_than_the_row_allows(causal_lm, monkeypatch):
    monkeypatch.setattr(causal_lm, "lines", 3)
    sizes = []
    hook = causal_lm.model.register_forward_pre_hook(
        lambda module, args, given: sizes.append(given["input_ids"].shape[0]), with_kwargs=True
    )
    made = together(causal_lm, REQUESTS)
    hook.remove()

    assert max(sizes) == 3
    assert made == one_by_one(causal_lm, REQUESTS)


def test_a_given_seed_is_computed_apart_in_the_same_bucket(causal_lm):
    made = serve(causal_lm, [free("a", max_tokens=60), request("b", n=3), free("c")])

    assert [(output.bucket, output.row) for output in made.outputs["b"]] == [(2, 0), (2, 1), (1, 0)]
    assert {(output.bucket, output.row) for output in made.outputs["a"] + made.outputs["c"]} == {(0, 0)}


def test_a_stop_takes_one_request_out_and_leaves_the_others(causal_lm):
    stopped = serve(causal_lm, REQUESTS, stop_after=20, stop_only="c")

    alone = one_by_one(causal_lm, REQUESTS)
    assert isinstance(stopped.errors["c"], Stopped)
    assert {name: texts(stopped, name) for name in stopped.outputs} == {
        name: text for name, text in alone.items() if name != "c"
    }


def test_a_long_prompt_is_read_in_pieces_between_the_tokens_of_others(causal_lm, monkeypatch):
    monkeypatch.setattr(_decoder, "PIECE", 4)
    long = free("long", prompt="Once upon a time a fox met an owl in the wood. " * 4)

    made = serve(causal_lm, [free("short", max_tokens=40), long])

    said = [name for name, _, _ in made.deltas]
    assert said.index("long") > 10  # tokens of the other came before its first
    assert (0, 16) in made.steps  # signs of life
    assert texts(made, "long") == one_by_one(causal_lm, [long])["long"]


class Fails:
    """Has the model fail in the forward passes that `when` chooses."""

    def __init__(self, model, when, error):
        self.model, self.when, self.error, self.passes = model, when, error, 0

    def __enter__(self):
        self.hook = self.model.model.layers[1].register_forward_pre_hook(self.before)
        return self

    def __exit__(self, *_):
        self.hook.remove()

    def before(self, module, args):
        self.passes += 1
        if self.when(args[0].shape[0], self.passes):
            raise self.error


def test_where_memory_is_short_fewer_lines_run_and_nothing_is_lost(causal_lm):
    requests = [free(str(number), seed=number) for number in range(6)]
    shortage = torch.OutOfMemoryError("CUDA out of memory")

    with Fails(causal_lm.model, lambda rows, _: rows > 3, shortage):
        made = together(causal_lm, requests)

    assert made == one_by_one(causal_lm, requests)


def test_a_fixed_bucket_that_does_not_fit_is_halved_before_it_begins(causal_lm):
    shortage = torch.OutOfMemoryError("CUDA out of memory")
    failures = iter([True])

    with Fails(causal_lm.model, lambda rows, _: next(failures, False), shortage):
        made = serve(causal_lm, [request("a", n=4, max_tokens=20)])

    assert [output.bucket for output in made.outputs["a"]] == [2, 2, 2, 2]
    assert texts(made) == one_by_one(causal_lm, [request("a", n=4, max_tokens=20)])["a"]


def test_a_fixed_bucket_that_has_begun_fails_and_the_others_go_on(causal_lm):
    shortage = torch.OutOfMemoryError("CUDA out of memory")

    with Fails(causal_lm.model, lambda rows, passes: rows == 4 and passes > 10, shortage):
        made = serve(causal_lm, [request("a", n=4, max_tokens=20), free("b")])

    assert isinstance(made.errors["a"], OutOfMemory)
    assert texts(made, "b") == one_by_one(causal_lm, [free("b")])["b"]


def test_numbers_that_overflow_fail_their_own_request_only(causal_lm):
    requests = [free("a"), free("b", prompt="The owl", seed=1)]
    whole = one_by_one(causal_lm, requests)

    def spoil(module, args, answer):
        if answer.logits.shape[0] == 2:
            answer.logits[1] = torch.nan
        return answer

    hook = causal_lm.model.register_forward_hook(spoil)
    made = serve(causal_lm, requests)
    hook.remove()

    assert isinstance(made.errors["b"], EngineError)
    assert "overflowed" in made.errors["b"].detail
    assert texts(made, "a") == whole["a"]
