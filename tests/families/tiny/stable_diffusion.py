"""A Stable Diffusion of random weights."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    StableDiffusionInpaintPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel

from tests.families.cases import PICTURES, Case
from tests.families.tiny.tokenizers import clip_tokenizer


def save_inpainting(folder: Path) -> Path:
    """A StableDiffusionInpaintPipeline whose UNet is given the masked picture, too."""
    return save_stable_diffusion(folder, pipeline=StableDiffusionInpaintPipeline, channels=9)


def save_stable_diffusion(
    folder: Path, *, tiny_vae: bool = False, pipeline: Any = StableDiffusionPipeline, channels: int = 4
) -> Path:
    """A StableDiffusionPipeline of random weights for small pictures (latents are 1/4 of the pixels)."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    text = CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=32,
            intermediate_size=37,
            num_hidden_layers=2,
            num_attention_heads=4,
            projection_dim=32,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    unet = UNet2DConditionModel(
        sample_size=16,
        in_channels=channels,
        block_out_channels=(32, 64),
        layers_per_block=1,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=32,
        attention_head_dim=4,
        norm_num_groups=8,
    )
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    pipe = pipeline(
        vae=_tiny_vae() if tiny_vae else _kl_vae(),
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipe.save_pretrained(folder)
    return folder


def _kl_vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(8, 16, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=64,
    )


def _tiny_vae() -> AutoencoderTiny:
    return AutoencoderTiny(
        encoder_block_out_channels=(8, 8, 8),
        decoder_block_out_channels=(8, 8, 8),
        num_encoder_blocks=(1, 1, 1),
        num_decoder_blocks=(1, 1, 1),
        latent_channels=4,
    )


CASES = [
    Case(
        name="stable_diffusion",
        family="stable_diffusion",
        save=save_stable_diffusion,
        inputs=PICTURES,
        tolerance=1 / 255,
    ),
    Case(
        name="inpainting",
        family="stable_diffusion",
        save=save_inpainting,
        inputs={"inpaint": PICTURES["inpaint"]},
        tolerance=1 / 255,
    ),
]
