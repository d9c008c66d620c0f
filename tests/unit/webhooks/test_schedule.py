"""When a message is sent again."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from infra.webhooks.schedule import LONGEST_RETRY_AFTER, PAUSES, pause_after, retry_after


@pytest.mark.parametrize(("tries", "seconds"), list(enumerate(PAUSES, start=1)))
def test_each_pause_has_its_jitter(tries: int, seconds: float) -> None:
    found = {pause_after(tries) for _ in range(50)}

    assert all(pause is not None and 0.9 * seconds <= pause <= 1.1 * seconds for pause in found)
    assert len(found) > 10


def test_after_ten_attempts_it_is_over() -> None:
    assert pause_after(9) is not None
    assert pause_after(10) is None
    assert pause_after(10, asked=3600.0) is None


def test_a_receiver_may_ask_for_more_patience_and_not_for_less() -> None:
    assert pause_after(1, asked=7200.0) == 7200.0
    assert (pause_after(3, asked=1.0) or 0.0) > 1000.0


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("text", "seconds"),
    [("120", 120.0), (" 0 ", 0.0), ("9" * 20, LONGEST_RETRY_AFTER), ("-5", None), ("soon", None), ("", None)],
)
def test_seconds_are_read(status: int, text: str, seconds: float | None) -> None:
    assert retry_after(status, {"Retry-After": text}) == seconds


@pytest.mark.parametrize(
    ("ahead", "least", "most"),
    [
        (timedelta(hours=1), 3590.0, 3600.0),
        (timedelta(hours=-1), 0.0, 0.0),
        (timedelta(days=9), 86400.0, 86400.0),
    ],
)
def test_dates_are_read(ahead: timedelta, least: float, most: float) -> None:
    date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)

    assert least <= (retry_after(429, {"retry-after": date}) or 0.0) <= most


def test_others_have_no_say() -> None:
    assert retry_after(500, {"retry-after": "120"}) is None
    assert retry_after(302, {"retry-after": "120"}) is None
    assert retry_after(503, {}) is None


@given(
    st.text()
    | st.from_regex(r"[A-Z][a-z]{2}, \d{1,12} [A-Z][a-z]{2} \d{1,12} \d{1,4}:\d{1,4}(:\d{1,9})?( .*)?")
)
@example("Mon, 1 Jan 99999999999 00:00:00 GMT")
@example("Mon, 1 Jan 2026 00:00:00 +999999999999")
@example("9" * 5000)
@example("²")
def test_whatever_a_receiver_says_is_read_or_not(text: str) -> None:
    found = retry_after(429, {"retry-after": text})

    assert found is None or 0.0 <= found <= LONGEST_RETRY_AFTER
