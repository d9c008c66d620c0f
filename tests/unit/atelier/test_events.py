"""Following events over broken connections and past deadlines."""

import json
import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from atelier import Client, errors
from atelier.events import EventStream
from atelier.transport import Transport


def events(*sent: tuple[str, str], then: float = 0.0) -> Any:
    """Answer with these (id, type) events, stay silent for `then` seconds and hang up."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.close_connection = True
        request.send_response(200)
        request.send_header("Content-Type", "text/event-stream")
        request.end_headers()
        request.wfile.write(b"retry: 1000\n\n: a comment\n\n")
        for event_id, event_type in sent:
            data = json.dumps({"of": event_id})
            request.wfile.write(f"id: {event_id}\nevent: {event_type}\ndata: {data}\n\n".encode())
            request.wfile.flush()
        time.sleep(then)

    return answer


def nothing_more(request: BaseHTTPRequestHandler) -> None:
    request.send_response(204)
    request.end_headers()


def busy(request: BaseHTTPRequestHandler) -> None:
    request.send_response(503)
    request.send_header("Content-Length", "0")
    request.end_headers()


def test_it_connects_again_after_the_last_event_that_it_saw(server):
    server.answers = [
        events(("1", "job.queued")),
        busy,
        events(("2", "job.started")),
        events(("3", "job.succeeded")),
    ]

    with Client(server.url, "") as client:
        seen = [(each.id, each.type) for each in client.stream("job_1")]

    assert seen == [("1", "job.queued"), ("2", "job.started"), ("3", "job.succeeded")]
    assert [each.headers["Last-Event-ID"] for each in server.seen] == [None, "1", "1", "2"]


def test_it_goes_on_after_a_given_event(server):
    server.answers = [events(("9", "job.failed"))]

    with Client(server.url, "") as client:
        list(client.stream("job_1", after="8"))

    assert server.seen[0].headers["Last-Event-ID"] == "8"


def test_no_content_is_the_end(server):
    server.answers = [nothing_more]

    with Client(server.url, "") as client:
        assert list(client.stream("job_1", after="9")) == []


def test_a_server_that_stays_away_is_given_up(server):
    server.answers = [busy]

    with Client(server.url, "") as client, pytest.raises(errors.Unavailable):
        list(client.stream("job_1", patience=0.3))


def test_the_deadline_ends_a_silent_stream(server):
    server.answers = [events(("1", "job.started"), then=30.0)]
    transport = Transport(server.url, "")
    started = time.monotonic()

    with pytest.raises(errors.WaitTimeout):
        list(EventStream(transport, "job_1", patience=60, deadline=started + 0.5))

    assert 0.4 < time.monotonic() - started < 8
    transport.close()
