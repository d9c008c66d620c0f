"""Disks that are full: a worker's, the state server's, the S3 server's. Each is a small one in memory."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from infra.jobs.record import Outcome, Status
from tests.chaos.matrix import Seen, fault
from tests.integration.api.support import ApiServer, problem, text_to_image
from tests.integration.cluster import Cluster, now_ms, outcomes
from tests.servers import S3Server, StateServer, missing, start_rclone, valkey_program, wait_for

LARGE = "big=3000000 steps=1"  # a picture that is larger than the disks below


class SmallDisk:
    """A folder on a disk of 2 MiB."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
        if subprocess.run(command, capture_output=True, check=False).returncode:
            missing("the right to mount a file system")
        self._filler = folder / "filler"

    def fill(self) -> None:
        """Leave no room."""
        with self._filler.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(4096))
            except OSError:
                return

    def free(self) -> None:
        """Make room again."""
        self._filler.unlink()

    def unmount(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.folder)], check=True)


@pytest.fixture
def small_disk() -> Iterator[Callable[[Path], SmallDisk]]:
    """Makes small disks, at a folder each."""
    with ExitStack() as stack:

        def make(folder: Path) -> SmallDisk:
            disk = SmallDisk(folder)
            stack.callback(disk.unmount)
            return disk

        yield make


@fault(
    21, "The worker's disk is too full for a job's files", "the job fails with a reason, the worker goes on"
)
def test_the_workers_disk_is_full(
    small_disk: Callable[[Path], SmallDisk],
    s3_rclone: S3Server,
    make_cluster: Callable[..., Cluster],
    state: StateServer,
    seen: Seen,
) -> None:
    # Given
    cluster = make_cluster(state, storage_url=s3_rclone.url())
    small_disk(cluster.settings.home / "work")
    cluster.start_worker()
    # When
    job = cluster.wait_for_end(cluster.submit(LARGE, max_attempts=2), seconds=40)
    # Then
    assert (job.status, outcomes(job)) == (Status.FAILED, [Outcome.FAILED] * 2)
    assert job.error is not None
    assert job.error.type == "engine_error_transient"
    assert not cluster.stored(job)
    assert cluster.wait_for_end(cluster.submit("steps=1")).status is Status.SUCCEEDED
    seen(f"`{job.error.type}` after 2 attempts, nothing stored; the next job succeeded")


@fault(
    21,
    "The state server's disk is full",
    "it ends rather than acknowledge; the API answers 503; nothing that was accepted is lost",
)
def test_the_state_servers_disk_is_full(
    small_disk: Callable[[Path], SmallDisk],
    tmp_path: Path,
    make_cluster: Callable[..., Cluster],
    start_api: Callable[..., ApiServer],
    seen: Seen,
) -> None:
    # Given a running job
    server = StateServer(valkey_program())
    disk = small_disk(tmp_path / "disk")
    (server.folder / "data").symlink_to(disk.folder)
    server.start()
    try:
        cluster = make_cluster(server)
        places = cluster.settings.model_dump(include={"redis_url", "broker_url", "catalog", "home"})
        url = start_api(**places).url
        cluster.start_worker()
        running = cluster.wait_for_status(cluster.submit("steps=10 sleep=0.1"), Status.RUNNING)
        accepted = [running.id]
        # When the disk is full, and jobs come until it has no room for one
        disk.fill()
        while (answer := httpx.post(f"{url}/v1/jobs", json=text_to_image())).status_code == 202:
            accepted.append(answer.json()["id"])
        refused = problem(answer, 503, "state_unavailable")
        # Then, once there is room and the server has been started again, all go on to their ends
        disk.free()
        server.join()
        server.start()
        freed_at = now_ms()
        ended = [cluster.wait_for_end(cluster.job(job_id), seconds=40) for job_id in accepted]
        assert {job.status for job in ended} == {Status.SUCCEEDED}
        assert {job.id for job in cluster.queue.list("local", limit=100).jobs} == set(accepted)
        wait_for(lambda: httpx.get(f"{url}/readyz").status_code == 200)
        seen(
            f"503 `{refused['type']}`; all {len(accepted)} accepted jobs succeeded",
            (now_ms() - freed_at) / 1000,
        )
    finally:
        server.stop()


@fault(21, "The S3 server's disk is full", "the write is repeated, then the job fails; with room it goes on")
@pytest.mark.slow
def test_the_s3_servers_disk_is_full(
    small_disk: Callable[[Path], SmallDisk],
    tmp_path: Path,
    make_cluster: Callable[..., Cluster],
    state: StateServer,
    seen: Seen,
) -> None:
    # Given
    disk = small_disk(tmp_path / "s3")
    s3 = start_rclone(disk.folder)
    try:
        cluster = make_cluster(state, storage_url=s3.url(), store_timeout_seconds=2.0)
        cluster.start_worker()
        assert cluster.wait_for_end(cluster.submit("steps=1")).status is Status.SUCCEEDED
        # When
        disk.fill()
        job = cluster.wait_for_end(cluster.submit("steps=1", max_attempts=2), seconds=60)
        # Then
        assert (job.status, outcomes(job)) == (Status.FAILED, [Outcome.FAILED] * 2)
        assert job.error is not None
        assert job.error.type == "storage_failed"
        disk.free()
        freed_at = now_ms()
        after = cluster.wait_for_end(cluster.submit("steps=1"), seconds=30)
        assert after.status is Status.SUCCEEDED
        assert after.finished_at is not None
        seen(f"`{job.error.type}` after 2 attempts", (after.finished_at - freed_at) / 1000)
    finally:
        s3.stop()
