from pathlib import Path

import pytest

from infra.errors import BadSetting
from workers import devices
from workers.devices import devices_for


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(devices, "NVIDIA_DRIVER", tmp_path / "none")


@pytest.mark.usefixtures("no_gpu")
@pytest.mark.parametrize("asked", ["auto", "all", "cpu"])
def test_without_a_gpu_it_is_the_cpu(asked: str) -> None:
    assert devices_for(asked) == ["cpu"]


@pytest.mark.usefixtures("no_gpu")
def test_gpus_are_counted_by_the_drivers_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    gpus = tmp_path / "gpus"
    for name in ("0000:01:00.0", "0000:02:00.0"):
        (gpus / name).mkdir(parents=True)
    monkeypatch.setattr(devices, "NVIDIA_DRIVER", gpus)
    assert devices_for("all") == ["cuda:0", "cuda:1"]
    assert devices_for("auto") == ["cuda:0"]


@pytest.mark.usefixtures("no_gpu")
def test_gpus_are_counted_by_the_drivers_tool(tmp_path: Path) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: H100 (UUID: GPU-1)'\necho 'GPU 1: H100 (UUID: GPU-2)'\n")
    tool.chmod(0o700)
    assert devices_for("all") == ["cuda:0", "cuda:1"]


@pytest.mark.parametrize(("visible", "count"), [("", 0), ("-1", 0), ("3", 1), ("0,2", 2)])
def test_only_visible_gpus_count(monkeypatch: pytest.MonkeyPatch, visible: str, count: int) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert devices_for("all") == ([f"cuda:{index}" for index in range(count)] or ["cpu"])


def test_named_devices_are_taken_as_they_are() -> None:
    assert devices_for("cuda:1") == ["cuda:1"]
    assert devices_for("cpu, cuda:0") == ["cpu", "cuda:0"]


@pytest.mark.parametrize("asked", ["gpu", "cuda", "cuda:", "cuda:x", "", "cpu,"])
def test_other_names_are_refused(asked: str) -> None:
    with pytest.raises(BadSetting, match="no device"):
        devices_for(asked)
