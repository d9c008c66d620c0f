"""What keeps a worker from work, and how it finds out that this is over."""

import time
from pathlib import Path

import pytest

from infra.storage.folder import FolderStorage
from workers.trouble import ENGINE, STORAGE, StorageWatch, Trouble


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


def watch(folder: Path, trouble: Trouble, seconds: float) -> StorageWatch:
    return StorageWatch(FolderStorage(folder), "worker_0", trouble, seconds)


def test_all_that_is_wrong_is_told_once() -> None:
    trouble = Trouble()
    for sentence in (ENGINE, STORAGE, ENGINE):
        trouble.note(sentence)
    assert trouble.text == f"{ENGINE} {STORAGE}"

    trouble.clear(ENGINE)
    assert trouble.text == STORAGE
    trouble.clear(STORAGE)
    assert trouble.text == ""


def test_a_storage_that_nobody_met_refusing_is_not_tried(folder: Path) -> None:
    trouble = Trouble()
    storage = watch(folder, trouble, 60)
    folder.rmdir()

    assert storage.lets_work()


def test_after_a_refusal_nothing_is_tried_until_it_is_time(folder: Path) -> None:
    trouble = Trouble()
    storage = watch(folder, trouble, 60)
    storage.refused()

    assert trouble.text == STORAGE
    assert not storage.lets_work()


def test_a_storage_that_still_refuses_is_tried_again(folder: Path) -> None:
    trouble = Trouble()
    storage = watch(folder, trouble, 0.01)
    storage.refused()
    folder.rename(folder.with_name("away"))
    time.sleep(0.02)
    assert not storage.lets_work()
    folder.with_name("away").rename(folder)
    time.sleep(0.02)

    assert storage.lets_work()
    assert trouble.text == ""
    assert [path for path in folder.rglob("*") if path.is_file()] == []
