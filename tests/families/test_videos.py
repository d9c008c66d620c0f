"""What is special about the families that make videos; what they share is in `test_every_family.py`."""

import functools
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import MotionAdapter, UNet2DConditionModel
from PIL import Image

from pipelines import layouts
from pipelines.base import Request, load_family
from pipelines.catalog import Catalog
from pipelines.errors import InvalidInputs, ModelUnavailable
from pipelines.families import _previews
from pipelines.families._bucket import Bucket
from pipelines.families._motion_unet import MotionUNet
from pipelines.kinds import parse_inputs
from tests.families import samples
from tests.families.cases import Given
from tests.families.lora import save_lora
from tests.families.tiny import (
    animatediff,
    cogvideox,
    hunyuan_video,
    ltx,
    ltx2,
    svd,
    wan,
)
from tests.families.trying import Told, difference

CASES = {
    case.name: case
    for module in (animatediff, cogvideox, hunyuan_video, ltx, ltx2, svd, wan)
    for case in module.CASES
}
KINDS_OF_CASES = [(name, kind) for name, case in CASES.items() for kind in case.inputs]

# diffusers hands tensors to numpy in a way that numpy 2.4 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a case's model; each is saved once."""
    home = tmp_path_factory.mktemp("models")
    return functools.cache(lambda name: CASES[name].save(home / name))


@pytest.fixture(scope="module")
def load(saved: Callable[[str], Path]) -> Callable[..., Any]:
    """A case's pipeline, with options; each is loaded once without any."""

    @functools.cache
    def plain(name: str, dtype: str) -> Any:
        return load_family(CASES[name].family).load(saved(name), "cpu", dtype)

    def load(name: str, dtype: str = "float32", **options: Any) -> Any:
        if not options:
            return plain(name, dtype)
        return load_family(CASES[name].family).load(saved(name), "cpu", dtype, **options)

    return load


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("samples")


@pytest.fixture
def request_of(folder: Path) -> Callable[..., Request]:
    def request_of(name: str, kind: str = "", /, **changes: Any) -> Request:
        kind = kind or next(iter(CASES[name].inputs))
        raw = {**CASES[name].inputs[kind], "seed": 7, **changes}
        files = {
            field: samples.write(value, folder) for field, value in raw.items() if isinstance(value, Given)
        }
        sent = {field: {"upload": "u"} if field in files else value for field, value in raw.items()}
        return Request("a", kind, parse_inputs(kind, sent), files)

    return request_of


def run(pipeline: Any, request: Request) -> Any:
    ((output,),) = pipeline.run([request], Told())
    return output


# What a model cannot do is refused, never rounded


@pytest.mark.parametrize(
    ("name", "changes", "pointer", "words"),
    [
        ("wan", {"frames": 6}, "frames", "must be a multiple of 4 and one more, such as 5 or 9"),
        ("ltx", {"frames": 5}, "frames", "must be a multiple of 8 and one more, such as 1 or 9"),
        ("ltx2", {"frames": 16}, "frames", "must be a multiple of 8 and one more, such as 9 or 17"),
        ("cogvideox", {"frames": 5}, "frames", "must be a multiple of 8 and one more, such as 1 or 9"),
        ("hunyuan_video", {"frames": 7}, "frames", "must be a multiple of 4 and one more, such as 5 or 9"),
        ("animatediff", {"frames": 17}, "frames", "this model makes at most 16"),
        ("wan", {"width": 72}, "width", "must be a multiple of 16, such as 64 or 80"),
        ("wan_5b", {"height": 80}, "height", "must be a multiple of 32, such as 64 or 96"),
        ("ltx", {"width": 80}, "width", "must be a multiple of 32, such as 64 or 96"),
        ("cogvideox", {"height": 72}, "height", "must be a multiple of 16, such as 64 or 80"),
        ("svd", {"width": 72}, "width", "must be a multiple of 16, such as 64 or 80"),
        ("svd", {"prompt": "it flies"}, "prompt", "this model reads no words: leave it empty"),
        ("wan_i2v", {"motion": 90}, "motion", "this model cannot be told how much moves"),
        (
            "hunyuan_video",
            {"negative_prompt": "blur"},
            "negative_prompt",
            "this model takes no negative prompt",
        ),
        ("hunyuan_video", {"prompt": "a" * 256}, "prompt", "has 257 tokens; this model reads at most 256"),
        ("ltx", {"prompt": "ab " * 43}, "prompt", "has 130 tokens; this model reads at most 128"),
        ("ltx", {"scheduler": "ddim"}, "scheduler", None),
        ("svd", {"scheduler": "unipc"}, "scheduler", None),
    ],
)
def test_it_says_what_it_cannot_do(load, request_of, *, name, changes, pointer, words):
    with pytest.raises(InvalidInputs) as refused:
        run(load(name), request_of(name, **changes))

    (problem,) = refused.value.problems
    assert problem.pointer == f"/inputs/{pointer}"
    assert words in (None, problem.detail)


def test_one_size_only_where_places_were_learned(load, request_of, monkeypatch):
    pipeline = load("cogvideox")
    model = pipeline.pipe.transformer
    learned = {**model.config, "use_learned_positional_embeddings": True}
    monkeypatch.setattr(model, "_internal_dict", type(model.config)(learned))

    with pytest.raises(InvalidInputs) as refused:
        run(pipeline, request_of("cogvideox", width=80))

    assert [problem.detail for problem in refused.value.problems] == ["this model does 64 only"]


@pytest.mark.parametrize("name", ["wan_halves", "wan_5b"])
def test_video_to_video_of_wan_2_2_is_refused(load, request_of, name):
    request = request_of("wan", "video-to-video")

    with pytest.raises(ModelUnavailable, match="these weights"):
        run(load(name), request)


def test_an_option_that_a_family_does_not_have_is_refused(load):
    with pytest.raises(ModelUnavailable, match="option call sets eta; it may set: decode_timestep"):
        load("ltx", call={"eta": 1.0})


SIDES = {"width": {"multiple_of": 16}, "height": {"multiple_of": 16}}


@pytest.mark.parametrize(
    ("name", "kinds", "limits"),
    [
        ("wan", "text-to-video video-to-video", {**SIDES, "frames": {"multiple_of": 4, "plus": 1}}),
        ("wan_i2v", "image-to-video", {**SIDES, "frames": {"multiple_of": 4, "plus": 1}}),
        ("wan_halves", "text-to-video", {**SIDES, "frames": {"multiple_of": 4, "plus": 1}}),
        ("cogvideox", "text-to-video video-to-video", {**SIDES, "frames": {"multiple_of": 8, "plus": 1}}),
        ("svd", "image-to-video", SIDES),
        ("animatediff", "text-to-video video-to-video", {"frames": {"max": 16}}),
        ("animatediff_timed", "text-to-video image-to-video video-to-video", {"frames": {"max": 16}}),
    ],
)
def test_a_folder_says_what_it_does(saved, *, name, kinds, limits):
    row = layouts.inspect(saved(name))

    assert row["kinds"] == kinds.split()
    assert row["limits"] == limits
    assert set(row["kinds"]) == set(CASES[name].inputs)


def test_the_rows_of_the_hub_set_only_what_may_be_set():
    ours = {case.family for case in CASES.values()}
    rows = [model for model in Catalog.load().not_offered.values() if model.family in ours]

    assert len(rows) > 5
    for model in rows:
        assert set(model.options.get("call", {})) <= set(load_family(model.family).tunable)


# What is given


def test_of_a_video_the_frames_that_the_model_can_make_are_taken(load, request_of):
    """The sample has 12 frames, 24 a second."""
    pipeline = load("wan")
    lengths = {
        frames: len(run(pipeline, request_of("wan", "video-to-video", frames=frames)).value.frames)
        for frames in (5, 8, 12, 40)
    }

    assert lengths == {5: 5, 8: 5, 12: 9, 40: 9}


def test_a_clip_of_animatediff_begins_with_the_picture(load, request_of):
    pipeline = load("animatediff_timed")
    request = request_of("animatediff_timed", "image-to-video")

    frames = run(pipeline, request).value.frames

    with Image.open(request.files["image"]) as picture:
        pixels = torch.from_numpy(np.asarray(picture, np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
    vae = pipeline.pipe.vae
    with torch.inference_mode():
        passed = vae.decode(vae.encode(pixels).latents).sample[0].permute(1, 2, 0).numpy()
    assert np.abs(np.clip(passed * 127.5 + 127.5, 0, 255) - frames[0]).max() <= 1
    assert pipeline.pipe.unet.given is None, "it is left as it was"
    plain = run(pipeline, request_of("animatediff_timed", "text-to-video")).value.frames
    assert np.abs(plain[1:].astype(int) - frames[1:]).max() > 1, "the others have seen it"


def test_a_picture_is_named_before_it_is_moved(load, request_of, monkeypatch):
    pipeline = load("animatediff_timed")
    heard = []
    encode = pipeline.pipeline("image-to-video").encode_prompt

    def listening(prompt, *rest, **more):
        heard.append(prompt)
        return encode(prompt, *rest, **more)

    monkeypatch.setattr(pipeline.pipeline("image-to-video"), "encode_prompt", listening)

    output = run(pipeline, request_of("animatediff_timed", "image-to-video", prompt="it rises"))

    caption = output.facts["caption"]
    assert caption in {f"{ground}, a {name}" for ground in ("at sea", "by day") for name in ("cat", "dog")}
    assert heard == [[f"{caption} rises"]]
    assert run(pipeline, request_of("animatediff_timed", "text-to-video")).facts == {}


def test_a_prompt_that_leaves_no_room_is_not_named(load):
    pipeline = load("animatediff_timed")
    most = pipeline.pipe.tokenizer.model_max_length
    words = "a " * (most - 3)

    assert pipeline.tokens("tokenizer", words) <= most
    assert pipeline.named(words, Image.new("RGB", (16, 16))) == words


def test_animatediff_in_one_does_not_begin_with_a_picture(load, request_of):
    with pytest.raises(ModelUnavailable, match="not trained to begin with a picture"):
        run(load("animatediff"), request_of("animatediff_timed", "image-to-video"))


def test_the_unet_of_clips_makes_the_pictures_of_its_parts(saved):
    """Where nothing moves, each frame is what the UNet for pictures makes of it."""
    folder = saved("animatediff_timed")
    unet = UNet2DConditionModel.from_pretrained(folder, subfolder="unet")
    adapter = MotionAdapter.from_pretrained(folder, subfolder="motion_adapter")
    with torch.inference_mode():
        for name, weight in (*unet.named_parameters(), *adapter.named_parameters()):
            if "proj_out" in name and "motion" in name:
                weight.zero_()
        noise, words = torch.randn(1, 4, 3, 16, 16), torch.randn(1, 7, unet.config.cross_attention_dim)
        clip = MotionUNet.of(unet, adapter)(noise, 500, words.repeat(3, 1, 1)).sample
        pictures = unet(noise[0].transpose(0, 1), 500, words.repeat(3, 1, 1)).sample

    assert (clip[0].transpose(0, 1) - pictures).abs().max() < 1e-5


@pytest.mark.parametrize("name", ["animatediff", "cogvideox", "wan"])
def test_strength_says_how_many_of_the_steps_are_run(load, request_of, name):
    told = Told()

    load(name).run([request_of(name, "video-to-video", steps=10, strength=0.2)], told)

    assert told.steps == [(1, 2), (2, 2)]


def test_motion_and_rate_are_heard_by_svd(load, request_of):
    pipeline = load("svd")
    plain = run(pipeline, request_of("svd", motion=127))

    assert difference(plain, run(pipeline, request_of("svd", motion=20))) > 0
    other_rate = run(pipeline, request_of("svd", motion=127, fps=24))
    assert difference(plain, other_rate) > 0
    assert other_rate.value.fps == 24


@pytest.mark.parametrize("name", ["wan", "ltx"])
def test_samplers_end_at_the_same_video(load, request_of, name):
    """With many steps they follow the same path: so the model's settings are taken over rightly."""
    pipeline = load(name)

    def made(sampler: str | None, steps: int) -> np.ndarray:
        request = request_of(name, scheduler=sampler, steps=steps, guidance=2.0)
        return run(pipeline, request).value.frames.astype(float) / 255

    path = made(None, 30)
    for sampler in pipeline.schedulers:
        near, far = (np.abs(made(sampler, steps) - path).mean() for steps in (30, 2))
        assert near < far / 2, sampler


def test_a_sampler_that_adds_noise_repeats(load, request_of):
    one, other = (
        request_of("cogvideox", scheduler="dpm-solver"),
        request_of("cogvideox", scheduler="dpm-solver", seed=8),
    )
    pipeline = load("cogvideox")
    alone = [run(pipeline, request) for request in (one, other)]

    together = pipeline.run([one, other], Told())

    assert difference(alone[0], run(pipeline, one)) == 0
    assert difference(alone[0], run(pipeline, request_of("cogvideox"))) > 0
    for mine, (ours,) in zip(alone, together, strict=True):
        assert difference(mine, ours) <= 1 / 255 + 1e-6


# What is made


def test_ltx_decodes_as_its_pipeline_does(load, request_of):
    pipeline, request = load("ltx"), request_of("ltx")
    bucket = Bucket(pipeline.rows(0, request))
    arguments = pipeline.arguments(pipeline.pipeline(request.kind), bucket)

    made = pipeline.pipe(**{**arguments, "output_type": "np"}).frames[0]

    assert np.array_equal((made * 255).round().astype(np.uint8), run(pipeline, request).value.frames)


def test_ltx_decoder_with_noise_of_its_own(load, request_of):
    plain = run(load("ltx_noisy"), request_of("ltx_noisy"))
    noisy = load("ltx_noisy", call={"decode_timestep": 0.05, "decode_noise_scale": 0.5})
    pair = noisy.run([request_of("ltx_noisy", n=2)], Told())[0]

    assert difference(plain, pair[0]) > 0
    alone = run(noisy, request_of("ltx_noisy"))
    assert difference(alone, pair[0]) <= 1 / 255 + 1e-6
    assert difference(alone, run(noisy, request_of("ltx_noisy"))) == 0


def test_sound_lasts_as_long_as_the_frames(load, request_of):
    for fps in (8, 11, 30):
        video = run(load("ltx2"), request_of("ltx2", fps=fps, frames=17)).value
        assert len(video.frames) == 17
        assert video.sound.samples.shape == (round(17 / fps * video.sound.rate), 2)
        assert abs(video.sound.samples).max() > 0.01


def test_guidance_of_one_switches_off_all_guidance_of_ltx2(load, request_of):
    pipeline = load("ltx2")
    with Passes(pipeline.pipe.transformer) as passes:
        run(pipeline, request_of("ltx2", guidance=1.0))
        assert passes.rows == [1, 1, 1]
    with Passes(pipeline.pipe.transformer) as passes:
        run(pipeline, request_of("ltx2", guidance=3.0))
        assert (
            passes.rows == [2, 1, 1] * 3
        )  # with and without words; then without a block; without each other


def test_ltx2_with_steps_of_its_own(load, request_of):
    distilled = load("ltx2", call={"sigmas": [1.0, 0.5]})

    told = Told()
    distilled.run([request_of("ltx2", steps=2, guidance=1.0)], told)
    assert told.steps == [(1, 2), (2, 2)]
    with pytest.raises(InvalidInputs, match="takes 2 steps"):
        run(distilled, request_of("ltx2", steps=3))


@pytest.mark.parametrize("sampler", [None, "dpm-solver"])
def test_previews_of_wan_show_what_will_be_not_the_noise(load, request_of, monkeypatch, sampler):
    seen = []
    pipeline = load("wan")
    monkeypatch.setattr(pipeline, "spatial", lambda latents, bucket: seen.append(latents) or latents[:, :, 0])
    monkeypatch.setattr(_previews, "SECONDS", 0)
    monkeypatch.setattr(_previews, "SHARE", float("inf"))

    run(pipeline, request_of("wan", steps=6, scheduler=sampler))

    distances = [float((latents - seen[-1]).abs().mean()) for latents in seen]
    assert distances[0] < 0.2  # the latents of then are 0.4 away


def test_a_lora_changes_a_video_and_leaves_the_model_as_it_was(load, saved, request_of, tmp_path):
    own = load_family("wan").load(saved("wan"), "cpu", "float32")
    lora = save_lora(own.pipe, tmp_path, "slow")
    pipeline = load("wan", loras={"slow": lora})
    asked = {"loras": [{"name": "slow", "scale": 1.0}]}
    before = run(pipeline, request_of("wan"))

    assert difference(before, run(pipeline, request_of("wan", **asked))) > 0
    assert difference(before, run(pipeline, request_of("wan"))) == 0
    with pytest.raises(InvalidInputs, match="it would change one only"):
        run(load("wan_halves"), request_of("wan_halves", **asked))


def test_both_halves_of_wan_run_and_the_second_has_guidance_of_its_own(load, request_of):
    pipeline = load("wan_halves")
    with Passes(pipeline.pipe.transformer) as first, Passes(pipeline.pipe.transformer_2) as second:
        plain = run(pipeline, request_of("wan_halves", steps=4))
    assert first.rows
    assert second.rows
    assert len(first.rows) + len(second.rows) == 4 * 2  # guidance takes two

    told = load("wan_halves", call={"guidance_scale_2": 1.5})
    assert difference(plain, run(told, request_of("wan_halves", steps=4))) > 0


class Passes:
    """How many rows each pass through a model has."""

    def __init__(self, model: torch.nn.Module) -> None:
        self._model = model
        self.rows: list[int] = []

    def __enter__(self) -> "Passes":
        self._hook = self._model.register_forward_pre_hook(self._count, with_kwargs=True)
        return self

    def __exit__(self, *_: Any) -> None:
        self._hook.remove()

    def _count(self, model: Any, args: Any, kwargs: Any) -> None:
        self.rows.append(len(kwargs["hidden_states"]))


def test_tiling_changes_nothing_of_a_small_video(load, request_of):
    plain = run(load("hunyuan_video"), request_of("hunyuan_video"))

    assert difference(plain, run(load("hunyuan_video", tiling=True), request_of("hunyuan_video"))) == 0


# Number formats and previews of each kind


@pytest.mark.parametrize(("name", "kind"), KINDS_OF_CASES)
def test_it_runs_in_bfloat16_and_shows_a_frame_at_each_step(load, request_of, monkeypatch, name, kind):
    monkeypatch.setattr(_previews, "SECONDS", 0)
    monkeypatch.setattr(_previews, "SHARE", float("inf"))
    shown = []

    def progress(step: int, total: int, previews: Any = None) -> set[int]:
        shown.append(previews[0])
        return set()

    pipeline = load(name, "bfloat16")
    request = request_of(name, kind, width=64, height=96)
    ((output,),) = pipeline.run([request], progress)

    frames = output.value.frames
    assert frames.shape == (request.inputs.frames, 96, 64, 3)
    assert frames.std() > 1
    sizes = {Image.open(io.BytesIO(preview)).size for preview in shown}
    assert len(shown) > 1
    assert all(2 * height == 3 * width for width, height in sizes)
