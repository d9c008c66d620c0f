"""Stacks for the end-to-end tests."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from atelier import Client
from atelier.ports import free_port
from tests import servers
from tests.e2e.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One stack for all tests that leave it as it was: one worker, the fake family."""
    running = Stack(tmp_path_factory.mktemp("shared"))
    running.start()
    assert running.process is not None
    servers.kept.add(running.process.pid)
    yield running
    running.stop()


@pytest.fixture
def client(stack: Stack) -> Iterator[Client]:
    with Client(stack.url, "") as made:
        yield made


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """A stack of the test's own, in `tmp_path/home`, ended after the test."""
    made: list[Stack] = []

    def make(workers: int = 1, **settings: str) -> Stack:
        made.append(Stack(tmp_path / "home", workers, settings))
        return made[-1]

    yield make
    for each in made:
        each.end_at_once()


@pytest.fixture
def unused_port() -> int:
    return free_port("127.0.0.1")
