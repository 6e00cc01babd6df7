"""Checking sources: what is asked, how politely, and what is kept."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Iterator
from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import NotAllowed
from cms.formats.item import AnswerItem, SourceItem
from cms.models import Answer, Question, Source, User
from cms.services.content import content_of
from cms.services.publishing import publish
from cms.services.questions import save
from cms.services.releases import release_number
from cms.services.rewriting import Rewriting, rewrite
from cms.services.verify.guarded_http import Manners
from cms.services.verify.linkchecks import (
    AT_ONCE,
    Link,
    check_link,
    check_links,
    published_links,
    record_link,
    record_links,
)
from cms.services.verify.samples import under_tag
from cms.vocabulary import Origin
from tests.factories import AT, make_bank, make_published, make_question
from tests.services.verify.test_guarded_http import Handler, Server, only_local, serving

LATER = AT + timedelta(days=3)
MANNERS = Manners(only_local, ssl.create_default_context(), seconds=20)


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
    links[0].status, links[0].problem = None, "It does not answer in HTTP."
    record_links(session, links, by=None, at=LATER)
    session.commit()
    kept = (Source.url, Source.last_status, Source.problem, Source.checked_at)
    rows = session.execute(select(*kept).distinct().order_by(Source.url)).all()
    assert rows == [
        ("https://example.org/e", 404, "It answered with status 404.", LATER),
        ("https://example.org/plain", 200, None, LATER),
        ("https://example.org/s", None, "It does not answer in HTTP.", LATER),
        ("https://example.org/views", 200, None, LATER),
    ]
    assert release_number(session) == before
    # Who can be read again has no problem any more.
    for link in links:
        link.status = 200
    record_links(session, links, by=None, at=LATER)
    assert session.scalars(select(Source.id).where(Source.problem.is_not(None))).all() == []


def test_only_an_editor_checks_sources(session: Session, contributor: User) -> None:
    with pytest.raises(NotAllowed, match=r"Only an editor may check sources\."):
        record_links(session, [], by=contributor, at=AT)


def test_one_link_gets_few_seconds_for_all_its_redirects_together(server: Server) -> None:
    slow = f"{server.root}/to/{server.root}/slow"
    link = check_link(f"{slow}#part", MANNERS, within=1)
    assert (link.page, list(link.cited), link.status) == (slow, [f"{slow}#part"], None)
    assert link.fault is not None
    assert link.fault.startswith("It did not answer within")
    assert check_link(f"{server.root}/status/404", MANNERS, within=20).fault == (
        "It answered with status 404."
    )
    assert check_link(f"{server.root}/", MANNERS, within=20).fault is None


def test_whoever_may_write_a_question_may_check_its_sources(
    session: Session, contributor: User
) -> None:
    draft, public = make_question(session), make_published(session, "What is HTTP?")
    [link] = published_links(session)
    link.status = 404
    with pytest.raises(NotAllowed, match="Only an editor may change a question that has been"):
        record_link(session, link, public, by=contributor, at=LATER)
    record_link(session, link, draft, by=contributor, at=LATER)
    record_link(session, link, None, by=contributor, at=LATER)
    # Every source of the address is told, whosever question cites it.
    assert list(session.scalars(select(Source.last_status))) == [404, 404]


def checked(session: Session, question: Question) -> dict[str, tuple[int | None, str | None]]:
    session.flush()
    rows = session.execute(
        select(Source.url, Source.last_status, Source.problem)
        .join(Answer)
        .where(Answer.question_id == question.id)
    )
    return {url: (status, problem) for url, status, problem in rows}


@pytest.mark.parametrize("way", ["save", "bulk"])
def test_a_check_stays_with_its_address_through_saves_and_goes_with_it(
    session: Session, way: str
) -> None:
    dead, other = "https://example.org/dead", "https://example.org/other"
    sources = [SourceItem(url=dead), SourceItem(url=other)]
    question = make_question(session, answers=[AnswerItem(body="Yes.", sources=sources)])
    link = Link(dead, {dead: []}, status=404)
    record_links(session, [link], by=None, at=LATER)
    session.commit()
    fault = (404, "It answered with status 404.")

    def write(urls: list[str]) -> None:
        session.refresh(question)
        before = content_of(question)
        [answer] = before.answers
        now = replace(answer, sources=[SourceItem(url=url, title="Anew") for url in urls])
        after = replace(before, answers=[now])
        number = question.latest_number
        if way == "save":
            save(session, question, after, seen_version=number, by=None, at=LATER)
        else:
            change = Rewriting.of(question, before, after)
            rewrite(
                session,
                [change],
                live={},
                by=None,
                at=LATER,
                summary="",
                origin=Origin.bulk,
            )
        session.commit()

    write([other, dead])
    assert checked(session, question) == {other: (None, None), dead: fault}
    publish(session, [question], by=None, at=LATER)
    session.commit()
    assert checked(session, question)[dead] == fault
    write([other, f"{dead}/mended"])
    assert set(checked(session, question).values()) == {(None, None)}
