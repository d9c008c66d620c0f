"""A MusicGen of random weights: 8,000 samples and 50 tokens a second, two codebooks."""

from pathlib import Path

import torch
from transformers import (
    EncodecConfig,
    EncodecFeatureExtractor,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenProcessor,
    T5Config,
)

from tests.families.cases import Case, Given
from tests.families.tiny.tokenizers import t5_tokenizer

RATE = 8_000
WORDS = 1024  # of a codebook; fewer would let the codec use more codebooks than the decoder has


def save_musicgen(folder: Path, *, channels: int = 1) -> Path:
    """A MusicgenForConditionalGeneration of random weights that can hold four seconds."""
    torch.manual_seed(0)
    tokenizer = t5_tokenizer()
    text = T5Config(
        vocab_size=len(tokenizer),
        d_model=32,
        d_kv=8,
        d_ff=48,
        num_layers=2,
        num_heads=4,
        decoder_start_token_id=0,
    )
    codec = EncodecConfig(
        sampling_rate=RATE,
        audio_channels=1,
        target_bandwidths=[1.0],
        upsampling_ratios=[8, 5, 4],
        num_filters=4,
        hidden_size=16,
        codebook_size=WORDS,
        codebook_dim=16,
        num_lstm_layers=1,
        normalize=False,
        use_causal_conv=False,
    )
    decoder = MusicgenDecoderConfig(
        vocab_size=WORDS,
        max_position_embeddings=202,
        num_hidden_layers=2,
        num_attention_heads=4,
        ffn_dim=48,
        hidden_size=32,
        num_codebooks=2 * channels,
        pad_token_id=WORDS,
        bos_token_id=WORDS,
        audio_channels=channels,
    )
    config = MusicgenConfig(
        text_encoder=text.to_dict(), audio_encoder=codec.to_dict(), decoder=decoder.to_dict()
    )
    model = MusicgenForConditionalGeneration(config).eval()
    for layer in model.audio_encoder.quantizer.layers:
        layer.codebook.embed.normal_()  # a new codec's are all zero
    generation = model.generation_config
    generation.update(
        decoder_start_token_id=WORDS,
        bos_token_id=WORDS,
        pad_token_id=WORDS,
        do_sample=True,
        guidance_scale=3.0,
        max_length=200,
    )
    model.save_pretrained(folder)
    MusicgenProcessor(EncodecFeatureExtractor(sampling_rate=RATE), tokenizer).save_pretrained(folder)
    return folder


CASES = [
    Case(
        name="musicgen",
        family="musicgen",
        save=save_musicgen,
        inputs={
            "text-to-music": {"prompt": "a slow waltz", "duration_seconds": 1},
            "continue-music": {"prompt": "a slow waltz", "duration_seconds": 1, "audio": Given("sound")},
        },
    )
]
