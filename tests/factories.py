"""Small makers of what tests need; each returns what it made."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.orm import Session

from cms.formats.item import (
    AnswerItem,
    Content,
    DeckFilter,
    DeckItem,
    OptionItem,
    SourceItem,
)
from cms.models import (
    Asset,
    Base,
    ImportWarning,
    Provenance,
    Publication,
    Question,
    ReleaseCounter,
    User,
)
from cms.services.assets import upload
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import accept
from cms.services.decks import save_deck
from cms.services.publishing import publish, retire
from cms.services.questions import create, save
from cms.services.tags import resolve
from cms.vocabulary import CorrectionKind, Difficulty
from tests.formats.pictures import DRAWING

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
CHOICES = [
    OptionItem(
        text="In a `signed` cookie", correct=True, feedback="It can be read, but not forged."
    ),
    OptionItem(text="On the server", feedback="The server keeps the key alone."),
    OptionItem(text="Where this says:\n\n```python\napp.config\n```"),
]
# The name of a site, a tag or a person may hold it, and nothing of it may do anything.
MARKUP = "</script><b>&amp;\"'<!--"


def content(stem: str = "What is a view?", body: str = "A function.", **fields: Any) -> Content:
    """A content with one answer and one source, unless `fields` say otherwise."""
    fields.setdefault(
        "answers",
        [
            AnswerItem(
                body=body, sources=[SourceItem(url="https://example.org/views", title="Views")]
            )
        ],
    )
    return Content(stem=stem, **fields)


def make_question(
    session: Session,
    stem: str = "What is a view?",
    body: str = "A function.",
    *,
    tags: Sequence[str] = (),
    by: User | None = None,
    at: datetime = AT,
    **fields: Any,
) -> Question:
    """A draft in the bank, committed; `tags` are slugs."""
    uids = [tag.uid for tag in resolve(session, tags, by=by, at=at).values()]
    question = create(session, content(stem, body, tags=uids, **fields), by=by, at=at)
    session.commit()
    return question


def make_published(session: Session, stem: str = "What is a view?", **fields: Any) -> Question:
    """A question on the shelf, in a release of its own, committed."""
    question = make_question(session, stem, **fields)
    result = publish(session, [question], by=None, at=AT)
    assert result.published == [question]
    session.commit()
    return question


def make_asset(
    session: Session, data: bytes = DRAWING, *, alt: str = "", at: datetime = AT
) -> Asset:
    """An image in the bank, committed."""
    asset = upload(session, data, alt=alt, by=None, at=at)
    session.commit()
    return asset


def make_warning(
    session: Session,
    question: Question,
    passage: str = "is , and",
    kind: str = "hole",
    message: str = "A word is missing.",
) -> ImportWarning:
    """An open import warning, committed."""
    warning = ImportWarning(question_id=question.id, kind=kind, message=message, passage=passage)
    session.add(warning)
    session.commit()
    return warning


def publication_of(session: Session, question: Question) -> Publication | None:
    """What the public has of a question now."""
    return session.scalar(
        select(Publication).filter_by(uid=question.uid).execution_options(populate_existing=True)
    )


def make_bank(session: Session) -> None:
    """Three live questions in four releases, one of them corrected, and a draft."""
    kept = make_published(
        session,
        "Where does Flask keep the `session`?",
        context="Think of *two* browsers.",
        tags=["flask/sessions", "http"],
        difficulty=Difficulty.medium,
        answers=[
            AnswerItem(
                body="In a **cookie**.\n\n## Why\n\n"
                "```python run\nprint(1)\n```\n\n```output\n1\n```",
                applies_to="Flask >= 2.2",
                sources=[
                    SourceItem(url="https://example.org/s", title="Sessions"),
                    SourceItem(url="https://example.org/plain"),
                ],
            ),
            AnswerItem(label="Short", body="In a cookie."),
            AnswerItem(
                label="For experts",
                body="Signed by `itsdangerous`.",
                applies_to="Flask >= 3",
                sources=[SourceItem(url="https://example.org/s", title="Sessions")],
            ),
        ],
    )
    correction = open_correction(
        session,
        kept,
        kind=CorrectionKind.factual,
        claim="It is kept on the *server*.",
        explanation="The browser keeps it.",
        sources=[SourceItem(url="https://example.org/e", title="Evidence")],
        credit="Grace",
        by=None,
        at=AT,
    )
    accept(session, correction, fixed_in=1, by=None, at=AT + timedelta(days=1))
    publish(session, [kept], by=None, at=AT + timedelta(days=1))
    session.commit()
    make_published(session, tags=["flask/basics"], difficulty=Difficulty.easy)
    make_published(session, "What is HTTP?", body="A protocol.", tags=["http"])
    make_question(session, "A draft?", tags=["secret"])


def make_every_public_kind(session: Session) -> None:
    """Of everything that a public page can show at least one, committed."""
    make_bank(session)
    deck = DeckItem(slug="basics", title="Basics", filter=DeckFilter(any=["flask", "http"]))
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
    renamed = content_of(moved)
    renamed.slug = "views"
    save(session, moved, renamed, seen_version=1, by=None, at=AT)
    publish(session, [moved, odd], by=None, at=AT)
    session.commit()


def markup_in_every_text(session: Session) -> Question:
    """A published question, all of whose texts hold what would end a script."""
    source = SourceItem(url="https://example.org/?a=1&b=</script>", title=MARKUP)
    question = make_question(
        session,
        f"Is {MARKUP} text?",
        context=MARKUP,
        tags=["flask/markup"],
        difficulty=Difficulty.hard,
        answers=[
            AnswerItem(body=f"{MARKUP}\n\n- one\n- two\n\n```python\na < b\n```", sources=[source]),
            AnswerItem(label=MARKUP, body="| a | b |\n|---|---|\n| `<` | & |"),
        ],
        options=[
            OptionItem(text=MARKUP, correct=True, feedback=MARKUP),
            OptionItem(
                text=f"- {MARKUP}\n\n| a | b |\n|---|---|\n| `<` | & |", feedback=f"> {MARKUP}"
            ),
        ],
    )
    session.add(
        Provenance(
            question_id=question.id,
            source=MARKUP,
            url="https://example.org/article",
            license="CC BY-SA 4.0",
            attribution=MARKUP,
            stem_key="is text",
        )
    )
    correction = open_correction(
        session,
        question,
        kind=CorrectionKind.factual,
        claim=MARKUP,
        explanation=MARKUP,
        credit=MARKUP,
        sources=[source],
        by=None,
        at=AT,
    )
    accept(session, correction, fixed_in=1, by=None, at=AT)
    publish(session, [question], by=None, at=AT)
    session.commit()
    return question


def empty(session: Session, *, keep: Sequence[str] = ()) -> None:
    """Take everything out of a migrated bank but some tables; not even the audit stays."""
    session.rollback()
    session.expunge_all()
    guards = []
    if session.get_bind().dialect.name == "sqlite":
        named = "type = 'trigger' AND name LIKE 'audit_event_no_%'"
        for name, sql in session.execute(
            text(f"SELECT name, sql FROM sqlite_master WHERE {named}")
        ):
            guards.append(sql)
            session.execute(text(f"DROP TRIGGER {name}"))
    else:
        session.execute(text("ALTER TABLE audit_event DISABLE TRIGGER USER"))
        guards.append("ALTER TABLE audit_event ENABLE TRIGGER USER")
    for table in reversed(Base.metadata.sorted_tables):
        if table.name not in {"release_counter", *keep}:
            session.execute(table.delete())
    session.execute(update(ReleaseCounter).values(number=0))
    for guard in guards:
        session.execute(text(guard))
    session.commit()
