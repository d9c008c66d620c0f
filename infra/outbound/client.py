"""`Outbound`: POST to a user's URL, or download from it, within bounds."""

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpcore

from infra.outbound.allow import Allow
from infra.outbound.connecting import CheckedBackend, Deadline, Resolve, resolve, trusting_context
from infra.outbound.errors import Unreachable
from infra.outbound.urls import Url, check_url

USER_AGENT = "Atelier/1"
REPLY_BYTES = 64 * 1024  # of an answer to a POST; what comes after them is not read
OK = 200
TROUBLE = (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


@dataclass(frozen=True)
class Reply:
    """The answer to a POST. Header names are lower case; the body may be cut off at the limit."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Downloaded:
    """What was downloaded: the media type that the server claims (empty if none), and the length."""

    media_type: str
    bytes: int


class Outbound:
    """Requests to URLs that users have given. Each makes a connection of its own, so that no check of an
    address is ever older than the request. Safe to share between threads."""

    def __init__(
        self,
        allow: Allow,
        *,
        timeout_seconds: float = 15.0,
        max_bytes: int = REPLY_BYTES,
        context: ssl.SSLContext | None = None,
        resolve: Resolve = resolve,
    ) -> None:
        self._allow = allow
        self._timeout_seconds = timeout_seconds
        self._max_bytes = max_bytes
        self._context = context or trusting_context()
        self._resolve = resolve

    def check(self, url: str) -> Url:
        """As `check_url`."""
        return check_url(url, self._allow)

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send `body`, whatever the answer's status, a redirect included; UrlRefused, or Unreachable when
        there is no whole answer in time."""
        with self._asking("POST", url, headers, body, self._timeout_seconds) as answer:
            kept = b""
            for chunk in answer.iter_stream():
                kept += chunk
                if len(kept) >= self._max_bytes:
                    break
            return Reply(answer.status, _headers(answer), kept[: self._max_bytes])

    def download(self, url: str, target: Path, *, max_bytes: int, seconds: float) -> Downloaded:
        """Write what the URL gives to `target`; UrlRefused, or Unreachable unless it is a plain 200 of at
        most `max_bytes` that ends within `seconds`."""
        with self._asking("GET", url, {}, None, seconds) as answer, target.open("wb") as file:
            headers = _headers(answer)
            _check_download(answer.status, headers, max_bytes)
            size = 0
            for chunk in answer.iter_stream():
                size += len(chunk)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                file.write(chunk)
        return Downloaded(headers.get("content-type", "").partition(";")[0].strip().lower(), size)

    @contextmanager
    def _asking(
        self, method: str, text: str, headers: Mapping[str, str], body: bytes | None, seconds: float
    ) -> Iterator[httpcore.Response]:
        url = self.check(text)
        with Deadline(seconds) as deadline:
            backend = CheckedBackend(url, self._allow, deadline, self._resolve)
            pool = httpcore.ConnectionPool(self._context, max_connections=1, network_backend=backend)
            sent = _sent_headers(url, headers)
            limits = dict.fromkeys(("connect", "read", "write", "pool"), seconds)
            try:
                with (
                    pool,
                    pool.stream(
                        method, _address(url), headers=sent, content=body, extensions={"timeout": limits}
                    ) as answer,
                ):
                    yield answer
            except TROUBLE as error:
                deadline.left()
                raise Unreachable(_trouble(url.host, error)) from None
            deadline.left()  # a body without a length seems complete when the deadline has cut it


def _trouble(host: str, error: Exception) -> str:
    cause = error.args[0] if error.args else None  # httpcore's errors hold what they stand for
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"The certificate of {host} is not trusted: {cause.verify_message}."
    return f"The server at {host} broke off ({type(error).__name__})."


def _address(url: Url) -> httpcore.URL:
    return httpcore.URL(scheme=url.scheme, host=url.host, port=url.port, target=url.target)


def _sent_headers(url: Url, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    ours = {
        "Host": url.authority,
        "User-Agent": USER_AGENT,
        "Accept": "*/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    return [*ours.items(), *headers.items()]


def _headers(answer: httpcore.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}


def _check_download(status: int, headers: Mapping[str, str], max_bytes: int) -> None:
    if 300 <= status < 400:
        raise Unreachable(f"The server answered with a redirect ({status}); redirects are not followed.")
    if status != OK:
        raise Unreachable(f"The server answered {status}, not 200.")
    if headers.get("content-encoding", "identity").strip().lower() not in ("", "identity"):
        raise Unreachable("The server sent a compressed body, though none was asked for.")
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> Unreachable:
    return Unreachable(f"The file has more than {max_bytes:,} bytes.")
