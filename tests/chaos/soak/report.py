"""docs/soak.md."""

# ruff: noqa: E501 - the page's own words

import os
import platform
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from tests.chaos.soak.faults import FAULTS
from tests.chaos.soak.memory import ALLOWED_MIB, ALLOWED_SHARE
from tests.chaos.soak.soak import Soaked

PAGE = """# A soak: a steady load under faults that come and go

`make soak MINUTES={minutes:g}` made this page. Clients submit {accepted} jobs of the fake family at a steady pace,
follow each to its end, read its artifacts and its events, and cancel one in twenty. Meanwhile one fault follows the
other: proxies cut, hang, slow and refuse connections and lose replies, between all parts; one of three workers is
killed and frozen, the S3 server hangs, the broker is emptied, the queue's clock jumps. The memory of all the other
processes is measured every two seconds. Jobs and their files expire after a minute, so that what is kept comes to
a steady amount.

{verdict}

## Jobs

{jobs}

## Faults

{faults}

## Memory

A process counts as flat when it grew by no more than {allowed_mib:g} MiB and {allowed_share:.0%} of its size over the
whole time. How much it grew is the slope of its resident size (after Theil and Sen: the median over all pairs of
samples, without the first third) times the length of the run.

{memory}

This run: {machine}.
"""


def write(soaked: Soaked) -> str:
    """The page."""
    return PAGE.format(
        minutes=soaked.minutes,
        accepted=soaked.tally.accepted,
        verdict=_verdict(soaked),
        jobs=_jobs(soaked),
        faults=_faults(soaked),
        allowed_mib=ALLOWED_MIB,
        allowed_share=ALLOWED_SHARE,
        memory=_memory(soaked),
        machine=f"{datetime.now(UTC).date().isoformat()}, {os.cpu_count()} cores, Python {platform.python_version()}",
    )


def _verdict(soaked: Soaked) -> str:
    if soaked.problems:
        return "**Not as promised:**\n\n" + "\n".join(f"- {problem}" for problem in soaked.problems)
    return (
        "No job was lost, none was done twice: each that was accepted ended once, with one result or none, and its"
        " artifacts have the bytes of their digests. The counters of the queues agree with what the clients saw, the"
        " records contradict themselves nowhere, no process ended by itself, and all memory is flat."
    )


def _jobs(soaked: Soaked) -> str:
    tally = soaked.tally
    rows = [
        ("Accepted", str(tally.accepted)),
        ("Ended", _listed(tally.by_status)),
        ("Attempts", _listed(tally.attempts)),
        ("Requests that clients had to send again", str(tally.retries)),
    ]
    return _table(("", ""), rows)


def _faults(soaked: Soaked) -> str:
    times = Counter(line["fault"] for line in soaked.faults)
    lasted = Counter(dict.fromkeys(FAULTS, 0))
    for line in soaked.faults:
        lasted[line["fault"]] += line["milliseconds"]
    rows = [(name, str(times[name]), f"{lasted[name] / 1000:.0f} s") for name in FAULTS]
    return _table(("Fault", "Times", "Lasted in all"), rows)


def _memory(soaked: Soaked) -> str:
    rows = [
        (
            growth.name,
            f"{growth.size:.1f} MiB",
            f"{growth.per_hour:+.1f} MiB",
            f"{growth.over_the_run:+.2f} MiB",
            "yes" if growth.flat else "**no**",
        )
        for growth in soaked.growths
    ]
    return _table(("Process", "Resident", "Slope in an hour", "Grew in this run", "Flat"), rows)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counts.items(), key=lambda item: -item[1]))


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in [head, ("---",) * len(head), *rows])
