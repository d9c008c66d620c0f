"""Tiny models of the real classes, added to a catalog as an operator would, and loaded from it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from atelier import Client
from pipelines.base import load_pipeline
from pipelines.catalog import Catalog, add_folder
from tests import servers
from tests.e2e.stack import Stack
from tests.families import tiny
from tests.families.trying import build


@pytest.fixture(scope="session")
def catalog(tmp_path_factory):
    home = tmp_path_factory.mktemp("models")
    file = home / "models.toml"
    add_folder(tiny.save_stable_diffusion(home / "sd"), file, "tiny/sd")
    add_folder(tiny.save_stable_diffusion(home / "sd-fast", tiny_vae=True), file, "tiny/sd-fast")
    add_folder(tiny.save_causal_lm(home / "lm"), file, "tiny/lm")
    return Catalog.load([file])


@pytest.fixture(scope="session")
def stable_diffusion(catalog):
    return load_pipeline(catalog.get("tiny/sd"), "cpu")


@pytest.fixture(scope="session")
def causal_lm(catalog):
    return load_pipeline(catalog.get("tiny/lm"), "cpu")


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    """Threads that wait for one another cost tiny models more than they give them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalog file with every case's model, as `atelier models add` would write it."""
    return build(tmp_path_factory.mktemp("families"))


@pytest.fixture(scope="session")
def stack(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {
        "catalog": str(models),
        "lease_seconds": "15",
        "beat_seconds": "3",
        "exchange_seconds": "0.02",  # a tiny model is done sooner than people look
    }
    running = Stack(tmp_path_factory.mktemp("up") / "home", settings=settings).start()
    assert running.process is not None
    servers.kept.add(running.process.pid)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url, "") as made:
        yield made
