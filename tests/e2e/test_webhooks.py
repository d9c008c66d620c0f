"""Webhooks by the command and the client, on a stack that may reach no private receiver."""

import json

import pytest

from atelier import Client, errors
from tests.e2e.stack import Stack
from tests.servers import wait_for

URL = "https://no.such.host.invalid/hook"


def test_an_endpoint_lives_on_the_command_line(stack: Stack) -> None:
    made = stack.run("webhooks", "create", URL, "--description", "mine")
    endpoint, secret = made.stdout.split()
    assert endpoint.startswith("we_")
    assert secret.startswith("whsec_")
    assert "not shown again" in made.stderr

    rotated = stack.run("webhooks", "rotate", endpoint, "--json")
    assert json.loads(rotated.stdout)["secret"] != secret
    assert stack.run("webhooks", "disable", endpoint).stdout == f"{endpoint} disabled (asked)\n"
    listed = stack.run("webhooks", "list").stdout
    assert endpoint in listed
    assert "disabled (asked)" in listed
    assert secret not in listed
    tested = stack.run("webhooks", "test", endpoint)
    assert (tested.returncode, "no.such.host.invalid" in tested.stdout) == (1, True)
    assert stack.run("webhooks", "delete", endpoint).returncode == 0
    assert stack.run("webhooks", "enable", endpoint).returncode == 6


def test_deliveries_and_redelivery_on_the_command_line(stack: Stack, client: Client) -> None:
    endpoint = client.webhooks.create(URL)
    made = stack.run("image", "steps=1", "--model", "test/fake", "--no-wait", "--webhook", endpoint.id)
    job = made.stdout.strip()
    client.wait(job)
    wait_for(lambda: client.deliveries(job)[0].attempts, 20, "an attempt")

    shown = stack.run("deliveries", job).stdout
    message = shown.split()[0]
    assert f"job.succeeded to {endpoint.id}: pending, next attempt" in shown
    assert "no.such.host.invalid" in shown
    again = stack.run("redeliver", job, message)
    assert again.stdout == f"{message} pending\n"
    wait_for(lambda: len(client.deliveries(job)[0].attempts) > 1, 20, "another attempt")
    assert stack.run("redeliver", job, "msg_0").returncode == 6


def test_webhooks_in_the_client(client: Client) -> None:
    with pytest.raises(errors.InvalidInputs, match="webhook"):
        client.submit("text-to-image", {"prompt": "steps=1"}, model="test/fake", webhook="we_1")
    secret = client.webhooks.rotate_secret()
    assert secret.startswith("whsec_")
    assert client.webhooks.has_secret()
    endpoint = client.webhooks.create(URL, "mine")
    assert client.webhooks.get(endpoint.id).secret is None
    assert client.webhooks.disable(endpoint.id).disabled_because == "asked"
    assert client.webhooks.enable(endpoint.id).disabled_at is None
    assert endpoint.id in {each.id for each in client.webhooks.list()}
    attempt = client.webhooks.test(endpoint.id)
    assert (attempt.delivered, attempt.status) == (False, None)
    assert str(endpoint.secret) not in repr(endpoint)
    client.webhooks.delete(endpoint.id)
    with pytest.raises(errors.NotFound):
        client.webhooks.get(endpoint.id)
    job = client.submit("text-to-image", {"prompt": "steps=1"}, model="test/fake", webhook=URL)
    client.wait(job.id)
    wait_for(lambda: client.deliveries(job.id), 20, "a message")
    assert client.deliveries(job.id)[0].webhook == URL
