"""Folders of weights: their digest, and what is never loaded. Loads nothing heavy.

Weights come from strangers. A pickle runs code when it is read, a folder may bring code of its own, and a
name or a link may lead out of it. So: safetensors only, no code, nothing from elsewhere. `check_safe` holds a
folder to that when it is pulled, when it is added, and each time before it is loaded.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from operator import index as index_of
from pathlib import Path, PurePosixPath
from typing import Any

from pipelines.errors import FolderRefused

PICKLES = {
    *(".bin", ".ckpt", ".pt", ".pth", ".pkl", ".pickle", ".joblib"),
    *(".npy", ".npz", ".h5", ".keras", ".msgpack", ".nemo", ".ot"),
}
"""Suffixes of weights that may run code when they are read, or that no family reads."""

ARCHIVES = {".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".mar", ".whl"}

CODE = {".py", ".pyc", ".pyd", ".so", ".dll", ".dylib", ".exe", ".sh", ".bat", ".ipynb"}

CODE_KEYS = ("auto_map", "custom_pipelines")
"""Keys of a configuration that name code to run in place of the library's own."""

LIBRARIES = {"diffusers", "transformers"}
"""Where the parts of a pipeline may come from."""

OWN_MODULES = {
    *("ace_step", "animatediff", "audioldm2", "flux", "ltx", "ltx2", "sana"),
    *("stable_audio", "stable_diffusion", "stable_diffusion_xl"),
}
"""Modules of diffusers' own that `model_index.json` names where a part belongs to one pipeline only."""

MAX_JSON_BYTES = 50_000_000
"""Largest JSON file that is read: a tokenizer's has some 20 MB, more is not meant well."""

LENGTH_BYTES = 8
"""A safetensors file starts with the length of its header, as so many bytes."""


def files_of(folder: Path) -> list[str]:
    """The paths in the folder of what counts as weights, sorted; none where there is no folder."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix != ".md"
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def digest_file(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_folder(folder: Path) -> str:
    """SHA-256 over the sorted lines `<sha256 of a file>  <its path>`; hidden files and Markdown are left out.

    The lines are what `sha256sum` prints, so that the digest can be checked by hand.
    """
    return digest_lines({name: digest_file(folder / name) for name in files_of(folder)})


def digest_lines(digests: dict[str, str]) -> str:
    """The folder's digest, from those of its files by path."""
    lines = "".join(f"{digests[name]}  {name}\n" for name in sorted(digests))
    return hashlib.sha256(lines.encode()).hexdigest()


def check_safe(folder: Path) -> None:
    """Raise FolderRefused for a folder that is not safe to load, and for safetensors that are not whole."""
    root = folder.resolve()
    for path in walk(folder):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise FolderRefused(
                f"{name} is a link that leads out of the folder; `cp -rL` copies what it leads to"
            )
        if path.is_dir():
            continue
        if not path.is_file():
            raise FolderRefused(f"{name} is not a plain file")
        check_name(name)
        _check_content(path, name)


def check_name(name: str) -> None:
    """Raise FolderRefused for a file that is never loaded, or whose name leads out of its folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or not path.name:
        raise FolderRefused(f"the name {name!r} leads out of the folder")
    suffix = path.suffix.lower()
    if suffix in PICKLES:
        raise FolderRefused(
            f"{name} may run code when it is read: take it out, only .safetensors weights are read"
        )
    if suffix in ARCHIVES:
        raise FolderRefused(f"{name} is an archive: unpack it and look what is in it")
    if suffix in CODE:
        raise FolderRefused(f"{name} is code; no code from a model's folder is run")


def _check_content(path: Path, name: str) -> None:
    if path.suffix == ".safetensors":
        tensor_bytes(path)
    elif path.name == "model_index.json":
        _check_index(read_json(path))
    elif path.name.endswith("config.json") and (keys := read_json(path).keys() & set(CODE_KEYS)):
        raise FolderRefused(
            f"{name} has {' and '.join(sorted(keys))}: this model needs its own code, which is not run"
        )
    elif path.name.endswith(".safetensors.index.json"):
        for file in parts_of_index(path):
            if not (path.parent / file).is_file():
                raise FolderRefused(f"{path.parent.name}/{file} is missing, which {path.name} names")


def _check_index(index: dict[str, Any]) -> None:
    if not isinstance(index.get("_class_name"), str):
        raise FolderRefused(
            f"model_index.json names {index.get('_class_name')!r}: a pipeline with code of its own is not run"
        )
    for part, stated in index.items():
        if isinstance(stated, list) and not part.startswith("_"):
            check_part(part, stated)


def check_part(part: str, stated: Any) -> None:
    """Raise FolderRefused unless a part of a pipeline is stated as `[library, class]` of a known library."""
    known = LIBRARIES | OWN_MODULES | {None}
    if not (isinstance(stated, list) and len(stated) == 2 and stated[0] in known):
        raise FolderRefused(
            f"model_index.json says {part} is {stated!r}; it must be of diffusers or transformers"
        )


def parts_of_index(index: Path) -> list[str]:
    """The files that an index of safetensors names, sorted; raises FolderRefused where one is elsewhere."""
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict):
        raise FolderRefused(f"{index.name} has no weight_map")
    files = sorted({str(file) for file in weight_map.values()})
    for file in files:
        if PurePosixPath(file).name != file:
            raise FolderRefused(f"{index.name} names {file!r}, which leads out of its folder")
    return files


def tensor_bytes(path: Path) -> int:
    """The bytes of a safetensors file's tensors; raises FolderRefused where it is not one, or not whole."""
    return max((tensor["data_offsets"][1] for tensor in header_of(path).values()), default=0)


def header_of(path: Path) -> dict[str, Any]:
    """The tensors of a safetensors file by name: {dtype, shape, data_offsets}. Raises FolderRefused where
    it is not one, or not whole.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(LENGTH_BYTES)
        length = int.from_bytes(start, "little")
        if len(start) < LENGTH_BYTES or length > min(size - LENGTH_BYTES, MAX_JSON_BYTES):
            raise FolderRefused(f"{path.name} is not whole, or not a safetensors file{_guess(start)}")
        try:
            header: dict[str, Any] = json.loads(file.read(length))
            header.pop("__metadata__", None)
            tensors = max((index_of(tensor["data_offsets"][1]) for tensor in header.values()), default=0)
        except (ValueError, RecursionError, AttributeError, TypeError, LookupError) as error:
            raise FolderRefused(f"{path.name} is not a safetensors file: {error}") from error
    if (whole := LENGTH_BYTES + length + tensors) != size:
        raise FolderRefused(f"{path.name} has {size} bytes, but its header says {whole}: it is not whole")
    return header


def _guess(start: bytes) -> str:
    """What the file is instead."""
    if start.startswith(b"PK"):
        return ": it is a ZIP archive, as torch saves pickles"
    return ": it is a pickle" if start.startswith(b"\x80") else ""


def weights_bytes(folder: Path) -> int:
    """The bytes of all tensors in the folder."""
    return sum(tensor_bytes(path) for path in walk(folder) if path.suffix == ".safetensors")


def walk(folder: Path) -> Iterator[Path]:
    """Everything in the folder, hidden or not, sorted; links are not followed into other folders."""
    for at, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted([*folders, *files]):
            yield Path(at, name)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file; raises FolderRefused."""
    try:
        if path.stat().st_size > MAX_JSON_BYTES:
            raise FolderRefused(f"{path.name} is larger than {MAX_JSON_BYTES} bytes")
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FolderRefused(f"{path.parent.name}/{path.name} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise FolderRefused(f"{path.parent.name}/{path.name} is not a JSON object")
    return content
