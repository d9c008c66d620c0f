"""What `atelier doctor` looks at: this machine, this home, the server, the models. Changes nothing."""

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Final

import psutil

from atelier.address import default_address
from atelier.client import Client
from atelier.errors import AtelierError, Unavailable, Unreachable
from infra.embedded import read_instance
from infra.settings import Settings, unknown_variables
from pipelines.catalog import Catalog
from pipelines.models import Model

LOW_DISK: Final = 1 << 30  # bytes free below which the first big job may fail
CARD_MEMORY: Final = re.compile(r"(\d+) MiB")
ENGINE_PACKAGES: Final = ("torch", "diffusers", "transformers", "safetensors")


class Verdict(StrEnum):
    """How one finding is marked."""

    GOOD = "✓"  # as it should be
    NOTE = "·"  # worth knowing; nothing is broken
    BAD = "✗"  # something will not work


@dataclass(frozen=True)
class Finding:
    """One line of the report; way_out says what to do about it."""

    verdict: Verdict
    what: str
    detail: str
    way_out: str = ""


def examine(settings: Settings, url: str | None = None) -> Iterator[Finding]:
    """All findings, one after the other, so that a slow one does not hold back the rest.

    url: the server to ask; None: the one that a client would find.
    """
    checks: list[Callable[[Settings], Iterator[Finding]]] = [
        _python, _variables, _disk, _confinement, _provenance, _instance, partial(_server, url),
        _engine_packages, _gpu, _models,
    ]  # fmt: skip
    for check in checks:
        yield from check(settings)


def _python(settings: Settings) -> Iterator[Finding]:
    """Its version; one that is too old could not have installed Atelier."""
    yield Finding(Verdict.GOOD, "python", f"{platform.python_version()} at {sys.executable}")


def _variables(settings: Settings) -> Iterator[Finding]:
    for name in unknown_variables():
        yield Finding(Verdict.NOTE, "settings", f"{name} is set, but is no setting", "See docs/settings.md.")


def _disk(settings: Settings) -> Iterator[Finding]:
    # Not Path.exists, which raises where one may not look.
    there = next(path for path in (settings.home, *settings.home.parents) if os.path.exists(path))
    if not os.path.isdir(there) or not os.access(there, os.W_OK):
        yield Finding(
            Verdict.BAD, "home", f"{settings.home} cannot be written", "Choose another ATELIER_HOME."
        )
        return
    free = shutil.disk_usage(there).free
    detail = f"{settings.home}, {_gib(free)} free"
    if free < LOW_DISK:
        yield Finding(Verdict.BAD, "home", detail, "Free some space, or move ATELIER_HOME to a larger disk.")
    else:
        yield Finding(Verdict.GOOD, "home", detail)


def _confinement(settings: Settings) -> Iterator[Finding]:
    """Whether an API on this machine can check uploads; one elsewhere may be another matter."""
    from infra.confine import can_confine

    if can_confine():
        yield Finding(Verdict.GOOD, "uploads", "are decoded in a process that can reach nothing else")
    elif settings.media_confinement == "best_effort":
        yield Finding(Verdict.NOTE, "uploads", "are decoded unconfined, as ATELIER_MEDIA_CONFINEMENT says")
    else:
        yield Finding(
            Verdict.BAD,
            "uploads",
            "are refused: this machine cannot confine the process that decodes them",
            "It takes Linux with seccomp, on x86-64 or arm64; or set ATELIER_MEDIA_CONFINEMENT=best_effort.",
        )


def _provenance(settings: Settings) -> Iterator[Finding]:
    """Who signs outputs, by the settings of this machine."""
    if not settings.c2pa:
        yield Finding(Verdict.NOTE, "signing", "outputs are not signed, as ATELIER_C2PA says")
    elif settings.c2pa_certificates is None:
        local = f"outputs are signed with {settings.places.credential}, which no verifier elsewhere knows"
        way_out = "Set ATELIER_C2PA_CERTIFICATES and ATELIER_C2PA_KEY for a signer of yours."
        yield Finding(Verdict.NOTE, "signing", local, way_out)
    elif os.access(settings.c2pa_certificates, os.R_OK):
        yield Finding(Verdict.GOOD, "signing", f"outputs are signed with {settings.c2pa_certificates}")
    else:
        missing = f"{settings.c2pa_certificates} cannot be read, so no worker starts"
        yield Finding(Verdict.BAD, "signing", missing, "Mend ATELIER_C2PA_CERTIFICATES.")


def _instance(settings: Settings) -> Iterator[Finding]:
    running = read_instance(settings.home)
    if running is None:
        yield Finding(Verdict.NOTE, "up", "not running on this home", "`atelier up` starts it.")
    else:
        yield Finding(Verdict.GOOD, "up", f"running at {running.url} (pid {running.pid})")


def _server(url: str | None, settings: Settings) -> Iterator[Finding]:
    url = url or default_address().url
    try:
        with Client(url, settings.api_key) as client:
            yield Finding(Verdict.GOOD, "server", f"{url} is ready{_parts(client.ready())}")
            yield from _workers(client)
    except Unreachable as error:
        verdict = Verdict.BAD if read_instance(settings.home) else Verdict.NOTE
        yield Finding(verdict, "server", str(error), "Start it with `atelier up`, or set ATELIER_URL.")
    except Unavailable as error:
        detail = f"{url} is not ready{_parts(error.body)}"
        yield Finding(Verdict.BAD, "server", detail, f"Look into {settings.places.logs}.")
    except AtelierError as error:
        yield Finding(
            Verdict.BAD, "server", f"{url}: {error}", "Set ATELIER_API_KEY to a key of this server."
        )


def _parts(readiness: Mapping[str, Any]) -> str:
    """`: state ok, storage ok, …`, and how the state server keeps jobs."""
    checks = ", ".join(f"{name} {found}" for name, found in readiness.get("checks", {}).items())
    kept = f"; jobs kept with durability {readiness['durability']}" if "durability" in readiness else ""
    return (f": {checks}" if checks else "") + kept


def _workers(client: Client) -> Iterator[Finding]:
    workers = client.workers()
    if not workers:
        yield Finding(Verdict.BAD, "workers", "none is alive, so jobs wait", "Start one: `atelier worker`.")
    for each in workers:
        name = f"{each.get('id')} on {each.get('device')}"
        if trouble := each.get("trouble"):
            yield Finding(Verdict.BAD, "worker", f"{name} takes no jobs: {trouble}", "Its log says more.")
        elif each.get("paused"):
            way_on = f"`atelier resume --worker {each.get('id')}`"
            yield Finding(Verdict.NOTE, "worker", f"{name} is paused by an operator", way_on)
        else:
            yield Finding(Verdict.GOOD, "worker", name)
    for queue in client.queues():
        if queue.get("paused"):
            way_on = f"`atelier resume --queue {queue['name']}`"
            yield Finding(Verdict.NOTE, "queue", f"{queue['name']} is paused by an operator", way_on)


def _engine_packages(settings: Settings) -> Iterator[Finding]:
    """Looked up by name only: importing torch takes seconds."""
    for package in ENGINE_PACKAGES:
        try:
            yield Finding(Verdict.GOOD, "package", f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            missing = f"{package} is not installed, so no worker can run here"
            yield Finding(Verdict.BAD, "package", missing, "pip install 'atelier[worker]'")


def _gpu(settings: Settings) -> Iterator[Finding]:
    cards = _nvidia()
    for name in cards:
        yield Finding(Verdict.GOOD, "gpu", name)
    if not cards:
        yield Finding(Verdict.NOTE, "gpu", "none found; models run on the CPU, the large ones very slowly")


def _nvidia() -> list[str]:
    """The names and memory of the NVIDIA cards, as the driver tells them."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    query = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, timeout=10, check=False)
    except subprocess.TimeoutExpired:
        return []
    return done.stdout.strip().splitlines() if done.returncode == 0 else []


def _models(settings: Settings) -> Iterator[Finding]:
    catalog = Catalog.load(settings.catalog_files)
    for problem in catalog.problems:
        yield Finding(Verdict.BAD, "catalog", str(problem), "Mend that row.")
    room = _largest_memory()
    for model in (*catalog.models.values(), *catalog.classifiers.values()):
        yield _model(model, room)
    yield from _could_be_pulled(catalog, room)


def _model(model: Model, room: int) -> Finding:
    if model.url:
        return Finding(Verdict.GOOD, "model", f"{model.name} runs at {model.url}")
    if not model.is_here():
        return Finding(Verdict.NOTE, "model", f"{model.name}: no weights at {model.weights}")
    if model.memory_bytes > room:
        need = f"{model.name} needs {_gib(model.memory_bytes)}, this machine has {_gib(room)}"
        return Finding(Verdict.NOTE, "model", need, "It may run on another machine; here it does not.")
    return Finding(Verdict.GOOD, "model", f"{model.name} is here and fits")


def _could_be_pulled(catalog: Catalog, room: int) -> Iterator[Finding]:
    """Which of the models that nobody has pulled would fit."""
    rows = [model for model in catalog.not_offered.values() if model.hub and not model.weights]
    fitting = [model.name for model in rows if 0 < model.memory_bytes <= room]
    if rows:
        names = f": {', '.join(fitting)}" if fitting else ""
        detail = f"{len(fitting)} of {len(rows)} that can be pulled fit into {_gib(room)}{names}"
        yield Finding(Verdict.NOTE, "models", detail, "`atelier models pull NAME` fetches one.")


def _largest_memory() -> int:
    """Bytes of the largest GPU, or of this machine where there is none."""
    cards = [int(found[1]) << 20 for found in map(CARD_MEMORY.search, _nvidia()) if found]
    return max(cards, default=psutil.virtual_memory().total)


def _gib(count: float) -> str:
    return f"{count / (1 << 30):.1f} GiB"
