"""Every script, run again because its reply was lost: the client's own retry sends the same twice."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.connections import Durability, connect
from infra.jobs.scripts import FOLDER, digest
from tests.chaos.proxy import Proxy
from tests.contract.lost_replies import ACTS, Stage, counted_ids
from tests.servers import StateServer


@pytest.fixture
def proxy(state_server: StateServer) -> Iterator[Proxy]:
    proxy = Proxy(str(state_server.socket), unix=True)
    yield proxy
    proxy.close()


@pytest.mark.parametrize("act", ACTS, ids=lambda act: act.__name__)
def test_a_lost_reply_changes_nothing(
    act: Callable[[Stage], None],
    state_server: StateServer,
    proxy: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    state, client = state_server.client(), connect(proxy.redis_url)
    durability: Durability = "waitaof" if "valkey" in state_server.program else "always"
    # Given what the calls answer and leave behind when nothing goes wrong
    counted_ids(monkeypatch.setattr)
    plain = Stage(state, tmp_path / "plain", state, durability)
    act(plain)
    held = plain.held()
    # When the reply to each is lost, and the client sends it again
    state.flushall()
    counted_ids(monkeypatch.setattr)
    lossy = Stage(state, tmp_path / "lossy", client, durability, proxy)
    act(lossy)
    # Then nobody can tell the difference
    assert lossy.told == plain.told
    assert lossy.held() == held
    assert len(lossy.told) > 10
    client.close()
    state.close()


def test_every_script_is_in_an_act(
    valkey: StateServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = valkey.client()
    state.script_flush()
    counted_ids(monkeypatch.setattr)
    for act in ACTS:
        act(Stage(state, tmp_path / act.__name__, state))
        state.flushall()
    names = sorted(path.stem for path in FOLDER.glob("*.lua"))
    known = {name: state.script_exists(digest(name, flags=True))[0] for name in names}
    assert [name for name in names if not known[name]] == []
    state.close()
