"""A Qwen-Image of random weights."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImagePipeline,
    QwenImageTransformer2DModel,
)

from tests.families.cases import PICTURES, Case
from tests.families.tiny.encoders import WIDTH, qwen25_encoder
from tests.families.tiny.tokenizers import qwen_tokenizer

CHANNELS = 4


def save_qwen_image(folder: Path) -> Path:
    """A QwenImagePipeline of random weights (latents are 1/4 of the pixels, in squares of 2 × 2)."""
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    pipe = QwenImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True, base_shift=0.5, max_shift=0.9, shift_terminal=0.02
        ),
        vae=AutoencoderKLQwenImage(
            base_dim=8,
            z_dim=CHANNELS,
            dim_mult=[1, 2, 2],
            num_res_blocks=1,
            temperal_downsample=[False, True],
            latents_mean=[0.1, -0.2, 0.3, 0.0],
            latents_std=[1.5, 2.0, 1.0, 1.2],
        ).eval(),
        text_encoder=qwen25_encoder(tokenizer),
        tokenizer=tokenizer,
        transformer=QwenImageTransformer2DModel(
            patch_size=2,
            in_channels=4 * CHANNELS,
            out_channels=CHANNELS,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            axes_dims_rope=(4, 6, 6),
        ).eval(),
    )
    pipe.save_pretrained(folder)
    return folder


CASES = [
    Case(
        name="qwen-image",
        family="qwen_image",
        save=save_qwen_image,
        inputs=PICTURES,
        tolerance=1 / 255,
    )
]
