"""Asking the web for an address: a local server plays its good and its bad sides."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from cms.services.verify.guarded_http import (
    AGENT,
    Address,
    Manners,
    Refused,
    final_status,
    is_public,
    public_manners,
)

LOCAL = ipaddress.ip_address("127.0.0.1")
LOCAL_6 = ipaddress.ip_address("::1")


def only_local(address: Address) -> bool:
    """The policy of these tests: one address of each kind, and no other."""
    return address in {LOCAL, LOCAL_6}


MANNERS = Manners(only_local, ssl.create_default_context(), seconds=20)
# For servers that do not answer: others are given as long as a busy machine may take.
HASTY = replace(MANNERS, seconds=1)


class Handler(BaseHTTPRequestHandler):
    """Answers by the path; keeps what it was asked."""

    asked: list[tuple[str, str]]
    headers_seen: list[dict[str, str]]

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        type(self).asked.append((self.command, self.path))
        type(self).headers_seen.append(dict(self.headers))
        name, _, value = self.path.lstrip("/").partition("/")
        with contextlib.suppress(OSError):
            getattr(self, f"answer_{name}", self.answer_ok)(value)

    def reply(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for key, value in headers.items():
            self.send_header(key, value)
        self.end_headers()

    def answer_ok(self, _: str) -> None:
        self.reply(200)

    def answer_status(self, value: str) -> None:
        self.reply(int(value))

    def answer_no_head(self, value: str) -> None:
        self.reply(int(value) if self.command == "HEAD" else 200)

    def answer_to(self, value: str) -> None:
        self.reply(302, Location=value)

    def answer_nowhere(self, _: str) -> None:
        self.reply(302)

    def answer_loop(self, _: str) -> None:
        self.reply(301, Location="/loop")

    def answer_slow(self, _: str) -> None:
        time.sleep(3)
        self.reply(200)

    def answer_drip(self, _: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(100):
            self.wfile.write(f"X-{number}: drip\r\n".encode())
            time.sleep(0.2)

    def answer_huge(self, _: str) -> None:
        if self.command == "HEAD":
            self.reply(405)
            return
        self.reply(200)
        while True:
            self.wfile.write(bytes(1_000_000))

    def answer_many_headers(self, _: str) -> None:
        self.reply(200, **{f"X-{number}": "x" for number in range(500)})

    def answer_noise(self, _: str) -> None:
        self.wfile.write(b"\x00\x01 I am no server of web pages\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self, family: socket.AddressFamily = socket.AF_INET) -> None:
        self.address_family = family
        self.handler = type("Asked", (Handler,), {"asked": [], "headers_seen": []})
        super().__init__(("::1" if family == socket.AF_INET6 else "127.0.0.1", 0), self.handler)
        self.daemon_threads = True
        self.block_on_close = False

    def handle_error(self, *_: object) -> None:
        pass

    @property
    def root(self) -> str:
        host = "[::1]" if self.address_family == socket.AF_INET6 else "127.0.0.1"
        return f"http://{host}:{self.server_address[1]}"

    @property
    def asked(self) -> list[tuple[str, str]]:
        return self.handler.asked


@contextlib.contextmanager
def serving(server: Server) -> Iterator[Server]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as server:
        yield server


def status_of(url: str, manners: Manners = MANNERS) -> int:
    return final_status(url, manners, lambda _: nullcontext())


def refusal_of(url: str, manners: Manners = MANNERS) -> str:
    with pytest.raises(Refused) as caught:
        status_of(url, manners)
    return str(caught.value)


@pytest.mark.parametrize(
    ("path", "status", "methods"),
    [
        ("/", 200, ["HEAD"]),
        ("/ok/a%20b?x=1&y=%C3%A9", 200, ["HEAD"]),
        ("/status/204", 204, ["HEAD"]),
        ("/status/304", 304, ["HEAD"]),
        ("/status/404", 404, ["HEAD", "GET"]),
        ("/status/500", 500, ["HEAD", "GET"]),
        ("/no_head/403", 200, ["HEAD", "GET"]),
        ("/no_head/405", 200, ["HEAD", "GET"]),
        ("/no_head/501", 200, ["HEAD", "GET"]),
        ("/huge", 200, ["HEAD", "GET"]),
        ("/nowhere", 302, ["HEAD"]),
        ("/to//status/410", 410, ["HEAD", "HEAD", "GET"]),
    ],
)
def test_the_status_is_the_one_at_the_end(
    server: Server, path: str, status: int, methods: list[str]
) -> None:
    assert status_of(server.root + path) == status
    assert [method for method, _ in server.asked] == methods


def test_a_request_says_who_asks_and_gives_the_host_as_it_stands(server: Server) -> None:
    status_of(f"http://someone:secret@127.0.0.1:{server.server_address[1]}/ok/ä b?ö#part")
    assert server.asked == [("HEAD", "/ok/%C3%A4%20b?%C3%B6")]
    [headers] = server.handler.headers_seen
    assert headers["Host"] == f"127.0.0.1:{server.server_address[1]}"
    assert headers["User-Agent"] == AGENT
    assert "Authorization" not in headers


def test_a_huge_body_is_not_read(server: Server) -> None:
    """It has no end."""
    assert status_of(f"{server.root}/huge") == 200


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/loop", "It redirects more than 5 times."),
        ("/noise", "It does not answer in HTTP."),
        ("/many_headers", "It does not answer in HTTP."),
        ("/to/ftp://example.org/", "It is no address of http or https."),
        ("/to/file:///etc/passwd", "It is no address of http or https."),
        ("/to/http://[broken/", "It is no valid address."),
    ],
)
def test_what_gives_no_answer_is_refused_with_the_reason(
    server: Server, path: str, problem: str
) -> None:
    assert refusal_of(server.root + path) == problem


@pytest.mark.parametrize("path", ["/slow", "/drip"])
def test_what_answers_too_slowly_is_cut_off(server: Server, path: str) -> None:
    """The one would answer in the end; the other sends something all the time."""
    assert refusal_of(server.root + path, HASTY) == "It did not answer within 1 seconds."


NOT_PUBLIC = "It leads to an address that is not public, so it was not asked."


@pytest.mark.parametrize(
    "target", ["127.0.0.2", "10.0.0.1", "169.254.169.254", "[::ffff:127.0.0.2]", "[fe80::1]"]
)
def test_a_redirect_to_a_private_address_is_not_followed(server: Server, target: str) -> None:
    assert refusal_of(f"{server.root}/to/http://{target}:1/") == NOT_PUBLIC
    assert len(server.asked) == 1


def test_the_connection_goes_to_the_address_that_was_checked(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that resolves differently the second time leads nowhere else."""
    asked: list[str] = []
    port = server.server_address[1]

    def resolve(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        place = "127.0.0.1" if len(asked) == 1 else "127.0.0.2"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (place, port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert status_of(f"http://rebinding.example:{port}/") == 200
    assert asked == ["rebinding.example"]
    assert refusal_of(f"http://rebinding.example:{port}/") == NOT_PUBLIC


def test_of_several_addresses_only_the_permitted_ones_are_tried(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = server.server_address[1]
    places = [("10.0.0.1", port), ("127.0.0.1", 1), ("127.0.0.1", port)]
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", place) for place in places]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert status_of(f"http://several.example:{port}/") == 200


def test_ipv6_addresses_are_asked_and_named_with_brackets() -> None:
    try:
        server = Server(socket.AF_INET6)
    except OSError:
        pytest.skip("this machine has no IPv6: enable it on the loopback device")
    with serving(server):
        assert status_of(f"{server.root}/") == 200
        [headers] = server.handler.headers_seen
        assert headers["Host"] == f"[::1]:{server.server_address[1]}"


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("http://127.0.0.1:1/", "It cannot be reached: Connection refused."),
        ("gopher://127.0.0.1/", "It is no address of http or https."),
        ("http:///path", "It is no address of http or https."),
        ("http://127.0.0.1:99999/", "It is no valid address."),
        (f"http://{'a' * 70}.example/", "It is no valid address."),
    ],
)
def test_an_address_that_cannot_be_asked_is_refused(url: str, problem: str) -> None:
    assert refusal_of(url) == problem


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://localhost/",
        "http://2130706433/",
        "http://0x7f.1/",
        "http://0.0.0.0/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://[64:ff9b::7f00:1]/",
        "https://192.168.1.1:8443/",
    ],
)
def test_the_operators_own_network_is_never_asked(url: str) -> None:
    assert refusal_of(url, public_manners()) == NOT_PUBLIC


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("151.101.1.69", True),
        ("2606:2800:220:1:248:1893:25c8:1946", True),
        ("::ffff:151.101.1.69", True),
        ("64:ff9b::9765:145", True),
        ("10.1.2.3", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("172.16.0.1", False),
        ("192.0.2.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::", False),
        ("fc00::1", False),
        ("fe80::1", False),
        ("ff02::1", False),
        ("2001:db8::1", False),
        ("::ffff:10.1.2.3", False),
        ("2002:a01:203::1", False),
        ("64:ff9b::a01:203", False),
    ],
)
def test_public_is_what_the_whole_internet_can_reach(address: str, public: bool) -> None:
    assert is_public(ipaddress.ip_address(address)) is public


# --- TLS -----------------------------------------------------------------------------


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 and right.example, with its key, as one PEM file."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    try:
        subprocess.run(
            [
                *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
                *("-subj", "/CN=right.example", "-keyout", str(path), "-out", f"{path}.crt"),
                *("-addext", "subjectAltName=DNS:right.example,IP:127.0.0.1"),
            ],
            check=True,
            capture_output=True,
        )
    except FileNotFoundError:
        pytest.skip("openssl, which makes the certificate, is not installed")
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


@pytest.fixture
def tls_server(certificate: Path) -> Iterator[Server]:
    server = Server()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    with serving(server) as server:
        yield server


def test_a_certificate_has_to_be_trusted_and_made_for_the_name(
    tls_server: Server, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = tls_server.server_address[1]
    trusting = Manners(only_local, ssl.create_default_context(cafile=certificate), seconds=5)
    assert status_of(f"https://127.0.0.1:{port}/", trusting) == 200
    assert refusal_of(f"https://127.0.0.1:{port}/") == (
        "Its certificate does not hold: self-signed certificate."
    )
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    assert status_of(f"https://right.example:{port}/", trusting) == 200
    assert refusal_of(f"https://wrong.example:{port}/", trusting) == (
        "Its certificate does not hold: Hostname mismatch, "
        "certificate is not valid for 'wrong.example'."
    )


def test_a_server_that_never_finishes_the_handshake_is_cut_off() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}/"
        assert refusal_of(url, HASTY) == "It did not answer within 1 seconds."


def test_the_lock_of_a_host_is_held_while_it_is_asked(server: Server) -> None:
    held: Counter[str] = Counter()

    @contextlib.contextmanager
    def lock(host: str) -> Iterator[None]:
        assert not held[host]
        held[host] += 1
        yield
        held[host] -= 1

    assert final_status(f"{server.root}/to//no_head/403", MANNERS, lock) == 200
    assert held == {"127.0.0.1": 0}
