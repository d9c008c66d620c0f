"""The work loop, where the engine does not start; all else of it is tested with real ones."""

from collections.abc import Iterable
from typing import Any, cast

import pytest

from infra.errors import StateUnavailable, WorkerPaused
from infra.jobs.answers import WorkerCard
from tests.servers import wait_for
from tests.unit.workers.jobs import a_job
from workers.bell import Bell
from workers.claims import Claims
from workers.desk import Desk
from workers.drain import Drain
from workers.engine_client import EngineDied
from workers.loop import WorkLoop
from workers.trouble import Trouble


class Broken:
    """An engine that does not start."""

    lost = False

    def ensure(self) -> None:
        raise EngineDied("no driver")


class Noted:
    """A lifecycle that notes what was given back."""

    def __init__(self) -> None:
        self.released: list[Any] = []

    def take_on(self, jobs: Iterable[Any]) -> list[Any]:
        return list(jobs)

    def release(self, attempts: Iterable[Any]) -> None:
        self.released += attempts


def test_what_was_claimed_ahead_is_given_back_where_the_engine_does_not_start() -> None:
    # Given a job that was claimed while the engine was at the one before it
    lifecycle, trouble = Noted(), Trouble()
    parts: Any = dict.fromkeys(("claims", "storage", "upkeep"))
    loop = WorkLoop(
        **parts,
        engine=cast(Any, Broken()),
        lifecycle=cast(Any, lifecycle),
        bell=Bell(),
        drain=Drain(60),
        trouble=trouble,
        seconds=0.1,
    )
    job = a_job()
    loop._ahead.look(lambda: (job,))
    wait_for(loop._ahead._has_some)
    # When the engine has died and does not start again, then the job is another worker's
    assert not loop._work()
    assert lifecycle.released == [job]
    assert trouble.text


def test_a_dead_engines_last_words_are_heard_before_another_is_started() -> None:
    done: list[str] = []

    class Lost(Broken):
        lost = True

        def ensure(self) -> None:
            done.append("ensure")

    class Resting(Noted):
        def rest(self) -> None:
            done.append("rest")

    parts: Any = dict.fromkeys(("claims", "storage", "upkeep"))
    loop = WorkLoop(
        **parts,
        engine=cast(Any, Lost()),
        lifecycle=cast(Any, Resting()),
        bell=Bell(),
        drain=Drain(60),
        trouble=Trouble(),
        seconds=0.1,
    )
    assert loop._is_ready()
    assert done == ["rest", "ensure"]


@pytest.mark.parametrize("error", [StateUnavailable("away"), WorkerPaused()])
def test_what_was_claimed_runs_although_nobody_else_can_be_asked_to_share_it(error: Exception) -> None:
    job = a_job(batch="64x64", rows=1, crashes=0)

    class Queue:
        def claim_batch(self, *_: Any, **__: Any) -> Any:
            return (job,)

        def claim_like(self, *_: Any, **__: Any) -> Any:
            raise error

    card = WorkerCard("w", "host", 1, "cpu", ("image",), ("test/fake",), batches={"test/fake": 8})
    claims = Claims(cast(Any, Queue()), lambda: card, Desk(), window=0.001)
    assert claims.next() == (job,)
