"""API keys: who may call, and as which owner. Only a digest is stored; the key itself is shown once.

A key is `atl_<id>_<secret>`: 16 hex digits that name it, 32 random bytes that prove it. It has that much
randomness that a plain SHA-256 is enough. Keys are kept on the state server, each in a hash of its own.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import redis

from infra.connections import translate
from infra.errors import BadSetting
from infra.metrics import STATE_FAILURES
from infra.settings import Settings

IDS = "atl:{g0}:keys"
"""Set of the ids of the keys that are good."""
RECORD = "atl:{g0}:key:"
"""Before a key's id: the hash of its fields, also of a revoked one, so that no start installs it again."""

SHAPE = re.compile(r"atl_([0-9a-f]{16})_([A-Za-z0-9_-]{43})")
OWNER = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
CHANGED = "atl:{g0}:keys:changed"
"""Channel on which it is announced that a key was made or revoked."""
REMEMBERED_SECONDS = 1.0
"""How long a process goes by what it has read of a key, unless it hears of a change before."""
ASKING_SECONDS = 0.2
"""How much longer, while it is being read again."""
LOCAL_OWNER = "local"
"""Owner of what is submitted without a key, on loopback, while there are no keys."""
BOOTSTRAP_OWNER = "admin"
BOOTSTRAP_NAME = "bootstrap"
LAST_USED_STEP_MS = 60_000  # how exact `last_used` is; each note of it is a write, fsynced


class Scope(StrEnum):
    """What a key may do beyond its owner's own jobs."""

    ADMIN = "admin"
    """Operate the deployment: pause, resume, and cancel, retry and list the jobs of all owners."""


@dataclass(frozen=True)
class Key:
    """What is known of a key; never the key itself."""

    id: str
    """16 hex digits, the middle of the key's text."""
    owner: str
    """Whose jobs it sees and submits."""
    name: str
    """What people call it, such as the program that uses it."""
    created_at: int
    """Epoch milliseconds."""
    last_used: int | None
    """Epoch milliseconds, exact to a minute; None if it never was."""
    scopes: tuple[Scope, ...] = ()


class Keys:
    """The API keys of a deployment; `state` is a client that decodes."""

    def __init__(self, state: redis.Redis) -> None:
        self._state = state

    def create(self, owner: str, name: str = "", scopes: Sequence[Scope] = ()) -> tuple[Key, str]:
        """A new key of `owner`, and its text, which cannot be had again."""
        text = f"atl_{secrets.token_hex(8)}_{secrets.token_urlsafe(32)}"
        return self.install(text, owner, name, scopes), text

    @translate()
    def install(self, text: str, owner: str, name: str = "", scopes: Sequence[Scope] = ()) -> Key:
        """Accept a key made elsewhere; a known one stays as it is, even revoked. Bad shape: BadSetting."""
        shape = SHAPE.fullmatch(text)
        if shape is None:
            raise BadSetting("An API key looks like atl_<16 hex digits>_<43 letters, digits, - or _>.")
        if not OWNER.fullmatch(owner):
            raise BadSetting("An owner is 1 to 64 of a-z, 0-9, _ and -, and begins with a letter or digit.")
        known = self._record(shape[1])
        if known:
            return _key(shape[1], known)
        record = {
            "owner": owner,
            "name": name,
            "scopes": ",".join(scopes),
            "created_at": str(_now()),
            "sha256": _digest(text),
        }
        with self._state.pipeline(transaction=True) as pipe:
            pipe.hset(RECORD + shape[1], mapping=cast(Mapping[Any, Any], record))
            pipe.sadd(IDS, shape[1])
            pipe.publish(CHANGED, shape[1])
            pipe.execute()
        return _key(shape[1], record)

    @translate()
    def list(self) -> list[Key]:
        """All keys that are good, oldest first."""
        ids = cast(set[str], self._state.smembers(IDS))
        found = [_key(key_id, self._record(key_id)) for key_id in ids]
        return sorted(found, key=lambda key: (key.created_at, key.id))

    @translate()
    def revoke(self, key_id: str) -> bool:
        """Make a key worthless from now on; False if no good key has that id. Its record stays."""
        if not self._state.sismember(IDS, key_id):
            return False
        with self._state.pipeline(transaction=True) as pipe:
            pipe.hset(RECORD + key_id, "revoked_at", _now())
            pipe.srem(IDS, key_id)
            pipe.publish(CHANGED, key_id)
            pipe.execute()
        return True

    @translate()
    def authenticate(self, text: str) -> Key | None:
        """The key that `text` is; None for a wrong, revoked or malformed one."""
        shape = SHAPE.fullmatch(text)
        record = self._record(shape[1]) if shape else {}
        if not shape or not hmac.compare_digest(record.get("sha256", ""), _digest(text)):
            return None
        if "revoked_at" in record:
            return None
        self._note_use(shape[1], record)
        return _key(shape[1], record)

    @translate()
    def any(self) -> bool:
        """Whether there is any good key; while there is none, loopback needs none."""
        return bool(self._state.exists(IDS))

    def _record(self, key_id: str) -> dict[str, str]:
        return cast(dict[str, str], self._state.hgetall(RECORD + key_id))

    def _note_use(self, key_id: str, record: dict[str, str]) -> None:
        now = _now()
        if now - int(record.get("last_used", 0)) < LAST_USED_STEP_MS:
            return
        try:
            self._state.hset(RECORD + key_id, "last_used", now)
        except redis.ResponseError:  # its memory or disk is full: then too a key may cancel, fetch and delete
            STATE_FAILURES.inc()


class RememberedKeys(Keys):
    """The keys, for a process that asks of the same ones again and again: an answer counts for a moment.

    `forget` has to be called for what is heard on CHANGED. A process that cannot hear goes by an old answer
    for REMEMBERED_SECONDS at most.
    """

    def __init__(self, state: redis.Redis) -> None:
        super().__init__(state)
        self._seen: dict[
            str, tuple[float, Key | bool]
        ] = {}  # by the key's digest, with the time it counts until
        self._changes = 0

    def forget(self) -> None:
        """Some key has changed."""
        self._changes += 1
        self._seen.clear()

    def authenticate(self, text: str) -> Key | None:
        found = self._remembered(_digest(text), lambda: super(RememberedKeys, self).authenticate(text))
        return found if isinstance(found, Key) else None

    def any(self) -> bool:
        return bool(self._remembered("any", super().any))

    def _remembered(self, name: str, ask: Callable[[], Key | bool | None]) -> Key | bool | None:
        until, known = self._seen.get(name, (0.0, False))
        if time.monotonic() < until:
            return known
        changes = self._changes
        if name in self._seen:  # one asks, and the crowd behind it goes by the old answer for that time
            self._seen[name] = time.monotonic() + ASKING_SECONDS, known
        found = ask()
        if changes == self._changes:
            if found is None:  # texts that are no key are not kept
                self._seen.pop(name, None)
            else:
                self._seen[name] = time.monotonic() + REMEMBERED_SECONDS, found
        return found


def install_bootstrap_key(settings: Settings, keys: Keys) -> Key | None:
    """Install the key in `bootstrap_key_file`, for owner `admin` with the admin scope; None if that is not
    set. Repeatable."""
    path = settings.bootstrap_key_file
    if path is None:
        return None
    try:
        text = path.read_text().strip()
    except OSError as error:
        raise BadSetting(f"ATELIER_BOOTSTRAP_KEY_FILE: {path} cannot be read: {error.strerror}.") from None
    return keys.install(text, BOOTSTRAP_OWNER, BOOTSTRAP_NAME, [Scope.ADMIN])


def _key(key_id: str, record: dict[str, str]) -> Key:
    last_used = record.get("last_used")
    return Key(
        id=key_id,
        owner=record["owner"],
        name=record["name"],
        created_at=int(record["created_at"]),
        last_used=int(last_used) if last_used else None,
        scopes=_scopes(record),
    )


def _scopes(record: Mapping[str, str]) -> tuple[Scope, ...]:
    """Records from before there were scopes have none, but for the key that a deployment began with."""
    if "scopes" not in record:
        first = (record["owner"], record["name"]) == (BOOTSTRAP_OWNER, BOOTSTRAP_NAME)
        return (Scope.ADMIN,) if first else ()
    given = record["scopes"].split(",")
    return tuple(scope for scope in Scope if scope in given)  # newer code may know others


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _now() -> int:
    return time.time_ns() // 1_000_000
