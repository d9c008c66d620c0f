"""The operator's command: what it prints, how it exits, and which server it works on."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.admin import main
from infra.embedded import EmbeddedServers, HomeLock, Instance, write_instance
from infra.embedded.lock import is_held
from infra.jobs.record import new_attempt_id, new_job_id
from infra.jobs.scripts import PREFIX
from infra.keys import Keys
from infra.search import FEW
from infra.settings import Settings
from infra.storage import open_storage
from infra.storage.keys import artifact_key
from tests.servers import StateServer, free_port

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Done:
    """A finished command."""

    code: int
    stdout: str
    stderr: str


Admin = Callable[..., Done]


@pytest.fixture
def admin(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, own_logging: None) -> Admin:
    """Runs the command under some settings: `admin(settings, "keys", "list")`."""

    def run(settings: Settings, *arguments: str) -> Done:
        for name, value in settings.environ().items():
            monkeypatch.setenv(name, value)
        code = main(arguments)
        return Done(code, *capsys.readouterr())

    return run


@pytest.fixture
def on_server(valkey: StateServer, tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, redis_url=valkey.url)


class TestKeys:
    def test_create_list_revoke(self, admin: Admin, on_server: Settings, valkey: StateServer) -> None:
        made = json.loads(admin(on_server, "keys", "create", "alice", "--name", "notebook", "--json").stdout)
        found = Keys(valkey.client()).authenticate(made["key"])
        assert found
        assert (found.owner, found.scopes) == ("alice", ())
        (listed,) = json.loads(admin(on_server, "keys", "list", "--json").stdout)
        assert listed["id"] == made["id"]
        assert "key" not in listed
        assert listed["last_used"].endswith("Z")
        assert admin(on_server, "keys", "revoke", made["id"]).code == 0
        assert Keys(valkey.client()).authenticate(made["key"]) is None

    def test_scopes(self, admin: Admin, on_server: Settings) -> None:
        made = json.loads(admin(on_server, "keys", "create", "--scope", "admin", "--json").stdout)
        assert made["scopes"] == ["admin"]
        assert "admin" in admin(on_server, "keys", "list").stdout

    def test_for_people(self, admin: Admin, on_server: Settings) -> None:
        assert "no keys" in admin(on_server, "keys", "list").stdout
        made = admin(on_server, "keys", "create", "alice")
        assert re.fullmatch(r"atl_\S+\n", made.stdout)  # so that KEY=$(…) holds the key alone
        assert "not shown again" in made.stderr
        assert "alice" in admin(on_server, "keys", "list").stdout

    def test_exit_codes(self, admin: Admin, on_server: Settings) -> None:
        with pytest.raises(SystemExit, match="2"):
            admin(on_server, "keys")
        down = Settings(home=on_server.home, redis_url=f"redis://127.0.0.1:{free_port()}")
        assert admin(on_server, "keys", "revoke", "nobody").code == 6
        assert admin(on_server, "keys", "create", "No Name").code == 2
        done = admin(down, "keys", "list")
        assert (done.code, done.stderr.startswith("error: ")) == (3, True)


class TestOwner:
    def test_show_change_and_take_back(self, admin: Admin, on_server: Settings) -> None:
        assert admin(on_server, "owner").stdout == "No owner has settings of its own.\n"
        changes = ("--weight", "2", "--max-running", "3", "--rate", "0.5")
        changed = json.loads(admin(on_server, "owner", "ann", *changes, "--json").stdout)
        assert changed["own"] == {"weight": 2, "max_running": 3, "rate": 0.5}
        assert changed["max_queued"] == on_server.max_queued_per_owner

        shown = admin(on_server, "owner", "ann").stdout
        assert shown == "ann  weight: 2*  max_queued: 1000  max_running: 3*  rate: 0.5*  burst: 50\n"
        assert admin(on_server, "owner").stdout == shown

        back = ("--weight", "default", "--max-running", "default", "--rate", "default", "--json")
        assert json.loads(admin(on_server, "owner", "ann", *back).stdout)["own"] == {}
        assert json.loads(admin(on_server, "owner", "--json").stdout) == []

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (("ann", "--weight", "0"), "--weight: "),
            (("ann", "--max-queued", "some"), "--max-queued: "),
            (("Ann B", "--burst", "3"), "An owner is 1 to 64"),
            (("--burst", "3"), "Say whose settings these are."),
        ],
    )
    def test_what_cannot_be_is_refused(
        self, admin: Admin, on_server: Settings, arguments: tuple[str, ...], told: str
    ) -> None:
        done = admin(on_server, "owner", *arguments)
        assert (done.code, done.stdout) == (2, "")
        assert told in done.stderr


class TestEmbedded:
    def test_a_home_that_nobody_serves_is_served_for_the_moment(self, admin: Admin, tmp_path: Path) -> None:
        settings = Settings(home=tmp_path / "home")
        assert admin(settings, "keys", "create", "alice").code == 0
        assert "alice" in admin(settings, "keys", "list").stdout
        assert not is_held(settings.home)

    def test_the_running_instance_is_asked(self, admin: Admin, tmp_path: Path) -> None:
        settings, servers = Settings(home=tmp_path / "home"), EmbeddedServers(tmp_path / "home")
        with HomeLock(settings.home):
            state_url, broker_url = servers.start()
            write_instance(settings.home, Instance("http://h", os.getpid(), state_url, broker_url))
            done = admin(settings, "keys", "list", "--json")
            servers.stop()
        assert (done.code, json.loads(done.stdout)) == (0, [])

    def test_while_it_is_starting_one_has_to_wait(self, admin: Admin, tmp_path: Path) -> None:
        with HomeLock(tmp_path / "home", "http://h"):
            done = admin(Settings(home=tmp_path / "home"), "keys", "list")
        assert (done.code, "Already running at http://h" in done.stderr) == (7, True)


class TestGc:
    def test_of_nothing(self, admin: Admin, on_server: Settings) -> None:
        nothing = {"count": 0, "bytes": 0}
        classes = dict.fromkeys(("jobs", "archived", "uploads", "attempts", "orphans", "unfinished"), nothing)
        others = {"strangers": 0, "adopted": 0, "moved": 0, "dry_run": False}
        assert json.loads(admin(on_server, "gc", "--json").stdout) == classes | others
        told = admin(on_server, "gc", "--dry-run").stdout
        assert told.startswith("Would remove:")
        assert len(told.splitlines()) == 1 + len(classes)

    def test_tells_each_class(self, admin: Admin, on_server: Settings) -> None:
        storage = open_storage(on_server)
        for _ in range(FEW + 1):
            key = artifact_key("local", new_job_id(), new_attempt_id(), "0.png")
            storage.put(key, b"x" * 1000, "image/png")
            os.utime(on_server.places.artifacts / key, (0, 0))

        told = admin(on_server, "gc").stdout
        assert f"Left alone: {FEW + 1} objects" in told
        told = admin(on_server, "gc", "--strangers").stdout
        assert re.search(rf"{FEW + 1} +{(FEW + 1) * 1000:,} bytes  objects that neither", told)
        assert [*storage.list()] == []


class TestBackup:
    def test_moves_all_to_an_empty_server(
        self, admin: Admin, on_server: Settings, valkey: StateServer, tmp_path: Path
    ) -> None:
        admin(on_server, "keys", "create", "alice")
        file = str(tmp_path / "backup")

        done = admin(on_server, "backup", file)
        assert (done.code, done.stdout.startswith(f"Wrote {file}")) == (0, True)
        valkey.client().hset(PREFIX + "paused", "queue:image", "{}")
        full = admin(on_server, "restore", file)
        assert (full.code, "is not empty" in full.stderr) == (1, True)
        valkey.client().flushall()
        assert json.loads(admin(on_server, "restore", file, "--json").stdout)["counts"]["copied"] == 2
        assert "alice" in admin(on_server, "keys", "list").stdout

    def test_a_file_that_is_none(self, admin: Admin, on_server: Settings, tmp_path: Path) -> None:
        done = admin(on_server, "restore", str(tmp_path / "nowhere"))
        assert (done.code, "cannot be read" in done.stderr) == (2, True)


def test_it_runs_as_a_module(on_server: Settings) -> None:
    command = [sys.executable, "-m", "infra.admin", "keys", "list", "--json"]
    environment = {**os.environ, **on_server.environ()}
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
