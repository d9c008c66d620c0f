"""The engine: the child process that owns the device. `python -m workers.engine`, started by
`engine_client.Engine`.

It loads models, runs requests and encodes what they make into files. It may hang, crash or be killed at any
moment: everything that must survive is the parent's. It ends as soon as its pipe closes, even in the midst
of a computation.
"""

import argparse
import ctypes
import faulthandler
import os
import resource
import signal
import sys
import threading
from collections import deque
from collections.abc import Sequence

from infra.crash_points import arm
from infra.settings import load_settings
from pipelines.catalog import Catalog
from pipelines.safety import policy_of
from pipelines.safety.guard import Guard
from workers.engine_cache import PipelineCache
from workers.engine_errors import ORPHANED
from workers.engine_finish import FinisherBehind
from workers.engine_memory import DeviceMemory
from workers.engine_runner import Runner
from workers.marks import marks_of
from workers.messages import Message, PipeClosed, Receiver, Sender
from workers.trials import Trials

PR_SET_PDEATHSIG = 1
STOPS_KEPT = 1000


def main(argv: list[str] | None = None) -> int:
    """Serve the parent's orders until it closes the pipe."""
    options = _parse(argv)
    _die_with(options.parent)
    _leave_signals_to_parent()
    settings = load_settings()
    arm(settings.crash_at)
    faulthandler.enable()  # SIGABRT, by which a hung engine is ended, prints where every thread was
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core of an engine is as large as the model
    sender = Sender(options.write)
    inbox = Inbox(Receiver(options.read))
    inbox.start()
    guard = Guard(policy_of(settings), list(Catalog.load(settings.catalog_files).classifiers.values()))
    trials = Trials() if settings.run_code else None
    try:
        _open(options.device)
        cache = _cache(options, sender)
        runner = Runner(sender, inbox, cache, FinisherBehind(sender, guard, marks_of(settings), trials))
        sender.send("ready", pid=os.getpid(), **cache.report())
        while True:
            runner.obey(inbox.next())
    except PipeClosed:
        return ORPHANED


class Inbox(threading.Thread):
    """Reads the parent's orders: keeps runs and joins for the main thread, notes stops at once, ends the
    process at the end.

    The end is `os._exit`, since the main thread may be in the midst of a computation that hears nothing.
    """

    def __init__(self, receiver: Receiver) -> None:
        super().__init__(name="inbox", daemon=True)
        self._receiver = receiver
        self._orders: deque[Message] = deque()
        self._stopped: dict[str, None] = {}
        """The requests that were stopped last, by age: what has run may have yet to be written."""
        self._news = threading.Condition()

    def run(self) -> None:
        try:
            for message in self._receiver:
                with self._news:
                    if message["is"] == "stop":
                        self._note_stop(message["request"])
                    else:
                        self._orders.append(message)
                        self._news.notify()
        finally:
            os._exit(ORPHANED)

    def next(self) -> Message:
        """The next order; waits for it."""
        with self._news:
            self._news.wait_for(lambda: self._orders)
            return self._orders.popleft()

    def _note_stop(self, request: str) -> None:
        self._stopped[request] = None
        if len(self._stopped) > STOPS_KEPT:
            del self._stopped[next(iter(self._stopped))]

    def joining(self, model: Message, kinds: Sequence[str]) -> Message | None:
        """The next order, if it is one to join a run of this model that takes requests of these kinds."""
        with self._news:
            order = self._orders[0] if self._orders else None
            if order is None or order["is"] != "join" or order["model"] != model:
                return None
            if any(request["kind"] not in kinds for request in order["requests"]):
                return None
            return self._orders.popleft()

    def stopped(self, request: str) -> bool:
        """Whether the parent wants this request to end."""
        return request in self._stopped


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m workers.engine", description=__doc__)
    parser.add_argument("--parent", type=int, required=True, help="pid of the worker")
    parser.add_argument("--read", type=int, required=True, help="descriptor of the pipe from the worker")
    parser.add_argument("--write", type=int, required=True, help="descriptor of the pipe to the worker")
    parser.add_argument("--device", required=True, help="cpu or cuda:N")
    parser.add_argument("--memory", required=True, help="what loaded models may fill: auto, 80%%, 24GB")
    return parser.parse_args(argv)


def _cache(options: argparse.Namespace, sender: Sender) -> PipelineCache:
    memory = DeviceMemory(options.device)

    def on_unload(name: str, why: str) -> None:
        sender.send("unloaded", model=name, why=why, **cache.report())

    cache = PipelineCache(options.device, memory.budget(options.memory), memory, on_unload)
    return cache


def _die_with(parent: int) -> None:
    """Have the kernel kill this process when its parent ends: the pipe cannot reach code that holds the
    GIL.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the line above
        sys.exit(ORPHANED)


def _open(device: str) -> None:
    """Touch a GPU before any job is claimed for it, so that a broken driver costs no job an attempt."""
    if device != "cpu":
        import torch

        torch.empty(1, device=device)


def _leave_signals_to_parent() -> None:
    """Ctrl-C and a service manager's SIGTERM reach the whole group, but it is the parent that drains."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


if __name__ == "__main__":
    sys.exit(main())
