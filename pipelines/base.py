"""What a family is: the code of one model architecture, found by an entry point. Loads no torch itself.

A family has `kinds`, `capabilities`, `load`, and `run` (whole batches) or `serve` (requests that join and
leave while it runs, as text does), or both. `docs/families.md` shows how to write one.
"""

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pipelines.errors import ModelUnavailable, PipelineError

if TYPE_CHECKING:
    from PIL.Image import Image

    from pipelines.models import Model
    from pipelines.outputs import Facts, Sound, Video

GROUP = "atelier.families"
"""Entry point group in which a package names its families."""

PREVIEW_BYTES = 16_384
"""Largest encoded preview, in bytes."""


@dataclass(frozen=True)
class Request:
    """One request to a loaded pipeline."""

    id: str
    """The caller's name for it; a worker uses the job's id."""
    kind: str
    inputs: Any
    """Effective inputs, an instance of the kind's class: every field has its value, the seed too."""
    files: Mapping[str, Path] = field(default_factory=dict)
    """Local copies of the files that the inputs refer to, by field name."""
    repeatable: bool = True
    """Whether its seed must give the same sample bit for bit. A serving family may compute a request whose
    seed nobody chose together with others that come and go, which is faster and differs by rounding."""


@dataclass(frozen=True)
class Output:
    """One thing that a pipeline made, in memory."""

    index: int
    """Which of the request's `n` outputs it is, from 0."""
    value: "Image | Video | Sound | str"
    """`media.write` makes files of it, in the format that the request's inputs name."""
    seed: int
    role: str = "output"
    bucket: int = 1
    """How many rows were computed together with it, itself included; 0: that changed while it was made."""
    row: int = 0
    """Which of those rows it was. The same bucket and row give the same bits again."""
    facts: "Facts" = field(default_factory=dict)
    """What is known of it beside the value, such as `finish_reason` or `tempo`; part of its artifact."""


@dataclass(frozen=True)
class Capabilities:
    """What a family can do; asserted by its tests."""

    max_batch: int
    """Most rows (outputs of one or more requests) computed at once."""
    singly: tuple[str, ...] = ()
    """The kinds of which only one row is computed at once."""
    serves: tuple[str, ...] = ()
    """The kinds that it does by `serve`; all others go to `run`."""
    streams: bool = False
    """Whether it gives text away while it makes it."""
    previews: bool = False
    """Whether it shows unfinished outputs with its progress."""
    repeats: bool = True
    """Whether a seed gives the same sample again for the same bucket, row, software and hardware."""
    needs: tuple[str, ...] = ()
    """The packages that it imports, as pip names them."""

    def most(self, kind: str) -> int:
        """Most rows of this kind computed at once."""
        return 1 if kind in self.singly else self.max_batch


class Progress(Protocol):
    """How a running batch tells its progress and learns who has been stopped."""

    def __call__(self, step: int, total: int, previews: Sequence[bytes | None] | None = None) -> set[int]:
        """Tell that `step` of `total` is done, with at most one encoded WebP preview a request.

        Returns the indexes (in the batch) of the requests that have been stopped: their outputs are not
        wanted any more. Raises Stopped when all have been.
        """


class Emit(Protocol):
    """How `serve` gives away what it makes, request by request."""

    def delta(self, request: Request, index: int, text: str) -> None:
        """The next piece of output `index`; the pieces together are the output."""

    def progress(self, request: Request, step: int, total: int) -> None:
        """`step` of at most `total` tokens are made, over all outputs of the request."""

    def stopped(self, request: Request) -> bool:
        """Whether the request's outputs are not wanted any more. Asked before every token."""

    def done(self, request: Request, outputs: list[Output]) -> None:
        """The request is finished."""

    def failed(self, request: Request, error: PipelineError) -> None:
        """The request has failed (or, with Stopped, was stopped); the others go on."""


class Family(Protocol):
    """The code of one model architecture; an instance is a loaded pipeline."""

    kinds: ClassVar[tuple[str, ...]]
    capabilities: ClassVar[Capabilities]

    @classmethod
    def load(cls, weights: Path, device: str, dtype: str, **options: Any) -> "Family":
        """A pipeline from the weights in a local folder, on `device` (`cpu`, `cuda:0`), in the number
        format `dtype` (`auto`, `float32`, …). Fetches nothing, runs no code from the folder.

        A family names the options that it takes, as keywords; they are the row's `options`. One that calls
        a server takes `url`, and no weights (None); one that applies LoRAs takes `loras`, by name.
        """


class BatchFamily(Family, Protocol):
    """A family that makes whole batches: all start and end together."""

    def run(self, batch: list[Request], progress: Progress) -> list[list[Output]]:
        """The outputs of each request; an empty list for one that was stopped. All have one `batch_key`."""


class ServingFamily(Family, Protocol):
    """A family whose requests join and leave while it runs."""

    def serve(self, requests: Iterable[Request | None], emit: Emit) -> None:
        """Run requests as they come, until `requests` ends; tell everything by `emit`.

        None says that no further request has come since: go on with those that run, and ask again.
        """


def buckets(rows: int, largest: int) -> list[int]:
    """The sizes in which `rows` rows are computed: the largest full ones of 8, 4, 2, 1; never padded."""
    sizes = []
    while rows:
        size = next(size for size in (8, 4, 2, 1) if size <= min(rows, largest))
        sizes.append(size)
        rows -= size
    return sizes


def family_names() -> list[str]:
    """The names of the families that are installed here, sorted."""
    return sorted({entry.name for entry in entry_points(group=GROUP)})


def load_family(name: str) -> Any:
    """The family's class, found by its entry point (this imports its libraries); raises ModelUnavailable."""
    found = next(iter(entry_points(group=GROUP, name=name)), None)
    if found is None:
        raise ModelUnavailable(
            f"no family {name!r} is installed here; installed: {', '.join(family_names())}"
        )
    try:
        return found.load()
    except ImportError as error:
        raise ModelUnavailable(f"family {name} cannot be loaded: {error}") from error


def load_pipeline(model: "Model", device: str) -> Any:
    """A model of the catalog as a pipeline on `device`, its weights checked; raises ModelUnavailable."""
    model.check_weights()
    load = load_family(model.family).load
    options = dict(model.options)
    if model.url:
        options["url"] = model.url
    if model.loras:
        options["loras"] = model.loras
    try:
        inspect.signature(load).bind(model.weights, device, model.dtype, **options)
    except TypeError as error:
        raise ModelUnavailable(f"family {model.family} does not take these options: {error}") from error
    return load(model.weights, device, model.dtype, **options)
