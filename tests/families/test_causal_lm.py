"""The causal_lm family, with tiny random weights and a real byte-level BPE."""

import pytest
import torch

from pipelines.base import Request, load_family
from pipelines.errors import InvalidInputs, ModelUnavailable, OutOfMemory, Stopped
from pipelines.families._sampling import choose
from pipelines.kinds import parse_inputs


def request(name="a", kind="text", repeatable=True, **inputs):
    prompt = {"prompt": "Once"} if kind == "text" else {}
    made = parse_inputs(kind, {**prompt, "max_tokens": 30, "seed": 7, **inputs})
    return Request(name, kind, made, repeatable=repeatable)


class Recorder:
    """An Emit that remembers."""

    def __init__(self, stop_after=None, stop_only=None):
        self.deltas, self.steps, self.outputs, self.errors = [], [], {}, {}
        self.stop_after, self.stop_only = stop_after, stop_only

    def delta(self, request, index, text):
        self.deltas.append((request.id, index, text))

    def progress(self, request, step, total):
        self.steps.append((step, total))

    def stopped(self, request):
        chosen = self.stop_only in (None, request.id)
        return chosen and self.stop_after is not None and len(self.steps) >= self.stop_after

    def done(self, request, outputs):
        self.outputs[request.id] = outputs

    def failed(self, request, error):
        self.errors[request.id] = error

    def streamed(self, name, index=0):
        return "".join(text for one, number, text in self.deltas if (one, number) == (name, index))


@pytest.fixture
def serve(causal_lm):
    def serve(*requests, stop_after=None):
        recorder = Recorder(stop_after)
        causal_lm.serve(requests, recorder)
        return recorder

    return serve


def texts(recorder, name="a"):
    return [output.value for output in recorder.outputs[name]]


def test_what_is_streamed_is_what_is_made(serve):
    made = serve(request(n=3))

    assert [made.streamed("a", index) for index in range(3)] == texts(made)
    assert [(o.index, o.seed, o.bucket, o.row) for o in made.outputs["a"]] == [
        (0, 7, 2, 0),
        (1, 8, 2, 1),
        (2, 9, 1, 0),
    ]
    assert len(set(texts(made))) == 3
    steps = [step for step, _ in made.steps]
    assert steps == sorted(steps)
    assert 30 < steps[-1] <= 90  # an output may end by itself
    assert {total for _, total in made.steps} == {90}
    assert len(made.deltas) > 30  # piece by piece


def test_a_seed_repeats_beside_any_neighbours(serve):
    four = texts(serve(request(n=4)))

    assert texts(serve(request(n=4))) == four
    assert [texts(serve(request(seed=seed)))[0] for seed in (7, 8, 9, 10)] == four


def test_control_tokens_in_a_prompt_are_plain_letters(causal_lm):
    end = causal_lm.tokenizer.eos_token
    inputs = request(prompt=f"a {end} b").inputs

    ids = causal_lm.prompter.read("text", inputs).ids

    assert causal_lm.tokenizer.eos_token_id not in ids
    assert causal_lm.tokenizer.decode(ids).endswith(f"a {end} b")


def test_temperature_nought_is_the_likeliest_whatever_the_seed(serve):
    assert texts(serve(request(temperature=0))) == texts(serve(request(temperature=0, seed=8)))
    assert texts(serve(request(temperature=0))) == texts(serve(request(top_p=1e-6)))
    assert texts(serve(request(temperature=0))) == texts(serve(request(min_p=1.0)))


def test_requests_follow_one_another(serve):
    made = serve(request("a"), request("b", prompt="The owl"))

    assert made.outputs.keys() == {"a", "b"}
    assert texts(made, "b") == texts(serve(request("b", prompt="The owl")), "b")


def test_a_stop_text_ends_the_output_before_it_and_is_never_streamed(serve):
    whole = texts(serve(request()))[0]
    stop = whole[10:13]

    made = serve(request(stop=["nowhere in it", stop]))

    assert texts(made)[0] == made.streamed("a") == whole[: whole.index(stop)]
    assert len(made.steps) < 30


def test_one_output_may_end_before_the_others(serve):
    whole = texts(serve(request(n=2)))
    stop = whole[1][8:11]
    assert stop not in whole[0]

    made = serve(request(n=2, stop=[stop]))

    assert texts(made) == [whole[0], whole[1][: whole[1].index(stop)]]


def test_the_end_token_ends_an_output(serve, causal_lm, monkeypatch):
    whole = texts(serve(request(temperature=0)))[0]
    prompt = causal_lm.tokenizer("Once", return_tensors="pt").input_ids
    fourth = causal_lm.model.generate(prompt, max_new_tokens=4, do_sample=False)[0, -1].item()
    monkeypatch.setattr(causal_lm, "ends", {*causal_lm.ends, fourth})

    made = serve(request(temperature=0))

    assert len(made.steps) == 4
    assert whole.startswith(texts(made)[0])


def test_a_stop_ends_it_within_a_token_and_leaves_it_as_it_was(serve):
    before = texts(serve(request()))

    made = serve(request(max_tokens=200), stop_after=3)

    assert isinstance(made.errors["a"], Stopped)
    assert len(made.steps) == 3
    assert texts(serve(request())) == before


@pytest.mark.parametrize(
    ("inputs", "where"),
    [({"max_tokens": 1024}, "/inputs/max_tokens"), ({"prompt": "zq" * 800}, "/inputs/prompt")],
)
def test_what_does_not_fit_the_model_is_told_and_the_others_go_on(serve, inputs, where):
    made = serve(request("a", **inputs), request("b"))

    assert isinstance(made.errors["a"], InvalidInputs)
    assert made.errors["a"].problems[0].pointer == where
    assert made.outputs.keys() == {"b"}


def test_too_little_memory_is_told_and_the_others_go_on(serve, causal_lm):
    failures = [torch.OutOfMemoryError("CUDA out of memory")]

    def fail_once(module, args):
        if failures:
            raise failures.pop()

    hook = causal_lm.model.model.layers[0].register_forward_pre_hook(fail_once)
    made = serve(request("a"), request("b"))
    hook.remove()

    assert isinstance(made.errors["a"], OutOfMemory)
    assert made.outputs.keys() == {"b"}


class Die:
    """A row of the sampler."""

    def __init__(self, seed, temperature=1.0, top_p=1.0, min_p=0.0):
        self.temperature, self.top_p, self.min_p = temperature, top_p, min_p
        self.noise = torch.Generator().manual_seed(seed)


def test_noise_draws_tokens_as_often_as_the_model_says():
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]]).repeat(4000, 1)

    drawn = choose(logits, [Die(seed) for seed in range(4000)])

    share = torch.bincount(torch.tensor(drawn), minlength=4) / 4000
    assert torch.allclose(share, logits[0].softmax(dim=0), atol=0.03)


def test_each_row_has_its_own_temperature_top_p_and_min_p():
    logits = torch.tensor([[2.0, 1.9, 0.0, -1.0]]).repeat(1200, 1)
    dice = [
        Die(seed, temperature, top_p, min_p)
        for seed in range(300)
        for temperature, top_p, min_p in ((0, 1, 0), (1, 0.7, 0), (2, 1, 0), (2, 1, 0.3))
    ]

    drawn = choose(logits, dice)

    assert set(drawn[0::4]) == {0}
    assert set(drawn[1::4]) == {0, 1}  # together 0.9 likely
    assert set(drawn[2::4]) == {0, 1, 2, 3}
    assert set(drawn[3::4]) == {0, 1, 2}  # at that temperature the third is 0.37 times as likely as the first


def test_weights_without_a_tokenizer_do_not_load(catalog, tmp_path):
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((catalog.get("tiny/lm").weights / name).read_bytes())

    with pytest.raises(ModelUnavailable, match="do not load"):
        load_family("causal_lm").load(tmp_path, "cpu", "auto")
