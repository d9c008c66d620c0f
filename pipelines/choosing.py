"""Which files of a hub repository a model needs: settings, and weights as safetensors; no code or pickles."""

import re
from collections.abc import Collection, Iterator
from pathlib import PurePosixPath
from typing import Any

from pipelines.errors import FolderRefused
from pipelines.layouts import WEIGHTLESS, Layout, parts_of
from pipelines.weights import PICKLES, check_name

DESCRIPTIONS = ("model_index.json", "config.json")
"""What says which layout a repository has, the first that is there."""

WEIGHTS = re.compile(
    r"(model|diffusion_pytorch_model)(-\d{5}-of-\d{5})?\.safetensors"
    r"|(model|diffusion_pytorch_model)\.safetensors\.index\.json"
)
"""Names that diffusers and transformers look for when nothing else is asked of them. Other variants of the
same weights (`fp16`, `non_ema`) have names in between."""

SETTINGS = {".json", ".txt", ".model", ".jinja"}
"""Suffixes of configurations, vocabularies and chat templates."""

LICENCES = re.compile(r"(LICEN[CS]E|NOTICE)([-_.].*)?", re.IGNORECASE)


def description_of(names: Collection[str]) -> str:
    """The name of the file that says which layout the repository has; raises FolderRefused."""
    for name in names:
        if ".." in PurePosixPath(name).parts or name.startswith("/") or "\\" in name:
            check_name(name)  # says that it leads out
    for description in DESCRIPTIONS:
        if description in names:
            return description
    raise FolderRefused(
        "the repository has neither model_index.json (diffusers) nor config.json (transformers)"
    )


def choose(names: Collection[str], index: dict[str, Any] | None, layout: Layout) -> list[str]:
    """The files to fetch, sorted; `index` is what model_index.json holds, if there is one.

    Raises FolderRefused where a part has no weights that are read.
    """
    found = sorted(names)
    chosen = [name for name in found if "/" not in name and LICENCES.fullmatch(name)]
    if index is None:
        chosen += _of_part(found, "")
    else:
        chosen.append("model_index.json")
        for part in parts_of(index, layout):
            chosen += _of_part(found, f"{part}/", weightless=bool(WEIGHTLESS.fullmatch(part)))
    return sorted({name for name in chosen if name.rpartition(".")[2] != "md"})


def _of_part(names: list[str], folder: str, weightless: bool = False) -> Iterator[str]:
    """The files of one part, all in one folder; where its weights are missing, says what is there instead."""
    here = [name.removeprefix(folder) for name in names if name.startswith(folder)]
    here = [name for name in here if "/" not in name]
    weights = [name for name in here if WEIGHTS.fullmatch(name)]
    if not weightless and not any(name.endswith(".safetensors") for name in weights):
        raise FolderRefused(_why_none(folder, here))
    for name in here:
        if name in weights or (PurePosixPath(name).suffix in SETTINGS and ".index." not in name):
            yield folder + name


def _why_none(folder: str, here: list[str]) -> str:
    where = folder or "the repository"
    variants = [name for name in here if name.endswith(".safetensors")]
    if variants:
        return f"{where} has weights under other names only ({variants[0]}), which are not looked for"
    pickles = [name for name in here if PurePosixPath(name).suffix in PICKLES]
    if pickles:
        return f"{where} has no .safetensors, only {pickles[0]}, which may run code when it is read"
    return f"{where} has no .safetensors file"
