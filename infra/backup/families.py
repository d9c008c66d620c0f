"""Every family of keys on the state server, and what a backup does with it. A test knows no other keys."""

from infra.jobs.scripts import PREFIX

COPIED = ("keys", "key:", "hook:", "hooks:", "hook-secret:", "paused", "owner_settings")
"""As they are: API keys, webhook endpoints and their secrets, what is paused, owners' own settings."""

TREATED = ("j:", "archived", "outbox:msg_", "upload:", "idem:", "queue:", "hooked", "sequence")
"""Kind by kind, see take.py."""

MADE_ANEW = (
    *("rdy:", "since:", "owned:", "owners:", "models:", "blocked:", "front:"),  # places of jobs
    *("delayed", "waiting", "lease", "deadlines", "expiring", "finished", "dep:"),
    *("jobs:", "live:", "owners", "queues", "count", "count:"),
    *("outbox", "uploads:due", "uploads:bytes"),
)
"""By putting each record into its place."""

LEFT_OUT = (
    *("w:", "workers", "park:"),  # workers tell again
    *("ev:", "a:", "fair:", "ticked_at", "hooked:cursor", "confirm", "skew", "restored"),
    *("bucket:", "rate:"),
    *("outbox:lane:", "outbox:lanes", "outbox:flying", "outbox:busy", "outbox:due", "outbox:turns"),
    *("outbox:taken:", "hook-gone:"),
)
"""Not at all: it heals, is of the moment, or means nothing on another server."""

HARMLESS = (
    *("w:", "workers", "park:", "queues", "ticked_at", "hooked:cursor", "confirm", "skew", "fair:"),
    *("keys", "key:"),  # an API that must have a key makes one at its start; those of the backup are added
)
"""What processes leave on a server that has had no job yet: a restore minds them not."""


def family_of(key: str) -> str | None:
    """The family that a key belongs to; None when nobody has decided what to do with it."""
    name = key.removeprefix(PREFIX)
    known = [each for each in (*COPIED, *TREATED, *MADE_ANEW, *LEFT_OUT) if is_of(name, each)]
    return max(known, key=len, default=None)


def is_of(name: str, family: str) -> bool:
    """Whether a key's name, without the prefix, is of this family: that one key, or all that begin so."""
    return name.startswith(family) if family.endswith((":", "_")) else name == family
