"""Where things lie under `ATELIER_HOME`. Only computes paths; `make_private` alone creates anything."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from infra.errors import BadSetting

LONGEST_SOCKET_PATH = 107  # bytes: sun_path is 108 on Linux with its closing NUL (104 on macOS, see below)
LONGEST_SOCKET_NAME = len("/broker.sock")
if os.uname().sysname == "Darwin":
    LONGEST_SOCKET_PATH = 103


@dataclass(frozen=True)
class Places:
    """The layout of one home folder; `home` is absolute."""

    home: Path

    @property
    def state(self) -> Path:
        """The embedded state server's append-only file: the job records."""
        return self.home / "state"

    @property
    def artifacts(self) -> Path:
        """Stored outputs and uploads, when no other storage is set."""
        return self.home / "artifacts"

    @property
    def logs(self) -> Path:
        """Logs of the embedded servers and of what `atelier up` started."""
        return self.home / "log"

    @property
    def run(self) -> Path:
        """What is true only while `atelier up` runs: lock, instance file, and sockets when short enough."""
        return self.home / "run"

    @property
    def models(self) -> Path:
        """The operator's own catalog, read when it exists."""
        return self.home / "models.toml"

    @property
    def weights(self) -> Path:
        """What `atelier models pull` has fetched."""
        return self.home / "models"

    @property
    def pulled(self) -> Path:
        """Catalog of what has been pulled and which licences are accepted; read after all others."""
        return self.weights / "pulled.toml"

    @property
    def credential(self) -> Path:
        """What manifests of provenance are signed with, when the operator has given nothing else."""
        return self.home / "credential"

    @property
    def lock(self) -> Path:
        return self.run / "lock"

    @property
    def instance(self) -> Path:
        """JSON: url, pids and socket urls of the running instance."""
        return self.run / "instance.json"

    @property
    def sockets(self) -> Path:
        """Folder of the embedded servers' sockets: `HOME/run`, or a short private one when that is too long.

        The same home always gives the same folder, so that a second process finds the first one's servers.
        """
        if len(os.fsencode(self.run)) + LONGEST_SOCKET_NAME <= LONGEST_SOCKET_PATH:
            return self.run
        digest = hashlib.sha256(os.fsencode(self.home)).hexdigest()[:16]
        # Not TMPDIR, which differs from process to process; make_private checks whose folder it is.
        return Path("/tmp", f"atelier-{os.getuid()}-{digest}")  # noqa: S108

    @property
    def state_socket(self) -> Path:
        return self.sockets / "state.sock"

    @property
    def broker_socket(self) -> Path:
        return self.sockets / "broker.sock"


def make_private(folder: Path) -> Path:
    """Create `folder` for this user alone (0700), or close an existing one; BadSetting if it is not ours."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid():
        raise BadSetting(f"{folder} is not a folder of this user; remove it or choose another ATELIER_HOME.")
    if found.st_mode & 0o077:
        folder.chmod(0o700)
    return folder
