"""Amounts of memory in settings, and how much there is."""

import os
from pathlib import Path

import pytest

from infra import memory
from infra.errors import BadSetting
from infra.memory import amount, machine_memory
from infra.settings import load_settings


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("80%", 800), ("12.5 %", 125), ("100%", 1000), ("1500", 1500), ("1kB", 1000), ("1.5 MB", 1_500_000),
        ("2 GiB", 2 * 2**30), ("2gb", 2 * 10**9), ("1TiB", 2**40), ("7B", 7),
    ],
)  # fmt: skip
def test_amounts(text: str, meant: int) -> None:
    assert amount(text, 1000) == meant


@pytest.mark.parametrize("text", ["", "much", "101%", "-1", "12 GBit", "1e9", "GB", "0", "0%"])
def test_what_is_no_amount_is_no_setting(text: str) -> None:
    if text not in ("0", "0%"):
        with pytest.raises(ValueError, match="no amount of memory"):
            amount(text, 1000)
    if text:  # an empty variable counts as not set
        with pytest.raises(BadSetting, match="ATELIER_MODEL_MEMORY"):
            load_settings({"ATELIER_MODEL_MEMORY": text})


def test_names_to_preload() -> None:
    settings = load_settings({"ATELIER_PRELOAD": "house/tales, house/scenes,house/tales,"})
    assert settings.preloaded == ("house/tales", "house/scenes")


def test_a_control_group_bounds_what_the_machine_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    monkeypatch.setattr(memory, "CGROUPS", tmp_path)
    assert machine_memory() == whole
    (tmp_path / "memory.max").write_text("max\n")
    assert machine_memory() == whole
    (tmp_path / "memory.max").write_text("123456789\n")
    assert machine_memory() == 123456789
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("100000\n")
    assert machine_memory() == 100000
