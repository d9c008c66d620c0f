"""Every script, run again because its reply was lost: the client's own retry sends the same twice."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.connections import Durability, connect
from infra.jobs.scripts import FOLDER, digest
from tests.chaos.matrix import Seen, fault
from tests.chaos.proxy import Proxy
from tests.contract.lost_replies import ACTS, Stage, counted_ids
from tests.servers import StateServer


@pytest.fixture
def stages(state_server: StateServer, tmp_path: Path) -> Iterator[tuple[Stage, Stage]]:
    """Two on the same server: one whose calls go straight to it, and one that loses replies."""
    proxy = Proxy(str(state_server.socket), unix=True)
    durability: Durability = "waitaof" if "valkey" in state_server.program else "always"
    with state_server.client() as state, connect(proxy.redis_url, timeout=10.0) as client:
        yield (
            Stage(state, tmp_path / "plain", state, durability),
            Stage(state, tmp_path / "lossy", client, durability, proxy),
        )
    proxy.close()


@fault(31, "The reply to each script is lost once", "it is sent again; the same answer, the same state")
@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_a_lost_reply_changes_nothing(
    act: Callable[[Stage], None],
    stages: tuple[Stage, Stage],
    monkeypatch: pytest.MonkeyPatch,
    seen: Seen,
) -> None:
    plain, lossy = stages
    # Given what the calls answer and leave behind when nothing goes wrong
    counted_ids(monkeypatch.setattr)
    act(plain)
    held = plain.held()
    # When the reply to each is lost, and the client sends it again
    plain.state.flushall()
    counted_ids(monkeypatch.setattr)
    act(lossy)
    # Then nobody can tell the difference
    assert lossy.told == plain.told
    assert lossy.held() == held
    assert lossy.lost >= 5
    seen(f"{lossy.lost} replies lost, no difference")


def test_every_script_is_in_an_act(
    valkey: StateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with valkey.client() as state:
        state.script_flush()
        counted_ids(monkeypatch.setattr)
        for act in ACTS:
            act(Stage(state, tmp_path / act.__name__, state))
            state.flushall()
        names = sorted(path.stem for path in FOLDER.glob("*.lua"))
        assert [name for name in names if not state.script_exists(digest(name, flags=True))[0]] == []
