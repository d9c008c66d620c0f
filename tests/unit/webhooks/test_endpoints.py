"""Endpoints and secrets."""

import pytest

from infra.errors import OwnerLimit
from infra.jobs.scripts import PREFIX
from infra.webhooks.endpoints import (
    DisabledBecause,
    Endpoint,
    EndpointDisabled,
    EndpointGone,
    EndpointNotFound,
    NoSecret,
)
from infra.webhooks.messages import DeliveryAttempt, DeliveryState
from infra.webhooks.outbox import Outcome
from tests.unit.webhooks.conftest import Office

URL = "https://a.example/hook"
DAY = 86400.0


def test_an_endpoint_is_made_listed_and_deleted(office: Office) -> None:
    first, secret = office.endpoints.create("ann", URL, "mine")
    second, other = office.endpoints.create("ann", "https://b.example/")
    office.endpoints.create("bob", URL)

    assert secret != other
    assert (first.url, first.description, first.owner) == (URL, "mine", "ann")
    assert office.endpoints.list("ann") == [first, second]
    assert office.endpoints.get(first.id, "ann") == first
    office.endpoints.delete(first.id, "ann")
    assert office.endpoints.list("ann") == [second]
    with pytest.raises(EndpointNotFound):
        office.endpoints.get(first.id, "ann")
    with pytest.raises(EndpointGone):
        office.endpoints.target(first.id, "ann")


def test_a_deletion_may_be_repeated(office: Office) -> None:
    endpoint, _ = office.endpoints.create("ann", URL)

    office.endpoints.delete(endpoint.id, "ann")
    office.endpoints.delete(endpoint.id, "ann")


def test_others_can_do_nothing(office: Office) -> None:
    endpoint, secret = office.endpoints.create("ann", URL)
    before = office.state.hgetall(f"{PREFIX}hook:{endpoint.id}")

    for call in (
        office.endpoints.get,
        office.endpoints.rotate,
        office.endpoints.enable,
        office.endpoints.disable,
        office.endpoints.delete,
    ):
        with pytest.raises(EndpointNotFound):
            call(endpoint.id, "bob")
    with pytest.raises(EndpointGone):
        office.endpoints.target(endpoint.id, "bob")
    assert office.state.hgetall(f"{PREFIX}hook:{endpoint.id}") == before
    assert office.endpoints.target(endpoint.id, "ann").secrets == (secret,)


def test_an_owner_has_at_most_fifty(office: Office) -> None:
    for _ in range(50):
        office.endpoints.create("ann", URL)

    with pytest.raises(OwnerLimit):
        office.endpoints.create("ann", URL)
    office.endpoints.delete(office.endpoints.list("ann")[0].id, "ann")
    office.endpoints.create("ann", URL)


def test_a_rotated_secret_signs_for_another_day(office: Office) -> None:
    endpoint, first = office.endpoints.create("ann", URL)
    assert endpoint.rotated_at is None

    changed, second = office.endpoints.rotate(endpoint.id, "ann")
    assert changed.rotated_at is not None
    assert office.endpoints.target(endpoint.id, "ann").secrets == (second, first)
    office.bench.wait(DAY / 2)
    _, third = office.endpoints.rotate(endpoint.id, "ann")
    assert office.endpoints.target(endpoint.id, "ann").secrets == (third, second, first)
    office.bench.wait(DAY / 2 + 1)
    assert office.endpoints.target(endpoint.id, "ann").secrets == (third, second)
    office.bench.wait(DAY / 2)
    assert office.endpoints.target(endpoint.id, "ann").secrets == (third,)


def test_the_owners_own_secret_signs_for_urls(office: Office) -> None:
    with pytest.raises(NoSecret):
        office.endpoints.target(URL, "ann")
    assert office.endpoints.own_rotated_at("ann") is None

    first = office.endpoints.rotate_own("ann")
    second = office.endpoints.rotate_own("ann")

    target = office.endpoints.target(URL, "ann")
    assert (target.url, target.secrets) == (URL, (second, first))
    assert office.endpoints.own_rotated_at("ann") is not None
    with pytest.raises(NoSecret):
        office.endpoints.target(URL, "bob")


def test_a_rotation_whose_answer_was_lost_may_be_repeated(office: Office) -> None:
    endpoint, first = office.endpoints.create("ann", URL)
    for _ in range(2):
        office.endpoints._change("hook_rotate", endpoint.id, "ann", secret="whsec_bmV3", overlap_ms=1000)

    assert office.endpoints.target(endpoint.id, "ann").secrets == ("whsec_bmV3", first)


def test_a_disabled_endpoint_is_no_target(office: Office) -> None:
    endpoint, secret = office.endpoints.create("ann", URL)

    disabled = office.endpoints.disable(endpoint.id, "ann")
    assert disabled.disabled_because is DisabledBecause.ASKED
    assert office.endpoints.disable(endpoint.id, "ann") == disabled
    with pytest.raises(EndpointDisabled):
        office.endpoints.target(endpoint.id, "ann")
    assert office.endpoints.target(endpoint.id, "ann", disabled_too=True).secrets == (secret,)

    assert office.endpoints.enable(endpoint.id, "ann") == endpoint


def _note(office: Office, endpoint: Endpoint, status: int, state: DeliveryState) -> DisabledBecause | None:
    office.ended(endpoint.id)
    (message,) = office.outbox.take(1)
    attempt = DeliveryAttempt(1, 1, status=status)
    return office.outbox.settle(message, Outcome(state, attempt, pause_seconds=9e6, gone=status == 410))


def test_an_endpoint_that_has_failed_for_five_days_is_disabled(office: Office) -> None:
    endpoint, _ = office.endpoints.create("ann", URL)

    assert _note(office, endpoint, 500, DeliveryState.PENDING) is None
    failing = office.endpoints.get(endpoint.id, "ann").failing_since
    assert failing is not None
    office.bench.wait(4.9 * DAY)
    assert _note(office, endpoint, 500, DeliveryState.FAILED) is None
    assert office.endpoints.get(endpoint.id, "ann").failing_since == failing
    assert _note(office, endpoint, 200, DeliveryState.DELIVERED) is None
    assert office.endpoints.get(endpoint.id, "ann").failing_since is None
    assert _note(office, endpoint, 500, DeliveryState.PENDING) is None
    office.bench.wait(5.1 * DAY)
    assert _note(office, endpoint, 500, DeliveryState.PENDING) is DisabledBecause.FAILING

    found = office.endpoints.get(endpoint.id, "ann")
    assert found.disabled_because is DisabledBecause.FAILING
    enabled = office.endpoints.enable(endpoint.id, "ann")
    assert (enabled.failing_since, enabled.disabled_at, enabled.disabled_because) == (None, None, None)


def test_an_endpoint_that_is_gone_is_disabled(office: Office) -> None:
    endpoint, _ = office.endpoints.create("ann", URL)

    assert _note(office, endpoint, 410, DeliveryState.FAILED) is DisabledBecause.GONE

    assert office.endpoints.get(endpoint.id, "ann").disabled_because is DisabledBecause.GONE


def test_a_deleted_endpoint_does_not_come_back(office: Office) -> None:
    endpoint, _ = office.endpoints.create("ann", URL)
    office.ended(endpoint.id)
    (message,) = office.outbox.take(1)
    office.endpoints.delete(endpoint.id, "ann")

    attempt = DeliveryAttempt(1, 1, status=500)
    office.outbox.settle(message, Outcome(DeliveryState.PENDING, attempt, pause_seconds=5))

    assert office.state.exists(f"{PREFIX}hook:{endpoint.id}") == 0


def test_secrets_stay_out_of_reprs(office: Office) -> None:
    endpoint, secret = office.endpoints.create("ann", URL)

    target = office.endpoints.target(endpoint.id, "ann")

    assert secret not in repr(target) + repr(office.endpoints.get(endpoint.id, "ann"))
