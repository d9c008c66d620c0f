"""A latent upscaler of Stable Diffusion of random weights."""

from pathlib import Path

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionLatentUpscalePipeline, UNet2DConditionModel

from tests.families.cases import Case, Given
from tests.families.tiny.encoders import WIDTH, clip_encoder, kl_autoencoder
from tests.families.tiny.tokenizers import clip_tokenizer

CHANNELS = 4
NOISE_NUMBERS = 128  # that tell the model of noise; the words' sum stands beside them


def save_sd_latent_x2(folder: Path) -> Path:
    """A StableDiffusionLatentUpscalePipeline of random weights (latents are 1/4 of the pixels)."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    pipe = StableDiffusionLatentUpscalePipeline(
        vae=kl_autoencoder(CHANNELS),
        text_encoder=clip_encoder(tokenizer),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=32,
            in_channels=2 * CHANNELS,
            out_channels=CHANNELS + 1,
            act_fn="gelu",
            attention_head_dim=8,
            block_out_channels=(32, 32),
            conv_in_kernel=1,
            conv_out_kernel=1,
            cross_attention_dim=WIDTH,
            down_block_types=("KDownBlock2D", "KCrossAttnDownBlock2D"),
            up_block_types=("KCrossAttnUpBlock2D", "KUpBlock2D"),
            layers_per_block=1,
            mid_block_type=None,
            norm_num_groups=8,
            only_cross_attention=False,
            resnet_time_scale_shift="scale_shift",
            time_cond_proj_dim=NOISE_NUMBERS + WIDTH,
            time_embedding_dim=32,
            time_embedding_type="fourier",
            timestep_post_act="gelu",
        ).eval(),
        scheduler=EulerDiscreteScheduler(prediction_type="sample"),
    )
    pipe.save_pretrained(folder)
    return folder


CASES = [
    Case(
        name="sd_latent_x2",
        family="sd_latent_x2",
        save=save_sd_latent_x2,
        inputs={"upscale": {"prompt": "a fox", "image": Given("image"), "steps": 4, "guidance": 4.0}},
        tolerance=1 / 255,
    )
]
