"""Every command that makes something: what is given decides the kind; what comes back is a file or words."""

import json
import subprocess
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from atelier.cli import app
from tests import media_samples
from tests.e2e.stack import ATELIER
from tests.e2e.terminal import CTRL_C, Terminal


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "a.png"
    Image.new("RGB", (64, 64), "blue").save(path)
    return str(path)


@pytest.fixture
def film(tmp_path):
    path = tmp_path / "a.webm"
    path.write_bytes(media_samples.video("libvpx-vp9", "webm"))
    return str(path)


@pytest.fixture
def tune(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(media_samples.sound("pcm_s16le", "wav"))
    return str(path)


def made(stack, tmp_path, *arguments):
    """The job that a command made, as --json tells it; its files are there."""
    words = ["--url", stack.url, *arguments, "--json", "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, words)  # in this process: it is many commands
    assert done.exit_code == 0, done.output
    job = json.loads(done.stdout)
    assert job["status"] == "succeeded"
    assert all(Path(path).stat().st_size for path in job["paths"])
    return job


def test_what_is_given_decides_the_kind(stack, tmp_path, picture, film, tune):
    job = made(stack, tmp_path, "image", "steps=1", "--size", "64x64")
    assert job["kind"] == "text-to-image"
    mask = f"{job['id']}/0.png"
    for command, kind in [
        (("image", "steps=1", "--image", picture, "--strength", "1"), "image-to-image"),
        (("image", "steps=1", "--image", picture, "--mask", mask, "--format", "webp"), "inpaint"),
        (("upscale", picture, "--factor", "4"), "upscale"),
        (("video", "steps=1", "--frames", "3", "--extra", "gif"), "text-to-video"),
        (("video", "--from", picture), "image-to-video"),
        (("video", "--from", job["id"]), "image-to-video"),
        (("video", "steps=1", "--from", film, "--strength", "1"), "video-to-video"),
        (("upscale", film), "upscale"),
        (("music", "steps=1 score", "--tempo", "90", "--instrument", "piano"), "text-to-music"),
        (("music", "--from", tune, "--duration", "1"), "continue-music"),
        (("text", "steps=1"), "text"),
        (("chat", "--message", "steps=1", "--system", "Be brief."), "chat"),
        (("code", "steps=1", "--language", "python"), "code"),
    ]:
        assert made(stack, tmp_path, *command)["kind"] == kind, command
    names = {path.name.partition("-")[2] for path in (tmp_path / "out").iterdir()}
    assert {"0.png", "0.webp", "0.mp4", "0.flac", "0.txt", "0.py"} <= names


def test_a_job_may_be_given_before_it_is_done(stack, tmp_path):
    tale = stack.run("text", "steps=2", "--no-wait").stdout.strip()
    still = stack.run("image", "--prompt-from", tale, "--no-wait").stdout.strip()
    film = stack.run("video", "--prompt-from", tale, "--image", still, "--no-wait").stdout.strip()

    job = made(stack, tmp_path, "upscale", film)

    assert job["inputs"]["video"]["job"] == film
    assert job["paths"][0].endswith("-0.mp4")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("image",), "/inputs/prompt: Field required"),
        (("image", "a", "--mask", "{picture}"), "/inputs/image: Field required"),
        (("image", "a", "--strength", "0.5"), "/inputs/strength: there is no such field"),
        (("image", "a", "--image", "{picture}", "--from", "{picture}"), "give one thing to start from"),
        (("image", "a", "--image", "{film}"), "an image is needed"),
        (("music", "a", "--from", "{picture}"), "a sound or a score is needed"),
        (("upscale", "{picture}", "--format", "mp4"), "mp4 is not for pictures"),
        (("upscale", "nowhere.png"), "there is no file"),
        (("code",), "/inputs/prompt: give an instruction or a prefix"),
        (("chat", "--json"), "go with --message"),
    ],
)
def test_what_does_not_go_together_is_refused_with_its_place(stack, picture, film, arguments, said):
    done = stack.run(*(each.format(picture=picture, film=film) for each in arguments))

    assert done.returncode == 2
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_code_goes_on_from_a_file(stack, tmp_path, client):
    (tmp_path / "a.py").write_text("# steps=2\ndef add(a, b):\n")

    done = stack.run("code", "--prefix", f"@{tmp_path / 'a.py'}", "--language", "python")

    assert (done.returncode, done.stdout) == (0, "word0 word1\n")
    job = next(iter(client.jobs(kind="code")))
    assert job.inputs["prefix"].endswith("def add(a, b):\n")


def test_a_conversation_remembers_what_was_said(stack, client):
    done = subprocess.run(
        [*ATELIER, "chat", "--system", "Be brief."],
        input="steps=2\n\nsteps=1 more\n",
        env=stack.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "word0 word1\nword0\n\n")
    job = next(iter(client.jobs(kind="chat")))
    assert [(each["role"], each["content"]) for each in job.inputs["messages"]] == [
        ("system", "Be brief."),
        ("user", "steps=2"),
        ("assistant", "word0 word1"),
        ("user", "steps=1 more"),
    ]


def test_ctrl_c_stops_an_answer_and_not_the_conversation(stack, tmp_path):
    terminal = Terminal("chat", environment=stack.environment, cwd=tmp_path)
    try:
        terminal.read_until("> ")
        terminal.press("steps=500 sleep=0.05\n")
        terminal.read_until("word2")
        terminal.press(CTRL_C)
        terminal.read_until("was cancelled")
        terminal.press("steps=2 please\n")
        terminal.read_until("word0 word1\r")
        terminal.press("\x04")
        assert terminal.wait() == 0
    finally:
        terminal.close()
