"""The project's shape: who may import whom, who must not load torch, what is pinned and what is left out."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PACKAGES = ("api", "atelier", "infra", "pipelines", "workers")
HEAVY = ("torch", "diffusers", "transformers", "numpy")


def loaded_by(module: str) -> set[str]:
    """Top-level modules that a fresh process has after importing `module`."""
    script = f"import sys, {module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return set(done.stdout.split())


def test_packages_are_those_of_the_design() -> None:
    found = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert found == set(PACKAGES)


def test_import_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([lint, "--no-cache"], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "module",
    [
        "api",
        "api.app",
        "api.server",
        "workers",
        "workers.worker",
        "workers.__main__",
        "atelier",
        "atelier.cli",
    ],
)
def test_only_the_engine_loads_torch(module: str) -> None:
    assert loaded_by(module) & set(HEAVY) == set()


def test_infra_loads_none_of_its_users() -> None:
    modules = [path.stem for path in (ROOT / "infra").glob("*.py") if path.stem != "__init__"]
    loaded = loaded_by(", infra.".join(["infra", *modules]))
    assert loaded & {"api", "workers", "atelier", "pipelines"} == set()


@pytest.mark.parametrize(
    "name", ["LICENSE", "README.md", "CHANGELOG.md", "Makefile", "constraints.txt", ".ci/run"]
)
def test_the_house_is_complete(name: str) -> None:
    assert (ROOT / name).exists()


class TestPins:
    PINS = dict(  # noqa: RUF012
        line.split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    )

    def requirements(self) -> list[str]:
        extras = PROJECT["project"]["optional-dependencies"]
        return [*PROJECT["project"]["dependencies"], *extras["worker"], *extras["training"], *extras["dev"]]

    def test_every_dependency_has_one(self) -> None:
        names = {re.split(r"[\[<>=! ]", requirement)[0].lower() for requirement in self.requirements()}
        pinned = {name.lower().replace("_", "-") for name in self.PINS}
        assert {name.replace("_", "-") for name in names} <= pinned

    def test_none_is_local_to_a_build(self) -> None:
        assert all(re.fullmatch(r"[0-9][0-9A-Za-z.]*", version) for version in self.PINS.values())

    def test_torch_is_the_same_everywhere(self) -> None:
        wanted = f"torch=={self.PINS['torch']}"
        assert wanted in PROJECT["project"]["optional-dependencies"]["worker"]
        assert f"TORCH := {wanted}\n" in (ROOT / "Makefile").read_text()


def test_hooks_fetch_nothing() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert set(re.findall(r"repo: (\S+)", hooks)) == {"local"}
    assert set(re.findall(r"language: (\S+)", hooks)) == {"system"}


def test_an_installed_package_has_every_file(tmp_path: Path) -> None:
    """A Lua script, a catalog or weights that a wheel lacks would only be missed in production."""
    for name in (*PACKAGES, "pyproject.toml", "README.md", "LICENSE"):
        source = ROOT / name
        if source.is_dir():  # other tests write and remove what they have compiled meanwhile
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, tmp_path / name)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        "out",
        ".",
    ]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)

    (wheel,) = (tmp_path / "out").iterdir()
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert needed_files() - packed == set()


def needed_files() -> set[str]:
    """What git has in the packages, apart from what only a developer or an operator uses."""
    listed = subprocess.run(
        ["git", "ls-files", *PACKAGES], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    return {name for name in listed if not name.startswith(("infra/deploy/", "pipelines/training/"))}
