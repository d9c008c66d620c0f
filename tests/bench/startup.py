"""(i) How soon each process is ready, and what it takes of memory."""

import http.client
import time
from collections.abc import Callable

import psutil

from tests.bench.figures import Goal, Result, Size
from tests.bench.parts import Bench, bench
from tests.chaos.storm.part import Part
from tests.integration.cluster import READY_SECONDS, Cluster
from tests.servers import wait_for

MIB = 2**20

UNITS = {
    "api": "API, from its start until `/readyz` says 200, s",
    "api_memory": "API, the serving process and gunicorn's parent together, MiB",
    "worker": "worker, from its start until it has claimed, s",
    "parent_memory": "worker's parent, MiB",
    "engine_memory": "engine with the fake family (no torch), MiB",
    "state_memory": "state server with nothing in it, MiB",
}
GOALS = (
    Goal("api", "≤", 1.0, "API ready within 1.0 s"),
    Goal("api_memory", "≤", 120.0, "API ≤ 120 MiB"),
    Goal("parent_memory", "≤", 120.0, "worker's parent ≤ 120 MiB"),
)


def run(size: Size) -> Result:
    """Started anew for each run, one after the other."""
    result = Result(
        "startup",
        "Start-up and memory",
        "Each process is started anew for each run on servers that run already. Memory is the"
        " proportional set size (PSS: what processes share is divided among them), of the API after"
        " its first answer, of the worker after its first claim.",
        UNITS,
        GOALS,
    )
    with bench() as ours:
        for number in range(size.runs):
            result.add(**_api(ours), **_worker(ours), state_memory=_pss(psutil.Process(ours.state.pid)))
            size.tell(f"startup {number + 1}/{size.runs}: API {result.runs['api'][-1]:.2f} s")
    return result


def _api(ours: Bench) -> dict[str, float]:
    part = ours.api()
    seconds = _seconds(part.start, lambda: _is_ready(ours.settings.port))
    try:
        return {"api": seconds, "api_memory": _pss_of_all(part)}
    finally:
        part.stop()


def _worker(ours: Bench) -> dict[str, float]:
    cluster = Cluster(ours.settings, ours.folder)
    begun = time.perf_counter()
    worker = cluster.start_worker()
    seconds = time.perf_counter() - begun
    try:
        engine = worker.wait_for_engine()
        return {
            "worker": seconds,
            "parent_memory": _pss(psutil.Process(worker.pid)),
            "engine_memory": _pss(psutil.Process(engine)),
        }
    finally:
        cluster.close()


def _seconds(start: Callable[[], object], ready: Callable[[], bool]) -> float:
    begun = time.perf_counter()
    start()
    wait_for(ready, READY_SECONDS, "the process is ready")
    return time.perf_counter() - begun


def _is_ready(port: int) -> bool:
    """Without a client that would take the processor from who starts."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _pss_of_all(part: Part) -> float:
    assert part.process is not None
    return sum(_pss(process) for process in (part.process, *part.process.children(recursive=True)))


def _pss(process: psutil.Process) -> float:
    return float(process.memory_full_info().pss) / MIB
