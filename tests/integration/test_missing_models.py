"""Models that are missing or do not load: their jobs wait, or fail with a typed error, as a setting says; the
worker serves its others.
"""

import shutil
from pathlib import Path

import pytest

from infra.jobs.record import Outcome, Status
from pipelines.catalog import Catalog
from tests.integration.cluster import FAKE_CATALOG, FAKE_FAMILY, Cluster, WorkerProcess, outcomes

ROW = """
[[model]]
name = "test/late"
family = "{family}"
kinds = ["text-to-image"]
weights = "{weights}"
queue = "image"
{more}

[model.defaults]
width = 64
height = 64
steps = 1
"""

FAIL = {"missing_models": "fail", "missing_model_seconds": 0.0}


def offer(cluster: Cluster, weights: Path, family: str = "fake", more: str = "") -> None:
    """Write the row into the home's catalog, which workers follow."""
    file = cluster.settings.home / "models.toml"
    file.write_text(ROW.format(weights=weights, family=family, more=more))
    cluster.catalog = Catalog.load([FAKE_CATALOG, file])
    assert not cluster.catalog.problems


def given_up(cluster: Cluster, worker: WorkerProcess) -> tuple[str, ...]:
    info = cluster.info(worker)
    assert info is not None
    return info.card.given_up


@pytest.fixture
def weights(cluster: Cluster, tmp_path: Path) -> Path:
    return tmp_path / "late"


def test_a_job_waits_for_weights_that_come_while_the_worker_runs(cluster: Cluster, weights: Path) -> None:
    offer(cluster, weights)
    worker = cluster.start_worker()
    late = cluster.submit("a star", "test/late")
    assert cluster.wait_for_end(cluster.submit("a star")).status is Status.SUCCEEDED
    assert cluster.job(late.id).status is Status.QUEUED
    assert "test/late" in worker.records("catalog.read")[0]["missing"]

    shutil.copytree(FAKE_FAMILY / "weights" / "plain", weights)

    late = cluster.wait_for_end(late)
    assert (late.status, outcomes(late)) == (Status.SUCCEEDED, [Outcome.SUCCEEDED])


@pytest.mark.parametrize(
    ("family", "has_weights", "more", "reason"),
    [
        ("fake", False, "", "its weights are missing"),
        ("nobody", True, "", "its family nobody is not installed"),
        ("fake", True, f'sha256 = "{"0" * 64}"', "it did not load"),
    ],
)
def test_a_job_fails_where_the_operator_says_so(
    cluster: Cluster, weights: Path, *, family: str, has_weights: bool, more: str, reason: str
) -> None:
    if has_weights:
        shutil.copytree(FAKE_FAMILY / "weights" / "plain", weights)
    offer(cluster, weights, family, more)
    cluster.start_worker(**FAIL)

    late = cluster.wait_for_end(cluster.submit("a star", "test/late"))

    assert late.status is Status.FAILED
    assert late.error is not None
    assert (late.error.type, late.error.retryable) == ("model_unavailable", False)
    assert reason in late.error.detail
    assert str(weights) not in late.error.detail
    assert outcomes(late)[-1] is Outcome.FAILED
    assert cluster.wait_for_end(cluster.submit("a star")).status is Status.SUCCEEDED


def test_a_worker_without_the_model_leaves_its_jobs_to_one_that_has_it(
    cluster: Cluster, weights: Path, tmp_path: Path
) -> None:
    # Given a worker that has the model, and one that lacks it and would fail its jobs
    shutil.copytree(FAKE_FAMILY / "weights" / "plain", weights)
    offer(cluster, weights)
    cluster.start_worker()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "models.toml").write_text(ROW.format(weights=tmp_path / "none", family="fake", more=""))
    able, unable = cluster.workers[0], cluster.start_worker(home=elsewhere, **FAIL)
    assert "test/late" not in given_up(cluster, unable)
    late = cluster.wait_for_end(cluster.submit("a star", "test/late"))
    assert late.status is Status.SUCCEEDED
    # when the other one is gone, it gives the model up
    able.terminate()
    able.wait()
    late = cluster.wait_for_end(cluster.submit("a star", "test/late"))
    assert late.status is Status.FAILED
    assert "test/late" in given_up(cluster, unable)
