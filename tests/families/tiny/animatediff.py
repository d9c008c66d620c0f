"""An AnimateDiff of random weights: a Stable Diffusion and what sets its pictures in motion."""

from pathlib import Path

import torch
from diffusers import (
    AnimateDiffPipeline,
    AutoencoderKL,
    DDIMScheduler,
    MotionAdapter,
    UNet2DConditionModel,
)

from tests.families.cases import CLIP, Case, Given
from tests.families.tiny.encoders import WIDTH, clip_encoder
from tests.families.tiny.tokenizers import clip_tokenizer

BLOCKS = (16, 32)
MOST_FRAMES = 16


def save_animatediff(folder: Path) -> Path:
    """An AnimateDiffPipeline of random weights: 4 pixels to a latent, at most 16 frames."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    unet = UNet2DConditionModel(
        sample_size=16,
        block_out_channels=BLOCKS,
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=4,
    )
    motion = MotionAdapter(
        block_out_channels=BLOCKS,
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=4,
        motion_max_seq_length=MOST_FRAMES,
    )
    vae = AutoencoderKL(
        block_out_channels=(8, 8, 16),
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        latent_channels=4,
        norm_num_groups=4,
        sample_size=32,
    )
    AnimateDiffPipeline(
        vae=vae.eval(),
        text_encoder=clip_encoder(tokenizer),
        tokenizer=tokenizer,
        unet=unet.eval(),
        motion_adapter=motion.eval(),
        scheduler=DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="linear", clip_sample=False, steps_offset=1
        ),
    ).save_pretrained(folder)
    return folder


SMALL = {**CLIP, "frames": 4}

CASES = [
    Case(
        "animatediff",
        "animatediff",
        save_animatediff,
        {
            "text-to-video": SMALL,
            "video-to-video": {**SMALL, "video": Given("video"), "fps": 24, "strength": 0.7},
        },
        tolerance=1 / 255,
    ),
]
