"""API keys: made once, kept as digests, revoked for good."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from infra import keys as keys_module
from infra.errors import BadSetting
from infra.keys import (
    CHANGED,
    RECORD,
    REMEMBERED_SECONDS,
    Keys,
    RememberedKeys,
    Scope,
    install_bootstrap_key,
)
from infra.settings import Settings
from tests.servers import StateServer, wait_for


@pytest.fixture
def keys(state_server: StateServer) -> Keys:
    return Keys(state_server.client())


def test_a_key_is_its_owners(keys: Keys) -> None:
    key, text = keys.create("alice", "notebook")
    assert text.startswith(f"atl_{key.id}_")
    assert keys.authenticate(text) == key
    assert (key.owner, key.name, key.last_used, key.scopes) == ("alice", "notebook", None, ())


def test_a_key_has_the_scopes_that_it_was_given(keys: Keys) -> None:
    key, text = keys.create("alice", scopes=[Scope.ADMIN])
    assert keys.authenticate(text) == key
    assert keys.list()[0].scopes == (Scope.ADMIN,)


def test_a_key_from_before_there_were_scopes_has_none(keys: Keys, state_server: StateServer) -> None:
    key, text = keys.create("admin", "mine", scopes=[Scope.ADMIN])
    state_server.client().hdel(RECORD + key.id, "scopes")
    found = keys.authenticate(text)
    assert found
    assert found.scopes == ()


def test_any_tells_whether_a_key_exists(keys: Keys) -> None:
    assert not keys.any()
    key, _ = keys.create("alice")
    assert keys.any()
    keys.revoke(key.id)
    assert not keys.any()


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1] + "é", lambda t: t[:-2], lambda t: t + "A", lambda t: "", str.upper]
)
def test_a_malformed_key_is_nobodys(keys: Keys, change: object) -> None:
    _, text = keys.create("alice")
    assert keys.authenticate(change(text)) is None  # type: ignore[operator]


def test_another_secret_under_a_known_id_is_nobodys(keys: Keys) -> None:
    first, text = keys.create("alice")
    _, other = keys.create("bob")
    assert keys.authenticate(f"atl_{first.id}_{other.rpartition('_')[2]}") is None
    assert keys.authenticate(text) == first


def test_a_revoked_key_is_nobodys(keys: Keys) -> None:
    key, text = keys.create("alice")
    assert keys.revoke(key.id)
    assert keys.authenticate(text) is None
    assert keys.list() == []
    assert not keys.revoke(key.id)


def test_revoking_what_never_was(keys: Keys) -> None:
    assert not keys.revoke("0" * 16)
    assert keys.list() == []


def test_the_key_itself_is_nowhere_on_the_server(state: redis.Redis) -> None:
    _, text = Keys(state).create("alice")
    secret = text.split("_", 2)[2]
    stored = " ".join(str(state.hgetall(key)) for key in state.scan_iter(f"{RECORD}*"))
    assert "alice" in stored
    assert secret not in stored


def test_list_shows_the_oldest_first(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([30, 10, 20])
    monkeypatch.setattr(keys_module, "_now", lambda: next(times))
    for owner in ("c", "a", "b"):
        keys.create(owner)
    assert [key.owner for key in keys.list()] == ["a", "b", "c"]


def test_last_used_is_noted_once_a_minute(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = keys.create("alice")
    for now, noted in [(100_000, 100_000), (150_000, 100_000), (160_000, 160_000)]:
        monkeypatch.setattr(keys_module, "_now", lambda now=now: now)
        keys.authenticate(text)
        assert keys.list()[0].last_used == noted


def test_a_key_counts_when_its_use_cannot_be_noted(
    start_server: Callable[..., StateServer],
) -> None:
    with start_server().client() as client:
        _, text = Keys(client).create("alice")
        client.config_set("maxmemory", "100kb")
        found = Keys(client).authenticate(text)
    assert found is not None
    assert found.last_used is None


@pytest.mark.parametrize("owner", ["", "Alice", "a/b", "a" * 65, "-a", "a b"])
def test_an_owner_that_would_not_do_as_a_folder_is_refused(keys: Keys, owner: str) -> None:
    with pytest.raises(BadSetting, match="An owner is"):
        keys.create(owner)


class TestRememberedKeys:
    @pytest.fixture
    def remembered(self, state_server: StateServer) -> RememberedKeys:
        return RememberedKeys(state_server.client())

    def test_an_answer_counts_for_a_moment(
        self, keys: Keys, remembered: RememberedKeys, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key, text = keys.create("alice")
        now = time.monotonic()
        monkeypatch.setattr(keys_module.time, "monotonic", lambda: now)
        assert remembered.authenticate(text) == key
        keys.revoke(key.id)
        assert remembered.authenticate(text) == key
        monkeypatch.setattr(keys_module.time, "monotonic", lambda: now + REMEMBERED_SECONDS)
        assert remembered.authenticate(text) is None

    def test_what_was_heard_of_counts_at_once(self, keys: Keys, remembered: RememberedKeys) -> None:
        assert not remembered.any()
        key, text = keys.create("alice")
        remembered.forget()
        assert remembered.any()
        assert remembered.authenticate(text) == key
        keys.revoke(key.id)
        remembered.forget()
        assert remembered.authenticate(text) is None
        assert not remembered.any()

    def test_what_is_no_key_is_not_remembered(self, keys: Keys, remembered: RememberedKeys) -> None:
        text = TestBootstrapKey.TEXT
        assert remembered.authenticate(text) is None
        keys.install(text, "alice")
        assert remembered.authenticate(text) is not None

    def test_makers_and_revokers_say_so(self, keys: Keys, state_server: StateServer) -> None:
        subscription = state_server.client().pubsub(ignore_subscribe_messages=True)
        subscription.subscribe(CHANGED)
        key, _ = keys.create("alice")
        keys.revoke(key.id)
        heard: list[str] = []

        def hears() -> bool:
            message = subscription.get_message(timeout=0.1)
            heard.extend([message["data"]] if message else [])
            return len(heard) == 2

        wait_for(hears, what="two messages")
        assert heard == [key.id, key.id]
        subscription.close()


class TestBootstrapKey:
    TEXT = f"atl_{'0' * 16}_{'A' * 43}"

    def test_is_installed_at_every_start(self, keys: Keys, tmp_path: Path) -> None:
        settings = self.settings(tmp_path, self.TEXT + "\n")
        assert (
            install_bootstrap_key(settings, keys) == install_bootstrap_key(settings, keys) == keys.list()[0]
        )
        found = keys.authenticate(self.TEXT)
        assert found
        assert (found.owner, found.scopes) == ("admin", (Scope.ADMIN,))

    def test_keeps_its_scope_when_it_is_older_than_scopes(
        self, keys: Keys, tmp_path: Path, state_server: StateServer
    ) -> None:
        install_bootstrap_key(self.settings(tmp_path, self.TEXT), keys)
        state_server.client().hdel(RECORD + "0" * 16, "scopes")
        assert keys.list()[0].scopes == (Scope.ADMIN,)

    def test_stays_revoked(self, keys: Keys, tmp_path: Path) -> None:
        settings = self.settings(tmp_path, self.TEXT)
        install_bootstrap_key(settings, keys)
        keys.revoke("0" * 16)
        install_bootstrap_key(settings, keys)
        assert keys.authenticate(self.TEXT) is None

    def test_is_not_needed(self, keys: Keys) -> None:
        assert install_bootstrap_key(Settings(), keys) is None
        assert not keys.any()

    def test_a_file_without_a_key_is_told(self, keys: Keys, tmp_path: Path) -> None:
        with pytest.raises(BadSetting, match="looks like"):
            install_bootstrap_key(self.settings(tmp_path, "password"), keys)

    def test_a_missing_file_is_told(self, keys: Keys, tmp_path: Path) -> None:
        with pytest.raises(BadSetting, match="cannot be read: No such file"):
            install_bootstrap_key(Settings(bootstrap_key_file=tmp_path / "none"), keys)

    @staticmethod
    def settings(folder: Path, text: str) -> Settings:
        (folder / "key").write_text(text)
        return Settings(bootstrap_key_file=folder / "key")
