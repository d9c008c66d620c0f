"""Clients of the state server and the broker: bounded in time, errors translated, promises checked."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, cast

import redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ClusterDownError, OutOfMemoryError, ReadOnlyError, TryAgainError
from redis.retry import Retry

from infra import sentinel
from infra.errors import BadSetting, NotDurable, ServerTooOld, StateUnavailable
from infra.metrics import STATE_FAILURES

Durability = Literal["always", "waitaof", "replicated", "fast"]
"""How a write becomes durable: by itself (`always`), by a WAITAOF after it, by one that a replica answers too
(`replicated`), or nobody asks (`fast`)."""

CONFIRMED: tuple[Durability, ...] = ("waitaof", "replicated")
"""With these a write is durable only when WAITAOF says so."""

OLDEST_SERVER = (6, 2)
SCHEMES = ("redis://", "rediss://", "unix://")
RETRY_PAUSE = 0.05  # seconds

# Error replies of a server that is there but cannot serve now: disk or memory full, failover, long script. By
# class where redis-py has one (it cuts the reply's first word off), by word for the rest and within scripts.
BUSY_ERRORS = (OutOfMemoryError, ReadOnlyError, ClusterDownError, TryAgainError)
BUSY_WORDS = re.compile(r"\b(MISCONF|NOREPLICAS|OOM|READONLY|BUSY)\b")


def connect(
    url: str,
    *,
    timeout: float = 1.0,
    retries: int = 1,
    decode: bool = True,
    name: str = "atelier",
    max_connections: int = 50,
    wait: float | None = None,
) -> redis.Redis:
    """A client of `url` that answers or raises within (retries + 1) × timeout seconds. Opens nothing yet.

    redis-py's own defaults (10 retries of 5 s) are far longer than the 3 s in which the API answers 503. A
    retried command may run twice, so every script must be idempotent. `decode` gives str instead of bytes;
    `name` is shown by CLIENT LIST. Threads and greenlets share at most `max_connections`; one more waits for
    `wait` seconds, half a timeout by default. Behind Sentinel the time to ask the sentinels comes on top.
    """
    options = {
        "max_connections": max_connections,
        "timeout": timeout / 2 if wait is None else wait,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout / 2,  # redis-py tries this twice within one retry of a command
        "retry": Retry(ConstantBackoff(RETRY_PAUSE), retries),
        "decode_responses": decode,
        "client_name": name,
        "protocol": 2,
    }
    return redis.Redis(connection_pool=_pool(url, options))


def _pool(url: str, options: dict[str, Any]) -> redis.BlockingConnectionPool:
    if url.startswith(sentinel.SCHEME):
        return sentinel.SentinelPool(sentinel.parse(url), **options)
    if not url.startswith(SCHEMES):
        names = ", ".join((*SCHEMES, sentinel.SCHEME))
        raise BadSetting(f"The URL of a state server or broker starts with one of {names}.")
    try:
        return redis.BlockingConnectionPool.from_url(url, **options)
    except ValueError as error:
        raise BadSetting(f"The URL of a state server or broker cannot be read: {error}.") from None


@contextmanager
def translate() -> Iterator[None]:
    """Turn redis errors that mean "not now" into StateUnavailable. Also works as a decorator.

    Other error replies (a bug in a script, a missing right) pass through: they would not mend by waiting.
    """
    try:
        yield
    except (redis.ConnectionError, redis.TimeoutError, redis.InvalidResponse) as error:
        STATE_FAILURES.inc()
        raise StateUnavailable(f"The state server does not answer: {error}") from error
    except redis.ResponseError as error:
        if isinstance(error, BUSY_ERRORS) or BUSY_WORDS.search(str(error)):
            STATE_FAILURES.inc()
            raise StateUnavailable(f"The state server cannot serve now: {error}") from error
        raise


@translate()
def check_server(client: redis.Redis) -> str:
    """Name and version of the server, as `valkey 9.1.0`; ServerTooOld below 6.2."""
    info = client.info("server")
    version = str(info["redis_version"])  # Valkey tells here which Redis it is compatible with
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_SERVER:
        raise ServerTooOld(f"The state server is Redis {version}; 6.2 or newer is needed.")
    return f"valkey {info['valkey_version']}" if "valkey_version" in info else f"redis {version}"


@translate()
def check_durable(
    client: redis.Redis, durability: Literal["safe", "replicated", "fast"] = "safe"
) -> Durability:
    """How writes on this server become durable; NotDurable when they do not and `safe` is asked for.
    StateUnavailable while the server is loading its data.

    API and workers call it at start. A server that hides CONFIG is asked through INFO and WAITAOF instead.
    """
    if durability == "fast":
        return "fast"
    _refuse_eviction(client)
    persistence = client.info("persistence")
    if int(persistence["loading"]):  # it says that its file is off, as long as it reads it
        raise StateUnavailable("The state server is still loading its data.")
    if not int(persistence["aof_enabled"]):
        raise NotDurable(
            "The state server's append-only file is off, so a crash would lose accepted jobs. Set"
            " `appendonly yes` and `appendfsync always` on it, or ATELIER_DURABILITY=fast to accept the loss."
        )
    if durability == "replicated":
        return _check_replicated(client)
    if _fsyncs_every_write(client):
        return "always"
    if _has_waitaof(client):
        return "waitaof"
    raise NotDurable(
        "The state server does not fsync every write (`appendfsync always`, `no-appendfsync-on-rewrite no`)"
        " and is too old for WAITAOF. Set these on it, or ATELIER_DURABILITY=fast to accept the loss of a"
        " second."
    )


def _check_replicated(client: redis.Redis) -> Durability:
    """A replica that is away now is waited for at each write, so only what can never work is refused."""
    if not _has_waitaof(client):
        raise NotDurable(
            "The state server is too old for WAITAOF (Redis 7.2), by which it would tell that a replica has"
            " written something down. ATELIER_DURABILITY=safe does without."
        )
    return "replicated"


def _refuse_eviction(client: redis.Redis) -> None:
    memory = client.info("memory")
    if int(memory["maxmemory"]) and memory["maxmemory_policy"] != "noeviction":
        raise NotDurable(
            f"The state server evicts keys when its memory is full ({memory['maxmemory_policy']}), which"
            " would lose jobs. Set `maxmemory-policy noeviction` on it, or ATELIER_DURABILITY=fast."
        )


def _fsyncs_every_write(client: redis.Redis) -> bool:
    try:
        found = cast(
            dict[str | bytes, str | bytes], client.config_get("appendfsync", "no-appendfsync-on-rewrite")
        )
    except redis.ResponseError:  # managed servers and narrow ACLs hide CONFIG
        return False
    values = {_text(key): _text(value) for key, value in found.items()}
    return values.get("appendfsync") == "always" and values.get("no-appendfsync-on-rewrite") == "no"


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _has_waitaof(client: redis.Redis) -> bool:
    try:
        client.waitaof(num_local=1, num_replicas=0, timeout=1)
    except redis.ResponseError:
        return False
    return True
