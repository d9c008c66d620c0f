import os
import subprocess
import sys
from pathlib import Path

from workers.scratch import Scratch


def test_an_attempt_has_a_folder_while_it_lasts(tmp_path: Path) -> None:
    with Scratch(tmp_path / "work") as scratch:
        folder = scratch.of("a" * 32)
        folder.mkdir()
        (folder / "0.png").write_bytes(b"png")
        scratch.remove(folder)
        assert not folder.exists()
        scratch.remove(folder)
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["lock"]


def test_what_a_killed_worker_left_is_removed_and_what_a_living_one_has_is_kept(tmp_path: Path) -> None:
    # Given a living worker, and one that was killed in the midst of an attempt
    kill_self = (
        "import os, signal, sys; from pathlib import Path; from workers.scratch import Scratch\n"
        "with Scratch(Path(sys.argv[1])) as scratch:\n"
        "    scratch.of('b' * 32).mkdir(); print(scratch.folder, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    with Scratch(tmp_path) as living:
        killed = subprocess.run(
            [sys.executable, "-c", kill_self, str(tmp_path)],
            stdout=subprocess.PIPE, text=True, check=False, cwd=os.getcwd(),
        )  # fmt: skip
        left = Path(killed.stdout.strip())
        assert (left / ("b" * 32)).is_dir()
        # When another worker starts
        with Scratch(tmp_path):
            # Then
            assert not left.exists()
            assert living.folder.exists()
