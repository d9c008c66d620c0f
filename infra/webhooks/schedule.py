"""When a message is sent again."""

import random
from collections.abc import Mapping
from datetime import UTC, datetime

HOUR = 3600.0
PAUSES = (5.0, 300.0, 0.5 * HOUR, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
"""Seconds after the first, second … failed attempt; after ten attempts in three days it is given up."""
JITTER = 0.1
LONGEST_RETRY_AFTER = 24 * HOUR
HTTP_DATE = "%a, %d %b %Y %H:%M:%S GMT"


def pause_after(tries: int, asked: float | None = None) -> float | None:
    """Seconds until the next attempt, after so many that failed; None when that was the last one.

    Spread by ±10 %, lest all that failed at once come back at once. Never earlier than the receiver has
    `asked` by its Retry-After.
    """
    if tries > len(PAUSES):
        return None
    pause = PAUSES[tries - 1] * random.uniform(1 - JITTER, 1 + JITTER)
    return max(pause, asked or 0.0)


def retry_after(status: int, headers: Mapping[str, str]) -> float | None:
    """Seconds that a 429 or 503 asks for, at most a day; None when it names none that can be read."""
    text = next((value for name, value in headers.items() if name.lower() == "retry-after"), "").strip()
    if status not in (429, 503) or not text:
        return None
    if text.isascii() and text.isdecimal():
        return min(float(text), LONGEST_RETRY_AFTER)
    try:
        when = datetime.strptime(text, HTTP_DATE).replace(tzinfo=UTC)
    except ValueError:
        return None
    return min(max((when - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_RETRY_AFTER)
