"""The desk's tags: a tree whose numbers lead to their lists, merging, and what nothing uses."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.formats.item import DeckFilter, DeckItem
from cms.models import AuditEvent, Tag, TagAlias
from cms.services.decks import save_deck
from cms.services.tags import resolve
from cms.vocabulary import Role
from tests.factories import AT, make_published, make_question
from tests.web.pages import fields_of, notes_of, reread, submit

AsRole = Callable[[Role | None], FlaskClient]
Send = Callable[..., Any]
LIST = "/admin/tags/"
UNCHANGED = "Nothing was changed, so nothing was saved."


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


def id_of(session: Session, slug: str) -> int:
    found = session.scalars(select(Tag.id).filter_by(slug=slug)).one()
    session.commit()
    return found


def numbers(page: str) -> dict[str, int]:
    """The links of the tree that are numbers: address and number."""
    found = re.findall(r'<a [^>]*href="([^"]+)" aria-label="[^"]*">([\d,]+)</a>', page)
    return {unescape(address): int(number.replace(",", "")) for address, number in found}


def test_every_number_of_the_tree_is_the_length_of_the_list_behind_it(
    desk: FlaskClient, session: Session
) -> None:
    make_published(session, "One?", tags=["flask/a", "flask/b"])
    make_published(session, "Two?", tags=["flask"])
    make_question(session, "Three?", tags=["flask", "http"])
    item = DeckItem(slug="d", title="Deck", filter=DeckFilter(all=["flask"]))
    save_deck(session, None, item, by=None, at=AT)
    session.commit()
    found = numbers(desk.get(LIST).text)
    assert found["/admin/questions/?tag=flask"] == 3
    assert found["/admin/questions/?itself=flask"] == 2
    assert found["/tags/flask"] == 2
    assert found["/admin/tags/?under=flask"] == 2
    for address, number in found.items():
        page = desk.get(address).text
        if address.startswith("/admin/questions/"):
            count = re.search(r'<span class="quiet number">(\d+) found', page)
        elif "under=" in address:
            count = re.search(r'<span class="quiet number">(\d+)', page)
        elif address.startswith("/tags/"):
            assert len(re.findall(r'class="title" href="/questions/', page)) == number
            continue
        else:
            assert page.count('href="/admin/decks/1/"') == number
            continue
        assert count, address
        assert int(count[1]) == number, address


def test_the_tree_below_one_tag_says_where_it_stands(desk: FlaskClient, session: Session) -> None:
    make_question(session, tags=["a/b/c", "d"])
    page = desk.get(f"{LIST}?under=a/b").text
    assert 'aria-label="Above these tags"' in page
    assert '<a href="/admin/tags/?under=a">a</a>' in page
    assert "a/b/</span>c" in page
    assert ">d</a>" not in page
    assert 'name="under"' in page
    flat = desk.get(f"{LIST}?search=b&sort=1&desc=1").text
    assert 'aria-label="Above' not in flat


def test_a_tag_is_looked_at_and_merged(desk: FlaskClient, session: Session) -> None:
    question = make_published(session, tags=["views/class", "views"])
    make_published(session, "B?", tags=["http"])
    id, into = id_of(session, "views"), id_of(session, "http")
    page = desk.get(f"{LIST}{id}/").text
    assert "1 tag below moves along" in page
    assert "2 addresses will redirect" in page
    shown = desk.get(f"{LIST}{id}/merge?into=HTTP/").text
    assert "1 question at the desk gets the other tag" in shown
    assert "2 addresses redirect" in shown
    assert fields_of(shown, "/merge")["survivor"] == str(into)
    done = submit(desk, f"{LIST}{id}/merge?into=http", form="/merge", to=f"{LIST}{id}/merge")
    assert done.location == f"{LIST}{into}/"
    page = desk.get(done.location).text
    assert notes_of(page) == ["Merged ‘views’ into ‘http’. Readers see it in release 3."]
    assert "Stands for views since that was merged into it" in page
    assert [tag.slug for tag in reread(session, question).tags] == ["http", "http/class"]
    moved = desk.get("/tags/views/class")
    assert (moved.status_code, moved.location) == (301, "/tags/http/class")
    assert desk.get(f"{LIST}{id}/").status_code == 404
    assert "found" in desk.get("/admin/questions/?tag=views/class").text
    assert "merged away the tag" in desk.get("/admin/").text
    audit = desk.get("/admin/audit/?action=tag.merge").text
    assert f'<a href="/admin/tags/{into}/">views</a>' in audit


@pytest.mark.parametrize(
    ("into", "message"),
    [
        ("nope", "There is no tag ‘nope’. Choose one that is there"),
        ("flask", "A tag cannot be merged into itself."),
        ("flask/views", "Merge ‘flask/views’ into ‘flask’ instead"),
    ],
)
def test_what_cannot_be_merged_is_said_before_anything_is_done(
    desk: FlaskClient, session: Session, send: Send, into: str, message: str
) -> None:
    resolve(session, ["flask/views"], by=None, at=AT)
    session.commit()
    id = id_of(session, "flask")
    page = desk.get(f"{LIST}{id}/merge?into={into}").text
    assert message in unescape(page)
    assert f'value="{into}"' in page
    if into != "nope":
        sent = send(desk, f"{LIST}{id}/merge", survivor=str(id_of(session, into)))
        assert message in unescape(sent.text)
        assert session.scalars(select(TagAlias)).all() == []


def test_a_form_that_was_opened_before_a_merge_saves_the_survivor(
    desk: FlaskClient, session: Session, send: Send
) -> None:
    question = make_question(session, tags=["a", "a/x"])
    make_question(session, "B?", tags=["b"])
    address = f"/admin/questions/{question.id}/"
    fields = fields_of(desk.get(address).text)
    assert fields["tags"] == "a, a/x"
    survivor = id_of(session, "b")
    done = send(desk, f"{LIST}{id_of(session, 'a')}/merge", survivor=str(survivor))
    assert done.status_code == 303
    same = desk.post(address, data=fields)
    assert notes_of(desk.get(same.location).text)[-1] == UNCHANGED
    changed = desk.post(address, data=fields | {"stem": "Changed?"})
    assert notes_of(desk.get(changed.location).text) == ["Saved as revision 2."]
    assert [tag.slug for tag in reread(session, question).tags] == ["b", "b/x"]
    # Somebody took the survivor off meanwhile: the old form does not bring it back.
    taken = fields_of(desk.get(address).text) | {"tags": "b/x"}
    desk.post(address, data=taken)
    stale = desk.post(address, data=fields | {"stem": "Mine?", "seen_version": "2"})
    assert fields_of(stale.text)["tags"] == "b/x"
    assert sorted(session.scalars(select(Tag.slug))) == ["b", "b/x"]
    session.commit()


def test_unused_tags_are_shown_and_deleted_at_once(desk: FlaskClient, session: Session) -> None:
    make_question(session, tags=["used/below"])
    resolve(session, ["spare/below", "late"], by=None, at=AT)
    session.commit()
    page = desk.get(LIST).text
    assert "3 tags</a> are used by nothing" in page
    listed = desk.get(f"{LIST}?used=no").text
    assert "Delete unused tags …" in listed
    shown = desk.get(f"{LIST}unused").text
    assert "Delete 3 unused tags?" in shown
    make_question(session, "Late?", tags=["late"])
    done = desk.post(f"{LIST}unused", data=fields_of(shown, "/unused"))
    note = "Deleted 2 tags. 1 tag stayed: something uses what was unused."
    assert notes_of(desk.get(done.location).text) == [note]
    assert sorted(session.scalars(select(Tag.slug))) == ["late", "used", "used/below"]
    events = session.scalars(select(AuditEvent).filter_by(action="tag.delete")).all()
    assert [event.data["slug"] for event in events] == ["spare/below", "spare"]
    session.commit()
    assert "there is nothing to delete" in desk.get(f"{LIST}unused").text


def test_a_rename_to_a_path_that_is_taken_offers_to_merge(
    desk: FlaskClient, session: Session
) -> None:
    resolve(session, ["a", "b"], by=None, at=AT)
    session.commit()
    refused = submit(desk, f"{LIST}{id_of(session, 'a')}/", form="form", slug="b")
    assert "Merge this one into it, or choose another path." in refused.text
