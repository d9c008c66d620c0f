"""Looks at the queue while a storm goes on: how many jobs have ended, and who runs what."""

import threading
import time

from infra.errors import StateUnavailable
from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.jobs.record import Job
from infra.webhooks.outbox import Outbox
from tests.chaos.storm.deployment import Deployment
from tests.chaos.storm.ledger import Ledger, now_ms

LOOK_SECONDS = 0.2
SAMPLE_SECONDS = 1.0


class Watch:
    """A thread that asks the state server itself. While that is away, the last answer stays."""

    def __init__(self, deployment: Deployment, samples: Ledger) -> None:
        state = deployment.state_client()
        self._queue = JobQueue(state, limits=Limits.from_settings(deployment.settings))
        self._outbox = Outbox(state)
        self._samples = samples
        self._next_sample = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.final = 0
        """Jobs that have ended so far."""
        self.open = 0
        """Jobs that are queued or running."""

    def start(self) -> None:
        self.look()
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def look(self) -> None:
        stats = self._queue.queue_stats()
        self.final = sum(queue.succeeded + queue.failed + queue.cancelled for queue in stats)
        running = sum(queue.running for queue in stats)
        queued = sum(queue.ready + queue.delayed + queue.waiting for queue in stats)
        self.open = queued + running
        if time.monotonic() >= self._next_sample:
            self._next_sample = time.monotonic() + SAMPLE_SECONDS
            self._samples.write(at=now_ms(), final=self.final, queued=queued, running=running)

    def runs(self) -> dict[str, Job]:
        """The job of each worker that has one, as far as is known now."""
        try:
            infos = self._queue.workers()
            return {info.card.id: self._queue.get(info.jobs[0]) for info in infos if info.jobs}
        except StateUnavailable:
            return {}

    def untold(self) -> int:
        """Messages to webhooks that are still to be sent."""
        return self._outbox.backlog().pending

    def _run(self) -> None:
        while not self._stopped.wait(LOOK_SECONDS):
            try:
                self.look()
            except StateUnavailable:
                continue
