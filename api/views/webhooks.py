"""Webhook endpoints, the owner's own webhook secret, and what became of the messages about a job."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from flask import Response, g

from api.answers import empty, json_answer
from api.deadline import waiting_for_client
from api.parsing import parsed
from api.problems import Problem, invalid
from api.reading import json_body, no_inputs, query
from api.services import services
from api.webhook_bodies import NewEndpoint, delivery_body, endpoint_body, own_secret_body, test_body
from infra.logs import get_logger
from infra.outbound import UrlRefused, check_url
from infra.webhooks.endpoints import Endpoint, EndpointGone, EndpointNotFound
from infra.webhooks.messages import TEST_TYPE, body_of
from infra.webhooks.outbox import MessageNotFound
from infra.webhooks.outbox import message_id as message_of

LONGEST_BODY = 16 * 1024  # bytes
TESTS_AT_ONCE = 8  # of one process; each lasts as long as its receiver may take

log = get_logger()
_tests = BoundedSemaphore(TESTS_AT_ONCE)


def create() -> Response:
    """Make an endpoint; its secret is shown this once."""
    query()
    new = parsed(NewEndpoint, json_body(LONGEST_BODY)[0])
    try:
        check_url(new.url, services().webhook_allow)
    except UrlRefused as error:
        raise invalid("/url", str(error)) from None
    endpoint, secret = services().endpoints.create(g.owner, new.url, new.description)
    _tell("A webhook endpoint was made", endpoint, action="webhook.endpoint_created")
    headers = {"Location": f"/v1/webhook-endpoints/{endpoint.id}"}
    return json_answer(endpoint_body(endpoint, secret), 201, headers)


def index() -> Response:
    """The owner's endpoints."""
    query()
    return json_answer({"data": [endpoint_body(each) for each in services().endpoints.list(g.owner)]})


def show(endpoint_id: str) -> Response:
    """One endpoint, without its secret."""
    query()
    return json_answer(endpoint_body(services().endpoints.get(endpoint_id, g.owner)))


def delete(endpoint_id: str) -> Response:
    """Forget an endpoint."""
    no_inputs()
    services().endpoints.delete(endpoint_id, g.owner)
    log.info(
        "A webhook endpoint was deleted",
        action="webhook.endpoint_deleted",
        endpoint=endpoint_id,
        owner=g.owner,
    )
    return empty()


def rotate(endpoint_id: str) -> Response:
    """Give an endpoint a new secret, shown this once."""
    no_inputs()
    endpoint, secret = services().endpoints.rotate(endpoint_id, g.owner)
    _tell("A webhook endpoint has a new secret", endpoint, action="webhook.secret_rotated")
    return json_answer(endpoint_body(endpoint, secret))


def enable(endpoint_id: str) -> Response:
    """Send to an endpoint again."""
    no_inputs()
    endpoint = services().endpoints.enable(endpoint_id, g.owner)
    _tell("A webhook endpoint was enabled", endpoint, action="webhook.endpoint_enabled")
    return json_answer(endpoint_body(endpoint))


def disable(endpoint_id: str) -> Response:
    """Send nothing more to an endpoint."""
    no_inputs()
    endpoint = services().endpoints.disable(endpoint_id, g.owner)
    _tell("A webhook endpoint was disabled by its owner", endpoint, action="webhook.endpoint_disabled")
    return json_answer(endpoint_body(endpoint))


def test(endpoint_id: str) -> Response:
    """Send a test message now, also to a disabled endpoint, and answer what came of it."""
    no_inputs()
    try:
        target = services().endpoints.target(endpoint_id, g.owner, disabled_too=True)
    except EndpointGone:
        raise EndpointNotFound from None
    body = body_of(TEST_TYPE, time.time_ns() // 1_000_000, {"endpoint": endpoint_id})
    with _turn(), waiting_for_client():  # the receiver decides how long it takes
        posted = services().sender.post(target, f"msg_test_{secrets.token_hex(12)}", body)
    return json_answer(test_body(posted))


def own_secret() -> Response:
    """Whether the owner has a webhook secret."""
    query()
    return json_answer(own_secret_body(services().endpoints.own_rotated_at(g.owner)))


def rotate_own_secret() -> Response:
    """Give the owner a new webhook secret, shown this once."""
    no_inputs()
    secret = services().endpoints.rotate_own(g.owner)
    log.info("An owner has a new webhook secret", action="webhook.secret_rotated", owner=g.owner)
    return json_answer(own_secret_body(services().endpoints.own_rotated_at(g.owner), secret))


def deliveries(job_id: str) -> Response:
    """What became of the messages about a job."""
    query()
    services().queue.get(job_id, g.owner)
    found = services().outbox.deliveries(job_id, g.owner)
    return json_answer({"data": [delivery_body(each) for each in found]})


def redeliver(job_id: str, message_id: str) -> Response:
    """Send a message again, now."""
    no_inputs()
    services().queue.get(job_id, g.owner)
    if message_id != message_of(job_id):
        raise MessageNotFound
    return json_answer(delivery_body(services().outbox.redeliver(message_id, g.owner)), 202)


@contextmanager
def _turn() -> Iterator[None]:
    if not _tests.acquire(blocking=False):
        raise Problem("overloaded")
    try:
        yield
    finally:
        _tests.release()


def _tell(message: str, endpoint: Endpoint, *, action: str) -> None:
    log.info(message, action=action, endpoint=endpoint.id, owner=endpoint.owner)
