"""Our signatures, read by the standard's own library."""

import json
import time

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from infra.webhooks.messages import Message
from infra.webhooks.signing import headers, new_secret

BODY = '{"type":"job.succeeded","data":{"model":"häuser/ünï"}}'.encode()


def test_the_standard_library_reads_our_signature() -> None:
    secret = new_secret()
    now = int(time.time())

    signed = headers([secret], "msg_1", now, BODY)

    assert Webhook(secret).verify(BODY, signed) == json.loads(BODY)
    assert signed["webhook-id"] == "msg_1"
    assert signed["webhook-timestamp"] == str(now)


def test_every_secret_signs() -> None:
    new, old = new_secret(), new_secret()

    signed = headers([new, old], "msg_1", int(time.time()), BODY)

    assert len(signed["webhook-signature"].split(" ")) == 2
    for secret in (new, old):
        assert Webhook(secret).verify(BODY, signed)
    with pytest.raises(WebhookVerificationError):
        Webhook(new_secret()).verify(BODY, signed)


def test_a_changed_body_is_noticed() -> None:
    secret = new_secret()

    signed = headers([secret], "msg_1", int(time.time()), BODY)

    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(BODY + b" ", signed)


def test_secrets_are_long_and_never_the_same() -> None:
    made = {new_secret() for _ in range(100)}

    assert len(made) == 100
    assert all(secret.startswith("whsec_") and len(secret) == 50 for secret in made)


def test_a_body_is_thin_and_tells_no_prompt() -> None:
    message = Message(
        id="msg_" + "a" * 24,
        owner="ann",
        job="job_" + "a" * 24,
        type="job.succeeded",
        status="succeeded",
        kind="k" * 64,
        model="m" * 160,
        version=7,
        at=1795512600123,
        webhook="we_1",
        tries=3,
        lease="token",
    )

    body = message.body()

    assert len(body) < 2000
    assert json.loads(body) == {
        "type": "job.succeeded",
        "timestamp": "2026-11-24T09:30:00.123Z",
        "data": {
            "id": message.job,
            "status": "succeeded",
            "kind": message.kind,
            "model": message.model,
            "version": 7,
        },
    }
