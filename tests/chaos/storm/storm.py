"""One storm: real parts under load, killed by a plan, kept running, until every accepted job is final."""

import os
import signal
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from tests.chaos.storm.client import Submitter
from tests.chaos.storm.deployment import Deployment
from tests.chaos.storm.ledger import Ledgers, now_ms
from tests.chaos.storm.part import READY_SECONDS, Part
from tests.chaos.storm.plan import Kill, Victim, is_long, make_plan
from tests.chaos.storm.size import Size
from tests.chaos.storm.telling import Telling
from tests.chaos.storm.watch import Watch
from tests.servers import wait_for

TURN_SECONDS = 0.02
INTERRUPTION = 0
"""Number of kills that were not planned: the end of an earlier run."""
HUNT_SECONDS = 3.0
"""How long a kill waits for a victim that is there: a long job that runs, a worker that has started."""
TELL_SECONDS = 180.0
"""A message whose dispatcher was killed is sent again after a minute."""
QUIET_SECONDS = 180.0
"""After the last submission every job must have ended within this time without progress in between."""


class Storm:
    """Runs in one thread, apart from the client's and the watch's. `tell` is given a line of progress every
    few seconds.
    """

    def __init__(self, folder: Path, size: Size, tell: Callable[[str], None], **changes: object) -> None:
        self.size = size
        folder.mkdir(parents=True, exist_ok=True)
        self.ledgers = Ledgers(folder)
        self.telling = Telling(folder, self.ledgers.messages)
        self.deployment = Deployment(folder, size.workers, webhook_allow=self.telling.allow, **changes)
        self._tell = tell
        self._told = 0.0
        self.watch = Watch(self.deployment, self.ledgers.samples)
        self.submitter = Submitter(
            seed=size.seed,
            jobs=size.jobs,
            make_client=self.deployment.client,
            ledgers=self.ledgers,
            final=lambda: self.watch.final,
            webhook=self._webhook,
        )
        self._servers = {
            Victim.API: self.deployment.api,
            Victim.STATE: self.deployment.state,
            Victim.BROKER: self.deployment.broker,
            Victim.STORAGE: self.deployment.storage,
        }
        killed = {line["number"] for line in self.ledgers.kills.lines()}
        plan = make_plan(size.seed, size.jobs, size.kills)
        self._due = deque(kill for kill in plan if kill.number not in killed)
        self._waiting_since: float | None = None
        self._note_interruption()

    def _note_interruption(self) -> None:
        """When an earlier run was cut short, its workers were killed by that."""
        for part in self.deployment.workers:
            if worker_id := part.earlier_worker_id():
                self.ledgers.kills.write(
                    number=INTERRUPTION, at=now_ms(), victim=Victim.WORKER.value, part=part.name, pid=0,
                    worker=worker_id,
                )  # fmt: skip

    def run(self) -> None:
        """From the start of the parts until the workers are drained; then the state is quiet and complete."""
        self.deployment.start()
        with self.telling.serving():
            with self.deployment.client() as client:
                self.telling.subscribe(client)
            self.watch.start()
            self.submitter.start()
            self._rage(until=time.monotonic() + 60 * self.size.minutes)
            self._settle()
            wait_for(lambda: not self.watch.untold(), TELL_SECONDS, "an empty outbox")
        self.deployment.drain_workers()
        self.watch.look()
        self.watch.stop()

    def stop(self) -> None:
        self.deployment.stop()

    def _webhook(self, number: int) -> str | None:
        every = self.size.told_every
        return self.telling.endpoint_id if every and number % every == 0 else None

    @property
    def _calm(self) -> bool:
        """Whether everything that was accepted has ended."""
        return self.submitter.done and self.watch.final >= self.submitter.count and not self.watch.open

    def _rage(self, until: float) -> None:
        """Submit and kill until all is done, or the time is up."""
        while (self._due or not self._calm) and time.monotonic() < until:
            self._keep_running()
            if self._due and self.watch.final >= self._due[0].due and self._strike(self._due[0]):
                self._due.popleft()
                self._waiting_since = None
            self._turn()

    def _settle(self) -> None:
        """Let everything that was accepted end, as long as something goes on."""
        self.submitter.ask_to_stop()
        last, quiet_since = -1, time.monotonic()
        while not self._calm and time.monotonic() - quiet_since < QUIET_SECONDS:
            self._keep_running()
            if self.watch.final != last:
                last, quiet_since = self.watch.final, time.monotonic()
            self._turn()
        for part in self.deployment.parts:  # the last kill may have been a moment ago
            wait_for(partial(self._back, part), READY_SECONDS, f"{part.name}, logging to {part.log},")

    def _back(self, part: Part) -> bool:
        self._keep_running()
        return part.ready

    def _turn(self) -> None:
        self._report()
        time.sleep(TURN_SECONDS)

    def _keep_running(self) -> None:
        for part, code in self.deployment.keep_running():
            self.ledgers.ends.write(at=now_ms(), part=part.name, code=code)

    # Kills

    def _strike(self, kill: Kill) -> bool:
        """Carry out one kill; False while its victim is not there."""
        if kill.victim in self._servers:
            return self._kill_part(kill, self._servers[kill.victim])
        if kill.victim is Victim.API_CHILD:
            return self._kill_child(kill, self.deployment.api, self.deployment.api.child())
        found = self._choose_worker(kill)
        if found is None:
            return False
        part, known = found
        if kill.victim is Victim.WORKER:
            return self._kill_part(kill, part, **known)
        return self._kill_child(kill, part, part.child("workers.engine"), **known)

    def _choose_worker(self, kill: Kill) -> tuple[Part, dict[str, str]] | None:
        """The worker to hit, and what is known of it: its id and the job that it has."""
        parts = {worker_id: part for part in self.deployment.workers if (worker_id := part.worker_id())}
        runs = {worker_id: job for worker_id, job in self.watch.runs().items() if worker_id in parts}
        if kill.victim is Victim.HUNTED_ENGINE and self._is_patient():
            prey = {
                worker_id: job.crashes for worker_id, job in runs.items() if is_long(job.metadata["number"])
            }
            chosen = max(prey, key=lambda worker_id: prey[worker_id], default=None)
        else:
            chosen = sorted(parts)[int(kill.choice * len(parts))] if parts else None
        if chosen is None:
            return None
        known = {"worker": chosen}
        return parts[chosen], known | ({"job": runs[chosen].id} if chosen in runs else {})

    def _is_patient(self) -> bool:
        """Whether the hunt for a long job is young enough to go on waiting for one."""
        if self._waiting_since is None:
            self._waiting_since = time.monotonic()
        return time.monotonic() - self._waiting_since < HUNT_SECONDS

    def _kill_part(self, kill: Kill, part: Part, **known: str) -> bool:
        if (process := part.process) is None:
            return False
        self._log(kill, part, process.pid, **known)
        part.kill(kill.down_seconds)
        return True

    def _kill_child(self, kill: Kill, part: Part, child: psutil.Process | None, **known: str) -> bool:
        if child is None:
            return False
        self._log(kill, part, child.pid, **known)
        with suppress(ProcessLookupError):
            os.kill(child.pid, signal.SIGKILL)
        return True

    def _log(self, kill: Kill, part: Part, pid: int, **known: str) -> None:
        self.ledgers.kills.write(
            number=kill.number, at=now_ms(), victim=kill.victim.value, part=part.name, pid=pid,
            down_seconds=kill.down_seconds, final=self.watch.final, **known,
        )  # fmt: skip

    def _report(self) -> None:
        if time.monotonic() - self._told < 5:
            return
        self._told = time.monotonic()
        killed = self.size.kills + self.size.kills // 20 - len(self._due)
        self._tell(
            f"{self.watch.final} of {self.size.jobs} jobs ended, {self.watch.open} open, {killed} kills"
        )
