"""A clip's coherence: what motion explains does not count, what is made anew does."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from pipelines import media
from pipelines.base import Output
from pipelines.media.coherence import coherence, flow, warp_error
from pipelines.outputs import Video
from tests.media.samples import asked

FRAMES = 8


def texture() -> np.ndarray:
    """(96, 128, 3) of soft blobs in many colours."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(noise).resize((128, 96), Image.Resampling.BICUBIC))


def moving(pixels: int) -> np.ndarray:
    """A window of 64 pixels over the texture, that moves so many pixels to the left each frame."""
    return np.stack([texture()[16:80, pixels * t : pixels * t + 64] for t in range(FRAMES)])


def disc(at: list[tuple[int, int]]) -> np.ndarray:
    """A red disc of radius 10 at (x, y) in each frame, on grey."""
    y, x = np.mgrid[:64, :64]
    inside = np.stack([(x - a) ** 2 + (y - b) ** 2 <= 100 for a, b in at])
    return np.where(inside[..., None], (220, 40, 40), (128, 128, 128)).astype(np.uint8)


@pytest.mark.parametrize("pixels", [1, 3, 7])
def test_the_flow_is_the_motion(pixels: int) -> None:
    one, other = moving(pixels)[:2].astype(np.float32)

    wrong = np.linalg.norm(flow(one, other)[12:52, 12:52] - (-pixels, 0), axis=-1)
    assert np.median(wrong) < 0.05
    assert np.quantile(wrong, 0.95) < 0.5


def test_what_moves_is_coherent_and_what_is_made_anew_is_not() -> None:
    dice = np.random.default_rng(1)
    straight = disc([(16 + 4 * t, 32) for t in range(FRAMES)])
    anywhere = disc([tuple(dice.integers(12, 52, 2)) for _ in range(FRAMES)])
    grainy = np.clip(straight + dice.normal(0, 8, straight.shape), 0, 255).astype(np.uint8)

    assert warp_error(moving(0)) == 0
    assert warp_error(straight) < 0.5
    assert warp_error(moving(3)) < 1.5
    assert warp_error(anywhere) > 5 * warp_error(straight)
    assert warp_error(grainy) > 5


def test_frames_shown_in_another_order_are_less_coherent() -> None:
    clip = moving(3)
    assert coherence(clip) > coherence(clip[[0, 4, 1, 5, 2, 6, 3, 7]])


@pytest.mark.parametrize("shape", [(1, 64, 64, 3), (3, 64, 1, 3), (3, 2, 700, 3), (40, 90, 300, 3)])
def test_clips_of_any_size(shape: tuple[int, ...]) -> None:
    assert coherence(np.full(shape, 7, np.uint8)) == 1


def test_each_video_tells_how_coherent_it_is(tmp_path) -> None:
    video = Output(0, Video(moving(3), Fraction(8)), 7, facts={"tempo": 90})

    whole, thumbnail = media.write(video, tmp_path, {}, asked("mp4"))

    assert whole.facts == {"tempo": 90, "coherence": round(coherence(moving(3)), 4)}
    assert thumbnail.facts == {}
