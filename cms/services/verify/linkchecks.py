"""Checking the sources of what is published: whether their addresses still answer."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from cms.models import Source, User
from cms.services.chunks import chunks
from cms.services.permissions import require
from cms.services.verify.guarded_http import Manners, Refused, final_status
from cms.services.verify.samples import published_items
from cms.vocabulary import Role

AT_ONCE = 6
"""Hosts that are asked at the same time; each gets one request at a time."""


@dataclass(slots=True)
class Link:
    """A cited address, without the place within its page; `cited` says where, by address.

    `status` is the HTTP status, None where there was none: then `problem` says why.
    """

    page: str
    cited: dict[str, list[str]] = field(default_factory=dict)
    status: int | None = None
    problem: str = ""

    @property
    def dead(self) -> bool:
        """Whether nobody can read it there, or only the check could not."""
        return self.status is None or not 200 <= self.status < 400


def published_links(session: Session, *criteria: ColumnElement[bool]) -> list[Link]:
    """Return what the answers and corrections of live questions cite, each page once."""
    links: dict[str, Link] = {}
    for _, item in published_items(session, *criteria):
        for place, sources in [
            *((f"answer {n}", answer.sources) for n, answer in enumerate(item.answers, start=1)),
            *((f"correction {each.number}", each.sources) for each in item.corrections),
        ]:
            for source in sources:
                page = source.url.partition("#")[0]
                link = links.setdefault(page, Link(page))
                link.cited.setdefault(source.url, []).append(f"{item.slug}, {place}")
    return list(links.values())


def check_links(
    links: Iterable[Link], manners: Manners, *, tick: Callable[[], None] = lambda: None
) -> None:
    """Ask for each link and fill in what came; `tick` is called after each."""
    by_host: dict[str, list[Link]] = defaultdict(list)
    for link in links:
        # Not every address that somebody typed can be taken apart, but each has '//' in it.
        by_host[link.page.split("/")[2].casefold()].append(link)
    held: dict[str, threading.Lock] = {}

    def check(group: list[Link]) -> None:
        for link in group:
            try:
                link.status = final_status(
                    link.page, manners, lambda host: held.setdefault(host, threading.Lock())
                )
            except Refused as refused:
                link.problem = str(refused)
            tick()

    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        # The longest first, so that none is left alone at the end.
        for _ in pool.map(check, sorted(by_host.values(), key=len, reverse=True)):
            pass


def record_links(session: Session, links: Iterable[Link], *, by: User | None, at: datetime) -> None:
    """Keep what came of a check with every source that cites these addresses.

    The status of a link is the desk's business: no page shows it, so no release is made.

    :raises NotAllowed: when the actor is no editor
    """
    require(by, Role.editor, "check sources")
    statuses = {url: link.status for link in links for url in link.cited}
    for urls in chunks(list(statuses)):
        rows = session.execute(select(Source.id, Source.url).where(Source.url.in_(urls))).all()
        if rows:
            session.execute(
                update(Source),
                [
                    {"id": row.id, "last_status": statuses[row.url], "checked_at": at}
                    for row in rows
                ],
            )
    session.flush()
