"""The state machine on both servers; what it checks is in jobs_machine.py and jobs_snapshot.py."""

import itertools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from infra.archive import Archive
from infra.storage.folder import FolderStorage
from tests.contract.jobs_machine import JobsMachine
from tests.servers import FORGETFUL, StateServer, redis_program, valkey_program

STEPS = 2000
RULES = (
    *("enqueue", "claim", "commit", "requeue", "cancel", "delete", "retry", "beat"),
    *("wait", "lose", "jump", "leave", "collect", "archive", "pause", "raise", "grant", "slow", "end_untold"),
)
WALK = settings(
    max_examples=36,
    stateful_step_count=60,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # shrinking takes minutes; add Phase.shrink to hunt a failure
)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("program", [valkey_program, redis_program], ids=["valkey", "redis7"])
def test_no_walk_breaks_the_queue(
    program: Callable[[], str],
    start_server: Callable[..., StateServer],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    # Given an empty server (without an append-only file: the walk is about rules, not disks)
    server = start_server(program(), options=FORGETFUL)

    class Machine(JobsMachine):
        archive = Archive(FolderStorage(tmp_path / "artifacts"))
        state = server.client()
        steps: ClassVar[Counter[str]] = Counter()

    def unseen() -> list[str]:
        return [name for name in RULES if not Machine.steps[name]]

    # When we walk at random for at least 2,000 steps, and on until each rule was drawn, then no check fails
    rounds = itertools.count()
    while Machine.steps.total() < STEPS or (unseen() and Machine.steps.total() < 3 * STEPS):
        walked = seed(next(rounds))(Machine)  # another walk each round, and the same ones each time
        run_state_machine_as_test(walked, settings=WALK)

    with capsys.disabled():
        print(f"\n{server.program}: {Machine.steps.total()} steps, {dict(Machine.steps)}")
    assert Machine.steps.total() >= STEPS
    assert unseen() == []
