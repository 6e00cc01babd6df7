"""Asking the site for an address, as a browser does, behind the cache and all other middleware."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import unquote, urlsplit

from flask import Flask
from sqlalchemy import Connection

from cms.freezing import FROZEN, SNAPSHOT


@dataclass(frozen=True, slots=True)
class Answer:
    """What the site answered: `chunks` are to be read before the next question."""

    status: int
    media_type: str
    chunks: Iterable[bytes]

    @property
    def body(self) -> bytes:
        """All of it."""
        return b"".join(self.chunks)


class Site:
    """The site as a freeze reads it: in one snapshot, on pages that are to be files."""

    def __init__(self, app: Flask, snapshot: Connection) -> None:
        self._app = app
        # One of the names that the site answers to. No page shows it.
        host = str((app.config["TRUSTED_HOSTS"] or ["localhost"])[0]).lstrip(".")
        self._environ: dict[str, Any] = {
            FROZEN: True,
            SNAPSHOT: snapshot,
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "SERVER_NAME": host,
            "SERVER_PORT": "80",
            "HTTP_HOST": host,
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "127.0.0.1",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": False,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }

    @contextmanager
    def ask(self, address: str) -> Iterator[Answer]:
        """Yield what the site answers to a GET of an address."""
        parts = urlsplit(address)
        path = unquote(parts.path).encode().decode("latin-1")
        environ = self._environ | {
            "PATH_INFO": path,
            "QUERY_STRING": parts.query,
            "wsgi.input": BytesIO(),
        }
        started: list[Any] = []

        def start(status: str, headers: list[tuple[str, str]], *_error: object) -> Any:
            started[:] = [int(status[:3]), {name.lower(): value for name, value in headers}]

        # A command has a context of its own: what one page leaves in `g` is nothing to the next.
        with self._app.app_context():
            chunks = Flask.wsgi_app(self._app, environ, start)
            try:
                status, headers = started
                yield Answer(status, headers.get("content-type", "").partition(";")[0], chunks)
            finally:
                if hasattr(chunks, "close"):
                    chunks.close()
