"""Object storage: a local folder or any S3 server behind one interface, `Storage`."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

from infra.errors import BadSetting
from infra.settings import Settings
from infra.storage.base import NONE, Entry, Reader, Stat, Storage, Stored, Tally
from infra.storage.measured import MeasuredStorage

__all__ = ["NONE", "Entry", "Reader", "Stat", "Storage", "Stored", "Tally", "open_storage"]


def open_storage(settings: Settings) -> Storage:
    """The storage that the settings name. Connects to nothing yet; `check()` says whether it answers."""
    url = settings.storage_address
    scheme = urlsplit(url).scheme
    if scheme == "file":
        from infra.storage.folder import FolderStorage

        return MeasuredStorage(FolderStorage(folder_of(url)), "folder")
    if scheme in ("s3+http", "s3+https"):
        from infra.storage.s3 import S3Storage

        return MeasuredStorage(S3Storage.from_url(url, settings.storage_public_url), "s3")
    raise BadSetting("ATELIER_STORAGE_URL must start with file:///, s3+http:// or s3+https://.")


def folder_of(url: str) -> Path:
    """The path in `file:///path`; BadSetting for a host name or a relative path."""
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.netloc not in ("", "localhost") or not path.is_absolute():
        raise BadSetting("ATELIER_STORAGE_URL: a folder is written file:///absolute/path.")
    return path
