"""Amounts of memory: how settings write them, and how much there is for this process."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

UNITS = {
    **{"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12},
    **{"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40},
}
AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*|%)")
CGROUPS = Path("/sys/fs/cgroup")


def amount(text: str, whole: int) -> int:
    """Bytes that `text` means: `80%` of `whole`, `24GB`, `24GiB`, `24000000000`. Raises ValueError."""
    found = AMOUNT.fullmatch(text.strip())
    number, unit = (float(found[1]), found[2].upper()) if found else (0.0, "?")
    if unit == "%" and number <= 100:
        return int(whole * number / 100)
    if unit not in UNITS:
        raise ValueError(f"{text!r} is no amount of memory; write 80%, 24GB, 24GiB or bytes")
    return int(number * UNITS[unit])


def machine_memory() -> int:
    """The bytes of memory that this process may use: the machine's, or less where a control group says so."""
    return min([os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *_limits()])


def _limits() -> Iterator[int]:
    """What control groups allow, of version 2 (this process's own and those above it) and of version 1."""
    groups = Path("/proc/self/cgroup")
    lines = groups.read_text().splitlines() if groups.exists() else []
    own = next((line[3:] for line in lines if line.startswith("0::")), "/")
    at = CGROUPS / own.lstrip("/")
    files = [folder / "memory.max" for folder in (at, *at.parents) if folder.is_relative_to(CGROUPS)]
    for file in (*files, CGROUPS / "memory" / "memory.limit_in_bytes"):
        if file.exists() and (text := file.read_text().strip()).isdecimal():  # else `max`
            yield int(text)
