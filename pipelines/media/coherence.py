"""How much of a clip is one thing that moves, and how much is made anew from frame to frame.

Each frame is compared with the next one, warped back along the optical flow between the two: what motion
explains does not count, flicker and wobble do. The flow is that of Lucas and Kanade (1981), in a window round
every pixel, over all three colours at once, refined over a pyramid from coarse to fine (Bouguet 2000).
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]

LARGEST_SIDE = 128
"""Pixels; larger frames are reduced before they are compared."""

MOST_PAIRS = 32
"""Pairs of frames that are compared; of a longer clip so many, evenly spread."""

COARSEST = 16
"""Pixels of the shorter side below which the pyramid has no further level."""

ROUNDS = 4
"""Refinements of the flow on each level."""

WINDOW = 2.0
"""Deviation in pixels of the window that moves as one."""

STILL = 20.0
"""Added to the squared slopes of a window (0 to 255 a pixel): where there are none, nothing moves."""


def coherence(frames: NDArray[np.uint8]) -> float:
    """1 where each frame is the one before it, moved, or the same; less by its mean error, as a share of the
    full range. Frames are (frames, height, width, 3)."""
    return 1 - warp_error(frames) / 255


def warp_error(frames: NDArray[np.uint8]) -> float:
    """The mean absolute difference, 0 to 255, between each frame and the next one warped back by the flow;
    0 of a clip of one frame. Pixels whose flow leads out of the picture do not count."""
    starts = np.linspace(0, len(frames) - 2, min(len(frames) - 1, MOST_PAIRS)).round().astype(int)
    errors = [_pair_error(_small(frames[start]), _small(frames[start + 1])) for start in starts]
    return float(np.mean(errors)) if errors else 0.0


def flow(one: Floats, other: Floats) -> Floats:
    """Where each pixel of one frame (height, width, 3) is in the other: (height, width, 2), pixels right
    and down."""
    levels = [(one, other)]
    while min(levels[-1][0].shape[:2]) >= 2 * COARSEST:
        levels.append((_halved(levels[-1][0]), _halved(levels[-1][1])))
    moved = np.zeros((*levels[-1][0].shape[:2], 2), np.float32)
    for first, second in reversed(levels):
        moved = _resized(moved, first.shape[:2])
        for _ in range(ROUNDS):
            moved = _refined(first, second, moved)
    return moved


def warped(frame: Floats, moved: Floats) -> Floats:
    """The frame as seen from where the flow begins: each pixel is blended of the four it leads between."""
    height, width = frame.shape[:2]
    down, right = np.mgrid[:height, :width].astype(np.float32)
    x = np.clip(right + moved[..., 0], 0, width - 1)
    y = np.clip(down + moved[..., 1], 0, height - 1)
    left, top = np.minimum(x.astype(int), width - 2), np.minimum(y.astype(int), height - 2)
    across, along = (x - left)[..., None], (y - top)[..., None]
    above = frame[top, left] * (1 - across) + frame[top, left + 1] * across
    below = frame[top + 1, left] * (1 - across) + frame[top + 1, left + 1] * across
    blended: Floats = above * (1 - along) + below * along
    return blended


def _pair_error(one: Floats, other: Floats) -> float:
    moved = flow(one, other)
    height, width = one.shape[:2]
    down, right = np.mgrid[:height, :width]
    x, y = right + moved[..., 0], down + moved[..., 1]
    inside = (x >= 0) & (x <= width - 1) & (y >= 0) & (y <= height - 1)
    return float(np.abs(one - warped(other, moved))[inside].mean()) if inside.any() else 0.0


def _refined(first: Floats, second: Floats, moved: Floats) -> Floats:
    """The flow after one more step of least squares in each pixel's window, at most a pixel long."""
    there = warped(second, moved)
    down, right = np.gradient((first + there) / 2, axis=(0, 1))
    change = first - there
    xx, xy, yy, xt, yt = (
        _blurred((a * b).sum(-1))
        for a, b in ((right, right), (right, down), (down, down), (right, change), (down, change))
    )
    xx, yy = xx + STILL, yy + STILL
    steps = np.stack([yy * xt - xy * yt, xx * yt - xy * xt], -1) / (xx * yy - xy**2)[..., None]
    refined: Floats = (moved + np.clip(steps, -1, 1)).astype(np.float32)
    return refined


def _small(frame: NDArray[np.uint8]) -> Floats:
    picture = Image.fromarray(frame)
    picture.thumbnail((LARGEST_SIDE, LARGEST_SIDE), Image.Resampling.BOX)
    pixels = np.asarray(picture, np.float32)
    missing = [max(2 - side, 0) for side in pixels.shape[:2]]  # slopes need two
    return np.pad(pixels, ((0, missing[0]), (0, missing[1]), (0, 0)), mode="edge")


def _halved(frame: Floats) -> Floats:
    height, width = (side // 2 * 2 for side in frame.shape[:2])
    even = frame[:height, :width].reshape(height // 2, 2, width // 2, 2, 3)
    means: Floats = even.mean((1, 3), dtype=np.float32)
    return means


def _resized(moved: Floats, size: tuple[int, ...]) -> Floats:
    """A coarser level's flow on a finer one, in its pixels."""
    height, width = size
    planes = [
        np.asarray(
            Image.fromarray(moved[..., axis]).resize((width, height), Image.Resampling.BILINEAR), np.float32
        )
        for axis in range(2)
    ]
    finer: Floats = np.stack(planes, -1) * np.float32(width / moved.shape[1])
    return finer


def _blurred(plane: Floats) -> Floats:
    """By a Gaussian, edges repeated."""
    reach = int(3 * WINDOW)
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1, dtype=np.float32) / WINDOW) ** 2)
    kernel /= kernel.sum()
    for axis in range(2):
        padded = np.pad(plane, [(reach, reach) if each == axis else (0, 0) for each in range(2)], mode="edge")
        size = plane.shape[axis]
        plane = sum(
            (share * padded.take(range(start, start + size), axis) for start, share in enumerate(kernel)),
            start=np.zeros_like(plane),
        )
    return plane
