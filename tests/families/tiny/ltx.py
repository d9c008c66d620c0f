"""An LTX-Video of random weights."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLLTXVideo,
    FlowMatchEulerDiscreteScheduler,
    LTXPipeline,
    LTXVideoTransformer3DModel,
)

from tests.families.cases import CLIP, Case, Given
from tests.families.tiny.encoders import WIDTH, t5_encoder
from tests.families.tiny.tokenizers import t5_tokenizer

CHANNELS = 8  # of the latents


def save_ltx(folder: Path, *, noisy_decoder: bool = False) -> Path:
    """An LTXPipeline of random weights: 32 pixels and 8 frames to a latent. A noisy decoder, as of version
    0.9.1, takes one more step of denoising while it decodes."""
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    transformer = LTXVideoTransformer3DModel(
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        num_layers=2,
        caption_channels=WIDTH,
    )
    vae = AutoencoderKLLTXVideo(
        latent_channels=CHANNELS,
        block_out_channels=(8, 8, 8, 8),
        decoder_block_out_channels=(8, 8, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        timestep_conditioning=noisy_decoder,
        decoder_inject_noise=(False,) * 5,
    )
    LTXPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=True,
            base_shift=0.95,
            max_shift=2.05,
            base_image_seq_len=1024,
            max_image_seq_len=4096,
            shift_terminal=0.1,
        ),
        vae=vae.eval(),
        text_encoder=t5_encoder(tokenizer),
        tokenizer=tokenizer,
        transformer=transformer.eval(),
    ).save_pretrained(folder)
    return folder


def save_ltx_noisy(folder: Path) -> Path:
    """Its decoder takes one more step of denoising."""
    return save_ltx(folder, noisy_decoder=True)


SMALL = {**CLIP, "frames": 9}

CASES = [
    Case(
        name,
        "ltx",
        save,
        {"text-to-video": SMALL, "image-to-video": {**SMALL, "image": Given("image")}},
        tolerance=1 / 255,
    )
    for name, save in (("ltx", save_ltx), ("ltx_noisy", save_ltx_noisy))
]
