"""Swin2SR: exact sizes, tiles that leave no seam, clips, and what it refuses."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipelines.base import Request
from pipelines.errors import FolderRefused, InvalidInputs, ModelUnavailable
from pipelines.families.swin2sr import Swin2SR, spans
from pipelines.kinds import parse_inputs
from pipelines.layouts import inspect
from tests.families import samples
from tests.families.cases import Given
from tests.families.tiny.swin2sr import save_swin2sr
from tests.families.trying import Told

WIDTH, HEIGHT = 90, 75


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_swin2sr(tmp_path_factory.mktemp("swin2sr"))


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("given") / "odd.png"
    noise = np.random.default_rng(0).integers(0, 256, (HEIGHT // 5, WIDTH // 5, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC).save(path)
    return path


def request(path: Path, field: str = "image", **more: Any) -> Request:
    inputs = parse_inputs("upscale", {field: {"upload": "u"}, "seed": 1, **more})
    return Request("a", "upscale", inputs, {field: path})


def enlarge(model: Swin2SR, asked: Request) -> tuple[np.ndarray, Told]:
    told = Told()
    ((output,),) = model.run([asked], told)
    return np.asarray(output.value).astype(int), told


def test_sizes_are_exact_and_a_smaller_factor_is_the_mean(weights: Path, picture: Path) -> None:
    model = Swin2SR.load(weights, "cpu", "auto")

    four, told = enlarge(model, request(picture))
    two, _ = enlarge(model, request(picture, factor=2))

    assert four.shape == (4 * HEIGHT, 4 * WIDTH, 3)
    assert told.steps == [(1, 2), (2, 2)]  # two stages
    means = four.reshape(2 * HEIGHT, 2, 2 * WIDTH, 2, 3).mean((1, 3))
    assert abs(two - means).max() <= 1


def test_tiles_leave_no_seam(weights: Path, picture: Path) -> None:
    whole, _ = enlarge(Swin2SR.load(weights, "cpu", "auto"), request(picture))

    tiled, told = enlarge(Swin2SR.load(weights, "cpu", "auto", tile=32), request(picture))

    assert len(told.steps) > 2
    assert told.steps[-1] == (len(told.steps), len(told.steps))
    assert abs(whole - tiled).max() <= 1


@pytest.mark.parametrize("side", [8, 64, 256, 264, 1000])
def test_tiles_cover_a_side_once(side: int) -> None:
    pieces = list(spans(side, tile=256, window=8))

    covered = [pixel for whole, _, _ in pieces for pixel in range(whole.start, whole.stop)]
    assert covered == list(range(side))
    for whole, part, inner in pieces:
        assert 0 <= part.start <= whole.start
        assert whole.stop <= part.stop <= side
        assert (part.start + inner.start, part.start + inner.stop) == (whole.start, whole.stop)


def test_a_video_is_enlarged_frame_by_frame(weights: Path, tmp_path: Path) -> None:
    video = samples.write(Given("video"), tmp_path)

    told = Told()
    ((output,),) = Swin2SR.load(weights, "cpu", "auto").run([request(video, "video")], told)

    assert output.value.frames.shape == (12, 256, 256, 3)
    assert told.steps[-1] == (4, 4)  # two stages for 8 frames, two for the other 4


@pytest.mark.parametrize(
    ("inputs", "pointer"),
    [
        ({"prompt": "a fox"}, "/inputs/prompt"),
        ({"negative_prompt": "a fox"}, "/inputs/negative_prompt"),
        ({"scheduler": "euler"}, "/inputs/scheduler"),
    ],
)
def test_what_it_has_no_use_for_is_refused(
    weights: Path, picture: Path, inputs: dict[str, str], pointer: str
) -> None:
    with pytest.raises(InvalidInputs) as caught:
        enlarge(Swin2SR.load(weights, "cpu", "auto"), request(picture, **inputs))
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_what_is_too_large_is_refused(weights: Path, picture: Path) -> None:
    with pytest.raises(InvalidInputs, match="has 90 × 75 pixels; this model enlarges at most 4096"):
        enlarge(Swin2SR.load(weights, "cpu", "auto", max_pixels=64 * 64), request(picture))


@pytest.mark.parametrize(
    ("upscale", "upsampler"), [(2, "pixelshuffle"), (2, "pixelshuffle_aux"), (4, "nearest+conv")]
)
def test_the_other_heads_of_real_models(tmp_path: Path, picture: Path, upscale: int, upsampler: str) -> None:
    """Those of the models for classical, compressed and real-world pictures."""
    model = Swin2SR.load(save_swin2sr(tmp_path, upscale, upsampler), "cpu", "auto")

    large, _ = enlarge(model, request(picture))

    assert large.shape == (upscale * HEIGHT, upscale * WIDTH, 3)
    if upscale == 2:
        with pytest.raises(InvalidInputs, match="makes pictures 2 times as large"):
            enlarge(model, request(picture, factor=4))


def test_what_only_mends_or_triples_is_no_upscaler_here(tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable, match="does not enlarge"):
        Swin2SR.load(save_swin2sr(tmp_path / "one", 1, ""), "cpu", "auto")
    with pytest.raises(FolderRefused, match="upscale 3"):
        inspect(save_swin2sr(tmp_path / "three", 3))


def test_a_folder_tells_its_factors(weights: Path) -> None:
    row = inspect(weights)

    assert row["family"] == "swin2sr"
    assert row["limits"]["factor"] == {"only": [2, 4]}
