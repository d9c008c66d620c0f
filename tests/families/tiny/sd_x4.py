"""A Stable Diffusion x4 upscaler of random weights."""

from pathlib import Path

import torch
from diffusers import DDIMScheduler, DDPMScheduler, StableDiffusionUpscalePipeline, UNet2DConditionModel

from tests.families.cases import Case, Given
from tests.families.tiny.encoders import WIDTH, clip_encoder, kl_autoencoder
from tests.families.tiny.tokenizers import clip_tokenizer

CHANNELS, COLOURS = 4, 3


def save_sd_x4(folder: Path) -> Path:
    """A StableDiffusionUpscalePipeline of random weights: latents as large as the picture that is given."""
    torch.manual_seed(0)
    tokenizer = clip_tokenizer()
    noise = {"beta_start": 0.0001, "beta_end": 0.02, "beta_schedule": "scaled_linear"}
    pipe = StableDiffusionUpscalePipeline(
        vae=kl_autoencoder(CHANNELS, scaling_factor=0.08333),
        text_encoder=clip_encoder(tokenizer),
        tokenizer=tokenizer,
        unet=UNet2DConditionModel(
            sample_size=16,
            in_channels=CHANNELS + COLOURS,
            out_channels=CHANNELS,
            block_out_channels=(16, 32),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=WIDTH,
            attention_head_dim=4,
            num_class_embeds=1000,
            norm_num_groups=8,
        ).eval(),
        low_res_scheduler=DDPMScheduler(**noise),
        scheduler=DDIMScheduler(prediction_type="v_prediction", clip_sample=False, **noise),
        safety_checker=None,
        feature_extractor=None,
    )
    pipe.save_pretrained(folder)
    return folder


CASES = [
    Case(
        name="sd_x4",
        family="sd_x4",
        save=save_sd_x4,
        inputs={"upscale": {"prompt": "a fox", "image": Given("image"), "steps": 4, "guidance": 7.0}},
        tolerance=1 / 255,
    )
]
