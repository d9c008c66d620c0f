"""A master, two replicas and a sentinel that watches them."""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from infra.embedded import tether
from tests.servers import StateServer, free_port, wait_for

SERVICE = "atelier"
CONFIGURATION = """
port {port}
dir {folder}
sentinel monitor {service} 127.0.0.1 {master} 1
sentinel down-after-milliseconds {service} 500
sentinel failover-timeout {service} 5000
"""


@dataclass
class SentinelGroup:
    """`servers[0]` is the first master."""

    servers: list[StateServer]
    port: int
    """The sentinel's."""

    @property
    def url(self) -> str:
        """For ATELIER_REDIS_URL; the first sentinel that it names is not there."""
        return f"redis+sentinel://127.0.0.1:{free_port()},127.0.0.1:{self.port}/{SERVICE}"

    def master(self) -> StateServer:
        """The one that the sentinel names now."""
        with redis.Redis(port=self.port, decode_responses=True, protocol=2) as sentinel:
            port = int(sentinel.sentinel_masters()[SERVICE]["port"])
        return next(server for server in self.servers if server.port == port)


@contextmanager
def sentinel_group(
    program: str, folder: Path, start_server: Callable[..., StateServer]
) -> Iterator[SentinelGroup]:
    """All of them up, the replicas in step."""
    master = start_server(program, port=free_port())
    options = (*master.options, "--replicaof", "127.0.0.1", str(master.port))
    replicas = [start_server(program, port=free_port(), options=options) for _ in range(2)]
    group = SentinelGroup([master, *replicas], free_port())
    folder.mkdir()
    file = folder / "sentinel.conf"
    file.write_text(CONFIGURATION.format(port=group.port, folder=folder, service=SERVICE, master=master.port))
    with (folder / "log").open("wb") as log:
        process = tether.start([program, str(file), "--sentinel"], stdout=log, stderr=log)
    try:
        wait_for(lambda: _sees_all(group), 20, f"a sentinel that sees all, logging to {folder}/log,")
        yield group
    finally:
        _end(process)


def _sees_all(group: SentinelGroup) -> bool:
    try:
        with redis.Redis(port=group.port, decode_responses=True, protocol=2) as sentinel:
            replicas = sentinel.sentinel_slaves(SERVICE)
    except redis.ConnectionError:
        return False
    return [replica["master-link-status"] for replica in replicas] == ["ok", "ok"]


def _end(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(10)
