"""The Lua scripts: loaded once, run by digest, confirmed on disk where that is asked for."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import redis
from redis.exceptions import NoScriptError

from infra.connections import CONFIRMED, Durability, translate
from infra.errors import StateUnavailable
from infra.jobs.answers import Limits
from infra.jobs.codec import dump, dump_error
from infra.jobs.exchange import exchange, pack, pack_text
from infra.jobs.record import FAULTS, SCHEMA
from infra.jobs.together import Together

PREFIX = "atl:{g0}:"
"""Before every key of the jobs. The braces are a cluster's hash tag: scripts need all keys on one node."""

FOLDER = Path(__file__).parent / "lua"

EVENTS_MAX = 10_000
"""Events kept of one job; older ones are trimmed, and who missed them gets a snapshot."""

TICK_BATCH = 500
"""Entries of each sort that one tick handles, so that it stays a matter of milliseconds."""

TICK_HOOKED = 200
"""Jobs with a webhook that one tick checks for an untold end."""

RATE_SECONDS = 300
"""How far back measured rates look: what ended so long ago counts for a third of what ends now."""

RATE_KEPT_SECONDS = 3600
"""After so long without an end nothing is known of how fast workers are."""

CONFIRM_MS = 700
"""How long one WAITAOF may take: less than the second after which the client gives a reply up."""

CONFIRM_TRIES = 2
"""An everysec server may need more than a second; two waits still answer within the API's 3 s."""

TAKES_MORE_IN = frozenset({"enqueue", "hook_create"})
"""Scripts that a server refuses once its memory is full. All others may go a little beyond `maxmemory`, so
that what was accepted can still run, be committed, cancelled and removed."""

FLAGS = "#!lua flags=allow-oom\n"
"""Before a script that may do so; servers before Redis 7 do not know such a line, and refuse every write."""

FLAGS_SINCE = 7

Answer = tuple[str, Any, list[list[str]]]
"""What every script answers: a word, a value, and (queue, job id) pairs to ring for."""

Call = tuple[str, Mapping[str, Any]]
"""A script's name, and its arguments by name."""


@cache
def source(name: str, flags: bool) -> str:
    """The text of one script; before it all that is shared, and the parts in a folder of its name. `flags`:
    for a server that knows them."""
    before = [*sorted(FOLDER.glob("shared/*.lua")), *sorted(FOLDER.glob(f"{name}/*.lua"))]
    text = "\n".join(path.read_text() for path in [*before, FOLDER / f"{name}.lua"])
    return FLAGS + text if flags and name not in TAKES_MORE_IN else text


@cache
def digest(name: str, flags: bool) -> str:
    return hashlib.sha1(source(name, flags).encode(), usedforsecurity=False).hexdigest()


class Scripts:
    """Runs scripts by name against one state server."""

    def __init__(self, state: redis.Redis, limits: Limits, durability: Durability) -> None:
        self._state = state
        self._config = dump(_config(limits))
        self._confirms = durability in CONFIRMED
        self._replicas = int(durability == "replicated")
        self._knows_flags: bool | None = None  # not asked yet
        self._heads: dict[str, bytes] = {}
        self._together = Together[Call, Answer]()

    @translate()
    def run(self, name: str, /, **arguments: Any) -> Answer:
        """The script's answer. Arguments that are None are left out."""
        return _good(self._run_all([(name, arguments)]))[0]

    @translate()
    def run_many(self, name: str, calls: Iterable[Mapping[str, Any]]) -> list[Answer]:
        """One script for many arguments, in one round trip; other clients get in between."""
        return _good(self._run_all([(name, arguments) for arguments in calls]))

    @translate()
    def run_durably(self, name: str, /, **arguments: Any) -> Answer:
        """The same as `run`, and its writes are on the server's disk when this returns."""
        return _good(self._run_all([(name, arguments)], confirms=self._confirms))[0]

    @translate()
    def run_together(self, name: str, /, **arguments: Any) -> Answer:
        """The same, in one round trip and one sync with what others in this process ask for meanwhile."""
        return self._together.ask((name, arguments), partial(self._run_all, confirms=self._confirms))

    @translate()
    def confirm(self) -> None:
        """Return once what others have written until now is on the server's disk, too."""
        self._run_all([], confirms=self._confirms)

    def _run_all(self, calls: Sequence[Call], confirms: bool = False) -> list[Answer | Exception]:
        """The answer to each call, or its own error. A restarted server is given the scripts again."""
        answers = self._exchanged(calls, confirms)
        unknown = [place for place, answer in enumerate(answers) if isinstance(answer, NoScriptError)]
        if unknown:
            for name in {calls[place][0] for place in unknown}:
                self._load(name)
            again = self._exchanged([calls[place] for place in unknown], confirms)
            for place, answer in zip(unknown, again, strict=True):
                answers[place] = answer
        return answers

    def _exchanged(self, calls: Sequence[Call], confirms: bool) -> list[Answer | Exception]:
        """WAITAOF speaks for the writes of its own connection only, so a SET goes the same way before it:
        after a retry on a new connection the scripts have nothing left to write, though their first run may
        not yet be on disk.
        """
        commands = [self._command(name, arguments) for name, arguments in calls]
        if confirms:
            waitaof = ("WAITAOF", 1, self._replicas, CONFIRM_MS)
            commands += [pack("SET", PREFIX + "confirm", 1), *[pack(*waitaof)] * CONFIRM_TRIES]
        replies = exchange(self._state, commands) if commands else []
        answers, confirmations = replies[: len(calls)], replies[len(calls) + 1 :]
        if confirms and not any(self._is_confirmed(confirmation) for confirmation in confirmations):
            raise StateUnavailable("The state server did not confirm in time that this is on disk.")
        return answers

    def _command(self, name: str, arguments: Mapping[str, Any]) -> bytes:
        """A call as it is sent."""
        given = dump({key: value for key, value in arguments.items() if value is not None}).encode()
        found = digest(name, self._flags())
        if found not in self._heads:  # all but the arguments are the same each time
            self._heads[found] = pack("EVALSHA", found, 1, PREFIX, self._config, "").removesuffix(
                pack_text(b"")
            )
        return self._heads[found] + pack_text(given)

    def _flags(self) -> bool:
        """Whether the server knows flags; asked once, and again when it has forgotten our scripts."""
        known = self._knows_flags
        if known is None:
            version = self._state.info("server")["redis_version"]
            known = self._knows_flags = int(version.split(".")[0]) >= FLAGS_SINCE
        return known

    def _load(self, name: str) -> None:
        """The server may be another one by now."""
        self._knows_flags = None
        self._state.script_load(source(name, self._flags()))

    def _is_confirmed(self, confirmation: list[int] | redis.RedisError) -> bool:
        """An error here is the answer of a server whose append-only file was turned off."""
        if isinstance(confirmation, redis.RedisError):
            return False
        local, replicas = confirmation
        return local > 0 and replicas >= self._replicas


def _good(answers: Sequence[Answer | Exception]) -> list[Answer]:
    """The answers, if none is an error."""
    good = []
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
        good.append(answer)
    return good


def _config(limits: Limits) -> dict[str, Any]:
    lease_ms = round(limits.lease_seconds * 1000)
    return {
        "schema": SCHEMA,
        "lease_ms": lease_ms,
        "gap_ms": lease_ms * 2 // 3,
        "owner": {
            "weight": 1,
            "max_queued": limits.max_queued_per_owner,
            "max_running": limits.max_running_per_owner,
            "rate": limits.submit_rate_per_owner,
            "burst": limits.submit_burst_per_owner,
        },
        "rate_ms": RATE_SECONDS * 1000,
        "rate_kept_ms": RATE_KEPT_SECONDS * 1000,
        "max_queued": limits.max_queued,
        "max_crashes": limits.max_crashes,
        "max_losses": limits.max_losses,
        "idempotency_ms": round(limits.idempotency_hours * 3_600_000),
        "events_keep_ms": limits.events_keep_seconds * 1000,
        "events_max": EVENTS_MAX,
        "tick_batch": TICK_BATCH,
        "tick_hooked": TICK_HOOKED,
        "faults": {name: dump_error(fault) for name, fault in FAULTS.items()},
    }
