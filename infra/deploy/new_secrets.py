"""Writes the keys and passwords of a new deployment: `.env` and `secrets/` beside docker-compose.yml.

Needs nothing but Python, and never overwrites anything. Files in `secrets/` are mounted into containers, and
their users must be able to read them; the folder itself is closed to other users of this host.
"""

import os
import secrets
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def fresh() -> dict[str, str]:
    """A value for each variable that docker-compose.yml asks for. S3 keys have the form that Garage wants."""
    return {
        "VALKEY_PASSWORD": secrets.token_hex(24),
        "S3_ACCESS_KEY": f"GK{secrets.token_hex(16)}",
        "S3_SECRET_KEY": secrets.token_hex(32),
        "GARAGE_RPC_SECRET": secrets.token_hex(32),
        "SCRAPER_KEY": secrets.token_hex(24),
        "GRAFANA_PASSWORD": secrets.token_urlsafe(18),
    }


def main(root: Path = ROOT) -> int:
    """Write the files; 1 if there are some already."""
    values = fresh()
    api_key = f"atl_{secrets.token_hex(8)}_{secrets.token_urlsafe(32)}"
    folder, variables = root / "secrets", root / ".env"
    if there := [path for path in (folder, variables) if path.exists()]:
        print(f"{there[0]} is there already; nothing was changed.", file=sys.stderr)
        return 1
    folder.mkdir(mode=0o700)
    _write(variables, "".join(f"{name}={value}\n" for name, value in values.items()), 0o600)
    _write(folder / "bootstrap_key", api_key, 0o444)
    _write(folder / "scraper_key", values["SCRAPER_KEY"], 0o444)
    _write(folder / "valkey.conf", f"requirepass {values['VALKEY_PASSWORD']}\n", 0o444)
    print(f"Wrote {variables} and {folder}/. The first API key is in {folder / 'bootstrap_key'}.")
    return 0


def _write(path: Path, text: str, mode: int) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        os.fchmod(file.fileno(), mode)  # whatever the umask


if __name__ == "__main__":
    sys.exit(main())
