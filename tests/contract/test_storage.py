"""One suite for every storage: the folder, `rclone serve s3` and moto must look the same to a caller."""

import hashlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import ClassVar
from urllib.request import urlopen

import psutil
import pytest

from infra.errors import (
    BadKey,
    BadSetting,
    InfraError,
    ObjectNotFound,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
)
from infra.settings import Settings
from infra.storage import Entry, Storage, Tally, open_storage
from infra.storage.folder import FolderStorage
from infra.storage.keys import artifact_key, attempt_prefix, job_prefix, manifest_key, upload_key
from infra.storage.s3 import S3Storage
from tests.servers import S3Server, quickest, wait_for

MIB = 1024 * 1024
JOB = "job_" + "0123456789abcdef01234567"
ATTEMPT = "0123456789abcdef" * 2
KEY = artifact_key("local", JOB, ATTEMPT, "0.png")
FOREVER = 3600.0


def folder_storage(request: pytest.FixtureRequest) -> Storage:
    return FolderStorage(request.getfixturevalue("tmp_path") / "artifacts")


def rclone_storage(request: pytest.FixtureRequest) -> Storage:
    return S3Storage.from_url(request.getfixturevalue("s3_rclone").url())


def moto_storage(request: pytest.FixtureRequest) -> Storage:
    return S3Storage.from_url(request.getfixturevalue("s3_moto").url())


@pytest.fixture(params=[folder_storage, rclone_storage, moto_storage], ids=["folder", "rclone", "moto"])
def storage(request: pytest.FixtureRequest) -> Storage:
    made: Storage = request.param(request)
    made.check()
    return made


class TestPutAndRead:
    def test_bytes_come_back_with_their_size_and_digest(self, storage: Storage) -> None:
        stored = storage.put(KEY, b"red circle", "image/png")

        assert (stored.key, stored.bytes) == (KEY, 10)
        assert stored.sha256 == hashlib.sha256(b"red circle").hexdigest()
        assert storage.read(KEY) == b"red circle"

    def test_a_file_is_stored_as_it_is(self, storage: Storage, tmp_path: Path) -> None:
        source = tmp_path / "source.bin"
        source.write_bytes(os.urandom(3 * MIB))

        stored = storage.put(KEY, source, "application/octet-stream")

        assert stored.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
        assert storage.read(KEY) == source.read_bytes()

    def test_a_file_of_several_parts_is_stored_whole(self, storage: Storage, tmp_path: Path) -> None:
        """Larger than two parts of an S3 upload, and not a multiple of one."""
        source = tmp_path / "film.mp4"
        block = os.urandom(MIB)
        source.write_bytes(block * 35 + b"end")

        stored = storage.put(KEY, source, "video/mp4")

        assert stored.bytes == 35 * MIB + 3
        assert stored.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
        with storage.open(KEY) as chunks:
            read = hashlib.sha256()
            for chunk in chunks:
                read.update(chunk)
        assert read.hexdigest() == stored.sha256

    def test_an_empty_object_exists(self, storage: Storage) -> None:
        assert storage.put(KEY, b"", "text/plain; charset=utf-8").bytes == 0
        assert storage.read(KEY) == b""
        assert storage.stat(KEY).bytes == 0

    def test_a_second_put_replaces_the_first(self, storage: Storage) -> None:
        storage.put(KEY, b"first, and longer", "image/png")
        storage.put(KEY, b"second", "image/png")

        assert storage.read(KEY) == b"second"
        assert [*storage.list()] == [KEY]

    def test_a_source_that_is_missing_is_the_callers_error(self, storage: Storage, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            storage.put(KEY, tmp_path / "nothing.png", "image/png")
        assert [*storage.list()] == []

    def test_many_threads_put_at_once(self, storage: Storage) -> None:
        keys = [artifact_key("local", JOB, ATTEMPT, f"{index}.txt") for index in range(40)]

        with ThreadPoolExecutor(8) as pool:
            [*pool.map(lambda key: storage.put(key, key.encode() * 100, "text/plain; charset=utf-8"), keys)]

        assert sorted(storage.list()) == sorted(keys)
        assert all(storage.read(key) == key.encode() * 100 for key in keys)


class TestRanges:
    CONTENT = bytes(range(256)) * 2048  # 512 KiB, more than one chunk

    @pytest.fixture(autouse=True)
    def _stored(self, storage: Storage) -> None:
        storage.put(KEY, self.CONTENT, "application/octet-stream")

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            (0, 0),
            (0, None),
            (0, 99),
            (100, 299),
            (262_100, 262_200),  # across a chunk's border
            (524_287, 524_287),
            (524_000, None),
            (524_000, 9_999_999),  # past the end: what there is
            (524_288, None),  # begins at the end: nothing
            (999_999, 9_999_999),
        ],
    )
    def test_both_ends_are_included(self, storage: Storage, start: int, end: int | None) -> None:
        with storage.open(KEY, start, end) as chunks:
            read = b"".join(chunks)

        assert read == self.CONTENT[start : None if end is None else end + 1]

    @pytest.mark.parametrize(("start", "end"), [(-1, None), (5, 4)])
    def test_a_range_that_is_none_is_refused(self, storage: Storage, start: int, end: int) -> None:
        with pytest.raises(ValueError, match="no range"):
            storage.open(KEY, start, end)

    def test_a_reader_may_leave_early(self, storage: Storage) -> None:
        for _ in range(50):  # more than a pool's connections, if they were not given back
            with storage.open(KEY) as chunks:
                next(iter(chunks))
        assert storage.read(KEY) == self.CONTENT

    def test_a_closed_reader_gives_nothing(self, storage: Storage) -> None:
        reader = storage.open(KEY)
        reader.close()
        reader.close()

        assert [*reader] == []


class TestStat:
    def test_says_size_type_and_time(self, storage: Storage) -> None:
        before = time.time()
        storage.put(KEY, b"12345", "image/png")

        found = storage.stat(KEY)

        assert (found.bytes, found.media_type) == (5, "image/png")
        assert before - 2 <= found.modified_ms / 1000 <= time.time() + 2  # S3 counts whole seconds

    def test_keeps_a_type_that_the_name_does_not_tell(self, storage: Storage) -> None:
        key = upload_key("local", "f00d")
        storage.put(key, b"...", "image/webp")

        assert storage.stat(key).media_type == "image/webp"
        assert [*storage.list()] == [key]

    def test_a_replaced_object_has_the_new_type(self, storage: Storage) -> None:
        storage.put(KEY, b"...", "image/webp")
        storage.put(KEY, b"...", "image/png")

        assert storage.stat(KEY).media_type == "image/png"


class TestMissing:
    @pytest.mark.parametrize("call", ["open", "read", "stat"])
    def test_is_told_at_the_call(self, storage: Storage, call: str) -> None:
        with pytest.raises(ObjectNotFound):
            getattr(storage, call)(KEY)

    @pytest.mark.parametrize("call", ["open", "read", "stat"])
    def test_a_folder_is_no_object(self, storage: Storage, call: str) -> None:
        storage.put(KEY, b"x", "image/png")

        with pytest.raises((ObjectNotFound, BadKey)):
            getattr(storage, call)(f"local/{JOB}")

    def test_deleting_it_is_no_error(self, storage: Storage) -> None:
        storage.delete(KEY)
        assert storage.delete_prefix(f"local/{JOB}/") == Tally()


class TestListAndDelete:
    OTHER_JOB = JOB[:-1] + "8"

    @pytest.fixture
    def keys(self, storage: Storage) -> list[str]:
        made = [
            KEY,
            manifest_key("local", JOB, ATTEMPT),
            artifact_key("local", self.OTHER_JOB, ATTEMPT, "0.png"),
            artifact_key("someone", JOB, ATTEMPT, "0.png"),
            upload_key("local", "f00d"),
        ]
        for key in made:
            storage.put(key, b"x", "image/png")
        return made

    def test_lists_by_whole_segments(self, storage: Storage, keys: list[str]) -> None:
        assert sorted(storage.list()) == sorted(keys)
        assert sorted(storage.list("local/")) == sorted(key for key in keys if key.startswith("local/"))
        assert sorted(storage.list(attempt_prefix("local", JOB, ATTEMPT))) == sorted(keys[:2])
        assert [*storage.list("nobody/")] == []

    def test_a_list_tells_sizes_and_times(self, storage: Storage, keys: list[str]) -> None:
        modified = storage.stat(KEY).modified_ms // 1000 * 1000  # some servers list whole seconds only

        (entry,) = (entry for entry in storage.entries() if entry.key == KEY)
        assert replace(entry, modified_ms=entry.modified_ms // 1000 * 1000) == Entry(KEY, 1, modified)

    def test_deletes_one(self, storage: Storage, keys: list[str]) -> None:
        storage.delete(KEY)

        assert sorted(storage.list()) == sorted(keys[1:])
        with pytest.raises(ObjectNotFound):
            storage.stat(KEY)

    def test_deletes_a_prefix_and_nothing_beside_it(self, storage: Storage, keys: list[str]) -> None:
        assert storage.delete_prefix(job_prefix("local", JOB)) == Tally(2, 2)
        assert sorted(storage.list()) == sorted(keys[2:])

    def test_can_be_put_again_after_a_delete(self, storage: Storage, keys: list[str]) -> None:
        storage.delete_prefix("local/")
        storage.put(KEY, b"again", "image/png")

        assert storage.read(KEY) == b"again"

    @pytest.mark.parametrize(
        "storage", [folder_storage, rclone_storage], ids=["folder", "rclone"], indirect=True
    )
    def test_lists_and_deletes_more_than_a_page(self, storage: Storage) -> None:
        """An S3 server lists a thousand at a time. moto pages as rclone does, but takes a minute for it."""
        keys = [artifact_key("local", JOB, ATTEMPT, f"{index}.txt") for index in range(1050)]
        with ThreadPoolExecutor(8) as pool:
            [*pool.map(lambda key: storage.put(key, b"", "text/plain; charset=utf-8"), keys)]

        assert sorted(storage.list("local/")) == sorted(keys)
        assert storage.delete_prefix("local/").count == 1050
        assert [*storage.list()] == []

    @pytest.mark.parametrize("prefix", ["local", "local/job_1", "/", "../", "local/../", "a//", ".hidden/"])
    def test_refuses_half_a_segment_and_tricks(self, storage: Storage, prefix: str) -> None:
        with pytest.raises(BadKey):
            [*storage.list(prefix)]
        with pytest.raises(BadKey):
            storage.delete_prefix(prefix)

    def test_refuses_to_delete_everything(self, storage: Storage) -> None:
        with pytest.raises(BadKey):
            storage.delete_prefix("")


TRICKS = [
    "", "/", "..", "../x", "a/../../x", "a/./x", "/etc/passwd", "//x", "a//b", "a/", "a\\b", "a\0b", "a/b\n",
    ".hidden", "a/.part", "%2e%2e/x", "~/x", "a b", "ä/x", "a:b", "x" * 129, "/".join("a" * 9), "a?b", "a#b",
    "a/..",
]  # fmt: skip


class TestTricks:
    @pytest.mark.parametrize("key", TRICKS)
    def test_a_bad_key_is_refused_by_every_call(self, storage: Storage, key: str) -> None:
        calls: list[Callable[[], object]] = [
            lambda: storage.put(key, b"x", "image/png"),
            lambda: storage.open(key),
            lambda: storage.read(key),
            lambda: storage.stat(key),
            lambda: storage.delete(key),
        ]
        for call in calls:
            with pytest.raises(BadKey):
                call()

    @pytest.mark.parametrize(
        ("owner", "job", "attempt", "name"),
        [
            ("../x", JOB, ATTEMPT, "0.png"),
            ("Local", JOB, ATTEMPT, "0.png"),
            ("x" * 65, JOB, ATTEMPT, "0.png"),
            ("local", "job_1", ATTEMPT, "0.png"),
            ("local", JOB + "/..", ATTEMPT, "0.png"),
            ("local", JOB, "abc", "0.png"),
            ("local", JOB, ATTEMPT + "\n", "0.png"),
            ("local", JOB, ATTEMPT, "../0.png"),
            ("local", JOB, ATTEMPT, ""),
        ],
    )
    def test_keys_are_made_of_sound_parts_only(self, owner: str, job: str, attempt: str, name: str) -> None:
        with pytest.raises(BadKey):
            artifact_key(owner, job, attempt, name)


class TestFolder:
    """What only a folder can get wrong."""

    @pytest.fixture
    def root(self, tmp_path: Path) -> Path:
        return tmp_path / "artifacts"

    @pytest.fixture
    def folder(self, root: Path) -> FolderStorage:
        return FolderStorage(root)

    @pytest.fixture
    def secret(self, tmp_path: Path) -> Path:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret").write_text("secret")
        return outside

    def test_never_follows_a_linked_folder(self, folder: FolderStorage, root: Path, secret: Path) -> None:
        (root / "local").symlink_to(secret)

        for call in (folder.read, folder.stat, lambda key: folder.put(key, b"x", "image/png"), folder.delete):
            with pytest.raises(BadKey):
                call("local/secret")
        assert [*folder.list()] == []
        assert (secret / "secret").read_text() == "secret"
        assert [entry.name for entry in secret.iterdir()] == ["secret"]

    def test_never_follows_a_linked_file(self, folder: FolderStorage, root: Path, secret: Path) -> None:
        (root / "link").symlink_to(secret / "secret")

        with pytest.raises(BadKey):
            folder.read("link")
        with pytest.raises(ObjectNotFound):
            folder.stat("link")
        assert [*folder.list()] == []

    def test_replaces_a_link_instead_of_writing_through_it(
        self, folder: FolderStorage, root: Path, secret: Path
    ) -> None:
        (root / "link").symlink_to(secret / "secret")

        folder.put("link", b"new", "image/png")

        assert folder.read("link") == b"new"
        assert (secret / "secret").read_text() == "secret"

    def test_a_pipe_in_the_folder_hangs_nobody(self, folder: FolderStorage, root: Path) -> None:
        os.mkfifo(root / "pipe")

        with pytest.raises(ObjectNotFound):
            folder.read("pipe")

    def test_an_object_cannot_be_a_folder_too(self, folder: FolderStorage) -> None:
        folder.put("local/a", b"x", "image/png")

        with pytest.raises(BadKey):
            folder.put("local/a/b", b"x", "image/png")
        with pytest.raises(BadKey):
            folder.put("local", b"x", "image/png")

    def test_leaves_no_empty_folders(self, folder: FolderStorage, root: Path) -> None:
        folder.put(KEY, b"x", "image/webp")
        folder.delete(KEY)

        assert [*root.iterdir()] == []

    def test_is_readable_by_its_owner_only(self, folder: FolderStorage, root: Path) -> None:
        folder.put(KEY, b"x", "image/png")

        modes = {path.stat().st_mode & 0o077 for path in [root, *root.rglob("*")]}
        assert modes == {0}

    def test_puts_win_against_deletes_of_their_folder(self, folder: FolderStorage) -> None:
        """A delete prunes emptied folders; a put beside it must neither fail nor lose its file."""
        over = threading.Event()

        def delete() -> None:
            while not over.is_set():
                folder.delete("local/job/other")

        deleter = threading.Thread(target=delete)
        deleter.start()
        try:
            for index in range(300):
                folder.put(f"local/job/{index}", b"x", "image/png")
                folder.put("local/job/other", b"x", "image/png")
                assert folder.read(f"local/job/{index}") == b"x"
                folder.delete(f"local/job/{index}")
        finally:
            over.set()
            deleter.join()

    def test_a_full_disk_is_told_as_such(self, folder: FolderStorage, root: Path) -> None:
        """A limit on the size of files stands in for a full disk: the kernel refuses the write."""
        script = f"""
import resource, signal
from pathlib import Path
from infra.errors import StorageFull
from infra.storage.folder import FolderStorage
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
storage = FolderStorage(Path({str(root)!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    storage.put({KEY!r}, b"x" * 200_000, "image/png")
except StorageFull:
    print("full")
"""
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

        assert done.stdout == "full\n"
        assert [path for path in root.rglob("*") if path.is_file()] == []

    def test_a_root_that_is_gone_is_unavailable(self, folder: FolderStorage, root: Path) -> None:
        root.rmdir()

        for call in (folder.check, lambda: folder.read(KEY), lambda: folder.put(KEY, b"x", "image/png")):
            with pytest.raises(StorageUnavailable):
                call()

    def test_sweeps_old_leftovers_only(self, folder: FolderStorage, root: Path) -> None:
        folder.put(KEY, b"x", "image/png")
        old, young = root / "local" / ".0.png.aa.part", root / "local" / ".1.png.bb.part"
        for leftover in (old, young):
            leftover.write_bytes(b"half")
        os.utime(old, (0, 0))

        assert folder.sweep(older_than_seconds=FOREVER, dry_run=True) == Tally(1, 4)
        assert folder.sweep(older_than_seconds=FOREVER) == Tally(1, 4)
        assert (old.exists(), young.exists()) == (False, True)
        assert [*folder.list()] == [KEY]

    def test_signs_nothing(self, folder: FolderStorage) -> None:
        assert folder.sign(KEY, 60, "0.png") is None


KILLED_PUT = """
import sys
from pathlib import Path
from infra.settings import Settings
from infra.storage import open_storage
url, key, source = sys.argv[1:]
storage = open_storage(Settings(storage_url=url))
print("go", flush=True)
while True:
    storage.put(key, Path(source), "video/mp4")
"""


@pytest.fixture(params=["folder", "rclone", "moto"])
def storage_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "folder":
        return (tmp_path / "artifacts").as_uri()
    return str(request.getfixturevalue(f"s3_{request.param}").url())


class TestKilled:
    def test_a_killed_put_leaves_the_old_object_or_the_new_one(
        self, storage_url: str, tmp_path: Path
    ) -> None:
        """A child that puts again and again is killed at eight different moments of a put."""
        storage = open_storage(Settings(storage_url=storage_url))
        storage.check()
        storage.put(KEY, b"old", "video/mp4")
        new = tmp_path / "new.mp4"
        new.write_bytes(b"n" * (17 * MIB + 1))  # two parts of an S3 upload
        whole = {b"old", new.read_bytes()}

        for moment in range(8):
            child = subprocess.Popen(
                [sys.executable, "-c", KILLED_PUT, storage_url, KEY, str(new)], stdout=subprocess.PIPE
            )
            with child:
                assert child.stdout is not None
                child.stdout.readline()
                wait_until_killed(child, seconds=0.03 * moment)
            assert storage.read(KEY) in whole
            assert [*storage.list()] == [KEY]
            storage.put(KEY, b"old", "video/mp4")

    def test_what_a_killed_put_left_is_swept(self, tmp_path: Path) -> None:
        storage = FolderStorage(tmp_path / "artifacts")
        parent = tmp_path / "artifacts" / "local"
        parent.mkdir()
        source = tmp_path / "endless"
        os.mkfifo(source)
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED_PUT, storage.root.as_uri(), "local/x", str(source)]
        )
        with child, source.open("wb") as feed:
            feed.write(b"half of it")
            feed.flush()
            wait_for(lambda: any(parent.iterdir()))
            child.kill()

        assert [*storage.list()] == []
        assert storage.sweep(older_than_seconds=-1).count == 1
        assert [*parent.iterdir()] == []


def wait_until_killed(child: "subprocess.Popen[bytes]", seconds: float) -> None:
    """Kill the child once it has had so long: here time itself is what the test varies."""
    try:
        child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGKILL)
        child.wait()


class TestUnavailableS3:
    """Down or hung, each call that the API makes fails within 3 seconds."""

    CALLS: ClassVar[dict[str, Callable[[Storage], object]]] = {
        "check": lambda storage: storage.check(),
        "stat": lambda storage: storage.stat(KEY),
        "open": lambda storage: storage.open(KEY),
        "read": lambda storage: storage.read(KEY),
        "list": lambda storage: [*storage.list("local/")],
        "delete": lambda storage: storage.delete(manifest_key("local", JOB, ATTEMPT)),
        "put": lambda storage: storage.put(KEY, b"x" * 100_000, "image/png"),
    }

    @pytest.mark.parametrize("name", CALLS)
    def test_nobody_listens(self, name: str) -> None:
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        storage = S3Storage.from_url(f"s3+http://a:b@127.0.0.1:{port}/bucket")

        assert quickest(lambda: self.seconds_to_fail(storage, name), 3) < 3

    @pytest.mark.parametrize("name", CALLS)
    def test_nobody_answers_a_connection(self, name: str) -> None:
        """A full backlog: the kernel drops what comes, as a firewall would."""
        with socket.socket() as deaf, socket.socket() as first, socket.socket() as second:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen(0)
            for filler in (first, second):
                filler.setblocking(False)
                filler.connect_ex(deaf.getsockname())
            storage = S3Storage.from_url(f"s3+http://a:b@127.0.0.1:{deaf.getsockname()[1]}/bucket")

            assert quickest(lambda: self.seconds_to_fail(storage, name), 3) < 3

    def test_the_server_hangs(self, own_rclone: S3Server) -> None:
        storage = S3Storage.from_url(own_rclone.url())
        storage.put(KEY, b"before", "image/png")
        own_rclone.freeze()
        wait_for(lambda: psutil.Process(own_rclone.process.pid).status() == psutil.STATUS_STOPPED)

        slowest = max(
            quickest(lambda name=name: self.seconds_to_fail(storage, name), 3) for name in self.CALLS
        )

        assert slowest < 3
        own_rclone.thaw()
        assert storage.read(KEY) == b"before"

    def test_the_server_hangs_while_it_sends(self) -> None:
        with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf") as port:
            storage = S3Storage.from_url(f"s3+http://a:b@127.0.0.1:{port}/bucket")
            began = time.monotonic()
            with pytest.raises(StorageUnavailable):
                storage.read(KEY)
            assert time.monotonic() - began < 3

    def test_a_server_that_breaks_off_is_no_end_of_file(self) -> None:
        with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nhalf", hang_up=True) as port:
            storage = S3Storage.from_url(f"s3+http://a:b@127.0.0.1:{port}/bucket")
            with pytest.raises(StorageUnavailable):
                storage.read(KEY)

    @pytest.mark.parametrize(
        ("status", "error"), [(507, StorageFull), (503, StorageUnavailable), (500, StorageUnavailable)]
    )
    def test_answers_of_a_server_in_trouble(self, status: int, error: type[InfraError]) -> None:
        reply = f"HTTP/1.1 {status} Trouble\r\nContent-Length: 4\r\nContent-Type: text/plain\r\n\r\nsick"
        with answering(reply.encode(), hang_up=True) as port:
            storage = S3Storage.from_url(f"s3+http://a:b@127.0.0.1:{port}/bucket")
            with pytest.raises(error):
                storage.read(KEY)

    def test_what_is_not_said_to_be_stored_is_sent_again(self) -> None:
        """S3 may answer 200 to the end of an upload in parts, and say in the body that it failed."""
        with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", hang_up=True) as port:
            storage = S3Storage.from_url(f"s3+http://a:b@127.0.0.1:{port}/bucket")
            with pytest.raises(StorageUnavailable, match="does not say"):
                storage.put(KEY, b"x", "image/png")

    def test_a_page_in_the_place_of_an_answer(self) -> None:
        page = b"<html><p>We will be back<br></html>"
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n" % len(page)
        with answering(head + page, hang_up=True) as port:
            storage = S3Storage.from_url(f"s3+http://a:b@127.0.0.1:{port}/bucket")
            with pytest.raises(StorageUnavailable, match="something else"):
                list(storage.list("local/"))

    def test_wrong_credentials_are_told_as_such(self, s3_rclone: S3Server) -> None:
        storage = S3Storage.from_url(f"s3+http://nobody:wrong@127.0.0.1:{s3_rclone.port}/bucket")

        with pytest.raises(StorageRefused, match="refused"):
            storage.check()

    @staticmethod
    def seconds_to_fail(storage: Storage, name: str) -> float:
        began = time.monotonic()
        with pytest.raises(StorageUnavailable):
            TestUnavailableS3.CALLS[name](storage)
        return time.monotonic() - began


class answering:  # noqa: N801  # reads as a function in `with`
    """A port on which every request gets the same bytes; then the connection stays open, or not."""

    def __init__(self, reply: bytes, hang_up: bool = False) -> None:
        self.reply = reply
        self.hang_up = hang_up
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.held: list[socket.socket] = []

    def __enter__(self) -> int:
        threading.Thread(target=self._serve, daemon=True).start()
        return int(self.listener.getsockname()[1])

    def _serve(self) -> None:
        for _ in itertools.count():
            try:
                connection, _ = self.listener.accept()
            except OSError:  # closed: the test is over
                return
            connection.recv(65536)
            connection.sendall(self.reply)
            if self.hang_up:
                connection.close()
            else:
                self.held.append(connection)

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.held:
            connection.close()


class TestBuckets:
    @pytest.fixture(params=["rclone", "moto"])
    def url(self, request: pytest.FixtureRequest) -> str:
        return str(request.getfixturevalue(f"s3_{request.param}").url())

    def test_a_missing_bucket_is_made_by_check(self, url: str) -> None:
        storage = S3Storage.from_url(url)
        storage.check()
        assert [*storage.list()] == []

    def test_a_missing_bucket_is_made_by_put(self, url: str) -> None:
        storage = S3Storage.from_url(url)
        storage.put(KEY, b"x", "image/png")
        assert storage.read(KEY) == b"x"

    def test_a_missing_bucket_holds_no_objects(self, url: str) -> None:
        storage = S3Storage.from_url(url)
        with pytest.raises((ObjectNotFound, StorageRefused)):  # some servers do not tell the two apart
            storage.read(KEY)
        storage.delete(KEY)
        assert [*storage.list()] == []
        assert storage.delete_prefix("local/") == Tally()

    def test_a_signed_url_downloads_for_anyone(self, url: str) -> None:
        place = url.rpartition("@")[2].partition("/")[0]
        storage = S3Storage.from_url(url, public_url=f"http://{place}")
        storage.put(KEY, b"picture", "image/png")

        signed = storage.sign(KEY, 60, 'a "red"\r\ncircle.png')

        assert signed is not None
        assert signed.startswith(f"http://{place}/")
        with urlopen(signed, timeout=5) as response:  # noqa: S310  # a URL of our own
            assert response.read() == b"picture"

    def test_a_signed_url_is_for_one_object_and_one_address(self, url: str) -> None:
        storage = S3Storage.from_url(url, public_url="https://files.example.org")
        signed = storage.sign(KEY, 60, "0.png")

        assert signed is not None
        assert signed.startswith(f"https://files.example.org/{storage.bucket}/{KEY}?")
        assert "X-Amz-Expires=60" in signed

    def test_nothing_is_signed_unless_clients_reach_the_server(self, url: str) -> None:
        assert S3Storage.from_url(url).sign(KEY, 60, "0.png") is None


class TestUnfinishedUploads:
    def test_are_swept(self, s3_moto: S3Server) -> None:
        storage = S3Storage.from_url(s3_moto.url())
        storage.check()
        upload = storage._quick._create_multipart_upload(storage.bucket, KEY, {})
        storage._quick._upload_part(storage.bucket, KEY, b"x" * 100, {}, upload, 1)

        assert storage.sweep(older_than_seconds=50 * 365 * 86400) == Tally()  # moto's all began in 2010
        assert storage.sweep(older_than_seconds=FOREVER, dry_run=True) == Tally(1, 100)
        assert storage.sweep(older_than_seconds=FOREVER) == Tally(1, 100)
        assert storage.sweep(older_than_seconds=FOREVER) == Tally()

    def test_a_server_that_lists_none_has_none(self, s3_rclone: S3Server) -> None:
        storage = S3Storage.from_url(s3_rclone.url())
        storage.put(KEY, b"x", "image/png")

        assert storage.sweep(older_than_seconds=-5) == Tally()


class TestAddresses:
    @pytest.mark.parametrize(
        "url",
        [
            "http://127.0.0.1/x",
            "s3://a:b@host/bucket",
            "artifacts",
            "file://host/artifacts",
            "file:artifacts",
            "s3+http://host/bucket",
            "s3+http://a@host/bucket",
            "s3+http://a:b@host",
            "s3+http://a:b@host/",
            "s3+http://a:b@host/bucket/inner",
            "s3+http://a:b@host/Bucket",
        ],
    )
    def test_a_wrong_address_says_how_it_is_written(self, url: str) -> None:
        with pytest.raises(BadSetting, match="ATELIER_STORAGE_URL") as caught:
            open_storage(Settings(storage_url=url))
        assert "a:b" not in str(caught.value)

    @pytest.mark.parametrize("url", ["ftp://x", "https://host/path", "https://user@host", "host"])
    def test_a_wrong_public_address_is_refused(self, url: str) -> None:
        with pytest.raises(BadSetting, match="ATELIER_STORAGE_PUBLIC_URL"):
            open_storage(Settings(storage_url="s3+http://a:b@host/bucket", storage_public_url=url))

    def test_the_default_is_a_folder_of_the_home(self, tmp_path: Path) -> None:
        storage = open_storage(Settings(home=tmp_path))
        storage.put(KEY, b"x", "image/png")

        assert (tmp_path / "artifacts" / KEY).read_bytes() == b"x"

    def test_a_path_may_need_quoting(self, tmp_path: Path) -> None:
        folder = tmp_path / "my artifacts 100%"
        open_storage(Settings(storage_url=folder.as_uri())).put(KEY, b"x", "image/png")

        assert (folder / KEY).exists()
