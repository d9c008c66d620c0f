"""Uploads: checked, stored, counted, referred to, kept and removed."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

import httpx
import pytest
import redis
from PIL import Image

from infra.collector import collect
from infra.jobs.queue import JobQueue
from infra.storage import open_storage
from infra.storage.keys import upload_key
from infra.uploads import Uploads
from tests.integration.api.support import ApiServer, Hand, png, problem, submitted
from tests.servers import StateServer

JPEG = {"Content-Type": "image/jpeg"}


def upload(client: httpx.Client, data: bytes | None = None, filename: str = "a.png") -> Any:
    answer = client.post(
        "/v1/uploads", params={"filename": filename}, content=data if data is not None else png()
    )
    assert answer.status_code == 201, answer.text
    return answer.json()


def using(upload_id: str) -> Any:
    return {
        "kind": "image-to-image",
        "model": "test/fake",
        "inputs": {"prompt": "x", "image": {"upload": upload_id}},
    }


def jpeg() -> bytes:
    buffer = BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010E] = "a secret"
    Image.new("RGB", (20, 10), "red").save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def test_an_image_is_stored_as_clean_png(client: httpx.Client, api: ApiServer) -> None:
    body = upload(client, jpeg(), "Ferien ☀ in Köln.jpg")
    assert body["filename"] == "Ferien ☀ in Köln.jpg"
    assert (body["media_type"], body["width"], body["height"]) == ("image/png", 10, 20)
    assert body["expires_at"] > body["created_at"]
    stored = open_storage(api.settings).read(upload_key("local", body["id"]))
    assert stored.startswith(b"\x89PNG")
    assert b"a secret" not in stored
    assert len(stored) == body["bytes"]


def test_a_job_may_use_it(client: httpx.Client) -> None:
    body = upload(client)
    job = submitted(client, using(body["id"]))
    assert job["inputs"]["image"] == {"upload": body["id"]}


@pytest.mark.parametrize(("data", "status", "slug"), [
    (b"", 415, "unsupported_media_type"),
    (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "unsupported_media_type"),
    (b"GIF89a" + b"\0" * 30, 415, "unsupported_media_type"),
    (b"#EXTM3U\nfile:///etc/passwd", 415, "unsupported_media_type"),
    (png()[:40], 422, "bad_media"),
    (b"\x89PNG\r\n\x1a\n" + b"\0" * 100, 422, "bad_media"),
])  # fmt: skip
def test_a_bad_file(client: httpx.Client, records: redis.Redis, data: bytes, status: int, slug: str) -> None:
    problem(client.post("/v1/uploads?filename=x.png", content=data), status, slug)
    assert not records.exists("atl:{g0}:uploads:due")


@pytest.mark.parametrize("name", ["", "a/b", "a\\b", "..", "a\r\nb", "a\0b", "x" * 300, "a\u2028b", "\x7f"])
def test_a_bad_name(client: httpx.Client, name: str) -> None:
    body = problem(
        client.post("/v1/uploads", params={"filename": name}, content=png()), 422, "invalid_request"
    )
    assert body["errors"][0]["pointer"] == "/query/filename"


def test_a_form_is_refused(client: httpx.Client) -> None:
    problem(client.post("/v1/uploads", files={"file": png()}), 415, "unsupported_media_type")
    problem(
        client.post("/v1/uploads", content=png(), headers={"Content-Encoding": "gzip"}),
        415,
        "unsupported_media_type",
    )


def test_too_large(start_api: Callable[..., ApiServer], valkey: StateServer, broker: StateServer) -> None:
    server = start_api(redis_url=valkey.url, broker_url=broker.url, max_upload_bytes=2048)
    with server.client() as client:
        problem(client.post("/v1/uploads", content=b"\0" * 3000), 413, "too_large")
        problem(client.post("/v1/uploads", content=iter([b"\0" * 1500] * 3)), 413, "too_large")


def test_an_owner_s_uploads_are_counted(
    start_api: Callable[..., ApiServer], valkey: StateServer, broker: StateServer, records: redis.Redis
) -> None:
    server = start_api(redis_url=valkey.url, broker_url=broker.url, max_stored_upload_bytes_per_owner=1024)
    noise = BytesIO()
    Image.effect_noise((24, 24), 90).save(noise, "PNG")
    with server.client() as client:
        first = upload(client, noise.getvalue())
        answer = client.post("/v1/uploads", content=noise.getvalue())
        problem(answer, 429, "owner_limit")
        assert "retry-after" in answer.headers
        uploads = Uploads(records, expires_seconds=1, owner_bytes=1024)
        uploads.forget(uploads.get(first["id"], "local"))
        upload(client, noise.getvalue())


def test_a_full_home(start_api: Callable[..., ApiServer], valkey: StateServer, broker: StateServer) -> None:
    server = start_api(redis_url=valkey.url, broker_url=broker.url, home_max_bytes=50)
    with server.client() as client:
        problem(client.post("/v1/uploads", content=png()), 507, "storage_full")


def test_an_upload_lives_while_a_job_needs_it(
    start_api: Callable[..., ApiServer],
    valkey: StateServer,
    broker: StateServer,
    records: redis.Redis,
    queue: JobQueue,
) -> None:
    server = start_api(redis_url=valkey.url, broker_url=broker.url, upload_expires_seconds=60)
    storage = open_storage(server.settings)
    uploads = Uploads(records, expires_seconds=60, owner_bytes=10**9)
    with server.client() as client:
        loose, used = upload(client), upload(client)
        job = submitted(client, using(used["id"]))
        records.zadd("atl:{g0}:uploads:due", {loose["id"]: 1, used["id"]: 1}, xx=True)  # it has passed

        collect(queue, uploads, storage)
        assert list(storage.list("local/uploads/")) == [upload_key("local", used["id"])]
        problem(client.post("/v1/jobs", json=using(loose["id"])), 422, "invalid_inputs")

        client.delete(job["urls"]["self"])
        records.zadd("atl:{g0}:uploads:due", {used["id"]: 1}, xx=True)
        collect(queue, uploads, storage)
        assert list(storage.list("local/uploads/")) == []
        assert records.hget("atl:{g0}:uploads:bytes", "local") == "0"


def test_a_retry_needs_its_upload(client: httpx.Client, hand: Hand, records: redis.Redis) -> None:
    body = upload(client)
    job = submitted(client, using(body["id"]))
    hand.fail()
    assert client.post(f"{job['urls']['self']}/retry").status_code == 202
    uploads = Uploads(records, expires_seconds=1, owner_bytes=10**9)
    uploads.forget(uploads.get(body["id"], "local"))
    found = problem(client.post(f"{job['urls']['self']}/retry"), 422, "invalid_inputs")
    assert found["errors"][0]["pointer"] == "/inputs/image/upload"
