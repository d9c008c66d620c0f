"""The table of bad inputs: what is sent, and what the API answers.

A row is a class of input with its number in docs/bad-inputs.md; its cases are requests to a real server. A
case is refused (status, slug, pointers) or accepted, and then it says what is done with the input and how
that is seen. The page is printed by `python -m tests.bad_inputs`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from tests.bad_inputs.bench import Bench

Send = Callable[[Bench], httpx.Response]
Check = Callable[[Bench, httpx.Response], object]


@dataclass(frozen=True)
class Refused:
    """Nothing is enqueued or stored, and a problem says why."""

    status: int
    slug: str
    pointers: tuple[str, ...] = ()
    """Places in the request that must be among the problem's `errors`."""

    def __str__(self) -> str:
        places = ", ".join(f"`{pointer or '(the whole)'}`" for pointer in self.pointers)
        return f"{self.status} `{self.slug}`" + (f" at {places}" if places else "")


@dataclass(frozen=True)
class Accepted:
    """The input is legitimate, however odd: what is done with it, and the proof."""

    status: int
    done: str
    check: Check

    def __str__(self) -> str:
        return f"{self.status}: {self.done}"


@dataclass(frozen=True)
class Case:
    """One request of a class."""

    what: str
    """What is sent, for people; in Markdown."""
    send: Send
    answer: Refused | Accepted
    before: Callable[[Bench], object] = lambda bench: None
    """What must be there first; it may leave things behind."""


@dataclass(frozen=True)
class BadInput:
    """One class of bad input."""

    number: int
    title: str
    cases: tuple[Case, ...]
    note: str = ""
    """What cannot be seen from the answers; in Markdown."""


def job(what: str, body: Any, answer: Refused | Accepted) -> Case:
    """A case that submits this body, made by `json.dumps`."""
    return Case(what, lambda bench: bench.submit(body), answer)


def body(
    what: str, sent: bytes, answer: Refused | Accepted, headers: Mapping[str, str] | None = None
) -> Case:
    """A case that submits these bytes."""
    return Case(what, lambda bench: bench.submit_bytes(sent, headers), answer)


def render(rows: tuple[BadInput, ...]) -> str:
    """The rows as a Markdown table, cases with the same answer together."""
    lines = ["| # | Class | Sent | Answer |", "|---|---|---|---|"]
    for row in rows:
        sent: dict[str, list[str]] = {}
        for case in row.cases:
            sent.setdefault(str(case.answer), []).append(case.what)
        for index, (answer, whats) in enumerate(sent.items()):
            head = f"{row.number} | {row.title}" if index == 0 else " | "
            lines.append(f"| {head} | {_cell('; '.join(whats))} | {_cell(answer)} |")
        if row.note:
            lines.append(f"| | | | {_cell(row.note)} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
