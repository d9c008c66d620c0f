"""The path of a job through a worker, as named steps over one record.

    claim → prepare → fetch inputs → check prompt → write request → run → store artifacts → write manifest →
    commit → settle → clean up

The claim is the work loop's. Jobs that are alike share a run; all other steps are each job's own. Those
before the run may be taken while the engine is at the run before it, those after it while it is at the next.
A step that fails notes it on the attempt (`failure`), and the steps up to the commit then do nothing.
`settle` tells the queue, which alone decides whether the job runs again.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import wraps
from pathlib import Path

from infra.crash_points import CrashPoint, crash_point
from infra.errors import StateUnavailable, StorageUnavailable
from infra.jobs.answers import Committed, Requeued
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job, JobError, Outcome, Status
from infra.logs import about, get_logger
from infra.safety_log import note_found
from pipelines.errors import ModelUnavailable, PromptBlocked
from pipelines.kinds import TextRef, parse_inputs
from pipelines.safety import Policy, check_prompt
from workers import counts
from workers.attempt import Failure, Interrupted, LiveAttempt, Stop
from workers.course import Course
from workers.desk import Desk
from workers.drain import Drain
from workers.engine_client import Engine
from workers.errors import StorageRefuses
from workers.exchange import tell_deltas
from workers.failures import NOTHING_TO_TELL, failure_of
from workers.fetch import Fetcher
from workers.finishing import Finishing
from workers.orders import request_of
from workers.patience import Answer, persist
from workers.runs import Runs, no_others
from workers.scratch import Scratch
from workers.shelf import Shelf
from workers.store import Store
from workers.trouble import StorageWatch
from workers.watchdog import Watchdog

log = get_logger()

FINAL: dict[Committed | Requeued, Status] = {
    Committed.OK: Status.SUCCEEDED,
    Committed.CANCELLED: Status.CANCELLED,
    Requeued.FAILED: Status.FAILED,
    Requeued.CANCELLED: Status.CANCELLED,
}
"""Answers of the queue that say how the job has ended."""

Step = Callable[["Lifecycle", LiveAttempt], None]


def step(work: Step) -> Step:
    """Leave the step out once the attempt has failed or must end; note its error as the attempt's failure."""

    @wraps(work)
    def guarded(self: "Lifecycle", attempt: LiveAttempt) -> None:
        if attempt.failure is not None:
            return
        began = time.monotonic()
        try:
            attempt.check()
            work(self, attempt)
            counts.passed(attempt, work.__name__, time.monotonic() - began)
        except Exception as error:  # noqa: BLE001 - whatever it is, the job gets an answer
            attempt.failure = failure_of(error, attempt)

    return guarded


def _load_error(failure: Failure | None) -> JobError | None:
    """Why the model does not load on this worker, if that is what failed; of one given up it is known."""
    if failure is None or failure.outcome is not Outcome.RELEASED or failure.error is None:
        return None
    return failure.error if failure.error.type == ModelUnavailable.type else None


class Lifecycle:
    """Carries jobs out: `take_on` prepares them, `run` has them run, what follows is done beside
    the next run."""

    def __init__(
        self,
        *,
        queue: JobQueue,
        engine: Engine,
        shelf: Shelf,
        fetcher: Fetcher,
        store: Store,
        scratch: Scratch,
        desk: Desk,
        drain: Drain,
        watchdog: Watchdog,
        storage_watch: StorageWatch,
        policy: Policy,
        patience: float,
    ) -> None:
        """`patience`: seconds to go on telling the queue how an attempt ended, while it cannot be reached."""
        self._queue = queue
        self._shelf = shelf
        self._fetcher = fetcher
        self._store = store
        self._scratch = scratch
        self._desk = desk
        self._drain = drain
        self._watchdog = watchdog
        self._storage_watch = storage_watch
        self._policy = policy
        self._patience = patience
        self._finishing = Finishing(self._finish)
        self._late = deque[Path]()
        """Folders of attempts that were stopped in a run that went on: it may read their inputs again."""
        self._runs = Runs(engine, self._end)

    @property
    def rows(self) -> Mapping[str, int]:
        """Most rows that models have said they compute at once."""
        return self._runs.times.rows

    def take_on(self, jobs: Sequence[Job]) -> list[LiveAttempt]:
        """Prepare claimed jobs; those that can run. The others are finished. Any thread may do this."""
        attempts = [self._begin(job) for job in jobs]
        if attempts:
            crash_point(CrashPoint.AFTER_CLAIM)
        for attempt in attempts:
            with about(**attempt.context()):
                self.prepare(attempt)
                self.fetch_inputs(attempt)
                self.check_prompt(attempt)
                self.write_request(attempt)
        return self._those_that_may_run(attempts)

    def _begin(self, job: Job) -> LiveAttempt:
        attempt_id = str(job.attempt_id)
        attempt = LiveAttempt(job, attempt_id, self._scratch.of(attempt_id), self._drain)
        counts.began(attempt)
        self._desk.take(attempt)
        return attempt

    def run(
        self, attempts: Sequence[LiveAttempt], joining: Callable[[Course], list[LiveAttempt]] = no_others
    ) -> None:
        """Have the engine load the model if need be and run these, whatever happens. Each is finished, beside
        what follows, once the engine has told its end. `joining` gives attempts that join meanwhile.
        """
        if ready := self._those_that_may_run(attempts):
            self._runs.run(ready, lambda course: self._those_that_may_run(joining(course)))
        self._remove_late()

    def rest(self) -> None:
        """Follow the engine until all that has run is written."""
        self._runs.rest()
        self._remove_late()

    def _remove_late(self) -> None:
        while self._late:
            self._scratch.remove(self._late.popleft())

    def release(self, attempts: Iterable[LiveAttempt]) -> None:
        """Give back what was prepared and will not run here."""
        for attempt in attempts:
            attempt.hear(Stop.RELEASED)
            self._end(attempt)

    def close(self) -> None:
        """Wait until all is finished."""
        self._finishing.close()

    def _those_that_may_run(self, attempts: Iterable[LiveAttempt]) -> list[LiveAttempt]:
        """Those that have not failed and need not stop; the others are finished."""
        ready = []
        for attempt in attempts:
            if attempt.failure is None and attempt.stop is None:
                ready.append(attempt)
            else:
                self._end(attempt)
        return ready

    def _end(self, attempt: LiveAttempt) -> None:
        """The attempt has run, or never will: what follows is done beside the next run. A model that does not
        load is set aside now, before the next claim could offer to run it.
        """
        attempt.is_open = False
        if error := _load_error(attempt.failure):
            self._shelf.set_aside(attempt.job.model, error.detail)
        self._finishing.submit(attempt)

    def _finish(self, attempt: LiveAttempt) -> None:
        try:
            with about(**attempt.context()):
                self.store_artifacts(attempt)
                self.write_manifest(attempt)
                self.commit(attempt)
                self.settle(attempt)
        finally:
            self._desk.drop(attempt)
        with about(**attempt.context()):
            self.clean_up(attempt)

    @step
    def prepare(self, attempt: LiveAttempt) -> None:
        """Make the attempt's folder, find the model, and read the inputs back from the record."""
        attempt.folder.mkdir(mode=0o700)
        attempt.model = self._shelf.model(attempt.job.model)
        attempt.inputs = parse_inputs(attempt.job.kind, attempt.job.inputs)

    @step
    def fetch_inputs(self, attempt: LiveAttempt) -> None:
        """Fetch the files that the inputs refer to, and put the texts of other jobs in their places."""
        words: dict[str, str] = {}
        for field, reference in attempt.inputs.references().items():
            with self._watched("fetch", attempt):
                path = self._fetcher.fetch(attempt, field, reference)
            if isinstance(reference, TextRef):
                words[field] = path.read_text(encoding="utf-8").strip()
            else:
                attempt.files[field] = path
        if words:
            attempt.inputs = attempt.model.inputs(attempt.job.kind, {**attempt.job.inputs, **words})

    @step
    def check_prompt(self, attempt: LiveAttempt) -> None:
        """Hold the words against the safety policy: those of other jobs are known only now, and the policy
        may have changed since the job was submitted.
        """
        try:
            attempt.verdict = check_prompt(attempt.inputs, self._policy)
        except PromptBlocked as blocked:
            note_found("prompt", blocked.categories, "block")
            raise
        note_found("prompt", attempt.verdict.labels, "blur" if attempt.verdict.blur else "label")

    @step
    def write_request(self, attempt: LiveAttempt) -> None:
        """Make the folder for the files, and what the engine will be told."""
        attempt.request = request_of(attempt)

    @step
    def store_artifacts(self, attempt: LiveAttempt) -> None:
        """Put every file where it will stay."""
        crash_point(CrashPoint.BEFORE_STORE)
        attempt.enter("storing")
        with self._watched("store", attempt):
            self._store.put_files(attempt)

    @step
    def write_manifest(self, attempt: LiveAttempt) -> None:
        """Put the list of the files beside them, by whose digest readers will follow them."""
        with self._watched("store", attempt):
            self._store.put_manifest(attempt)

    @step
    def commit(self, attempt: LiveAttempt) -> None:
        """Make the files the job's result. The queue refuses when a cancel or another attempt came first."""
        self._tell(lambda: tell_deltas(self._queue, attempt))
        crash_point(CrashPoint.BEFORE_COMMIT)
        attempt.unanswered = True
        tries = 0

        def commit() -> Committed:
            nonlocal tries
            tries += 1
            return self._queue.commit(
                attempt.job.id, attempt.id, attempt.manifest_key, attempt.manifest_sha256, attempt.artifacts
            )

        answer = self._tell(commit)
        # An earlier try may have counted, and its record have been archived since.
        attempt.unanswered = answer is Committed.FENCED and tries > 1
        crash_point(CrashPoint.AFTER_COMMIT)
        if answer is not Committed.OK:
            attempt.failure = NOTHING_TO_TELL
        if answer in FINAL:
            counts.finished(attempt, FINAL[answer])

    def settle(self, attempt: LiveAttempt) -> None:
        """Tell the queue of a failure. If it cannot be told, the lease expires and the job runs again."""
        failure = attempt.failure
        if failure is None or failure.outcome is Outcome.LOST:
            return
        if failure.error is not None and failure.error.type == StorageRefuses.type:
            self._storage_watch.refused()
        try:
            self._tell(lambda: tell_deltas(self._queue, attempt))
            crash_point(CrashPoint.BEFORE_REQUEUE)
            answer = self._tell(
                lambda: self._queue.requeue(attempt.job.id, attempt.id, failure.outcome, failure.error)
            )
            crash_point(CrashPoint.AFTER_REQUEUE)
        except (StateUnavailable, Interrupted) as error:
            log.error("The end of an attempt could not be told", action="attempt.untold", error=str(error))
            return
        if answer in FINAL:
            counts.finished(attempt, FINAL[answer])

    def clean_up(self, attempt: LiveAttempt) -> None:
        """Remove the files here, those that an attempt without a result has stored, and log how it ended."""
        if attempt.in_run and attempt.stop is not None:
            self._late.append(attempt.folder)
        else:
            self._scratch.remove(attempt.folder)
        if attempt.failure is not None and attempt.made and not attempt.unanswered:
            self._store.drop(attempt)
        counts.ended(attempt)
        log.info("An attempt has ended", action="attempt.ended", **attempt.summary())

    def _watched(self, what: str, attempt: LiveAttempt) -> AbstractContextManager[None]:
        """If the block hangs, the job is given back as failed, and the process ends."""
        failure = failure_of(StorageUnavailable(), attempt)
        return self._watchdog.over(
            what,
            lambda: self._queue.requeue(attempt.job.id, attempt.id, failure.outcome, failure.error),
        )

    def _tell(self, call: Callable[[], Answer]) -> Answer:
        """The queue's answer, waited for while the state server is away; Interrupted when the drain is
        over.
        """
        return persist(call, self._patience, self._check_drain)

    def _check_drain(self) -> None:
        if self._drain.over:
            raise Interrupted(Stop.RELEASED)
