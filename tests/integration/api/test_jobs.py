"""The calls about jobs, as a client sees them."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from infra.jobs.answers import Beat
from infra.jobs.queue import JobQueue
from tests.chaos.matrix import Seen, fault
from tests.integration.api.support import ApiServer, Hand, problem, submitted, text_to_image


def test_the_record_says_whether_the_seed_was_chosen(client: httpx.Client, queue: JobQueue) -> None:
    chosen = client.post("/v1/jobs", json=text_to_image()).json()
    given = client.post("/v1/jobs", json=text_to_image(seed=7)).json()

    assert queue.get(chosen["id"]).seed_chosen
    assert not queue.get(given["id"]).seed_chosen


def test_a_job_is_accepted_with_its_effective_inputs(client: httpx.Client) -> None:
    before = datetime.now(UTC).timestamp()

    answer = client.post(
        "/v1/jobs", json=text_to_image("a tree", n=2) | {"metadata": {"for": "me", "try": 3}}
    )

    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert answer.headers["etag"] == f'"{job["version"]}"'
    assert job["status"] == "queued"
    assert (job["kind"], job["model"], job["priority"]) == ("text-to-image", "test/fake", "normal")
    assert (
        job["inputs"] | {"prompt": "a tree", "n": 2, "width": 64, "height": 64, "steps": 3} == job["inputs"]
    )
    assert 0 <= job["inputs"]["seed"] < 2**32
    assert job["metadata"] == {"for": "me", "try": 3}
    assert job["queue"] == {"paused": False, "front": False}
    assert client.get(job["urls"]["self"]).json()["queue"]["position"] == 1
    assert job["attempts"] == job["artifacts"] == []
    assert "error" not in job
    assert "started_at" not in job
    created = datetime.fromisoformat(job["created_at"])
    assert job["created_at"].endswith("Z")
    assert before - 5 < created.timestamp() < before + 60
    assert job["urls"] == {
        "self": f"/v1/jobs/{job['id']}",
        "cancel": f"/v1/jobs/{job['id']}/cancel",
        "events": f"/v1/jobs/{job['id']}/events",
    }


def test_a_job_is_shown_through_its_life(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client)
    path = job["urls"]["self"]
    shown = client.get(path).json()
    assert shown["queue"].pop("position") == 1
    assert shown == job

    claimed = hand.claim()
    hand.queue.beat(
        [(claimed.id, claimed.attempt_id or "")],
        hand.card,
        {claimed.attempt_id or "": {"fraction": 0.5, "step": 2, "steps": 4, "stage": "run"}},
    )
    running = client.get(path).json()
    assert running["status"] == "running"
    assert running["progress"] == {"fraction": 0.5, "step": 2, "steps": 4, "stage": "run"}
    assert "queue" not in running
    assert running["attempts"][0]["number"] == 1
    assert "outcome" not in running["attempts"][0]

    hand.commit(claimed)
    done = client.get(path).json()
    assert done["status"] == "succeeded"
    assert done["attempts"][0]["outcome"] == "succeeded"
    assert done["artifacts"][0]["url"] == f"{path}/artifacts/0.png"
    assert done["finished_at"] >= done["started_at"] >= done["created_at"]
    assert done["expires_at"] > done["finished_at"]
    assert done["version"] > running["version"] > job["version"]


def test_a_failed_job_says_why(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client)
    hand.fail()
    failed = client.get(job["urls"]["self"]).json()
    assert failed["status"] == "failed"
    assert failed["error"] == {
        "type": "engine_error",
        "title": "It failed.",
        "detail": "on purpose",
        "retryable": False,
    }


def test_not_modified_while_the_version_stays(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client)
    same = client.get(job["urls"]["self"], headers={"If-None-Match": f'"{job["version"]}"'})
    assert same.status_code == 304
    assert same.content == b""
    hand.claim()
    changed = client.get(job["urls"]["self"], headers={"If-None-Match": f'"{job["version"]}"'})
    assert changed.status_code == 200


def test_a_job_that_is_not_there(client: httpx.Client) -> None:
    for job_id in ("job_" + "0" * 24, "job_1", "job_%00", "job_%0a", "%22"):
        problem(client.get(f"/v1/jobs/{job_id}"), 404, "job_not_found")
    for no_id in ("..%2f..", "x" * 3000):
        problem(client.get(f"/v1/jobs/{no_id}"), 404, "not_found")


# Waiting


def test_waiting_ends_with_the_job(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client)
    timer = threading.Timer(0.3, hand.finish)
    timer.start()
    begun = time.monotonic()
    answer = client.get(job["urls"]["self"], headers={"Prefer": "wait=20"})
    assert answer.json()["status"] == "succeeded"
    assert time.monotonic() - begun < 5
    timer.join()


def test_waiting_ends_with_the_time(client: httpx.Client) -> None:
    job = submitted(client)
    begun = time.monotonic()
    answer = client.get(job["urls"]["self"], headers={"Prefer": "respond-async, wait=1"})
    assert answer.json()["status"] == "queued"
    assert 0.9 < time.monotonic() - begun < 5


def test_a_list_is_waited_for_once(client: httpx.Client) -> None:
    chain = [text_to_image() | {"ref": ref} for ref in "abcde"]
    begun = time.monotonic()
    answer = client.post("/v1/jobs", json=chain, headers={"Prefer": "wait=2"})
    assert answer.status_code == 202
    assert 1.9 < time.monotonic() - begun < 6  # not 5 times 2


def test_submitting_and_waiting(client: httpx.Client, hand: Hand, queue: JobQueue) -> None:
    late = client.post("/v1/jobs", json=text_to_image(), headers={"Prefer": "wait=0.2"})
    assert late.status_code == 202
    queue.cancel(late.json()["id"], "local")

    with ThreadPoolExecutor() as pool:
        answer = pool.submit(client.post, "/v1/jobs", json=text_to_image(), headers={"Prefer": "wait=20"})
        while not (job := queue.claim(hand.card, "a" * 32)):
            time.sleep(0.02)
        hand.commit(job)
        assert answer.result(20).status_code == 200
        assert answer.result().json()["status"] == "succeeded"


# Lists


def test_lists_newest_first_page_by_page(client: httpx.Client) -> None:
    ids = [submitted(client, text_to_image(f"picture {number}"))["id"] for number in range(5)]
    first = client.get("/v1/jobs", params={"limit": 2}).json()
    second = client.get("/v1/jobs", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    third = client.get("/v1/jobs", params={"limit": 2, "cursor": second["next_cursor"]}).json()
    listed = [job["id"] for page in (first, second, third) for job in page["data"]]
    assert listed == ids[::-1]
    assert third["next_cursor"] is None


def test_lists_what_matches(client: httpx.Client, hand: Hand) -> None:
    submitted(client)
    hand.finish()
    text = submitted(client, {"kind": "text", "model": "test/fake-text", "inputs": {"prompt": "x"}})
    for filters, expected in [
        ({"status": "queued"}, [text["id"]]),
        ({"kind": "text"}, [text["id"]]),
        ({"model": "test/fake-text", "status": "queued"}, [text["id"]]),
        ({"model": "test/none"}, []),
    ]:
        assert [job["id"] for job in client.get("/v1/jobs", params=filters).json()["data"]] == expected


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("limit=0", "/query/limit"),
        ("limit=101", "/query/limit"),
        ("limit=abc", "/query/limit"),
        ("limit=1&limit=2", "/query/limit"),
        ("limit=99999999999999999999", "/query/limit"),
        ("status=done", "/query/status"),
        ("cursor=%00x", "/query/cursor"),
        ("cursor=../../etc", "/query/cursor"),
        ("colour=red", "/query/colour"),
        ("kind=" + "x" * 500, "/query/kind"),
    ],
)
def test_a_query_that_is_not_valid(client: httpx.Client, query: str, pointer: str) -> None:
    body = problem(client.get(f"/v1/jobs?{query}"), 422, "invalid_request")
    assert [fault["pointer"] for fault in body["errors"]] == [pointer]


# Cancel, retry, delete


def test_cancelling(client: httpx.Client, hand: Hand) -> None:
    waiting = submitted(client)
    cancelled = client.post(waiting["urls"]["cancel"])
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    again = client.post(waiting["urls"]["cancel"], json={})
    assert again.json() == cancelled.json(), "a final job stays as it is"

    running = submitted(client)
    job = hand.claim()
    asked = client.post(running["urls"]["cancel"]).json()
    assert asked["status"] == "running"
    assert "cancel_requested_at" in asked
    assert hand.queue.cancel_flags([(job.id, job.attempt_id or "")]) == {job.attempt_id: Beat.CANCEL}


def test_cancelling_many(client: httpx.Client) -> None:
    texts = [
        submitted(client, {"kind": "text", "inputs": {"prompt": "x"}, "model": "test/fake-text"})
        for _ in range(3)
    ]
    other = submitted(client)
    answer = client.post("/v1/jobs/cancel", params={"kind": "text"})
    assert (answer.status_code, answer.json()) == (200, {"count": 3, "next_cursor": None})
    assert {client.get(job["urls"]["self"]).json()["status"] for job in texts} == {"cancelled"}
    assert client.get(other["urls"]["self"]).json()["status"] == "queued"


def test_retrying(client: httpx.Client, hand: Hand) -> None:
    first = submitted(client, text_to_image("again", seed=5) | {"metadata": {"a": 1}})
    hand.fail()
    answer = client.post(f"{first['urls']['self']}/retry")
    again = answer.json()
    assert answer.status_code == 202
    assert answer.headers["location"] == again["urls"]["self"]
    assert again["id"] != first["id"]
    assert again["retry_of"] == first["id"]
    assert again["inputs"] == first["inputs"]
    assert again["status"] == "queued"


def test_retrying_many(client: httpx.Client, hand: Hand) -> None:
    for _ in range(2):
        submitted(client)
        hand.fail()
    submitted(client)
    hand.finish()
    assert client.post("/v1/jobs/retry", params={"status": "failed"}).json()["count"] == 2
    assert client.post("/v1/jobs/retry", params={"status": "failed"}).json()["count"] == 0, "each only once"


def test_deleting(client: httpx.Client, hand: Hand, api: ApiServer) -> None:
    job = submitted(client)
    done = hand.finish()
    stored = list(hand.storage.list(f"local/{done.id}/"))
    assert stored
    answer = client.delete(job["urls"]["self"])
    assert (answer.status_code, answer.content) == (204, b"")
    problem(client.get(job["urls"]["self"]), 404, "job_not_found")
    problem(client.get(f"{job['urls']['self']}/artifacts/0.png"), 404, "job_not_found")
    assert list(hand.storage.list(f"local/{done.id}/")) == []
    assert client.get("/v1/jobs").json()["data"] == []


def test_deleting_what_runs(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client)
    claimed = hand.claim()
    assert client.delete(job["urls"]["self"]).status_code == 204
    problem(client.get(job["urls"]["self"]), 404, "job_not_found")
    assert hand.queue.cancel_flags([(claimed.id, claimed.attempt_id or "")]) == {
        claimed.attempt_id: Beat.CANCEL
    }


@pytest.mark.parametrize("path", ["cancel", "retry"])
def test_calls_without_inputs_take_no_body(client: httpx.Client, path: str) -> None:
    job = submitted(client)
    problem(client.post(f"{job['urls']['self']}/{path}", json={"force": True}), 422, "invalid_request")
    problem(client.post(f"{job['urls']['self']}/{path}?force=1"), 422, "invalid_request")
    problem(client.post(f"{job['urls']['self']}/{path}", content=b"{" * 300), 413, "too_large")
    assert client.get(job["urls"]["self"]).json()["status"] == "queued"


# Idempotency


def test_the_same_key_and_body_give_the_same_job(client: httpx.Client, hand: Hand) -> None:
    headers = {"Idempotency-Key": "order-17"}
    first = client.post("/v1/jobs", json=text_to_image(), headers=headers)
    hand.finish()
    again = client.post("/v1/jobs", json=text_to_image(), headers=headers)
    assert "idempotency-replayed" not in first.headers
    assert again.status_code == 202
    assert again.headers["idempotency-replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    assert again.json()["status"] == "succeeded", "as it stands now"


def test_the_same_key_with_another_body(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "order-18"}
    client.post("/v1/jobs", json=text_to_image("one"), headers=headers)
    problem(client.post("/v1/jobs", json=text_to_image("two"), headers=headers), 422, "idempotency_mismatch")
    assert len(client.get("/v1/jobs").json()["data"]) == 1


def test_the_key_of_a_deleted_job(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "order-19"}
    job = client.post("/v1/jobs", json=text_to_image(), headers=headers).json()
    client.delete(job["urls"]["self"])
    problem(client.post("/v1/jobs", json=text_to_image(), headers=headers), 410, "job_gone")


def test_a_refused_request_consumes_no_key(client: httpx.Client) -> None:
    headers = {"Idempotency-Key": "order-20"}
    problem(client.post("/v1/jobs", json=text_to_image(steps=0), headers=headers), 422, "invalid_inputs")
    assert client.post("/v1/jobs", json=text_to_image(steps=1), headers=headers).status_code == 202


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "tab\tkey"])
def test_a_key_that_is_not_valid(client: httpx.Client, key: str) -> None:
    body = problem(
        client.post("/v1/jobs", json=text_to_image(), headers={"Idempotency-Key": key}),
        422,
        "invalid_request",
    )
    assert body["errors"][0]["pointer"] == "/headers/Idempotency-Key"
    assert client.get("/v1/jobs").json()["data"] == []


@fault(30, "The same Idempotency-Key in 50 submissions at once", "one job, of which all are told")
def test_fifty_at_once_with_one_key_make_one_job(api: ApiServer, seen: Seen) -> None:
    headers = {"Idempotency-Key": "all-at-once"}
    with api.client() as client, ThreadPoolExecutor(50) as pool:
        answers = list(
            pool.map(lambda _: client.post("/v1/jobs", json=text_to_image(), headers=headers), range(50))
        )
        assert {answer.status_code for answer in answers} == {202}
        assert len({answer.json()["id"] for answer in answers}) == 1
        assert sum("idempotency-replayed" not in answer.headers for answer in answers) == 1
        assert len(client.get("/v1/jobs").json()["data"]) == 1
    seen("one job; 49 of the 50 answers say that they are replays")


# Chains


def chain(**second: Any) -> list[Any]:
    return [
        {"ref": "base", **text_to_image("a tree")},
        {
            "ref": "variant",
            "kind": "image-to-image",
            "model": "test/fake",
            "inputs": {"prompt": "at night", "image": {"job": "#base"}},
            **second,
        },
    ]


def test_a_chain_is_accepted_together_and_waits(client: httpx.Client, hand: Hand) -> None:
    answer = client.post("/v1/jobs", json=chain())
    assert answer.status_code == 202
    base, variant = answer.json()["data"]
    assert variant["inputs"]["image"] == {"job": base["id"]}
    assert variant["waits_for"] == [base["id"]]
    assert "position" not in variant["queue"], "it has no place while it waits"
    assert hand.claim().id == base["id"]
    assert hand.queue.claim(hand.card, "b" * 32) is None


@pytest.mark.parametrize(
    ("body", "slug", "pointer"),
    [
        ([], "invalid_request", ""),
        ([{"ref": "x", **text_to_image()}] * 51, "invalid_request", ""),
        ([text_to_image()], "invalid_request", "/0/ref"),
        ([{"ref": "a b", **text_to_image()}], "invalid_request", "/0/ref"),
        ([{"ref": "x", **text_to_image()}] * 2, "invalid_request", "/1/ref"),
        ([1], "invalid_request", "/0"),
        (chain()[::-1], "invalid_inputs", "/0/inputs/image/job"),
        (chain(inputs={"prompt": "x", "image": {"job": "#none"}}), "invalid_inputs", "/1/inputs/image/job"),
        (
            chain(inputs={"prompt": "x", "image": {"job": "#variant"}}),
            "invalid_inputs",
            "/1/inputs/image/job",
        ),
        (chain(inputs={"prompt": "", "image": {"job": "#base"}}), "invalid_inputs", "/1/inputs/prompt"),
        (chain()[1], "invalid_request", "/ref"),
    ],
)
def test_a_chain_with_a_fault_is_refused_whole(
    client: httpx.Client, body: Any, slug: str, pointer: str
) -> None:
    found = problem(client.post("/v1/jobs", json=body), 422, slug)
    assert found["errors"][0]["pointer"] == pointer
    assert client.get("/v1/jobs").json()["data"] == []


# Inputs that are another job's outputs


def image_of(job_id: str, **more: str) -> Any:
    return {
        "kind": "image-to-image",
        "model": "test/fake",
        "inputs": {"prompt": "x", "image": {"job": job_id, **more}},
    }


def test_an_input_from_a_finished_job_names_its_artifact(client: httpx.Client, hand: Hand) -> None:
    base = submitted(client)
    hand.finish()
    job = submitted(client, image_of(base["id"]))
    assert job["inputs"]["image"] == {"job": base["id"], "artifact": "0.png"}
    assert "waits_for" not in job


def test_an_input_from_an_unfinished_job_waits(client: httpx.Client) -> None:
    base = submitted(client)
    assert submitted(client, image_of(base["id"]))["waits_for"] == [base["id"]]


def test_inputs_that_cannot_be_had(client: httpx.Client, hand: Hand) -> None:
    failed = submitted(client)
    hand.fail()
    cancelled = submitted(client)
    client.post(cancelled["urls"]["cancel"])
    words = submitted(client, {"kind": "text", "model": "test/fake-text", "inputs": {"prompt": "x"}})
    hand.finish({"0.txt": b"words"})
    picture = submitted(client)
    hand.finish()
    for body, pointer in [
        (image_of("job_" + "0" * 24), "/inputs/image/job"),
        (image_of(failed["id"]), "/inputs/image/job"),
        (image_of(cancelled["id"]), "/inputs/image/job"),
        (image_of(words["id"]), "/inputs/image/artifact"),
        (image_of(picture["id"], artifact="9.png"), "/inputs/image/artifact"),
        (image_of("#base"), "/inputs/image/job"),
    ]:
        found = problem(client.post("/v1/jobs", json=body), 422, "invalid_inputs")
        assert found["errors"][0]["pointer"] == pointer


# Limits


def test_an_owner_s_limit(client: httpx.Client, api: ApiServer) -> None:
    body = [{"ref": str(number), **text_to_image()} for number in range(50)]
    for _ in range(api.settings.max_queued_per_owner // 50):
        client.post("/v1/jobs", json=body).raise_for_status()
    answer = client.post("/v1/jobs", json=text_to_image())
    problem(answer, 429, "owner_limit")
    assert int(answer.headers["retry-after"]) > 0


def test_the_whole_system_s_limit(start_api: Callable[..., ApiServer], valkey: Any, broker: Any) -> None:
    server = start_api(redis_url=valkey.url, broker_url=broker.url, max_queued=1)
    with server.client() as client:
        submitted(client)
        answer = client.post("/v1/jobs", json=text_to_image())
        problem(answer, 503, "system_full")
        assert int(answer.headers["retry-after"]) > 0


def test_a_full_home(start_api: Callable[..., ApiServer], valkey: Any, broker: Any, tmp_path: Any) -> None:
    artifacts = tmp_path / "home" / "artifacts"
    artifacts.mkdir(parents=True)
    (artifacts / "big").write_bytes(b"\0" * 100_000)
    server = start_api(redis_url=valkey.url, broker_url=broker.url, home_max_bytes=50_000)
    with server.client() as client:
        answer = client.post("/v1/jobs", json=text_to_image())
        body = problem(answer, 507, "storage_full")
        assert "ATELIER_HOME_MAX_BYTES" in body["detail"]
        assert "retry-after" in answer.headers
        assert client.get("/v1/jobs").json()["data"] == []
