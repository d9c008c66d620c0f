"""What no schema can say, told to schemathesis: which ids exist, which models are on offer, what an image is.

The `schemathesis` command loads this file (SCHEMATHESIS_HOOKS). It touches requests that are meant to be
valid, but for ids in paths of the stateful phase, which takes them from answers by itself. Every answer is
counted in the file that FUZZ_TALLY names.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import schemathesis
from hypothesis import strategies
from schemathesis import Case, HookContext, Response

from api.routes import ROUTES
from pipelines.kinds import KINDS
from tests.fuzz.known import Known
from tests.fuzz.samples import SAMPLES

Json = dict[str, Any]

KNOWN = Known.load(Path(os.environ["FUZZ_KNOWN"]))
TALLY = Path(os.environ["FUZZ_TALLY"])
MODELS = {
    "text-to-image": ("test/fake", "test/fake-other"),
    **dict.fromkeys(("image-to-image", "inpaint", "upscale"), ("test/fake",)),
    **dict.fromkeys(("text-to-video", "image-to-video", "video-to-video"), ("test/fake-video",)),
    **dict.fromkeys(("text-to-music", "continue-music"), ("test/fake-music",)),
    **dict.fromkeys(("text", "chat", "code"), ("test/fake-text",)),
}
UPLOADS = next(route.body for route in ROUTES if route.name == "uploads.create") or {}
LARGEST = {
    "n": 2,
    "steps": 5,
    "max_tokens": 10,
    "width": 256,
    "height": 256,
    "frames": 3,
    "duration_seconds": 1.0,
}
"""Bounds of the work that a job makes, which is not what is fuzzed."""

for media_type in UPLOADS:
    schemathesis.openapi.media_type(media_type, strategies.sampled_from(SAMPLES))


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: Json) -> None:
    """This server has keys, so that the calls which a server without any answers to everyone need one."""
    for path, operations in raw_schema["paths"].items():
        if path.startswith("/v1/"):
            for operation in operations.values():
                operation["security"] = [{"key": []}]


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: Json) -> None:
    """Make valid what is only well-formed."""
    if case.meta is not None and case.meta.generation.mode.is_positive:
        _drop_what_nobody_can_guess(case)
        if case.meta.phase.name.value != "stateful":
            _name_what_exists(case)
        if isinstance(case.body, dict | list):
            case.body = _written_as_whole(case.body)
        if case.operation.label in BODIES:
            case.body = BODIES[case.operation.label](case.body)
    if case.method == "DELETE" or case.path.endswith("/disable"):
        _spare_anchors(case)


@schemathesis.hook
def after_call(context: HookContext, case: Case, response: Response) -> None:
    """Count the answer, and learn from it."""
    mode = case.meta.generation.mode.value if case.meta else "none"
    phase = case.meta.phase.name.value if case.meta else "none"
    seen = {"call": case.operation.label, "mode": mode, "phase": phase, "status": response.status_code}
    with TALLY.open("a") as tally:
        tally.write(json.dumps(seen) + "\n")
    if response.status_code in (200, 201, 202) and response.headers.get("content-type") == [
        "application/json"
    ]:
        KNOWN.learn(case.path, case.method, json.loads(response.content))


def _spare_anchors(case: Case) -> None:
    for name, value in case.path_parameters.items():
        if value in KNOWN.anchors.values():
            case.path_parameters[name] = value[:-8] + "00000000"


def _name_what_exists(case: Case) -> None:
    given = case.path_parameters
    if case.method == "DELETE":
        found = {"job_id": KNOWN.taken_job(), "endpoint_id": KNOWN.taken_endpoint()}
    else:
        looks = case.path.endswith(("/artifacts/{name}", "/events")) or "/deliveries" in case.path
        found = {
            "job_id": KNOWN.anchors["job"] if looks else KNOWN.job(),
            "endpoint_id": KNOWN.endpoint(),
            "name": KNOWN.anchors["artifact"],
            "message_id": KNOWN.anchors["message"],
        }
    given.update({name: value for name, value in found.items() if name in given and value})


def _drop_what_nobody_can_guess(case: Case) -> None:
    """A cursor comes from an answer; a key is used once; where the artifact ends is in its record."""
    if case.query.get("cursor") not in KNOWN.cursors:
        case.query.pop("cursor", None)
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"{case.headers['Idempotency-Key'][:200]}-{uuid4()}"
    if case.headers.get("Range", "").startswith("bytes"):
        case.headers["Range"] = "bytes=0-99"


def _written_as_whole(value: Any) -> Any:
    """JSON Schema takes 1.0 for an integer, which this API refuses, as many a language would."""
    if isinstance(value, dict):
        return {name: _written_as_whole(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_written_as_whole(part) for part in value]
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return int(value) if is_whole else value


def _submission(body: Any) -> Any:
    jobs = body if isinstance(body, list) else [body]
    for index, job in enumerate(jobs):
        _choose(job)
        if "ref" in job:
            job["ref"] = f"{job['ref'][:50]}.{index}"
    return body


def _endpoint(body: Json) -> Json:
    return {**body, "url": f"https://receiver.invalid/{uuid4()}"}


def _switch(body: Json) -> Json:
    """What to pause or resume: a queue or model that is there."""
    there = {"queue": "video", "model": "test/fake-slow-load", "worker": KNOWN.anchors["worker"]}
    return {name: there.get(name, value) for name, value in body.items()}


def _choose(job: Json) -> None:
    job.pop("model", None)
    if KNOWN.chance.random() < 0.8:
        job["model"] = KNOWN.chance.choice(MODELS[job["kind"]])
    if job.get("webhook"):
        job["webhook"] = KNOWN.anchors["endpoint"]
    job["inputs"] = _fitting(job["kind"], job["inputs"])


def _fitting(kind: str, inputs: Json) -> Json:
    """Inputs that go together, name what exists, and make little work."""
    for name, most in LARGEST.items():
        if isinstance(inputs.get(name), int | float):
            inputs[name] = min(inputs[name], most)
    if isinstance(inputs.get("prompt"), dict):
        inputs["prompt"] = {"job": KNOWN.anchors["tale"]}
    for field, media in KINDS[kind].media.items():
        if inputs.get(field) is not None:
            inputs[field] = _file(media)
    if "strength" in KINDS[kind].model_fields:
        inputs["strength"] = 1.0  # so that any number of steps takes one
    inputs |= {name: [] for name in ("loras", "extras") if name in inputs}
    return FITTING.get(kind, lambda inputs: inputs)(inputs)


def _file(media: str) -> Json:
    upload = {"upload": KNOWN.upload() if media == "image" else KNOWN.anchors[media]}
    made = {"job": KNOWN.anchors["job"]}
    return KNOWN.chance.choice([made, upload]) if media == "image" else upload


def _upscale(inputs: Json) -> Json:
    """One thing, in a format that it can have."""
    given = "video" if inputs.get("video") is not None else "image"
    rest = {name: value for name, value in inputs.items() if name not in ("image", "video", "format")}
    return {**rest, given: _file(given)}


def _chat(inputs: Json) -> Json:
    """A conversation that ends with a question."""
    return {**inputs, "messages": [*inputs["messages"], {"role": "user", "content": "x"}][-256:]}


def _code(inputs: Json) -> Json:
    """Something to write, and no tests: this server's operator lets no code run."""
    rest = {name: value for name, value in inputs.items() if name != "tests"}
    return rest if rest.get("prefix", "").strip() else {**rest, "prompt": "x"}


FITTING: dict[str, Callable[[Json], Json]] = {
    "upscale": _upscale,
    "chat": _chat,
    "code": _code,
}
"""What no schema can say of a kind's inputs."""


BODIES: dict[str, Callable[[Any], Any]] = {
    "POST /v1/jobs": _submission,
    "POST /v1/webhook-endpoints": _endpoint,
    "POST /v1/admin/pause": _switch,
    "POST /v1/admin/resume": _switch,
}
"""What makes a well-formed body a valid one, by call."""
