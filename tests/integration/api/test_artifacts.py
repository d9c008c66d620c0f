"""Artifacts: whole, by range, unchanged, or by way of a signed URL."""

# ruff: noqa: E501 - tables of cases

from collections.abc import Callable
from hashlib import sha256

import httpx
import pytest

from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.storage import open_storage
from tests.integration.api.support import ApiServer, Hand, png, problem, submitted
from tests.servers import S3Server, StateServer


@pytest.fixture
def picture() -> bytes:
    return png((64, 64))


@pytest.fixture
def url(client: httpx.Client, hand: Hand, picture: bytes) -> str:
    """Path of a stored picture."""
    job = submitted(client)
    hand.finish({"0.png": picture})
    return f"{job['urls']['self']}/artifacts/0.png"


def test_the_whole(client: httpx.Client, url: str, picture: bytes) -> None:
    answer = client.get(url)
    assert answer.status_code == 200
    assert answer.content == picture
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(picture))
    assert answer.headers["etag"] == f'"{sha256(picture).hexdigest()}"'
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-disposition"].startswith('inline; filename="job_')
    assert answer.headers["cache-control"].startswith("private")


def test_text_is_never_shown_as_a_page(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client, {"kind": "text", "model": "test/fake-text", "inputs": {"prompt": "x"}})
    hand.finish({"0.txt": "<script>é".encode()})
    answer = client.get(f"{job['urls']['self']}/artifacts/0.txt")
    assert answer.text == "<script>é"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("name", "shown", "policy"),
    [
        ("0.mp4", "inline", "default-src 'none'; media-src 'self'; frame-ancestors 'none'"),
        ("0.flac", "inline", "default-src 'none'; media-src 'self'; frame-ancestors 'none'"),
        ("0.png", "inline", "default-src 'none'; frame-ancestors 'none'; sandbox"),
        ("0.frames.zip", "attachment", "default-src 'none'; frame-ancestors 'none'; sandbox"),
    ],
)
def test_what_a_browser_may_do_with_it(
    client: httpx.Client, hand: Hand, name: str, shown: str, policy: str
) -> None:
    job = submitted(client)
    hand.finish({name: b"x"})
    answer = client.get(f"{job['urls']['self']}/artifacts/{name}")
    assert answer.headers["content-disposition"].startswith(f'{shown}; filename="job_')
    assert answer.headers["content-security-policy"] == policy
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_its_head(client: httpx.Client, url: str, picture: bytes) -> None:
    for headers in ({}, {"Range": "bytes=0-0"}):  # which counts for GET alone
        answer = client.head(url, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["content-length"] == str(len(picture))


def test_a_text_says_that_it_is_utf_8(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client)
    hand.finish({"0.txt": "é".encode()})
    answer = client.get(f"{job['urls']['self']}/artifacts/0.txt")
    assert (answer.headers["content-type"], answer.text) == ("text/plain; charset=utf-8", "é")


@pytest.mark.parametrize(("header", "start", "stop"), [
    ("bytes=0-9", 0, 10), ("bytes=10-", 10, None), ("bytes=-5", -5, None), ("bytes=3-3", 3, 4), ("bytes=5-999999", 5, None),
])  # fmt: skip
def test_a_range(  # noqa: PLR0917 - fixtures and cases
    client: httpx.Client, url: str, picture: bytes, header: str, start: int, stop: int | None
) -> None:
    answer = client.get(url, headers={"Range": header})
    assert answer.status_code == 206
    assert answer.content == picture[start:stop]
    assert answer.headers["content-length"] == str(len(answer.content))
    first = start % len(picture)
    assert (
        answer.headers["content-range"] == f"bytes {first}-{first + len(answer.content) - 1}/{len(picture)}"
    )


def test_a_range_outside(client: httpx.Client, url: str, picture: bytes) -> None:
    answer = client.get(url, headers={"Range": f"bytes={len(picture)}-"})
    problem(answer, 416, "range_not_satisfiable")
    assert answer.headers["content-range"] == f"bytes */{len(picture)}"


def test_a_range_of_what_it_was(client: httpx.Client, url: str, picture: bytes) -> None:
    etag = client.head(url).headers["etag"]
    assert client.get(url, headers={"Range": "bytes=0-3", "If-Range": etag}).status_code == 206
    assert client.get(url, headers={"Range": "bytes=0-3", "If-Range": '"other"'}).content == picture


def test_unchanged(client: httpx.Client, url: str) -> None:
    answer = client.get(url, headers={"If-None-Match": client.head(url).headers["etag"]})
    assert (answer.status_code, answer.content) == (304, b"")


@pytest.mark.parametrize(
    "name", ["1.png", "manifest.json", "..%2fmanifest.json", "%2e%2e", "0.png%00", "x" * 500, "0.PNG"]
)
def test_no_such_artifact(client: httpx.Client, url: str, name: str) -> None:
    answer = client.get(url.removesuffix("0.png") + name)
    problem(answer, 404, "not_found" if "%2f" in name else "artifact_not_found")


def test_none_before_the_end(client: httpx.Client) -> None:
    job = submitted(client)
    problem(client.get(f"{job['urls']['self']}/artifacts/0.png"), 404, "artifact_not_found")


def test_an_object_that_was_lost(client: httpx.Client, hand: Hand, url: str) -> None:
    hand.storage.delete_prefix("local/")
    problem(client.get(url), 404, "artifact_not_found")


def test_by_way_of_a_signed_url(
    start_api: Callable[..., ApiServer],
    valkey: StateServer,
    broker: StateServer,
    s3_rclone: S3Server,
    picture: bytes,
) -> None:
    storage_url = s3_rclone.url()
    public = f"http://127.0.0.1:{s3_rclone.port}"
    proxying = start_api(redis_url=valkey.url, broker_url=broker.url, storage_url=storage_url)
    signing = start_api(
        redis_url=valkey.url, broker_url=broker.url, storage_url=storage_url, storage_public_url=public
    )
    hand = Hand(JobQueue(valkey.client(), limits=Limits()), open_storage(proxying.settings))
    with proxying.client() as client:
        url = f"{submitted(client)['urls']['self']}/artifacts/0.png"
        hand.finish({"0.png": picture})
        assert client.get(url).content == picture
        assert client.get(url, headers={"Range": "bytes=1-4"}).content == picture[1:5]
    with signing.client() as client:
        answer = client.get(url)
        assert answer.status_code == 302
        assert answer.headers["location"].startswith(public)
        assert client.head(url).status_code == 200, "only GET is signed"
        assert client.get(url, follow_redirects=True).content == picture
