"""The way on from a question, along the list by which a reader came."""

from __future__ import annotations

from sqlalchemy.orm import Session

from cms.formats.item import DeckItem
from cms.models import Publication, Question
from cms.services import listing
from cms.services.decks import save_deck
from cms.services.neighbours import Way, way_through
from tests.factories import AT, make_published


def way(session: Session, question: Question, deck: str = "", tag: str = "") -> Way | None:
    publication = session.query(Publication).filter_by(uid=question.uid).one()
    return way_through(
        session,
        publication.id,
        publication.release,
        deck=deck,
        tag=tag,
        tags=publication.tags,
    )


def slugs(found: Way | None) -> tuple[str | None, str | None]:
    assert found is not None
    before, after = found.previous, found.next
    return (before.slug if before else None, after.slug if after else None)


def test_a_tag_is_walked_in_the_order_of_its_list(session: Session, read_session: Session) -> None:
    made = {
        stem: make_published(session, f"What is {stem}?", tags=[f"flask/{stem}", "http"])
        for stem in ("a", "b", "c")
    }
    other = make_published(session, "What is d?", tags=["other"])
    selection = listing.Selection(tags=("http",))
    shown = [row.slug for row in listing.list_questions(read_session, selection).questions]
    assert shown == ["what-is-c", "what-is-b", "what-is-a"]
    assert slugs(way(read_session, made["b"], tag="http")) == ("what-is-c", "what-is-a")
    assert slugs(way(read_session, made["c"], tag="http")) == (None, "what-is-b")
    # Of its own tags the first in which it is not alone.
    found = way(read_session, made["a"])
    assert (found and found.tag, slugs(found)) == ("http", ("what-is-b", None))
    # A tag that does not hold it, or none at all, leads nowhere else.
    assert way(read_session, made["a"], tag="other") == found
    assert way(read_session, other) is None


def test_a_deck_is_walked_in_its_own_order(session: Session, read_session: Session) -> None:
    a, b, c, d = (make_published(session, f"What is {stem}?", tags=["http"]) for stem in "abcd")
    item = DeckItem(slug="first", title="First steps", questions=[c.uid, a.uid, b.uid])
    save_deck(session, None, item, by=None, at=AT)
    session.commit()
    found = way(read_session, a, deck="first", tag="http")
    assert found is not None
    assert (found.title, found.deck, found.tag) == ("First steps", "first", None)
    assert slugs(found) == ("what-is-c", "what-is-b")
    assert slugs(way(read_session, c, deck="first")) == (None, "what-is-a")
    for deck in ("first", "no-such-deck", "../x"):
        found = way(read_session, d, deck=deck)
        assert found is not None, deck
        assert found.tag == "http", deck
