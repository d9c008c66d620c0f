"""From a request body to jobs that can be enqueued: every fault is found before anything is stored."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from api.parsing import parsed, summary
from api.problems import Fault, Problem
from api.references import References
from api.services import services
from api.strict_json import escape
from api.webhooks import webhook_fault
from infra.jobs.record import NewJob, new_job_id
from infra.safety_log import note_found
from pipelines.catalog import Resolved
from pipelines.errors import InvalidInputs, PromptBlocked, RequestError
from pipelines.errors import Problem as InputProblem
from pipelines.kinds import Media
from pipelines.safety import check_prompt

MAX_CHAIN = 50
NO_CODE = "no code is run here; the server's operator has to allow it (`ATELIER_RUN_CODE`)"
MONTH = 30 * 86400
REF = re.compile(r"^[A-Za-z0-9_.-]{1,64}$")
MetadataKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:-][A-Za-z0-9_.:-]{0,63}$")]
Plain = r"^[^\x00]*$"  # what strict_json refuses anyway, for who reads the schema
Whole = Annotated[int, Field(ge=-(2**63) + 1, le=2**63 - 1)]  # the same
MetadataValue = Annotated[str, Field(max_length=512, pattern=Plain)] | bool | Whole | float | None


class Submission(BaseModel):
    """What `POST /v1/jobs` takes. `inputs` is checked against the kind's own schema and the model's
    limits."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    kind: str = Field(max_length=64, description="What to do; `/v1/kinds` lists the kinds.")
    model: str | None = Field(
        None, max_length=160, description="Which model; the kind's default when absent."
    )
    inputs: dict[str, Any] = Field(description="The kind's inputs, as its JSON Schema in `/v1/kinds` says.")
    priority: Literal["low", "normal", "high"] = Field("normal", description="Order among your own jobs.")
    metadata: dict[MetadataKey, MetadataValue] = Field(
        {},
        max_length=32,
        description="Your own notes, given back with the job: 32 short texts or numbers at most.",
        json_schema_extra={"additionalProperties": False},
    )
    start_deadline_seconds: float | None = Field(
        None, gt=0, le=MONTH, description="The job fails unless it has started this many seconds from now."
    )
    deadline_seconds: float | None = Field(
        None, gt=0, le=MONTH, description="The job fails unless it is done this many seconds from now."
    )
    expires_in_seconds: int | None = Field(
        None, ge=60, le=12 * MONTH, description="How long the finished job and its artifacts are kept."
    )
    webhook: str | None = Field(
        None,
        min_length=1,
        max_length=2048,
        pattern=Plain,
        description="Who is told when the job is over: the id of one of your webhook endpoints, or an https"
        " URL, which is signed with your own webhook secret.",
    )


class ChainedSubmission(Submission):
    """One job of a list; the inputs of a later one may refer to it as `{"job": "#ref"}`."""

    ref: str = Field(pattern=REF.pattern, description="A name for this job within the list.")


@dataclass
class Draft:
    """One job on its way: `place` is the pointer to it in the body, empty for a single one."""

    place: str
    submission: Submission
    job_id: str
    resolved: Resolved | None = None
    inputs: dict[str, Any] = field(default_factory=dict)  # as they will be stored
    waits_for: tuple[str, ...] = ()


def jobs_of(body: Any, owner: str) -> list[NewJob]:
    """The jobs that a body asks for; Problem 422 with every fault that was found."""
    drafts = _chain(body) if isinstance(body, list) else [_draft("", body, Submission)]
    references = References(owner)
    refs: dict[str, str] = {}
    faults: list[tuple[str, Fault]] = []
    for draft in drafts:
        try:
            draft.resolved = _resolve(draft, refs, owner)
        except RequestError as error:
            slug = error.type
            faults += [(slug, Fault(draft.place + found.pointer, found.detail)) for found in error.problems]
        if isinstance(draft.submission, ChainedSubmission):
            refs[draft.submission.ref] = draft.job_id
    faults += [("invalid_request", fault) for fault in _webhook_faults(drafts, owner)]
    _raise(faults)
    chained: dict[str, Media] = {}
    for draft in drafts:
        _check_references(draft, references, chained)
    _raise(("invalid_inputs", fault) for fault in references.faults)
    references.download()
    _raise(("invalid_inputs", fault) for fault in references.faults)
    references.keep_uploads()
    return [_new_job(draft, owner) for draft in drafts]


def _chain(body: list[Any]) -> list[Draft]:
    if not 1 <= len(body) <= MAX_CHAIN:
        raise Problem(
            "invalid_request", f"A list holds 1 to {MAX_CHAIN} jobs.", faults=[Fault("", "wrong length")]
        )
    drafts = [_draft(f"/{index}", item, ChainedSubmission) for index, item in enumerate(body)]
    seen: set[str] = set()
    for draft in drafts:
        ref = draft.submission.ref  # type: ignore[attr-defined]  # all are ChainedSubmissions
        if ref in seen:
            raise Problem(
                "invalid_request",
                "Two jobs have the same ref.",
                faults=[Fault(f"{draft.place}/ref", "is not unique")],
            )
        seen.add(ref)
    return drafts


def _draft(place: str, item: Any, model: type[Submission]) -> Draft:
    if not isinstance(item, dict):
        raise Problem(
            "invalid_request", "A job is a JSON object.", faults=[Fault(place, "must be an object")]
        )
    return Draft(place, parsed(model, item, place), new_job_id())


def _resolve(draft: Draft, refs: dict[str, str], owner: str) -> Resolved:
    """The effective inputs; `#ref`s are replaced by the ids of the jobs that stand before this one."""
    inputs = dict(draft.submission.inputs)
    for name, value in inputs.items():
        target = value.get("job") if isinstance(value, dict) else None
        if isinstance(target, str) and target.startswith("#"):
            if target[1:] not in refs:
                detail = f"no job before this one in the list has the ref {target[1:]!r}"
                raise InvalidInputs([InputProblem(f"/inputs/{escape(name)}/job", detail)])
            inputs[name] = {**value, "job": refs[target[1:]]}
    resolved = services().catalog.resolve(draft.submission.kind, draft.submission.model, inputs)
    if getattr(resolved.inputs, "tests", None) and not services().settings.run_code:
        raise InvalidInputs([InputProblem("/inputs/tests", NO_CODE)])
    _check_words(resolved, owner)
    return resolved


def _check_words(resolved: Resolved, owner: str) -> None:
    """Refuse a prompt of a category that is blocked; the refusal is noted."""
    try:
        check_prompt(resolved.inputs, services().policy)
    except PromptBlocked as blocked:
        note_found("prompt", blocked.categories, "block", owner=owner, model=resolved.model.name)
        raise


def _check_references(draft: Draft, references: References, chained: dict[str, Media]) -> None:
    """`chained` says what the jobs before it will make; what this one will is added."""
    assert draft.resolved is not None  # noqa: S101 - faults were raised before
    inputs = draft.resolved.inputs
    draft.inputs = inputs.as_json()
    draft.waits_for = references.check(draft.place, draft.job_id, inputs, draft.inputs, chained)
    chained[draft.job_id] = inputs.gives()


def _new_job(draft: Draft, owner: str) -> NewJob:
    submission, resolved = draft.submission, draft.resolved
    assert resolved is not None  # noqa: S101 - faults were raised before
    settings = services().settings
    return NewJob(
        id=draft.job_id,
        owner=owner,
        kind=submission.kind,
        model=resolved.model.name,
        queue=resolved.model.queue,
        inputs=draft.inputs,
        cost=resolved.cost,
        priority=submission.priority,
        metadata=submission.metadata,
        waits_for=draft.waits_for,
        max_attempts=settings.max_attempts,
        expires_in_seconds=submission.expires_in_seconds or settings.expires_in_seconds,
        start_deadline_seconds=submission.start_deadline_seconds,
        deadline_seconds=submission.deadline_seconds,
        webhook=submission.webhook,
        seed_chosen=resolved.seed_chosen,
        batch=resolved.inputs.batch(),
        rows=resolved.inputs.n,
    )


def _webhook_faults(drafts: Sequence[Draft], owner: str) -> list[Fault]:
    """What is wrong with the webhooks; each one that several jobs name is checked once."""
    named = [(draft.place, draft.submission.webhook) for draft in drafts if draft.submission.webhook]
    details = {webhook: webhook_fault(webhook, owner) for webhook in {webhook for _, webhook in named}}
    return [Fault(f"{place}/webhook", detail) for place, webhook in named if (detail := details[webhook])]


def _raise(faults: Iterable[tuple[str, Fault]]) -> None:
    found = list(faults)
    if found:
        slug = found[0][0]
        only = [fault for _, fault in found]
        raise Problem(slug, summary(only), faults=only)
