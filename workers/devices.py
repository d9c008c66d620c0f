"""Which devices a worker may use, found without loading torch: the worker's parent must stay small."""

import os
import shutil
import subprocess
from pathlib import Path

from infra.errors import BadSetting

NVIDIA_DRIVER = Path("/proc/driver/nvidia/gpus")
PROBE_SECONDS = 10.0  # nvidia-smi takes seconds when it has to wake the driver


def devices_for(asked: str) -> list[str]:
    """One device for each worker to start: `auto` is the first GPU or `cpu`, `all` every GPU (or `cpu`).

    Otherwise the names as given, separated by commas: `cpu`, `cuda:0`, `cuda:0,cuda:1`. BadSetting for
    anything else.
    """
    if asked in ("auto", "all"):
        found = [f"cuda:{index}" for index in range(_count_gpus())] or ["cpu"]
        return found if asked == "all" else found[:1]
    names = [name.strip() for name in asked.split(",")]
    for name in names:
        _check(name)
    return names


def _check(name: str) -> None:
    kind, _, index = name.partition(":")
    if name != "cpu" and not (kind == "cuda" and index.isdecimal()):
        raise BadSetting(f"There is no device {name!r}: say auto, all, cpu, or cuda:N (several with commas).")


def _count_gpus() -> int:
    """GPUs that this process may use; CUDA numbers the visible ones from 0."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1", "NoDevFiles")])
    if NVIDIA_DRIVER.is_dir():
        return len(list(NVIDIA_DRIVER.iterdir()))
    return _ask_nvidia_smi()


def _ask_nvidia_smi() -> int:
    """In some containers and under WSL the driver's folder is missing but the tool is there."""
    if shutil.which("nvidia-smi") is None:
        return 0
    try:
        asked = subprocess.run(
            ["nvidia-smi", "--list-gpus"], capture_output=True, text=True, timeout=PROBE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        return 0  # a GPU whose driver hangs is as good as none
    return len([line for line in asked.stdout.splitlines() if line.startswith("GPU ")])
