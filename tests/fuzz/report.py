"""docs/fuzz.md: what a run has sent, and what came back."""

# ruff: noqa: E501 - lines of the page

from importlib.metadata import version
from pathlib import Path

from tests.fuzz.run import Tally

PAGE = Path(__file__).parents[2] / "docs" / "fuzz.md"
PAGE_TEXT = """\
# Fuzzing the API

`make fuzz` starts a deployment (API with keys, Valkey, a worker of the fake family) and has
[Schemathesis](https://schemathesis.io) {version} make requests out of its `/openapi.json`: valid ones, invalid ones,
the bounds of every range, and sequences of calls. `tests/fuzz/` is the whole of it; a short run is among the tests.

The last run sent **{requests:,} requests**; **{accepted:,} ({share:.0%})** were accepted (2xx or 3xx),
**{errors} were answered with 5xx**.

## Checks

Every check that Schemathesis has is on, for every call. There are two exceptions. `object_level_authorization`, which
wants several users, is left to `tests/bad_inputs/test_two_owners.py`, where every call is tried with another owner's
ids. And JSON Schema takes `1.0` for an integer, which this API, as many a language, does not; so whole
numbers are written without a point in requests that are meant to be valid. What is too long to be read may be refused as such
(413, 414, 431).

No schema can say which ids exist, so valid requests are given some that do: jobs, artifacts, uploads, endpoints,
messages, models and cursors that earlier answers had. Uploads are small real files, work is bounded (5 steps, 256 × 256),
and a key for idempotency is used once. Ids of the sequences come from answers, as they would for a person.

## Requests

| Call | Requests | 2xx, 3xx | 4xx | 5xx |
|---|---|---|---|---|
{rows}

By phase: {phases}.
"""


def page(tally: Tally) -> str:
    """The page's text."""
    return PAGE_TEXT.format(
        version=version("schemathesis"),
        requests=tally.requests,
        accepted=tally.accepted,
        share=tally.accepted / tally.requests,
        errors=tally.server_errors,
        rows="\n".join(_row(call, tally) for call in sorted(tally.by_call)),
        phases="; ".join(f"{phase}: {count:,}" for phase, count in sorted(tally.by_phase.items())),
    )


def _row(call: str, tally: Tally) -> str:
    counts = tally.by_call[call]
    accepted, refused, failed = (
        sum(count for status, count in counts.items() if status // 100 in hundreds)
        for hundreds in ((2, 3), (4,), (5,))
    )
    return f"| `{call}` | {counts.total():,} | {accepted:,} | {refused:,} | {failed:,} |"
