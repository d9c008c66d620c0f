"""Classes 17 to 35: values that are out of range, of the wrong type, odd or somebody else's."""

# ruff: noqa: E501 - tables of cases

import json
from collections.abc import Callable
from typing import Any

import httpx

from tests.bad_inputs.bench import Bench
from tests.bad_inputs.table import Accepted, BadInput, Case, Refused, body, job
from tests.integration.api.support import Json, png, submitted, text_to_image

NOBODY = Refused(401, "unauthorized")
NO_JOB = Refused(404, "job_not_found")
BAD_KEY = Refused(422, "invalid_request", ("/headers/Idempotency-Key",))
GOOD = json.dumps(text_to_image()).encode()
EARLIER = {"Idempotency-Key": "earlier"}


def text(**inputs: Any) -> Json:
    return {"kind": "text", "model": "test/fake-text", "inputs": {"prompt": "x", **inputs}}


def video(**inputs: Any) -> Json:
    return {"kind": "text-to-video", "model": "test/fake-video", "inputs": {"prompt": "x", **inputs}}


def music(**inputs: Any) -> Json:
    return {"kind": "text-to-music", "model": "test/fake-music", "inputs": {"prompt": "x", **inputs}}


def chat(*messages: Any, **inputs: Any) -> Json:
    return {"kind": "chat", "model": "test/fake-text", "inputs": {"messages": list(messages), **inputs}}


def says(role: str, content: Any = "x") -> Json:
    return {"role": role, "content": content}


def code(**inputs: Any) -> Json:
    return {"kind": "code", "model": "test/fake-text", "inputs": inputs}


def upscale(**inputs: Any) -> Json:
    return {"kind": "upscale", "model": "test/fake", "inputs": inputs}


def from_image(image: Any) -> Json:
    return {"kind": "image-to-image", "model": "test/fake", "inputs": {"prompt": "x", "image": image}}


def at(*fields: str) -> Refused:
    return Refused(422, "invalid_inputs", tuple(f"/inputs/{field}" for field in fields))


def envelope(**fields: Any) -> Json:
    return {**text(), **fields}


def bad(field: str) -> Refused:
    return Refused(422, "invalid_request", (f"/{field}",))


def shown(value: Any) -> str:
    return f"`{json.dumps(value)}`" if len(repr(value)) < 40 else f"{type(value).__name__} of {len(value):,}"


def inputs(make: Callable[..., Json], field: str, *values: Any) -> tuple[Case, ...]:
    """A case for each value of one input, refused with a pointer to it."""
    return tuple(job(f"{field} {shown(value)}", make(**{field: value}), at(field)) for value in values)


# What is done with legitimate text


def comes_back(
    prompt: str, done: str, more: Callable[[Bench, httpx.Response], object] | None = None
) -> Accepted:
    """The prompt is stored and answered as it was sent; `more` is looked at too."""

    def check(bench: Bench, answer: httpx.Response) -> None:
        read = bench.alice.get(answer.json()["urls"]["self"])
        assert read.json()["inputs"]["prompt"] == prompt
        assert bench.hand.claim().inputs["prompt"] == prompt
        if more is not None:
            more(bench, read)

    return Accepted(202, done, check)


def prompt(
    what: str, sent: str, done: str, more: Callable[[Bench, httpx.Response], object] | None = None
) -> Case:
    return job(what, text_to_image(sent), comes_back(sent, done, more))


def is_not_logged(bench: Bench, answer: httpx.Response) -> None:
    """Each line of the log is one record, and none holds the prompt."""
    lines = bench.api.log.splitlines()
    assert all(isinstance(json.loads(line), dict) for line in lines)
    assert not [line for line in lines if answer.json()["inputs"]["prompt"][:12] in json.loads(line).values()]
    assert "msg=planted" not in bench.api.log


def cannot_run_in_a_page(bench: Bench, answer: httpx.Response) -> None:
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "sandbox" in answer.headers["content-security-policy"]


# Other owners, and keys


def of_bob(bench: Bench) -> None:
    """Bob has a job, with a result."""
    submitted(bench.bob)
    bench.hand.finish()


def his_path(bench: Bench) -> str:
    path: str = bench.bob.get("/v1/jobs").json()["data"][0]["urls"]["self"]
    return path


def upload_of_bob(bench: Bench) -> None:
    bench.notes["upload"] = bench.bob.post("/v1/uploads", content=png()).json()["id"]


def his(method: str, rest: str = "", **headers: str) -> Case:
    what = f"`{method} /v1/jobs/{{his}}{rest}`" + "".join(f" with `{name}`" for name in headers)
    return Case(
        what,
        lambda bench: bench.alice.request(method, his_path(bench) + rest, headers=headers),
        NO_JOB,
        of_bob,
    )


def with_key(what: str, header: str) -> Case:
    return Case(what, lambda bench: bench.submit(text_to_image(), Authorization=header), NOBODY)


def revoke_a_key(bench: Bench) -> None:
    key, bench.notes["revoked"] = bench.keys.create("alice")
    bench.keys.revoke(key.id)


def with_revoked_key(bench: Bench) -> httpx.Response:
    return bench.submit(text_to_image(), Authorization=f"Bearer {bench.notes['revoked']}")


def with_half_of_a_key(bench: Bench) -> httpx.Response:
    return bench.submit(text_to_image(), Authorization=bench.alice.headers["Authorization"][:-1] + "-")


def without_key(bench: Bench) -> httpx.Response:
    with bench.api.client() as nobody:
        return nobody.post("/v1/jobs", json=text_to_image())


def submit_earlier(bench: Bench) -> None:
    assert bench.submit_bytes(GOOD, EARLIER).status_code == 202


def is_the_earlier_job(bench: Bench, answer: httpx.Response) -> None:
    assert answer.headers["idempotency-replayed"] == "true"
    assert [job["id"] for job in bench.alice.get("/v1/jobs").json()["data"]] == [answer.json()["id"]]


VALUES = (
    BadInput(17, "Width and height", (
        *inputs(text_to_image, "width", 0, -64, 65, 10**9, 2**62),
        *inputs(text_to_image, "height", 0, -8, 4096),
        job("both at once, and the other faults too", text_to_image("", width=3, height=-1, steps=0), at("width", "height", "steps", "prompt")),
    )),
    BadInput(18, "Steps", (*inputs(text_to_image, "steps", 0, -1, 10**6),)),
    BadInput(19, "Guidance", (
        *inputs(text_to_image, "guidance", -1, 1000),
        job("`NaN`", text_to_image(guidance=float("nan")), Refused(400, "malformed_json")),
    )),
    BadInput(20, "Seed", (
        *inputs(text_to_image, "seed", -1, 2**32),
        job("2^64", text_to_image(seed=2**64), Refused(400, "malformed_json")),
    )),
    BadInput(21, "Frames × size over the budget", (
        *inputs(video, "frames", 0, 258, 10**6),
        job("2048 × 2048 of a model with 64 × 64", {"kind": "text-to-image", "model": "house/scenes", "inputs": {"prompt": "x", "width": 2048, "height": 2048}}, at("width", "height")),
    ), "Each model's row in the catalog bounds its frames and sizes."),
    BadInput(22, "Duration", (
        *inputs(music, "duration_seconds", 0, -1, 0.5, 86_400),
        *inputs(text_to_image, "duration_seconds", 10),
    )),
    BadInput(23, "Frames a second", (*inputs(video, "fps", 0, 61, 1000, 23.976),)),
    BadInput(24, "Huge batches", (
        *inputs(text_to_image, "n", 10_000, 0),
        job("a list of 51 jobs", [{**text_to_image(), "ref": str(n)} for n in range(51)], Refused(422, "invalid_request", ("",))),
    )),
    BadInput(25, "An empty prompt", (*inputs(text_to_image, "prompt", "", " \n\u2003 "), *inputs(text, "prompt", "", "\t"))),
    BadInput(26, "A prompt of 1 MB", (
        job("900,000 letters", text_to_image("x" * 900_000), at("prompt")),
        job("1 MiB", text_to_image("x" * 2**20), Refused(413, "too_large")),
        prompt("4,000 letters, which is the limit", "x" * 4000, "kept as it is"),
    )),
    BadInput(27, "Unusual Unicode", (
        prompt("right to left", "שלום مرحبا", "kept as it is: any Unicode is a prompt"),
        prompt("zero-width", "a\u200bb\u200d", "kept as it is: any Unicode is a prompt"),
        prompt("joined emoji", "👩\u200d👩\u200d👧\u200d👦", "kept as it is: any Unicode is a prompt"),
        prompt("marks without their letters", "e\u0301\u0327\u0300", "kept as it is: any Unicode is a prompt"),
        prompt("an override of the direction", "\u202egnp.exe", "kept as it is: any Unicode is a prompt"),
    )),
    BadInput(28, "Templates, formats and line ends for logs", (
        prompt("`{{ 7*7 }} ${x} %s %n {0}`", "{{ 7*7 }} ${x} %s %n {0}", "a prompt is data: no template or format ever sees it", is_not_logged),
        prompt("`\\r\\nlevel=error msg=planted`", "line\r\nlevel=error msg=planted", "kept; prompts are not logged, and log records are JSON, one a line", is_not_logged),
        prompt("`'; DROP TABLE jobs; --`", "'; DROP TABLE jobs; --", "a prompt is data: no template or format ever sees it"),
        prompt("`../../etc/passwd`", "../../etc/passwd", "a prompt is data: no template or format ever sees it"),
        Case("line ends and terminal colours in a path", lambda bench: bench.alice.get("/v1/%0d%0a%1b[31mjobs"), Refused(404, "not_found")),
    )),
    BadInput(29, "Control tokens", (
        prompt("`<|im_end|><|endoftext|>[INST]`", "<|im_end|><|endoftext|>[INST]", "kept; a text model's tokenizer reads them as plain letters"),
    )),
    BadInput(30, "HTML and SVG in a prompt", (
        prompt("`<script>alert(1)</script><svg onload=x>`", "<script>alert(1)</script><svg onload=x>", "kept, and only ever answered as JSON that no page may run: `nosniff`, and a policy of `default-src 'none'; sandbox`", cannot_run_in_a_page),
    )),
    BadInput(31, "Models and kinds that are not there", (
        *(job(f"model `{name}`" if name else "an empty model", envelope(model=name), Refused(422, "unknown_model", ("/model",))) for name in ("no/such", "../../etc/passwd", "https://example.org/weights", "test/fake", "")),
        *(job(f"kind `{name}`" if name else "an empty kind", envelope(kind=name), Refused(422, "unknown_kind", ("/kind",))) for name in ("nonsense", "../text", "")),
        job("a kind of 10,000 letters", envelope(kind="x" * 10_000), bad("kind")),
    )),
    BadInput(32, "Values of the wrong type", (
        job("no `kind`", {}, bad("kind")),
        job("no `inputs`", {"kind": "text"}, bad("inputs")),
        *(job(f"{field} {shown(value)}", envelope(**{field: value}), bad(field)) for field, values in {
            "inputs": ([], None), "kind": (1,), "model": (["a"],), "priority": ("urgent", 1), "metadata": ([],),
            "deadline_seconds": (0, -1, "60", True), "start_deadline_seconds": (1e12,), "expires_in_seconds": (1, 99.5, 10**12), "webhook": (1, {}),
        }.items() for value in values),
        job("metadata with an object in it", envelope(metadata={"a": {"b": 1}}), bad("metadata/a")),
        job("metadata with 513 letters", envelope(metadata={"a": "x" * 513}), bad("metadata/a")),
        job("metadata with a name of 65 letters", envelope(metadata={"x" * 65: 1}), bad("metadata/" + "x" * 65)),
        job("33 metadata", envelope(metadata={str(n): n for n in range(33)}), bad("metadata")),
        *inputs(text_to_image, "prompt", 1, ["a"], None),
        *inputs(text_to_image, "width", "64", 64.0, True),
        *inputs(text_to_image, "steps", 1.5),
        *inputs(text_to_image, "guidance", "7"),
        *inputs(text_to_image, "seed", 1.0),
        *inputs(text_to_image, "n", None),
        *inputs(text_to_image, "scheduler", "nonsense"),
        *inputs(text, "max_tokens", 0, 10**9),
        *inputs(text, "temperature", -0.1, 99),
        *inputs(text, "top_p", 0, 1.1),
        *inputs(text, "min_p", -0.1, 1.1),
        *inputs(text, "stop", "x", ["x"] * 99),
        *inputs(text_to_image, "loras", "x", [{"name": "x"}] * 2),
        *(job(f"loras `{json.dumps(each)}`", text_to_image(loras=[each]), at(f"loras/0{rest}")) for each, rest in (
            ("x", ""), ({"scale": 1.0}, "/name"), ({"name": "../x"}, "/name"), ({"name": "x", "scale": 99}, "/scale"), ({"name": "no-such"}, "/name"),
        )),
        *inputs(text_to_image, "format", "bmp", "mp4"),
        *inputs(video, "extras", ["gif", "gif"], "gif"),
        job("an extra that there is not", video(extras=["png"]), at("extras/0")),
        *inputs(music, "tempo", 29, 301, 90.5),
        *inputs(music, "key", "H major"),
        *inputs(music, "metre", "4"),
        *inputs(music, "instruments", "piano", ["x"] * 17),
        *(job(f"instruments {shown([name])}", music(instruments=["piano", name]), at("instruments/1")) for name in ("", "x" * 41)),
        job("no messages", chat(), at("messages")),
        job("a message of nobody", chat(says("robot")), at("messages/0/role")),
        job("an empty message", chat(says("user", " ")), at("messages/0/content")),
        job("a message that is a list", chat(says("user", [])), at("messages/0/content")),
        job("a conversation that asks nothing", chat(says("user"), says("assistant")), at("messages")),
        job("257 messages", chat(*[says("user")] * 257), at("messages")),
        job("neither an instruction nor a beginning of code", code(suffix="x"), at("prompt")),
        *inputs(lambda **given: code(prefix="x", **given), "language", "x" * 41, "py\n", "../py"),
        job("nothing to enlarge", upscale(), at("image")),
        job("a picture and a video to enlarge", upscale(image={"upload": "a"}, video={"upload": "b"}), at("image")),
        job("a picture as a video", upscale(image={"upload": "a"}, format="mp4"), at("format")),
        *(job(f"a prompt `{json.dumps(value)}`", text_to_image(value), at(f"prompt{rest}")) for value, rest in (
            ({}, "/job"), ({"upload": "a"}, "/upload"), ({"job": "a"}, "/job"), ({"job": "#a"}, "/job"), ({"job": "job_" + "0" * 24}, "/job"),
        )),
        *(job(f"image {shown(value)}", from_image(value), at("image")) for value in (None, "upl_1", {})),
        job("an image that is an upload and a job", from_image({"upload": "a", "job": "job_" + "0" * 24}), at("image")),
        job("an artifact of an upload", from_image({"upload": "a", "artifact": "0.png"}), at("image/artifact")),
        job("an artifact `../../x`", from_image({"job": "job_" + "0" * 24, "artifact": "../../x"}), at("image/artifact")),
        job("a job `#x` outside a list", from_image({"job": "#x"}), at("image/job")),
        *(Case(f"`GET /v1/jobs?{given}`", lambda bench, given=given: bench.alice.get(f"/v1/jobs?{given}"), Refused(422, "invalid_request", (f"/query/{given.partition('=')[0]}",))) for given in ("limit=0", "limit=101", "limit=x", "limit=%C2%B2", "status=done", "cursor=x")),
    )),
    BadInput(33, "Idempotency keys", (
        body("256 letters", GOOD, BAD_KEY, {"Idempotency-Key": "x" * 256}),
        body("a blank in it", GOOD, BAD_KEY, {"Idempotency-Key": "a b"}),
        body("nothing", GOOD, BAD_KEY, {"Idempotency-Key": ""}),
        Case("`é`, as Latin-1", lambda bench: bench.raw(b"Content-Type: application/json\r\nIdempotency-Key: \xe9\r\nContent-Length: %d\r\n" % len(GOOD), GOOD), BAD_KEY),
        Case("a key that was used, with another body", lambda bench: bench.submit(text_to_image("another"), **EARLIER), Refused(422, "idempotency_mismatch"), submit_earlier),
        Case("a key that was used, with the same body", lambda bench: bench.submit_bytes(GOOD, EARLIER), Accepted(202, "the same job, and `Idempotency-Replayed: true`", is_the_earlier_job), submit_earlier),
        body("255 odd letters", GOOD, Accepted(202, "any visible ASCII is a key", lambda bench, answer: None), {"Idempotency-Key": "~!" * 127 + "'"}),
    )),
    BadInput(34, "Somebody else's job", (
        his("GET"), his("GET", **{"Prefer": "wait=1"}), his("GET", "/events"), his("GET", "/artifacts/0.png"), his("POST", "/cancel"), his("POST", "/retry"), his("DELETE"),
        Case("his job as an input", lambda bench: bench.submit(from_image({"job": his_path(bench).rpartition("/")[2]})), at("image/job"), of_bob),
        Case("his job as a prompt", lambda bench: bench.submit(text_to_image({"job": his_path(bench).rpartition("/")[2]})), at("prompt/job"), of_bob),
        Case("his upload as an input", lambda bench: bench.submit(from_image({"upload": bench.notes["upload"]})), at("image/upload"), upload_of_bob),
        Case("an id that is none", lambda bench: bench.alice.get("/v1/jobs/job_" + "g" * 24), NO_JOB),
    ), "Never 403: that a job is there is not told. `tests/bad_inputs/test_two_owners.py` tries every call of the API."),
    BadInput(35, "Keys that are no good", (
        Case("none", without_key, NOBODY),
        Case("a revoked one", with_revoked_key, NOBODY, revoke_a_key),
        Case("one with a wrong last letter", with_half_of_a_key, NOBODY),
        with_key("one that never was", "Bearer atl_0123456789abcdef_" + "x" * 43),
        with_key("`Bearer`", "Bearer"), with_key("`Basic YTpi`", "Basic YTpi"), with_key("`nonsense`", "nonsense"),
        with_key("4,000 letters", "Bearer " + "x" * 4000),
    ), "Keys do not expire; they are revoked."),
)  # fmt: skip
"""The rows."""
