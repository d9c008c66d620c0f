"""A Stable Diffusion XL of random weights."""

from pathlib import Path
from typing import Any

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel

from tests.families.cases import PICTURES, Case
from tests.families.tiny.encoders import WIDTH, clip_encoder, kl_autoencoder
from tests.families.tiny.tokenizers import clip_tokenizer


def save_sdxl(folder: Path) -> Path:
    """A StableDiffusionXLPipeline of random weights (latents are 1/4 of the pixels)."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    pipe = StableDiffusionXLPipeline(
        vae=kl_autoencoder(force_upcast=False),
        text_encoder=clip_encoder(tokenizer),
        text_encoder_2=clip_encoder(tokenizer, projection=True),
        tokenizer=tokenizer,
        tokenizer_2=tokenizer,
        unet=_unet(),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading"
        ),
    )
    pipe.save_pretrained(folder)
    return folder


def _unet() -> Any:
    """Takes two encoders' words side by side, and six numbers of the picture's size."""
    numbers = 8
    return UNet2DConditionModel(
        sample_size=16,
        block_out_channels=(16, 32),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=2 * WIDTH,
        attention_head_dim=(2, 4),
        transformer_layers_per_block=(1, 2),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=numbers,
        projection_class_embeddings_input_dim=WIDTH + 6 * numbers,
        norm_num_groups=8,
    ).eval()


CASES = [
    Case(
        name="sdxl",
        family="sdxl",
        save=save_sdxl,
        inputs=PICTURES,
        tolerance=1 / 255,
    )
]
