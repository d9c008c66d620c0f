"""Who may ask: keys and owners, and what a server without keys answers to."""

# ruff: noqa: E501 - tables of cases

from collections.abc import Callable
from typing import Any

import httpx
import pytest
import redis

from api.routes import ROUTES
from infra.keys import REMEMBERED_SECONDS, Keys
from tests.integration.api.support import ApiServer, problem, submitted, text_to_image
from tests.servers import StateServer, wait_for

EXAMPLES = {
    "job_id": "job_" + "0" * 24, "name": "0.png", "endpoint_id": "we_" + "0" * 24, "message_id": "msg_" + "0" * 24,
    "owner": "alice",
}  # fmt: skip
NEEDS_KEY = [
    (route.method, route.path.format(**EXAMPLES)) for route in ROUTES if route.auth in ("key", "admin")
]
OPEN = ["/livez", "/readyz", "/openapi.json", "/docs", "/metrics"]


# Keys


@pytest.mark.parametrize(
    "header", [None, "Bearer atl_0123456789abcdef_" + "x" * 43, "Basic YTpi", "Bearer", "nonsense"]
)
def test_once_there_is_a_key_every_call_needs_one(
    client: httpx.Client, key_of: Callable[[str], str], header: str | None
) -> None:
    key_of("alice")
    headers = {"Authorization": header} if header is not None else {}
    for method, path in NEEDS_KEY:
        answer = client.request(method, path, headers=headers)
        problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("Bearer")


def test_no_other_call_is_open() -> None:
    assert set(OPEN) == {route.path for route in ROUTES if route.auth not in ("key", "admin")}


def test_what_is_open_stays_open(client: httpx.Client, key_of: Callable[[str], str]) -> None:
    key_of("alice")
    for path in OPEN:
        assert client.get(path).status_code == 200, path


def test_a_key_works_until_the_process_hears_that_it_is_revoked(api: ApiServer, records: redis.Redis) -> None:
    keys = Keys(records)
    key, text = keys.create("alice")
    keys.create("bob")
    with api.client(text) as client:
        submitted(client)
        keys.revoke(key.id)
        wait_for(lambda: client.get("/v1/jobs").status_code != 200, REMEMBERED_SECONDS + 20, "the refusal")
        problem(client.get("/v1/jobs"), 401, "unauthorized")


def test_a_wrong_key_is_refused_even_where_none_is_needed(client: httpx.Client) -> None:
    problem(client.get("/v1/jobs", headers={"Authorization": "Bearer atl_x"}), 401, "unauthorized")


# Without keys


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "[::1]", "LOCALHOST", "127.0.0.1:9999", "localhost:80"]
)
def test_local_names_are_served(client: httpx.Client, host: str) -> None:
    assert client.get("/v1/jobs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", [
    "evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:8000", "10.0.0.1", "0.0.0.0", "[::]",  # noqa: S104
    "localhost@evil.example", "evil.example#localhost", "",
])  # fmt: skip
def test_a_rebound_name_is_refused(client: httpx.Client, host: str) -> None:
    problem(client.get("/v1/jobs", headers={"Host": host}), 403, "forbidden_origin")
    problem(client.post("/v1/jobs", json=text_to_image(), headers={"Host": host}), 403, "forbidden_origin")
    problem(client.get("/metrics", headers={"Host": host}), 403, "forbidden_origin")


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:1"}, {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"},
])  # fmt: skip
@pytest.mark.parametrize("path", ["/v1/jobs", "/v1/uploads?filename=x.png", "/v1/jobs/cancel"])
def test_no_web_page_can_post(client: httpx.Client, path: str, headers: dict[str, str]) -> None:
    job = submitted(client)
    content = text_to_image() if path == "/v1/jobs" else None
    problem(client.post(path, json=content, headers=headers), 403, "forbidden_origin")
    jobs = client.get("/v1/jobs").json()["data"]
    assert [(found["id"], found["status"]) for found in jobs] == [(job["id"], "queued")]


def test_its_own_page_can(client: httpx.Client, api: ApiServer) -> None:
    headers = {"Origin": api.url, "Sec-Fetch-Site": "same-origin"}
    assert client.post("/v1/jobs", json=text_to_image(), headers=headers).status_code == 202


def test_no_cross_origin_header_is_ever_sent(client: httpx.Client) -> None:
    for path in ("/v1/jobs", "/livez", "/openapi.json"):
        answer = client.get(path, headers={"Origin": "https://evil.example"})
        assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_beyond_loopback_the_bootstrap_key_is_needed(
    start_api: Callable[..., ApiServer], valkey: StateServer, broker: StateServer, tmp_path: Any
) -> None:
    text = "atl_0123456789abcdef_" + "k" * 43
    file = tmp_path / "key"
    file.write_text(text + "\n")
    server = start_api(redis_url=valkey.url, broker_url=broker.url, host="0.0.0.0", bootstrap_key_file=file)  # noqa: S104
    with server.client() as nobody, server.client(text) as admin:
        problem(nobody.get("/v1/jobs"), 401, "unauthorized")
        assert admin.get("/v1/jobs", headers={"Host": "atelier.example"}).status_code == 200


def test_the_scraper_key(
    start_api: Callable[..., ApiServer], valkey: StateServer, broker: StateServer
) -> None:
    server = start_api(redis_url=valkey.url, broker_url=broker.url, scraper_key="scrape-me")
    with server.client() as client:
        scraped = client.get(
            "/metrics", headers={"Authorization": "Bearer scrape-me", "Host": "atelier.example"}
        )
        assert scraped.status_code == 200
        problem(
            client.get("/metrics", headers={"Authorization": "Bearer no", "Host": "x.example"}),
            403,
            "forbidden_origin",
        )


def test_no_prompt_and_no_key_reach_the_log(api: ApiServer, key_of: Callable[[str], str]) -> None:
    key = key_of("alice")
    with api.client(key) as client:
        job = submitted(client, text_to_image("a very private wish"))
        client.get(f"{job['urls']['self']}?private=query")
    assert "private wish" not in api.log
    assert "private=query" not in api.log
    assert key not in api.log
