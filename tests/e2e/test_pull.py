"""A model goes from the hub to an artifact while Atelier runs: pulled, offered, loaded, removed."""

import subprocess
from collections.abc import Callable
from pathlib import Path

from atelier import Client
from tests.e2e.stack import ATELIER, Stack
from tests.families.tiny.stable_diffusion import CASES
from tests.hub import REVISION, Hub
from tests.servers import wait_for

ROW = """
[[model]]
name = "me/fox"
family = "stable_diffusion"
kinds = ["text-to-image"]
hub = "maker/fox"
queue = "image"
"""


def models(stack: Stack, hub: Hub, *arguments: str) -> str:
    """`atelier models …` beside the stack, with the stand-in hub."""
    done = subprocess.run(
        [*ATELIER, "models", *arguments],
        env={**stack.environment, "HF_ENDPOINT": hub.url, "HF_HOME": str(stack.home / "hf")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def offered(client: Client) -> set[str]:
    return {model["id"] for model in client.models()}


def test_a_model_is_pulled_served_and_removed_without_a_restart(
    make_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    saved = CASES[0].save(tmp_path / "saved")
    files = {
        path.relative_to(saved).as_posix(): path.read_bytes() for path in saved.rglob("*") if path.is_file()
    }
    stack = make_stack().start()
    (stack.home / "models.toml").write_text(ROW)

    with Hub(repositories={"maker/fox": files}).serving() as hub, Client(stack.url, "") as client:
        assert "not pulled" in models(stack, hub, "show", "me/fox")
        assert "me/fox" not in offered(client)

        models(stack, hub, "pull", "me/fox")

        wait_for(lambda: "me/fox" in offered(client))
        inputs = {**CASES[0].inputs["text-to-image"], "seed": 7}
        job = client.wait(client.submit("text-to-image", inputs, model="me/fox").id)
        assert job.status == "succeeded", job.error
        assert client.read(job, job.outputs[0]).startswith(b"\x89PNG")
        assert REVISION in models(stack, hub, "show", "me/fox")
        listed = models(stack, hub, "list", "--all", "--kind", "text-to-image").splitlines()
        states = {line.split()[0]: line.split()[-1] for line in listed}
        assert states["me/fox"] == "here"
        assert states["black-forest-labs/flux.1-dev"] == "licence"

        models(stack, hub, "remove", "me/fox")
        wait_for(lambda: "me/fox" not in offered(client))
