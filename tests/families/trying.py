"""Running tiny models, and comparing what they make."""

import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from pipelines.base import Output, Request, load_pipeline
from pipelines.catalog import Catalog, add_folder
from pipelines.errors import PipelineError, Stopped
from pipelines.outputs import Sound, Video
from tests.families import samples
from tests.families.cases import Given, cases

TOLD_OF_TINY_MODELS = [
    "`torch.nn.utils.weight_norm` is deprecated",  # by which autoencoders of sound are built
    "At least one mel filter has all zero values",  # AudioLDM 2's own ones
]

CASES = {case.name: case for case in cases()}


def build(folder: Path) -> Path:
    """Save every case's model, and list them in a catalog file as `tiny/<name>`, as an operator would."""
    file = folder / "models.toml"
    with warnings.catch_warnings():
        for told in TOLD_OF_TINY_MODELS:  # to whichever test comes first
            warnings.filterwarnings("ignore", told)
        for case in CASES.values():
            saved = case.save(folder / case.name)
            if saved.suffix == ".toml":
                with file.open("a", encoding="utf-8") as catalog:
                    catalog.write(saved.read_text(encoding="utf-8"))
            else:
                add_folder(saved, file, f"tiny/{case.name}")
    return file


@dataclass
class Loaded:
    """The models' pipelines; the last one stays loaded."""

    catalog: Catalog
    folder: Path
    name: str = ""
    pipeline: Any = None

    def get(self, name: str) -> Any:
        if self.name != name:
            self.name, self.pipeline = name, load_pipeline(self.catalog.get(f"tiny/{name}"), "cpu")
        return self.pipeline

    def request(self, name: str, kind: str, number: int, **changes: Any) -> Request:
        """Request `number` of a case: each has its own seed, and its own words where it takes any."""
        raw = {**CASES[name].inputs[kind], "seed": 100 * number + 7, **changes}
        if (number or CASES[name].even) and isinstance(raw.get("prompt"), str) and raw["prompt"]:
            raw["prompt"] = f"{raw['prompt']} and {number} more"
        files = {
            field: samples.write(value, self.folder)
            for field, value in raw.items()
            if isinstance(value, Given)
        }
        sent = {field: {"upload": "u"} if field in files else value for field, value in raw.items()}
        inputs = self.catalog.resolve(kind, f"tiny/{name}", sent).inputs
        return Request(str(number), kind, inputs, files)


@dataclass
class Told:
    """A progress, or an emit, that remembers; raises Stopped after `stop_after` steps."""

    stop_after: int | None = None
    steps: list[tuple[int, int]] = field(default_factory=list)
    streamed: dict[tuple[str, int], str] = field(default_factory=dict)
    outputs: dict[str, list[Output]] = field(default_factory=dict)
    errors: dict[str, PipelineError] = field(default_factory=dict)

    def __call__(self, step: int, total: int, previews: Any = None) -> set[int]:
        self.steps.append((step, total))
        if self._enough:
            raise Stopped
        return set()

    @property
    def _enough(self) -> bool:
        return self.stop_after is not None and len(self.steps) >= self.stop_after

    def progress(self, request: Request, step: int, total: int) -> None:
        self.steps.append((step, total))

    def stopped(self, request: Request) -> bool:
        return self._enough

    def delta(self, request: Request, index: int, text: str) -> None:
        self.streamed[request.id, index] = self.streamed.get((request.id, index), "") + text

    def done(self, request: Request, outputs: list[Output]) -> None:
        self.outputs[request.id] = outputs

    def failed(self, request: Request, error: PipelineError) -> None:
        self.errors[request.id] = error


def run(pipeline: Any, requests: list[Request], told: Told) -> list[list[Output]]:
    """What the requests give, whichever way the family takes them; raises what one of them raised."""
    if requests[0].kind not in pipeline.capabilities.serves:
        made: list[list[Output]] = pipeline.run(requests, told)
        return made
    pipeline.serve(requests, told)
    for error in told.errors.values():
        raise error
    return [told.outputs[request.id] for request in requests]


def numbers(output: Output) -> list[np.ndarray]:
    """A sample as arrays of 0 to 1 (pictures) or −1 to 1 (sound)."""
    match output.value:
        case Image.Image() as picture:
            return [np.asarray(picture, dtype=np.float32) / 255]
        case Video(frames=frames, sound=sound):
            return [frames.astype(np.float32) / 255, *([sound.samples] if sound else [])]
        case Sound(samples=heard):
            return [heard]
        case text:
            return [np.frombuffer(str(text).encode(), dtype=np.uint8)]


def difference(one: Output, other: Output) -> float:
    """The most by which two samples differ; infinite where they have not the same shape."""
    pairs = list(zip(numbers(one), numbers(other), strict=True))
    if any(a.shape != b.shape for a, b in pairs):
        return float("inf")
    return max(float(np.abs(a.astype(np.float32) - b.astype(np.float32)).max(initial=0)) for a, b in pairs)
