"""Objects on an S3 server, through the minio client with timeouts of our own (its default is five minutes).

Two connection pools: `quick` for calls that must answer or fail within 3 seconds, `patient` for the bytes of
a put. A put first asks the quick pool whether the bucket is there, so that a server that is down or hung is
found out before any byte is sent; the bucket is made then if it is missing and the credentials allow it.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import md5, sha256
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree.ElementTree import ParseError

import certifi
from minio import Minio
from minio.datatypes import Upload
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from minio.helpers import ObjectWriteResult
from urllib3 import BaseHTTPResponse, PoolManager, Retry, Timeout
from urllib3.connectionpool import ConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as TimedOut

from infra.errors import (
    BadKey,
    BadSetting,
    InfraError,
    ObjectNotFound,
    StorageFull,
    StorageRefused,
    StorageUnavailable,
)
from infra.storage.base import CHUNK_BYTES, Entry, Reader, Stat, Stored, Tally, check_range
from infra.storage.keys import check_key, check_prefix

QUICK = Timeout(connect=0.7, read=1.7)  # together below 2.5 s, with what is around them
PATIENT = Timeout(
    connect=2.0, read=60.0
)  # `read` is how long a server may think about a part it has received
PART_BYTES = 16 * 1024 * 1024  # larger objects go up in parts of this size
CONNECTIONS = 32  # kept for each pool; more are made at need, and not kept
DEFAULT_REGION = "us-east-1"
DO_NOT_LIST_UPLOADS = (405, 501)  # statuses of servers that do not tell of unfinished uploads
FULL = {
    "XMinioStorageFull",
    "StorageFull",
    "InsufficientStorage",
    "QuotaExceeded",
    "XMinioAdminBucketQuotaExceeded",
}


class S3Storage:
    """The S3 storage; see `Storage` for what each call promises."""

    def __init__(
        self, endpoint: str, bucket: str, *, access: str, secret: str, region: str, secure: bool
    ) -> None:
        """`endpoint` is HOST or HOST:PORT."""

        def client(pool: PoolManager) -> Minio:
            return Minio(
                endpoint, access, secret, secure=secure, region=region, http_client=pool, cert_check=secure
            )

        self.bucket = bucket
        self._quick = client(_pool(QUICK, retries=1, retry_statuses=()))
        self._patient = client(_pool(PATIENT, retries=3, retry_statuses=(500, 502, 503, 504)))
        self._public: Minio | None = None

    @classmethod
    def from_url(cls, url: str, public_url: str = "") -> Self:
        """From `s3+http(s)://ACCESS:SECRET@HOST:PORT/BUCKET?region=R`; BadSetting tells what is wrong."""
        place = urlsplit(url)
        bucket = place.path.strip("/")
        region = parse_qs(place.query).get("region", [DEFAULT_REGION])[0]
        if not (place.hostname and place.username and place.password):
            raise BadSetting("ATELIER_STORAGE_URL needs s3+http://ACCESS:SECRET@HOST:PORT/BUCKET.")
        if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", bucket):
            raise BadSetting("ATELIER_STORAGE_URL: the path must be the name of one bucket.")
        access, secret = unquote(place.username), unquote(place.password)
        endpoint = place.netloc.rpartition("@")[2]
        storage = cls(
            endpoint, bucket, access=access, secret=secret, region=region, secure=place.scheme == "s3+https"
        )
        if public_url:
            storage._public = _signer(public_url, access, secret, region)
        return storage

    def put(self, key: str, source: Path | bytes, media_type: str) -> Stored:
        check_key(key)
        self.check()
        with _opened(source) as (file, size):
            upload = _Hashing(file)
            try:
                with _translated(key):
                    written = self._patient.put_object(
                        self.bucket, key, upload, size, content_type=media_type, part_size=_part_bytes(size)
                    )
            except ObjectNotFound as error:  # of an upload in parts: the answer to its end was lost
                raise StorageUnavailable(f"the storage server has lost {key} while it came") from error
        _check_arrival(key, written, upload)
        return Stored(key, size, upload.digest.hexdigest())

    def open(self, key: str, start: int = 0, end: int | None = None) -> Reader:
        check_range(start, end)
        length = 0 if end is None else end - start + 1
        try:
            with _translated(check_key(key)):
                response = self._quick.get_object(self.bucket, key, offset=start, length=length)
        except _BeyondTheEnd:
            return _ResponseReader(key, None)
        return _ResponseReader(key, response)

    def read(self, key: str) -> bytes:
        with self.open(key) as chunks:
            return b"".join(chunks)

    def stat(self, key: str) -> Stat:
        with _translated(check_key(key)):
            found = self._quick.stat_object(self.bucket, key)
        return Stat(found.size or 0, found.content_type or "", _milliseconds(found.last_modified))

    def list(self, prefix: str = "") -> Iterator[str]:
        return (entry.key for entry in self.entries(prefix))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        with suppress(ObjectNotFound, _NoBucket), _translated(check_prefix(prefix)):  # it holds nothing
            for found in self._quick.list_objects(self.bucket, prefix, recursive=True):
                if found.object_name and not found.is_dir:
                    yield Entry(found.object_name, found.size or 0, _milliseconds(found.last_modified))

    def delete(self, key: str) -> None:
        with suppress(ObjectNotFound, _NoBucket), _translated(check_key(key)):
            self._quick.remove_object(self.bucket, key)

    def delete_prefix(self, prefix: str) -> Tally:
        if not check_prefix(prefix):
            raise BadKey("refusing to delete everything: the prefix is empty")
        found = [*self.entries(prefix)]  # a server that hangs is found out here; then it may take its time
        with _translated(prefix):
            refused = [*self._patient.remove_objects(self.bucket, (DeleteObject(each.key) for each in found))]
        if refused:
            kind = StorageRefused if "AccessDenied" in {each.code for each in refused} else StorageUnavailable
            raise kind(f"the storage server did not delete {len(refused)} objects: {refused[0].code}")
        return Tally(len(found), sum(each.bytes for each in found))

    def sweep(self, older_than_seconds: float, *, dry_run: bool = False) -> Tally:
        """Parts of interrupted uploads. Some servers list none to their clients: where that is so, a rule of
        the bucket's lifecycle (AbortIncompleteMultipartUpload) has to remove them."""
        newest = datetime.now(UTC) - timedelta(seconds=older_than_seconds)
        found = Tally()
        for upload in self._unfinished():
            if upload.initiated_time and upload.initiated_time < newest:
                found += Tally(1, self._bytes_of_parts(upload))
                if not dry_run:
                    with suppress(ObjectNotFound), _translated(upload.object_name):
                        self._quick._abort_multipart_upload(self.bucket, upload.object_name, upload.upload_id)
        return found

    def _unfinished(self) -> Sequence[Upload]:
        """Multipart uploads that have not ended, 1,000 at most. minio has no public call for these."""
        try:
            with _translated(self.bucket):
                return self._quick._list_multipart_uploads(self.bucket).uploads or ()
        except ObjectNotFound:  # what rclone answers when there are none
            return ()
        except StorageUnavailable as error:
            if _status_of(error.__cause__) in DO_NOT_LIST_UPLOADS:
                return ()
            raise

    def _bytes_of_parts(self, upload: Upload) -> int:
        with suppress(ObjectNotFound), _translated(upload.object_name):
            parts = self._quick._list_parts(self.bucket, upload.object_name, upload.upload_id)
            return sum(part.size or 0 for part in parts.parts)
        return 0

    def sign(self, key: str, seconds: int, filename: str) -> str | None:
        if self._public is None:
            return None
        disposition = f'attachment; filename="{re.sub(r"[^A-Za-z0-9._-]", "_", filename)}"'
        url: str = self._public.presigned_get_object(
            self.bucket,
            check_key(key),
            expires=timedelta(seconds=seconds),
            response_headers={"response-content-disposition": disposition},
        )
        return url

    def check(self) -> None:
        with _translated(self.bucket):
            if self._quick.bucket_exists(self.bucket):
                return
            try:
                self._quick.make_bucket(self.bucket)
            except S3Error as error:
                if error.code != "BucketAlreadyOwnedByYou":  # another process was first
                    raise


class _NoBucket(StorageRefused):
    """The bucket is not there."""


class _BeyondTheEnd(InfraError):
    """A range begins after the last byte."""


class _ResponseReader:
    """The chunks of a response; None is an empty one."""

    def __init__(self, key: str, response: Any) -> None:
        self.key = key
        self.response = response
        self.chunks: Iterator[bytes] = iter(()) if response is None else response.stream(CHUNK_BYTES)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        try:
            with _translated(self.key):
                return next(self.chunks)
        except (StopIteration, InfraError):
            self.close()
            raise

    def close(self) -> None:
        if self.response is not None:
            self.response.close()
            self.response.release_conn()
            self.response = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Hashing:
    """A file that takes the digests of what is read from it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = sha256()
        self.md5 = md5(usedforsecurity=False)

    def read(self, size: int = -1) -> bytes:
        chunk = self.file.read(size)
        self.digest.update(chunk)
        self.md5.update(chunk)
        return chunk


def _check_arrival(key: str, written: ObjectWriteResult, sent: _Hashing) -> None:
    """Compare what the server says it has stored with what was sent; StorageUnavailable, so that it is sent
    again.

    The ETag of an object that went up in one piece is the MD5 of its bytes, unless the server encrypts it
    with keys that it does not hold itself.
    """
    etag = (written.etag or "").strip('"')
    if not etag:  # S3 may answer 200 to the end of an upload in parts, and say in the body that it failed
        raise StorageUnavailable(f"the storage server does not say that it has {key}")
    encryption = (written.http_headers or {}).get("x-amz-server-side-encryption", "AES256")
    if encryption == "AES256" and re.fullmatch("[0-9a-f]{32}", etag) and etag != sent.md5.hexdigest():
        raise StorageUnavailable(f"{key} arrived damaged at the storage server")


class _Retry(Retry):
    """Tries again what failed at once; never what has already used up its time."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        if isinstance(error, TimedOut):
            raise error
        return super().increment(method, url, response, error, _pool, _stacktrace)


def _pool(timeout: Timeout, retries: int, retry_statuses: tuple[int, ...]) -> PoolManager:
    return PoolManager(
        maxsize=CONNECTIONS,
        timeout=timeout,
        retries=_Retry(
            total=retries,
            backoff_factor=0.2,
            backoff_jitter=0.1,
            status_forcelist=retry_statuses,
            allowed_methods=None,  # all of them: each request here can be repeated
            raise_on_status=False,
        ),
        cert_reqs="CERT_REQUIRED",
        ca_certs=certifi.where(),
    )


def _signer(public_url: str, access: str, secret: str, region: str) -> Minio:
    """A client that only signs, for the address that clients use."""
    place = urlsplit(public_url)
    if place.scheme not in ("http", "https") or not place.netloc or place.path.strip("/") or place.username:
        raise BadSetting("ATELIER_STORAGE_PUBLIC_URL must be http(s)://HOST[:PORT], without a path.")
    return Minio(place.netloc, access, secret, secure=place.scheme == "https", region=region)


def _part_bytes(size: int) -> int:
    return PART_BYTES if size > PART_BYTES else max(size, 5 * 1024 * 1024)


def _milliseconds(moment: datetime | None) -> int:
    return int(moment.timestamp() * 1000) if moment else 0


def _status_of(error: BaseException | None) -> int:
    """The HTTP status of an answer that minio made an error of; 0 without one."""
    match error:
        case S3Error():
            return int(getattr(error.response, "status", 0))
        case InvalidResponseError():
            return int(error._code)
        case ServerError():
            return int(error.status_code)
    return 0


@contextmanager
def _opened(source: Path | bytes) -> Iterator[tuple[BinaryIO, int]]:
    """The source as a file, and its size."""
    if isinstance(source, bytes):
        yield BytesIO(source), len(source)
        return
    with source.open("rb") as file:
        yield file, source.stat().st_size


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Errors of minio and urllib3 as ours."""
    try:
        yield
    except S3Error as error:
        raise _translation(error.code or "an error", _status_of(error), what) from error
    except InvalidResponseError as error:  # an error whose XML minio does not read, as rclone's `text/xml`
        raise _translation(f"status {error._code}", error._code, what) from error
    except ServerError as error:
        raise _translation(f"status {error.status_code}", error.status_code, what) from error
    except (MinioException, HTTPError, OSError) as error:
        raise StorageUnavailable(f"the storage server does not answer: {type(error).__name__}") from error
    except (ParseError, ValueError) as error:  # what comes with 200 is not S3's, as a page of a load balancer
        raise StorageUnavailable("what answers for the storage server is something else") from error


def _translation(code: str, status: int, what: str) -> InfraError:
    if code == "NoSuchBucket":
        return _NoBucket("the storage server has no such bucket")
    if status in (401, 403):
        return StorageRefused(f"the storage server refused: {code}")
    if status == 404:
        return ObjectNotFound(f"no object {what}")
    if status == 416:
        return _BeyondTheEnd()
    if status == 507 or code in FULL:
        return StorageFull(f"the storage server has no room left: {code}")
    return StorageUnavailable(f"the storage server refused: {code}")
