"""The course of a training, the same for every house model: steps, checkpoints, a log, a curve, samples.

A recipe writes a Learner and hands it to `main`:

    python -m pipelines.training.<name> --resume                        # all of it, from where it stands
    python -m pipelines.training.<name> --minutes 20 --resume           # so long and no longer
    python -m pipelines.training.<name> --export pipelines/house/<name>
    python -m pipelines.training.<name> --evaluate pipelines/house/<name> --count 500
"""

from __future__ import annotations

import argparse
import json
import math
import random
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from pipelines.training.figures import lines
from pipelines.training.pictures import curve
from pipelines.training.store import Store

CHECKPOINT = "checkpoint.pt"
LOG_STEPS = 10  # steps whose mean is a line of the log
TOLD_STEPS = 50  # of a training within a recipe: how often a step is a line of the log
WARM_UP = 100  # steps


class Learner(Protocol):
    """A model in training. All that a step draws comes from the seed and the step's number, never from
    the clock or from steps before, so that a resumed training is the same training."""

    name: str
    steps: int  # of the whole recipe; rates of learning follow step / steps

    def step(self, number: int) -> dict[str, float]:
        """One step of the optimizer, counted from 0; its figures, "loss" among them."""

    def state(self) -> dict[str, Any]:
        """Weights, averages, optimizer: all that resuming needs, in tensors and plain values."""

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what `state` gave."""

    def sample(self, path: Path) -> None:
        """Write a PNG of what the model makes now."""


def dice(seed: int, number: int) -> random.Random:
    """The dice of one step; torch's own are thrown anew too, for dropout and noise."""
    torch.manual_seed((seed << 32) + number)
    return random.Random(f"{seed}:{number}")


def rate(step: int, steps: int, peak: float, *, warm_up: int = WARM_UP, floor: float = 0.02) -> float:
    """The rate of learning: a straight rise over `warm_up` steps, then half a cosine to peak * floor."""
    fall = floor + (1 - floor) * (0.5 + 0.5 * math.cos(math.pi * min(1.0, step / steps)))
    return peak * min(1.0, (step + 1) / warm_up) * fall


def teach(
    model: nn.Module,
    figures: Callable[[int], Mapping[str, Tensor]],
    store: Store,
    stage: str,
    *,
    steps: int,
    peak: float,
    warm_up: int = WARM_UP,
) -> None:
    """A training of a few minutes within a recipe, which is not resumed: AdamW on `figures(step)["loss"]`.
    The figures of each TOLD_STEPS-th step are printed, and logged as this stage."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=peak, weight_decay=0.01)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate(step, steps, peak, warm_up=warm_up)
        told = figures(step)
        optimizer.zero_grad()
        told["loss"].backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if (step + 1) % TOLD_STEPS == 0:
            row = {"step": step + 1, **{name: value.item() for name, value in told.items()}}
            store.log(stage, **row)
            print(stage, row, flush=True)


class Course:
    """A learner, its store, and how far it has come."""

    def __init__(self, learner: Learner, store: Store) -> None:
        self.learner, self.store = learner, store
        self.done, self.before, self.cpu_before = (
            0,
            0.0,
            0.0,
        )  # steps; seconds and CPU seconds of earlier runs
        self.started, self.cpu_started = time.monotonic(), time.process_time()
        self.rows: list[dict[str, float]] = []  # figures of the steps since the last line of the log

    @property
    def seconds(self) -> float:
        """Of this run."""
        return time.monotonic() - self.started

    def resume(self) -> bool:
        """Go on from the checkpoint, if there is one."""
        state = self.store.load(CHECKPOINT)
        if state is None:
            return False
        self.learner.restore(state["learner"])
        self.done, self.before, self.cpu_before = state["step"], state["seconds"], state["cpu_seconds"]
        self.store.forget_after(self.done)
        return True

    def save(self) -> None:
        self.store.save(
            CHECKPOINT,
            {"learner": self.learner.state(), "step": self.done, **self._spent()},
        )

    def step(self) -> dict[str, float]:
        """One step of the learner; FloatingPointError where a figure is no number."""
        figures = self.learner.step(self.done)
        wrong = [name for name, value in figures.items() if not math.isfinite(value)]
        if wrong:
            raise FloatingPointError(f"{self.learner.name}: {wrong[0]} is no number at step {self.done}")
        self.done += 1
        self.rows.append(figures)
        if self.done % LOG_STEPS == 0:
            self._log()
        return figures

    def show(self) -> None:
        """Draw the curve and a sample of this step."""
        curve(self.store.logged(), self.store.path("curve.png"), self.learner.name)
        self.learner.sample(self.store.path(f"samples/{self.done:06}.png"))

    def _log(self) -> None:
        means = {name: sum(row[name] for row in self.rows) / len(self.rows) for name in self.rows[0]}
        self.store.log(self.learner.name, step=self.done, **self._spent(), **means)
        self.rows.clear()

    def _spent(self) -> dict[str, float]:
        cpu = self.cpu_before + time.process_time() - self.cpu_started
        return {"seconds": self.before + self.seconds, "cpu_seconds": cpu}


def train(
    learner: Learner,
    store: Store,
    *,
    minutes: float | None,
    resume: bool,
    checkpoint_seconds: float = 60,
    sample_seconds: float = 300,
) -> None:
    """Until the recipe's last step, or for so many minutes of this run; ends well at Ctrl-C and SIGTERM.

    FileExistsError when the store holds a training already and `resume` is not said.
    """
    course = Course(learner, store)
    if not resume and store.path(CHECKPOINT).exists():
        raise FileExistsError(
            f"{store.folder} holds a training: go on with --resume, or choose another --store"
        )
    if resume:
        course.resume()
    saved = shown = 0.0
    with _stop_asked() as stop, _bar(learner, course.done) as tell:
        while course.done < learner.steps and not stop():
            figures = course.step()
            tell(course.done, figures, False)
            if course.seconds - saved > checkpoint_seconds:
                course.save()
                saved = course.seconds
                tell(course.done, figures, True)
            if course.seconds - shown > sample_seconds:
                course.show()
                shown = course.seconds
            if minutes is not None and course.seconds > minutes * 60:
                break
    course.save()
    course.show()


@contextmanager
def _stop_asked() -> Iterator[Callable[[], bool]]:
    """Ctrl-C and SIGTERM end the training after the step that runs: half a step is never saved."""
    asked: list[int] = []
    old = {number: signal.signal(number, lambda got, _: asked.append(got)) for number in (2, 15)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


@contextmanager
def _bar(learner: Learner, done: int) -> Iterator[Callable[[int, dict[str, float], bool], None]]:
    """A bar on a terminal; elsewhere a plain line at each checkpoint."""
    if not sys.stderr.isatty():

        def line(step: int, figures: dict[str, float], saved: bool) -> None:
            if saved:
                print(f"{learner.name} {step}/{learner.steps} {_words(figures)}", file=sys.stderr, flush=True)

        yield line
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    from rich.console import Console

    with Progress(*columns, TextColumn("{task.fields[figures]}"), console=Console(stderr=True)) as bar:
        task = bar.add_task(learner.name, total=learner.steps, completed=done, figures="")
        yield lambda step, figures, _: bar.update(task, completed=step, figures=_words(figures))


def _words(figures: dict[str, float]) -> str:
    return " ".join(f"{name} {value:.4g}" for name, value in figures.items())


Make = Callable[[argparse.Namespace], Learner]


def main(
    learner: Make | Mapping[str, Make],
    *,
    name: str,
    export: Callable[[Learner, Store, Path], None],
    evaluate: Callable[[Path, int, int], dict[str, Any]],
    count: int = 500,
    extend: Callable[[argparse.ArgumentParser], None] | None = None,
    words: list[str] | None = None,
) -> None:
    """The command of a recipe.

    learner: makes the learner; or, of a recipe with several stages, its makers in order by name. Each stage
    keeps its training in a folder of its own within the store, and all are trained unless --stage names one.
    export: gets the trained learner (of the last stage), the store and the folder to write.
    evaluate: gets (folder, count, seed); what it gives is printed and kept there as evaluation.json.
    extend: adds a recipe's own options.
    """
    stages = {} if callable(learner) else dict(learner)
    chosen = _parser(name, count, list(stages), extend).parse_args(words)
    torch.set_num_threads(chosen.threads)
    store = Store(chosen.store)
    parts = [(make, Store(store.path(stage))) for stage, make in stages.items()] or [(learner, store)]
    if chosen.export:
        _export(*parts[-1], chosen, lambda trained: export(trained, store, chosen.export))
    if chosen.evaluate:
        figures = evaluate(chosen.evaluate, chosen.count, chosen.seed)
        (chosen.evaluate / "evaluation.json").write_text(json.dumps(figures, indent=1) + "\n")
        print("\n".join(lines(figures)))
    if not chosen.export and not chosen.evaluate:
        named = [list(stages).index(chosen.stage)] if stages and chosen.stage else range(len(parts))
        for make, place in [parts[i] for i in named]:
            train(make(chosen), place, minutes=chosen.minutes, resume=chosen.resume)


def _export(make: Make, place: Store, chosen: argparse.Namespace, export: Callable[[Learner], None]) -> None:
    learner = make(chosen)
    if not Course(learner, place).resume():
        raise SystemExit(f"{place.folder} holds no training yet: train first")
    chosen.export.mkdir(parents=True, exist_ok=True)
    export(learner)


def _parser(
    name: str, count: int, stages: list[str], extend: Callable[[argparse.ArgumentParser], None] | None
) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m pipelines.training.{name}",
        description=f"Train {name}, from nothing or from where it stands; or export it; or measure it.",
    )
    parser.add_argument("--minutes", type=float, help="of this run; without it, until the last step")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint, if there is one")
    parser.add_argument("--begin-with", type=Path, metavar="FOLDER", help="exported weights to start from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--store", type=Path, default=Path("var/training") / name)
    parser.add_argument("--export", type=Path, metavar="FOLDER", help="write the trained model there")
    parser.add_argument("--evaluate", type=Path, metavar="FOLDER", help="measure the model that lies there")
    parser.add_argument("--count", type=int, default=count, help=f"prompts of the measure ({count})")
    if stages:
        parser.add_argument(
            "--stage", choices=stages, help="train this stage only; all, in order, without it"
        )
    if extend:
        extend(parser)
    return parser
