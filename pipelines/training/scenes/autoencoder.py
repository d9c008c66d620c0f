"""The autoencoder: pictures to small latents of unit deviation, and back.

Its latents are normalised by running statistics while it trains, so that the decoder only ever sees unit
deviation; `fold` then moves the statistics into the encoder's last convolution, and the saved model needs
no scaling factor.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderTiny
from torch import Tensor, nn

LATENT_CHANNELS = 8
SHRINK = 4  # pixels a latent, each way
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
    """An autoencoder with normalised latents between its halves."""

    def __init__(self, model: AutoencoderTiny) -> None:
        super().__init__()
        self.model = model
        self.norm = nn.BatchNorm2d(model.config.latent_channels, affine=False, momentum=0.02)

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in -1 to 1 to latents (B, C, H/4, W/4) of mean 0 and deviation 1."""
        return self.norm(self.model.encoder(pixels))

    def forward(self, pixels: Tensor) -> Tensor:
        latents = self.encode(pixels)
        noisy = latents + LATENT_NOISE * torch.randn_like(latents) if self.training else latents
        return self.model.decoder(noisy)


@torch.no_grad()
def fold(trained: Normalised) -> AutoencoderTiny:
    """The inner model, its last encoder convolution now giving normalised latents by itself."""
    last = trained.model.encoder.layers[-1]
    deviation = (trained.norm.running_var + trained.norm.eps).sqrt()
    last.weight.div_(deviation[:, None, None, None])
    last.bias.sub_(trained.norm.running_mean).div_(deviation)
    return trained.model


def loss(trained: Normalised, pixels: Tensor) -> Tensor:
    """Squared error, and a little absolute error that keeps edges and flat fields clean."""
    error = trained(pixels) - pixels
    return error.square().mean() + 0.2 * error.abs().mean()
