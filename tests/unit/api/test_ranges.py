"""Which bytes a Range header asks for."""

import pytest

from api.problems import Problem
from api.ranges import requested_span


@pytest.mark.parametrize(
    ("header", "size", "start", "end"),
    [
        ("bytes=0-0", 10, 0, 0),
        ("bytes=2-5", 10, 2, 5),
        ("bytes=5-", 10, 5, 9),
        ("bytes=5-99", 10, 5, 9),
        ("bytes=-3", 10, 7, 9),
        ("bytes=-99", 10, 0, 9),
        ("bytes=9-9", 10, 9, 9),
    ],
)
def test_one_range(header: str, size: int, start: int, end: int) -> None:
    span = requested_span(header, size)
    assert span is not None
    assert (span.start, span.end) == (start, end)
    assert span.length == end - start + 1
    assert span.content_range == f"bytes {start}-{end}/{size}"


@pytest.mark.parametrize(
    "header",
    [None, "", "bytes=-", "bytes=5-2", "bytes=0-1,3-4", "lines=1-2", "bytes=a-b", "bytes=1", "bytes=²-³"],
)
def test_the_whole_when_there_is_no_single_valid_range(header: str | None) -> None:
    assert requested_span(header, 10) is None


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=10-", 10), ("bytes=10-20", 10), ("bytes=-0", 10), ("bytes=0-", 0)]
)
def test_outside(header: str, size: int) -> None:
    with pytest.raises(Problem) as caught:
        requested_span(header, size)
    assert caught.value.type.status == 416
    assert caught.value.headers["Content-Range"] == f"bytes */{size}"
