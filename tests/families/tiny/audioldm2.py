"""An AudioLDM2 of random weights: 8,000 samples and 50 lines of its spectrogram a second."""

from pathlib import Path

import torch
from diffusers import (
    AudioLDM2Pipeline,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderKL,
    DDIMScheduler,
)
from transformers import (
    ClapConfig,
    ClapFeatureExtractor,
    ClapModel,
    GPT2Config,
    GPT2LMHeadModel,
    SpeechT5HifiGan,
    SpeechT5HifiGanConfig,
    T5Config,
    T5EncoderModel,
)

from tests.families.cases import Case
from tests.families.tiny.tokenizers import roberta_tokenizer, t5_tokenizer

MELS = 8
"""Lines of frequency in its spectrogram."""


def save_audioldm2(folder: Path) -> Path:
    """An AudioLDM2Pipeline of random weights."""
    torch.manual_seed(0)
    roberta, t5 = roberta_tokenizer(), t5_tokenizer()
    pipe = AudioLDM2Pipeline(
        vae=AutoencoderKL(
            in_channels=1,
            out_channels=1,
            block_out_channels=(8, 16),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=4,
        ),
        text_encoder=_clap(len(roberta)),
        text_encoder_2=T5EncoderModel(
            T5Config(vocab_size=len(t5), d_model=32, d_kv=8, d_ff=48, num_layers=1, num_heads=4)
        ).eval(),
        projection_model=AudioLDM2ProjectionModel(
            text_encoder_dim=16, text_encoder_1_dim=32, langauge_model_dim=24
        ),
        language_model=GPT2LMHeadModel(
            GPT2Config(
                vocab_size=8, n_embd=24, n_layer=2, n_head=4, n_positions=128, bos_token_id=0, eos_token_id=0
            )
        ).eval(),
        tokenizer=roberta,
        tokenizer_2=t5,
        feature_extractor=ClapFeatureExtractor(sampling_rate=8_000),
        unet=AudioLDM2UNet2DConditionModel(
            sample_size=8,
            in_channels=4,
            out_channels=4,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            down_block_types=("CrossAttnDownBlock2D",) * 2,
            up_block_types=("CrossAttnUpBlock2D",) * 2,
            cross_attention_dim=((None, 24, 32),) * 2,
            attention_head_dim=4,
        ),
        scheduler=DDIMScheduler(beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False),
        vocoder=SpeechT5HifiGan(
            SpeechT5HifiGanConfig(
                model_in_dim=MELS,
                sampling_rate=8_000,
                upsample_initial_channel=16,
                upsample_rates=[10, 16],
                upsample_kernel_sizes=[20, 32],
                resblock_kernel_sizes=[3],
                resblock_dilation_sizes=[[1, 3]],
                normalize_before=False,
            )
        ),
    )
    for weights in pipe.vocoder.parameters():
        weights.data.normal_(0, 0.1)  # a new one is next to silent
    pipe.save_pretrained(folder)
    return folder


def _clap(vocabulary: int) -> ClapModel:
    text = {
        "vocab_size": vocabulary,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 80,
        "projection_dim": 16,
    }
    sound = {
        "patch_size": 4,
        "spec_size": 64,
        "num_mel_bins": 64,
        "depths": [1, 1],
        "num_attention_heads": [1, 2],
        "hidden_size": 16,
        "patch_embeds_hidden_size": 8,
        "projection_dim": 16,
        "window_size": 4,
    }
    return ClapModel(ClapConfig(text_config=text, audio_config=sound, projection_dim=16)).eval()


CASES = [
    Case(
        name="audioldm2",
        family="audioldm2",
        save=save_audioldm2,
        even=True,
        inputs={"text-to-music": {"prompt": "techno", "duration_seconds": 1, "steps": 4}},
    )
]
