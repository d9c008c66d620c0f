"""What all families of diffusers share: refusals in place of silence, samplers, LoRAs, previews."""

import io
import os
import time
from dataclasses import replace
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from pipelines.base import Request, load_family, load_pipeline
from pipelines.catalog import Catalog, add_folder
from pipelines.errors import EngineError, InvalidInputs
from pipelines.families import _previews
from pipelines.families._diffusers import DiffusersFamily
from pipelines.families._previews import Budget, Previewer
from pipelines.kinds import parse_inputs
from pipelines.loras import Lora
from pipelines.models import Model
from tests.families import samples
from tests.families.cases import Given
from tests.families.lora import save_lora
from tests.families.trying import CASES, Told, difference, numbers

# diffusers hands tensors to numpy in a way that numpy 2.4 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

PICTURES = [
    "stable_diffusion",
    "sdxl",
    "sd3",
    "flux",
    "flux2-klein",
    "qwen-image",
    "z-image",
    "sana",
    "sana-sprint",
    "sd_x4",
    "sd_latent_x2",
]


class Models:
    """Tiny models, saved and loaded once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.loaded: dict[str, Any] = {}

    def weights(self, name: str) -> Path:
        folder = self.folder / name
        return folder if folder.exists() else CASES[name].save(folder)

    def load(self, name: str, **options: Any) -> Any:
        return load_family(CASES[name].family).load(self.weights(name), "cpu", "float32", **options)

    def get(self, name: str) -> Any:
        if name not in self.loaded:
            self.loaded[name] = self.load(name)
        return self.loaded[name]

    def request(self, name: str, kind: str = "text-to-image", **changes: Any) -> Request:
        raw = {**CASES[name].inputs[kind], "seed": 7, **changes}
        files = {
            field: samples.write(value, self.folder)
            for field, value in raw.items()
            if isinstance(value, Given)
        }
        sent = {field: {"upload": "u"} if field in files else value for field, value in raw.items()}
        return Request("a", kind, parse_inputs(kind, sent), files)

    def make(self, name: str, kind: str = "text-to-image", **changes: Any) -> Any:
        return self.get(name).run([self.request(name, kind, **changes)], Told())[0][0]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    return Models(tmp_path_factory.mktemp("diffusers"))


NOISE = {"ddim", "euler", "euler-ancestral", "heun", "dpm-solver", "unipc", "lcm"}
FLOW = {"euler", "unipc"}
SAYS = {  # family: kinds that are made one row at a time, samplers, takes a negative prompt, takes LoRAs
    "stable_diffusion": ((), NOISE, True, True),
    "sdxl": ((), NOISE, True, True),
    "sd3": ((), FLOW, True, True),
    "flux": ((), FLOW, True, True),
    "flux2_klein": (("image-to-image",), FLOW, False, True),
    "qwen_image": ((), FLOW, True, True),
    "z_image": ((), {"euler"}, True, True),
    "sana": ((), {*FLOW, "dpm-solver"}, True, True),
    "sana_sprint": ((), set(), False, True),
    "sd_x4": ((), NOISE, True, True),
    "sd_latent_x2": ((), {"euler"}, True, False),
}
"""What upgrades of diffusers might change."""


@pytest.mark.parametrize("name", SAYS)
def test_what_a_family_can_do(name: str) -> None:
    family = load_family(name)
    can = family.capabilities

    assert (can.max_batch, can.previews, can.repeats, can.serves) == (8, True, True, ())
    pipelines = set(family.pipelines.values())
    assert SAYS[name] == (
        can.singly,
        set(family.schedulers),
        all("negative_prompt" in signature(each.__call__).parameters for each in pipelines),
        all(hasattr(each, "load_lora_weights") for each in pipelines),
    )


def test_lcm_needs_few_steps_and_no_guidance(models: Models) -> None:
    told = Told()
    request = models.request("sdxl", scheduler="lcm", guidance=0.0, steps=4)
    calls: list[int] = []
    hook = models.get("sdxl").pipe.unet.register_forward_pre_hook(
        lambda module, args: calls.append(len(args[0]))
    )
    models.get("sdxl").run([request], told)
    hook.remove()

    assert told.steps == [(step, 4) for step in range(1, 5)]
    assert calls == [1] * 4


@pytest.mark.parametrize(
    ("name", "kind", "changes", "pointer"),
    [
        ("sdxl", "text-to-image", {"prompt": "fox " * 80}, "/inputs/prompt"),
        ("sdxl", "text-to-image", {"negative_prompt": "fox " * 80}, "/inputs/negative_prompt"),
        ("sd3", "text-to-image", {"prompt": "a" * 260}, "/inputs/prompt"),
        ("flux", "text-to-image", {"prompt": "a" * 520}, "/inputs/prompt"),
        ("qwen-image", "text-to-image", {"prompt": "a" * 1030}, "/inputs/prompt"),
        ("z-image", "text-to-image", {"prompt": "a" * 520}, "/inputs/prompt"),
        ("flux2-klein", "text-to-image", {"prompt": "a" * 520}, "/inputs/prompt"),
        ("sana", "text-to-image", {"prompt": "q" * 310}, "/inputs/prompt"),
        ("flux", "text-to-image", {"negative_prompt": "an owl"}, "/inputs/negative_prompt"),
        ("flux2-klein", "text-to-image", {"negative_prompt": "an owl"}, "/inputs/negative_prompt"),
        ("sana-sprint", "text-to-image", {"negative_prompt": "an owl"}, "/inputs/negative_prompt"),
        ("sana", "text-to-image", {"width": 72}, "/inputs/width"),
        ("sana", "text-to-image", {"height": 136}, "/inputs/height"),
        ("sdxl", "text-to-image", {"scheduler": "lcm", "steps": 51}, "/inputs/steps"),
        ("sd3", "text-to-image", {"scheduler": "ddim"}, "/inputs/scheduler"),
        ("sd3", "image-to-image", {"scheduler": "unipc"}, "/inputs/scheduler"),
        ("sana-sprint", "text-to-image", {"scheduler": "euler"}, "/inputs/scheduler"),
        ("flux2-klein", "image-to-image", {"strength": 0.5}, "/inputs/strength"),
        ("sana-sprint", "image-to-image", {"steps": 2, "strength": 0.6}, "/inputs/strength"),
        ("sd_x4", "upscale", {"factor": 2}, "/inputs/factor"),
        ("sd_latent_x2", "upscale", {"scheduler": "ddim"}, "/inputs/scheduler"),
    ],
)
def test_what_a_model_would_cut_round_or_leave_out_is_refused(
    models: Models, name: str, kind: str, changes: dict[str, Any], pointer: str
) -> None:
    with pytest.raises(InvalidInputs) as caught:
        models.make(name, kind, **changes)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_a_size_near_the_one_that_was_refused_is_named(models: Models) -> None:
    with pytest.raises(InvalidInputs, match="such as 64 or 96"):
        models.make("sana", width=72)


@pytest.mark.parametrize(
    "name",
    ["sdxl", "sd3", *(pytest.param(name, marks=pytest.mark.slow) for name in ("flux", "qwen-image", "sana"))],
)
def test_samplers_that_add_no_noise_end_at_the_same_picture(models: Models, name: str) -> None:
    """With many steps they follow the same path: so their settings are taken over rightly."""
    few, many = 2, 30
    certain = set(models.get(name).schedulers) - {"euler-ancestral", "lcm", "heun"}

    (path,) = numbers(models.make(name, scheduler="euler", steps=many, guidance=2.0))

    for scheduler in sorted(certain):
        apart = [
            float(
                np.abs(
                    numbers(models.make(name, scheduler=scheduler, steps=n, guidance=2.0))[0] - path
                ).mean()
            )
            for n in (few, many)
        ]
        assert apart[1] <= 0.004, scheduler
        assert scheduler == "euler" or apart[1] < apart[0], scheduler


def test_a_picture_that_is_edited_is_looked_at(models: Models, tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "white").save(tmp_path / "white.png")
    request = models.request("flux2-klein", "image-to-image")
    other = replace(request, files={"image": tmp_path / "white.png"})

    edited, unlike = (models.get("flux2-klein").run([each], Told())[0][0] for each in (request, other))

    assert difference(edited, unlike) > 0


@pytest.mark.parametrize("name", ["stable_diffusion", "z-image"])
def test_what_the_mask_leaves_black_stays(models: Models, name: str) -> None:
    given = np.asarray(Image.open(samples.write(Given("image"), models.folder)).convert("RGB"))
    made = np.asarray(models.make(name, "inpaint").value)

    assert (made[:, :32] == given[:, :32]).all()
    assert np.abs(made[:, 32:].astype(int) - given[:, 32:]).mean() > 5


def test_it_runs_in_half_precision(models: Models) -> None:
    family = load_family("sdxl").load(models.weights("sdxl"), "cpu", "float16", tiling=True)
    ((output,),) = family.run([models.request("sdxl")], Told())
    assert (family.pipe.vae.dtype, output.value.size) == (torch.float16, (64, 64))


def short_of_memory(family: Any) -> None:
    """Its autoencoder decodes one row at a time, no more."""

    def decode(module: Any, given: tuple[torch.Tensor, ...]) -> None:
        if len(given[0]) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")

    family.pipe.vae.decoder.register_forward_pre_hook(decode)


@pytest.mark.filterwarnings("ignore:.*upcast_vae:FutureWarning")  # diffusers' own
@pytest.mark.parametrize("name", ["sana", "sdxl"])
def test_where_decoding_takes_too_much_memory_rows_are_made_one_by_one(models: Models, name: str) -> None:
    family = load_family(name).load(models.weights(name), "cpu", "float16" if name == "sdxl" else "float32")
    family.pipe.vae.register_to_config(force_upcast=True)
    dtype = family.pipe.vae.dtype
    short_of_memory(family)

    (outputs,) = family.run([models.request(name, n=2)], Told())

    assert [output.bucket for output in outputs] == [1, 1]
    assert family.pipe.vae.dtype == dtype


def test_no_negative_prompt_is_not_an_empty_one_for_sdxl(models: Models) -> None:
    family = models.load("sdxl")
    read: list[int] = []
    family.pipe.text_encoder_2.register_forward_pre_hook(lambda module, args: read.append(1))

    counts = []
    for words in ("", "an owl"):
        family.run([models.request("sdxl", negative_prompt=words, guidance=5.0)], Told())
        counts.append(len(read))

    assert counts == [1, 3]  # the prompt; then both


def test_flux_runs_twice_for_a_negative_prompt_if_its_row_says_so(models: Models) -> None:
    family = models.load("flux", true_guidance=4.0)
    calls: list[int] = []
    family.pipe.transformer.register_forward_pre_hook(lambda module, args: calls.append(1))

    plain, other = (
        family.run([models.request("flux", negative_prompt=words)], Told())[0][0] for words in ("", "an owl")
    )

    assert len(calls) == 2 * 2 * 4
    assert difference(plain, other) > 0


def test_guidance_that_a_distilled_model_would_not_heed_is_refused(models: Models) -> None:
    family = models.load("flux2-klein")
    family.pipe.register_to_config(is_distilled=True)

    with pytest.raises(InvalidInputs, match="distilled"):
        family.run([models.request("flux2-klein", guidance=4.0)], Told())
    family.run([models.request("flux2-klein", guidance=1.0)], Told())


def test_stable_diffusion_3_without_its_largest_encoder_reads_less(models: Models) -> None:
    family = models.get("sd3")
    encoder, family.pipe.text_encoder_3 = family.pipe.text_encoder_3, None
    with pytest.raises(InvalidInputs, match="at most 77"):
        family.run([models.request("sd3", prompt="a" * 100)], Told())
    family.pipe.text_encoder_3 = encoder
    family.run([models.request("sd3", prompt="a" * 100, steps=1)], Told())


# Upscaling


def test_odd_sizes_are_enlarged_exactly(models: Models, tmp_path: Path) -> None:
    Image.new("RGB", (50, 37), "teal").save(tmp_path / "odd.png")
    inputs = parse_inputs("upscale", {"image": {"upload": "u"}, "steps": 1, "seed": 1})
    request = Request("a", "upscale", inputs, {"image": tmp_path / "odd.png"})

    ((large,),) = models.get("sd_x4").run([request], Told())
    ((twice,),) = models.get("sd_latent_x2").run([request], Told())

    assert (large.value.size, twice.value.size) == ((200, 148), (100, 74))


def test_a_video_is_enlarged_frame_by_frame(models: Models) -> None:
    video = samples.write(Given("video"), models.folder)
    inputs = parse_inputs("upscale", {"video": {"upload": "u"}, "steps": 1, "seed": 1, "n": 2})
    told = Told()

    (outputs,) = models.get("sd_latent_x2").run([Request("a", "upscale", inputs, {"video": video})], told)

    assert [output.value.frames.shape for output in outputs] == [(12, 128, 128, 3)] * 2
    assert [output.seed for output in outputs] == [1, 2]
    assert told.steps[-1] == (3, 3)  # 24 frames in buckets of 8


def test_what_is_too_large_to_enlarge_is_refused(models: Models) -> None:
    small = models.load("sd_x4", max_pixels=32 * 32)
    with pytest.raises(InvalidInputs, match="has 64 × 64 pixels; this model enlarges at most 1024") as caught:
        small.run([models.request("sd_x4", "upscale")], Told())
    assert caught.value.problems[0].pointer == "/inputs/image"


# LoRAs

SLOW_TO_CHANGE = ["sdxl", "sd3", "flux2-klein", "z-image", "sana", "sana-sprint"]


@pytest.mark.parametrize(
    "name",
    [
        "stable_diffusion",
        "flux",
        "qwen-image",
        *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW_TO_CHANGE),
    ],
)
def test_a_lora_acts_in_its_run_and_leaves_nothing_behind(models: Models, tmp_path: Path, name: str) -> None:
    known = {each: save_lora(models.load(name).pipe, tmp_path, each, seed) for seed, each in enumerate("ab")}
    family = models.load(name, loras=known)

    def made(**scales: float) -> Any:
        loras = [{"name": each, "scale": scale} for each, scale in scales.items()]
        return family.run([models.request(name, loras=loras)], Told())[0][0]

    before = made()
    assert difference(before, made(a=0.0)) <= 1 / 255
    one, both = made(a=4.0), made(a=4.0, b=4.0)
    assert difference(before, one) > 0
    assert difference(one, both) > 0
    assert difference(before, made()) == 0


@pytest.fixture
def broken(tmp_path: Path) -> dict[str, Lora]:
    """A LoRA for a wider model, one for none, one that is no file of tensors."""
    save_file({"transformer.x.lora_A.weight": torch.ones(2, 2)}, tmp_path / "stranger.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(b"\x10\0\0\0\0\0\0\0{}")
    return {
        name: Lora(name=name, models=["tiny/any"], weights=tmp_path / f"{name}.safetensors")
        for name in ("stranger", "cut", "away")
    }


@pytest.mark.parametrize("name", ["stranger", "cut", "away"])
def test_a_lora_that_does_not_fit_fails_only_who_asks_for_it(
    models: Models, broken: dict[str, Lora], name: str
) -> None:
    family = models.load("stable_diffusion", loras=broken)
    before = family.run([models.request("stable_diffusion")], Told())[0][0]

    with pytest.raises(EngineError, match=name):
        family.run([models.request("stable_diffusion", loras=[{"name": name, "scale": 1.0}])], Told())

    after = family.run([models.request("stable_diffusion")], Told())[0][0]
    assert difference(before, after) == 0


def test_a_lora_is_installed_by_a_table_and_asked_for_by_its_name(models: Models, tmp_path: Path) -> None:
    save_lora(models.load("stable_diffusion").pipe, tmp_path, "ink")
    file = tmp_path / "models.toml"
    add_folder(models.weights("stable_diffusion"), file, "tiny/sd")
    with file.open("a") as table:
        table.write('[[lora]]\nname = "ink"\nmodels = ["tiny/sd"]\nweights = "ink.safetensors"\n')
    catalog = Catalog.load([file])
    asked = {"prompt": "a fox", "width": 64, "height": 64, "steps": 2, "seed": 1}

    plain, inked = (
        catalog.resolve("text-to-image", "tiny/sd", {**asked, "loras": loras}).inputs
        for loras in ([], [{"name": "ink", "scale": 4.0}])
    )
    sent = Model.model_validate(catalog.get("tiny/sd").model_dump(mode="json"))  # as an engine gets it
    pipeline = load_pipeline(sent, "cpu")
    one, other = (
        pipeline.run([Request("a", "text-to-image", inputs)], Told())[0][0] for inputs in (plain, inked)
    )

    assert difference(one, other) > 0
    assert plain.batch_key() != inked.batch_key()
    with pytest.raises(InvalidInputs, match="no LoRA 'oil'; it has ink") as caught:
        catalog.resolve("text-to-image", "tiny/sd", {**asked, "loras": [{"name": "oil"}]})
    assert caught.value.problems[0].pointer == "/inputs/loras/0/name"


# Previews


SCENES = Catalog.load().get("house/scenes")


@pytest.fixture
def always_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_previews, "SECONDS", 0)
    monkeypatch.setattr(_previews, "SHARE", 1000)


class Watching(Told):
    """Keeps the previews that it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.previews: list[bytes] = []

    def __call__(self, step: int, total: int, previews: Any = None) -> set[int]:
        self.previews += [preview for preview in previews or [] if preview]
        return super().__call__(step, total, previews)


@pytest.mark.parametrize("name", PICTURES)
def test_each_step_can_be_seen(models: Models, always_due: None, name: str) -> None:
    kind = next(iter(CASES[name].inputs))
    watching = Watching()

    ((output,),) = models.get(name).run([models.request(name, kind)], watching)

    assert len(watching.previews) == len(watching.steps)
    assert len(set(watching.previews)) > 1
    shown = Image.open(io.BytesIO(watching.previews[-1]))
    assert shown.width * output.value.height == shown.height * output.value.width


@pytest.mark.skipif(
    os.environ.get("CI") != "true" and not SCENES.is_here(), reason="the house model is not trained here"
)
def test_a_preview_by_the_matrix_looks_like_the_picture(always_due: None) -> None:
    family = load_pipeline(SCENES, "cpu")
    with torch.inference_mode():
        family.previewer = Previewer(family.decode, family.channels(), torch.device("cpu"), exact=False)

    def made(seed: int, prompt: str) -> list[Any]:
        inputs = SCENES.inputs("text-to-image", {"prompt": prompt, "seed": seed})
        watching = Watching()
        output = family.run([Request("a", "text-to-image", inputs)], watching)[0][0]
        shown = Image.open(io.BytesIO(watching.previews[-1])).convert("RGB")
        return [
            np.asarray(picture.resize((16, 16), Image.Resampling.BOX), float).ravel()
            for picture in (shown, output.value)
        ]

    first, second = made(1, "a red circle on a blue ground"), made(2, "a green square on a white ground")
    likeness = [
        [np.corrcoef(shown, picture)[0, 1] for _, picture in (first, second)] for shown, _ in (first, second)
    ]
    assert likeness[0][0] > max(0.3, likeness[0][1])
    assert likeness[1][1] > max(0.3, likeness[1][0])


def test_previews_take_a_hundredth_of_the_time(models: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_previews, "SECONDS", 0)
    family: DiffusersFamily = models.get("flux")
    previewer = family.previewer
    assert isinstance(previewer, Previewer)
    budget, made, began = Budget(previewer), 0, time.monotonic()

    while made < 5:
        made += budget.make(lambda: torch.zeros(1, 4, 16, 16)) is not None
        ran = time.monotonic() - began
        assert (
            budget.spent <= _previews.SHARE * ran + previewer.cost
        )  # the last may take longer than expected
        assert ran < 60
