"""Classes 1 to 16: bodies that are no good JSON, or that come in a bad way."""

# ruff: noqa: E501 - tables of cases

import gzip
import json
from collections.abc import Iterator

import httpx

from tests.bad_inputs.bench import JSON, Bench
from tests.bad_inputs.table import Accepted, BadInput, Case, Refused, body, job
from tests.integration.api.support import Json, text_to_image

MALFORMED = Refused(400, "malformed_json")
BROKEN_OFF = Refused(400, "malformed_request")
ANOTHER_FORMAT = Refused(415, "unsupported_media_type")
TOO_LARGE = Refused(413, "too_large")
GOOD = json.dumps(text_to_image()).encode()


def with_inputs(**inputs: object) -> bytes:
    return json.dumps(text_to_image(**inputs)).encode()  # type: ignore[arg-type]


def with_field(name: str, value: object) -> Json:
    return {**text_to_image(), name: value}


def unknown(name: str) -> Refused:
    return Refused(422, "invalid_request", (f"/{name}",))


def is_a_job(bench: Bench, answer: httpx.Response) -> None:
    assert bench.alice.get(answer.json()["urls"]["self"]).json()["inputs"]["prompt"] == "a red circle"


def too_long(bench: Bench) -> httpx.Response:
    return bench.submit(text_to_image("x" * bench.api.settings.max_body_bytes))


def too_long_in_chunks(bench: Bench) -> httpx.Response:
    def chunks() -> Iterator[bytes]:
        for _ in range(bench.api.settings.max_body_bytes // 50_000 + 2):
            yield b" " * 50_000

    return bench.alice.post("/v1/jobs", content=chunks(), headers=JSON)


def in_chunks(bench: Bench) -> httpx.Response:
    return bench.alice.post("/v1/jobs", content=iter([GOOD[:10], GOOD[10:30], GOOD[30:]]), headers=JSON)


def broken_off(head: bytes, sent: bytes) -> Case:
    what = f"`{head.decode()}`, then `{sent.decode('latin-1')}` and the end".replace("\r\n", "⏎")
    lines = b"Content-Type: application/json\r\n" + head + b"\r\n"
    return Case(what, lambda bench: bench.raw(lines, sent), BROKEN_OFF)


JSON_BODIES = (
    BadInput(1, "Empty body", (
        body("no bytes", b"", MALFORMED),
        body("only white space", b" \n\t ", MALFORMED),
    )),
    BadInput(2, "Not JSON", (
        body("`hello`", b"hello", MALFORMED),
        body("single quotes", b"{'kind': 'text'}", MALFORMED),
        body("a job with one brace too many", GOOD + b"}", MALFORMED),
        body("a job cut short", GOOD[:-1], MALFORMED),
        body("a pickle", b"\x80\x04\x95", MALFORMED),
    )),
    BadInput(3, "Another root than an object", (
        job("`[]`", [], Refused(422, "invalid_request", ("",))),
        job("`[1]`", [1], Refused(422, "invalid_request", ("/0",))),
        job("a list in a list", [[]], Refused(422, "invalid_request", ("/0",))),
        job("a number", 1, Refused(422, "invalid_request", ("",))),
        job("a text", "text", Refused(422, "invalid_request", ("",))),
        job("`null`", None, Refused(422, "invalid_request", ("",))),
        job("a list of a job without `ref`", [text_to_image()], Refused(422, "invalid_request", ("/0/ref",))),
        job("two jobs with one `ref`", [with_field("ref", "a")] * 2, Refused(422, "invalid_request", ("/1/ref",))),
    )),
    BadInput(4, "Deep nesting", (
        body("10,000 arrays", b"[" * 10_000 + b"]" * 10_000, MALFORMED),
        body("10,000 objects", b'{"kind":' * 10_000 + b"1" + b"}" * 10_000, MALFORMED),
        body("33 levels in `inputs`", with_inputs(prompt=json.loads("[" * 33 + "]" * 33)), MALFORMED),
        body("10,000 arrays that do not end", b"[" * 10_000, MALFORMED),
    )),
    BadInput(5, "A name twice in an object", (
        body("`kind` twice", GOOD.replace(b'"kind"', b'"kind": "text", "kind"'), MALFORMED),
        body("`prompt` twice", GOOD.replace(b'"prompt"', b'"prompt": "a", "prompt"'), MALFORMED),
        body("once as `\\u006bind`", GOOD.replace(b'"kind"', b'"\\u006bind": "text", "kind"'), MALFORMED),
    )),
    BadInput(6, "NaN and infinity", (
        body("`NaN`", with_inputs(guidance=float("nan")), MALFORMED),
        body("`Infinity`", with_inputs(guidance=float("inf")), MALFORMED),
        body("`-Infinity`", with_inputs(guidance=-float("inf")), MALFORMED),
    )),
    BadInput(7, "Numbers that are too large", (
        body("2^63", with_inputs(seed=2**63), MALFORMED),
        body("an integer of 5,000 digits", GOOD.replace(b'"prompt"', b'"seed": ' + b"9" * 5000 + b', "prompt"'), MALFORMED),
        body("`1e400`", GOOD.replace(b'"prompt"', b'"guidance": 1e400, "prompt"'), MALFORMED),
        body("`-1e400`", GOOD.replace(b'"prompt"', b'"guidance": -1e400, "prompt"'), MALFORMED),
    )),
    BadInput(8, "Half of a surrogate pair", (
        body("`\\ud800` in the prompt", with_inputs(prompt="\ud800"), MALFORMED),
        body("in a name", json.dumps(with_field("\udfff", 1)).encode(), MALFORMED),
        body("in `metadata`", json.dumps(with_field("metadata", {"a": "\ud83d"})).encode(), MALFORMED),
    )),
    BadInput(9, "NUL", (
        body("`\\u0000` in the prompt", with_inputs(prompt="a\0b"), MALFORMED),
        body("the byte itself", with_inputs(prompt="ab").replace(b"ab", b"a\0b"), MALFORMED),
        body("in a name of `metadata`", json.dumps(with_field("metadata", {"a\0": 1})).encode(), MALFORMED),
    )),
    BadInput(10, "Another content type", tuple(
        body(f"`{content_type}`" if content_type else "none", GOOD, ANOTHER_FORMAT, {"Content-Type": content_type})
        for content_type in (
            "", "text/plain", "text/json", "application/jsonp", "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
        )
    )),
    BadInput(11, "Another charset, or a byte order mark", (
        body("`charset=latin-1`", GOOD, ANOTHER_FORMAT, {"Content-Type": "application/json; charset=latin-1"}),
        body("`charset=utf-16`", GOOD, ANOTHER_FORMAT, {"Content-Type": "application/json; charset=utf-16"}),
        body("UTF-8 with a byte order mark", b"\xef\xbb\xbf" + GOOD, MALFORMED),
        body("UTF-16", json.dumps(text_to_image()).encode("utf-16"), MALFORMED),
        body("Latin-1", json.dumps(text_to_image("caf\u00e9"), ensure_ascii=False).encode("latin-1"), MALFORMED),
        body("`charset=UTF-8`, in any case", GOOD, Accepted(202, "it is what we read anyway", is_a_job), {"Content-Type": "Application/JSON; charset=UTF-8"}),
    )),
    BadInput(12, "Larger than the limit", (
        Case("one byte more than `ATELIER_MAX_BODY_BYTES`, and its length", too_long, TOO_LARGE),
        Case("the same in chunks, with no length", too_long_in_chunks, TOO_LARGE),
        Case("300 bytes for a call that takes no body", lambda bench: bench.alice.post("/v1/jobs/cancel", content=b" " * 300), TOO_LARGE),
    )),
    BadInput(13, "Chunked and slow", (
        broken_off(b"Content-Length: 50", GOOD[:20]),
        broken_off(b"Transfer-Encoding: chunked", b"5\r\n{\"kin\r\n"),
        broken_off(b"Transfer-Encoding: chunked", b"zz\r\n{}"),
        Case("a good body in three chunks", in_chunks, Accepted(202, "chunks are fine", is_a_job)),
    ), "A body that trickles in a byte at a time is ended with 408 `request_timeout` after 20 s, and others are served meanwhile."),
    BadInput(14, "Fields that are not known", (
        job("`colour` beside `kind`", with_field("colour", 1), unknown("colour")),
        job("`owner`", with_field("owner", "somebody"), unknown("owner")),
        job("`ref` outside a list", with_field("ref", "a"), unknown("ref")),
        job("`a/b~c`", with_field("a/b~c", 1), unknown("a~1b~0c")),
        job("`colour` in `inputs`", text_to_image(colour="red"), Refused(422, "invalid_inputs", ("/inputs/colour",))),
        Case("`?x=1` in the query", lambda bench: bench.alice.get("/v1/jobs?x=1"), Refused(422, "invalid_request", ("/query/x",))),
        Case("`?limit=1&limit=2`", lambda bench: bench.alice.get("/v1/jobs?limit=1&limit=2"), Refused(422, "invalid_request", ("/query/limit",))),
        Case("a body for a call that takes none", lambda bench: bench.alice.post("/v1/jobs/cancel", json={"a": 1}), Refused(422, "invalid_request", ("",))),
    )),
    BadInput(15, "Names that mean something to a language", (
        job("`__proto__`", with_field("__proto__", {}), unknown("__proto__")),
        job("`constructor`", with_field("constructor", {}), unknown("constructor")),
        job("`__class__` in `inputs`", text_to_image(__class__="x"), Refused(422, "invalid_inputs", ("/inputs/__class__",))),
        job("`__proto__` in `metadata`", with_field("metadata", {"__proto__": 1}), unknown("metadata/__proto__")),
        job("`model_config` in `inputs`", text_to_image(model_config={}), Refused(422, "invalid_inputs", ("/inputs/model_config",))),
    )),
    BadInput(16, "Compressed bodies", (
        body("50 MB of spaces as gzip", gzip.compress(b" " * 50_000_000), ANOTHER_FORMAT, {"Content-Encoding": "gzip"}),
        body("`Content-Encoding: identity, br`", GOOD, ANOTHER_FORMAT, {"Content-Encoding": "identity, br"}),
    ), "Nothing is ever inflated."),
)  # fmt: skip
"""The rows."""
