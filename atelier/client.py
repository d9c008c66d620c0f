"""`Client`: everything that the HTTP API offers, typed, with retries and reconnects. See docs/client.md."""

import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import quote

from atelier.download import download
from atelier.errors import AtelierError, BadAnswer, NotFound, WaitTimeout
from atelier.events import EventStream
from atelier.operator import Operator, sweep
from atelier.records import Artifact, Event, Job, Json, Page, Priority, Progress
from atelier.texts import TextPart, text_parts
from atelier.transport import UNSAFE, Transport, worth_waiting_for
from atelier.webhooks import Delivery, Webhooks

LONG_POLL: Final = 20  # seconds that one request of `wait` asks the server to hold its answer
PATIENCE: Final = 60.0  # seconds that a server may stay away while a job is watched
FIRST_LOOK: Final = 0.2  # seconds between looks at a queued job, at first and at most
LAST_LOOK: Final = 1.0

T = TypeVar("T")


class Client:
    """Submits, watches and fetches jobs of the Atelier server at `url`, as the owner of `api_key`.

    Without arguments it takes ATELIER_URL and ATELIER_API_KEY, and else finds the `atelier up` of this home.
    Threads may share a client. A call returns what it says or raises an `atelier.errors.AtelierError`.
    """

    def __init__(self, url: str | None = None, api_key: str | None = None) -> None:
        if url is None or api_key is None:
            from atelier.address import default_address

            known = default_address()
            url = known.url if url is None else url
            api_key = known.api_key if api_key is None else api_key
        self._transport = Transport(url, api_key)
        self.url = self._transport.url
        self.webhooks = Webhooks(self._transport)
        """Webhook endpoints and secrets."""
        self.operator = Operator(self._transport)
        """Pauses, and the jobs of all owners; for keys with the scope `admin`."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. The jobs go on."""
        self._transport.close()

    # Submitting

    def submit(
        self,
        kind: str,
        inputs: Mapping[str, Any],
        *,
        model: str | None = None,
        priority: Priority | None = None,
        metadata: Mapping[str, Any] | None = None,
        start_deadline_seconds: float | None = None,
        deadline_seconds: float | None = None,
        expires_in_seconds: int | None = None,
        webhook: str | None = None,
        idempotency_key: str | None = None,
    ) -> Job:
        """Queue one job; it is on the server's disk when this returns.

        A `Path` among the inputs is uploaded first. Without `idempotency_key` the client makes one, so that
        its own retries cannot queue the job twice. `webhook`, an endpoint's id or a URL, is told when the job
        is over.
        """
        options = {
            "model": model,
            "priority": priority,
            "metadata": dict(metadata) if metadata is not None else None,
            "start_deadline_seconds": start_deadline_seconds,
            "deadline_seconds": deadline_seconds,
            "expires_in_seconds": expires_in_seconds,
            "webhook": webhook,
        }
        body: Json = {"kind": kind, "inputs": self._uploaded(inputs)}
        body |= {name: value for name, value in options.items() if value is not None}
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        return self._job(self._transport.json("POST", "/v1/jobs", json=body, headers=headers))

    def submit_chain(
        self, jobs: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> list[Job]:
        """Queue jobs that build on each other: all or none.

        Each is a body of the API, `{"ref": …, "kind": …, "inputs": …}`; an input `{"job": "#ref"}` is the
        output of the job with that ref, which is waited for. A `Path` among the inputs is uploaded first.
        """
        bodies = [{**each, "inputs": self._uploaded(each.get("inputs", {}))} for each in jobs]
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        answer = self._transport.json("POST", "/v1/jobs", json=bodies, headers=headers)
        return [self._job(each) for each in answer["data"]]

    def upload(self, path: Path | str) -> str:
        """Upload a file and return its id, for inputs as `{"upload": id}`. Kept a day, or as a job needs."""
        path = Path(path)
        body = self._transport.json(
            "POST",
            "/v1/uploads",
            params={"filename": path.name},
            content=path.read_bytes(),
            headers={"Content-Type": "application/octet-stream"},
            timeout=120.0,
        )
        return str(body["id"])

    def _uploaded(self, inputs: Mapping[str, Any]) -> Json:
        return {
            name: {"upload": self.upload(value)} if isinstance(value, Path) else value
            for name, value in inputs.items()
        }

    # Reading

    def get(self, job_id: str, *, patience: float = 0.0) -> Job:
        """The job as it stands now. patience: seconds that the server may stay away meanwhile."""
        return self._patiently(lambda: self._job(self._transport.json("GET", _job_path(job_id))), patience)

    def page(
        self,
        *,
        status: str | None = None,
        kind: str | None = None,
        model: str | None = None,
        cursor: str | None = None,
        limit: int = 20,
    ) -> Page:
        """One page of jobs, newest first. A filtered page may be short although others follow."""
        wanted = {"status": status, "kind": kind, "model": model, "cursor": cursor, "limit": str(limit)}
        params = {name: value for name, value in wanted.items() if value is not None}
        body = self._transport.json("GET", "/v1/jobs", params=params)
        return Page(tuple(self._job(each) for each in body["data"]), body.get("next_cursor"))

    def jobs(
        self, *, status: str | None = None, kind: str | None = None, model: str | None = None
    ) -> Iterator[Job]:
        """All jobs, newest first; pages are fetched as they are needed."""
        cursor = None
        while True:
            page = self.page(status=status, kind=kind, model=model, cursor=cursor, limit=100)
            yield from page.jobs
            if (cursor := page.next_cursor) is None:
                return

    # Watching

    def wait(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        on_change: Callable[[Job], object] | None = None,
        patience: float = PATIENCE,
    ) -> Job:
        """The job once it is final. Raises WaitTimeout after `timeout` seconds (None: no limit).

        on_change is called with the job whenever its state, place or progress changes.
        """
        if on_change is not None:
            for job in self.watch(job_id, timeout=timeout, patience=patience):
                on_change(job)
            return job
        patience = patience if timeout is None else min(patience, timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            left = LONG_POLL if deadline is None else min(LONG_POLL, deadline - time.monotonic())
            job = self._held(job_id, max(0.0, left), patience)
            if job.final:
                return job
            _check_deadline(deadline, job)

    def watch(
        self, job_id: str, *, timeout: float | None = None, patience: float = PATIENCE
    ) -> Iterator[Job]:
        """The job now, at each look while it is queued, at each change while it runs, and once it is final.

        Raises WaitTimeout after `timeout` seconds. Connects again while the server is away, for up to
        `patience` seconds.
        """
        patience = patience if timeout is None else min(patience, timeout)
        deadline = None if timeout is None else time.monotonic() + timeout
        job = self.get(job_id, patience=patience)
        yield job
        events = EventStream(self._transport, job_id, patience=patience, deadline=deadline)
        while not job.final:
            for later in self._while_queued(job, deadline, patience):
                job = later
                yield job
            if job.final:
                return
            for event in events:  # those after the last one that was seen
                if event.type == "job.progressed":
                    job = _progressed(job, event)
                    yield job
                elif event.type != "job.output" and not event.final:
                    job = self.get(job_id, patience=patience)
                    yield job
                    if job.status == "queued":  # for another attempt
                        break
            else:
                job = self.get(job_id, patience=patience)
                yield job

    def stream(self, job_id: str, *, after: str | None = None, patience: float = PATIENCE) -> Iterator[Event]:
        """The job's events until it is final; goes on after the event with the id `after`."""
        return iter(EventStream(self._transport, job_id, after=after, patience=patience))

    def text(self, job_id: str, index: int = 0) -> Iterator[TextPart]:
        """A text job's output in pieces, as it is made; ends with the job."""
        return text_parts(self, job_id, index)

    def _while_queued(self, job: Job, deadline: float | None, patience: float) -> Iterator[Job]:
        """The job at every look, until it is no longer queued: its place changes without an event."""
        pause = FIRST_LOOK
        while job.status == "queued":
            _check_deadline(deadline, job)
            time.sleep(pause)
            pause = min(pause * 1.5, LAST_LOOK)
            job = self.get(job.id, patience=patience)
            yield job

    def _held(self, job_id: str, seconds: float, patience: float) -> Job:
        """The job when it is final, or after so many seconds."""
        headers = {"Prefer": f"wait={seconds:.1f}"}
        return self._job(
            self._patiently(
                lambda: self._transport.json(
                    "GET", _job_path(job_id), headers=headers, timeout=seconds + 10.0
                ),
                patience,
            )
        )

    def _patiently(self, call: Callable[[], T], patience: float) -> T:
        """The call's result; repeated for up to `patience` seconds while the server is away."""
        give_up = time.monotonic() + patience
        while True:
            try:
                return call()
            except AtelierError as error:
                if not worth_waiting_for(error) or time.monotonic() >= give_up:
                    raise
            time.sleep(LAST_LOOK)

    # Acting

    def cancel(self, job_id: str) -> Job:
        """Ask for the end of a job; one that is final stays as it is."""
        return self._job(self._transport.json("POST", f"{_job_path(job_id)}/cancel", json={}))

    def cancel_many(
        self, *, status: str | None = None, kind: str | None = None, model: str | None = None
    ) -> int:
        """Cancel all your jobs that match and are not final; how many these were."""
        return sweep(self._transport, "/v1/jobs/cancel", {"status": status, "kind": kind, "model": model})

    def retry_many(
        self, *, status: str | None = None, kind: str | None = None, model: str | None = None
    ) -> int:
        """Retry all your failed and cancelled jobs that match and were not retried yet; how many."""
        return sweep(self._transport, "/v1/jobs/retry", {"status": status, "kind": kind, "model": model})

    def retry(self, job_id: str) -> Job:
        """Queue the same inputs, seed included, as a new job, whose `retry_of` names this one."""
        return self._job(self._transport.json("POST", f"{_job_path(job_id)}/retry", UNSAFE, json={}))

    def delete(self, job_id: str) -> None:
        """Remove the job and its artifacts; a running one is cancelled first."""
        self._transport.call("DELETE", _job_path(job_id))

    # Webhooks

    def deliveries(self, job_id: str) -> list[Delivery]:
        """The messages to the job's webhook: one once it is over, and what became of it."""
        body = self._transport.json("GET", f"{_job_path(job_id)}/deliveries")
        return [Delivery.from_json(each) for each in body["data"]]

    def redeliver(self, job_id: str, message_id: str) -> Delivery:
        """Send a message again, now."""
        path = f"{_job_path(job_id)}/deliveries/{quote(message_id, safe='')}/redeliver"
        return Delivery.from_json(self._transport.json("POST", path, UNSAFE, json={}))

    # Fetching

    def download(self, job: Job, artifact: Artifact | str, to: Path | str) -> Path:
        """Write one artifact into the folder `to`, or to that file; returns the file, never half of it."""
        found = _named(job, artifact) if isinstance(artifact, str) else artifact
        target = Path(to) / found.name if Path(to).is_dir() else Path(to)
        return download(self._transport, self._artifact_path(job, found), found, target)

    def artifacts(self, job: Job, folder: Path | str) -> list[Path]:
        """Write all outputs of a succeeded job into `folder` (made if need be); returns the files."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        return [self.download(job, each, folder) for each in job.outputs]

    def read(self, job: Job, artifact: Artifact) -> bytes:
        """One artifact's bytes, in memory."""
        return self._transport.call("GET", self._artifact_path(job, artifact), follow_redirects=True).content

    def _artifact_path(self, job: Job, artifact: Artifact) -> str:
        return f"{_job_path(job.id)}/artifacts/{quote(artifact.name, safe='')}"

    # Looking round

    def models(self) -> list[Json]:
        """The models that this server offers."""
        return self._list("/v1/models")

    def kinds(self) -> list[Json]:
        """The kinds of job, each with the JSON Schema of its inputs."""
        return self._list("/v1/kinds")

    def queues(self) -> list[Json]:
        """Each queue's depth and waiting time."""
        return self._list("/v1/queues")

    def workers(self) -> list[Json]:
        """The workers that are alive, and what each has loaded."""
        return self._list("/v1/workers")

    def ready(self) -> Json:
        """What the server says of itself and of what it needs (`/readyz`); Unavailable if it is not ready."""
        body: Json = self._transport.json("GET", "/readyz")
        return body

    def _list(self, path: str) -> list[Json]:
        body = self._transport.json("GET", path)
        if not isinstance(body, dict) or not isinstance(body.get("data"), list):
            raise BadAnswer(f"{self.url}{path} did not answer with a list")
        return list(body["data"])

    def _job(self, body: Any) -> Job:
        if not isinstance(body, dict):
            raise BadAnswer(f"{self.url} did not answer with a job")
        try:
            return Job.from_json(body)
        except (KeyError, TypeError, ValueError) as error:
            raise BadAnswer(f"{self.url} did not answer with a job: {error!r}") from error


def _job_path(job_id: str) -> str:
    return f"/v1/jobs/{quote(job_id, safe='')}"


def _named(job: Job, name: str) -> Artifact:
    for each in job.artifacts:
        if each.name == name:
            return each
    raise NotFound("no such artifact", f"{job.id} has no artifact {name!r}", status=404, slug="not_found")


def _check_deadline(deadline: float | None, job: Job) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        raise WaitTimeout(f"{job.id} is still {job.status}")


def _progressed(job: Job, event: Event) -> Job:
    data = event.data.get("progress") or {}
    return replace(
        job, progress=Progress.from_json(data), version=int(event.data.get("version", job.version))
    )
