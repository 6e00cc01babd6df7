"""A frozen site as its readers have it: served by the simplest server there is, below a path."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.formats.item import DeckFilter, DeckItem
from cms.models import Question
from cms.services.content import content_of
from cms.services.decks import save_deck
from cms.services.publishing import publish, retire
from cms.services.questions import save
from tests.factories import AT, make_asset, make_bank, make_published, markup_in_every_text
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
    make_bank(session)
    deck = DeckItem(slug="first", title="First steps", filter=DeckFilter(any=["flask", "http"]))
    save_deck(session, None, deck, by=None, at=AT)
    save_deck(session, None, DeckItem(slug="empty", title="Empty"), by=None, at=AT)
    session.commit()
    odd = markup_in_every_text(session)
    wrong, survivor = (
        make_published(session, stem, tags=["flask"]) for stem in ("Was it wrong?", "Is it right?")
    )
    merged = make_published(session, "Is it right again?", tags=["flask"])
    merged.merged_into = survivor
    retire(session, [wrong, merged], by=None, at=AT, reason="It <was> wrong & old.")
    moved = session.scalars(select(Question).filter_by(slug="what-is-a-view")).one()
    content = content_of(moved)
    content.slug = "views"
    save(session, moved, content, seen_version=1, by=None, at=AT)
    image = make_asset(session, DRAWING, alt="A drawing")
    make_published(
        session,
        "How does `url_for` differ from C++?",
        body=f"Call `url_for`; ask C# and node.js.\n\n![A drawing](asset:{image.name})\n\n"
        "See [views](/questions/views#answer-1), [old](/questions/what-is-a-view), "
        "[none](/questions/nowhere), [the desk](/admin/) and [a list](/questions/?q=cookie).",
        tags=["languages/study", "flask/page/2"],
    )
    publish(session, [moved, odd], by=None, at=AT)
    session.commit()
