"""The GPU benchmark runs, with tiny models on a CPU; its models have the sizes of the published ones."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.bench import gpu
from tests.bench.gpu_models import drawn, flux_parts, sdxl_parts

# diffusers hands tensors to numpy in a way that numpy 2.4 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads that wait for one another cost tiny models more than they give them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_runs_with_tiny_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"

    assert gpu.main(["--tiny", "--model", "sdxl", "--json", str(file)]) == 0

    (found,) = json.loads(file.read_text())["models"]
    assert (found["name"], found["missing"]) == ("bench/sdxl", {})
    assert set(found["rates"]) == set(gpu.WAYS)
    assert "| `bench/sdxl` | through Atelier |" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("parts", "billions"),
    [
        (sdxl_parts, {"unet": 2.567, "text_encoder": 0.123, "text_encoder_2": 0.695, "vae": 0.084}),
        (flux_parts, {"transformer": 11.901, "text_encoder": 0.123, "text_encoder_2": 4.762, "vae": 0.084}),
    ],
    ids=["sdxl", "flux"],
)
def test_parts_are_as_large_as_the_published_ones(
    parts: Callable[[], dict[str, Any]], billions: dict[str, float]
) -> None:
    sizes = {
        name: sum(each.numel() for each in part.parameters()) for name, part in drawn(parts, "meta").items()
    }
    assert {name: round(size / 1e9, 3) for name, size in sizes.items()} == billions


def test_what_is_missing_is_told(tmp_path: Path) -> None:
    measured = gpu.Measured(
        "bench/flux", 4, {}, {"plain": 0.25, "loop": 0.5}, {"atelier": "no time was left"}
    )
    page = tmp_path / "gpu.md"
    page.write_text(f"Before.\n{gpu.BEGIN}old\n{gpu.END}After.\n")

    gpu.write(page, gpu.table([measured], "a machine"))

    text = page.read_text()
    assert "| `bench/flux` | plain diffusers, one by one | 0.25 | 0.50 |" in text
    assert "| `bench/flux` | through Atelier | no time was left | |" in text
    assert text.startswith("Before.")
    assert text.endswith("After.\n")
    assert "old" not in text
