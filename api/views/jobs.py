"""Jobs: submit, show, list, cancel, retry, delete."""

import hashlib
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict

from flask import Response, g

from api import retrying
from api.accepted import accepted
from api.answers import empty, json_answer, not_modified
from api.bodies import NOWHERE, Json, job_body, job_path
from api.downloads import dropped_if_refused
from api.filters import bad_cursor, filters_of, limit_of
from api.problems import Problem
from api.reading import idempotency_key, json_body, no_inputs, preferred_wait, query
from api.services import services
from api.submission import jobs_of
from api.watching import wait_until_final
from infra.crash_points import CrashPoint, crash_point
from infra.errors import JobNotFound, Unavailable
from infra.jobs.answers import Enqueued, Standing
from infra.jobs.record import Idempotency, Job, Status
from infra.logs import get_logger
from infra.storage.keys import job_prefix

FILTERS = ("status", "kind", "model")

log = get_logger()


def submit() -> Response:
    """Queue one job, or a list of jobs that build on each other. On disk when this answers 202."""
    body, sent = json_body(services().settings.max_body_bytes)
    key = idempotency_key()
    idempotency = Idempotency(key, hashlib.sha256(sent).hexdigest()) if key else None
    done = _replayed(idempotency) or _accept(body, idempotency)
    headers = {"Idempotency-Replayed": "true"} if done.replayed else {}
    wait = preferred_wait()
    jobs = _waited(done.jobs, wait) if wait else done.jobs
    status = 200 if wait and all(job.status.final for job in jobs) else 202
    shown = _told(done) if done.paused and not wait else _shown_anyway(jobs)
    if isinstance(body, list):
        return json_answer({"data": shown}, status, headers)
    return json_answer(
        shown[0], status, headers | {"Location": job_path(jobs[0].id)}, version=jobs[0].version
    )


def show(job_id: str) -> Response:
    """One job; with `Prefer: wait=N` once it is final, or after N seconds."""
    query()
    wait = preferred_wait()
    job = wait_until_final(job_id, g.owner, wait) if wait else services().queue.get(job_id, g.owner)
    return not_modified(job.version) or json_answer(_shown(job), version=job.version)


def index() -> Response:
    """The owner's jobs, newest first."""
    given = query(*FILTERS, "cursor", "limit")
    filters = filters_of(given)
    try:
        page = services().queue.list(
            g.owner,
            status=filters.status,
            kind=filters.kind,
            model=filters.model,
            cursor=given.get("cursor"),
            limit=limit_of(given),
        )
    except ValueError:
        raise bad_cursor() from None
    pauses = services().operator.pauses()
    shown = [job_body(job, standing=Standing(None, pauses.hold(job))) for job in page.jobs]
    return json_answer({"data": shown, "next_cursor": page.next_cursor})


def cancel(job_id: str) -> Response:
    """Cancel now when queued, ask the worker when running; a final job stays as it is."""
    no_inputs()
    job = services().queue.cancel(job_id, g.owner)
    return json_answer(_shown(job), version=job.version)


def cancel_many() -> Response:
    """Cancel all jobs that match and are not final."""
    no_inputs(*FILTERS, "cursor")
    given = query(*FILTERS, "cursor")
    filters = filters_of(given)
    try:
        swept = services().bulk.cancel([g.owner], filters, given.get("cursor"))
    except ValueError:
        raise bad_cursor() from None
    return json_answer(asdict(swept))


def retry(job_id: str) -> Response:
    """Queue the same inputs again, as a new job."""
    no_inputs()
    services().home.check()
    job = retrying.retry(services().queue.get(job_id, g.owner))
    return json_answer(_shown_anyway([job])[0], 202, {"Location": job_path(job.id)}, version=job.version)


def retry_many() -> Response:
    """Retry the failed and cancelled jobs that match and have not been retried yet."""
    no_inputs(*FILTERS, "cursor")
    given = query(*FILTERS, "cursor")
    filters = filters_of(given)
    services().home.check()
    try:
        swept = services().bulk.retry([g.owner], filters, given.get("cursor"), retrying.retry_if_possible)
    except ValueError:
        raise bad_cursor() from None
    return json_answer(asdict(swept), 202)


def delete(job_id: str) -> Response:
    """Remove a job and its artifacts; a running one is cancelled first, and what it leaves is removed
    after it."""
    no_inputs()
    job = services().queue.delete(job_id, g.owner)
    if job is not None:
        crash_point(CrashPoint.AFTER_DELETE)
        try:
            services().storage.delete_prefix(job_prefix(job.owner, job.id))
            services().queue.forget(job.id)
        except Unavailable as error:  # it is hidden for good already, and the collector tries again
            log.warning(
                "Artifacts are removed later", action="job.delete_later", job_id=job.id, error=str(error)
            )
    return empty()


def _replayed(idempotency: Idempotency | None) -> Enqueued | None:
    """The answer to a repeated request. Looked up before the request is validated: what it refers to may
    be gone."""
    jobs = services().queue.replayed(g.owner, idempotency) if idempotency else None
    return Enqueued(jobs, replayed=True) if jobs else None


def _accept(body: object, idempotency: Idempotency | None) -> Enqueued:
    with dropped_if_refused():
        jobs = jobs_of(body, g.owner)
        services().home.check()
        crash_point(CrashPoint.BEFORE_ENQUEUE)
        done = services().queue.enqueue(jobs, idempotency)
    crash_point(CrashPoint.AFTER_ENQUEUE)
    if not done.replayed:
        for job in done.jobs:
            accepted(job)
    return done


def _waited(jobs: Sequence[Job], wait: float) -> list[Job]:
    """The jobs after `Prefer: wait`, which is for all of them together. They are accepted already, so a
    process full of watchers answers at once."""
    waited, ends = list(jobs), time.monotonic() + wait
    with suppress(Problem, Unavailable, JobNotFound):
        for index, job in enumerate(jobs):
            waited[index] = wait_until_final(job.id, job.owner, max(0.0, ends - time.monotonic()))
    return waited


def _told(done: Enqueued) -> list[Json]:
    """The bodies of new jobs. Their places take a look of its own; who wants to know them can ask."""
    held = zip(done.jobs, done.paused or (), strict=True)
    return [job_body(job, standing=Standing(None, paused)) for job, paused in held]


def _shown_anyway(jobs: Sequence[Job]) -> list[Json]:
    """As `_shown`, for jobs that were just accepted: that must be told, even if the present cannot be."""
    shown: list[Json] = []
    with suppress(Problem, Unavailable):
        for job in jobs:
            shown.append(_shown(job))
    return shown + [job_body(job, standing=NOWHERE) for job in jobs[len(shown) :]]


def _shown(job: Job) -> Json:
    """The body with what only the present tells: its place, or its live progress."""
    if job.status is Status.QUEUED:
        return job_body(job, standing=services().queue.standing(job) or NOWHERE)
    if job.status is Status.RUNNING:
        return job_body(job, live=services().live.latest(job.id, job.attempt_id))
    return job_body(job)
