"""What the API and the command import must stay light."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "PIL", "diffusers", "transformers")


@pytest.mark.parametrize(
    ("modules", "heavy"),
    [
        ("pipelines.kinds, pipelines.catalog, pipelines.errors, pipelines.base", HEAVY),
        ("pipelines.media", ("torch",)),
    ],
)
def test_nothing_heavy_is_loaded(modules, heavy):
    code = f"import sys, {modules}; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
