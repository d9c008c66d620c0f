"""`python -m tests.bench.gpu`: pictures a second on a GPU, plainly, by the best loop, and through Atelier.

Random weights in the shapes of Stable Diffusion XL and FLUX.1 dev (`gpu_models`) are saved as a checkpoint
is, and measured in three ways, each writing its PNG files:

- plain: the pipeline of diffusers in bfloat16, one picture after the other;
- loop: the best loop that one would write by hand: full batches, channels-last, `compile_repeated_blocks`,
  the quicker of cuDNN's and flash attention, pictures encoded by threads while the next batch is computed;
- atelier: a real worker, whose catalog row has the same options, with as many jobs of one picture each.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch

from infra.broker import Doorbell, make_celery
from infra.jobs.answers import Limits
from infra.jobs.operator import Operator, What
from infra.jobs.record import Job, Status
from pipelines.catalog import Catalog
from pipelines.families import _speed
from pipelines.families._torch import free_memory, seeded, wait_for_device
from tests.bench.gpu_models import Shape, shapes
from tests.bench.parts import Bench, bench, running
from tests.chaos.storm.part import Part
from tests.integration.cluster import Cluster
from tests.servers import clean_environment, wait_for

PROMPT = "a red circle above a blue square, night"
PAGE = Path(__file__).parents[2] / "docs" / "gpu.md"
BEGIN, END = "<!-- measured by python -m tests.bench.gpu -->\n", "<!-- end -->\n"
WAYS = {
    "plain": "plain diffusers, one by one",
    "loop": "the best loop by hand",
    "atelier": "through Atelier",
}
SHARE = 0.05
"""Of the whole time: what one way of one model is measured for, beside its loading and warming up."""
PATIENCE_SECONDS = 30.0
"""What a worker gets at least, when the time is nearly over."""


@dataclass
class Measured:
    """What was found of one model."""

    name: str
    batch: int
    facts: dict[str, Any] = field(default_factory=dict)
    rates: dict[str, float] = field(default_factory=dict)
    """Pictures a second, by way."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why a way has no figure."""


@dataclass(frozen=True)
class Run:
    """What all measurements of this run share."""

    device: str
    compiled: bool
    """Whether blocks are compiled."""
    kernels: tuple[str, ...]
    """The kernels of attention to choose from."""
    ends: float
    """By the monotonic clock."""
    share: float
    """Seconds to measure one way for."""
    most: int
    """Batches, or single pictures, that are measured of each way."""

    @property
    def left(self) -> float:
        return self.ends - time.monotonic()


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu", description=__doc__)
    parser.add_argument("--minutes", type=float, default=7.5, help="what is not begun by then is left out")
    parser.add_argument("--model", choices=["sdxl", "flux"], help="only this one")
    parser.add_argument("--tiny", action="store_true", help="tiny models, on a CPU too: only whether it runs")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--report", action="store_true", help=f"write the table into {PAGE.name}")
    options = parser.parse_args(argv)
    if not (options.tiny or torch.cuda.is_available()):
        parser.error("there is no GPU here; --tiny runs tiny models on the CPU")
    if options.tiny:
        torch.set_num_threads(1)  # more would wait for one another
    found = measure(60 * options.minutes, options.model, tiny=options.tiny)
    text = table(found, about())
    print(text)
    if options.json:
        options.json.write_text(json.dumps({"about": about(), "models": list(map(vars, found))}, indent=1))
    if options.report:
        write(PAGE, text)
    return 1 if any(each.missing for each in found) else 0


def measure(seconds: float, only: str | None = None, *, tiny: bool) -> list[Measured]:
    """Both models, or only one, all ways."""
    device = "cuda:0" if torch.cuda.is_available() else "cpu"
    kernels = ("cudnn", "flash") if device != "cpu" else ("flash", "math")
    run = Run(device, not tiny, kernels, time.monotonic() + seconds, SHARE * seconds, 2 if tiny else 16)
    found = []
    for shape in shapes(device, tiny=tiny):
        if only in (None, shape.family):
            with tempfile.TemporaryDirectory(prefix="atl-gpu-") as folder:
                found.append(_model(run, shape, Path(folder)))
    return found


def _model(run: Run, shape: Shape, folder: Path) -> Measured:
    """A way that fails leaves the others their figures, and its error is told."""
    measured = Measured(shape.name, shape.batch)
    measured.facts["saved_seconds"] = _timed(lambda: shape.save(folder / "weights"))
    for way, take in {"plain": _plain, "loop": _loop, "atelier": _atelier}.items():
        if run.left <= 0:
            measured.missing[way] = "no time was left"
            continue
        free_memory()
        try:
            measured.rates[way] = take(run, shape, folder, measured.facts)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - told, and the exit code says so
            traceback.print_exc()
            measured.missing[way] = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
        torch.compiler.reset()
        _tell(run, f"{shape.name} {way}: {measured.rates.get(way) or measured.missing[way]}")
    free_memory()
    return measured


def _plain(run: Run, shape: Shape, folder: Path, facts: dict[str, Any]) -> float:
    pipe = _loaded(run, shape, folder / "weights")
    facts["plain_first_seconds"] = _timed(lambda: _call(pipe, shape, [0]))
    times: list[float] = []
    begun = time.monotonic()
    while len(times) < run.most and (not times or time.monotonic() < begun + run.share):
        seed = len(times)
        file = folder / f"plain{seed}.png"
        times.append(_timed(lambda seed=seed, file=file: _call(pipe, shape, [seed])[0].save(file)))
    facts["plain_pictures"] = len(times)
    facts |= _memory("plain")
    return 1 / statistics.median(times)


def _loop(run: Run, shape: Shape, folder: Path, facts: dict[str, Any]) -> float:
    pipe = _loaded(run, shape, folder / "weights")
    _speed.use_channels_last(pipe)
    kernel = facts["attention"] = _quickest(run, pipe, shape)
    if run.compiled:
        _speed.compile_blocks(pipe)
    with _speed.attention(kernel), ThreadPoolExecutor(4) as encoders:
        facts["loop_first_seconds"] = _timed(lambda: _call(pipe, shape, range(shape.batch)))
        begun, batches, saved = time.monotonic(), 0, []
        while batches < run.most and (not batches or time.monotonic() < begun + run.share):
            for place, picture in enumerate(_call(pipe, shape, range(shape.batch))):
                saved.append(encoders.submit(picture.save, folder / f"loop{batches}-{place}.png"))
            batches += 1
        for each in saved:
            each.result()
        seconds = time.monotonic() - begun
    facts["loop_batches"] = batches
    facts |= _memory("loop")
    return batches * shape.batch / seconds


def _quickest(run: Run, pipe: Any, shape: Shape) -> str:
    """The kernel of attention by which a few steps of a full batch take the least time."""
    taken = {}
    for kernel in run.kernels:
        with _speed.attention(kernel):
            _call(pipe, shape, range(shape.batch), steps=2)
            taken[kernel] = _timed(lambda: _call(pipe, shape, range(shape.batch), steps=4))
    return min(taken, key=lambda kernel: taken[kernel])


def _atelier(run: Run, shape: Shape, folder: Path, facts: dict[str, Any]) -> float:
    """As many jobs as the loop made pictures; they are queued while their queue is paused."""
    catalog = folder / "models.toml"
    catalog.write_text(_row(run, shape, facts.get("attention", run.kernels[0])))
    limits = {"load_timeout_seconds": 600.0, "step_timeout_seconds": 600.0}
    with bench(catalog=str(catalog), device=run.device, queues="image", **limits) as ours:
        cluster = Cluster(ours.settings, ours.folder)
        cluster.catalog = Catalog.load([catalog])
        bell = Doorbell(make_celery(ours.settings, ["image"]))
        operator = Operator(ours.state.client(), limits=Limits(), ring=bell.ring)
        count = shape.batch * facts.get("loop_batches", 1)
        with running(_worker(ours, cluster)):
            facts["atelier_first_seconds"] = _through(cluster, operator, shape, shape.batch, _patience(run))
            seconds = _through(cluster, operator, shape, count, _patience(run))
        bell.close()
    facts["atelier_jobs"] = count
    return count / seconds


def _patience(run: Run) -> float:
    return max(run.left, PATIENCE_SECONDS)


def _through(cluster: Cluster, operator: Operator, shape: Shape, count: int, patience: float) -> float:
    """Seconds from when the jobs may be claimed until the last one is committed."""
    operator.pause(What.QUEUE, "image", "bench", "")
    inputs = {"width": shape.side, "height": shape.side, "steps": shape.steps, "guidance": shape.guidance}
    jobs = [
        cluster.submit(PROMPT, shape.name, kind="text-to-image", inputs={**inputs, "seed": seed})
        for seed in range(count)
    ]
    begun = time.monotonic()
    operator.resume(What.QUEUE, "image")
    wait_for(lambda: _all_final(cluster, jobs), patience, f"the end of {count} jobs")
    seconds = time.monotonic() - begun
    for job in jobs:
        if (ended := cluster.job(job.id)).status is not Status.SUCCEEDED:
            raise RuntimeError(f"{ended.status}: {ended.error}")
    return seconds


def _all_final(cluster: Cluster, jobs: list[Job]) -> bool:
    """The last one is asked first, so that this costs one call while they run."""
    return all(cluster.job(job.id).status.final for job in reversed(jobs))


def _worker(ours: Bench, cluster: Cluster) -> Part:
    """A worker as an operator starts it; it is ready once it has asked for a job."""
    environ = {**clean_environment(), **ours.settings.environ()}
    command = [sys.executable, "-m", "workers"]
    return Part(
        "worker", command, environ, ours.folder / "worker.log", lambda _: bool(cluster.queue.workers())
    )


def _row(run: Run, shape: Shape, kernel: str) -> str:
    """Its row, as an operator would write it."""
    return f"""[[model]]
name = "{shape.name}"
family = "{shape.family}"
kinds = ["text-to-image"]
weights = "weights"
dtype = "{"auto" if run.device != "cpu" else "float32"}"
queue = "image"
max_batch = {shape.batch}

[model.options]
channels_last = true
compile_blocks = {str(run.compiled).lower()}
attention = "{kernel}"
"""


def _loaded(run: Run, shape: Shape, weights: Path) -> Any:
    dtype = torch.bfloat16 if run.device != "cpu" else torch.float32
    pipe = shape.pipeline.from_pretrained(weights, dtype=dtype, use_safetensors=True, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    return pipe.to(run.device)


def _call(pipe: Any, shape: Shape, seeds: Sequence[int], steps: int = 0) -> list[Any]:
    """The pictures of these seeds, in one batch."""
    pictures = pipe(
        prompt=[PROMPT] * len(seeds),
        width=shape.side,
        height=shape.side,
        num_inference_steps=steps or shape.steps,
        guidance_scale=shape.guidance,
        generator=[seeded(seed) for seed in seeds],
    ).images
    return list(pictures)


def _timed(act: Callable[[], object]) -> float:
    wait_for_device()
    begun = time.monotonic()
    act()
    wait_for_device()
    return time.monotonic() - begun


def _memory(way: str) -> dict[str, float]:
    """The most that was allocated on the GPU, in GiB."""
    if not torch.cuda.is_available():
        return {}
    return {f"{way}_peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2)}


def _tell(run: Run, line: str) -> None:
    print(f"{run.left:6.0f} s left  {line}", flush=True)


def about() -> str:
    """What it was measured on."""
    names = ", ".join(f"{name} {version(name)}" for name in ("torch", "diffusers", "transformers"))
    where = torch.cuda.get_device_name(0) if torch.cuda.is_available() else "a CPU, so no figure of a GPU"
    cuda = f", CUDA {torch.version.cuda}" if torch.version.cuda else ""
    return f"{datetime.now(UTC).date().isoformat()}, {where}, {names}{cuda}"


def table(found: Sequence[Measured], where: str) -> str:
    """The figures in Markdown."""
    head = "| Model | | Pictures a second | Of the best loop |\n|---|---|---|---|\n"
    rows = "".join(_table_row(each, way) for each in found for way in WAYS)
    facts = "".join(
        f"\n- `{each.name}`, batches of {each.batch}: "
        + ", ".join(f"{name} {_text(value)}" for name, value in each.facts.items())
        for each in found
    )
    return f"{where}\n\n{head}{rows}{facts}\n"


def _table_row(measured: Measured, way: str) -> str:
    if way not in measured.rates:
        return f"| `{measured.name}` | {WAYS[way]} | {measured.missing[way]} | |\n"
    rate, best = measured.rates[way], measured.rates.get("loop")
    return f"| `{measured.name}` | {WAYS[way]} | {rate:.3g} | {f'{rate / best:.2f}' if best else ''} |\n"


def _text(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def write(page: Path, text: str) -> None:
    """Put the table between the page's marks."""
    before, _, rest = page.read_text().partition(BEGIN)
    page.write_text(before + BEGIN + "\n" + text + "\n" + END + rest.partition(END)[2])


if __name__ == "__main__":
    sys.exit(main())
