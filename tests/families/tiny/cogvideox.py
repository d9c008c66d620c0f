"""CogVideoX models of random weights."""

from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
)

from tests.families.cases import CLIP, Case, Given
from tests.families.tiny.encoders import WIDTH, t5_encoder
from tests.families.tiny.tokenizers import t5_tokenizer

CHANNELS = 4  # of the latents
SIDE = 64  # pixels


def save_cogvideox(folder: Path) -> Path:
    """A CogVideoXPipeline of random weights: 8 pixels and 4 frames to a latent."""
    return _save(CogVideoXPipeline, folder, CHANNELS)


def save_cogvideox_i2v(folder: Path) -> Path:
    """One that takes a picture beside the noise."""
    return _save(CogVideoXImageToVideoPipeline, folder, 2 * CHANNELS)


def _save(pipeline: Any, folder: Path, channels: int) -> Path:
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    transformer = CogVideoXTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=16,
        in_channels=channels,
        out_channels=CHANNELS,
        time_embed_dim=8,
        text_embed_dim=WIDTH,
        num_layers=2,
        sample_width=SIDE // 8,
        sample_height=SIDE // 8,
        sample_frames=9,
        max_text_seq_length=226,
        use_rotary_positional_embeddings=True,
    )
    vae = AutoencoderKLCogVideoX(
        block_out_channels=(8, 8, 8, 8),
        latent_channels=CHANNELS,
        layers_per_block=1,
        norm_num_groups=4,
        sample_height=SIDE,
        sample_width=SIDE,
    )
    pipeline(
        tokenizer=tokenizer,
        text_encoder=t5_encoder(tokenizer),
        vae=vae.eval(),
        transformer=transformer.eval(),
        scheduler=CogVideoXDDIMScheduler(),
    ).save_pretrained(folder)
    return folder


SMALL = {**CLIP, "frames": 9}

CASES = [
    Case(
        "cogvideox",
        "cogvideox",
        save_cogvideox,
        {
            "text-to-video": SMALL,
            "video-to-video": {**SMALL, "video": Given("video"), "fps": 24, "strength": 0.7},
        },
        tolerance=1 / 255,
    ),
    Case(
        "cogvideox_i2v",
        "cogvideox",
        save_cogvideox_i2v,
        {"image-to-video": {**SMALL, "image": Given("image")}},
        tolerance=1 / 255,
    ),
]
