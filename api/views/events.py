"""Server-sent events of one job, from the past to its final event."""

import base64
import json
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

from flask import Response, g, request

from api.answers import empty
from api.bodies import Json, progress_body
from api.hub import LOOK_AGAIN_SECONDS, Hub, Watch
from api.reading import query
from api.services import services
from infra.errors import JobNotFound, Unavailable
from infra.jobs.events import Event, Events, EventType
from infra.jobs.live import read_live
from infra.jobs.record import Job, Status

# Neither ends with an empty line: some clients take even that for an event.
RECONNECT = b"retry: 1000\n"  # milliseconds until a browser connects again
COMMENT = b": still here\n"
FINAL = frozenset({EventType.SUCCEEDED, EventType.FAILED, EventType.CANCELLED})
WEBP = b"RIFF"


def stream(job_id: str) -> Response:
    """The events after `Last-Event-ID`, then new ones as they come; 204 when the final one was seen."""
    query()
    place = request.headers.get("Last-Event-ID") or None
    job = services().queue.get(job_id, g.owner)
    if job.status.final and not services().events.read_of(job, place):
        return empty()
    with ExitStack() as opened:
        watch = opened.enter_context(services().hub.watch(job_id))
        job = services().queue.get(job_id, g.owner)  # again: what comes from now on wakes the watch
        past = services().events.read_of(job, place)
        if job.status.final and not past:
            return empty()
        frames = _frames(services().events, services().hub, watch, _Begin(place, past, _latest(job)))
        response = Response(frames, content_type="text/event-stream; charset=utf-8")
        response.headers["X-Accel-Buffering"] = "no"  # asks proxies not to hold events back
        response.call_on_close(opened.pop_all().close)
    return response


@dataclass(frozen=True)
class _Begin:
    """What a stream begins with."""

    place: str | None  # the last event that the client has seen; the past is never empty without one
    past: Sequence[Event]
    latest: Json | None


def _latest(job: Job) -> Json | None:
    """Live progress for who comes in the middle of a run."""
    running = job.status is Status.RUNNING
    progress = services().live.latest(job.id, job.attempt_id) if running else None
    return _progressed(progress) if progress else None


def _frames(events: Events, hub: Hub, watch: Watch, begin: _Begin) -> Iterator[bytes]:
    """What is sent, until the final event or the end of this process."""
    yield RECONNECT
    after = yield from _tell(begin.past, begin.place)
    if begin.latest is not None and after is not None:
        yield _frame(EventType.PROGRESSED, begin.latest)
    while after is not None and not hub.closing:
        woken = watch.wait(LOOK_AGAIN_SECONDS)
        if not woken:
            yield COMMENT
        if (live := watch.take_live()) is not None:
            shown = read_live(live)
            yield _frame(EventType.PROGRESSED, _progressed(shown.progress, shown.preview))
        if change := watch.take_change():
            after = yield from _tell(change.read(after, partial(_read, events, watch.job_id, after)), after)
        elif not woken:
            after = yield from _tell(_read(events, watch.job_id, after), after)


def _tell(events: Sequence[Event] | None, after: str | None) -> Generator[bytes, None, str | None]:
    """Send these events; the id to go on after, None when there is nothing more to come."""
    if events is None:
        return None
    for event in events:
        yield _frame(event.type, event.data, event.id)
        if event.type in FINAL:
            return None
        after = event.id
    return after


def _read(events: Events, job_id: str, after: str) -> Sequence[Event] | None:
    """New events; None when the job is gone. While the state server is away there are none: we look again."""
    try:
        return events.read(job_id, after)
    except Unavailable:
        return []
    except JobNotFound:
        return None


def _progressed(progress: Json, preview: bytes | None = None) -> Json:
    data: Json = {"status": "running", "progress": progress_body(progress)}
    if preview is not None:
        media_type = "image/webp" if preview.startswith(WEBP) else "image/jpeg"
        data["preview"] = {"media_type": media_type, "base64": base64.b64encode(preview).decode()}
    return data


def _frame(kind: str, data: Json, event_id: str | None = None) -> bytes:
    """One event; live progress has no id, because it cannot be resumed from."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n".encode()
