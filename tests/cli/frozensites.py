"""A frozen site as its readers have it: served by the simplest server there is, below a path."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from tests.factories import make_asset, make_every_public_kind, make_published
from tests.formats.pictures import DRAWING


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing: a test's output is for its failures."""


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Yield the address at which a folder is served, as `python -m http.server` does it."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fill(session: Session) -> None:
    """Publish of everything that a frozen site can show at least one."""
    make_every_public_kind(session)
    image = make_asset(session, DRAWING, alt="A drawing")
    make_published(
        session,
        "How does `url_for` differ from C++?",
        body=f"Call `url_for`; ask C# and node.js.\n\n![A drawing](asset:{image.name})\n\n"
        "See [views](/questions/views#answer-1), [old](/questions/what-is-a-view), "
        "[none](/questions/nowhere), [the desk](/admin/) and [a list](/questions/?q=cookie).",
        tags=["languages/study", "flask/page/2"],
    )
