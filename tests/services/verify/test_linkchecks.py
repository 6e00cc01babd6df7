"""Checking sources: what is asked, how politely, and what is kept."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import NotAllowed
from cms.formats.item import AnswerItem, SourceItem
from cms.models import Source, User
from cms.services.releases import release_number
from cms.services.verify.guarded_http import Manners
from cms.services.verify.linkchecks import AT_ONCE, Link, check_links, published_links, record_links
from cms.services.verify.samples import under_tag
from tests.factories import AT, make_bank, make_published, make_question
from tests.services.verify.test_guarded_http import Handler, Server, only_local, serving

LATER = AT + timedelta(days=3)
MANNERS = Manners(only_local, ssl.create_default_context(), seconds=5)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(Server()) as server:
        yield server


def test_links_are_the_sources_of_public_answers_and_corrections_each_page_once(
    session: Session,
) -> None:
    make_bank(session)
    make_question(session, "Another draft?")
    found = {link.page: link.cited for link in published_links(session)}
    kept = "where-does-flask-keep-the-session"
    assert found == {
        "https://example.org/s": {
            "https://example.org/s": [f"{kept}, answer 1", f"{kept}, answer 3"]
        },
        "https://example.org/plain": {"https://example.org/plain": [f"{kept}, answer 1"]},
        "https://example.org/e": {"https://example.org/e": [f"{kept}, correction 1"]},
        "https://example.org/views": {
            "https://example.org/views": ["what-is-a-view, answer 1", "what-is-http, answer 1"]
        },
    }
    basics = published_links(session, under_tag("flask/basics"))
    assert [link.page for link in basics] == ["https://example.org/views"]


def test_places_within_a_page_are_one_request(session: Session) -> None:
    sources = [SourceItem(url=f"https://example.org/page{end}") for end in ("", "#a", "#b")]
    make_published(session, answers=[AnswerItem(body="Yes.", sources=sources)])
    [link] = published_links(session)
    assert link.page == "https://example.org/page"
    assert list(link.cited) == [source.url for source in sources]


def test_each_link_gets_its_status_or_the_reason_why_there_is_none(server: Server) -> None:
    pages = ["/", "/status/404", "/to/http://10.0.0.1/", "/status/500"]
    links = [*(Link(server.root + page) for page in pages), Link("http://[broken")]
    ticks: list[int] = []
    check_links(links, MANNERS, tick=lambda: ticks.append(1))
    assert [link.status for link in links] == [200, 404, None, 500, None]
    assert [link.dead for link in links] == [False, True, True, True, True]
    assert links[2].problem.startswith("It leads to an address that is not public")
    assert links[4].problem == "It is no valid address."
    assert len(ticks) == len(links)


class Crowd:
    """Counts the requests that are under way, per server and in all."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.now: dict[str, int] = {}
        self.most_of_one = self.most = 0

    def answer(self, handler: Handler) -> None:
        name = f"{handler.server.server_address}"
        with self.lock:
            self.now[name] = self.now.get(name, 0) + 1
            self.most_of_one = max(self.most_of_one, self.now[name])
            self.most = max(self.most, sum(self.now.values()))
        time.sleep(0.05)
        with self.lock:
            self.now[name] -= 1
        handler.reply(200)


def test_a_few_hosts_are_asked_at_once_and_each_one_request_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crowd = Crowd()
    monkeypatch.setattr(Handler, "answer_ok", lambda handler, _: crowd.answer(handler))
    # The name of a host is what counts; all of these are one machine.
    monkeypatch.setattr("socket.getaddrinfo", resolve_by_port)
    with serving(Server()) as one:
        port = one.server_address[1]
        hosts = [f"host-{number}.example" for number in range(AT_ONCE + 4)]
        links = [Link(f"http://{host}:{port}/{n}") for n in range(3) for host in hosts]
        check_links(links, MANNERS)
        assert all(link.status == 200 for link in links)
        assert 1 < crowd.most <= AT_ONCE
        crowd.most = 0
        check_links([Link(f"http://host-1.example:{port}/{n}") for n in range(4)], MANNERS)
        assert crowd.most == 1


def resolve_by_port(_: str, port: int, **__: object) -> list[tuple[object, ...]]:
    return [(2, 1, 6, "", ("127.0.0.1", port))]


def test_what_came_is_kept_with_every_source_of_that_address_and_makes_no_release(
    session: Session,
) -> None:
    make_bank(session)
    before = release_number(session)
    links = published_links(session)
    for link in links:
        link.status = 404 if link.page.endswith("/e") else 200
    links[0].status = None
    record_links(session, links, by=None, at=LATER)
    session.commit()
    rows = session.execute(
        select(Source.url, Source.last_status, Source.checked_at).distinct().order_by(Source.url)
    ).all()
    assert rows == [
        ("https://example.org/e", 404, LATER),
        ("https://example.org/plain", 200, LATER),
        ("https://example.org/s", None, LATER),
        ("https://example.org/views", 200, LATER),
    ]
    assert release_number(session) == before


def test_only_an_editor_checks_sources(session: Session, contributor: User) -> None:
    with pytest.raises(NotAllowed, match=r"Only an editor may check sources\."):
        record_links(session, [], by=contributor, at=AT)
