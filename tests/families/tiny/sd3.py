"""A Stable Diffusion 3 of random weights."""

from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, SD3Transformer2DModel, StableDiffusion3Pipeline

from tests.families.cases import PICTURES, Case
from tests.families.tiny.encoders import WIDTH, clip_encoder, kl_autoencoder, t5_encoder
from tests.families.tiny.tokenizers import clip_tokenizer, t5_tokenizer

CHANNELS = 16


def save_sd3(folder: Path) -> Path:
    """A StableDiffusion3Pipeline of random weights (latents are 1/4 of the pixels)."""
    torch.manual_seed(0)
    clip, t5 = clip_tokenizer(), t5_tokenizer()
    pipe = StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=16,
            patch_size=2,
            in_channels=CHANNELS,
            out_channels=CHANNELS,
            num_layers=2,
            attention_head_dim=8,
            num_attention_heads=4,
            caption_projection_dim=WIDTH,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=2 * WIDTH,
            pos_embed_max_size=32,
        ).eval(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=kl_autoencoder(CHANNELS, shift_factor=0.06, scaling_factor=1.5),
        text_encoder=clip_encoder(clip, projection=True),
        tokenizer=clip,
        text_encoder_2=clip_encoder(clip, projection=True),
        tokenizer_2=clip,
        text_encoder_3=t5_encoder(t5),
        tokenizer_3=t5,
    )
    pipe.save_pretrained(folder)
    return folder


CASES = [
    Case(
        name="sd3",
        family="sd3",
        save=save_sd3,
        inputs=PICTURES,
        tolerance=1 / 255,
    )
]
