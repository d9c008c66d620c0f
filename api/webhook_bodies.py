"""What the calls about webhooks take, and answer with."""

from pydantic import BaseModel, ConfigDict, Field

from api.bodies import TIME, Json, maybe_time, timestamp, without_nothing
from infra.webhooks.endpoints import DisabledBecause, Endpoint
from infra.webhooks.messages import Delivery, DeliveryAttempt, DeliveryState
from infra.webhooks.sender import Posted


class NewEndpoint(BaseModel):
    """What `POST /v1/webhook-endpoints` takes."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    url: str = Field(
        max_length=2048, pattern=r"^https?://[^\x00]+$", description="Where messages are posted to: https."
    )
    description: str = Field("", max_length=200, pattern=r"^[^\x00]*$", description="A note for people.")


class EndpointBody(BaseModel):
    """A webhook endpoint."""

    id: str = Field(description="For a job's `webhook`.")
    url: str
    description: str
    secret: str | None = Field(
        None, description="`whsec_…`, for your receiver. Shown once: when it is made or rotated."
    )
    created_at: str = Field(json_schema_extra=TIME)
    rotated_at: str | None = Field(None, description="When it last got a new secret.", json_schema_extra=TIME)
    failing_since: str | None = Field(
        None, description="The first failed attempt since the last delivery.", json_schema_extra=TIME
    )
    disabled_at: str | None = Field(None, description="Nothing is sent to it.", json_schema_extra=TIME)
    disabled_because: DisabledBecause | None = Field(
        None, description="`asked`: its owner wanted it; `gone`: it answered 410; `failing`: for five days."
    )


class EndpointListBody(BaseModel):
    """All your endpoints, oldest first."""

    data: list[EndpointBody]


class OwnSecretBody(BaseModel):
    """Your own webhook secret, which signs messages to URLs."""

    exists: bool
    secret: str | None = Field(None, description="Shown once: when it is rotated.")
    rotated_at: str | None = Field(None, json_schema_extra=TIME)


class DeliveryAttemptBody(BaseModel):
    """One attempt to deliver a message."""

    at: str = Field(json_schema_extra=TIME)
    milliseconds: int
    status: int | None = Field(None, description="What the receiver answered; left out when it did not.")
    error: str | None = Field(None, description="Why there was no answer.")


class TestBody(DeliveryAttemptBody):
    """What came of a test message."""

    delivered: bool = Field(description="Whether the receiver answered 2xx.")


class DeliveryBody(BaseModel):
    """A message and what became of it."""

    id: str = Field(description="The `webhook-id`: the same in every attempt.")
    type: str = Field(description="`job.succeeded`, `job.failed` or `job.cancelled`.")
    webhook: str = Field(description="The endpoint's id, or the URL.")
    state: DeliveryState = Field(
        description="`pending`: it is tried until it is `delivered` (2xx) or has `failed` for good."
    )
    created_at: str = Field(description="When the job ended.", json_schema_extra=TIME)
    next_attempt_at: str | None = Field(None, description="While it is pending.", json_schema_extra=TIME)
    attempts: list[DeliveryAttemptBody] = Field(description="The last 50, oldest first.")


class DeliveryListBody(BaseModel):
    """The messages about one job: one, once it has ended and had a webhook."""

    data: list[DeliveryBody]


def endpoint_body(endpoint: Endpoint, secret: str | None = None) -> Json:
    same = {name: getattr(endpoint, name) for name in ("id", "url", "description", "disabled_because")}
    times = ("created_at", "rotated_at", "failing_since", "disabled_at")
    return without_nothing(
        same | {"secret": secret} | {name: maybe_time(getattr(endpoint, name)) for name in times}
    )


def own_secret_body(rotated_at: int | None, secret: str | None = None) -> Json:
    fields = {"exists": rotated_at is not None, "secret": secret, "rotated_at": maybe_time(rotated_at)}
    return without_nothing(fields)


def delivery_attempt_body(attempt: DeliveryAttempt) -> Json:
    return without_nothing(
        {
            "at": timestamp(attempt.at),
            "milliseconds": attempt.milliseconds,
            "status": attempt.status,
            "error": attempt.error,
        }
    )


def test_body(posted: Posted) -> Json:
    return {"delivered": posted.delivered, **delivery_attempt_body(posted.attempt)}


def delivery_body(delivery: Delivery) -> Json:
    message = delivery.message
    return without_nothing(
        {
            "id": message.id,
            "type": message.type,
            "webhook": message.webhook,
            "state": delivery.state,
            "created_at": timestamp(message.at),
            "next_attempt_at": maybe_time(delivery.next_attempt_at),
            "attempts": [delivery_attempt_body(attempt) for attempt in delivery.attempts],
        }
    )
