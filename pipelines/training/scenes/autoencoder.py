"""The autoencoder: pictures to small latents of unit deviation, and back.

Its latents are normalised by running statistics while it trains, so that the decoder only ever sees unit
deviation; `fold` then moves the statistics into the encoder's last convolution, and the saved model needs
no scaling factor.
"""

from __future__ import annotations

import copy
import math
import random

import numpy as np
import torch
from diffusers import AutoencoderTiny
from torch import Tensor, nn

from pipelines.training.scenes.draw import draw
from pipelines.training.scenes.sampling import random_scene
from pipelines.training.scenes.vocabulary import DEFAULT_STYLE, PLACES, SIDE, Scene

LATENT_CHANNELS = 8
SHRINK = 4  # pixels a latent, each way
BATCH = 32  # crops, or a quarter as many whole pictures
CROP = 32  # pixels
ANCHOR = 0.3  # how much it counts that flat pictures keep their latents
PAINTED_NOISE = 0.1  # while the decoder alone is trained
LATENT_NOISE = 0.05  # in training: the denoiser's latents will never be exact


def build(channels: int = LATENT_CHANNELS, width: int = 32) -> AutoencoderTiny:
    """An untrained AutoencoderTiny that halves twice."""
    return AutoencoderTiny(
        encoder_block_out_channels=(width,) * 3,
        decoder_block_out_channels=(width,) * 3,
        num_encoder_blocks=(0, 2, 2),
        num_decoder_blocks=(2, 2, 1),
        latent_channels=channels,
    )


class Normalised(nn.Module):
    """An autoencoder with normalised latents between its halves.

    One that is trained further keeps the latents it has: `anchor` is its encoder as it was, and holds for
    flat pictures, so that whatever was trained on those latents still reads them.
    """

    def __init__(self, model: AutoencoderTiny, anchored: bool = False) -> None:
        super().__init__()
        self.model = model
        self.anchor = copy.deepcopy(model.encoder).requires_grad_(False) if anchored else None
        self.norm = nn.BatchNorm2d(model.config.latent_channels, affine=False, momentum=0.02)

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in -1 to 1 to latents (B, C, H/4, W/4) of mean 0 and deviation 1."""
        return self.norm(self.model.encoder(pixels))

    def train(self, mode: bool = True) -> Normalised:
        """As ever, but what is anchored is normalised already."""
        super().train(mode)
        if self.anchor is not None:
            self.norm.eval()
        return self


@torch.no_grad()
def fold(trained: Normalised) -> AutoencoderTiny:
    """A copy of the inner model, its last encoder convolution now giving normalised latents by itself."""
    model = copy.deepcopy(trained.model)
    last = model.encoder.layers[-1]
    deviation = (trained.norm.running_var + trained.norm.eps).sqrt()
    last.weight.div_(deviation[:, None, None, None])
    last.bias.sub_(trained.norm.running_mean).div_(deviation)
    return model


def loss(trained: Normalised, pixels: Tensor, flat: Tensor) -> Tensor:
    """Squared error, and a little absolute error that keeps edges and flat fields clean; where latents are
    anchored, also how far those of `flat` pictures (B,) moved."""
    latents = trained.encode(pixels)
    noisy = latents + LATENT_NOISE * torch.randn_like(latents)
    error = trained.model.decoder(noisy) - pixels
    total = error.square().mean() + 0.2 * error.abs().mean()
    if trained.anchor is None or not flat.any():
        return total
    moved = latents[flat] - trained.anchor(pixels[flat])
    return total + ANCHOR * moved.square().mean()


def decoder_loss(trained: Normalised, pixels: Tensor) -> Tensor:
    """As `loss`, for the decoder alone, from latents as inexact as the denoiser's."""
    with torch.no_grad():
        latents = trained.encode(pixels)
    error = trained.model.decoder(latents + PAINTED_NOISE * torch.randn_like(latents)) - pixels
    return error.square().mean() + 0.2 * error.abs().mean()


@torch.no_grad()
def psnr(trained: Normalised, pixels: Tensor) -> float:
    """Peak signal to noise of (B, 3, H, W) in -1 to 1 there and back, dB."""
    trained.eval()
    error = (trained.model.decoder(trained.encode(pixels)).clamp(-1, 1) - pixels).square().mean().item() / 4
    return -10 * math.log10(error)


def batch(dice: random.Random, whole: bool) -> tuple[Tensor, Tensor]:
    """Pixels (B, 3, S, S) in -1 to 1, and which of them are flat: whole pictures, or four times as many crops
    around things, as convolutions learn most where edges are."""
    scenes = [random_scene(dice) for _ in range(BATCH // 4 if whole else BATCH)]
    drawn = [draw(scene, dice.getrandbits(32)) for scene in scenes]
    if not whole:
        drawn = [_crop(picture, scene, dice) for picture, scene in zip(drawn, scenes, strict=True)]
    return scaled(np.stack(drawn)), torch.tensor([scene.style == DEFAULT_STYLE for scene in scenes])


def _crop(picture: np.ndarray, scene: Scene, dice: random.Random) -> np.ndarray:
    """A window around one of the things, on the grid of the latents, where textures keep their phase."""
    x, y = PLACES[dice.choice(scene.things).place]
    left, top = (
        min(max(SHRINK * ((at - CROP // 2 + dice.randint(-8, 8)) // SHRINK), 0), SIDE - CROP) for at in (x, y)
    )
    return picture[top : top + CROP, left : left + CROP]


def scaled(pixels: np.ndarray) -> Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) in -1 to 1, channels last (faster convolutions on a CPU)."""
    floats = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1
    return floats.contiguous(memory_format=torch.channels_last)
