"""The client of a storm: submits every job under an Idempotency-Key until the API says 202, however long that
takes.
"""

import threading
import time
from collections.abc import Callable

import httpx

from tests.chaos.storm.ledger import Ledgers, now_ms
from tests.chaos.storm.plan import body

ACCEPTED = 202
THREADS = 3
PAUSE_SECONDS = 0.1
BACKLOG = 60
"""Jobs that may be accepted and not final: enough for every worker, few enough to end soon."""


def key_of(seed: int, number: int) -> str:
    """The Idempotency-Key of job `number`."""
    return f"storm-{seed}-{number}"


class Submitter:
    """Threads that submit jobs 0 to `jobs` - 1, leaving out those that an earlier run got accepted. No more
    than BACKLOG are open at a time; `final` says how many have ended.
    """

    def __init__(
        self,
        *,
        seed: int,
        jobs: int,
        make_client: Callable[[], httpx.Client],
        ledgers: Ledgers,
        final: Callable[[], int],
        webhook: Callable[[int], str | None],
    ) -> None:
        self._seed = seed
        self._ledgers = ledgers
        self._make_client = make_client
        self._final = final
        self._webhook = webhook
        done = {line["number"] for line in ledgers.accepted.lines()}
        self.count = len(done)
        """Jobs accepted so far."""
        self._left = iter([number for number in range(jobs) if number not in done])
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(THREADS)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def ask_to_stop(self) -> None:
        """Begin no more jobs; those that were begun are still submitted until they are accepted."""
        self._stopped.set()

    @property
    def done(self) -> bool:
        return not any(thread.is_alive() for thread in self._threads)

    def _run(self) -> None:
        with self._make_client() as client:
            while (number := self._next()) is not None:
                self._submit(client, number)

    def _next(self) -> int | None:
        while not self._stopped.is_set():
            with self._lock:
                if self.count - self._final() < BACKLOG:
                    return next(self._left, None)
            time.sleep(PAUSE_SECONDS / 4)
        return None

    def _submit(self, client: httpx.Client, number: int) -> None:
        tries = 1
        while (answer := self._ask(client, number)) is None:
            tries += 1
            time.sleep(PAUSE_SECONDS)
        replayed = "Idempotency-Replayed" in answer.headers
        self._ledgers.accepted.write(
            number=number, job=answer.json()["id"], tries=tries, replayed=replayed, at=now_ms()
        )
        with self._lock:
            self.count += 1

    def _ask(self, client: httpx.Client, number: int) -> httpx.Response | None:
        """The 202, or None: then the job may or may not have been accepted."""
        try:
            answer = client.post(
                "/v1/jobs",
                json=body(self._seed, number, self._webhook(number)),
                headers={"Idempotency-Key": key_of(self._seed, number)},
            )
        except httpx.TransportError as error:
            self._note(number, type(error).__name__)
            return None
        if answer.status_code == ACCEPTED:
            return answer
        self._note(number, str(answer.status_code))
        return None

    def _note(self, number: int, what: str) -> None:
        self._ledgers.refusals.write(number=number, at=now_ms(), what=what)
