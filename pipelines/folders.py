"""Adding a model from a local folder to the operator's catalog.

Looks before it trusts: weights only as safetensors (a pickle runs code when it is read), no code from the
folder, no file names that lead out of it, and everything there that its own lists name.
"""

import json
import os
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipelines.errors import FolderRefused
from pipelines.models import Model, digest_folder

PICKLES = {".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".h5", ".msgpack"}
"""Suffixes of weights that may run code, or that no family reads."""

MAX_JSON_BYTES = 50_000_000
"""Largest JSON file that is read: a tokenizer's has some 20 MB, more is not meant well."""

IMAGE_PIPELINES = {"StableDiffusionPipeline", "StableDiffusionImg2ImgPipeline"}
IMAGE_PARTS = ("scheduler", "text_encoder", "tokenizer", "unet", "vae")
WEIGHTLESS_PARTS = ("scheduler", "tokenizer", "feature_extractor")
LIBRARIES = {"diffusers", "transformers"}


def add_folder(folder: Path, into: Path, name: str | None = None) -> Model:
    """Inspect the weights in `folder`, write a row for them into the catalog file `into`, and return it.

    `name` is `maker/model`; without it, `local/` and the folder's name. Raises FolderRefused, and then
    `into` is as it was.
    """
    folder = folder.expanduser().resolve()
    if not folder.is_dir():
        raise FolderRefused(f"{folder} is not a folder")
    _refuse_code_and_pickles(folder)
    row = {
        "name": name or f"local/{folder.name.lower()}",
        "title": folder.name,
        **_inspect(folder),
        "weights": str(folder),
        "sha256": digest_folder(folder),
    }
    try:
        model = Model.model_validate(row)
    except ValidationError as error:
        raise FolderRefused(
            "; ".join(details["msg"] for details in error.errors(include_url=False))
        ) from error
    _append(into, model.name, row)
    return model


def _inspect(folder: Path) -> dict[str, Any]:
    """The part of a row that the folder's own description tells."""
    if (folder / "model_index.json").is_file():
        return _stable_diffusion(folder)
    if (folder / "config.json").is_file():
        return _causal_lm(folder)
    raise FolderRefused(f"{folder} has neither model_index.json (diffusers) nor config.json (transformers)")


def _stable_diffusion(folder: Path) -> dict[str, Any]:
    index = _json(folder / "model_index.json")
    pipeline = index.get("_class_name")
    if pipeline not in IMAGE_PIPELINES:
        raise FolderRefused(
            f"model_index.json names {pipeline!r}; known: {', '.join(sorted(IMAGE_PIPELINES))}"
        )
    for part in IMAGE_PARTS:
        _check_part(folder, part, index.get(part))
    unet, vae = _json(folder / "unet" / "config.json"), _json(folder / "vae" / "config.json")
    scale = 2 ** (len(vae.get("block_out_channels") or vae.get("encoder_block_out_channels") or [0] * 4) - 1)
    sample = unet.get("sample_size", 64)
    side = int(sample if isinstance(sample, int) else sample[0]) * scale
    return {
        "family": "stable_diffusion",
        "kinds": ["text-to-image", "image-to-image"],
        "memory_bytes": _weights_bytes(folder) * 2,
        "queue": "image",
        "defaults": {"width": side, "height": side},
    }


def _check_part(folder: Path, part: str, stated: Any) -> None:
    """One component of a diffusers pipeline: known library, and its files are there."""
    if not (isinstance(stated, list) and len(stated) == 2 and stated[0] in LIBRARIES):
        raise FolderRefused(
            f"model_index.json says {part} is {stated!r}; it must be of diffusers or transformers"
        )
    if not (folder / part).is_dir():
        raise FolderRefused(f"{part}/ is missing")
    if part not in WEIGHTLESS_PARTS:
        _check_weights(folder / part)


def _causal_lm(folder: Path) -> dict[str, Any]:
    config = _json(folder / "config.json")
    architectures = config.get("architectures") or []
    if not any(str(name).endswith("ForCausalLM") for name in architectures):
        raise FolderRefused(f"config.json names {architectures}; a causal language model is needed")
    _check_weights(folder)
    if not any((folder / file).is_file() for file in ("tokenizer.json", "tokenizer.model", "vocab.json")):
        raise FolderRefused("the tokenizer is missing (tokenizer.json)")
    context = config.get("max_position_embeddings")
    if not isinstance(context, int) or context < 2:
        raise FolderRefused("config.json has no max_position_embeddings: how long a text the model can hold")
    return {
        "family": "causal_lm",
        "kinds": ["text"],
        "memory_bytes": _weights_bytes(folder) * 3 // 2,
        "queue": "text",
        "defaults": {"max_tokens": min(128, context // 2)},
        "limits": {"max_tokens": {"max": context - 1}},
    }


def _check_weights(part: Path) -> None:
    """A config and safetensors; where an index lists several files, each of them."""
    if not (part / "config.json").is_file():
        raise FolderRefused(f"{part.name}/config.json is missing")
    if not any(part.glob("*.safetensors")):
        raise FolderRefused(f"{part.name}/ has no .safetensors file")
    for index in part.glob("*.safetensors.index.json"):
        weight_map = _json(index).get("weight_map")
        if not isinstance(weight_map, dict):
            raise FolderRefused(f"{index.name} has no weight_map")
        for file in sorted(map(str, weight_map.values())):
            if Path(file).name != file:
                raise FolderRefused(f"{index.name} names {file!r}, which leads out of its folder")
            if not (part / file).is_file():
                raise FolderRefused(f"{part.name}/{file} is missing, which {index.name} names")


def _refuse_code_and_pickles(folder: Path) -> None:
    for path in _files(folder):
        name = path.relative_to(folder)
        if path.suffix.lower() in PICKLES:
            raise FolderRefused(
                f"{name} may run code when it is read: take it out, only .safetensors weights are read"
            )
        if path.suffix.lower() in {".py", ".so", ".dll"}:
            raise FolderRefused(f"{name} is code; no code from a model's folder is run")
        if path.name in {"config.json", "tokenizer_config.json"} and "auto_map" in _json(path):
            raise FolderRefused(f"{name} has auto_map: this model needs its own code, which is not run")


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.is_file())


def _json(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise FolderRefused(f"{path.name} is larger than {MAX_JSON_BYTES} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FolderRefused(f"{path.parent.name}/{path.name} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise FolderRefused(f"{path.parent.name}/{path.name} is not a JSON object")
    return content


def _weights_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in _files(folder) if path.suffix == ".safetensors")


def _append(into: Path, name: str, row: dict[str, Any]) -> None:
    """Add the row to the file, all or nothing; raises FolderRefused where the name is taken."""
    text = into.read_text(encoding="utf-8") if into.exists() else ""
    try:
        taken = [table.get("name") for table in tomllib.loads(text).get("model", [])]
    except (tomllib.TOMLDecodeError, AttributeError) as error:
        raise FolderRefused(f"{into} is not a catalog file: {error}") from error
    if name in taken:
        raise FolderRefused(f"{into} has a model {name} already; choose another name or remove that row")
    into.parent.mkdir(parents=True, exist_ok=True)
    whole = f"{text.rstrip()}\n\n{_toml(row)}".lstrip()
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=into.parent, delete=False) as file:
        file.write(whole)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(into)


def _toml(row: dict[str, Any]) -> str:
    """A `[[model]]` table; JSON writes strings, numbers and lists of them as TOML does."""
    plain = [f"{key} = {_value(value)}" for key, value in row.items() if not isinstance(value, dict)]
    tables = [
        "\n".join([f"\n[model.{key}]", *(f"{name} = {_value(value)}" for name, value in values.items())])
        for key, values in row.items()
        if isinstance(values, dict) and values
    ]
    return "\n".join(["[[model]]", *plain, *tables, ""])


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_value(each)}" for key, each in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
