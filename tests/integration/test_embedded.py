"""The embedded servers: quick to start, durable, found again after any crash, and never left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from infra.connections import check_durable, connect
from infra.embedded import (
    EmbeddedServers,
    HomeLock,
    Instance,
    clear_instance,
    read_instance,
    tether,
    write_instance,
)
from infra.embedded import binary as binary_module
from infra.embedded.lock import is_held
from infra.errors import HomeInUse, ServerStartError
from infra.places import Places
from tests.servers import redis_program, wait_for

SUPERVISOR = """
import sys, time
from pathlib import Path
from infra.embedded import EmbeddedServers, HomeLock, tether
home = Path(sys.argv[1])
with HomeLock(home, "http://here"):
    servers = EmbeddedServers(home)
    servers.start()
    child = tether.start(["sleep", "600"])
    print(*servers.pids.values(), child.pid, flush=True)
    time.sleep(600)
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def servers(home: Path) -> Iterator[EmbeddedServers]:
    servers = EmbeddedServers(home)
    yield servers
    servers.stop()


@pytest.fixture
def supervisor(home: Path) -> Iterator[tuple[subprocess.Popen[str], list[psutil.Process]]]:
    """A process that serves the home, and the processes below it."""
    process = subprocess.Popen(
        [sys.executable, "-c", SUPERVISOR, str(home)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    process.stdout.readline()
    family = psutil.Process(process.pid)
    wait_for(lambda: len(family.children(recursive=True)) == 6, what="two servers and a child, on tethers")
    yield process, family.children(recursive=True)
    process.kill()
    process.wait()
    process.stdout.close()


class TestServers:
    def test_both_start_within_a_second(self, servers: EmbeddedServers) -> None:
        taken = []
        for _ in range(3):  # what else the machine does only adds to one of them
            servers.stop()
            begun = time.monotonic()
            state_url, broker_url = servers.start()
            taken.append(time.monotonic() - begun)
        assert min(taken) < 1.0
        assert connect(state_url).ping()
        assert connect(broker_url).ping()

    def test_the_state_server_is_durable_and_the_broker_is_not(self, servers: EmbeddedServers) -> None:
        state_url, broker_url = servers.start()
        assert check_durable(connect(state_url)) == "always"
        assert connect(state_url).config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert connect(broker_url).config_get("appendonly", "save") == {"appendonly": "no", "save": ""}

    def test_nobody_else_can_enter(self, servers: EmbeddedServers, home: Path) -> None:
        servers.start()
        places = Places(home)
        for folder in (places.sockets, places.state, places.logs):
            assert folder.stat().st_mode & 0o077 == 0
        assert places.state_socket.stat().st_mode & 0o077 == 0
        assert connect(servers.state.url).config_get("port") == {"port": "0"}

    def test_a_home_in_a_deep_folder(self, tmp_path: Path) -> None:
        deep = EmbeddedServers(tmp_path / ("d" * 100))
        try:
            assert connect(deep.start()[0]).ping()
        finally:
            deep.stop()
            Places(tmp_path / ("d" * 100)).sockets.rmdir()

    def test_whichever_dies_is_started_again_with_what_it_knew(self, servers: EmbeddedServers) -> None:
        servers.start()
        connect(servers.state.url).set("job", "1")
        os.kill(servers.pids["state"], signal.SIGKILL)
        wait_for(lambda: not servers.state.alive, what="the state server's end")
        assert servers.ensure() == ["state"]
        assert servers.ensure() == []
        assert connect(servers.state.url).get("job") == "1"

    def test_after_a_stop_nothing_runs_and_the_next_start_resumes(self, servers: EmbeddedServers) -> None:
        connect(servers.start()[0]).set("job", "1")
        pids = servers.pids.values()
        servers.stop()
        assert not any(psutil.pid_exists(pid) for pid in pids)
        assert servers.pids == {}
        assert connect(servers.start()[0]).get("job") == "1"

    def test_a_torn_last_write_does_not_stop_the_start(self, servers: EmbeddedServers, home: Path) -> None:
        connect(servers.start()[0]).set("job", "1")
        servers.stop()
        increment = next((home / "state").glob("appendonlydir/*.incr.aof"))
        with increment.open("ab") as file:
            file.write(b"*3\r\n$3\r\nSET\r\n$1")
        assert connect(servers.start()[0]).get("job") == "1"

    def test_a_spoilt_file_is_told_with_the_servers_own_words(
        self, servers: EmbeddedServers, home: Path
    ) -> None:
        connect(servers.start()[0]).set("job", "1")
        servers.stop()
        increment = next((home / "state").glob("appendonlydir/*.incr.aof"))
        increment.write_bytes(b"nonsense\r\n" + increment.read_bytes())
        with pytest.raises(ServerStartError, match="Bad file format"):
            servers.start()

    def test_a_server_left_by_a_crash_is_ended_first(self, servers: EmbeddedServers, home: Path) -> None:
        servers.start()
        left = psutil.Process(servers.pids["state"])
        connect(servers.state.url).set("job", "1")
        other = EmbeddedServers(home)
        try:
            assert connect(other.start()[0]).get("job") == "1"
            assert not left.is_running()
        finally:
            other.stop()

    def test_a_hung_server_left_by_a_crash_is_killed(
        self, servers: EmbeddedServers, home: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("infra.embedded.leftovers.END_SECONDS", 0.3)
        servers.start()
        os.kill(servers.pids["state"], signal.SIGSTOP)
        other = EmbeddedServers(home)
        try:
            assert connect(other.start()[0]).ping()
        finally:
            other.stop()

    def test_a_stale_pid_of_another_program_is_left_alone(self, servers: EmbeddedServers, home: Path) -> None:
        servers.start()
        servers.stop()
        Places(home).state_socket.with_suffix(".pid").write_text(str(os.getpid()))
        assert connect(servers.start()[0]).ping()


class TestBinary:
    def test_an_installed_server_takes_the_wheels_place(
        self, servers: EmbeddedServers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        program = redis_program()
        monkeypatch.setattr(binary_module.importlib.util, "find_spec", lambda name: None)
        assert binary_module.find_server() == program
        assert connect(servers.start()[0]).ping()

    def test_without_any_the_way_out_is_told(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(binary_module, "_runs", lambda path: False)
        with pytest.raises(ServerStartError, match="ATELIER_REDIS_URL"):
            binary_module.find_server()

    def test_a_binary_for_another_machine_is_passed_over(self, tmp_path: Path) -> None:
        program = tmp_path / "valkey-server"
        program.write_bytes(b"\x7fELF of another machine")
        program.chmod(0o700)
        assert not binary_module._runs(str(program))


class TestLock:
    def test_the_second_is_told_who_holds_it(self, home: Path) -> None:
        with HomeLock(home, "http://127.0.0.1:8000"), pytest.raises(HomeInUse) as caught:
            HomeLock(home).acquire("http://other")
        assert (caught.value.pid, caught.value.url) == (os.getpid(), "http://127.0.0.1:8000")
        assert str(caught.value) == f"Already running at http://127.0.0.1:8000 (pid {os.getpid()})."

    def test_it_is_free_after_its_release(self, home: Path) -> None:
        with HomeLock(home):
            assert is_held(home)
        assert not is_held(home)
        with HomeLock(home):
            pass

    def test_the_url_may_become_known_later(self, home: Path) -> None:
        with HomeLock(home) as lock:
            lock.announce("http://127.0.0.1:4567")
            with pytest.raises(HomeInUse, match="4567"):
                HomeLock(home).acquire()

    def test_it_dies_with_its_holder(
        self, home: Path, supervisor: tuple[subprocess.Popen[str], list[psutil.Process]]
    ) -> None:
        process, _ = supervisor
        with pytest.raises(HomeInUse, match=f"http://here \\(pid {process.pid}\\)"):
            HomeLock(home).acquire()
        process.kill()
        process.wait()
        with HomeLock(home):
            pass


class TestInstance:
    INSTANCE = Instance("http://h:1", 7, "unix:///s", "unix:///b", {"api": 8})

    def test_what_is_written_is_read_while_the_home_is_served(self, home: Path) -> None:
        with HomeLock(home):
            assert read_instance(home) is None
            write_instance(home, self.INSTANCE)
            assert read_instance(home) == self.INSTANCE
            clear_instance(home)
            assert read_instance(home) is None

    def test_what_a_killed_one_left_is_not_believed(self, home: Path) -> None:
        with HomeLock(home):
            write_instance(home, self.INSTANCE)
        assert read_instance(home) is None


class TestTether:
    def test_nothing_outlives_the_supervisor_and_the_data_does(
        self,
        home: Path,
        servers: EmbeddedServers,
        supervisor: tuple[subprocess.Popen[str], list[psutil.Process]],
    ) -> None:
        process, below = supervisor
        connect(servers.state.url).set("job", "1")
        process.kill()
        _, alive = psutil.wait_procs(below, 5)
        assert not alive
        assert connect(servers.start()[0]).get("job") == "1"

    def test_kill_of_everything_at_once_loses_nothing(
        self,
        servers: EmbeddedServers,
        supervisor: tuple[subprocess.Popen[str], list[psutil.Process]],
    ) -> None:
        process, below = supervisor
        connect(servers.state.url).set("job", "1")
        for victim in [process, *below]:
            victim.kill()
        psutil.wait_procs(below, 5)
        assert connect(servers.start()[0]).get("job") == "1"

    @pytest.mark.skipif(sys.platform != "linux", reason="the kernel's part is Linux's")
    def test_a_killed_tether_takes_its_command_with_it(self) -> None:
        child = tether.start(["sleep", "600"])
        below = self.commands_of(child)
        child.kill()
        assert not psutil.wait_procs(below, 5)[1]
        self.join(child)

    def test_closing_it_kills_the_whole_group(self) -> None:
        child = tether.start(["sh", "-c", "sleep 600 & sleep 600"])
        wait_for(lambda: len(self.commands_of(child)) == 3, what="the shell and its two children")
        below = self.commands_of(child)
        assert child.stdin is not None
        child.stdin.close()
        assert not psutil.wait_procs(below, 5)[1]
        assert child.wait(5) == 128 + signal.SIGKILL

    def test_what_the_command_leaves_behind_goes_with_it(self) -> None:
        child = tether.start(["sh", "-c", "sleep 600 & echo $!"], stdout=subprocess.PIPE)
        assert child.stdout is not None
        left = int(child.stdout.readline())
        assert child.wait(5) == 0
        wait_for(lambda: not psutil.pid_exists(left), what="the end of what was left")
        child.stdout.close()
        self.join(child)

    def test_the_exit_code_is_the_commands(self) -> None:
        child = tether.start(["sh", "-c", "exit 7"])
        assert child.wait(5) == 7
        self.join(child)

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
    def test_signals_reach_the_command(self, number: signal.Signals) -> None:
        script = f"trap 'exit 9' {number.name.removeprefix('SIG')}; echo ready; while :; do sleep 0.05; done"
        child = tether.start(["sh", "-c", script], stdout=subprocess.PIPE)
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(number)
        assert child.wait(5) == 9
        child.stdout.close()
        self.join(child)

    @staticmethod
    def commands_of(child: "subprocess.Popen[bytes]") -> list[psutil.Process]:
        process = psutil.Process(child.pid)
        wait_for(process.children, what="the command's start")
        return process.children(recursive=True)

    @staticmethod
    def join(child: "subprocess.Popen[bytes]") -> None:
        child.wait(5)
        assert child.stdin is not None
        child.stdin.close()
