"""Operators' commands against a running stack, which they leave as it was."""

import json
from collections.abc import Iterator

import pytest

from atelier import Client
from atelier.errors import NotFound, Unauthorized
from tests.e2e.stack import Stack
from tests.servers import wait_for

FAKE = ("--model", "test/fake")


@pytest.fixture(autouse=True)
def nothing_stays_paused(client: Client) -> Iterator[None]:
    yield
    for pause in client.operator.pauses():
        client.operator.resume(**{pause.what: pause.name})


def submitted(client: Client, prompt: str = "steps=1") -> str:
    return client.submit("text-to-image", {"prompt": prompt}, model="test/fake").id


def test_a_paused_queue_holds_jobs_back(stack: Stack, client: Client) -> None:
    said = stack.run("pause", "--queue", "image", "--reason", "lunch")
    assert (said.returncode, said.stdout) == (0, "queue image is paused; what runs goes on\n")
    job = client.get(submitted(client))

    assert (job.status, job.paused) == ("queued", True)
    assert "paused" in stack.run("show", job.id).stdout
    assert "lunch" in stack.run("pauses").stdout
    rows = {line.split()[0]: line.split()[1] for line in stack.run("queues").stdout.splitlines()[1:]}
    assert (rows["image"], rows["text"]) == ("paused", "open")

    assert stack.run("resume", "--queue", "image").stdout == "image goes on\n"
    assert client.wait(job.id, timeout=30).status == "succeeded"
    assert stack.run("resume", "--queue", "image").stdout == "image was not paused\n"


def test_a_paused_worker_takes_nothing_until_it_is_resumed(stack: Stack, client: Client) -> None:
    (worker,) = client.workers()
    stack.run("pause", "--worker", worker["id"])
    assert f"{worker['id']}  cpu" in stack.run("workers").stdout
    assert "paused" in stack.run("workers").stdout
    job = submitted(client)
    wait_for(lambda: not client.workers()[0]["idle"], 10, "a worker that rests for nobody")

    stack.run("resume", "--worker", worker["id"])
    assert client.wait(job, timeout=30).status == "succeeded"


def test_a_raised_job_is_first(stack: Stack, client: Client) -> None:
    client.operator.pause(model="test/fake")
    first, second = submitted(client), submitted(client)
    said = stack.run("front", second)

    assert said.stdout == f"{second} is at the front of image\n"
    assert (client.get(second).position, client.get(first).position) == (1, 2)
    listed = stack.run("jobs", "--all-owners", "--queue", "image", "--limit", "1").stdout
    assert "queued, at the front" in listed
    client.operator.resume(model="test/fake")
    ends = [client.wait(job, timeout=30).raw["started_at"] for job in (second, first)]
    assert ends == sorted(ends)


def test_many_jobs_are_cancelled_and_retried(stack: Stack, client: Client) -> None:
    client.operator.pause(queue="image")
    jobs = [submitted(client) for _ in range(3)]

    assert stack.run("cancel", "--all", *FAKE).stdout == "3 jobs cancelled\n"
    told = stack.run("retry", "--all", "--all-owners", "--owner", "local", "--queue", "image", "--json")
    assert json.loads(told.stdout)["count"] >= 3
    assert stack.run("cancel", "--all", "--all-owners", "--status", "queued").returncode == 0
    assert {client.get(job).status for job in jobs} == {"cancelled"}
    assert client.cancel_many(status="queued") == client.operator.cancel(queue="image") == 0
    assert client.retry_many(kind="no-such-kind") == client.operator.retry(owner="nobody") == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("pause",),
        ("resume", "--queue", "a", "--model", "b"),
        ("cancel",),
        ("cancel", "job_1", "--all"),
        ("cancel", "job_1", "--status", "queued"),
        ("retry", "--status", "failed"),
        ("jobs", "--owner", "ann"),
    ],
)
def test_wrong_usage_is_exit_2(stack: Stack, arguments: tuple[str, ...]) -> None:
    assert stack.run(*arguments).returncode == 2


def test_what_is_not_there(stack: Stack, client: Client) -> None:
    assert stack.run("pause", "--queue", "imgae").returncode == 6
    with pytest.raises(NotFound):
        client.operator.front("job_" + "0" * 24)


def test_the_list_of_all_owners(stack: Stack, client: Client) -> None:
    client.wait(submitted(client), timeout=30)
    found = json.loads(stack.run("jobs", "--all-owners", "--json").stdout)["data"]
    first = next(client.operator.jobs(status="succeeded"))

    assert {job["owner"] for job in found} == {"local"}
    assert (first.owner, first.queue, first.front) == ("local", "image", False)


def test_a_key_without_the_scope_is_exit_4(make_stack: object) -> None:
    stack = make_stack(workers=0)  # type: ignore[operator]
    stack.start()
    plain, admin = (
        json.loads(stack.run("keys", "create", "ann", *scope, "--json").stdout)["key"]
        for scope in ((), ("--scope", "admin"))
    )
    with Client(stack.url, plain) as client, pytest.raises(Unauthorized, match="scope"):
        client.operator.pauses()
    with Client(stack.url, admin) as client:
        assert client.operator.pauses() == []


def test_an_owner_is_given_a_weight_and_limits(stack: Stack, client: Client) -> None:
    said = stack.run("owner", "ann", "--weight", "2.5", "--max-running", "3", "--rate", "0.5")
    assert said.stdout.splitlines()[1].split() == (
        ["ann", "2.5", "0", "1000", "0", "3", "0.5/s", "50", "weight,max_running,rate"]
    )
    assert [owner.name for owner in client.operator.owners()] == ["ann"]
    assert client.operator.owner("ann").own == ("weight", "max_running", "rate")
    assert json.loads(stack.run("owner", "--json").stdout)["data"][0]["weight"] == 2.5

    back = stack.run("owner", "ann", "--weight", "default", "--max-running", "default", "--rate", "default")
    assert back.stdout.splitlines()[1].split()[:2] == ["ann", "1"]
    assert client.operator.owners() == []
    assert stack.run("owner", "ann", "--burst", "many").returncode == 2
    assert stack.run("owner", "--burst", "3").returncode == 2


def test_a_job_is_told_when_it_may_start(stack: Stack, client: Client) -> None:
    done = client.wait(submitted(client), timeout=30)
    client.operator.pause(queue="image")
    waiting = submitted(client)
    assert client.get(waiting).estimated_start_seconds is None
    client.operator.resume(queue="image")
    client.wait(waiting, timeout=30)

    queue = next(each for each in client.queues() if each["name"] == "image")
    assert done.status == "succeeded"
    assert queue["seconds_per_job"] > 0
    header, *rows = stack.run("queues").stdout.splitlines()
    assert "TAKES" in header
    assert next(row for row in rows if row.startswith("image")).count(" s ") >= 1
