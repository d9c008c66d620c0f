"""One HTTP connection pool to one server: bounded retries, and every failure as one of `atelier.errors`."""

import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx

from atelier.errors import (
    AtelierError,
    BadAnswer,
    InvalidInputs,
    LimitReached,
    Unauthorized,
    Unavailable,
    Unreachable,
    error_for,
)

RETRIES: Final = 3
FIRST_PAUSE: Final = 0.25  # seconds before the first retry; doubled for each further one
LONGEST_PAUSE: Final = (
    10.0  # seconds; a server that asks for more patience than this is told to the caller instead
)
TIMEOUT: Final = httpx.Timeout(15.0, connect=5.0)  # seconds


@dataclass(frozen=True)
class Repeat:
    """Which failures of a call may be answered by sending it again.

    lost: also when the request may have reached the server and only the answer was lost; safe for reads, and
    for writes that the server knows again (an idempotency key, a cancel).
    """

    lost: bool


SAFE: Final = Repeat(lost=True)
UNSAFE: Final = Repeat(lost=False)

NOTHING_DONE: Final = frozenset({"system_full", "too_many_uploads", "too_many_watchers"})
"""Errors of a server that is there and busy, and has refused before it began."""


class Transport:
    """Sends requests to `url` as the owner of `api_key`. retries: how often a failed call is sent again."""

    def __init__(self, url: str, api_key: str, retries: int = RETRIES) -> None:
        headers = {"User-Agent": "atelier-client"}
        if api_key:
            headers["Authorization"] = f"Bearer {_fit(api_key)}"
        self.url = url.rstrip("/")
        self._retries = retries
        try:
            # trust_env: a proxy meant for the internet must not take requests to a server on loopback.
            self._http = httpx.Client(base_url=self.url, headers=headers, timeout=TIMEOUT, trust_env=False)
        except httpx.InvalidURL as error:
            raise Unreachable(f"{url} is not an address: {error}") from error

    def close(self) -> None:
        self._http.close()

    def call(self, method: str, path: str, repeat: Repeat = SAFE, **options: Any) -> httpx.Response:
        """The answer, its status below 400. Sends again, at most `retries` times, what `repeat` allows."""
        pause = FIRST_PAUSE
        for retries_left in range(self._retries, -1, -1):
            try:
                return self._once(method, path, **options)
            except AtelierError as error:
                wait = _pause_before_retry(error, repeat, pause)
                if wait is None or not retries_left:
                    raise
            time.sleep(wait)
            pause *= 2
        raise AssertionError("the last try returns or raises")

    def json(self, method: str, path: str, repeat: Repeat = SAFE, **options: Any) -> Any:
        """The answer's body; BadAnswer if it is not JSON."""
        return self.decode(self.call(method, path, repeat, **options))

    def decode(self, response: httpx.Response) -> Any:
        try:
            return response.json()
        except ValueError as error:
            raise BadAnswer(f"{response.request.url} answered something that is not JSON") from error

    @contextmanager
    def stream(
        self, path: str, headers: Mapping[str, str], timeout: float, **options: Any
    ) -> Iterator[httpx.Response]:
        """An answer whose body is read bit by bit; timeout: the longest silence, in seconds. No retries.

        httpx takes the key off when a redirect leads to another host (artifacts at a signed address).
        """
        limits = httpx.Timeout(timeout, connect=5.0)
        with (
            _translated(self.url),
            self._http.stream(
                "GET", path, headers=dict(headers), timeout=limits, follow_redirects=True, **options
            ) as response,
        ):
            if response.status_code >= 400:
                response.read()
            _raise_for(response)
            yield response

    def _once(self, method: str, path: str, **options: Any) -> httpx.Response:
        with _translated(self.url):
            response = self._http.request(method, path, **options)
        _raise_for(response)
        return response


def _fit(api_key: str) -> str:
    """The key, if a header may hold it. httpx would refuse it later, and show it in its error."""
    if not all("!" <= char <= "~" for char in api_key):
        detail = "It has a space, a line break or another character that no key has."
        raise Unauthorized("This is no API key", detail, status=401, slug="unauthorized")
    return api_key


class NotSent(Unreachable):
    """No connection could be made, so the server cannot have seen the request."""


@contextmanager
def _translated(url: str) -> Iterator[None]:
    """httpx's errors as ours; this is the only place that knows them."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        raise NotSent(f"no server answers at {url}: {error}") from error
    except httpx.UnsupportedProtocol as error:
        raise BadAnswer(f"{url} is not an address of a server: {error}") from error
    except httpx.TransportError as error:
        raise Unreachable(f"the connection to {url} broke: {error or type(error).__name__}") from error
    except ValueError as error:  # NaN in the body, half a character, a header with an umlaut
        raise InvalidInputs("This cannot be sent", str(error), status=422, slug="invalid_inputs") from error


def _raise_for(response: httpx.Response) -> None:
    if response.status_code < 400:
        return
    try:
        body = response.json()
    except ValueError:
        body = None
    raise error_for(
        response.status_code, body if isinstance(body, dict) else {}, response.headers.get("Retry-After")
    )


def _pause_before_retry(error: AtelierError, repeat: Repeat, pause: float) -> float | None:
    """Seconds to wait before the same call is sent again; None if it must not be."""
    if isinstance(error, Unavailable) and not repeat.lost and error.slug not in NOTHING_DONE:
        return None
    if isinstance(error, LimitReached | Unavailable):
        wait = error.retry_after if error.retry_after is not None else pause
        return wait + random.random() * FIRST_PAUSE if wait <= LONGEST_PAUSE else None
    if isinstance(error, NotSent) or (isinstance(error, Unreachable) and repeat.lost):
        return pause * (0.5 + random.random())
    return None


def worth_waiting_for(error: AtelierError) -> bool:
    """Whether a watcher should connect again after this: the server is away or full, not saying no."""
    return isinstance(error, Unreachable | Unavailable | LimitReached)
