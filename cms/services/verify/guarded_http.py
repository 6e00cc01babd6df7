"""Asking the web for one address, without being led into the operator's own network.

The addresses stand in texts that others wrote, and redirects in answers of
servers that nobody vouches for. So each name is resolved here, and the
connection goes to one of the public addresses found, never to the name again.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from urllib.parse import SplitResult, quote, urljoin, urlsplit

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
HostLocks = Callable[[str], contextlib.AbstractContextManager[object]]

SECONDS = 5  # for one request, from the connection to the head of the answer
REDIRECTS = 5
AGENT = "qbank-cms link check"

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_PATH_SAFE = "/%:=&?~+!$,;'@()*[]"


class Refused(Exception):
    """An address that is not asked, or that gave no answer; `str()` says why, as a sentence."""


@dataclass(frozen=True, slots=True)
class Manners:
    """How to ask: whom (`permitted` addresses), for how long, and by which certificates."""

    permitted: Callable[[Address], bool]
    tls: ssl.SSLContext
    seconds: float = SECONDS


def public_manners() -> Manners:
    """Return the manners for the web: public addresses, the platform's certificates."""
    return Manners(is_public, ssl.create_default_context())


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet, also by what IPv6 carries inside."""
    inner: list[Address | None] = []
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if address in _NAT64:
            inner.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
    return (
        address.is_global
        and not address.is_multicast
        and all(is_public(each) for each in inner if each is not None)
    )


def final_status(
    url: str, manners: Manners, locks: HostLocks, *, within: float | None = None
) -> int:
    """Return the status at the end of an address's redirects; read no more than heads.

    Asks by HEAD, and by GET where a server refuses that. `locks` gives a
    context for a host, which is held while that host is asked. `within` bounds
    the seconds that all requests together may take.

    :raises Refused: when there is no answer, or it may not be asked for
    """
    method = "HEAD"
    base, target = "", url
    end = None if within is None else time.monotonic() + within
    for _ in range(REDIRECTS + 1):
        parts = _parts(base, target)
        with locks(parts.hostname or ""):
            status, location = _ask(parts, method, _hurried(manners, end, within))
            if method == "HEAD" and status >= 400:
                method = "GET"
                status, location = _ask(parts, method, _hurried(manners, end, within))
        if status not in {301, 302, 303, 307, 308} or not location:
            return status
        base, target = parts.geturl(), location
    raise Refused(f"It redirects more than {REDIRECTS} times.")


def _hurried(manners: Manners, end: float | None, within: float | None) -> Manners:
    """Return the manners for one request of several that have to be done by `end`.

    :raises Refused: when no time is left
    """
    if end is None or within is None:
        return manners
    # A request may take its seconds twice: to connect, and to be answered.
    left = (end - time.monotonic()) / 2
    if left <= 0:
        raise Refused(f"It did not answer within {within:g} seconds.")
    return replace(manners, seconds=min(manners.seconds, left))


def _parts(base: str, url: str) -> SplitResult:
    """Take an address, which may be relative to `base`, apart: path quoted, host in ASCII.

    :raises Refused: when it is none of http or https
    """
    try:
        parts = urlsplit(urljoin(base, url))
        name = parts.hostname or ""
        host = name if ":" in name else name.encode("idna").decode()
        port = f":{parts.port}" if parts.port else ""
    except ValueError as error:
        raise Refused("It is no valid address.") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise Refused("It is no address of http or https.")
    return parts._replace(
        netloc=f"[{host}]{port}" if ":" in host else f"{host}{port}",
        path=quote(parts.path or "/", safe=_PATH_SAFE),
        query=quote(parts.query, safe=_PATH_SAFE),
        fragment="",
    )


def _ask(parts: SplitResult, method: str, manners: Manners) -> tuple[int, str]:
    """Send one request; return the status of the answer and where it redirects to."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    connection = http.client.HTTPConnection(host, port)
    try:
        with _connect(host, port, manners) as sock, _deadline(sock, manners.seconds):
            connection.sock = sock
            if parts.scheme == "https":
                connection.sock = manners.tls.wrap_socket(sock, server_hostname=host)
            target = parts.path + (f"?{parts.query}" if parts.query else "")
            headers = {"Host": parts.netloc, "User-Agent": AGENT, "Accept": "*/*"}
            connection.request(method, target, headers=headers)
            with connection.getresponse() as response:
                return response.status, response.headers.get("Location", "")
    except ssl.SSLCertVerificationError as error:
        reason = error.verify_message.rstrip(".")
        raise Refused(f"Its certificate does not hold: {reason}.") from error
    except TimeoutError as error:
        raise Refused(f"It did not answer within {manners.seconds:.2g} seconds.") from error
    except OSError as error:
        raise Refused(f"It cannot be reached: {error.strerror or error}.") from error
    except (http.client.HTTPException, ValueError) as error:
        raise Refused("It does not answer in HTTP.") from error
    finally:
        connection.close()


def _connect(host: str, port: int, manners: Manners) -> socket.socket:
    """Return a connection to a permitted address of a host.

    :raises Refused: when it has none
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    permitted = [
        (family, place)
        for family, _, _, _, place in found
        if manners.permitted(ipaddress.ip_address(str(place[0]).partition("%")[0]))
    ]
    if not permitted:
        raise Refused("It leads to an address that is not public, so it was not asked.")
    end = time.monotonic() + manners.seconds
    failure: OSError = TimeoutError()
    for family, place in permitted:
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(max(0.1, end - time.monotonic()))
            sock.connect(place)
        except OSError as error:
            sock.close()
            failure = error
        else:
            sock.settimeout(manners.seconds)
            return sock
    raise failure


@contextlib.contextmanager
def _deadline(sock: socket.socket, seconds: float) -> Iterator[None]:
    """Cut a connection after some time, however slowly its other end drips.

    :raises TimeoutError: when it was cut
    """
    cut = threading.Event()

    def end(handle: socket.socket) -> None:
        cut.set()
        with contextlib.suppress(OSError):
            handle.shutdown(socket.SHUT_RDWR)

    # TLS takes the socket's descriptor over; a second one reaches the same connection.
    with sock.dup() as handle:
        timer = threading.Timer(seconds, end, [handle])
        timer.start()
        try:
            yield
        except (OSError, http.client.HTTPException) as error:
            if cut.is_set():
                raise TimeoutError from error
            raise
        finally:
            timer.cancel()
            timer.join()
        if cut.is_set():
            # What came before the cut reads like an answer that is shorter.
            raise TimeoutError
