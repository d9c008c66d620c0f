"""What is on disk when a call returns, and what a dead or hung state server does to callers."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from infra.connections import check_durable, connect
from infra.errors import StateUnavailable
from infra.jobs.answers import Limits
from infra.jobs.queue import JobQueue
from infra.jobs.scripts import FOLDER, source
from tests.servers import StateServer, quickest, valkey_program
from tests.unit.jobs.conftest import CARD, Bench

EVERY_SECOND = ("--appendonly", "yes", "--appendfsync", "everysec")


@pytest.mark.parametrize("options", [EVERY_SECOND, ("--appendonly", "yes", "--appendfsync", "always")])
def test_an_accepted_job_survives_a_kill(
    start_server: Callable[..., StateServer], options: tuple[str, ...]
) -> None:
    server = start_server(valkey_program(), options=options)
    client = server.client()
    bench = Bench(client)
    queue = JobQueue(client, limits=Limits(), durability=check_durable(client))
    new = bench.new()
    queue.enqueue([new])
    job = queue.claim(CARD, "a1")
    assert job is not None
    queue.commit(job.id, "a1", "m", "sha", [])
    server.kill()
    server.start()

    assert queue.get(new.id).manifest == "m"
    client.close()


def test_a_job_that_is_not_confirmed_on_disk_is_not_accepted(
    start_server: Callable[..., StateServer],
) -> None:
    # Given a server without an append-only file, for which WAITAOF answers that nothing is on disk
    server = start_server(valkey_program(), options=("--appendonly", "no"))
    client = server.client()
    queue = JobQueue(client, limits=Limits(), durability="waitaof")

    with pytest.raises(StateUnavailable):
        queue.enqueue([Bench(client).new()])
    client.close()


def test_a_hung_server_is_given_up_in_time(start_server: Callable[..., StateServer]) -> None:
    server = start_server()
    client = connect(server.url)
    bench = Bench(client)
    server.freeze()

    def seconds() -> float:
        begun = time.monotonic()
        with pytest.raises(StateUnavailable):
            bench.add()
        return time.monotonic() - begun

    assert quickest(seconds, 3) < 3
    server.thaw()
    bench.add()
    client.close()


def test_scripts_are_loaded_again_after_a_restart(bench: Bench) -> None:
    job = bench.start()
    bench.state.script_flush()
    bench.commit(job)
    bench.state.script_flush()

    for job in [bench.add() for _ in range(3)]:
        bench.queue.cancel(job.id, "ann")


def test_every_script_is_used_and_small() -> None:
    """Each file in the folder is run by a module of ours, and can be read in one go."""
    for path in FOLDER.rglob("*.lua"):
        assert len(path.read_text().splitlines()) < 200, path
    code = "\n".join(path.read_text() for path in FOLDER.parents[1].rglob("*.py"))
    for path in FOLDER.glob("*.lua"):
        assert f'"{path.stem}"' in code, path
        assert source(path.stem, flags=False).startswith("-- Put before every script")


def test_a_worker_may_have_many_models(bench: Bench) -> None:
    card = replace(CARD, models=tuple(f"model-{number}" for number in range(300)))
    bench.add(model="model-299")
    assert bench.claim(card) is not None
