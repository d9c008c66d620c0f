"""Pulling a model: from a repository of the hub into a folder here, whole or not at all.

    licence → look up → describe → choose → take over → room → fetch → check → put in place

What has been fetched stays in a folder of its own (`.pulling`) until all is there and checked, so that half
a model is never offered; the next pull goes on where the last one stopped.
"""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipelines import hub
from pipelines.choosing import choose, description_of
from pipelines.errors import FolderRefused, LicenceNotAccepted, PullFailed
from pipelines.hub import PART, HubFile, Repository
from pipelines.layouts import Layout, architecture_layout, inspect, pipeline_layout
from pipelines.models import Model
from pipelines.weights import check_safe, digest_file, digest_lines, files_of, read_json

LISTING = ".sha256sums"
"""File in a pulled folder with a line `<sha256>  <path>` for each file, as `sha256sum --check` reads it."""

SPARE_BYTES = 64 << 20
"""Room that is left on the disk beside what is fetched."""

GIB = 1 << 30

OnProgress = Callable[[str, int, int], None]
"""Told the file that is being fetched, and how many bytes of how many are here."""


@dataclass(frozen=True)
class Pulled:
    """A model that is here: what its row says from now on."""

    weights: Path
    revision: str
    sha256: str
    memory_bytes: int


def pull(model: Model, models: Path, progress: OnProgress) -> Pulled:
    """Bring the weights of `model` into the folder `models`; raises LicenceNotAccepted, PullFailed,
    FolderRefused.
    """
    if model.refused_by_licence:
        raise LicenceNotAccepted(f"{model.name} is not pulled: {model.why_not_offered}")
    if not model.hub:
        raise PullFailed(f"{model.name} has no hub in its row: there is nowhere to pull it from")
    target = models.joinpath(*model.name.split("/"))
    staging = models / ".pulling" / model.name.replace("/", "--")
    with _alone(staging):
        repository = hub.look_up(model.hub, model.revision)
        place = target / repository.revision[:12]
        folder = staging / repository.revision
        _drop_others(staging, keep=folder)
        names = _describe_and_choose(repository, folder, model)
        files = [repository.files[name] for name in names]
        _take_over(target, files, folder)
        _check_room(folder, files)
        _fetch(repository, files, folder, progress)
        pulled = _check(folder, model, place, repository.revision)
        _put_in_place(folder, place)
        shutil.rmtree(staging)
    return pulled


def _describe_and_choose(repository: Repository, folder: Path, model: Model) -> list[str]:
    """The names of the files that the model needs, by its description, which is fetched for that."""
    description = description_of(repository.files)
    if not repository.files[description].is_at(folder / description):
        hub.fetch(repository, repository.files[description], folder / description, lambda count: None)
    content = read_json(folder / description)
    is_pipeline = description == "model_index.json"
    layout = (
        pipeline_layout(content.get("_class_name"))
        if is_pipeline
        else architecture_layout(content.get("architectures") or [])
    )
    _check_family(layout, model)
    return choose(repository.files, content if is_pipeline else None, layout)


def _check_family(layout: Layout, model: Model) -> None:
    if layout.family != model.family:
        raise FolderRefused(
            f"{model.hub} is of family {layout.family}, but the row of {model.name} says {model.family}"
        )


def _take_over(target: Path, files: list[HubFile], folder: Path) -> None:
    """Link what another revision here has already: mostly everything, when only a page of text is new."""
    for file in files:
        place = folder / file.name
        others = [] if place.exists() else [path / file.name for path in sorted(target.glob("*"))]
        if same := next((other for other in others if file.is_at(other)), None):
            place.parent.mkdir(parents=True, exist_ok=True)
            place.hardlink_to(same)


def _check_room(folder: Path, files: list[HubFile]) -> None:
    """Raise PullFailed before anything is fetched that the disk has no room for."""
    here = sum(_size(folder / file.name) + _size(folder / (file.name + PART)) for file in files)
    need = sum(file.bytes for file in files) - here + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if need > free:
        raise PullFailed(f"{need / GIB:.2f} GiB are needed in {folder}, {free / GIB:.2f} GiB are free")


def _fetch(repository: Repository, files: list[HubFile], folder: Path, progress: OnProgress) -> None:
    total, here = sum(file.bytes for file in files), 0

    def count(file: HubFile, more: int) -> None:
        nonlocal here
        here += more
        progress(file.name, here, total)

    for file in sorted(files, key=lambda file: file.bytes):  # what is wrong with a small one shows early
        if file.is_at(folder / file.name):
            count(file, file.bytes)
        else:
            hub.fetch(repository, file, folder / file.name, partial(count, file))


def _check(folder: Path, model: Model, place: Path, revision: str) -> Pulled:
    """Hold the folder to the same rules as one that is added by hand, and list its digests."""
    check_safe(folder)
    guess = inspect(folder)["memory_bytes"]  # also finds what is missing
    digests = {name: digest_file(folder / name) for name in files_of(folder)}
    whole = digest_lines(digests)
    if model.sha256 and model.sha256 != whole:
        raise PullFailed(f"{model.hub} is not what the row of {model.name} says: its sha256 is {whole}")
    (folder / LISTING).write_text("".join(f"{digests[name]}  {name}\n" for name in sorted(digests)))
    return Pulled(place, revision, whole, model.memory_bytes or guess)


def _put_in_place(folder: Path, place: Path) -> None:
    """In one move, so that no worker ever sees half of it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    aside = place.with_name(f".{place.name}")
    shutil.rmtree(aside, ignore_errors=True)
    if place.exists():  # the same revision, pulled before: what is here now has been checked
        place.replace(aside)
    folder.replace(place)
    shutil.rmtree(aside, ignore_errors=True)
    for path in (place, place.parent):
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def _drop_others(staging: Path, keep: Path) -> None:
    """What was left of a pull of another revision."""
    for path in staging.iterdir():
        if path.is_dir() and path != keep:
            shutil.rmtree(path)
    keep.mkdir(exist_ok=True)


@contextmanager
def _alone(staging: Path) -> Iterator[None]:
    """Only one pull of a model at a time; raises PullFailed for a second one."""
    staging.mkdir(parents=True, exist_ok=True)
    with (staging / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PullFailed("this model is being pulled by another process") from error
        yield


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
