"""The steady load of a soak: clients that submit a job, follow it to its end, read its result, and go on."""

import hashlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.chaos.storm.ledger import Ledger, now_ms

CLIENTS = 8
PAUSE_SECONDS = 0.2
CANCELLED_SHARE = 0.05
LONG_SHARE = 0.03
GIVE_UP_SECONDS = 180.0
"""A job that has not ended by then counts as lost."""
FINAL = {"succeeded", "failed", "cancelled"}

Json = dict[str, Any]


@dataclass
class Tally:
    """What the clients have seen."""

    accepted: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    attempts: dict[str, int] = field(default_factory=dict)
    """Outcomes of all attempts."""
    retries: int = 0
    """Requests that had to be sent again."""
    problems: list[str] = field(default_factory=list)


class Load:
    """Some clients, which together begin `per_second` jobs a second as long as they are not held up."""

    def __init__(
        self, seed: int, per_second: float, make_client: Callable[[], httpx.Client], ledger: Ledger
    ) -> None:
        self._dice = random.Random(seed)
        self._seed = seed
        self._every = 1 / per_second
        self._next = time.monotonic()
        self._number = 0
        self._make_client = make_client
        self._ledger = ledger
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(CLIENTS)]
        self.tally = Tally()

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Begin no more jobs; returns when all that were begun have been seen to end."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        with self._make_client() as client:
            for number, luck in self._numbers():
                try:
                    self._one(client, number, luck)
                except _Lost as lost:
                    with self._lock:
                        self.tally.problems.append(str(lost))

    def _numbers(self) -> Iterator[tuple[int, float]]:
        """The next job, when it is time for one."""
        while not self._stopped.is_set():
            with self._lock:
                due = time.monotonic() >= self._next
                if due:
                    self._next = max(self._next, time.monotonic() - 1) + self._every
                    self._number += 1
                    turn = self._number, self._dice.random()
            if due:
                yield turn
            else:
                time.sleep(0.02)

    def _one(self, client: httpx.Client, number: int, luck: float) -> None:
        key = {"Idempotency-Key": f"soak-{self._seed}-{number}"}
        job = self._ask(client, "POST", "/v1/jobs", json=_body(number, luck), headers=key).json()
        with self._lock:
            self.tally.accepted += 1
        if luck > 1 - CANCELLED_SHARE:
            self._ask(client, "POST", job["urls"]["cancel"])
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while job["status"] not in FINAL:
            if time.monotonic() > give_up:
                raise _Lost(f"{job['id']} is still {job['status']} after {GIVE_UP_SECONDS:g} s")
            job = self._ask(client, "GET", job["urls"]["self"], headers={"Prefer": "wait=5"}).json()
        problems = list(self._faults(client, job))
        self._note(number, job, problems)

    def _faults(self, client: httpx.Client, job: Json) -> Iterator[str]:
        """What is wrong with a job that has ended."""
        outcomes = [attempt.get("outcome") for attempt in job["attempts"]]
        succeeded = job["status"] == "succeeded"
        if outcomes.count("succeeded") != succeeded or (succeeded and outcomes[-1] != "succeeded"):
            yield f"{job['id']} is {job['status']} after attempts that {outcomes}"
        if bool(job["artifacts"]) != succeeded:
            yield f"{job['id']} is {job['status']} with {len(job['artifacts'])} artifacts"
        for artifact in job["artifacts"]:
            content = self._ask(client, "GET", artifact["url"]).content
            if hashlib.sha256(content).hexdigest() != artifact["sha256"]:
                yield f"{artifact['url']} has other bytes than its digest says"
        if job["attempts"]:
            events = self._ask(client, "GET", job["urls"]["events"]).text
            ends = [line for line in events.splitlines() if line in ENDS]
            if ends != [f"event: job.{job['status']}"]:
                yield f"{job['id']} is {job['status']}, and its events tell {ends}"

    def _note(self, number: int, job: Json, problems: list[str]) -> None:
        outcomes = [attempt.get("outcome") for attempt in job["attempts"]]
        self._ledger.write(number=number, job=job["id"], status=job["status"], outcomes=outcomes, at=now_ms())
        with self._lock:
            self.tally.by_status[job["status"]] = self.tally.by_status.get(job["status"], 0) + 1
            for outcome in outcomes:
                self.tally.attempts[outcome] = self.tally.attempts.get(outcome, 0) + 1
            self.tally.problems += problems

    def _ask(self, client: httpx.Client, method: str, path: str, **options: Any) -> httpx.Response:
        """The answer, asked for again while the API cannot give one."""
        give_up = time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < give_up:
            try:
                answer = client.request(method, path, **options)
            except httpx.TransportError:
                pass
            else:
                if answer.is_success:
                    return answer
                if answer.status_code != 503:
                    raise _Lost(f"{method} {path} was answered {answer.status_code}: {answer.text[:300]}")
            with self._lock:
                self.tally.retries += 1
            time.sleep(PAUSE_SECONDS)
        raise _Lost(f"{method} {path} was not answered within {GIVE_UP_SECONDS:g} s")


ENDS = {f"event: job.{status}" for status in FINAL}


class _Lost(Exception):
    """A job, or an answer, that does not come."""


def _body(number: int, luck: float) -> Json:
    words = "steps=20 sleep=0.1" if luck < LONG_SHARE else "steps=2 sleep=0.02"
    return {
        "kind": "text-to-image",
        "model": "test/fake",
        "inputs": {"prompt": f"job {number} {words}", "seed": number, "width": 64, "height": 64},
    }
