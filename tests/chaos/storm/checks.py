"""The judgement of a storm. Each check answers with sentences about what is wrong: none, if all is well."""

import hashlib
import json
import traceback
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx

from infra.jobs.record import Job, Outcome, Status
from infra.storage import Storage, open_storage
from infra.storage.keys import MANIFEST
from infra.webhooks.outbox import message_id
from tests.chaos.storm.client import key_of
from tests.chaos.storm.deployment import Deployment
from tests.chaos.storm.evidence import Evidence
from tests.chaos.storm.explain import Explained, explain
from tests.chaos.storm.plan import body
from tests.contract.jobs_snapshot import check as check_snapshot

READERS = 4
REPLAYED = 200
"""Jobs that are submitted once more at the end, under their old keys."""

Problems = Iterator[str]


def every_accepted_job_is_final(evidence: Evidence) -> Problems:
    """One record for each 202, another for each key, and nothing that was not asked for."""
    ids = Counter(line["job"] for line in evidence.accepted)
    yield from (f"{job_id} was the answer to {count} keys" for job_id, count in ids.items() if count > 1)
    yield from (f"{job_id} was accepted and is gone" for job_id in ids.keys() - evidence.jobs.keys())
    yield from (f"{job_id} exists and nobody was told of it" for job_id in evidence.jobs.keys() - ids.keys())
    for job in evidence.jobs.values():
        if not job.status.final:
            yield f"{job.id} is still {job.status.value}"


def one_result_each(evidence: Evidence) -> Problems:
    """A job that succeeded has one attempt that did, the last one, and its manifest; others have none."""
    for job in evidence.jobs.values():
        succeeded = [attempt.id for attempt in job.attempts if attempt.outcome is Outcome.SUCCEEDED]
        expected = [job.attempt_id] if job.status is Status.SUCCEEDED else []
        if succeeded != expected or bool(job.manifest) != bool(expected):
            yield f"{job.id} is {job.status.value} with the results of {succeeded or 'no attempt'}"


def one_final_event_each(evidence: Evidence) -> Problems:
    """The event stream of each job tells its end once, as the last event, and as many starts as attempts."""
    ends = {f"job.{status.value}" for status in Status if status.final}
    for job in evidence.jobs.values():
        events = evidence.events[job.id]
        told = [event for event in events if event in ends]
        if told != [f"job.{job.status.value}"] or events[-1:] != told:
            yield f"{job.id} is {job.status.value}, and its events end with {events[-3:]}"
        starts = events.count("job.started")
        if starts != len(job.attempts):
            yield f"{job.id} has {len(job.attempts)} attempts, and {starts} events say so"


def nothing_contradicts_itself(evidence: Evidence) -> Problems:
    """No lease, place, registration or index entry is left over, and every counter is exact."""
    try:
        check_snapshot(evidence.snapshot)
    except AssertionError as error:
        broken = traceback.extract_tb(error.__traceback__)[-1]
        yield f"the state contradicts itself: {broken.line} ({broken.name}) {str(error)[:500]}"
    for queue in evidence.snapshot.queues:
        for status in (Status.SUCCEEDED, Status.FAILED, Status.CANCELLED):
            jobs = sum(job.queue == queue and job.status is status for job in evidence.jobs.values())
            counted = int(evidence.snapshot.counters(f"queue:{queue}").get(status.value, 0))
            if counted != jobs:
                yield f"queue {queue} counts {counted} {status.value} jobs, and there are {jobs}"


def every_file_has_an_owner(evidence: Evidence) -> Problems:
    """Stored are the files of the committed attempt, all of them, and nothing of attempts that never were."""
    for job in evidence.jobs.values():
        attempts = evidence.stored.get(job.id, {})
        known = {attempt.id for attempt in job.attempts}
        yield from (f"{job.id} has files of an unknown attempt {name}" for name in attempts.keys() - known)
        if job.status is Status.SUCCEEDED:
            expected = {MANIFEST, *(artifact.name for artifact in job.artifacts)}
            if attempts.get(job.attempt_id or "") != expected:
                yield f"{job.id} should have {sorted(expected)}, and has {attempts.get(job.attempt_id or '')}"


def every_failure_is_explained(evidence: Evidence) -> Problems:
    """Each crash and loss is a line of the kill log, and jobs fail of three crashes only."""
    for item in explained(evidence):
        if item.kill is None:
            yield f"no kill explains {item}: {item.attempt.error}"
    for job in evidence.jobs.values():
        crashes = sum(attempt.outcome is Outcome.CRASHED for attempt in job.attempts)
        if job.status is Status.FAILED and (job.error is None or job.error.type != "worker_crashed"):
            yield f"{job.id} failed of {job.error}"
        if crashes != job.crashes or (job.status is Status.FAILED) != (crashes >= 3):
            yield f"{job.id} is {job.status.value} after {crashes} crashes (counted: {job.crashes})"


def every_end_is_told(evidence: Evidence) -> Problems:
    """Jobs with a webhook are told of once or more, always by the same message, always with their end."""
    told = defaultdict[str, set[tuple[str, str]]](set)
    for line in evidence.messages:
        if line["signed"]:
            told[line["job"]].add((line["id"], line["type"]))
        else:
            yield f"{line['id']} was not signed with the endpoint's secret"
    for job in evidence.jobs.values():
        expected = {(message_id(job.id), f"job.{job.status.value}")} if job.webhook else set()
        if told[job.id] != expected:
            yield f"{job.id} is {job.status.value}, and its webhook was told {told[job.id] or 'nothing'}"


def nothing_ended_by_itself(evidence: Evidence) -> Problems:
    """Processes end when they are killed, and the API never answers 500."""
    yield from (f"{line['part']} ended by itself with {line['code']}" for line in evidence.ends)
    for line in evidence.refusals:
        if line["what"] == "500":
            yield f"the API answered 500 to the submission of job {line['number']}"


OFFLINE: tuple[Callable[[Evidence], Problems], ...] = (
    every_accepted_job_is_final,
    one_result_each,
    one_final_event_each,
    nothing_contradicts_itself,
    every_file_has_an_owner,
    every_failure_is_explained,
    every_end_is_told,
    nothing_ended_by_itself,
)
"""Checks of what was gathered."""


def explained(evidence: Evidence) -> list[Explained]:
    """Every attempt without a result, with its kill."""
    return explain(evidence.jobs.values(), evidence.kills)


def readable_with_its_digest(evidence: Evidence, deployment: Deployment) -> Problems:
    """The API shows every job as the record has it, and serves each artifact with the bytes of its digest."""
    storage = open_storage(deployment.settings)
    jobs = list(evidence.jobs.values())
    shares = [jobs[start::READERS] for start in range(READERS)]

    def read(share: list[Job]) -> list[str]:
        with deployment.client() as client:
            return [problem for job in share for problem in _read(job, client, storage)]

    with ThreadPoolExecutor(READERS) as pool:
        for problems in pool.map(read, shares):
            yield from problems


def _read(job: Job, client: httpx.Client, storage: Storage) -> Problems:
    shown = client.get(f"/v1/jobs/{job.id}").json()
    if shown.get("status") != job.status.value or shown.get("version") != job.version:
        yield f"the API shows {job.id} as {shown.get('status')} {shown.get('version')}"
        return
    if len(shown["artifacts"]) != len(job.artifacts) or bool(job.artifacts) != (
        job.status is Status.SUCCEEDED
    ):
        yield f"the API shows {len(shown['artifacts'])} artifacts of {job.id}"
    for artifact in shown["artifacts"]:
        answer = client.get(artifact["url"])
        if answer.status_code != 200 or hashlib.sha256(answer.content).hexdigest() != artifact["sha256"]:
            yield f"{artifact['url']} answers {answer.status_code} and {len(answer.content)} other bytes"
    if job.manifest is not None:
        yield from _read_manifest(job, storage)


def _read_manifest(job: Job, storage: Storage) -> Problems:
    assert job.manifest is not None
    data = storage.read(job.manifest)
    if hashlib.sha256(data).hexdigest() != job.manifest_sha256:
        yield f"the manifest of {job.id} is another one than was committed"
    named = {entry["name"]: entry["sha256"] for entry in json.loads(data)["artifacts"]}
    if named != {artifact.name: artifact.sha256 for artifact in job.artifacts}:
        yield f"the manifest of {job.id} names other files than its record"


def keys_still_name_their_jobs(evidence: Evidence, deployment: Deployment, seed: int) -> Problems:
    """Who submits again under the same key is shown the same job."""
    step = max(1, len(evidence.accepted) // REPLAYED)
    with deployment.client() as client:
        for line in evidence.accepted[::step]:
            number = line["number"]
            headers = {"Idempotency-Key": key_of(seed, number)}
            webhook = evidence.jobs[line["job"]].webhook
            answer = client.post("/v1/jobs", json=body(seed, number, webhook), headers=headers)
            if answer.status_code != 202 or answer.json()["id"] != line["job"]:
                yield f"job {number} submitted again: {answer.status_code} {answer.text[:200]}"


def judge(evidence: Evidence, deployment: Deployment, seed: int) -> dict[str, list[str]]:
    """What each check found, by what it is called."""
    found = {check.__name__: list(check(evidence)) for check in OFFLINE}
    found["readable_with_its_digest"] = list(readable_with_its_digest(evidence, deployment))
    found["keys_still_name_their_jobs"] = list(keys_still_name_their_jobs(evidence, deployment, seed))
    return found
