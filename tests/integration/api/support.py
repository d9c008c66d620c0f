"""What the API's tests work with: a real server process, a worker driven by hand, and short ways to say
things."""

import io
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from PIL import Image

from infra.embedded import tether
from infra.jobs.answers import Committed, Measured, WorkerCard
from infra.jobs.queue import JobQueue
from infra.jobs.record import Artifact, Job, JobError, Outcome, new_attempt_id
from infra.settings import Settings
from infra.storage import Storage
from infra.storage.keys import artifact_key, manifest_key
from tests.servers import wait_for

ROOT = Path(__file__).parents[3]
CATALOG = ROOT / "tests" / "fake_family" / "catalog.toml"
Json = dict[str, Any]


@dataclass
class ApiServer:
    """`python -m api` on a port of its own; ended with this process, however that ends."""

    settings: Settings
    folder: Path
    environ: dict[str, str] = field(default_factory=dict)
    root: Path = ROOT
    """Where the code is that it runs."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.port}"

    @property
    def log(self) -> str:
        return (self.folder / "api.log").read_text()

    def start(self) -> "ApiServer":
        with (self.folder / "api.log").open("ab") as log:
            self.process = tether.start(
                [sys.executable, "-m", "api"],
                env=os.environ | self.settings.environ() | self.environ,
                stdout=log,
                stderr=log,
                cwd=self.root,
            )
        wait_for(self._serves, 30, f"the API, logging to {self.folder}/api.log,")
        return self

    def client(self, key: str = "", **options: Any) -> httpx.Client:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        headers |= options.pop("headers", {})
        return httpx.Client(base_url=self.url, headers=headers, trust_env=False, timeout=30, **options)

    def serving(self) -> list[psutil.Process]:
        """The processes that serve, below gunicorn's parent, which is below the tether."""
        assert self.process is not None
        (parent,) = psutil.Process(self.process.pid).children()
        children = parent.children()
        return [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]

    def terminate(self) -> int:
        """SIGTERM, and the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(20)
        self._let_go()
        return status

    def stop(self) -> None:
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(15)
        finally:
            self._let_go()

    def _let_go(self) -> None:
        """Close the tether, which kills what is left."""
        assert self.process is not None
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process = None

    def _serves(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            pytest.fail(f"the API has ended with {self.process.returncode}:\n{self.log}")
        try:
            return httpx.get(f"{self.url}/readyz", trust_env=False, timeout=5).status_code == 200
        except httpx.TransportError:
            return False


CARD = WorkerCard(
    "hand",
    "here",
    1,
    "cpu",
    ("image", "text"),
    ("test/fake", "test/fake-text", "test/fake-other"),
    ("test/fake",),
    memory_budget=1000,
    memory_held=400,
    measured=(Measured("test/fake", 400, 0.5), Measured("test/fake-other", 700, 1.5)),
)


@dataclass
class Hand:
    """A worker whose every move the test makes."""

    queue: JobQueue
    storage: Storage
    card: WorkerCard = CARD

    def claim(self) -> Job:
        job = self.queue.claim(self.card, new_attempt_id())
        assert job is not None, "no job can be claimed"
        return job

    def commit(self, job: Job, files: dict[str, bytes] | None = None) -> Job:
        """Store these files (one small PNG by default) and commit."""
        assert job.attempt_id is not None
        files = files if files is not None else {"0.png": png()}
        for name, data in files.items():
            self.storage.put(artifact_key(job.owner, job.id, job.attempt_id, name), data, media_type(name))
        key = manifest_key(job.owner, job.id, job.attempt_id)
        self.storage.put(key, b"{}", "application/json")
        artifacts = [
            Artifact(name, index, "output", 7, media_type(name), len(data), sha256(data).hexdigest())
            for index, (name, data) in enumerate(files.items())
        ]
        done = self.queue.commit(job.id, job.attempt_id, key, sha256(b"{}").hexdigest(), artifacts)
        assert done is Committed.OK
        return self.queue.get(job.id)

    def finish(self, files: dict[str, bytes] | None = None) -> Job:
        """Claim the next job and commit it."""
        return self.commit(self.claim(), files)

    def fail(self) -> Job:
        """Claim the next job and give it up."""
        job = self.claim()
        assert job.attempt_id is not None
        self.queue.requeue(
            job.id, job.attempt_id, Outcome.FAILED, JobError("engine_error", "It failed.", "on purpose")
        )
        return self.queue.get(job.id)


MEDIA_TYPES = {
    "png": "image/png",
    "txt": "text/plain",
    "mp4": "video/mp4",
    "flac": "audio/flac",
    "mid": "audio/midi",
    "zip": "application/zip",
}


def media_type(name: str) -> str:
    return MEDIA_TYPES[name.rpartition(".")[2]]


def png(size: tuple[int, int] = (8, 8), colour: str = "red") -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def text_to_image(prompt: str = "a red circle", **inputs: Any) -> Json:
    return {"kind": "text-to-image", "model": "test/fake", "inputs": {"prompt": prompt, **inputs}}


def submitted(client: httpx.Client, body: Any = None, **options: Any) -> Json:
    """A job that was accepted."""
    answer = client.post("/v1/jobs", json=body if body is not None else text_to_image(), **options)
    assert answer.status_code == 202, answer.text
    found: Json = answer.json()
    return found


def problem(answer: httpx.Response, status: int, slug: str) -> Json:
    """The problem that this answer is."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: Json = answer.json()
    assert body["type"] == f"urn:atelier:error:{slug}"
    assert body["status"] == status
    return body
