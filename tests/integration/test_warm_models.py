"""What a worker keeps loaded, as the queue and a job's record tell it."""

import os
import signal
from collections.abc import Callable

import pytest

from infra.jobs.answers import WorkerCard
from infra.jobs.record import Status
from pipelines.catalog import Catalog
from pipelines.rows import append_rows
from tests.integration.cluster import FAKE_CATALOG, Cluster, WorkerProcess
from tests.servers import wait_for
from tests.unit.workers.models import a_model

OfferModel = Callable[..., None]


@pytest.fixture
def offer(cluster: Cluster) -> OfferModel:
    """Adds a model to the deployment, whose weights behave so."""

    def offer(name: str, behaviour: str, stored: int = 0) -> None:
        cluster.settings.home.mkdir(exist_ok=True)
        file = cluster.settings.home / "models.toml"
        model = a_model(cluster.settings.home, name, behaviour, stored)
        append_rows(
            file, [model.model_dump(mode="json", include={"name", "family", "kinds", "queue", "weights"})]
        )
        cluster.catalog = Catalog.load([FAKE_CATALOG, file])

    return offer


def card(cluster: Cluster, worker: WorkerProcess) -> WorkerCard:
    info = cluster.info(worker)
    assert info is not None
    return info.card


def wait_until_warm(cluster: Cluster, worker: WorkerProcess, *names: str) -> None:
    wait_for(lambda: card(cluster, worker).warm == names, 30, f"{names} to be warm, and nothing else")


def test_a_worker_with_nothing_to_do_has_models_ready(cluster: Cluster, offer: OfferModel) -> None:
    # Given a job that waits, and a worker that is to have two models ready
    offer("first", "bytes=50")
    offer("ready", "bytes=400 load_sleep=2")
    offer("also", "bytes=500")
    job = cluster.submit("x", "test/first")
    worker = cluster.start_worker(preload="test/ready,test/also", model_memory="1000")
    # Then the job goes first, and the models are loaded after it
    wait_until_warm(cluster, worker, "test/first", "test/ready", "test/also")
    assert cluster.job(job.id).status is Status.SUCCEEDED
    actions = [record["action"] for record in worker.records()]
    assert actions.index("attempt.ended") < actions.index("model.preloaded")
    # and the card says what that takes
    shown = card(cluster, worker)
    assert (shown.memory_budget, shown.memory_held) == (1000, 950)
    measured = {each.model: each for each in shown.measured}
    assert measured["test/ready"].bytes == 400
    assert measured["test/ready"].load_seconds >= 0.2
    # When the engine dies, nothing is warm until the next one has loaded them as well
    os.kill(worker.wait_for_engine(), signal.SIGKILL)
    wait_until_warm(cluster, worker, "test/ready", "test/also")
    # A job of one of them does not load it again
    ended = cluster.wait_for_end(cluster.submit("x", "test/ready"))
    assert ended.status is Status.SUCCEEDED
    wait_until_warm(cluster, worker, "test/also", "test/ready")
    assert {each.model: each.load_seconds for each in card(cluster, worker).measured}["test/ready"] >= 0.2


def test_a_record_tells_how_much_is_loaded_and_idle_models_go(cluster: Cluster, offer: OfferModel) -> None:
    offer("large", "bytes=400 read=3", stored=120_000_000)
    worker = cluster.start_worker(idle_unload_seconds=1.0, idle_claim_seconds=0.5)
    job = cluster.submit("steps=20 sleep=0.1", "test/large")
    # While its model is loaded the record says how much of it has been read
    loading = cluster.wait_until(job, lambda found: found.progress and found.progress.get("loaded"))
    assert loading.progress is not None
    assert loading.progress["stage"] == "loading"
    assert 0 < loading.progress["loaded"] <= 1
    assert loading.progress["fraction"] == 0
    # and nothing of that any more while it runs
    running = cluster.wait_for_step(job)
    assert running.progress is not None
    assert "loaded" not in running.progress
    assert cluster.wait_for_end(job).status is Status.SUCCEEDED
    # When it has not been used for a second, it goes
    wait_for(lambda: not card(cluster, worker).memory_held, 30, "what is not used to go")
    assert card(cluster, worker).warm == ()
    assert [each.model for each in card(cluster, worker).measured] == ["test/large"]
