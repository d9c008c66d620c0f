"""What the commands print, and their exit codes; at a terminal, in a pipe and for programs."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from atelier import Client, errors
from tests.e2e.stack import Stack
from tests.e2e.terminal import CTRL_C, Terminal
from tests.servers import wait_for
from tests.weights import safetensors

FAKE = ("--model", "test/fake")
FAKE_TEXT = ("--model", "test/fake-text")


@pytest.fixture
def terminal(stack: Stack, tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    made: list[Terminal] = []

    def make(*arguments: str) -> Terminal:
        made.append(Terminal(*arguments, environment=stack.environment, cwd=tmp_path))
        return made[-1]

    yield make
    for each in made:
        each.close()


def job_id_in(text: str) -> str:
    found = re.search(r"job_[0-9a-f]{24}", text)
    assert found, text
    return found[0]


def test_image_ends_with_the_paths(stack, tmp_path):
    done = stack.run("image", "steps=2", "--n", "4", "--seed", "5", *FAKE, "--out", str(tmp_path / "out"))

    assert done.returncode == 0, done.stderr
    paths = done.stdout.splitlines()
    assert len(paths) == 4
    assert all(Path(path).read_bytes().startswith(b"\x89PNG") for path in paths)
    assert "queued" in done.stderr or "running" in done.stderr
    assert "succeeded" in done.stderr
    assert "\x1b" not in done.stderr + done.stdout


def test_image_from_an_image_is_image_to_image(stack, tmp_path):
    source = tmp_path / "source.png"
    Image.new("RGB", (64, 64), "blue").save(source)

    done = stack.run("image", "steps=4", "--from", str(source), "--strength", "0.9", *FAKE, "--json")

    job = json.loads(done.stdout)
    assert (job["kind"], job["status"]) == ("image-to-image", "succeeded")
    assert job["inputs"]["strength"] == 0.9


def test_json_is_one_object_on_stdout(stack, tmp_path):
    done = stack.run("image", "steps=2", "--size", "128x64", *FAKE, "--json", "--out", str(tmp_path))

    job = json.loads(done.stdout)
    assert (job["inputs"]["width"], job["inputs"]["height"]) == (128, 64)
    assert [Path(path).is_file() for path in job["paths"]] == [True]


def test_text_is_printed(stack, client):
    done = stack.run("text", "steps=4", "--seed", "1", *FAKE_TEXT)

    assert done.returncode == 0, done.stderr
    job = next(iter(client.jobs(kind="text")))
    assert done.stdout == client.read(job, job.outputs[0]).decode() + "\n"


def test_text_can_be_kept(stack, tmp_path):
    done = stack.run("text", "steps=4", *FAKE_TEXT, "--out", str(tmp_path))

    [kept] = tmp_path.iterdir()
    assert kept.read_text() + "\n" == done.stdout


def test_several_texts_are_files(stack, tmp_path):
    done = stack.run("text", "steps=2", "--n", "2", *FAKE_TEXT, "--out", str(tmp_path))

    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == len(list(tmp_path.iterdir())) == 2


def test_submit_takes_typed_inputs_and_files(stack, tmp_path):
    (tmp_path / "prompt.txt").write_text("steps=1 from a file")
    inputs = ("-i", f"prompt=@{tmp_path / 'prompt.txt'}", "-i", "n=2", "-i", "guidance=2.5")

    done = stack.run("submit", "text-to-image", *inputs, "--metadata", "album=x", *FAKE, "--json")

    job = json.loads(done.stdout)
    assert job["inputs"]["prompt"] == "steps=1 from a file"
    assert (job["inputs"]["n"], job["inputs"]["guidance"]) == (2, 2.5)
    assert job["metadata"] == {"album": "x"}


def test_no_wait_prints_the_id_and_others_go_on(stack, tmp_path):
    job_id = stack.run("image", "steps=2", "--no-wait", *FAKE).stdout.strip()
    assert job_id == job_id_in(job_id)

    watched = stack.run("watch", job_id, "--out", str(tmp_path / "watched"))
    fetched = stack.run("get", job_id, "--out", str(tmp_path / "fetched"))
    shown = stack.run("show", job_id)
    listed = stack.run("jobs", "--limit", "50")

    assert watched.returncode == fetched.returncode == 0
    assert Path(watched.stdout.strip()).read_bytes() == Path(fetched.stdout.strip()).read_bytes()
    assert "test/fake" in shown.stdout
    assert "seed" in shown.stdout
    assert re.search(rf"^{job_id}  +text-to-image +test/fake +succeeded", listed.stdout, re.MULTILINE)


def test_a_failed_job_is_exit_1(stack):
    done = stack.run("image", "fail=fatal", *FAKE)

    assert done.returncode == 1
    assert done.stdout == ""
    assert "failed" in done.stderr


def test_cancel_and_its_exit_code(stack):
    job_id = stack.run("image", "sleep=0.3 steps=100", "--no-wait", *FAKE).stdout.strip()

    assert stack.run("cancel", job_id).returncode == 0
    watched = stack.run("watch", job_id)

    assert watched.returncode == 5
    assert "cancelled" in watched.stderr


def test_retry_and_delete(stack, tmp_path):
    job_id = stack.run("image", "steps=1", "--no-wait", *FAKE).stdout.strip()
    assert stack.run("watch", job_id, "--out", str(tmp_path)).returncode == 0

    again = json.loads(stack.run("retry", job_id, "--json", "--out", str(tmp_path)).stdout)
    assert (again["retry_of"], again["status"]) == (job_id, "succeeded")

    assert stack.run("delete", job_id).returncode == 0
    assert stack.run("show", job_id).returncode == 6


def test_invalid_inputs_are_exit_2_with_pointers(stack):
    done = stack.run("image", "x", "--steps", "100000", *FAKE)
    told = stack.run("image", "x", "--steps", "100000", *FAKE, "--json")

    assert done.returncode == told.returncode == 2
    assert "/inputs/steps" in done.stderr
    assert json.loads(told.stdout)["error"]["errors"][0]["pointer"] == "/inputs/steps"


@pytest.mark.parametrize(
    "arguments",
    [
        ["image"],
        ["image", "x", "--size", "big"],
        ["image", "x", "--from", "/no/such.png"],
        ["image", "x", "--steps", "many"],
        ["image", "x", "--priority", "urgent"],
        ["submit", "text", "-i", "prompt"],
        ["submit", "sculpture"],
        ["paint"],
    ],
)
def test_wrong_usage_is_exit_2(stack, arguments):
    done = stack.run(*arguments)

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr


def test_no_server_is_exit_3_and_says_what_to_do(stack, unused_port):
    done = stack.run("jobs", url=f"http://127.0.0.1:{unused_port}")

    assert done.returncode == 3
    assert "atelier up" in done.stderr


def test_a_wrong_setting_is_said(stack):
    done = stack.run("jobs", port="many")

    assert done.returncode == 2
    assert "ATELIER_PORT" in done.stderr


def test_the_url_may_be_given(stack, unused_port):
    assert stack.run("--url", stack.url, "jobs", url=f"http://127.0.0.1:{unused_port}").returncode == 0


def test_models(stack):
    listed = stack.run("models", "list", "--kind", "text")
    shown = stack.run("models", "show", "test/fake")

    assert "test/fake-text" in listed.stdout
    assert "test/fake " not in listed.stdout
    assert "CC0-1.0" in shown.stdout
    assert stack.run("models", "show", "no/such").returncode == 6


def test_adding_a_folder_that_holds_no_model_is_refused(stack, tmp_path):
    done = stack.run("models", "add", str(tmp_path))

    assert done.returncode == 2
    assert done.stderr


def test_a_folder_of_weights_is_added_to_this_home(make_stack, tmp_path):
    weights = tmp_path / "weights"
    weights.mkdir()
    config = {"architectures": ["LlamaForCausalLM"], "max_position_embeddings": 64}
    (weights / "config.json").write_text(json.dumps(config))
    (weights / "model.safetensors").write_bytes(safetensors())
    (weights / "tokenizer.json").write_text("{}")
    stack = make_stack()

    done = stack.run("models", "add", str(weights), "--name", "me/tales")

    assert done.returncode == 0, done.stderr
    assert "me/tales" in done.stdout
    assert "without a restart" in done.stderr
    assert "me/tales" in (stack.home / "models.toml").read_text()
    assert "me/tales is here" in stack.run("doctor").stdout


def test_doctor_finds_the_stack(stack):
    done = stack.run("doctor", "--json")

    findings = json.loads(done.stdout)["findings"]
    found = {each["what"]: each for each in findings}
    assert stack.url in found["up"]["detail"]
    assert found["server"]["verdict"] == "good"
    assert "worker" in found
    assert str(stack.home / "credential") in found["signing"]["detail"]
    assert any("test/fake is here" in each["detail"] for each in findings)
    assert any("test/fake-far: no weights" in each["detail"] for each in findings)


def test_doctor_without_a_stack_says_how_to_start_one(make_stack):
    done = make_stack().run("doctor")

    assert "atelier up" in done.stdout
    assert "✗" not in done.stdout
    assert done.returncode == 0


def test_at_a_terminal_the_bar_moves(terminal):
    shown = terminal("image", "sleep=0.3 steps=6", *FAKE)

    assert shown.wait() == 0

    steps = [int(step) for step in re.findall(r"(\d+)/6", shown.seen)]
    assert steps == sorted(steps)
    assert len(set(steps)) >= 3
    assert "succeeded" in shown.seen
    assert ".png" in shown.seen


def test_a_prompt_cannot_steer_the_terminal(terminal, client):
    prompt = "\x1b[2Jlevel=error \u202egnp"
    job = client.submit("text-to-image", {"prompt": prompt}, model="test/fake", metadata={"a": prompt})

    shown = terminal("show", job.id)

    assert shown.wait() == 0
    assert "\x1b[2J" not in shown.seen
    assert r"\x1b[2Jlevel=error \u202egnp" in shown.seen
    client.delete(job.id)


def test_ctrl_c_then_y_cancels(terminal, client):
    shown = terminal("image", "sleep=0.2 steps=100", *FAKE)
    shown.read_until(r"\d/100")

    shown.press(CTRL_C)
    shown.read_until("Cancel job_")
    shown.press("y\n")

    assert shown.wait() == 5
    assert client.get(job_id_in(shown.seen)).status == "cancelled"


@pytest.mark.parametrize("answer", ["n\n", CTRL_C])
def test_ctrl_c_then_no_leaves_it_running(terminal, client, answer):
    shown = terminal("image", "sleep=0.2 steps=100", *FAKE)
    shown.read_until(r"\d/100")

    shown.press(CTRL_C)
    shown.read_until("Cancel job_")
    shown.press(answer)

    assert shown.wait() == 130
    job_id = job_id_in(shown.seen)
    assert f"atelier watch {job_id}" in shown.seen
    assert client.get(job_id).status == "running"
    client.cancel(job_id)


def test_ctrl_c_while_text_is_written(terminal, client):
    shown = terminal("text", "sleep=0.2 steps=100", "--max-tokens", "100", *FAKE_TEXT)
    shown.read_until("word3")

    shown.press(CTRL_C)
    shown.read_until("Cancel job_")
    shown.press("y\n")

    assert shown.wait() == 5


def test_keys_open_the_server_to_those_who_have_one(make_stack):
    stack = make_stack(workers=0).start()

    made = json.loads(stack.run("keys", "create", "alice", "--name", "laptop", "--json").stdout)
    wait_for(lambda: not lets_in(stack, ""), 10, "the server wants a key")
    refused = stack.run("jobs")
    assert refused.returncode == 4
    assert "ATELIER_API_KEY" in refused.stderr
    assert stack.run("jobs", api_key=made["key"]).returncode == 0
    assert made["id"] in stack.run("keys", "list").stdout

    assert stack.run("keys", "revoke", made["id"]).returncode == 0
    wait_for(lambda: not lets_in(stack, made["key"]), 10, "the key is worthless")


def lets_in(stack: Stack, key: str) -> bool:
    with Client(stack.url, key) as client:
        try:
            client.page()
        except errors.Unauthorized:
            return False
    return True


def test_a_client_finds_the_stack_of_its_home(stack, monkeypatch):
    monkeypatch.setenv("ATELIER_HOME", str(stack.home))
    monkeypatch.delenv("ATELIER_URL", raising=False)

    with Client() as client:
        assert client.url == stack.url


def test_a_job_that_no_worker_can_run_is_said(terminal, client):
    shown = terminal("image", "x", "--model", "test/fake-far")

    shown.read_until("no live worker can run test/fake-far")

    shown.press(CTRL_C)
    shown.read_until("Cancel job_")
    shown.press("y\n")
    assert shown.wait() == 5
