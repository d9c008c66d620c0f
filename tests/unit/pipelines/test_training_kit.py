"""The training kit: a course that resumes to the same weights, its records, and the figures of the cards."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from pipelines.catalog import digest_folder
from pipelines.training import course, export, figures, pictures
from pipelines.training.optimizers import Pair, between_layers
from pipelines.training.rows import renewed
from pipelines.training.store import Store


class Line:
    """Learns y = 3 x + 1 from noisy points. `sabotage` is called before each step with its number."""

    name, steps = "line", 120

    def __init__(self, sabotage=lambda number: None):
        torch.manual_seed(0)
        self.model = torch.nn.Linear(1, 1)
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.sabotage = sabotage

    def step(self, number):
        self.sabotage(number)
        dice = course.dice(7, number)
        x = torch.tensor([[dice.random()] for _ in range(16)])
        loss = (self.model(x) - 3 * x - 1 + 0.01 * torch.randn(16, 1)).square().mean()
        for group in self.optimizer.param_groups:
            group["lr"] = course.rate(number, self.steps, 0.3, warm_up=5)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return {"loss": loss.item()}

    def state(self):
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def restore(self, state):
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])

    def sample(self, path):
        Image.new("RGB", (8, 8)).save(path)


def weight(learner):
    return learner.model.weight.item(), learner.model.bias.item()


def killed_after(step):
    def sabotage(number):
        if number == step:
            raise InterruptedError

    return sabotage


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "line")


@pytest.fixture
def whole(tmp_path):
    """The weights and the log of a training that nothing interrupted."""
    learner, store = Line(), Store(tmp_path / "whole")
    course.train(learner, store, minutes=None, resume=False)
    return weight(learner), store


def test_it_learns_and_leaves_its_records(whole):
    (slope, height), store = whole

    assert abs(slope - 3) < 0.2
    assert abs(height - 1) < 0.1
    assert [row["step"] for row in store.logged()] == list(range(10, 121, 10))
    assert store.logged()[-1]["loss"] < 0.01 < store.logged()[0]["loss"]
    with Image.open(store.path("curve.png")) as curve:
        assert curve.width > 300
    assert store.path("samples/000120.png").is_file()


def test_killed_and_resumed_it_comes_to_the_same_weights(store, whole):
    with pytest.raises(InterruptedError):
        course.train(Line(killed_after(47)), store, minutes=None, resume=False, checkpoint_seconds=0)
    learner = Line()

    course.train(learner, store, minutes=None, resume=True)

    assert weight(learner) == whole[0]
    assert [row["step"] for row in store.logged()] == list(range(10, 121, 10))


def test_steps_after_the_last_checkpoint_are_forgotten(store):
    store.log("line", step=10, loss=1.0)
    store.log("line", step=20, loss=0.5)
    store.save(course.CHECKPOINT, {"learner": Line().state(), "step": 15, "seconds": 3.0, "cpu_seconds": 2.0})

    resumed = course.Course(Line(), store)

    assert resumed.resume()
    assert (resumed.done, resumed.before) == (15, 3.0)
    assert [row["step"] for row in store.logged()] == [10]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_after_the_step_that_runs(store, number):
    before = signal.getsignal(number)

    course.train(
        Line(lambda step: step == 20 and os.kill(os.getpid(), number)), store, minutes=None, resume=False
    )

    assert store.load(course.CHECKPOINT)["step"] == 21
    assert signal.getsignal(number) is before


def test_its_minutes_end_it(store):
    course.train(Line(), store, minutes=0, resume=False)

    assert store.load(course.CHECKPOINT)["step"] == 1


def test_a_loss_that_is_no_number_ends_it(store):
    learner = Line()
    learner.sabotage = lambda step: step == 12 and learner.model.bias.data.fill_(float("nan"))

    with pytest.raises(FloatingPointError, match="line: loss is no number at step 12"):
        course.train(learner, store, minutes=None, resume=False)


def test_a_training_is_never_overwritten(whole):
    with pytest.raises(FileExistsError, match="--resume"):
        course.train(Line(), whole[1], minutes=None, resume=False)


def command(store, *words):
    course.main(
        lambda chosen: Line(),
        name="line",
        export=lambda learner, store, folder: export.finish(
            folder, store, {"steps": learner.steps, "slope": learner.model.weight.item()}, largest=10_000
        ),
        evaluate=lambda folder, count, seed: {"obeyed": figures.share(count - 1, count), "seed": seed},
        words=["--store", str(store.folder), *words],
    )


def test_the_command_trains_exports_and_measures(store, tmp_path, capsys):
    folder = tmp_path / "house"

    command(store, "--resume")
    command(store, "--export", str(folder), "--evaluate", str(folder), "--count", "40")

    assert json.loads((folder / "recipe.json").read_text())["slope"] == pytest.approx(3, abs=0.2)
    assert len((folder / "training_log.jsonl").read_text().splitlines()) == 12
    assert json.loads((folder / "evaluation.json").read_text())["obeyed"]["passed"] == 39
    assert "obeyed: 97.5 % (87.1 to 99.6 %, 39 of 40)" in capsys.readouterr().out


def test_stages_are_trained_in_order_each_in_a_folder_of_its_own(store, tmp_path):
    second = Line()
    second.name = "second"
    exported = []

    def recipe(*words):
        course.main(
            {"first": lambda chosen: Line(), "second": lambda chosen: second},
            name="line",
            export=lambda learner, whole, folder: (
                exported.append(learner.name),
                export.finish(folder, whole, {}, largest=10_000),
            ),
            evaluate=lambda folder, count, seed: {},
            words=["--store", str(store.folder), *words],
        )

    recipe("--resume", "--stage", "first")
    assert not store.path("second/checkpoint.pt").exists()
    recipe("--resume")
    recipe("--export", str(tmp_path / "house"))

    rows = [json.loads(line) for line in (tmp_path / "house" / "training_log.jsonl").read_text().splitlines()]
    assert exported == ["second"]
    assert [row["stage"] for row in rows] == ["line"] * 12 + ["second"] * 12


def test_nothing_trained_cannot_be_exported(store, tmp_path):
    with pytest.raises(SystemExit, match="train first"):
        command(store, "--export", str(tmp_path / "house"))


def test_a_folder_too_large_is_refused(store, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(bytes(2000))

    with pytest.raises(ValueError, match="may take 1,000"):
        export.finish(tmp_path, store, {}, largest=1000)


def test_half_the_bytes_are_loaded_as_float32(tmp_path):
    from diffusers import AutoencoderTiny

    model = AutoencoderTiny(
        encoder_block_out_channels=(8, 8),
        decoder_block_out_channels=(8, 8),
        num_encoder_blocks=(0, 1),
        num_decoder_blocks=(1, 1),
    )

    export.save_half(model, tmp_path)

    weights = sum(value.numel() for value in model.state_dict().values())
    assert (tmp_path / "diffusion_pytorch_model.safetensors").stat().st_size < 2.5 * weights + 10_000
    assert next(model.parameters()).dtype == torch.float32
    assert AutoencoderTiny.from_pretrained(tmp_path).dtype == torch.float32


def test_a_long_log_is_thinned_and_keeps_its_end():
    rows = [{"stage": "line", "step": step} for step in range(1, 1001)] + [{"stage": "other", "step": 1}]

    kept = export.thinned(rows, most=60)

    assert 50 <= len(kept) <= 62
    assert kept[-2:] == [{"stage": "line", "step": 1000}, {"stage": "other", "step": 1}]


@pytest.mark.parametrize(
    ("passed", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (5, 10, 0.2366, 0.7634), (10, 10, 0.7225, 1.0), (475, 500, 0.9272, 0.9659)],
)
def test_intervals_are_those_of_the_books(passed, of, low, high):
    assert figures.wilson(passed, of) == pytest.approx((low, high), abs=1e-4)


def test_no_prompts_have_no_share():
    with pytest.raises(ValueError, match="0 of 0"):
        figures.wilson(0, 0)


def test_a_sheet_shows_every_picture_and_its_words(tmp_path):
    colours = [(200, 0, 0), (0, 200, 0), (0, 0, 200)]
    drawn = [np.full((8, 8, 3), colour, np.uint8) for colour in colours]

    pictures.sheet(drawn, ["red", "green", "blue"], tmp_path / "sheet.png", columns=2, zoom=4)

    with Image.open(tmp_path / "sheet.png") as sheet:
        seen = {colour: count for count, colour in sheet.getcolors(10_000)}
    assert all(seen[colour] == 32 * 32 for colour in colours)
    assert sum(count for colour, count in seen.items() if max(colour) < 140) > 20  # the words


def test_a_curve_needs_figures(tmp_path):
    pictures.curve([{"stage": "line", "step": 10, "seconds": 1.0}], tmp_path / "curve.png")

    assert not Path(tmp_path / "curve.png").exists()


def test_a_digest_is_written_into_its_own_row(tmp_path):
    (tmp_path / "fox").mkdir()
    (tmp_path / "fox" / "config.json").write_text("{}")
    rows = '[[model]]\nname = "house/{}"\nfamily = "wan"\nsha256 = "{}"\n'
    before = rows.format("owl", "0" * 64) + rows.format("fox", "1" * 64) + rows.format("foxes", "2" * 64)

    after = renewed(before, tmp_path, ["fox"])

    assert after == before.replace("1" * 64, digest_folder(tmp_path / "fox"))
    with pytest.raises(KeyError, match="house/owls"):
        renewed(before, tmp_path, ["owls"])


class Two(torch.nn.Module):
    """A table, a matrix between, and a gain: one of each sort of weight."""

    def __init__(self):
        super().__init__()
        self.table = torch.nn.Embedding(8, 8)
        self.layers = torch.nn.ModuleList([torch.nn.Sequential(torch.nn.Linear(8, 8), torch.nn.LayerNorm(8))])

    def forward(self, rows):
        return self.layers[0](self.table(rows))


def test_muon_gets_the_matrices_between_and_adamw_all_else():
    model = Two()
    pair = Pair(model, between_layers(model.layers), (0.1, 0.01))

    muon, adamw = (
        [one for group in each.param_groups for one in group["params"]] for each in pair.optimizers
    )

    assert [one is model.layers[0][0].weight for one in muon] == [True]
    assert sorted(map(id, (*muon, *adamw))) == sorted(map(id, model.parameters()))


def test_the_pair_learns_and_resumes_to_the_same_weights():
    torch.manual_seed(0)
    rows, wanted = torch.arange(8), torch.nn.functional.layer_norm(torch.randn(8, 8), (8,))

    def trained(pair, steps):
        for number in steps:
            loss = pair.descend(
                lambda: (pair.model(rows) - wanted).square().mean(), course.rate(number, 200, 1.0, warm_up=5)
            )["loss"]
        return loss

    whole, first, second = (Pair(m := Two(), between_layers(m.layers), (0.1, 0.1)) for _ in range(3))
    first.model.load_state_dict(whole.model.state_dict())
    before = trained(whole, range(1))
    trained(whole, range(1, 200))
    trained(first, range(80))
    second.model.load_state_dict(first.model.state_dict())
    second.restore(first.state())
    after = trained(second, range(80, 200))

    assert after < before / 20
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name
