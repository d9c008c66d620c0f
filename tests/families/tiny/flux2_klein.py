"""A FLUX.2 klein of random weights."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)

from tests.families.cases import PICTURES, Case
from tests.families.tiny.encoders import WIDTH, qwen3_encoder
from tests.families.tiny.tokenizers import qwen_tokenizer

CHANNELS = 4
READ_LAYERS = 3  # the pipeline reads the encoder's layers 9, 18 and 27


def save_flux2_klein(folder: Path) -> Path:
    """A Flux2KleinPipeline of random weights (latents are 1/4 of the pixels, in squares of 2 × 2)."""
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    vae = AutoencoderKLFlux2(
        block_out_channels=(8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        layers_per_block=1,
        latent_channels=CHANNELS,
        norm_num_groups=4,
        sample_size=64,
    )
    vae.bn.running_mean.normal_(std=0.1)
    vae.bn.running_var.uniform_(0.5, 2)
    pipe = Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=vae.eval(),
        text_encoder=qwen3_encoder(tokenizer, head=True, layers=27, heads=1),
        tokenizer=tokenizer,
        transformer=Flux2Transformer2DModel(
            in_channels=4 * CHANNELS,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=READ_LAYERS * WIDTH,
            timestep_guidance_channels=16,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ).eval(),
        is_distilled=False,
    )
    pipe.save_pretrained(folder)
    return folder


CASES = [
    Case(
        name="flux2-klein",
        family="flux2_klein",
        save=save_flux2_klein,
        inputs={**PICTURES, "image-to-image": {**PICTURES["image-to-image"], "strength": 1.0}},
        tolerance=1 / 255,
    )
]
