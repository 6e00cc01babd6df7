"""Checking sources: whether the addresses that the bank cites still answer."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from cms.models import Question, Source, User
from cms.services.chunks import chunks
from cms.services.permissions import require, require_writer
from cms.services.verify.guarded_http import Manners, Refused, final_status
from cms.services.verify.samples import published_items
from cms.vocabulary import Role

AT_ONCE = 6
"""Hosts that are asked at the same time; each gets one request at a time."""
PROBLEM_LIMIT = 500
"""Characters of a problem that a source keeps."""


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

    @property
    def fault(self) -> str | None:
        """Why nobody can read it there, as a sentence; None if somebody can."""
        if not self.dead:
            return None
        return self.problem or f"It answered with status {self.status}."


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


def check_link(url: str, manners: Manners, *, within: float) -> Link:
    """Ask for one address, for at most `within` seconds in all, and return what came."""
    link = Link(url.partition("#")[0], {url: []})
    try:
        link.status = final_status(link.page, manners, lambda _: nullcontext(), within=within)
    except Refused as refused:
        link.problem = str(refused)
    return link


def record_links(session: Session, links: Iterable[Link], *, by: User | None, at: datetime) -> None:
    """Keep what came of a check with every source that cites these addresses.

    The status of a link is the desk's business: no page shows it, so no release is made.

    :raises NotAllowed: when the actor is no editor
    """
    require(by, Role.editor, "check sources")
    _keep(session, links, at)


def record_link(
    session: Session, link: Link, question: Question | None, *, by: User | None, at: datetime
) -> None:
    """Keep what came of checking an address from a question's form, None for a new one's.

    It holds for every source of that address, whosever question cites it.

    :raises NotAllowed: when the actor may not write this question
    """
    require_writing(by, question)
    _keep(session, [link], at)


def require_writing(by: User | None, question: Question | None) -> None:
    """Let pass who may write this question, or a new one.

    :raises NotAllowed: with a message that says what to do instead
    """
    if question is None:
        require(by, Role.contributor, "write questions")
    else:
        require_writer(by, question)


def _keep(session: Session, links: Iterable[Link], at: datetime) -> None:
    found = {url: link for link in links for url in link.cited}
    for urls in chunks(list(found)):
        rows = session.execute(select(Source.id, Source.url).where(Source.url.in_(urls))).all()
        values = [
            {
                "id": row.id,
                "last_status": found[row.url].status,
                "problem": (found[row.url].fault or "")[:PROBLEM_LIMIT] or None,
                "checked_at": at,
            }
            for row in rows
        ]
        if values:
            session.execute(update(Source), values)
    session.flush()
