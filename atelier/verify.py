"""What made a file: what the file itself says, and what the server knows of the job that it names.

The file is looked at in a child process: it is somebody else's, and what reads it is heavy.
"""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from atelier.client import Client
from atelier.errors import AtelierError, Gone, NotFound, Unauthorized
from infra.settings import Settings

SECONDS: Final = 120.0
"""Longest time to look at one file."""

JOB_ID: Final = re.compile("job_[0-9a-f]{24}")

NEEDED: Final = ("c2pa", "numpy", "av", "PIL")


class CannotVerify(Exception):
    """The file cannot be looked at; the message says why and what to do."""


@dataclass(frozen=True)
class Report:
    """What was found out about a file."""

    findings: dict[str, Any]
    """As `pipelines.provenance` tells them: sha256, manifest, metadata, watermark."""
    job: dict[str, Any] | None
    """The job that the file names: `id`, `known` (`yes`, `no`, or `unasked` without a server), and the
    `artifact` of it that is this very file, if one is. None when it names none."""

    @property
    def is_broken(self) -> bool:
        """Whether the file was changed since it was signed."""
        manifest = self.findings["manifest"]
        return manifest is not None and manifest["state"] in ("broken", "unreadable")

    @property
    def is_generated(self) -> bool:
        """Whether anything in it says that a model made it."""
        manifest = self.findings["manifest"]
        signed = manifest is not None and manifest.get("generated", False)
        return bool(signed or self.findings["metadata"] or self.findings["watermark"])

    def as_json(self) -> dict[str, Any]:
        """The object that `--json` prints."""
        verdict = {"generated": self.is_generated, "broken": self.is_broken}
        return {**verdict, **self.findings, "job": self.job}


def verify(file: Path, anchors: Sequence[Path], client: Client | None) -> Report:
    """Look at a file, and ask the server (None: do not) about its job; raises CannotVerify."""
    findings = _examined(file, anchors)
    return Report(findings, _job(findings, client))


def own_anchors(settings: Settings) -> list[Path]:
    """The certificates of this home's deployment, if it has any: what it has signed counts as trusted."""
    named = settings.c2pa_certificates or settings.places.credential / "certificates.pem"
    return [named] if named.is_file() else []


def _examined(file: Path, anchors: Sequence[Path]) -> dict[str, Any]:
    if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
        raise CannotVerify(f"{', '.join(missing)} must be installed for it: pip install 'atelier[verify]'")
    trusted = [word for path in anchors for word in ("--anchors", str(path))]
    # -P: the folder that one stands in may hold anybody's files, and -m would import them
    command = [sys.executable, "-P", "-m", "pipelines.provenance", *trusted, "--", str(file)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise CannotVerify(f"{file} could not be looked through within {SECONDS:.0f} s") from error
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise CannotVerify(f"{file} cannot be looked at: {last}")
    findings: dict[str, Any] = json.loads(done.stdout)
    return findings


def _job(findings: dict[str, Any], client: Client | None) -> dict[str, Any] | None:
    told = (findings["manifest"] or {}).get("told") or findings["metadata"] or {}
    job_id = str(told.get("job", ""))
    if not JOB_ID.fullmatch(job_id):  # whoever wrote the file chose it
        return None
    if client is None:
        return {"id": job_id, "known": "unasked", "artifact": None}
    try:
        job = client.get(job_id)
    except (NotFound, Gone, Unauthorized):
        return {"id": job_id, "known": "no", "artifact": None}
    except AtelierError:  # no server, or one that is down or another's: what the file says holds all the same
        return {"id": job_id, "known": "unasked", "artifact": None}
    same = [each.name for each in job.artifacts if each.sha256 == findings["sha256"]]
    return {"id": job_id, "known": "yes", "artifact": same[0] if same else None}
