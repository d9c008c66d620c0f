"""The upscaler's recipe: a small Swin2SR that begins as bilinear enlarging and learns what that lacks."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import Swin2SRConfig, Swin2SRForImageSuperResolution

from pipelines.families._pixels import as_bytes
from pipelines.families.swin2sr import Swin2SR
from pipelines.training.course import dice, rate
from pipelines.training.pictures import sheet
from pipelines.training.scenes.vocabulary import STYLES
from pipelines.training.upscaler.drawing import SCALE, held_out_picture, training_picture
from pipelines.training.upscaler.faults import faulty, reduced

CYCLES = ((900, 1e-3), (700, 6e-4))  # steps, and the rate of learning at whose peak they begin to fall
STEPS = sum(steps for steps, _ in CYCLES)
PICTURES = 4  # a step
CROPS = 3  # of each
CROP = 16  # pixels of the small picture: pieces of this size are learned from
EDGE = 2  # pixels of the small picture at a crop's edge that do not count: it cannot know what lies beyond
LOOKED_AT = 4  # places for a crop, of which the busiest is taken
WARM_UP = 30  # steps
AVERAGE = 0.99  # how much of the averaged weights stays, a step


def build() -> Swin2SRForImageSuperResolution:
    """An untrained model that enlarges four times, smoothly: its colours go through it by bilinear
    doubling, twice, and all else is small and random."""
    config = Swin2SRConfig(
        image_size=64,
        embed_dim=32,
        depths=[2, 2],
        num_heads=[2, 2],
        window_size=8,
        mlp_ratio=2.0,
        drop_path_rate=0.0,
        upscale=SCALE,
        upsampler="nearest+conv",
    )
    model = Swin2SRForImageSuperResolution(config)
    _carry_colours(model)
    return model


@torch.no_grad()
def _carry_colours(model: Swin2SRForImageSuperResolution) -> None:
    """Through every activation channels 0 to 2 carry the colours and 3 to 5 their negatives: behind a leaky
    ReLU the difference of the two is the colour again, times one and the slope."""
    first, body, head = model.swin2sr.first_convolution, model.swin2sr.conv_after_body, model.upsample
    first.reset_parameters()
    first.bias.zero_()
    body.weight.mul_(0.1)
    rest = [head.conv_before_upsample, head.conv_up1, head.conv_up2, head.conv_hr, head.final_convolution]
    slopes = [head.activation.negative_slope, *[head.lrelu.negative_slope] * 3]
    for layer in rest:
        nn.init.kaiming_normal_(layer.weight, head.lrelu.negative_slope)
        layer.bias.zero_()
    head.final_convolution.weight.mul_(0.02)
    alone, smooth = torch.tensor([0.0, 1.0, 0.0]), torch.tensor([0.25, 0.5, 0.25])
    _pass_on(first, alone, (1,), (1,))
    _pass_on(rest[0], alone, (1,), (1, -1))
    for layer, slope in zip(rest[1:], slopes, strict=True):
        blend = smooth if layer in (head.conv_up1, head.conv_up2) else alone  # where pixels were doubled
        back = 1 / (1 + slope)
        _pass_on(layer, blend, (back, -back), (1,) if layer is head.final_convolution else (1, -1))


def _pass_on(layer: nn.Conv2d, blend: Tensor, given: tuple[float, ...], passed: tuple[int, ...]) -> None:
    """Colours that come in channels 0 to 2 (their negatives in 3 to 5) leave in the same, blended with their
    neighbours; weights are `given` of what comes, signs `passed` of what leaves."""
    layer.weight[: 3 * len(passed)] = 0
    for colour in range(3):
        for row, sign in enumerate(passed):
            for column, weight in enumerate(given):
                kernel = sign * weight * torch.outer(blend, blend)
                layer.weight[3 * row + colour, 3 * column + colour] = kernel


def pace(number: int) -> float:
    """The rate of learning: it rises and falls in each cycle."""
    begun = 0
    for steps, peak in CYCLES:
        if number < begun + steps:
            return rate(number - begun, steps, peak, warm_up=WARM_UP)
        begun += steps
    raise ValueError(f"the recipe has {STEPS} steps, not {number}")


class Upscaler:
    """A Learner; see `course`."""

    name = "upscaler"

    steps = STEPS

    def __init__(self, seed: int) -> None:
        self.seed = seed
        torch.manual_seed(seed)
        self.model = build().train()
        self.average = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=CYCLES[0][1], weight_decay=1e-4)

    def step(self, number: int) -> dict[str, float]:
        for group in self.optimizer.param_groups:
            group["lr"] = pace(number)
        small, large = batch(dice(self.seed, number))
        inner = slice(SCALE * EDGE, -SCALE * EDGE)
        made = self.model(pixel_values=small).reconstruction[..., inner, inner]
        large = large[..., inner, inner]
        loss = (made - large).abs().mean()
        self.optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self._follow(number)
        with torch.no_grad():
            error = (made - large).square().mean((1, 2, 3)).clamp_min(1e-8)
        return {"loss": loss.item(), "psnr": -10 * error.log10().mean().item()}

    @torch.no_grad()
    def _follow(self, number: int) -> None:
        """Move the averaged weights, faster at the beginning."""
        keep = min(AVERAGE, (number + 1) / (number + 10))
        for name, value in self.model.state_dict().items():
            self.average[name].lerp_(value, 1 - keep)

    def averaged(self) -> Swin2SRForImageSuperResolution:
        model = build()
        model.load_state_dict(self.average)
        return model.eval()

    def state(self) -> dict[str, Any]:
        return {
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.model.load_state_dict(state["model"])
        self.average = state["average"]
        self.optimizer.load_state_dict(state["optimizer"])

    def sample(self, path: Path) -> None:
        """Held-out scenes: enlarged by bicubic interpolation, by the model, and as they are."""
        throw = random.Random(5)
        pictures, captions = [], []
        model = self.averaged()
        for style in STYLES:
            large = held_out_picture(throw, style)
            small = np.rint(faulty(reduced(large, SCALE), throw)).astype(np.uint8)
            made = enlarged(model, small)
            pictures += [bicubic(small, SCALE), made, large]
            captions += [
                f"bicubic {psnr(pictures[-3], large):.1f} dB",
                f"model {psnr(made, large):.1f} dB",
                "drawn",
            ]
        sheet(pictures, captions, path, zoom=1, lines=1)


def batch(throw: random.Random) -> tuple[Tensor, Tensor]:
    """Crops of pictures with faults, (rows, 3, CROP, CROP), and what they should become, of 0 to 1."""
    pictures = [training_picture(throw) for _ in range(PICTURES)]
    pairs = [crop(picture, throw) for picture in pictures for _ in range(CROPS)]
    small, large = (np.stack(each).transpose(0, 3, 1, 2) for each in zip(*pairs, strict=True))
    return torch.from_numpy(small).float() / 255, torch.from_numpy(large).float() / 255


def crop(large: np.ndarray, throw: random.Random) -> tuple[np.ndarray, np.ndarray]:
    """A piece of the picture, small with faults and large as it is, in which something is to be seen."""
    most = large.shape[0] // SCALE - CROP
    corners = [(SCALE * throw.randint(0, most), SCALE * throw.randint(0, most)) for _ in range(LOOKED_AT)]
    pieces = [large[y : y + SCALE * CROP, x : x + SCALE * CROP] for y, x in corners]
    piece = max(pieces, key=lambda each: each[::SCALE, ::SCALE].std((0, 1)).sum())
    return np.rint(faulty(reduced(piece, SCALE), throw)), piece


def enlarged(model: Swin2SRForImageSuperResolution, small: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 as (4 H, 4 W, 3) uint8, as the family does it."""
    return as_bytes(Swin2SR(model).enlarged(small[None])[0])


def bicubic(small: np.ndarray, factor: int) -> np.ndarray:
    """What the model is measured against."""
    height, width = small.shape[:2]
    image = Image.fromarray(small).resize((factor * width, factor * height), Image.Resampling.BICUBIC)
    return np.asarray(image)


def psnr(made: np.ndarray, true: np.ndarray) -> float:
    """Peak signal to noise ratio of 8-bit pictures, in dB; at most 100."""
    error = float(np.square(made.astype(np.float32) - true.astype(np.float32)).mean())
    return 100.0 if error < 255**2 / 1e10 else float(10 * np.log10(255**2 / error))
