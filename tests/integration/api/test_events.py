"""Watching a job: server-sent events, live progress, resuming."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import httpx_sse
import pytest

from infra.jobs.live import Live
from infra.jobs.record import Job, JobError, Outcome
from tests.integration.api.support import ApiServer, Hand, problem, submitted
from tests.servers import StateServer, wait_for

Json = dict[str, Any]


class Follower:
    """Reads a stream in a thread; `events` grows as they come."""

    def __init__(self, client: httpx.Client, job: Json, after: str | None = None) -> None:
        self.events: list[httpx_sse.ServerSentEvent] = []
        self.status = 0
        self._client = client
        self._path = job["urls"]["events"]
        self._headers = {"Last-Event-ID": after} if after else {}
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with self._client.stream("GET", self._path, headers=self._headers) as response:
            self.status = response.status_code
            if self.status == 200:
                for event in httpx_sse.EventSource(response).iter_sse():
                    self.events.append(event)

    @property
    def types(self) -> list[str]:
        return [event.event for event in self.events]

    def wait_for(self, kind: str) -> httpx_sse.ServerSentEvent:
        wait_for(lambda: kind in self.types, what=f"an event {kind}")
        return next(event for event in self.events if event.event == kind)

    def join(self) -> list[str]:
        """The types of all events, when the server has closed the stream."""
        self._thread.join(10)
        assert not self._thread.is_alive(), f"the stream is still open after {self.types}"
        return self.types


def leases(job: Job) -> tuple[str, str]:
    assert job.attempt_id is not None
    return job.id, job.attempt_id


def test_a_job_is_told_from_queue_to_end(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client)
    follower = Follower(client, job)
    follower.wait_for("job.queued")
    claimed = hand.claim()
    started = follower.wait_for("job.started")
    hand.commit(claimed)

    assert follower.join() == ["job.queued", "job.started", "job.succeeded"]
    assert json.loads(started.data)["attempt"] == 1
    versions = [event.json()["version"] for event in follower.events]
    assert versions == sorted(versions)
    assert all(event.id for event in follower.events)
    assert [event.json()["status"] for event in follower.events] == ["queued", "running", "succeeded"]


def test_the_answer_is_an_event_stream(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client)
    hand.finish()
    answer = client.get(job["urls"]["events"])
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.text.startswith("retry: ")


def test_a_finished_job_is_told_at_once(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client)
    hand.finish()
    assert Follower(client, job).join()[-1] == "job.succeeded"


@pytest.mark.parametrize("end", ["job.cancelled", "job.failed"])
def test_other_ends(client: httpx.Client, hand: Hand, end: str) -> None:
    job = submitted(client)
    follower = Follower(client, job)
    follower.wait_for("job.queued")
    if end == "job.cancelled":
        client.post(job["urls"]["cancel"])
    else:
        hand.fail()
    assert follower.join()[-1] == end


def test_text_is_streamed_as_it_is_made(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client, {"kind": "text", "model": "test/fake-text", "inputs": {"prompt": "x"}})
    follower = Follower(client, job)
    claimed = hand.claim()
    for number, word in enumerate(["Once ", "upon ", "a time\n\ndata: x"]):
        data = {"attempt": claimed.attempt_id, "index": 0, "offset": number, "delta": word}
        assert hand.queue.emit(*leases(claimed), "job.output", data)
    hand.commit(claimed, {"0.txt": b"Once upon a time"})
    follower.join()
    told = [event.json()["delta"] for event in follower.events if event.event == "job.output"]
    assert told == ["Once ", "upon ", "a time\n\ndata: x"]


def test_live_progress_and_previews(client: httpx.Client, hand: Hand, broker: StateServer) -> None:
    job = submitted(client)
    follower = Follower(client, job)
    follower.wait_for("job.queued")
    claimed = hand.claim()
    follower.wait_for("job.started")
    with broker.client() as connection:
        live = Live(connection)

        def show() -> bool:
            progress = {
                "attempt_id": claimed.attempt_id,
                "fraction": 0.5,
                "step": 2,
                "steps": 4,
                "stage": "run",
            }
            live.publish(job["id"], progress, b"RIFF....WEBP")
            return "job.progressed" in follower.types

        wait_for(show, what="live progress")
    told = follower.wait_for("job.progressed")
    assert told.id == "" or told.id in {
        event.id for event in follower.events if event.event != "job.progressed"
    }
    body = told.json()
    assert body["progress"] == {"fraction": 0.5, "step": 2, "steps": 4, "stage": "run"}
    assert body["preview"]["media_type"] == "image/webp"
    assert client.get(job["urls"]["self"]).json()["progress"]["fraction"] == 0.5
    hand.commit(claimed)
    assert follower.join()[-1] == "job.succeeded"


def test_resuming_misses_nothing_and_repeats_nothing(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client, {"kind": "text", "model": "test/fake-text", "inputs": {"prompt": "x"}})
    claimed = hand.claim()
    for number in range(10):
        data = {"attempt": claimed.attempt_id, "index": 0, "offset": number, "delta": str(number)}
        hand.queue.emit(*leases(claimed), "job.output", data)
    hand.commit(claimed, {"0.txt": b"0123456789"})
    whole = Follower(client, job)
    whole.join()
    for cut in range(1, len(whole.events)):
        rest = Follower(client, job, after=whole.events[cut - 1].id)
        rest.join()
        assert [event.id for event in rest.events] == [event.id for event in whole.events[cut:]]


def test_who_has_seen_all_so_far_waits_for_what_comes(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client)
    first = Follower(client, job)
    queued = first.wait_for("job.queued")
    again = Follower(client, job, after=queued.id)
    wait_for(lambda: again.status == 200, what="a stream")
    hand.finish()
    assert again.join() == ["job.started", "job.succeeded"]
    first.join()


def test_the_progress_of_an_attempt_that_is_over_is_not_shown(
    client: httpx.Client, hand: Hand, broker: StateServer
) -> None:
    job = submitted(client)
    claimed = hand.claim()
    with broker.client() as connection:
        Live(connection).publish(job["id"], {"attempt_id": claimed.attempt_id, "fraction": 0.9})
    hand.queue.requeue(*leases(claimed), Outcome.FAILED, JobError("x", "X", retryable=True), 0)
    assert client.get(job["urls"]["self"]).json()["status"] == "queued"
    follower = Follower(client, job)
    follower.wait_for("job.queued")
    hand.finish()
    assert "job.progressed" not in follower.join()


def test_reconnecting_past_the_end(client: httpx.Client, hand: Hand) -> None:
    job = submitted(client)
    hand.finish()
    follower = Follower(client, job)
    follower.join()
    again = Follower(client, job, after=follower.events[-1].id)
    again.join()
    assert again.status == 204

    never_ran = submitted(client)
    client.post(never_ran["urls"]["cancel"])
    follower = Follower(client, never_ran)
    assert follower.join() == ["job.cancelled"]
    again = Follower(client, never_ran, after=follower.events[-1].id)
    again.join()
    assert again.status == 204


@pytest.mark.parametrize("after", ["0-0", "nonsense", "99999999999999999999999-1", "1-1-1", "-"])
def test_an_id_that_says_nothing_gets_a_snapshot(client: httpx.Client, hand: Hand, after: str) -> None:
    job = submitted(client)
    claimed = hand.claim()
    hand.queue.requeue(*leases(claimed), Outcome.FAILED, JobError("x", "X", retryable=True), 0)
    hand.finish()
    follower = Follower(client, job, after)
    assert follower.join()[-1] == "job.succeeded"


def test_a_deleted_job_ends_its_stream(client: httpx.Client) -> None:
    job = submitted(client)
    follower = Follower(client, job)
    follower.wait_for("job.queued")
    client.delete(job["urls"]["self"])
    assert follower.join()[-1] in ("job.queued", "job.cancelled")


def test_events_of_a_job_that_is_not_there(client: httpx.Client) -> None:
    problem(client.get(f"/v1/jobs/job_{'0' * 24}/events"), 404, "job_not_found")


@contextmanager
def comments(client: httpx.Client, job: Json) -> Iterator[Iterator[str]]:
    with client.stream("GET", job["urls"]["events"]) as response:
        yield response.iter_lines()


def test_a_quiet_stream_is_kept_alive(client: httpx.Client) -> None:
    job = submitted(client)
    begun = time.monotonic()
    with comments(client, job) as lines:
        assert any(line.startswith(": ") for line in lines)
    assert 10 < time.monotonic() - begun < 20


def test_watchers_survive_the_state_server_and_the_api(
    start_server: Callable[..., StateServer], start_api: Callable[..., ApiServer], broker: StateServer
) -> None:
    """The state server dies and comes back: an open stream goes on. The API ends: a new connection goes
    on."""
    state = start_server()
    server = start_api(redis_url=state.url, broker_url=broker.url)
    from infra.jobs.answers import Limits
    from infra.jobs.queue import JobQueue
    from infra.storage import open_storage

    hand = Hand(JobQueue(state.client(), limits=Limits()), open_storage(server.settings))
    with server.client() as client:
        job = submitted(client)
        follower = Follower(client, job)
        follower.wait_for("job.queued")
        state.kill()
        state.start()
        claimed = hand.claim()
        follower.wait_for("job.started")

        assert server.terminate() == 0
        follower.join()
        last = follower.events[-1].id
        hand.commit(claimed)
        server.start()
        rest = Follower(client, job, after=last)
        assert rest.join() == ["job.succeeded"]
