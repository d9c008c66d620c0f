"""What a fuzzed server holds from the start, so that requests have something to name."""

import json
from pathlib import Path

import httpx

from tests.fuzz.stack import Stack
from tests.integration.api.support import png, text_to_image
from tests.media_samples import score, video
from tests.servers import wait_for

TALE = {"kind": "text", "model": "test/fake-text", "inputs": {"prompt": "a tale"}}
FILES = {"video": video("libvpx-vp9", "webm"), "audio": score()}


def write_anchors(stack: Stack, file: Path) -> None:
    """Make one thing of each sort, and write their ids for `Known.load`."""
    with stack.api.client(stack.key) as client:
        endpoint = _made(client.post("/v1/webhook-endpoints", json={"url": "https://receiver.invalid/hook"}))
        upload = _made(client.post("/v1/uploads", content=png()))
        job = _made(client.post("/v1/jobs", json={**text_to_image(), "webhook": endpoint}))
        path = f"/v1/jobs/{job}"
        wait_for(lambda: client.get(path).json()["status"] == "succeeded", 60, "the anchor job's end")
        wait_for(lambda: client.get(f"{path}/deliveries").json()["data"], 10, "its message")
        message = client.get(f"{path}/deliveries").json()["data"][0]["id"]
        artifact = client.get(path).json()["artifacts"][0]["name"]
        worker = client.get("/v1/workers").json()["data"][0]["id"]
        tale = _made(client.post("/v1/jobs", json=TALE))
        told = f"/v1/jobs/{tale}"
        wait_for(lambda: client.get(told).json()["status"] == "succeeded", 60, "the anchor tale's end")
        files = {media: _made(client.post("/v1/uploads", content=data)) for media, data in FILES.items()}
    made = {"job": job, "artifact": artifact, "upload": upload, "endpoint": endpoint, "message": message}
    file.write_text(json.dumps({**made, **files, "worker": worker, "tale": tale}))


def _made(answer: httpx.Response) -> str:
    assert answer.is_success, answer.text
    made: str = answer.json()["id"]
    return made
