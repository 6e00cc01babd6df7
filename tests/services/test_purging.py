"""Purging: of a question's text no table keeps a word."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotAllowed, NotFound, WrongState
from cms.formats.incoming import Row
from cms.formats.item import AnswerItem, DeckItem, Item, OptionItem, SourceItem
from cms.models import (
    AuditEvent,
    Autosave,
    Base,
    BulkOperation,
    Change,
    Comment,
    Correction,
    DeckMember,
    ImportBatch,
    ImportRow,
    Provenance,
    Publication,
    Question,
    SampleRun,
    User,
    Withdrawal,
)
from cms.services import inbox, search
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import accept
from cms.services.decks import save_deck
from cms.services.jobs import enqueue
from cms.services.merging import merge
from cms.services.operations import bulk
from cms.services.operations.undoing import undo_bulk
from cms.services.publishing import publish, retire
from cms.services.purging import purge
from cms.services.questions import save
from cms.services.reading import Withdrawn, find_question
from cms.vocabulary import (
    ChangeKind,
    CorrectionKind,
    CorrectionStatus,
    NotificationKind,
    Role,
    RowAction,
    TextPart,
)
from tests.conftest import add_user
from tests.factories import AT, make_published, make_question, make_warning

LATER = AT + timedelta(hours=1)
MARK = "quokka"


def do(session: Session, verb: str, question: Question, by: User) -> BulkOperation:
    operation = bulk.begin(session, verb, [question.id], {"tag": "animals"}, by=by, at=AT)
    bulk.perform(session, operation, at=AT)
    session.commit()
    return operation


@pytest.fixture
def other(session: Session) -> Question:
    return make_published(session, "What is a wombat?")


@pytest.fixture
def question(session: Session, admin: User, other: Question) -> Question:
    """A question that has left its mark in every table in which text can stand."""
    question = make_question(
        session,
        f"What is a {MARK}?",
        slug="an-animal",
        context=f"A {MARK} smiles.",
        answers=[
            AnswerItem(
                label=f"{MARK} in short",
                body=f"A {MARK} is small.\n\nThe {MARK} is , and so on.",
                applies_to=f"{MARK} >= 2",
                sources=[SourceItem(url=f"https://example.org/{MARK}", title=f"On the {MARK}")],
            )
        ],
        options=[
            OptionItem(text=f"The {MARK}", correct=True, feedback=f"It is the {MARK}."),
            OptionItem(text=f"No {MARK}"),
        ],
    )
    id = question.id
    undo_bulk(session, do(session, "delete", question, admin), by=admin, at=AT)
    session.commit()
    question = session.get_one(Question, id)
    do(session, "publish", question, admin)
    do(session, "add_tag", question, admin)
    make_warning(session, question, f"The {MARK} is , and", message=f"A {MARK} is missing.")
    session.add(Provenance(question_id=id, source=f"The {MARK} book", attribution=f"A {MARK}"))
    changed = replace(content_of(question), stem=f"What is the {MARK}?")
    save(session, question, changed, seen_version=2, summary=f"One {MARK}", by=admin, at=AT)
    said = f"A {MARK} is large."
    filed = {"kind": CorrectionKind.factual, "by": admin, "at": AT}
    correction = open_correction(session, question, claim=said, fix=said, **filed)
    accept(session, correction, fixed_in=1, reason=said, by=admin, at=AT)
    waiting = open_correction(session, question, claim=said, **filed)
    waiting.proposed, waiting.part = said, TextPart.context
    elsewhere = open_correction(session, other, claim="The same.", **filed)
    elsewhere.status, elsewhere.duplicate_of = CorrectionStatus.duplicate, waiting
    comment = Comment(question_id=id, author_id=admin.id, body=said, created_at=AT)
    answer = question.answers[0].uid
    session.add_all(
        [
            comment,
            Autosave(
                user_id=admin.id, question_id=id, version=3, fields=[["stem", said]], saved_at=AT
            ),
            SampleRun(
                question_id=id,
                answer_uid=answer,
                position=0,
                code_hash="0" * 64,
                passed=False,
                message=said,
                python="3.11",
                ran_at=AT,
            ),
        ]
    )
    reader = add_user(session, "Anna", Role.editor)
    inbox.notify(
        session,
        [reader.id],
        NotificationKind.mention,
        by=admin,
        at=AT,
        question=question,
        words=said,
    )
    enqueue(session, "bulk", {}, by=admin, at=AT).error = f"‘{question.stem}’ was changed since."
    batch = ImportBatch(file_name="a.json", sha256="0" * 64, format="json", at=AT)
    stated = msgspec.json.encode(Row("line 1", Item(stem=question.stem))).decode()
    row = {"place": "line 1", "action": RowAction.update, "message": said, "stated": stated}
    before = {"text": {"stem": said}}
    batch.rows = [
        ImportRow(question_id=id, stem=question.stem, number=3, before=before, **row),
        ImportRow(stem=question.stem, **row),
    ]
    session.add(batch)
    item = DeckItem(slug="first", title="First", questions=[question.uid, other.uid])
    save_deck(session, None, item, by=None, at=AT)
    publish(session, [question], by=admin, at=AT, force=True)
    session.commit()
    return question


def places(session: Session, word: str) -> set[str]:
    """The columns of every table in which a word stands."""
    return {
        f"{table.name}.{column}"
        for table in Base.metadata.sorted_tables
        for row in session.execute(select(table)).mappings()
        for column, value in row.items()
        if word in str(value).lower()
    }


def test_no_table_keeps_a_word_and_the_address_tells_the_reason(
    session: Session, admin: User, question: Question, other: Question
) -> None:
    uid = question.uid
    # Should a table get text that a question can leave, it belongs to the fixture.
    assert {place.partition(".")[0] for place in places(session, MARK)} == {
        *(
            "question",
            "answer",
            "question_option",
            "source",
            "revision",
            "provenance",
            "import_warning",
        ),
        *("correction", "comment", "autosave", "notification", "sample_run", "audit_event"),
        *(
            "publication",
            "publication_tag",
            "published_correction",
            "release",
            "search_spelling",
            "search_word",
            "bulk_row",
            "import_row",
            "job",
        ),
    }
    release = purge(session, question, reason="A wish.", by=admin, at=LATER)
    session.commit()
    assert places(session, MARK) == set()
    for table in (Question, Publication):
        assert session.scalars(search.matches(session, table, MARK)).all() == []
    tombstone = session.get_one(Withdrawal, uid)
    assert (tombstone.slug, tombstone.reason, tombstone.release) == (
        "an-animal",
        "A wish.",
        release,
    )
    assert isinstance(gone := find_question(session, "an-animal"), Withdrawn)
    assert (gone.stem, gone.reason) == ("", "A wish.")
    kinds = session.scalars(select(Change.what).filter_by(uid=uid).order_by(Change.id)).all()
    assert kinds[-1] == ChangeKind.purged
    assert session.scalars(select(DeckMember.question_uid)).all() == [other.uid]
    kept = session.execute(
        select(AuditEvent.action, AuditEvent.data)
        .filter_by(object=f"question:{uid}")
        .order_by(AuditEvent.id.desc())
    ).all()
    told = {"reason": "A wish.", "release": release, "highest_correction": 1}
    assert kept[0] == ("question.purge", told)
    assert {action for action, _ in kept} >= {
        "question.create",
        "question.save",
        "question.publish",
    }
    assert all(data == {"purged": True} for _, data in kept[1:])
    # The other question's correction stays, and says of what it is a duplicate no more.
    assert session.scalars(select(Correction.duplicate_of_id)).all() == [None]
    for operation in session.scalars(select(BulkOperation)):
        with pytest.raises(WrongState, match=r"changed nothing|undone already"):
            undo_bulk(session, operation, by=admin, at=LATER)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_no_copy_of_the_bank_keeps_a_word_either(
    session: Session, admin: User, question: Question, tmp_path: Path
) -> None:
    """The full-text index keeps the words of deleted texts, in pages that no row leads to."""

    def copied(name: str) -> bytes:
        session.commit()
        with session.get_bind().connect() as connection:
            driver = connection.connection.driver_connection
            driver.execute("VACUUM INTO ?", (str(tmp_path / name),))
        return (tmp_path / name).read_bytes().lower()

    assert MARK.encode() in copied("before.db")
    purge(session, question, reason="A wish.", by=admin, at=LATER)
    assert MARK.encode() not in copied("after.db")


def test_what_was_retired_or_merged_before_is_purged_too(
    session: Session, admin: User, question: Question, other: Question
) -> None:
    merged = make_published(session, "Which one smiles?")
    merge(session, merged, question, seen=(1, question.latest_number), by=admin, at=AT)
    retire(session, [question], by=admin, at=AT, reason=f"A {MARK} again.")
    session.commit()
    purge(session, question, reason="A wish.", by=admin, at=LATER)
    session.commit()
    assert places(session, MARK) == set()
    assert isinstance(find_question(session, "an-animal"), Withdrawn)
    # What was merged into it leads nowhere any more, and can be brought back.
    assert merged.merged_into_id is None
    assert isinstance(find_question(session, "which-one-smiles"), Withdrawn)


def test_a_draft_is_purged_without_a_trace_for_readers(session: Session, admin: User) -> None:
    draft = make_question(session, f"Is the {MARK} a draft?", slug="a-draft", by=admin)
    assert purge(session, draft, reason="A wish.", by=admin, at=LATER) is None
    session.commit()
    assert places(session, MARK) == set()
    with pytest.raises(NotFound):
        find_question(session, "a-draft")


def test_what_a_merge_wrote_down_of_corrections_goes_with_the_duplicate(
    session: Session, admin: User, other: Question
) -> None:
    duplicate = make_published(session, "Twice?", slug="twice")
    correction = open_correction(
        session, duplicate, kind=CorrectionKind.factual, claim="Wrong.", by=admin, at=AT
    )
    correction.part, correction.proposed = TextPart.context, f"The {MARK}."
    merge(session, duplicate, other, seen=(1, 1), by=admin, at=AT)
    session.commit()
    assert places(session, MARK) == {"audit_event.data"}
    purge(session, duplicate, reason="A wish.", by=admin, at=LATER)
    session.commit()
    assert places(session, MARK) == set()
    assert correction.question == other


@pytest.fixture
def erratum(session: Session, admin: User) -> Correction:
    """One that readers have."""
    live = make_published(session, "Twice?", slug="twice")
    correction = open_correction(
        session, live, kind=CorrectionKind.factual, claim=f"A {MARK}.", by=admin, at=AT
    )
    accept(session, correction, by=admin, at=AT)
    session.commit()
    assert correction.number == 1
    return correction


def test_an_erratum_that_a_merge_brought_to_a_draft_goes_with_it(
    session: Session, admin: User, erratum: Correction
) -> None:
    draft = make_question(session, "Once?")
    merge(session, erratum.question, draft, seen=(1, 1), by=admin, at=AT)
    session.commit()
    assert "published_correction.document" in places(session, MARK)
    assert purge(session, draft, reason="A wish.", by=admin, at=LATER) is not None
    session.commit()
    assert places(session, MARK) == set()


def test_the_number_of_an_erratum_that_was_purged_is_never_given_again(
    session: Session, admin: User, erratum: Correction
) -> None:
    purge(session, erratum.question, reason="A wish.", by=admin, at=LATER)
    other = make_published(session, "Another?")
    later = open_correction(
        session, other, kind=CorrectionKind.factual, claim="No.", by=admin, at=LATER
    )
    accept(session, later, by=admin, at=LATER)
    assert later.number == 2
    purge(session, other, reason="A wish.", by=admin, at=LATER)
    last = open_correction(
        session,
        make_published(session, "Last?"),
        kind=CorrectionKind.factual,
        claim="No.",
        by=admin,
        at=LATER,
    )
    accept(session, last, by=admin, at=LATER)
    assert last.number == 3


def test_only_an_administrator_purges_and_says_why(
    session: Session, admin: User, editor: User
) -> None:
    question = make_question(session)
    with pytest.raises(NotAllowed, match="Only an admin may purge questions"):
        purge(session, question, reason="A wish.", by=editor, at=AT)
    with pytest.raises(InvalidInput, match="Say why"):
        purge(session, question, reason=" \n", by=admin, at=AT)
