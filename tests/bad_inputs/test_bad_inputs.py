"""Every bad input of the table, sent to a real server: refused with nothing left, or accepted safely."""

from collections.abc import Sequence

import httpx
import pytest

from atelier import errors
from tests.bad_inputs.bench import Bench
from tests.bad_inputs.json_bodies import JSON_BODIES
from tests.bad_inputs.page import PAGE, page
from tests.bad_inputs.rows import ROWS
from tests.bad_inputs.table import BadInput, Case, Refused
from tests.bad_inputs.values import VALUES
from tests.integration.api.support import problem, text_to_image

MOST_GROWTH = 16 * 1024 * 1024
HIGHEST_PEAK = 128 * 1024 * 1024  # above what the server takes at rest, whatever is sent
ROUNDS = 3


def test_the_table_has_all_classes() -> None:
    assert [row.number for row in ROWS] == list(range(1, 54))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.number} {row.title}")
def test_a_bad_input(bench: Bench, row: BadInput) -> None:
    assert row.cases
    for case in row.cases:
        try:
            _send_and_check(bench, case)
        except BaseException as error:
            error.add_note(f"{row.number}, {row.title}: {case.what}")
            raise


def _send_and_check(bench: Bench, case: Case) -> None:
    case.before(bench)
    before = bench.stored()
    answer = case.send(bench)
    if isinstance(case.answer, Refused):
        _check_refusal(case.answer, answer)
        assert bench.stored() == before
    else:
        assert answer.status_code == case.answer.status, answer.text
        case.answer.check(bench, answer)


def _check_refusal(wanted: Refused, answer: httpx.Response) -> None:
    found = problem(answer, wanted.status, wanted.slug)
    told = errors.error_for(answer.status_code, found)
    assert type(told) is not errors.Refused, "the client has a class of its own for it"
    assert set(wanted.pointers) <= {fault.pointer for fault in told.problems}, found


def test_memory_does_not_grow(bench: Bench) -> None:
    """Bodies and values, several times over: what one of them takes is given back, and none takes much."""
    _send_and_weigh(bench, (*JSON_BODIES, *VALUES))


@pytest.mark.slow
def test_memory_does_not_grow_by_files(bench: Bench) -> None:
    """The same for all rows; each file costs a process of its own."""
    _send_and_weigh(bench, ROWS)


def _send_and_weigh(bench: Bench, rows: Sequence[BadInput]) -> None:
    _send_all(bench, rows)
    bench.forget_peak()
    settled = bench.memory_bytes()
    for _ in range(ROUNDS):
        _send_all(bench, rows)
    assert bench.peak_bytes() - settled < HIGHEST_PEAK
    assert bench.memory_bytes() - settled < MOST_GROWTH
    assert bench.submit(text_to_image()).status_code == 202


def _send_all(bench: Bench, rows: Sequence[BadInput]) -> None:
    for row in rows:
        for case in row.cases:
            case.before(bench)
            assert case.send(bench).status_code < 500, (row.number, case.what)


def test_the_page_is_the_table() -> None:
    assert PAGE.read_text() == page(), "print it anew: python -m tests.bad_inputs"
