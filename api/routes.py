"""Every call of the API: one table, from which come the URL map, /openapi.json and /docs."""

# ruff: noqa: E501 - a row of the table is a line of the file

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pydantic import BaseModel
from werkzeug.wrappers import Response

from api.bodies import (
    ChainBody,
    CountBody,
    JobBody,
    JobListBody,
    UploadBody,
)
from api.catalog_bodies import KindBody, ModelBody, QueueBody, WorkerBody
from api.operator_bodies import (
    AdminJobBody,
    AdminJobListBody,
    OwnerBody,
    OwnerOrder,
    PauseBody,
    PauseOrder,
    ResumedBody,
    ResumeOrder,
)
from api.submission import MAX_CHAIN, ChainedSubmission, Submission
from api.webhook_bodies import (
    DeliveryBody,
    DeliveryListBody,
    EndpointBody,
    EndpointListBody,
    NewEndpoint,
    OwnSecretBody,
    TestBody,
)
from infra.jobs.events import EventType
from infra.jobs.record import Status
from infra.keys import OWNER
from infra.media_check import FORMATS

Json = dict[str, Any]
JOB_ID = r"^job_[0-9a-f]{24}$"
ENDPOINT_ID = r"^we_[0-9a-f]{24}$"
MESSAGE_ID = r"^msg_[0-9a-f]{24}$"


@dataclass(frozen=True)
class Parameter:
    """One value in the path, the query or the headers."""

    name: str
    place: Literal["path", "query", "header"]
    meaning: str
    schema: Json = field(default_factory=lambda: {"type": "string"})


@dataclass(frozen=True)
class Reply:
    """One answer that is no problem. Its content is JSON of `model`, or of another media type with a
    schema."""

    status: int
    meaning: str
    model: type[BaseModel] | None = None
    media_type: str = "application/json"
    schema: Json | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Route:
    """One call. `name` is `<module of api.views>.<function>`; `path` has its variables in braces."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    name: str
    summary: str
    replies: tuple[Reply, ...]
    problems: tuple[str, ...] = ()
    """Slugs beyond those that every call may answer with."""
    parameters: tuple[Parameter, ...] = ()
    body: Mapping[str, Json] | None = None
    """Schema by media type."""
    body_models: tuple[type[BaseModel], ...] = ()
    auth: Literal["key", "admin", "open", "scraper"] = "key"

    @property
    def tag(self) -> str:
        return self.name.partition(".")[0]

    @property
    def rule(self) -> str:
        """The path as Flask writes it."""
        return re.sub(r"{(\w+_id)}", r"<id:\1>", self.path).replace("{", "<").replace("}", ">")

    def view(self) -> Callable[..., Response]:
        """The function that answers."""
        from importlib import import_module  # views import this table's document, so they come later

        module, _, function = self.name.partition(".")
        found: Callable[..., Response] = getattr(import_module(f"api.views.{module}"), function)
        return found


def _listed(model: type[BaseModel]) -> Json:
    items = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "type": "object",
        "required": ["object", "data"],
        "properties": {"object": {"const": "list"}, "data": {"type": "array", "items": items}},
    }


ID = Parameter("job_id", "path", "The job's id.", {"type": "string", "pattern": JOB_ID})
ENDPOINT = Parameter("endpoint_id", "path", "The endpoint's id.", {"type": "string", "pattern": ENDPOINT_ID})
MESSAGE = Parameter("message_id", "path", "The message's id.", {"type": "string", "pattern": MESSAGE_ID})
OWNER_NAME = Parameter(
    "owner", "path", "The owner's name.", {"type": "string", "pattern": f"^{OWNER.pattern}$"}
)
NAME = Parameter("name", "path", "The artifact's name.", {"type": "string", "minLength": 1})
PREFER = Parameter(
    "Prefer", "header", "`wait=N`: hold the answer until the job is final, at most N (≤ 60) seconds."
)
KEY = Parameter(
    "Idempotency-Key",
    "header",
    "Makes a repeated request safe: 1 to 255 visible ASCII characters, remembered for 24 h.",
    {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
)
IF_NONE_MATCH = Parameter("If-None-Match", "header", "304 when the version is still this one.")
LAST_EVENT = Parameter("Last-Event-ID", "header", "Go on after this event.")
RANGE = Parameter("Range", "header", "One range of bytes.")
FILTERS = (
    Parameter(
        "status",
        "query",
        "Only jobs in this state.",
        {"type": "string", "enum": [str(status) for status in Status]},
    ),
    Parameter("kind", "query", "Only jobs of this kind.", {"type": "string", "maxLength": 160}),
    Parameter("model", "query", "Only jobs of this model.", {"type": "string", "maxLength": 160}),
)
ADMIN_FILTERS = (
    Parameter("owner", "query", "Only jobs of this owner.", {"type": "string", "maxLength": 160}),
    Parameter("queue", "query", "Only jobs of this queue.", {"type": "string", "maxLength": 160}),
    *FILTERS,
)
CURSOR = Parameter("cursor", "query", "`next_cursor` of the answer before.", {"type": "string"})
PAGING = (
    CURSOR,
    Parameter(
        "limit", "query", "Jobs a page, 20 when absent.", {"type": "integer", "minimum": 1, "maximum": 100}
    ),
)
SUBMITTED: Json = {
    "anyOf": [
        {"$ref": "#/components/schemas/Submission"},
        {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_CHAIN,
            "items": {"$ref": "#/components/schemas/ChainedSubmission"},
        },
    ]
}
ACCEPTED: Json = {
    "anyOf": [{"$ref": "#/components/schemas/JobBody"}, {"$ref": "#/components/schemas/ChainBody"}]
}
FILENAME: Json = {
    "type": "string",
    "pattern": r"^[^\x00-\x1f\x7f-\x9f\\/\u2028\u2029]{1,200}$",
    "not": {"enum": [".", ".."]},
}
BYTES: Json = {}  # OpenAPI 3.1: bytes have no schema
EVENT: Json = {
    "description": "Each event.",
    "type": "object",
    "required": ["event", "data"],
    "properties": {
        "id": {"type": "string", "description": "For `Last-Event-ID`; live progress has none of its own."},
        "event": {"enum": [str(kind) for kind in EventType]},
        "data": {"type": "string", "contentMediaType": "application/json"},
        "retry": {"type": "integer", "description": "Milliseconds until a browser connects again."},
    },
}
JSON_BODY = ("malformed_json", "request_timeout", "too_large", "unsupported_media_type")
NO_BODY = ("malformed_json", "request_timeout", "too_large")

ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/v1/jobs", "jobs.submit", "Submit a job, or a list of jobs that build on each other.",
        (
            Reply(202, "Accepted and on disk.", schema=ACCEPTED, headers={"Location": "Path of a single job.", "Idempotency-Replayed": "`true` when the key was known."}),
            Reply(200, "Final within the time of `Prefer: wait`.", schema=ACCEPTED),
        ),
        (*JSON_BODY, "unknown_kind", "unknown_model", "invalid_inputs", "prompt_blocked", "idempotency_mismatch", "job_gone", "too_many_at_once", "rate_limited", "owner_limit", "system_full", "storage_full"),
        (PREFER, KEY), {"application/json": SUBMITTED}, (Submission, ChainedSubmission, JobBody, ChainBody),
    ),
    Route(
        "GET", "/v1/jobs", "jobs.index", "List your jobs, newest first. A filtered page may be short.",
        (Reply(200, "One page.", JobListBody),), (), (*FILTERS, *PAGING),
    ),
    Route(
        "GET", "/v1/jobs/{job_id}", "jobs.show", "One job.",
        (Reply(200, "The job.", JobBody, headers={"ETag": "The version."}), Reply(304, "Still the same version.")),
        ("job_not_found", "too_many_watchers"), (ID, PREFER, IF_NONE_MATCH),
    ),
    Route(
        "DELETE", "/v1/jobs/{job_id}", "jobs.delete", "Remove a job and its artifacts; a running one is cancelled first.",
        (Reply(204, "Gone."),), (*NO_BODY, "job_not_found"), (ID,),
    ),
    Route(
        "POST", "/v1/jobs/{job_id}/cancel", "jobs.cancel", "Cancel a job; a final one stays as it is.",
        (Reply(200, "The job.", JobBody),), (*NO_BODY, "job_not_found"), (ID,),
    ),
    Route(
        "POST", "/v1/jobs/cancel", "jobs.cancel_many", "Cancel all your jobs that match and are not final.",
        (Reply(200, "How many.", CountBody),), NO_BODY, (*FILTERS, CURSOR),
    ),
    Route(
        "POST", "/v1/jobs/{job_id}/retry", "jobs.retry", "Queue the same inputs, seed included, as a new job.",
        (Reply(202, "The new job, whose `retry_of` is the old one.", JobBody, headers={"Location": "Path of the new job."}),),
        (*NO_BODY, "job_not_found", "invalid_inputs", "rate_limited", "owner_limit", "system_full", "storage_full"), (ID,),
    ),
    Route(
        "POST", "/v1/jobs/retry", "jobs.retry_many", "Retry your failed and cancelled jobs that match and were not retried yet.",
        (Reply(202, "How many.", CountBody),), (*NO_BODY, "rate_limited", "owner_limit", "system_full", "storage_full"), (*FILTERS, CURSOR),
    ),
    Route(
        "GET", "/v1/jobs/{job_id}/events", "events.stream", "Watch a job: server-sent events until its final one.",
        (
            Reply(200, "The events.", media_type="text/event-stream", schema=EVENT),
            Reply(204, "The final event was seen; do not connect again."),
        ),
        ("job_not_found", "too_many_watchers"), (ID, LAST_EVENT),
    ),
    Route(
        "GET", "/v1/jobs/{job_id}/artifacts/{name}", "artifacts.show", "The bytes of an artifact.",
        (
            Reply(200, "All bytes.", media_type="*/*", schema=BYTES, headers={"ETag": "SHA-256 of the bytes."}),
            Reply(206, "The range.", media_type="*/*", schema=BYTES),
            Reply(302, "Where the storage is public: a signed URL."),
            Reply(304, "Still the same bytes."),
        ),
        ("job_not_found", "artifact_not_found", "range_not_satisfiable", "storage_unavailable"), (ID, NAME, RANGE, IF_NONE_MATCH),
    ),
    Route(
        "POST", "/v1/uploads", "uploads.create", "Upload a file for inputs: the raw bytes of an image, a sound or a video.",
        (Reply(201, "Stored for 24 h, or as long as a job needs it.", UploadBody),),
        ("bad_media", "request_timeout", "too_large", "unsupported_media_type", "owner_limit", "too_many_uploads", "media_unconfined", "storage_unavailable", "storage_full"),
        (Parameter("filename", "query", "A name for people.", FILENAME),),
        dict.fromkeys(("application/octet-stream", *FORMATS), BYTES),
    ),
    Route(
        "GET", "/v1/jobs/{job_id}/deliveries", "webhooks.deliveries", "What became of the messages about a job.",
        (Reply(200, "The messages.", DeliveryListBody),), ("job_not_found",), (ID,),
    ),
    Route(
        "POST", "/v1/jobs/{job_id}/deliveries/{message_id}/redeliver", "webhooks.redeliver", "Send a message again, now.",
        (Reply(202, "It is pending.", DeliveryBody),), (*NO_BODY, "job_not_found", "message_not_found"), (ID, MESSAGE),
    ),
    Route(
        "POST", "/v1/webhook-endpoints", "webhooks.create", "Make a webhook endpoint.",
        (Reply(201, "Made. Its secret is shown this once.", EndpointBody, headers={"Location": "Path of the endpoint."}),),
        (*JSON_BODY, "owner_limit"), (), {"application/json": {"$ref": "#/components/schemas/NewEndpoint"}}, (NewEndpoint,),
    ),
    Route(
        "GET", "/v1/webhook-endpoints", "webhooks.index", "Your webhook endpoints, oldest first.",
        (Reply(200, "All of them.", EndpointListBody),),
    ),
    Route(
        "GET", "/v1/webhook-endpoints/{endpoint_id}", "webhooks.show", "One webhook endpoint.",
        (Reply(200, "The endpoint.", EndpointBody),), ("endpoint_not_found",), (ENDPOINT,),
    ),
    Route(
        "DELETE", "/v1/webhook-endpoints/{endpoint_id}", "webhooks.delete", "Remove a webhook endpoint; pending messages to it fail.",
        (Reply(204, "Gone."),), (*NO_BODY, "endpoint_not_found"), (ENDPOINT,),
    ),
    Route(
        "POST", "/v1/webhook-endpoints/{endpoint_id}/rotate", "webhooks.rotate", "Give an endpoint a new secret; the old one signs too for 24 h.",
        (Reply(200, "With the secret, this once.", EndpointBody),), (*NO_BODY, "endpoint_not_found"), (ENDPOINT,),
    ),
    Route(
        "POST", "/v1/webhook-endpoints/{endpoint_id}/enable", "webhooks.enable", "Send to an endpoint again.",
        (Reply(200, "The endpoint.", EndpointBody),), (*NO_BODY, "endpoint_not_found"), (ENDPOINT,),
    ),
    Route(
        "POST", "/v1/webhook-endpoints/{endpoint_id}/disable", "webhooks.disable", "Send nothing more to an endpoint; pending messages to it fail.",
        (Reply(200, "The endpoint.", EndpointBody),), (*NO_BODY, "endpoint_not_found"), (ENDPOINT,),
    ),
    Route(
        "POST", "/v1/webhook-endpoints/{endpoint_id}/test", "webhooks.test", "Send a `webhook.test` message now, also to a disabled endpoint.",
        (Reply(200, "What came of it.", TestBody),), (*NO_BODY, "endpoint_not_found"), (ENDPOINT,),
    ),
    Route(
        "GET", "/v1/webhook-secret", "webhooks.own_secret", "Whether you have a webhook secret, which signs messages to URLs.",
        (Reply(200, "Whether there is one.", OwnSecretBody),),
    ),
    Route(
        "POST", "/v1/webhook-secret/rotate", "webhooks.rotate_own_secret", "Make your webhook secret, or a new one; the old one signs too for 24 h.",
        (Reply(200, "With the secret, this once.", OwnSecretBody),), NO_BODY,
    ),
    Route(
        "GET", "/v1/models", "catalog.models", "The models on offer.",
        (Reply(200, "OpenAI's list shape.", schema=_listed(ModelBody)),), body_models=(ModelBody,),
    ),
    Route(
        "GET", "/v1/kinds", "catalog.kinds", "The kinds of job and the JSON Schema of their inputs.",
        (Reply(200, "All kinds.", schema=_listed(KindBody)),), body_models=(KindBody,),
    ),
    Route(
        "GET", "/v1/queues", "catalog.queues", "Depth, waiting time and measured rate of each queue.",
        (Reply(200, "All queues.", schema=_listed(QueueBody)),), body_models=(QueueBody,),
    ),
    Route(
        "GET", "/v1/workers", "catalog.workers", "The live workers.",
        (Reply(200, "All workers.", schema=_listed(WorkerBody)),), body_models=(WorkerBody,),
    ),
    Route(
        "POST", "/v1/admin/pause", "operator.pause", "Pause a queue, a model or a worker: what runs goes on, nothing more is started.",
        (Reply(200, "The pause; one that stood already is answered as it is.", PauseBody),), (*JSON_BODY, "nothing_to_pause"),
        (), {"application/json": {"$ref": "#/components/schemas/PauseOrder"}}, (PauseOrder,), "admin",
    ),
    Route(
        "POST", "/v1/admin/resume", "operator.resume", "Take a pause back.",
        (Reply(200, "Whether it was paused.", ResumedBody),), JSON_BODY,
        (), {"application/json": {"$ref": "#/components/schemas/ResumeOrder"}}, (ResumeOrder,), "admin",
    ),
    Route(
        "GET", "/v1/admin/pauses", "operator.pauses", "All that is paused.",
        (Reply(200, "By what, then by name.", schema=_listed(PauseBody)),), body_models=(PauseBody,), auth="admin",
    ),
    Route(
        "GET", "/v1/admin/jobs", "operator.jobs", "Jobs of all owners, newest first, without what they are about. A filtered page may be short.",
        (Reply(200, "One page.", AdminJobListBody),), (), (*ADMIN_FILTERS, *PAGING), auth="admin",
    ),
    Route(
        "POST", "/v1/admin/jobs/{job_id}/front", "operator.front", "Raise a queued job to the front of its queue; another stays as it is.",
        (Reply(200, "The job.", AdminJobBody),), (*NO_BODY, "job_not_found"), (ID,), auth="admin",
    ),
    Route(
        "POST", "/v1/admin/jobs/cancel", "operator.cancel_many", "Cancel jobs of all owners that match and are not final.",
        (Reply(200, "How many.", CountBody),), NO_BODY, (*ADMIN_FILTERS, CURSOR), auth="admin",
    ),
    Route(
        "POST", "/v1/admin/jobs/retry", "operator.retry_many", "Retry failed and cancelled jobs of all owners that match and were not retried yet.",
        (Reply(200, "How many.", CountBody),), (*NO_BODY, "rate_limited", "owner_limit", "system_full", "storage_full"), (*ADMIN_FILTERS, CURSOR), auth="admin",
    ),
    Route(
        "GET", "/v1/admin/owners", "operator.owners", "Owners that have a weight or limits of their own.",
        (Reply(200, "By name.", schema=_listed(OwnerBody)),), body_models=(OwnerBody,), auth="admin",
    ),
    Route(
        "GET", "/v1/admin/owners/{owner}", "operator.owner", "An owner's weight, limits and usage.",
        (Reply(200, "The owner.", OwnerBody),), ("not_found",), (OWNER_NAME,), auth="admin",
    ),
    Route(
        "POST", "/v1/admin/owners/{owner}", "operator.change_owner", "Change an owner's weight and limits; what is not named stays, null is as everybody's.",
        (Reply(200, "The owner.", OwnerBody),), (*JSON_BODY, "not_found"),
        (OWNER_NAME,), {"application/json": {"$ref": "#/components/schemas/OwnerOrder"}}, (OwnerOrder,), "admin",
    ),
    Route(
        "GET", "/livez", "system.livez", "The process is alive.",
        (Reply(200, "It is.", schema={"type": "object"}),), auth="open",
    ),
    Route(
        "GET", "/readyz", "system.readyz", "Jobs can be accepted and artifacts read.",
        (Reply(200, "Ready.", schema={"type": "object"}),), auth="open",
    ),
    Route(
        "GET", "/metrics", "system.show_metrics", "Prometheus metrics, for loopback and the scraper key.",
        (Reply(200, "Text.", media_type="text/plain", schema={"type": "string"}),), ("forbidden", "forbidden_origin"), auth="scraper",
    ),
    Route(
        "GET", "/openapi.json", "system.openapi", "This document.",
        (Reply(200, "OpenAPI 3.1.", schema={"type": "object"}),), auth="open",
    ),
    Route(
        "GET", "/docs", "system.docs", "This document as a page.",
        (Reply(200, "HTML.", media_type="text/html", schema={"type": "string"}),), auth="open",
    ),
)  # fmt: skip
