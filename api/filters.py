"""Query parameters that choose jobs and pages."""

from collections.abc import Mapping

from api.problems import Problem, invalid
from infra.jobs.answers import Filters
from infra.jobs.record import Status

DEFAULT_PAGE = 20
LARGEST_PAGE = 100
LONGEST_FILTER = 160  # characters
TEXTS = ("owner", "queue", "kind", "model")


def filters_of(given: Mapping[str, str]) -> Filters:
    """The filters of a query; Problem 422 for one that cannot be meant."""
    for name in TEXTS:
        if len(given.get(name, "")) > LONGEST_FILTER:
            raise invalid(f"/query/{name}", f"This is longer than {LONGEST_FILTER} characters.")
    try:
        status = Status(given["status"]) if "status" in given else None
    except ValueError:
        raise invalid("/query/status", f"A status is one of {', '.join(Status)}.") from None
    return Filters(status, given.get("kind"), given.get("model"), given.get("queue"))


def limit_of(given: Mapping[str, str]) -> int:
    """How many jobs a page shall have."""
    text = given.get("limit")
    if text is None:
        return DEFAULT_PAGE
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:4]) <= LARGEST_PAGE and len(text) < 4):
        raise invalid("/query/limit", f"A limit is a number from 1 to {LARGEST_PAGE}.")
    return int(text)


def bad_cursor() -> Problem:
    """For a cursor that no answer gave."""
    return invalid("/query/cursor", "This is not a cursor that a list was answered with.")
