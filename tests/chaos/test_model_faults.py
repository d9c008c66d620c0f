"""Weights that are missing, half there or damaged."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from infra.jobs.record import Outcome, Status
from pipelines.catalog import Catalog
from pipelines.weights import digest_folder
from tests.chaos.matrix import Seen, fault
from tests.integration.cluster import FAKE_CATALOG, Cluster, now_ms, outcomes
from tests.servers import StateServer

ROW = """
[[model]]
name = "test/fragile"
family = "fake"
kinds = ["text-to-image"]
weights = "fragile"
queue = "image"
sha256 = "{digest}"

[model.defaults]
width = 64
height = 64
steps = 1
"""


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """A copy of the fake family's weights that a test may spoil, with a second file."""
    folder = tmp_path / "fragile"
    shutil.copytree(FAKE_CATALOG.parent / "weights" / "plain", folder)
    (folder / "big.dat").write_bytes(bytes(range(256)) * 64)
    return folder


def spoil(weights: Path, how: str) -> None:
    """Make the weights unfit."""
    match how:
        case "corrupt":
            data = bytearray((weights / "big.dat").read_bytes())
            data[1000] ^= 1
            (weights / "big.dat").write_bytes(data)
        case "half-downloaded":
            (weights / "big.dat").write_bytes((weights / "big.dat").read_bytes()[:5000])
        case "missing":
            (weights / "big.dat").unlink()


@fault(
    35,
    "A model's file is corrupt, missing or half downloaded on one worker",
    "that worker says so and serves its other models; the job waits, is not failed, and runs once it can",
)
@pytest.mark.parametrize("how", ["corrupt", "half-downloaded", "missing"])
def test_unfit_weights(
    how: str, weights: Path, make_cluster: Callable[..., Cluster], state: StateServer, seen: Seen
) -> None:
    # Given a model with the digest of its weights in the catalog, and weights that differ
    catalog = weights.parent / "catalog.toml"
    catalog.write_text(ROW.format(digest=digest_folder(weights)))
    whole = weights.parent / "whole"
    shutil.copytree(weights, whole)
    spoil(weights, how)
    cluster = make_cluster(state, catalog=f"{FAKE_CATALOG}:{catalog}")
    cluster.catalog = Catalog.load([FAKE_CATALOG, catalog])
    worker = cluster.start_worker()
    # When
    job = cluster.submit("a star", "test/fragile")
    # Then it is given back uncounted, with the reason, and other models are served
    job = cluster.wait_until(job, lambda found: found.attempts and found.attempts[0].outcome)
    assert (job.status, outcomes(job)) == (Status.QUEUED, [Outcome.RELEASED])
    assert (job.fails, job.crashes, job.losses) == (0, 0, 0)
    assert worker.records("model.set_aside")
    assert cluster.wait_for_end(cluster.submit("a star")).status is Status.SUCCEEDED
    assert len(cluster.job(job.id).attempts) == 1
    info = cluster.info(worker)
    assert info is not None
    assert "test/fragile" not in info.card.models
    # and when the weights have come whole, it runs
    mended_at = now_ms()
    shutil.rmtree(weights)
    whole.rename(weights)
    job = cluster.wait_for_end(job)
    assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.RELEASED, Outcome.SUCCEEDED])
    seen("given back once, other models served", (job.attempts[1].started_at - mended_at) / 1000)
