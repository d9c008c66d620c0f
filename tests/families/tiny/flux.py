"""A FLUX.1 of random weights."""

from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

from tests.families.cases import PICTURES, Case
from tests.families.tiny.encoders import WIDTH, clip_encoder, kl_autoencoder, t5_encoder
from tests.families.tiny.tokenizers import clip_tokenizer, t5_tokenizer

CHANNELS = 4


def save_flux(folder: Path) -> Path:
    """A FluxPipeline of random weights (latents are 1/4 of the pixels, in squares of 2 × 2)."""
    torch.manual_seed(0)
    clip, t5 = clip_tokenizer(), t5_tokenizer()
    pipe = FluxPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=kl_autoencoder(
            CHANNELS, shift_factor=0.1, scaling_factor=0.4, use_quant_conv=False, use_post_quant_conv=False
        ),
        text_encoder=clip_encoder(clip),
        tokenizer=clip,
        text_encoder_2=t5_encoder(t5),
        tokenizer_2=t5,
        transformer=FluxTransformer2DModel(
            in_channels=4 * CHANNELS,
            num_layers=1,
            num_single_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH,
            guidance_embeds=True,
            axes_dims_rope=(4, 6, 6),
        ).eval(),
    )
    pipe.save_pretrained(folder)
    return folder


CASES = [
    Case(
        name="flux",
        family="flux",
        save=save_flux,
        inputs=PICTURES,
        tolerance=1 / 255,
    )
]
