"""A storage that is there and says no: nothing is lost or failed, and nobody works in vain."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

import boto3
import httpx
import pytest

from infra.jobs.record import Outcome, Status
from tests import servers
from tests.chaos.matrix import Seen, fault
from tests.integration.cluster import Cluster, WorkerProcess, outcomes
from tests.servers import S3Server, StateServer, wait_for

RETRY_SECONDS = 0.5
POLICY = """{"Version": "2012-10-17", "Statement": [
    {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
    {"Effect": "Deny", "Action": "s3:CreateBucket", "Resource": "*"}
]}"""


@dataclass
class Refusal:
    """A storage, and the ways to have it refuse and to mend it."""

    url: str
    begin: Callable[[], object]
    end: Callable[[], object]


@pytest.fixture
def strict_s3(tmp_path: Path) -> Iterator[S3Server]:
    """A server that asks for rights once it is told to; others would be locked out of a shared one."""
    folder = tmp_path / "moto"
    folder.mkdir()
    server = servers.start_moto(folder)
    yield server
    server.stop()


def guard(server: S3Server, on: bool) -> None:
    """Whether the server asks for rights from now on."""
    httpx.post(
        f"http://127.0.0.1:{server.port}/moto-api/reset-auth", content=b"0" if on else b"inf", trust_env=False
    ).raise_for_status()


def no_rights(server: S3Server) -> Refusal:
    """The credentials mean nothing to the server any more."""
    return Refusal(server.url(), lambda: guard(server, True), lambda: guard(server, False))


def no_bucket(server: S3Server) -> Refusal:
    """The bucket is deleted, and the credentials may do everything but make one."""
    own = {"endpoint_url": f"http://127.0.0.1:{server.port}", "region_name": "us-east-1"}
    root = {"aws_access_key_id": "root", "aws_secret_access_key": "root"}
    iam, s3 = boto3.client("iam", **own, **root), boto3.client("s3", **own, **root)
    iam.create_user(UserName="worker")
    iam.put_user_policy(UserName="worker", PolicyName="all-but-buckets", PolicyDocument=POLICY)
    key = iam.create_access_key(UserName="worker")["AccessKey"]
    s3.create_bucket(Bucket="made-by-hand")
    guard(server, True)

    def unguarded(act: Callable[[], object]) -> None:
        guard(server, False)
        act()
        guard(server, True)

    def delete() -> None:
        for each in s3.list_objects_v2(Bucket="made-by-hand").get("Contents", []):
            s3.delete_object(Bucket="made-by-hand", Key=each["Key"])
        s3.delete_bucket(Bucket="made-by-hand")

    secret = key["SecretAccessKey"].replace("/", "%2F").replace("+", "%2B")
    return Refusal(
        f"s3+http://{key['AccessKeyId']}:{secret}@127.0.0.1:{server.port}/made-by-hand",
        lambda: unguarded(delete),
        lambda: unguarded(lambda: s3.create_bucket(Bucket="made-by-hand")),
    )


def no_folder(folder: Path) -> Refusal:
    """The folder is not there, as when a disk is not mounted."""
    away = folder.with_name("away")
    return Refusal(folder.as_uri(), lambda: folder.rename(away), lambda: away.rename(folder))


@pytest.fixture(params=["no rights", "no bucket", "no folder"])
def refusal(request: pytest.FixtureRequest, tmp_path: Path) -> Refusal:
    if request.param == "no folder":
        return no_folder(tmp_path / "artifacts")
    server: S3Server = request.getfixturevalue("strict_s3")
    return no_rights(server) if request.param == "no rights" else no_bucket(server)


def trouble_of(cluster: Cluster, worker: WorkerProcess) -> str:
    info = cluster.info(worker)
    return info.trouble if info else ""


@fault(
    20,
    "The storage refuses for good: the bucket is gone, the credentials have no rights, the folder is not"
    " mounted",
    "the job is given back at once and uncounted; the worker says why and takes none until that is mended",
)
def test_a_storage_that_refuses_stops_the_worker_and_fails_no_job(
    refusal: Refusal, make_cluster: Callable[..., Cluster], state: StateServer, seen: Seen
) -> None:
    cluster = make_cluster(state, storage_url=refusal.url, storage_retry_seconds=RETRY_SECONDS)
    worker = cluster.start_worker()
    assert cluster.wait_for_end(cluster.submit("steps=1")).status is Status.SUCCEEDED

    # When the storage refuses
    refusal.begin()
    began = monotonic()
    job = cluster.submit("steps=1", max_attempts=1)
    # Then the worker gives the job back at once, and says what is wrong
    given_back = cluster.wait_until(job, lambda found: found.attempts and found.status is Status.QUEUED)
    seconds = monotonic() - began
    wait_for(lambda: trouble_of(cluster, worker), 10, "word of the trouble")
    error = given_back.attempts[0].error
    assert (outcomes(given_back), error and error.type) == ([Outcome.RELEASED], "storage_refused")
    assert (given_back.fails, given_back.crashes, given_back.losses) == (0, 0, 0)
    assert "refuses" in trouble_of(cluster, worker)
    # and takes no other, however often it looks
    wait_for(lambda: len(worker.records("worker.still_obstructed")) >= 2, 20, "two looks at the storage")
    assert len(cluster.job(job.id).attempts) == 1

    # When it is mended, then all goes on by itself
    refusal.end()
    began = monotonic()
    done = cluster.wait_for_end(job)
    assert (done.status, outcomes(done)) == (Status.SUCCEEDED, [Outcome.RELEASED, Outcome.SUCCEEDED])
    wait_for(lambda: not trouble_of(cluster, worker), 10, "the end of the trouble")
    assert not list(cluster.storage.list("probes/"))
    seen(
        f"given back after {seconds:.1f} s; nothing claimed meanwhile; succeeded after the repair",
        recovery_seconds=monotonic() - began,
    )
