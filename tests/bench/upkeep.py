"""`python -m tests.bench.upkeep`: what a process that rests, or waits for its engine, asks of the servers.

From it docs/scaling.md computes how many processes one state server can bear.
"""

import argparse
import sys
import time
from dataclasses import dataclass
from typing import Any, cast

import redis

from tests.bench.parts import Bench, bench, running
from tests.integration.cluster import Cluster
from tests.servers import wait_for

SETTLE_SECONDS = 5.0
"""After which what starts and loads once is over."""


@dataclass(frozen=True)
class Cost:
    """Of one second, on one server."""

    trips: float
    """Reads from sockets: a call or a pipeline of them is one."""
    milliseconds: float
    """Of its processor."""
    aof_bytes: float
    connections: int


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.upkeep", description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each is watched")
    options = parser.parse_args(argv)
    print("| | | Round trips/s | Processor, ms/s | Append-only file, bytes/s | Connections |")
    print("|---|---|---|---|---|---|")
    with bench() as ours:
        _watch(ours, "nobody", options.seconds)
        with running(ours.api()):
            _watch(ours, "an API process, idle", options.seconds)
        cluster = Cluster(ours.settings, ours.folder)
        try:
            cluster.start_worker()
            _watch(ours, "a worker, idle", options.seconds)
            seconds = 2 * options.seconds + 4 * SETTLE_SECONDS
            job = cluster.submit(f"steps=1 sleep={seconds:g}")
            wait_for(lambda: cluster.job(job.id).attempt_id, 30, "a claim")
            _watch(ours, "a worker, busy", options.seconds)
        finally:
            cluster.close()
    return 0


def _watch(ours: Bench, who: str, seconds: float) -> None:
    time.sleep(SETTLE_SECONDS)
    servers = {"state": ours.state.client(), "broker": ours.broker.client()}
    before = {name: _counts(client) for name, client in servers.items()}
    time.sleep(seconds)
    for name, client in servers.items():
        cost = _cost(before[name], _counts(client), seconds)
        print(
            f"| {who} | {name} | {cost.trips:.2f} | {cost.milliseconds:.2f} | {cost.aof_bytes:,.0f} |"
            f" {cost.connections} |",
            flush=True,
        )


def _counts(client: redis.Redis) -> dict[str, float]:
    """Counters of a server, and its connections but for our own; to ask is two trips."""
    found: dict[str, Any] = cast(dict[str, Any], client.info("all"))
    clients = cast(list[dict[str, str]], client.client_list())
    return {
        "trips": found["total_reads_processed"],
        "processor": found["used_cpu_user"] + found["used_cpu_sys"],
        "aof": found.get("aof_current_size", 0),
        "connections": sum(each["name"] != "atelier-tests" for each in clients) - 1,
    }


def _cost(before: dict[str, float], after: dict[str, float], seconds: float) -> Cost:
    def rate(name: str) -> float:
        return (after[name] - before[name]) / seconds

    return Cost(rate("trips"), 1000 * rate("processor"), rate("aof"), int(after["connections"]))


if __name__ == "__main__":
    sys.exit(main())
