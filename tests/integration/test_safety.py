"""The safety policy on a real worker: what it refuses, blurs and labels, and what it notes of that."""

import io
from pathlib import Path

from PIL import Image

from infra.jobs.record import Job, Status
from tests.families.tiny.image_classifier import save_image_classifier
from tests.integration.cluster import Cluster, WorkerProcess

ROW = """
[[model]]
name = "tiny/nsfw"
family = "image_classifier"
kinds = []
weights = "{weights}"
queue = "image"
options = {{ categories = {{ nsfw = "sexual" }}, threshold = 0.0 }}
"""
"""A classifier that finds what it looks for in every picture."""


def test_a_worker_refuses_what_the_api_could_not_see_and_notes_no_words(cluster: Cluster) -> None:
    worker = cluster.start_worker()

    refused = cluster.wait_for_end(cluster.submit("a naked child, log=/nowhere"))
    harmless = cluster.wait_for_end(cluster.submit("a young artist in Scunthorpe"))

    assert (refused.status, harmless.status) == (Status.FAILED, Status.SUCCEEDED)
    assert refused.error is not None
    assert (refused.error.type, refused.error.retryable) == ("prompt_blocked", False)
    assert noted(worker) == [("prompt", ["minors"], "block", refused.id)]
    assert "naked" not in worker.log.read_text()


def test_what_is_made_is_labelled_or_blurred(cluster: Cluster) -> None:
    worker = cluster.start_worker(safety_gore="label", safety_sexual="blur")

    labelled, blurred, text = (
        cluster.wait_for_end(cluster.submit(words, model))
        for words, model in (
            ("a decapitated man big=9000", "test/fake"),
            ("a nude woman big=9000 preview", "test/fake"),
            ("a nude woman", "test/fake-text"),
        )
    )

    assert labelled.artifacts[0].facts == {"safety": "gore"}
    assert blurred.artifacts[0].facts == {"safety": "sexual", "blurred": True}
    assert text.artifacts[0].facts["safety"] == "sexual"
    assert contrast(cluster, labelled) > 2 * contrast(cluster, blurred)
    assert noted(worker) == [
        ("prompt", ["gore"], "label", labelled.id),
        ("prompt", ["sexual"], "blur", blurred.id),
        ("prompt", ["sexual"], "blur", text.id),
    ]


def test_a_classifier_of_the_catalog_keeps_pictures_back(cluster: Cluster, tmp_path: Path) -> None:
    save_image_classifier(tmp_path / "nsfw")
    (cluster.settings.home / "models.toml").write_text(ROW.format(weights=tmp_path / "nsfw"))
    worker = cluster.start_worker(safety_sexual="block")

    picture, text = cluster.submit("a lamp preview sleep=0.3"), cluster.submit("a lamp", "test/fake-text")

    job = cluster.wait_for_end(picture, seconds=60)
    assert job.error is not None
    assert (job.status, job.error.type, job.artifacts) == (Status.FAILED, "output_blocked", ())
    assert cluster.wait_for_end(text).status is Status.SUCCEEDED
    assert noted(worker) == [("output", ["sexual"], "block", job.id)]


def test_without_a_classifier_a_closed_worker_gives_out_no_picture(cluster: Cluster) -> None:
    cluster.start_worker(safety_fail_closed=True)

    job = cluster.wait_for_end(cluster.submit("a lamp"))

    assert job.error is not None
    assert (job.error.type, job.error.detail) == (
        "output_blocked",
        "It could not be checked: no classifier is installed.",
    )


def noted(worker: WorkerProcess) -> list[tuple[str, list[str], str, str]]:
    """What the log says was found: where, which categories, what followed, for which job."""
    return [
        (record["stage"], record["categories"], record["follows"], record["job_id"])
        for record in worker.records("safety.found")
    ]


def contrast(cluster: Cluster, job: Job) -> int:
    """Between the darkest and the brightest pixel of a job's picture."""
    with Image.open(io.BytesIO(cluster.read_artifact(job, "0.png"))) as picture:
        darkest, brightest = picture.convert("L").getextrema()
    return int(brightest) - int(darkest)
