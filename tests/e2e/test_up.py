"""`atelier up`: starts, keeps alive, stops, and leaves nothing behind, however it ends."""

import contextlib
import os
import signal
import socket
import subprocess

import pytest

from atelier import Client
from atelier.up import is_ready
from infra.embedded import read_instance
from tests.e2e.stack import ATELIER, Stack, alive
from tests.servers import wait_for

GONE_SECONDS = 30.0


def submit(client: Client, prompt: str, **inputs: object) -> str:
    return client.submit("text-to-image", {"prompt": prompt, **inputs}, model="test/fake").id


def test_it_serves_and_stops_in_order(make_stack):
    stack = make_stack().start()
    pids = stack.pids
    with Client(stack.url, "") as client:
        job = client.wait(submit(client, "steps=2"), timeout=30)
    assert job.status == "succeeded"

    assert stack.stop(signal.SIGINT) == 0

    assert stack.lines[-1] == "stopped"
    wait_for(lambda: not alive(pids), GONE_SECONDS, "all its processes have ended")
    assert read_instance(stack.home) is None


def test_a_second_one_says_where_the_first_one_runs(stack):
    second = stack.run("up", "--port", "0")

    assert second.returncode == 7
    assert stack.url in second.stderr
    assert str(stack.process.pid) in second.stderr


def test_a_port_that_is_taken_is_an_error_with_a_way_out(make_stack):
    stack = make_stack()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = stack.run("up", "--port", str(port))

    assert done.returncode == 1
    assert str(port) in done.stderr
    assert "--port" in done.stderr
    assert read_instance(stack.home) is None


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_of_another_machine_is_an_error(make_stack, host):
    done = make_stack().run("up", "--host", host, "--port", "0")

    assert done.returncode == 1
    assert f"cannot listen on {host}" in done.stderr


def test_a_home_that_cannot_be_written_is_an_error(make_stack):
    done = make_stack().run("up", "--port", "0", home="/proc/atelier")

    assert done.returncode == 1
    assert "ATELIER_HOME" in done.stderr


def test_beyond_loopback_without_a_key_it_ends_and_says_why(make_stack):
    done = make_stack().run("up", "--host", "0.0.0.0", "--port", "0", "--workers", "0")  # noqa: S104

    assert done.returncode == 1
    assert "api.log" in done.stderr
    assert "key" in done.stderr


def test_kill_9_of_it_leaves_no_process_behind(make_stack):
    stack = make_stack().start()
    with Client(stack.url, "") as client:
        client.wait(submit(client, "steps=1"), timeout=30)  # so that an engine is there too
    pids = stack.pids
    assert len(pids) >= 8  # itself, two servers, API and its worker, worker and its engine, and their tethers

    stack.kill()

    wait_for(lambda: not alive(pids), GONE_SECONDS, "all its processes have ended")


def test_whatever_dies_is_started_again_and_jobs_are_kept(make_stack):
    stack = make_stack().start()
    with Client(stack.url, "") as client:
        kept = client.wait(submit(client, "steps=1"), timeout=30)
        for name in ("api", "worker-1", "broker", "state"):
            _kill_part(stack, name)
            wait_for(lambda: is_ready(stack.url), 30, f"it serves after the death of {name}")
            job = client.wait(submit(client, "steps=1"), timeout=30)
            assert job.status == "succeeded", name

        assert client.get(kept.id).raw == kept.raw


def _kill_part(stack: Stack, name: str) -> None:
    """kill -9, and wait until `up` has told that it has seen it."""
    instance = read_instance(stack.home)
    assert instance is not None
    os.kill(instance.pids[name], signal.SIGKILL)
    wait_for(
        lambda: stack.said(f"{name} ended") or stack.said(f"{name} server had ended"),
        what=f"{name} is missed",
    )


def test_after_kill_9_of_everything_jobs_are_resumed(make_stack):
    stack = make_stack().start()
    with Client(stack.url, "") as client:
        running = submit(client, "sleep=0.3 steps=40")
        wait_for(lambda: client.get(running).status == "running", 20, "the first job runs")
        queued = [submit(client, "steps=1", seed=seed) for seed in range(3)]
    pids = stack.pids
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # a tether has been faster
            os.kill(pid, signal.SIGKILL)
    assert stack.process is not None
    stack.process.wait()
    wait_for(lambda: not alive(pids), GONE_SECONDS, "everything is dead")

    stack.start()

    with Client(stack.url, "") as client:
        ended = {job_id: client.wait(job_id, timeout=60) for job_id in (running, *queued)}
        assert {job.status for job in ended.values()} == {"succeeded"}
        assert [each.outcome for each in ended[running].attempts] == ["lost", "succeeded"]
        assert len(list(client.jobs())) == 4


def test_a_second_signal_gives_the_running_job_back_at_once(make_stack):
    stack = make_stack(drain_seconds="300").start()
    with Client(stack.url, "") as client:
        job_id = submit(client, "sleep=0.5 steps=600")
        wait_for(lambda: client.get(job_id).status == "running", 20, "it runs")
    assert stack.process is not None

    stack.process.terminate()
    wait_for(lambda: stack.said("stopping the workers"), what="it waits for the workers")
    stack.process.terminate()
    assert stack.process.wait(60) == 0

    stack.start()
    with Client(stack.url, "") as client:
        assert client.get(job_id).attempts[0].outcome == "released"


def test_watchers_live_through_a_new_api(make_stack):
    stack = make_stack().start()
    with Client(stack.url, "") as client:
        job_id = submit(client, "sleep=0.4 steps=50")
        wait_for(lambda: client.get(job_id).status == "running", 20, "it runs")
        seen = []
        for job in client.watch(job_id):
            seen.append(job)
            if len(seen) == 3:
                _kill_part(stack, "api")

    assert seen[-1].status == "succeeded"
    assert len(seen) > 4


def test_signals_before_it_is_ready_end_it(make_stack):
    stack = make_stack()
    process = subprocess.Popen(
        [*ATELIER, "up", "--port", "0"], env=stack.environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process.stdout:
        while "api starting" not in process.stdout.readline():
            pass
        process.terminate()
        assert process.wait(30) == 0
