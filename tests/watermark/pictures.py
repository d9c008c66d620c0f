"""Pictures of many sorts, drawn from a seed: for how often a watermark is found, and how often where none is.

Photographs are stood in for by dead leaves (discs of all sizes over one another, which have the edges, the
scales and the spectrum of photographs) and by noise of all colours. The last two sorts are there to mislead:
what repeats, and what consists of pure waves in the very band of the watermark.
"""

import io
import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from pipelines.training.scenes.draw import draw
from pipelines.training.scenes.sampling import random_scene

Size = tuple[int, int]
Dice = np.random.Generator

SIZES: tuple[Size, ...] = ((256, 256), (320, 256), (384, 384), (512, 512), (512, 768), (640, 448), (768, 768))
LARGE: Size = (1024, 1024)


def picture(index: int, seed: int) -> tuple[str, Image.Image]:
    """The name of its sort, and the picture: every sort as often, one in twenty of them large."""
    dice = np.random.default_rng((seed, index))
    sort = list(SORTS)[index % len(SORTS)]
    size = LARGE if dice.random() < 0.05 else SIZES[dice.integers(len(SIZES))]
    return sort, SORTS[sort](size, dice)


def worn(picture: Image.Image, seed: int) -> Image.Image:
    """The picture as the world might have handed it on: scaled, saved as JPEG, both, or neither."""
    dice = random.Random(seed)
    if dice.random() < 0.5:
        factor = dice.uniform(256 / min(picture.size), 1.3)
        picture = picture.resize((round(picture.width * factor), round(picture.height * factor)))
    return as_jpeg(picture, dice.randint(40, 95)) if dice.random() < 0.5 else picture


def as_jpeg(picture: Image.Image, quality: int) -> Image.Image:
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=quality)
    return Image.open(io.BytesIO(data.getvalue())).convert("RGB")


def leaves(size: Size, dice: Dice) -> Image.Image:
    """Discs of all sizes over one another, each with its colour and its grain."""
    canvas = Image.new("RGB", size, _colour(dice))
    pen = ImageDraw.Draw(canvas)
    for radius in np.sort(3 / np.sqrt(dice.uniform(0.0002, 1, 1500)))[::-1]:
        x, y = dice.uniform(0, size[0]), dice.uniform(0, size[1])
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_colour(dice))
    grain = noise(size, dice, 0.8) * dice.uniform(2, 20) + dice.normal(0, dice.uniform(0.5, 4), size[::-1])
    soft = canvas.filter(ImageFilter.GaussianBlur(dice.uniform(0.4, 2)))
    return _picture(np.asarray(soft, float) + grain[..., None])


def clouds(size: Size, dice: Dice) -> Image.Image:
    """Noise of any colour between white and brown, each channel a little different."""
    slope, strength = dice.uniform(0.5, 2), dice.uniform(10, 60)
    shared = noise(size, dice, slope)
    channels = [shared + 0.3 * noise(size, dice, slope) for _ in range(3)]
    return _picture(np.stack(channels, -1) * strength + np.array(_colour(dice)))


def gradients(size: Size, dice: Dice) -> Image.Image:
    """From one colour to another, straight or round."""
    down, across = np.mgrid[-1 : 1 : size[1] * 1j, -1 : 1 : size[0] * 1j]
    way = dice.normal(size=2)
    ramp = (
        np.hypot(across - way[0], down - way[1]) if dice.random() < 0.5 else across * way[0] + down * way[1]
    )
    ramp = (ramp - ramp.min()) / (np.ptp(ramp) + 1e-9)
    first, second = np.array(_colour(dice)), np.array(_colour(dice))
    return _picture(first + ramp[..., None] * (second - first))


def shapes(size: Size, dice: Dice) -> Image.Image:
    """Flat shapes with hard edges on a flat ground, as in a drawing or a logo."""
    canvas = Image.new("RGB", size, _colour(dice))
    pen = ImageDraw.Draw(canvas)
    for _ in range(dice.integers(1, 12)):
        corners = [tuple(dice.uniform(0, 1, 2) * size) for _ in range(dice.integers(3, 6))]
        pen.polygon(corners, fill=_colour(dice))
    return canvas


def scenes(size: Size, dice: Dice) -> Image.Image:
    """What the house model learned from, scaled up."""
    seed = int(dice.integers(1 << 31))
    way = (Image.Resampling.BICUBIC, Image.Resampling.LANCZOS)[dice.integers(2)]
    return Image.fromarray(draw(random_scene(random.Random(seed)), seed)).resize(size, way)


def pages(size: Size, dice: Dice) -> Image.Image:
    """Lines of letters on paper."""
    canvas = Image.new("RGB", size, tuple(map(int, dice.integers(225, 256, 3))))
    pen, height = ImageDraw.Draw(canvas), float(dice.uniform(9, 26))
    font = ImageFont.load_default(height)
    for line in np.arange(height, size[1] - height, height * 1.4):
        words = "".join(chr(int(code)) for code in dice.choice([32, *range(97, 123)], 160))
        pen.text((height, line), words, fill=(20, 20, 30), font=font)
    return canvas


def strokes(size: Size, dice: Dice) -> Image.Image:
    """Many thin lines, most of them one way, as in hatching, hair and grass."""
    canvas = Image.new("RGB", size, _colour(dice))
    pen, way = ImageDraw.Draw(canvas), dice.uniform(0, np.pi)
    for _ in range(900):
        x, y, angle = dice.uniform(0, size[0]), dice.uniform(0, size[1]), way + dice.normal(0, 0.3)
        end = x + 60 * np.cos(angle), y + 60 * np.sin(angle)
        pen.line((x, y, *end), fill=_colour(dice), width=int(dice.integers(1, 4)))
    return canvas


def grain(size: Size, dice: Dice) -> Image.Image:
    """Plain noise on a plain ground."""
    return _picture(dice.normal(0, dice.uniform(1, 50), (size[1], size[0], 1)) + np.array(_colour(dice)))


def tiles(size: Size, dice: Dice) -> Image.Image:
    """A small block over and over: checks, weaves, wallpaper, screens of dots."""
    block = dice.uniform(0, 255, (*dice.integers(2, 48, 2), 3))
    if dice.random() < 0.5:
        block = np.where(block.mean(-1, keepdims=True) > 128, _colour(dice), _colour(dice))
    down, across = -(-size[1] // block.shape[0]), -(-size[0] // block.shape[1])
    tiled = _picture(np.tile(block, (down, across, 1))[: size[1], : size[0]])
    turned = tiled.rotate(float(dice.uniform(0, 90)), Image.Resampling.BICUBIC)
    return (turned if dice.random() < 0.5 else tiled).filter(ImageFilter.GaussianBlur(dice.uniform(0, 2)))


def waves(size: Size, dice: Dice) -> Image.Image:
    """Up to 120 pure waves in the band of the watermark, louder than it is, on a soft ground."""
    down, across = np.mgrid[: size[1], : size[0]].astype(np.float32)
    plane = noise(size, dice, 1.5) * 20
    for _ in range(dice.integers(1, 120)):
        frequency, angle, phase = dice.uniform(0.05, 0.25), dice.uniform(0, np.pi), dice.uniform(0, 6.3)
        wave = np.cos(2 * np.pi * frequency * (across * np.cos(angle) + down * np.sin(angle)) + phase)
        plane += wave * dice.uniform(0.3, 3)
    return _picture(plane[..., None] + np.array(_colour(dice)))


def noise(size: Size, dice: Dice, slope: float) -> NDArray[np.float64]:
    """Noise of deviation 1 whose strength falls as frequency to the power `slope`."""
    frequencies = np.hypot(np.fft.fftfreq(size[1])[:, None], np.fft.rfftfreq(size[0])[None])
    frequencies[0, 0] = np.inf
    plane = np.fft.irfft2(np.fft.rfft2(dice.normal(size=size[::-1])) * frequencies**-slope, s=size[::-1])
    return (plane - plane.mean()) / plane.std()


def _colour(dice: Dice) -> tuple[int, int, int]:
    red, green, blue = (int(level) for level in dice.integers(0, 256, 3))
    return red, green, blue


def _picture(levels: NDArray[np.float64]) -> Image.Image:
    whole = np.clip(np.rint(np.broadcast_to(levels, (*levels.shape[:2], 3))), 0, 255)
    return Image.fromarray(whole.astype(np.uint8))


SORTS: dict[str, Callable[[Size, Dice], Image.Image]] = {
    each.__name__: each
    for each in (leaves, clouds, gradients, shapes, scenes, pages, strokes, grain, tiles, waves)
}
