"""A worker that hangs in a call which cannot be stopped: the job goes on, the process does not."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.jobs.record import Outcome, Status
from tests.integration.cluster import outcomes, running_cluster
from tests.servers import S3_ACCESS, StateServer
from workers.watchdog import HUNG


@pytest.fixture
def silent_s3() -> Iterator[str]:
    """URL of an S3 server that has the bucket, takes whatever is put, and never answers that."""
    over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(200)
            self.end_headers()

        def do_PUT(self) -> None:
            over.wait(60)

        def log_message(self, format: str, *arguments: object) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"s3+http://{S3_ACCESS}:secret@127.0.0.1:{server.server_port}/bucket"
    over.set()
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_put_that_hangs_costs_the_worker_not_the_job(
    tmp_path: Path, state: StateServer, own_broker: StateServer, silent_s3: str
) -> None:
    # Given a storage that never ends a put, and a worker that gives it a second
    hung = {"storage_url": silent_s3, "store_timeout_seconds": 1.0}
    with running_cluster(tmp_path, state, own_broker) as cluster:
        worker = cluster.start_worker(**hung)
        job = cluster.submit("steps=1")
        # When the watchdog's time is over, the worker ends
        assert worker.wait(30) == HUNG
        assert worker.records("worker.hung")[0]["what"] == "store"
        # Then its attempt has failed, no lease had to run out, and another worker does the job
        failed = cluster.job(job.id)
        assert outcomes(failed) == [Outcome.FAILED]
        assert failed.attempts[0].error is not None
        assert failed.attempts[0].error.type == "storage_failed"
        cluster.start_worker()
        job = cluster.wait_for_end(job)
        assert (job.status, outcomes(job)) == (Status.SUCCEEDED, [Outcome.FAILED, Outcome.SUCCEEDED])
