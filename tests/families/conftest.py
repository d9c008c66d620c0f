"""Tiny models of the real classes, added to a catalog as an operator would, and loaded from it."""

import pytest
import torch

from pipelines.base import load_pipeline
from pipelines.catalog import Catalog, add_folder
from tests.families import tiny


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
