"""AnimateDiffs of random weights: a Stable Diffusion and what sets its pictures in motion; in one, and in
parts whose frames hear their own moment."""

import json
from pathlib import Path

import torch
from diffusers import (
    AnimateDiffPipeline,
    AutoencoderKL,
    AutoencoderTiny,
    DDIMScheduler,
    MotionAdapter,
    UNet2DConditionModel,
)
from transformers import ResNetConfig, ResNetForImageClassification

from pipelines.families._motion_unet import Clock
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


def save_timed(folder: Path) -> Path:
    """The parts of an AnimateDiffPipeline, each by itself; words and times reach the UNet in all ways."""
    torch.manual_seed(1)
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
        resnet_time_scale_shift="scale_shift",
        addition_embed_type="text",
        addition_embed_type_num_heads=4,
    )
    parts = {
        "unet": unet,
        "motion_adapter": MotionAdapter(
            block_out_channels=BLOCKS,
            motion_layers_per_block=1,
            motion_transformer_layers_per_block=(0, 1),
            motion_num_attention_heads=2,
            motion_norm_num_groups=4,
            motion_max_seq_length=MOST_FRAMES,
        ),
        "clock": Clock(WIDTH, waves=4, heads=2, depth=1),
        "captioner": ResNetForImageClassification(
            ResNetConfig(
                embedding_size=8,
                hidden_sizes=[8],
                depths=[1],
                layer_type="basic",
                id2label=dict(
                    enumerate(("ground: at sea,", "ground: by day,", "thing: a cat", "thing: a dog"))
                ),
                image_size=16,
            )
        ),
        "vae": AutoencoderTiny(
            encoder_block_out_channels=(8,) * 3,
            decoder_block_out_channels=(8,) * 3,
            num_encoder_blocks=(1,) * 3,
            num_decoder_blocks=(1,) * 3,
            latent_channels=4,
        ),
        "text_encoder": clip_encoder(tokenizer),
        "tokenizer": tokenizer,
        "scheduler": DDIMScheduler(clip_sample=False, steps_offset=1),
    }
    index = {"_class_name": "AnimateDiffPipeline"}
    for name, part in parts.items():
        part.save_pretrained(folder / name)
        if name in ("clock", "captioner"):
            continue  # is no part of the library's pipeline
        library = "diffusers" if type(part).__module__.startswith("diffusers") else "transformers"
        index[name] = [library, type(part).__name__]
    (folder / "model_index.json").write_text(json.dumps(index))
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
    Case(
        "animatediff_timed",
        "animatediff",
        save_timed,
        {
            "text-to-video": SMALL,
            "image-to-video": {**SMALL, "image": Given("image")},
            "video-to-video": {**SMALL, "video": Given("video"), "fps": 24, "strength": 0.7},
        },
        tolerance=1 / 255,
    ),
]
