"""A Stable Video Diffusion of random weights."""

from pathlib import Path

import torch
from diffusers import (
    AutoencoderKLTemporalDecoder,
    EulerDiscreteScheduler,
    StableVideoDiffusionPipeline,
    UNetSpatioTemporalConditionModel,
)
from transformers import CLIPImageProcessor, CLIPVisionConfig, CLIPVisionModelWithProjection

from tests.families.cases import Case, Given

SEEN = 16  # numbers that stand for the picture


def save_svd(folder: Path) -> Path:
    """A StableVideoDiffusionPipeline of random weights: 8 pixels to a latent."""
    torch.manual_seed(0)
    unet = UNetSpatioTemporalConditionModel(
        sample_size=8,
        num_frames=5,
        block_out_channels=(32, 64),
        down_block_types=("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
        up_block_types=("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
        layers_per_block=1,
        cross_attention_dim=SEEN,
        num_attention_heads=(2, 4),
        addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=24,
    )
    vae = AutoencoderKLTemporalDecoder(
        block_out_channels=(32, 32, 32, 32),
        down_block_types=("DownEncoderBlock2D",) * 4,
        latent_channels=4,
        sample_size=64,
    )
    encoder = CLIPVisionModelWithProjection(
        CLIPVisionConfig(
            hidden_size=24,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=224,
            patch_size=56,
            projection_dim=SEEN,
        )
    )
    StableVideoDiffusionPipeline(
        vae=vae.eval(),
        image_encoder=encoder.eval(),
        unet=unet.eval(),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            interpolation_type="linear",
            prediction_type="v_prediction",
            use_karras_sigmas=True,
            sigma_min=0.002,
            sigma_max=700.0,
            timestep_spacing="leading",
            timestep_type="continuous",
            steps_offset=1,
        ),
        feature_extractor=CLIPImageProcessor(),
    ).save_pretrained(folder)
    return folder


SMALL = {
    "width": 64,
    "height": 64,
    "frames": 4,
    "steps": 3,
    "guidance": 4.0,
}

CASES = [
    Case(
        "svd",
        "svd",
        save_svd,
        {"image-to-video": {**SMALL, "image": Given("image"), "motion": 90}},
        tolerance=1 / 255,
    ),
]
