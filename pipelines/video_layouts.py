"""What the folders of video models say about the sizes and lengths that they make; see `layouts`."""

from pathlib import Path
from typing import Any

from pipelines.weights import read_json

Row = dict[str, Any]


def animatediff(folder: Path) -> Row:
    """As the pictures that it sets in motion, and as many as its layers for motion can count. One whose
    frames hear their own moment also begins with a picture.
    """
    unet, vae = _part(folder, "unet"), _part(folder, "vae")
    levels = vae.get("block_out_channels") or vae.get("encoder_block_out_channels") or [0] * 4
    scale = 2 ** (len(levels) - 1)
    side = int(unet.get("sample_size") or 64) * scale
    timed = (folder / "clock").is_dir()
    counts = _part(folder, "motion_adapter") if timed else unet
    most = int(counts.get("motion_max_seq_length") or 32)
    kinds = {"kinds": ["text-to-video", "image-to-video", "video-to-video"]} if timed else {}
    return kinds | {
        "defaults": {"width": side, "height": side, "frames": min(16, most), "fps": 8, "steps": 25},
        "limits": {"frames": {"max": most}},
    }


def cogvideox(folder: Path) -> Row:
    """Models that have learned the places of their patches make one size and length only."""
    transformer, vae = _part(folder, "transformer"), _part(folder, "vae")
    scale = 2 ** (len(vae.get("block_out_channels") or [0] * 4) - 1)
    width, height = (int(transformer.get(side) or 0) * scale for side in ("sample_width", "sample_height"))
    limits = _limits(scale * int(transformer.get("patch_size") or 2), 8)
    frames = int(transformer.get("sample_frames") or 49)
    if transformer.get("use_learned_positional_embeddings"):
        limits |= {"width": {"only": [width]}, "height": {"only": [height]}, "frames": {"only": [frames]}}
    size = {"width": width or 720, "height": height or 480, "frames": frames, "fps": 8}
    return {"defaults": {**size, "steps": 50, "guidance": 6.0}, "limits": limits}


def hunyuan_video(folder: Path) -> Row:
    size = {"width": 960, "height": 544, "frames": 61, "fps": 15}
    return {"defaults": {**size, "steps": 30, "guidance": 6.0}, "limits": _limits(16, 4)}


def ltx(folder: Path) -> Row:
    size = {"width": 704, "height": 480, "frames": 97, "fps": 24}
    return {"defaults": {**size, "steps": 50, "guidance": 3.0}, "limits": _limits(32, 8)}


def ltx2(folder: Path) -> Row:
    size = {"width": 768, "height": 512, "frames": 121, "fps": 24}
    return {"defaults": {**size, "steps": 30, "guidance": 3.0}, "limits": _limits(32, 8)}


def svd(folder: Path) -> Row:
    unet = _part(folder, "unet")
    levels = len(unet.get("block_out_channels") or [0] * 4)
    scale = 2 ** (len(_part(folder, "vae").get("block_out_channels") or [0] * 4) - 1)
    size = {"width": 1024, "height": 576, "frames": int(unet.get("num_frames") or 25), "fps": 7}
    limits = {side: {"multiple_of": scale * 2 ** (levels - 1)} for side in ("width", "height")}
    return {"defaults": {**size, "steps": 25, "guidance": 3.0}, "limits": limits}


def wan(folder: Path) -> Row:
    """One that starts from a picture makes nothing else, but for those whose frames have a noise each."""
    index = read_json(folder / "model_index.json")
    vae = _part(folder, "vae")
    patches = _part(folder, "transformer").get("patch_size") or [1, 2, 2]
    scale = int(vae.get("scale_factor_spatial") or 8) * int(patches[1])
    limits = _limits(max(16, scale), int(vae.get("scale_factor_temporal") or 4))
    size = {"width": 832, "height": 480, "frames": 81, "fps": 16}
    if index.get("expand_timesteps"):
        size = {"width": 1280, "height": 704, "frames": 121, "fps": 24}
    return {
        "kinds": _kinds_of_wan(index),
        "defaults": {**size, "steps": 50, "guidance": 5.0},
        "limits": limits,
    }


def _kinds_of_wan(index: Row) -> list[str]:
    if index.get("expand_timesteps"):
        return ["text-to-video", "image-to-video"]
    if index["_class_name"] == "WanImageToVideoPipeline":
        return ["image-to-video"]
    in_halves = (index.get("transformer_2") or [None])[0] is not None
    return ["text-to-video"] if in_halves else ["text-to-video", "video-to-video"]


def _limits(pixels: int, frames: int) -> Row:
    """Sizes in whole patches, lengths in whole latents after the first frame."""
    sides: Row = {side: {"multiple_of": pixels} for side in ("width", "height")}
    return {**sides, "frames": {"multiple_of": frames, "plus": 1}}


def _part(folder: Path, part: str) -> Row:
    return read_json(folder / part / "config.json")
