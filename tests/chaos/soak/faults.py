"""What happens to a deployment while it soaks: faults that come and go, one after the other, by a seed."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from infra.jobs.scripts import PREFIX
from tests.chaos.proxy import Proxy, Way
from tests.chaos.storm.deployment import Deployment
from tests.chaos.storm.ledger import Ledger, now_ms
from tests.chaos.storm.part import Part

SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 6.0  # seconds between two faults

Fault = Callable[["Mischief"], None]


class Mischief:
    """A thread that does one fault after the other. Only the mortal worker and its engine are ever killed:
    the memory of the others is measured.
    """

    def __init__(
        self, seed: int, deployment: Deployment, proxies: dict[str, Proxy], mortal: Part, ledger: Ledger
    ) -> None:
        self.dice = random.Random(seed)
        self.deployment = deployment
        self.proxies = proxies
        self.mortal = mortal
        self._ledger = ledger
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Returns when the last fault is over."""
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        names, weights = list(FAULTS), [weight for weight, _ in FAULTS.values()]
        while not self._stopped.wait(self.dice.uniform(SHORTEST_PAUSE, LONGEST_PAUSE)):
            (name,) = self.dice.choices(names, weights)
            began = now_ms()
            FAULTS[name][1](self)
            self._ledger.write(at=began, fault=name, milliseconds=now_ms() - began)

    def seconds(self, least: float, most: float) -> None:
        """Wait that long."""
        time.sleep(self.dice.uniform(least, most))

    def proxy(self, *names: str) -> Proxy:
        return self.proxies[self.dice.choice(names or tuple(self.proxies))]


def kill_engine(mischief: Mischief) -> None:
    if (engine := mischief.mortal.child("workers.engine")) is not None:
        with suppress(ProcessLookupError):
            os.kill(engine.pid, signal.SIGKILL)


def kill_worker(mischief: Mischief) -> None:
    mischief.mortal.kill(mischief.dice.uniform(0, 2))


def freeze_worker(mischief: Mischief) -> None:
    """Sometimes for longer than its lease."""
    _freeze(mischief, mischief.mortal, 1, 20)


def freeze_storage(mischief: Mischief) -> None:
    _freeze(mischief, mischief.deployment.storage, 1, 8)


def _freeze(mischief: Mischief, part: Part, least: float, most: float) -> None:
    if (process := part.process) is not None:
        process.suspend()
        mischief.seconds(least, most)
        process.resume()


def cut(mischief: Mischief) -> None:
    mischief.proxy().cut_once()


def lose_replies(mischief: Mischief) -> None:
    """Requests arrive and their replies do not."""
    mischief.proxy("state of workers", "state of the api").lose_replies(mischief.dice.randint(1, 3))


def hang(mischief: Mischief) -> None:
    _way(mischief, mischief.proxy(), Way.HUNG, 0.5, 4)


def refuse(mischief: Mischief) -> None:
    _way(mischief, mischief.proxy(), Way.CUT, 0.5, 4)


def part_workers(mischief: Mischief) -> None:
    """For longer than a lease: their jobs are lost to others, and they are fenced."""
    _way(mischief, mischief.proxies["state of workers"], Way.HUNG, 16, 20)


def _way(mischief: Mischief, proxy: Proxy, way: Way, least: float, most: float) -> None:
    proxy.way = way
    mischief.seconds(least, most)
    proxy.way = Way.OPEN


def slow_down(mischief: Mischief) -> None:
    proxy = mischief.proxy()
    proxy.delay_seconds = mischief.dice.uniform(0.02, 0.2)
    mischief.seconds(1, 4)
    proxy.delay_seconds = 0.0


def flush_broker(mischief: Mischief) -> None:
    mischief.deployment.broker_client().flushall()


def skew_clock(mischief: Mischief) -> None:
    """The queue's clock jumps, and jumps back."""
    with mischief.deployment.state_client() as state:
        state.set(f"{PREFIX}skew", round(mischief.dice.uniform(-40, 40) * 1000))
        mischief.seconds(0.5, 5)
        state.delete(f"{PREFIX}skew")


FAULTS: dict[str, tuple[int, Fault]] = {
    "engine killed": (4, kill_engine),
    "worker killed": (3, kill_worker),
    "worker frozen for up to 20 s": (2, freeze_worker),
    "S3 server frozen": (3, freeze_storage),
    "connections cut": (5, cut),
    "replies lost": (5, lose_replies),
    "connections hung": (4, hang),
    "connections refused": (4, refuse),
    "workers parted from the state server for longer than a lease": (1, part_workers),
    "everything slow": (3, slow_down),
    "broker emptied": (3, flush_broker),
    "clock skewed": (3, skew_clock),
}
"""How likely each is, and what does it."""
