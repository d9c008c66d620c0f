"""The denoiser: a small UNet that hears what to paint in two ways, and its noise schedule.

The text reaches it once as a whole, pooled into the time embedding that scales and shifts every residual
block, which it learns to use within minutes, and once through cross-attention at 8 × 8 and 4 × 4, which
sorts out several things. The schedule ends in pure noise (zero terminal signal, Lin et al. 2023, "Common
diffusion noise schedules and sample steps are flawed"); without that, backgrounds drift to the average
colour. It needs velocity prediction.
"""

from __future__ import annotations

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import Tensor, nn

from pipelines.training.scenes.autoencoder import LATENT_CHANNELS, SHRINK
from pipelines.training.scenes.text import WIDTH
from pipelines.training.scenes.vocabulary import PLACES, SIDE, Scene

TRAIN_STEPS = 1000  # of noise
EMPHASIS = 6.0  # how often an error where a thing stands counts, against once for the bare background
REACH = 3.5  # latents around a place's centre that belong to it


def build() -> UNet2DConditionModel:
    """An untrained denoiser of latents (B, LATENT_CHANNELS, 16, 16)."""
    return UNet2DConditionModel(
        sample_size=SIDE // SHRINK,
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        block_out_channels=(48, 96, 144),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=16,
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )


def scheduler() -> DDIMScheduler:
    """Cosine schedule down to no signal at all; no clipping, as latents are not pixels."""
    return DDIMScheduler(
        num_train_timesteps=TRAIN_STEPS,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        steps_offset=1,
    )


def weights(scene: Scene) -> Tensor:
    """(1, 16, 16): how much each latent's error counts, which is more around the places of the things.

    The words tell the places, so this does not pull the prediction away from the mean of what they describe.
    """
    counts = torch.ones(SIDE // SHRINK, SIDE // SHRINK)
    for thing in scene.things:
        x, y = (at / SHRINK for at in PLACES[thing.place])
        rows, columns = (slice(round(max(at - REACH, 0)), round(at + REACH)) for at in (y, x))
        counts[rows, columns] = EMPHASIS
    return counts[None]


def random_times(count: int) -> Tensor:
    """(count,) times: half spread evenly, half drawn to the middle, where silhouettes are decided.

    The second half is logit-normal, as in Esser et al. 2024, "Scaling Rectified Flow Transformers".
    """
    half = count // 2
    even = (torch.arange(half) + torch.rand(half)) / half
    middle = torch.sigmoid(torch.randn(count - half))
    times = torch.cat([even, middle]) * TRAIN_STEPS
    return times.long().clamp(max=TRAIN_STEPS - 1)


def loss(
    model: UNet2DConditionModel, schedule: DDIMScheduler, latents: Tensor, words: Tensor, counts: Tensor
) -> Tensor:
    """Weighted squared error of the velocity (Salimans and Ho 2022) at random times."""
    times, noise = random_times(len(latents)), torch.randn_like(latents)
    velocity = schedule.get_velocity(latents, noise, times)
    predicted = model(schedule.add_noise(latents, noise, times), times, words).sample
    return (counts * (predicted - velocity).square()).mean()


class Average:
    """Exponential moving average of a model's weights, quick at first and slow later."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        keep = min(self.decay, (1 + step) / (10 + step))
        for name, value in model.state_dict().items():
            self.weights[name].lerp_(value, 1 - keep)
