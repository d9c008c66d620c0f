"""`atelier verify` on what a running Atelier has made."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from atelier import Client
from tests.e2e.stack import Stack
from tests.watermark.measure import scaled

LARGE = ("steps=1", "--size", "256x256", "--model", "test/fake")


@pytest.fixture(scope="module")
def made(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture that the stack has made."""
    done = stack.run("image", *LARGE, "--out", str(tmp_path_factory.mktemp("made")))
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


def test_it_tells_the_job_and_that_the_file_is_unchanged(stack: Stack, made: Path) -> None:
    done = stack.run("verify", str(made), "--json")

    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["generated"], told["broken"]) == (True, False)
    assert told["manifest"]["state"] == "trusted"  # the home's own credential
    assert told["manifest"]["told"]["model"] == told["metadata"]["model"] == "test/fake"
    assert told["watermark"]["number"] == 0
    assert told["job"]["known"] == "yes"
    assert told["job"]["artifact"] == "0.png"


def test_people_read_a_line_for_each_finding(stack: Stack, made: Path) -> None:
    done = stack.run("verify", str(made), "--no-ask")

    lines = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert list(lines) == ["generated", "manifest", "metadata", "watermark", "job"]
    assert lines["generated"] == "yes"
    assert lines["manifest"].startswith("signed by A local Atelier, who is trusted here; unchanged since")
    assert lines["watermark"] == "Atelier's, deployment 0"
    assert lines["job"].endswith("no server was asked")


def test_an_edited_copy_is_known_by_its_watermark(stack: Stack, made: Path, tmp_path: Path) -> None:
    with Image.open(made) as picture:
        scaled(picture.convert("RGB"), 0.75).save(tmp_path / "copy.jpg", quality=85)

    done = stack.run("verify", str(tmp_path / "copy.jpg"))

    assert done.returncode == 0, done.stderr
    assert "manifest   none" in done.stdout
    assert "watermark  Atelier's" in done.stdout
    assert "scaled to about 7" in done.stdout


def test_a_changed_file_is_broken(stack: Stack, made: Path, tmp_path: Path) -> None:
    data = bytearray(made.read_bytes())
    data[data.rindex(b"IDAT") + 20] ^= 1
    (tmp_path / "changed.png").write_bytes(data)

    done = stack.run("verify", str(tmp_path / "changed.png"))

    assert done.returncode == 1
    assert "but changed since (assertion.dataHash.mismatch)" in done.stdout


def test_files_that_lie_beside_it_are_not_run(stack: Stack, made: Path, tmp_path: Path) -> None:
    for name in ("json", "argparse", "c2pa", "pipelines"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a stranger was run')\n")

    done = subprocess.run(
        [Path(sys.executable).with_name("atelier"), "verify", made],
        cwd=tmp_path,
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def test_what_says_nothing_has_an_exit_code_of_its_own(stack: Stack, tmp_path: Path) -> None:
    Image.new("RGB", (300, 300), "teal").save(tmp_path / "drawn.png")
    (tmp_path / "notes.txt").write_text("a fox")

    for name in ("drawn.png", "notes.txt"):
        done = stack.run("verify", str(tmp_path / name))
        assert done.returncode == 6
        assert done.stdout.startswith("generated  nothing in it says so")


def test_a_signer_can_be_trusted_by_hand(stack: Stack, made: Path, tmp_path: Path) -> None:
    stranger = Stack(tmp_path / "elsewhere")
    anchor = stack.home / "credential" / "certificates.pem"

    unknown = stranger.run("verify", str(made), "--no-ask", "--json")
    trusted = stranger.run("verify", str(made), "--no-ask", "--json", "--trust", str(anchor))

    assert json.loads(unknown.stdout)["manifest"]["state"] == "valid"
    assert json.loads(trusted.stdout)["manifest"]["state"] == "trusted"


def test_a_deleted_job_is_not_known_any_more(stack: Stack, client: Client, tmp_path: Path) -> None:
    done = stack.run("image", *LARGE, "--out", str(tmp_path))
    made = Path(done.stdout.strip())
    told = json.loads(stack.run("verify", str(made), "--json").stdout)["job"]
    client.delete(told["id"])

    assert json.loads(stack.run("verify", str(made), "--json").stdout)["job"] == {
        "id": told["id"], "known": "no", "artifact": None
    }  # fmt: skip
