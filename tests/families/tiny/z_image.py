"""A Z-Image of random weights."""

from pathlib import Path

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, ZImagePipeline, ZImageTransformer2DModel

from tests.families.cases import PICTURES, Case
from tests.families.tiny.encoders import WIDTH, kl_autoencoder, qwen3_encoder
from tests.families.tiny.tokenizers import qwen_tokenizer

CHANNELS = 4


def save_z_image(folder: Path) -> Path:
    """A ZImagePipeline of random weights (latents are 1/4 of the pixels, in squares of 2 × 2)."""
    torch.manual_seed(0)
    tokenizer = qwen_tokenizer()
    transformer = ZImageTransformer2DModel(
        in_channels=CHANNELS,
        dim=32,
        n_layers=2,
        n_refiner_layers=1,
        n_heads=2,
        n_kv_heads=2,
        cap_feat_dim=WIDTH,
        axes_dims=[4, 6, 6],
        axes_lens=[1024, 64, 64],
    )
    for padding in (transformer.x_pad_token, transformer.cap_pad_token):
        torch.nn.init.normal_(padding, std=0.02)  # made of memory as it was found
    pipe = ZImagePipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=kl_autoencoder(CHANNELS, shift_factor=0.1, scaling_factor=0.4),
        text_encoder=qwen3_encoder(tokenizer, head=False),
        tokenizer=tokenizer,
        transformer=transformer.eval(),
    )
    pipe.save_pretrained(folder)
    return folder


CASES = [
    Case(
        name="z-image",
        family="z_image",
        save=save_z_image,
        inputs=PICTURES,
        tolerance=1 / 255,
    )
]
