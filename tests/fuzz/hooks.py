"""What no schema can say, told to schemathesis: which ids exist, which models are on offer, what an image is.

The `schemathesis` command loads this file (SCHEMATHESIS_HOOKS). It touches only requests that are meant to be
valid, and not those of the stateful phase, which takes ids from answers by itself. Every answer is counted in
the file that FUZZ_TALLY names.
"""

import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.generation import GenerationMode

from tests.fuzz.known import Known
from tests.integration.api.support import png

Json = dict[str, Any]

KNOWN = Known.load(Path(os.environ["FUZZ_KNOWN"]))
TALLY = Path(os.environ["FUZZ_TALLY"])
MODELS = {
    "text-to-image": ("test/fake", "test/fake-other"),
    "image-to-image": ("test/fake",),
    "text": ("test/fake-text",),
}
LARGEST = {"n": 2, "steps": 5, "max_tokens": 10, "width": 256, "height": 256}
"""Bounds of the work that a job makes, which is not what is fuzzed."""


@schemathesis.hook
def before_load_schema(context: HookContext, raw_schema: Json) -> None:
    """This server has keys, so that the calls which a server without any answers to everyone need one."""
    for operations in raw_schema["paths"].values():
        for operation in operations.values():
            operation["security"] = [way for way in operation["security"] if way]


@schemathesis.hook
def before_call(context: HookContext, case: Case, kwargs: Json) -> None:
    """Make valid what is only well-formed."""
    if _is_meant_to_be_valid(case):
        _name_what_exists(case)
        _drop_what_nobody_can_guess(case)
        if case.operation.label == "POST /v1/jobs":
            case.body = _submission(case.body)
        if case.operation.label == "POST /v1/uploads":
            case.body = png((8, 8), KNOWN.chance.choice(["red", "green", "blue"]))


@schemathesis.hook
def after_call(context: HookContext, case: Case, response: Response) -> None:
    """Count the answer, and learn from it."""
    mode = case.meta.generation.mode.value if case.meta else "none"
    phase = case.meta.phase.name.value if case.meta else "none"
    seen = {"call": case.operation.label, "mode": mode, "phase": phase, "status": response.status_code}
    with TALLY.open("a") as tally:
        tally.write(json.dumps(seen) + "\n")
    if case.method == "POST" and response.status_code in (201, 202):
        KNOWN.learn(case.path, json.loads(response.content))


def _is_meant_to_be_valid(case: Case) -> bool:
    if case.meta is None or case.meta.phase.name.value == "stateful":
        return False
    return case.meta.generation.mode is GenerationMode.POSITIVE


def _name_what_exists(case: Case) -> None:
    given = case.path_parameters
    removes = case.method == "DELETE"
    looks = case.path.endswith(("/artifacts/{name}", "/events")) or "/deliveries" in case.path
    if "job_id" in given:
        given["job_id"] = (KNOWN.taken_job() if removes else None) or (
            KNOWN.anchors["job"] if looks else KNOWN.job()
        )
    if "endpoint_id" in given:
        given["endpoint_id"] = (KNOWN.taken_endpoint() if removes else None) or KNOWN.endpoint()
    if "name" in given:
        given["name"] = KNOWN.anchors["artifact"]
    if "message_id" in given:
        given["message_id"] = KNOWN.anchors["message"]


def _drop_what_nobody_can_guess(case: Case) -> None:
    """A cursor comes from an answer; a key is used once; waiting takes its time."""
    case.query.pop("cursor", None)
    if "Idempotency-Key" in case.headers:
        case.headers["Idempotency-Key"] = f"{case.headers['Idempotency-Key'][:200]}-{uuid4()}"


def _submission(body: Any) -> Any:
    jobs = body if isinstance(body, list) else [body]
    for index, job in enumerate(jobs):
        _choose(job)
        if "ref" in job:
            job["ref"] = f"{job['ref'][:50]}.{index}"
    return body


def _choose(job: Json) -> None:
    job.pop("model", None)
    if KNOWN.chance.random() < 0.8:
        job["model"] = KNOWN.chance.choice(MODELS[job["kind"]])
    if job.get("webhook"):
        job["webhook"] = KNOWN.endpoint()
    inputs = job["inputs"]
    for name, most in LARGEST.items():
        if name in inputs:
            inputs[name] = min(inputs[name], most)
    if "image" in inputs:
        job_id, upload = {"job": KNOWN.anchors["job"]}, {"upload": KNOWN.upload()}
        inputs["image"] = KNOWN.chance.choice([job_id, upload])
        inputs.pop("strength", None)
