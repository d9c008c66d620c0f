"""Which family runs a saved pipeline, told from the folder's own description. Loads nothing heavy.

`PIPELINES` goes by the class that `model_index.json` names (diffusers), `ARCHITECTURES` by the architecture
that `config.json` names (transformers). A new family adds its rows here; `atelier models add` and `pull` then
take its models.
"""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines import video_layouts
from pipelines.errors import FolderRefused
from pipelines.weights import check_part, read_json, weights_bytes

Row = dict[str, Any]

WEIGHTLESS = re.compile(r"(low_res_)?scheduler|tokenizer(_\d)?|feature_extractor|(image_)?processor")
"""Parts of a pipeline that are settings only."""

INFILL_TOKENS = {
    *("<|fim_prefix|>", "<fim_prefix>", "<fim-prefix>", "<｜fim▁begin｜>", "<|code_prefix|>"),
    *("▁<PRE>", "[PREFIX]"),
}
"""How models for code spell what stands before the part to fill in."""

KNOWN_LABELS = {
    **dict.fromkeys(["nsfw", "porn", "hentai", "sexy", "sexual", "nude", "nudity", "explicit"], "sexual"),
    **dict.fromkeys(["gore", "violence", "blood"], "gore"),
    "hate": "hate",
}
"""Labels of image classifiers that mean a category of the safety policy."""

KINDS_BY_CHANNELS = {4: ["text-to-image", "image-to-image", "inpaint"], 9: ["inpaint"]}
"""What a UNet does, by how many channels it takes: with 9 it is given a masked picture and the mask. Where
latents have not 4 channels, the library does not inpaint."""

UNET = ("scheduler", "text_encoder", "tokenizer", "unet", "vae")
TRANSFORMER = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")


@dataclass(frozen=True)
class Layout:
    """How one kind of folder becomes a row of the catalog."""

    family: str
    kinds: tuple[str, ...]
    queue: str
    needs: tuple[str, ...] = ()
    """Parts that there must be; others that the description names must be there as well."""
    left_out: tuple[str, ...] = ("safety_checker", "feature_extractor", "image_encoder")
    """Parts that the family loads without, so that they may be missing."""
    memory: float = 2.0
    """Device memory that it takes to run, as a multiple of its weights: a rough guess, mended by hand."""
    describe: Callable[[Path], Row] = lambda folder: {}
    """More of the row, such as defaults and limits, from the folder's configurations."""


def inspect(folder: Path) -> Row:
    """The part of a row that the folder's own description tells; raises FolderRefused."""
    layout = layout_of(folder)
    return {
        "family": layout.family,
        "kinds": list(layout.kinds),
        "memory_bytes": int(weights_bytes(folder) * layout.memory),
        "queue": layout.queue,
        **layout.describe(folder),
    }


def layout_of(folder: Path) -> Layout:
    """The layout of a folder in which nothing is missing; raises FolderRefused."""
    if (folder / "model_index.json").is_file():
        index = read_json(folder / "model_index.json")
        layout = pipeline_layout(index.get("_class_name"))
        for part in parts_of(index, layout):
            _check_part_is_here(folder, part)
        return layout
    if (folder / "config.json").is_file():
        layout = architecture_layout(read_json(folder / "config.json").get("architectures") or [])
        check_has_weights(folder)
        return layout
    raise FolderRefused(f"{folder} has neither model_index.json (diffusers) nor config.json (transformers)")


def pipeline_layout(name: Any) -> Layout:
    """The layout of a diffusers pipeline's class; raises FolderRefused."""
    layout = PIPELINES.get(name) if isinstance(name, str) else None
    if layout is None:
        raise FolderRefused(f"model_index.json names {name!r}; known: {', '.join(sorted(PIPELINES))}")
    return layout


def architecture_layout(names: list[Any]) -> Layout:
    """The layout of a transformers model's architecture; raises FolderRefused."""
    for name in names:
        for ending, layout in ARCHITECTURES.items():
            if str(name).endswith(ending):
                return layout
    known = ", ".join(f"…{ending}" for ending in ARCHITECTURES)
    raise FolderRefused(f"config.json names {names}; known: {known} (a causal language model, for one)")


def parts_of(index: Row, layout: Layout) -> list[str]:
    """The parts of a pipeline that are loaded, from its `model_index.json`; raises FolderRefused."""
    stated = {name: value for name, value in index.items() if isinstance(value, list) and name[0] != "_"}
    for part in (*stated, *layout.needs):
        check_part(part, stated.get(part))
    for part in layout.needs:
        if stated[part][0] is None:
            raise FolderRefused(
                f"model_index.json says {part} is None; it must be of diffusers or transformers"
            )
    return [part for part, (library, _) in stated.items() if library and part not in layout.left_out]


def _check_part_is_here(folder: Path, part: str) -> None:
    if not (folder / part).is_dir():
        raise FolderRefused(f"{part}/ is missing")
    if not WEIGHTLESS.fullmatch(part):
        check_has_weights(folder / part)


def check_has_weights(part: Path) -> None:
    """Raise FolderRefused unless there are a configuration and safetensors."""
    if not (part / "config.json").is_file():
        raise FolderRefused(f"{part.name}/config.json is missing")
    if not any(part.glob("*.safetensors")):
        raise FolderRefused(f"{part.name}/ has no .safetensors file")


def _unet(folder: Path) -> Row:
    """What a UNet was trained for, and the size that it was trained on, as the default."""
    unet, vae = read_json(folder / "unet" / "config.json"), read_json(folder / "vae" / "config.json")
    scale = 2 ** (len(vae.get("block_out_channels") or vae.get("encoder_block_out_channels") or [0] * 4) - 1)
    sample = unet.get("sample_size") or 64
    side = int(sample if isinstance(sample, int) else sample[0]) * scale
    kinds = KINDS_BY_CHANNELS.get(unet.get("in_channels", 4), ["text-to-image", "image-to-image"])
    return {"kinds": kinds, "defaults": {"width": side, "height": side}}


def _suits(**defaults: Any) -> Callable[[Path], Row]:
    """What the models of a family are made for, where a folder does not say it."""
    return lambda folder: {"defaults": defaults}


def _flux(folder: Path) -> Row:
    """Schnell was distilled to do without guidance, and in few steps."""
    size = {"width": 1024, "height": 1024}
    if read_json(folder / "transformer" / "config.json").get("guidance_embeds"):
        return {"defaults": {**size, "guidance": 3.5}}
    return {"defaults": {**size, "guidance": 0.0, "steps": 4}, "limits": {"guidance": {"max": 1}}}


def _flux2_klein(folder: Path) -> Row:
    """As schnell, where the folder says so; it edits pictures as a prompt says, whatever the strength."""
    defaults = {"width": 1024, "height": 1024, "strength": 1.0}
    if read_json(folder / "model_index.json").get("is_distilled"):
        distilled = {**defaults, "guidance": 1.0, "steps": 4}
        return {"defaults": distilled, "limits": {"guidance": {"max": 1}}}
    return {"defaults": {**defaults, "guidance": 4.0, "steps": 50}}


def _language_model(folder: Path) -> Row:
    """What it can do, and how long its texts may be."""
    if not any((folder / file).is_file() for file in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise FolderRefused("the tokenizer is missing (tokenizer.json)")
    config = read_json(folder / "config.json")
    context = config.get("max_position_embeddings", config.get("n_positions"))  # the latter: GPT-2's name
    if not isinstance(context, int) or context < 2:
        raise FolderRefused("config.json has no max_position_embeddings: how long a text the model can hold")
    chats = _has_chat_template(folder)
    return {
        "kinds": ["text", *(["chat"] if chats else []), *(["code"] if chats or _fills_in(folder) else [])],
        "defaults": {"max_tokens": min(128, context // 2)},
        "limits": {"max_tokens": {"max": context - 1}},
    }


def _has_chat_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file() or (folder / "chat_template.json").is_file():
        return True
    settings = folder / "tokenizer_config.json"
    return settings.is_file() and bool(read_json(settings).get("chat_template"))


def _fills_in(folder: Path) -> bool:
    """Whether the tokenizer has one of the tokens by which models are asked for the middle of a code."""
    tokenizer = folder / "tokenizer.json"
    added = read_json(tokenizer).get("added_tokens", []) if tokenizer.is_file() else []
    return any(isinstance(token, dict) and token.get("content") in INFILL_TOKENS for token in added)


def _musicgen(folder: Path) -> Row:
    """How long its pieces may be."""
    config = read_json(folder / "config.json")
    decoder, codec = config.get("decoder") or {}, config.get("audio_encoder") or {}
    tokens = decoder.get("max_position_embeddings", 2048) - decoder.get("num_codebooks", 4)
    return _seconds(
        tokens * math.prod(codec.get("upsampling_ratios") or [640]) / codec.get("sampling_rate", 32_000)
    )


def _stable_audio(folder: Path) -> Row:
    """How long its pieces may be."""
    vae = read_json(folder / "vae" / "config.json")
    latents = read_json(folder / "transformer" / "config.json").get("sample_size", 1024)
    return _seconds(
        latents * math.prod(vae.get("downsampling_ratios") or [2048]) / vae.get("sampling_rate", 44_100)
    )


def _seconds(most: float) -> Row:
    """The longest piece that a music model can hold, in whole tenths of a second."""
    most = max(1.0, min(600.0, math.floor(most * 10) / 10))
    return {"defaults": {"duration_seconds": min(10.0, most)}, "limits": {"duration_seconds": {"max": most}}}


def _classifier(folder: Path) -> Row:
    """Labels that are named like a category, or like what people call one."""
    labels = read_json(folder / "config.json").get("id2label") or {}
    named = {
        str(label): KNOWN_LABELS[str(label).lower()]
        for label in labels.values()
        if str(label).lower() in KNOWN_LABELS
    }
    return {"options": {"categories": named}}


def _swin2sr(folder: Path) -> Row:
    """How large it makes pictures, and that it looks at them once: no steps, no lots, no words."""
    upscale = read_json(folder / "config.json").get("upscale", 2)
    factors = [factor for factor in (2, 4) if isinstance(upscale, int) and upscale % factor == 0]
    if not factors:
        raise FolderRefused(f"config.json says upscale {upscale}; it must be 2, 4 or a multiple of them")
    none = {
        field: {"max": most} for field, most in (("n", 1), ("steps", 1), ("guidance", 0), ("noise_level", 0))
    }
    return {"defaults": {"steps": 1, "noise_level": 0}, "limits": {"factor": {"only": factors}, **none}}


def _image(family: str, *kinds: str, needs: tuple[str, ...] = TRANSFORMER, **more: Any) -> Layout:
    return Layout(family, kinds or ("text-to-image", "image-to-image", "inpaint"), "image", needs, **more)


def _upscaler(family: str, factor: int) -> Layout:
    only = {"limits": {"factor": {"only": [factor]}}}
    return _image(family, "upscale", needs=UNET, describe=lambda folder: only)


def _video(family: str, *kinds: str, needs: tuple[str, ...] = TRANSFORMER, **more: Any) -> Layout:
    return Layout(family, kinds, "video", needs, **more)


def _music(family: str, *kinds: str, needs: tuple[str, ...] = TRANSFORMER, **more: Any) -> Layout:
    return Layout(family, kinds, "music", needs, **more)


STABLE_DIFFUSION = _image("stable_diffusion", needs=UNET, describe=_unet)
SDXL = _image("sdxl", needs=UNET, describe=_unet)
FLUX = _image("flux", describe=_flux)

LTX = _video("ltx", "text-to-video", "image-to-video", describe=video_layouts.ltx)
LTX2 = _video("ltx2", "text-to-video", "image-to-video", describe=video_layouts.ltx2)

PIPELINES: dict[str, Layout] = {
    "StableDiffusionPipeline": STABLE_DIFFUSION,
    "StableDiffusionImg2ImgPipeline": STABLE_DIFFUSION,
    "StableDiffusionInpaintPipeline": _image("stable_diffusion", "inpaint", needs=UNET, describe=_unet),
    "StableDiffusionXLPipeline": SDXL,
    "StableDiffusionXLImg2ImgPipeline": SDXL,
    "StableDiffusionXLInpaintPipeline": _image("sdxl", "inpaint", needs=UNET, describe=_unet),
    "StableDiffusion3Pipeline": _image("sd3", describe=_suits(width=1024, height=1024, guidance=7.0)),
    "FluxPipeline": FLUX,
    "FluxImg2ImgPipeline": FLUX,
    "Flux2KleinPipeline": _image("flux2_klein", describe=_flux2_klein),
    "QwenImagePipeline": _image("qwen_image", describe=_suits(width=1024, height=1024, guidance=4.0)),
    "ZImagePipeline": _image("z_image", describe=_suits(width=1024, height=1024)),
    "SanaPipeline": _image(
        "sana", "text-to-image", describe=_suits(width=1024, height=1024, guidance=4.5, steps=20)
    ),
    "SanaSprintPipeline": _image(
        "sana_sprint",
        "text-to-image",
        "image-to-image",
        describe=_suits(width=1024, height=1024, guidance=4.5, steps=2),
    ),
    "StableDiffusionUpscalePipeline": _upscaler("sd_x4", 4),
    "StableDiffusionLatentUpscalePipeline": _upscaler("sd_latent_x2", 2),
    "AnimateDiffPipeline": _video(
        "animatediff", "text-to-video", "video-to-video", needs=UNET, describe=video_layouts.animatediff
    ),
    "LTXPipeline": LTX,
    "LTXImageToVideoPipeline": LTX,
    "LTXConditionPipeline": LTX,
    "LTX2Pipeline": LTX2,
    "LTX2ImageToVideoPipeline": LTX2,
    "WanPipeline": _video("wan", "text-to-video", describe=video_layouts.wan),
    "WanImageToVideoPipeline": _video("wan", "image-to-video", left_out=(), describe=video_layouts.wan),
    "CogVideoXPipeline": _video(
        "cogvideox", "text-to-video", "video-to-video", describe=video_layouts.cogvideox
    ),
    "CogVideoXImageToVideoPipeline": _video("cogvideox", "image-to-video", describe=video_layouts.cogvideox),
    "HunyuanVideoPipeline": _video("hunyuan_video", "text-to-video", describe=video_layouts.hunyuan_video),
    "StableVideoDiffusionPipeline": _video(
        *("svd", "image-to-video"),
        needs=("image_encoder", "scheduler", "unet", "vae"),
        left_out=(),
        describe=video_layouts.svd,
    ),
    "StableAudioPipeline": _music("stable_audio", "text-to-music", describe=_stable_audio),
    "AudioLDM2Pipeline": _music("audioldm2", "text-to-music", needs=UNET, left_out=()),
    "AceStepPipeline": _music("ace_step", "text-to-music", "continue-music"),
}
"""Layouts by the class that `model_index.json` names."""

ARCHITECTURES: dict[str, Layout] = {
    "ForCausalLM": Layout("causal_lm", ("text",), "text", memory=1.5, describe=_language_model),
    "LMHeadModel": Layout("causal_lm", ("text",), "text", memory=1.5, describe=_language_model),
    "ForImageSuperResolution": Layout("swin2sr", ("upscale",), "image", memory=8.0, describe=_swin2sr),
    "ForImageClassification": Layout("image_classifier", (), "image", memory=0.0, describe=_classifier),
    "MusicgenForConditionalGeneration": _music(
        "musicgen", "text-to-music", "continue-music", needs=(), describe=_musicgen
    ),
}
"""Layouts by how the architecture's name in `config.json` ends."""
