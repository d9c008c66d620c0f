"""What the deployment tells of itself: models, kinds, queues, workers, health, metrics, headers."""

import re
from typing import Any

import httpx
import pytest

from pipelines.kinds import KINDS
from tests.integration.api.support import ApiServer, Hand, problem, submitted
from tests.servers import wait_for


def data(client: httpx.Client, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert body["object"] == "list"
    return body["data"]


def test_models(client: httpx.Client, hand: Hand) -> None:
    hand.queue.claim(hand.card, "a" * 32)
    models = {model["id"]: model for model in data(client, "/v1/models")}
    fake = models["test/fake"]
    assert fake["object"] == "model"
    assert fake["owned_by"] == "test"
    assert fake["kinds"] == ["text-to-image", "image-to-image", "inpaint", "upscale"]
    assert (fake["warm"], fake["workers"]) == (1, 1)
    assert models["test/fake-far"]["workers"] == 0
    assert fake["inputs"]["text-to-image"]["properties"]["width"]["default"] == 64
    assert "weights" not in fake, "paths of this machine are nobody's business"


def test_a_model_that_is_added_is_listed_without_a_restart(client: httpx.Client, api: ApiServer) -> None:
    row = '[[model]]\nname = "test/new"\nfamily = "fake"\nkinds = ["text"]\nweights = "added"\nqueue = "new"'
    lora = '[[lora]]\nname = "ink"\nmodels = ["test/new"]\nweights = "ink.safetensors"'
    file = api.settings.home / "models.toml"

    file.write_text(f"{row}\n\n{lora}")
    try:
        wait_for(lambda: any(model["id"] == "test/new" for model in data(client, "/v1/models")))
        (added,) = (model for model in data(client, "/v1/models") if model["id"] == "test/new")
        assert added["loras"] == [{"name": "ink", "title": "ink", "licence": "unknown"}]
        assert added["licence_class"] == "unknown"
        submitted(client, {"kind": "text", "model": "test/new", "inputs": {"prompt": "a"}})
    finally:
        file.unlink()
    wait_for(lambda: all(model["id"] != "test/new" for model in data(client, "/v1/models")))


def test_kinds(client: httpx.Client) -> None:
    kinds = {kind["id"]: kind for kind in data(client, "/v1/kinds")}
    assert list(kinds) == list(KINDS)
    assert (kinds["inpaint"]["makes"], kinds["inpaint"]["files"]) == (
        "image",
        {"image": "image", "mask": "image"},
    )
    schema = kinds["text-to-image"]["inputs"]
    assert schema["properties"]["steps"]["minimum"] == 1
    assert "prompt" in schema["required"]
    assert "test/fake" in kinds["text-to-image"]["models"]


def test_queues_and_workers(client: httpx.Client, hand: Hand) -> None:
    submitted(client)
    submitted(client)
    hand.claim()
    queue = next(queue for queue in data(client, "/v1/queues") if queue["name"] == "image")
    assert (queue["ready"], queue["running"], queue["workers"], queue["idle_workers"]) == (1, 1, 1, 0)
    (worker,) = data(client, "/v1/workers")
    assert worker["id"] == "hand"
    assert worker["warm"] == ["test/fake"]
    assert worker["memory"] == {
        "budget_bytes": 1000,
        "held_bytes": 400,
        "models": [
            {"model": "test/fake", "warm": True, "bytes": 400, "load_seconds": 0.5},
            {"model": "test/fake-other", "warm": False, "bytes": 700, "load_seconds": 1.5},
        ],
    }
    assert worker["idle"] is False
    assert {"host", "pid"}.isdisjoint(worker)


def test_health(client: httpx.Client) -> None:
    assert client.get("/livez").json() == {"status": "alive"}
    ready = client.get("/readyz")
    assert ready.json() == {
        "status": "ready",
        "checks": {"state": "ok", "storage": "ok", "broker": "ok"},
        "durability": "always",
    }


def test_metrics(client: httpx.Client, hand: Hand) -> None:
    submitted(client)
    text = client.get("/metrics").text
    assert re.search(r'atelier_api_requests_total\{method="POST",route="/v1/jobs",status="202"\} \d', text)
    assert 'atelier_queue_jobs{queue="image",state="ready"} 1.0' in text
    assert not re.search(r"job_[0-9a-f]{24}", text), "ids are no labels"


@pytest.mark.parametrize(
    "path", ["/v1/jobs", "/livez", "/docs", "/openapi.json", "/nothing", "/v1/jobs/job_1"]
)
def test_security_headers(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"


def test_request_ids(client: httpx.Client) -> None:
    assert client.get("/livez", headers={"X-Request-Id": "mine-1"}).headers["x-request-id"] == "mine-1"
    ours = client.get("/livez", headers={"X-Request-Id": "with space"}).headers["x-request-id"]
    assert ours.startswith("req_")


def test_the_page_needs_no_script_and_no_other_host(client: httpx.Client) -> None:
    answer = client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = answer.text
    assert "<script" not in page
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", page)
    assert " style=" not in page
    assert "unsafe-inline" not in answer.headers["content-security-policy"]
    assert "/v1/jobs/{job_id}/events" in page


@pytest.mark.parametrize(
    "path", ["/v1/models", "/v1/kinds", "/v1/queues", "/v1/workers", "/openapi.json", "/docs"]
)
def test_no_parameters(client: httpx.Client, path: str) -> None:
    problem(client.get(path, params={"x": 1}), 422, "invalid_request")
