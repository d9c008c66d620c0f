"""JSON that the API accepts, and everything that it refuses."""

import json

import pytest

from api.problems import Problem
from api.strict_json import LARGEST_INTEGER, MAX_DEPTH, parse


def refused(body: bytes) -> Problem:
    with pytest.raises(Problem) as caught:
        parse(body)
    assert caught.value.type.slug == "malformed_json"
    assert caught.value.type.status == 400
    return caught.value


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        [1, 2.5, True, None, "text"],
        {"prompt": "a 🦊 with e\u0301 and עברית", "n": 3},
        {"a": LARGEST_INTEGER, "b": -LARGEST_INTEGER},
        {"tab": "a\tb\nc"},
    ],
)
def test_reads_what_json_says(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b"", "empty"),
        (b"  \n", "empty"),
        (b"{", "line 1"),
        (b"{}x", "Extra data"),
        (b"{'a': 1}", "line 1"),
        (b'{"a": 1,}', "line 1"),
        (b"\xef\xbb\xbf{}", "byte order mark"),
        ('{"a": "é"}'.encode("latin-1"), "UTF-8"),
        ('{"a": 1}'.encode("utf-16"), "UTF-8"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": Infinity}', "Infinity"),
        (b'{"a": -Infinity}', "Infinity"),
        (b'{"a": 1e400}', "too large"),
        (b'{"a": 9223372036854775808}', "2^63"),
        (b'{"a": ' + b"9" * 100_000 + b"}", "2^63"),
        (b'{"a": 1, "a": 2}', "twice"),
        (b'{"b": {"a": 1, "a": 1}}', "twice"),
        (b'{"a": "x\x00y"}', "control character"),
    ],
)
def test_refuses(body: bytes, word: str) -> None:
    assert word in refused(body).detail


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        (b'{"a": {"b": ["x", "\\ud800"]}}', "/a/b/1"),
        (b'{"a/b": "\\u0000"}', "/a~1b"),
        (b'{"a": {"\\udfff": 1}}', "/a"),
    ],
)
def test_points_at_text_that_cannot_be_stored(body: bytes, pointer: str) -> None:
    assert [fault.pointer for fault in refused(body).faults] == [pointer]


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 500, 10_000, 200_000])
def test_refuses_deep_nesting(depth: int) -> None:
    refused(b"[" * depth + b"]" * depth)
    refused(b'{"a":' * depth + b"1" + b"}" * depth)


def test_accepts_nesting_up_to_the_limit() -> None:
    parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
