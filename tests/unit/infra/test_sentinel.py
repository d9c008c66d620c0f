"""URLs of a state server behind Sentinel, and connections that follow the master."""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.connections import check_durable, connect
from infra.errors import BadSetting, NotDurable, StateUnavailable
from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.sentinel import Address, parse
from infra.settings import load_settings
from tests.chaos.sentinel_group import SentinelGroup, sentinel_group
from tests.servers import StateServer, redis_program, valkey_program, wait_for
from tests.unit.jobs.conftest import Bench


@pytest.fixture
def group(start_server: Callable[..., StateServer], tmp_path: Path) -> Iterator[SentinelGroup]:
    with sentinel_group(valkey_program(), tmp_path / "sentinel", start_server) as group:
        yield group


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("redis+sentinel://a/atelier", Address([("a", 26379)], "atelier", {})),
        (
            "redis+sentinel://bob:p%40ss@a:1,b,[::1]:2/atelier/3",
            Address(
                [("a", 1), ("b", 26379), ("::1", 2)],
                "atelier",
                {"username": "bob", "password": "p@ss", "db": 3},
            ),
        ),
        ("redis+sentinel://:secret@a/x", Address([("a", 26379)], "x", {"password": "secret"})),
    ],
)
def test_urls(url: str, address: Address) -> None:
    assert parse(url) == address


@pytest.mark.parametrize(
    "end", ["", "a", "a/", "/atelier", "a,/atelier", "a:b/atelier", "a/atelier/x", "a/atelier?x=1", "[g]/x"]
)
def test_urls_without_sense(end: str) -> None:
    with pytest.raises(BadSetting, match="SERVICE"):
        connect(f"redis+sentinel://{end}")


def test_the_broker_is_another_server() -> None:
    with pytest.raises(BadSetting, match="broker_url"):
        load_settings({"ATELIER_REDIS_URL": "redis+sentinel://a/atelier"})


def test_clients_follow_the_master(group: SentinelGroup) -> None:
    # Given a client with a connection to the master
    with connect(group.url) as client:
        client.set("a", 1)
        old = group.master()
        # When the master hangs, and another one takes over
        old.freeze()
        wait_for(lambda: group.master() is not old, 20, "a failover")
        # Then the client writes there, also when the old one is back and believes itself master
        wait_for(lambda: answers(client), 20, "an answer of the new master")
        os.kill(old.pid, signal.SIGCONT)
        client.set("b", 1)
        with group.master().client() as direct:
            assert direct.get("b") == "1"


def answers(client: object) -> bool:
    try:
        check_durable(client)  # type: ignore[arg-type]
    except StateUnavailable:
        return False
    return True


def test_without_a_replica_nothing_is_accepted(start_server: Callable[..., StateServer]) -> None:
    with start_server().client() as client:
        durability = check_durable(client, "replicated")
        queue = JobQueue(client, limits=Limits(), durability=durability)
        with pytest.raises(StateUnavailable, match="did not confirm"):
            queue.enqueue([Bench(client).new()])


def test_a_server_that_cannot_tell_of_its_replicas(start_server: Callable[..., StateServer]) -> None:
    with start_server(redis_program()).client() as client, pytest.raises(NotDurable, match=r"7\.2"):
        check_durable(client, "replicated")
