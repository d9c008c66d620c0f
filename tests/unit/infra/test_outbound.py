"""Outbound HTTP: what a URL may be, which addresses are public, and real servers that misbehave."""

# ruff: noqa: E501, S104 - tables of cases

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from infra.errors import BadSetting
from infra.outbound import Allow, Outbound, Unreachable, UrlRefused, check_url, connecting
from infra.outbound.addresses import is_public
from infra.outbound.connecting import MOST_LOOKUPS
from infra.outbound.urls import LONGEST
from tests.certificates import Certificate, self_signed
from tests.servers import wait_for

NOTHING = Allow()
LOOPBACK = Allow.parse("127.0.0.0/8")
PUBLIC = "93.184.215.14"


@pytest.mark.parametrize("address", [
    "127.0.0.1", "127.8.8.8", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254",
    "100.64.0.1", "100.100.100.200", "100.127.255.255", "192.0.0.192", "192.0.0.9", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1",
    "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "168.63.129.16",
    "::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::808:808",
    "64:ff9b:1::7f00:1", "100::1", "2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:10::1", "2001:20::1", "2001:db8::1",
    "2002:7f00:1::1", "2002:808:808::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "4000::1",
])  # fmt: skip
def test_not_public(address: str) -> None:
    assert not is_public(ip_address(address))


@pytest.mark.parametrize(
    "address",
    [
        "8.8.8.8",
        "1.1.1.1",
        PUBLIC,
        "100.63.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "2606:4700::1111",
        "2a00:1450:4001::1",
    ],
)
def test_public(address: str) -> None:
    assert is_public(ip_address(address))


@pytest.mark.parametrize("url", [
    "", "x", "//example.com/", "example.com", "https:example.com", "https://", "https:///x", "http://example.com/", "ftp://example.com/",
    "gopher://example.com:70/", "file:///etc/passwd", "data:text/plain,x", "HTTPX://example.com", "javascript:alert(1)",
    "https://user@example.com/", "https://user:password@example.com/", "https://@example.com/", "https://example.com@127.0.0.1/",
    "https://example.com#@127.0.0.1/", "https://example.com/#x", "https://127.0.0.1#@example.com/", "https://example.com\\@127.0.0.1/",
    "https://example.com:6379/", "https://example.com:80/", "https://example.com:0/", "https://example.com:/", "https://example.com:65536/",
    "https://example.com:x/", "https://example.com:443:443/", "https://example.com: 443/", "https://example.com:٤٤٣/",
    "https://127.0.0.1/", "https://169.254.169.254/latest/meta-data/", "https://[::1]/", "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/",
    "https://[::127.0.0.1]/", "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "https://[::1", "https://::1/", "https://[127.0.0.1]/",
    "https://[2002:7f00:1::]/", "https://100.64.0.1/", "https://0/", "https://127.1/", "https://0x7f.1/", "https://0x7f000001/",
    "https://0177.0.0.1/", "https://2130706433/", "https://127.0.0.01/", "https://1.2.3.4.5/", "https://127.0.0.1./", "https://a.0x7f/",
    "https://localhost/", "https://x.localhost/", "https://redis/", "https://example.com./", "https://exa mple.com/", "https://exa\tmple.com/",
    "https://example.com/\r\nX: y", "https://example.com/\x00", "https://ex%61mple.com/", "https://①②⑦.0.0.1/", "https://münchen.example/",
    "https://-a.example/", "https://a-.example/", "https://.example/", "https://a..example/", "https://a,b.example/", "https://a'b.example/",
    "https://" + "a" * 64 + ".example/", "https://" + "a." * 130 + "example/", "https://example.com/" + "a" * LONGEST, " https://example.com/",
])  # fmt: skip
def test_a_refused_url(url: str) -> None:
    with pytest.raises(UrlRefused):
        check_url(url, NOTHING)


@pytest.mark.parametrize(("url", "host", "target", "authority"), [
    ("https://example.com", "example.com", "/", "example.com"), ("HTTPS://EXAMPLE.com:443/a%20b?c=d&e", "example.com", "/a%20b?c=d&e", "example.com"),
    ("https://xn--mnchen-3ya.example/", "xn--mnchen-3ya.example", "/", "xn--mnchen-3ya.example"), ("https://8.8.8.8/x", "8.8.8.8", "/x", "8.8.8.8"),
    ("https://[2606:4700::1111]?q", "2606:4700::1111", "/?q", "[2606:4700::1111]"), ("https://a_b.example/", "a_b.example", "/", "a_b.example"),
])  # fmt: skip
def test_a_good_url(url: str, host: str, target: str, authority: str) -> None:
    found = check_url(url, NOTHING)
    assert (found.scheme, found.host, found.port, found.target, found.authority) == (
        "https",
        host,
        443,
        target,
        authority,
    )


@pytest.mark.parametrize(("allow", "url"), [
    ("hooks.lan", "http://hooks.lan/"), ("hooks.lan", "http://hooks.lan:9000/"), ("localhost:9000", "http://localhost:9000/x"),
    ("redis", "https://redis/"), ("10.0.0.0/8", "http://10.1.2.3:8080/"), ("127.0.0.1", "http://127.0.0.1:1/"), ("[::1]:9000", "http://[::1]:9000/"),
    ("fd00::/8, HOOKS.lan:80", "http://hooks.lan/"), ("10.0.0.0/8", "http://name.example:8080/"),
])  # fmt: skip
def test_what_the_operator_allows(allow: str, url: str) -> None:
    check_url(url, Allow.parse(allow))


@pytest.mark.parametrize(("allow", "url"), [
    ("localhost:9000", "http://localhost:9001/"), ("hooks.lan", "http://x.hooks.lan/"), ("hooks.lan", "https://127.0.0.1/"),
    ("10.0.0.0/8", "http://11.1.2.3/"), ("10.0.0.0/8", "https://127.0.0.1/"), ("127.0.0.0/8", "https://[::ffff:127.0.0.1]/"),
    ("hooks.lan", "ftp://hooks.lan/"), ("hooks.lan", "http://user@hooks.lan/"),
])  # fmt: skip
def test_nothing_beyond_that(allow: str, url: str) -> None:
    with pytest.raises(UrlRefused):
        check_url(url, Allow.parse(allow))


@pytest.mark.parametrize(
    "entry", ["http://x", "x:", "x:0", "x:99999", "x:y", "10.0.0.0/99", "a/b", "::1:80x", "[x]", ":80"]
)
def test_a_bad_entry(entry: str) -> None:
    with pytest.raises(BadSetting):
        Allow.parse(f"fine.example, {entry}")


# Real servers


class Misbehaving(BaseHTTPRequestHandler):
    """What it does is the path."""

    seen: list[dict[str, str]]

    def do_GET(self) -> None:
        getattr(self, "give_" + self.path.strip("/"))()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append(
            {name.lower(): value for name, value in self.headers.items()} | {"body": body.decode()}
        )
        self.do_GET()

    def give_hello(self) -> None:
        self._answer(200, b"hello", {"Content-Type": "IMAGE/png; charset=x"})

    def give_redirect(self) -> None:
        self._answer(302, b"", {"Location": "http://169.254.169.254/"})

    def give_teapot(self) -> None:
        self._answer(418, b"no", {"Retry-After": "7"})

    def give_gzip(self) -> None:
        self._answer(200, b"\x1f\x8b" + b"\0" * 50, {"Content-Encoding": "gzip"})

    def give_large(self) -> None:
        self._answer(200, b"x" * 5000)

    def give_endless(self) -> None:
        self._stream(b"x" * 1000, 0.0)

    def give_drip(self) -> None:
        self._stream(b"x", 0.05)

    def give_slow_headers(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        self._drip(b"X-Slow: yes\r\n", 0.05)

    def give_interim_for_ever(self) -> None:
        self._drip(b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.01)

    def give_silence(self) -> None:
        time.sleep(2)

    def give_cut(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100")
        self.end_headers()
        self.wfile.write(b"x" * 10)

    def give_nonsense(self) -> None:
        self.wfile.write(b"\0\1\2 not HTTP\r\n\r\n")

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _stream(self, piece: bytes, pause: float) -> None:
        self.send_response(200)
        self.end_headers()
        self._drip(piece, pause)

    def _drip(self, piece: bytes, pause: float) -> None:
        try:
            while True:
                self.wfile.write(piece)
                time.sleep(pause)
        except OSError:
            self.close_connection = True

    def log_message(self, *words: Any) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def serve() -> Iterator[Callable[..., ThreadingHTTPServer]]:
    """Starts a `Misbehaving` on loopback; `serve(context)` speaks TLS."""
    servers = []

    def start(context: ssl.SSLContext | None = None) -> ThreadingHTTPServer:
        handler = type("Handler", (Misbehaving,), {"seen": []})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        if context is not None:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        server.daemon_threads = True
        server.block_on_close = False
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that breaks off is what is tested
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def address(serve: Callable[..., ThreadingHTTPServer]) -> str:
    return f"http://127.0.0.1:{serve().server_port}"


def download(url: str, folder: Path, *, seconds: float = 5, **options: Any) -> Any:
    outbound = Outbound(options.pop("allow", LOOPBACK), **options)
    return outbound.download(url, folder / "got", max_bytes=1000, seconds=seconds)


def test_a_download(address: str, tmp_path: Path) -> None:
    assert download(f"{address}/hello", tmp_path).media_type == "image/png"
    assert (tmp_path / "got").read_bytes() == b"hello"


def test_a_post_sends_our_headers_and_is_answered_whatever_the_status(
    serve: Callable[..., ThreadingHTTPServer],
) -> None:
    server = serve()
    port = server.server_port
    reply = Outbound(Allow.parse(f"localhost:{port}")).post(
        f"http://localhost:{port}/teapot", b"{}", {"webhook-id": "1"}
    )
    assert (reply.status, reply.headers["retry-after"], reply.body) == (418, "7", b"no")
    (seen,) = server.RequestHandlerClass.seen  # type: ignore[attr-defined]
    assert seen["host"] == f"localhost:{port}"
    assert (seen["body"], seen["webhook-id"], seen["accept-encoding"], seen["connection"]) == (
        "{}",
        "1",
        "identity",
        "close",
    )


def test_a_redirect_is_an_answer_to_a_post_and_nothing_more(address: str) -> None:
    assert Outbound(LOOPBACK).post(f"{address}/redirect", b"", {}).status == 302


def test_no_more_of_an_answer_is_kept_than_the_limit(address: str) -> None:
    assert Outbound(LOOPBACK, max_bytes=10).post(f"{address}/endless", b"", {}).body == b"x" * 10


@pytest.mark.parametrize(("path", "detail"), [
    ("redirect", "redirect"), ("teapot", "418"), ("gzip", "compressed"), ("large", "more than 1,000 bytes"),
    ("endless", "more than 1,000 bytes"), ("cut", "broke off"), ("nonsense", "broke off"),
])  # fmt: skip
def test_a_download_that_is_refused(address: str, tmp_path: Path, path: str, detail: str) -> None:
    with pytest.raises(Unreachable, match=detail):
        download(f"{address}/{path}", tmp_path)


@pytest.mark.parametrize("path", ["drip", "silence", "slow_headers", "interim_for_ever"])
def test_nothing_takes_longer_than_its_time(address: str, tmp_path: Path, path: str) -> None:
    started = time.monotonic()
    with pytest.raises(Unreachable, match=r"within 0\.6 seconds"):
        download(f"{address}/{path}", tmp_path, seconds=0.6)
    assert time.monotonic() - started < 8


def test_a_handshake_that_drips_ends_in_time(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=_drip_handshake, args=(listening,), daemon=True).start()
        with pytest.raises(Unreachable, match=r"within 0\.6 seconds"):
            download(f"https://127.0.0.1:{listening.getsockname()[1]}/", tmp_path, seconds=0.6)


def _drip_handshake(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    with connection:
        try:
            connection.sendall(
                b"\x16\x03\x03\x40\x00"
            )  # a record of 16 KiB, of which a byte comes now and then
            while True:
                connection.sendall(b"\x02")
                time.sleep(0.05)
        except OSError:
            return


def test_nobody_listens(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(Unreachable, match="No connection"):
        download(f"http://127.0.0.1:{port}/", tmp_path)


def test_a_name_that_there_is_not(tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"no host|resolved in time"):
        download("https://does-not-exist.invalid/", tmp_path)


@pytest.mark.parametrize(
    "addresses",
    [["127.0.0.1"], [PUBLIC, "10.0.0.1"], ["64:ff9b::7f00:1"], ["::ffff:127.0.0.1"], [PUBLIC, "fe80::1%2"]],
)
def test_a_name_is_refused_for_any_of_its_addresses(addresses: list[str], tmp_path: Path) -> None:
    with pytest.raises(UrlRefused, match="not public"):
        download("https://rebound.example/", tmp_path, allow=NOTHING, resolve=lambda host: addresses)


def test_a_name_is_resolved_once_and_the_checked_address_connected_to(address: str, tmp_path: Path) -> None:
    """DNS rebinding: a second answer would lead elsewhere, but nobody asks for it."""
    asked: list[str] = []

    def rebinding(host: str) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    port = address.rpartition(":")[2]
    assert download(f"http://rebound.example:{port}/hello", tmp_path, resolve=rebinding).bytes == 5
    assert asked == ["rebound.example"]


def test_a_slow_resolver_is_not_waited_for(tmp_path: Path) -> None:
    def slow(host: str) -> list[str]:
        time.sleep(2)
        return [PUBLIC]

    with pytest.raises(Unreachable, match="resolved in time"):
        download("https://slow.example/", tmp_path, resolve=slow, seconds=0.2)


def test_names_that_nobody_answers_for_hold_only_so_many_threads(tmp_path: Path) -> None:
    asked: list[str] = []
    answered = threading.Event()
    wait_for(lambda: connecting._lookups._value == MOST_LOOKUPS, what="the end of earlier lookups")

    def silent(host: str) -> list[str]:
        asked.append(host)
        answered.wait(20)
        return [PUBLIC]

    try:
        for number in range(MOST_LOOKUPS + 2):
            with pytest.raises(Unreachable, match=r"resolved in time|within"):
                download(f"https://dead{number}.example/", tmp_path, resolve=silent, seconds=0.5)
        assert len(asked) == MOST_LOOKUPS
    finally:
        answered.set()
    wait_for(lambda: connecting._lookups._value == MOST_LOOKUPS, what="threads that have ended")


def test_plain_http_goes_only_where_the_network_allows_it(address: str, tmp_path: Path) -> None:
    """A name may be any, as long as networks are allowed; what it resolves to decides."""
    port = address.rpartition(":")[2]
    with pytest.raises(UrlRefused, match="Only https"):
        download(f"http://public.example:{port}/hello", tmp_path, resolve=lambda host: [PUBLIC])


def test_proxies_of_the_environment_are_not_used(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert download(f"{address}/hello", tmp_path).bytes == 5


def test_tls_checks_the_name_and_sends_it(serve: Callable[..., ThreadingHTTPServer], tmp_path: Path) -> None:
    certificate = self_signed("files.example", tmp_path)
    port = serve(_context(certificate)).server_port
    trusting = ssl.create_default_context(cafile=str(certificate.chain))
    here = {"allow": LOOPBACK, "resolve": lambda host: ["127.0.0.1"]}
    assert download(f"https://files.example:{port}/hello", tmp_path, context=trusting, **here).bytes == 5
    with pytest.raises(Unreachable, match=r"certificate of other\.example is not trusted"):
        download(f"https://other.example:{port}/hello", tmp_path, context=trusting, **here)
    with pytest.raises(Unreachable, match="is not trusted: self-signed"):
        download(f"https://files.example:{port}/hello", tmp_path, **here)


def _context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate.chain, certificate.key)
    return context
