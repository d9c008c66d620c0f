"""The stable_diffusion family, with tiny random weights of the real classes."""

import hashlib
import io
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from PIL import Image

from pipelines.base import PREVIEW_BYTES, Request, load_family, load_pipeline
from pipelines.errors import EngineError, InvalidInputs, ModelUnavailable, OutOfMemory, Stopped
from pipelines.families import _previews
from pipelines.families._schedulers import NOISE
from pipelines.kinds import parse_inputs

TOLERANCE = 1
"""Steps of 255 by which a pixel may differ between buckets (measured: 0 or 1, from rounding)."""

# diffusers hands tensors to numpy in a way that numpy 2.4 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


def request(name="a", kind="text-to-image", files=None, **inputs):
    defaults = {"prompt": f"a fox {name}", "width": 64, "height": 64, "steps": 3, "seed": 7}
    return Request(name, kind, parse_inputs(kind, {**defaults, **inputs}), files or {})


class Recorder:
    """A progress that remembers what it was told, and stops whom it is told to stop."""

    def __init__(self, stop_at=None, stop=()):
        self.steps, self.previews, self.stop_at, self.stop = [], [], stop_at, set(stop)

    def __call__(self, step, total, previews=None):
        self.steps.append((step, total))
        if previews:
            self.previews.append(previews)
        if self.stop_at is None or step < self.stop_at:
            return set()
        if not self.stop:
            raise Stopped
        return self.stop


def digests(outputs):
    return [hashlib.sha256(output.value.tobytes()).hexdigest() for output in outputs]


def difference(one, other):
    pixels = [np.asarray(output.value, dtype=int) for output in (one, other)]
    return int(abs(pixels[0] - pixels[1]).max())


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.linear_gradient("L").convert("RGB").save(path)
    return path


def test_pictures_with_progress_for_each_step(stable_diffusion):
    progress = Recorder()

    ((one, two, three),) = stable_diffusion.run([request(n=3)], progress)

    assert progress.steps == [
        (step, 6) for step in range(1, 7)
    ]  # a bucket of two and one of one, 3 steps each
    assert [(o.index, o.seed, o.bucket, o.row) for o in (one, two, three)] == [
        (0, 7, 2, 0),
        (1, 8, 2, 1),
        (2, 9, 1, 0),
    ]
    assert {output.value.size for output in (one, two, three)} == {(64, 64)}
    assert len(set(digests([one, two, three]))) == 3


def test_a_size_that_is_not_square(stable_diffusion):
    ((output,),) = stable_diffusion.run([request(width=64, height=96)], Recorder())

    assert output.value.size == (64, 96)


def test_a_seed_repeats_bit_for_bit_and_another_differs(stable_diffusion):
    first, again, other = (
        digests(stable_diffusion.run([request(seed=seed, n=2)], Recorder())[0]) for seed in (7, 7, 100)
    )

    assert first == again
    assert set(first).isdisjoint(other)


def test_output_i_of_a_request_is_the_request_with_seed_plus_i(stable_diffusion):
    many = stable_diffusion.run([request(seed=2**32 - 1, n=4)], Recorder())[0]
    single = [stable_diffusion.run([request(seed=seed)], Recorder())[0][0] for seed in (2**32 - 1, 0, 1, 2)]

    assert [output.seed for output in many] == [2**32 - 1, 0, 1, 2]
    assert max(map(difference, many, single)) <= TOLERANCE


@pytest.mark.parametrize("kind", ["text-to-image", "image-to-image"])
def test_neighbours_in_a_batch_change_nothing_that_can_be_seen(stable_diffusion, photo, kind):
    extra = {"image": {"upload": "u"}} if kind == "image-to-image" else {}
    batch = [request(name, kind, {"image": photo}, seed=seed, **extra) for seed, name in enumerate("abcd")]

    together = stable_diffusion.run(batch, Recorder())

    assert [outputs[0].bucket for outputs in together] == [4] * 4
    for alone, (output,) in zip(batch, together, strict=True):
        assert difference(output, stable_diffusion.run([alone], Recorder())[0][0]) <= TOLERANCE


def test_the_same_row_of_the_same_bucket_is_the_same_bits_beside_any_neighbour(stable_diffusion):
    one = stable_diffusion.run([request("a"), request("b")], Recorder())[0]
    other = stable_diffusion.run([request("a"), request("c", seed=99, prompt="an owl " * 5)], Recorder())[0]

    assert digests(one) == digests(other)


def test_prompt_negative_prompt_and_guidance_each_matter(stable_diffusion):
    def made(**inputs):
        return digests(stable_diffusion.run([request(**inputs)], Recorder())[0])[0]

    variants = [made(), made(prompt="an owl"), made(negative_prompt="an owl"), made(guidance=2)]
    assert len(set(variants)) == 4
    assert made(guidance=1, negative_prompt="an owl") == made(guidance=1)  # switched off


def test_a_picture_from_a_picture_takes_its_share_of_the_steps(stable_diffusion, photo):
    image = {"image": {"upload": "u"}, "strength": 0.5, "steps": 8}
    progress = Recorder()

    ((output,),) = stable_diffusion.run([request("a", "image-to-image", {"image": photo}, **image)], progress)

    assert progress.steps == [(step, 4) for step in range(1, 5)]
    assert output.value.size == (64, 64)


def test_little_strength_stays_near_the_picture(stable_diffusion, photo):
    def made(strength):
        asked = request(
            "a", "image-to-image", {"image": photo}, image={"upload": "u"}, strength=strength, steps=20
        )
        return np.asarray(stable_diffusion.run([asked], Recorder())[0][0].value, dtype=int)

    near, nearer, far = made(0.05), made(0.1), made(1.0)
    assert abs(near - nearer).mean() < abs(near - far).mean()


def test_a_file_that_is_no_picture_is_the_inputs_fault(stable_diffusion, tmp_path):
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    asked = request("a", "image-to-image", {"image": tmp_path / "x.png"}, image={"upload": "u"})

    with pytest.raises(InvalidInputs) as caught:
        stable_diffusion.run([asked], Recorder())
    assert caught.value.problems[0].pointer == "/inputs/image"


@pytest.mark.parametrize("name", sorted(NOISE))
def test_every_scheduler_runs_is_told_and_leaves_the_models_own(stable_diffusion, photo, name):
    before = digests(stable_diffusion.run([request()], Recorder())[0])

    progress = Recorder()
    stable_diffusion.run([request(scheduler=name)], progress)
    calls = 5 if name == "heun" else 3  # which asks the model twice a step, but for the last
    assert progress.steps == [(step, calls) for step in range(1, calls + 1)]
    image = request("a", "image-to-image", {"image": photo}, image={"upload": "u"}, scheduler=name, steps=5)
    once, again = (digests(stable_diffusion.run([image], Recorder())[0]) for _ in range(2))
    assert once == again

    assert digests(stable_diffusion.run([request()], Recorder())[0]) == before


def test_a_stop_ends_it_at_once_and_leaves_it_as_it_was(stable_diffusion):
    before = digests(stable_diffusion.run([request(n=3)], Recorder())[0])
    progress = Recorder(stop_at=2)

    with pytest.raises(Stopped):
        stable_diffusion.run([request(steps=50)], progress)

    assert len(progress.steps) == 2
    assert type(stable_diffusion.scheduler) is DDIMScheduler
    assert digests(stable_diffusion.run([request(n=3)], Recorder())[0]) == before


def test_a_request_that_is_stopped_gets_nothing_and_its_neighbours_go_on(stable_diffusion):
    batch = [request("a"), request("b", n=4), request("c")]
    progress = Recorder(stop_at=2, stop={1})

    a, b, c = stable_diffusion.run(batch, progress)

    assert (len(a), b, len(c)) == (1, [], 1)
    assert progress.steps[-1] == (6, 6)  # what was left of the stopped one's rows is not made


def test_previews_come_where_decoding_is_cheap(catalog, monkeypatch):
    fast = load_pipeline(catalog.get("tiny/sd-fast"), "cpu")
    unseen = digests(fast.run([request("a", n=2), request("b")], Recorder())[0])
    monkeypatch.setattr(_previews, "SECONDS", 0)
    monkeypatch.setattr(_previews, "SHARE", 1000)
    progress = Recorder()

    outputs = fast.run([request("a", n=2), request("b")], progress)

    first, last = progress.previews[0], progress.previews[-1]
    assert (first[0] is not None, first[1]) == (True, None)  # the first bucket holds only a's rows
    assert (last[0], last[1] is not None) == (None, True)
    with Image.open(io.BytesIO(first[0])) as image:
        assert (image.format, image.size) == ("WEBP", (64, 64))
    assert len(first[0]) <= PREVIEW_BYTES
    assert digests(outputs[0]) == unseen  # looking changes nothing


def test_a_batch_that_does_not_fit_is_made_in_halves(stable_diffusion, monkeypatch):
    unet, sizes = stable_diffusion.pipe.unet, []

    def too_large(module, args):
        sizes.append(len(args[0]) // 2)
        if sizes[-1] > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")

    hook = unet.register_forward_pre_hook(too_large)
    outputs = stable_diffusion.run([request(n=8)], Recorder())[0]
    hook.remove()

    assert {output.bucket for output in outputs} == {2}
    assert sizes == [8, 4] + [2] * 12


def test_too_little_memory_for_a_single_row_is_told(stable_diffusion):
    def too_large(module, args):
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    hook = stable_diffusion.pipe.unet.register_forward_pre_hook(too_large)
    with pytest.raises(OutOfMemory):
        stable_diffusion.run([request()], Recorder())
    hook.remove()


def test_numbers_that_overflow_are_an_error_and_not_a_black_picture(stable_diffusion):
    def overflow(module, args, output):
        return (output[0] * float("inf"),)

    hook = stable_diffusion.pipe.unet.register_forward_hook(overflow)
    with pytest.raises(EngineError, match="overflowed"):
        stable_diffusion.run([request()], Recorder())
    hook.remove()


def test_a_prompt_is_never_cut(stable_diffusion):
    stable_diffusion.run([request(prompt="🦊 <b>%s</b> مرحبا", steps=1)], Recorder())
    for field in ("prompt", "negative_prompt"):
        with pytest.raises(InvalidInputs, match="reads at most 77") as caught:
            stable_diffusion.run([request(**{field: "fox " * 40})], Recorder())
        assert caught.value.problems[0].pointer == f"/inputs/{field}"


@pytest.fixture
def copied(catalog, tmp_path):
    """The weights in a folder that may be changed."""
    return Path(shutil.copytree(catalog.get("tiny/sd").weights, tmp_path / "copied"))


def test_an_old_folder_loads_without_its_safety_checker(copied):
    index = json.loads((copied / "model_index.json").read_text())
    index["safety_checker"] = ["stable_diffusion", "StableDiffusionSafetyChecker"]
    index["feature_extractor"] = ["transformers", "CLIPFeatureExtractor"]  # a class that is gone
    (copied / "model_index.json").write_text(json.dumps(index))

    family = load_family("stable_diffusion").load(copied, "cpu", "auto")

    assert family.pipe.safety_checker is None


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("model_index.json", None),
        ("model_index.json", b"{"),
        ("unet/diffusion_pytorch_model.safetensors", None),
        ("unet/diffusion_pytorch_model.safetensors", b"not safetensors"),
        ("vae/config.json", b"{}"),
    ],
)
def test_weights_that_do_not_load_are_told(copied, file, content):
    (copied / file).unlink() if content is None else (copied / file).write_bytes(content)

    with pytest.raises(ModelUnavailable, match="do not load"):
        load_family("stable_diffusion").load(copied, "cpu", "auto")


def test_it_runs_in_half_precision_too(catalog):
    family = load_family("stable_diffusion").load(catalog.get("tiny/sd").weights, "cpu", "bfloat16")

    ((output,),) = family.run([request()], Recorder())

    assert family.pipe.unet.dtype == torch.bfloat16
    assert output.value.size == (64, 64)
