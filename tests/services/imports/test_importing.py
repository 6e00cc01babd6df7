"""Imports: nothing twice, nobody's edit overwritten, nothing half-written."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import Table, func, select
from sqlalchemy.orm import Session

from cms.errors import NotAllowed
from cms.formats import FORMATS
from cms.formats.incoming import Upload
from cms.formats.item import AnswerItem, Item, stripped
from cms.models import (
    Answer,
    Base,
    Correction,
    ImportBatch,
    ImportRow,
    ImportWarning,
    Provenance,
    Question,
    Revision,
    Tag,
    User,
)
from cms.services.content import content_of
from cms.services.exporting import Head, Selection, export_shelf
from cms.services.imports import importing
from cms.services.imports.importing import Imported, apply, plan_file
from cms.services.merging import merge
from cms.services.publishing import publish
from cms.services.questions import lock_all, save
from cms.vocabulary import Origin, RowAction
from tests.conftest import sent_statements
from tests.factories import AT, make_published, make_question

LATER = AT + timedelta(hours=1)
HEAD = Head("Test bank")


def bring(
    session: Session, data: bytes | str, format: str = "json", name: str | None = None
) -> Imported:
    """Import a file and commit."""
    raw = data.encode() if isinstance(data, str) else data
    upload = Upload(name or f"bank.{FORMATS[format].extension}", raw)
    plan = plan_file(session, upload, FORMATS[format])
    done = apply(session, plan, upload, FORMATS[format], by=None, at=LATER)
    session.commit()
    return done


def carry(session: Session, format: str = "json") -> bytes:
    """Export the shelf."""
    return b"".join(export_shelf(session, FORMATS[format], Selection(), HEAD).chunks)


def actions(done: Imported) -> list[str]:
    return [row.action.value for row in done.plan.rows]


def edit(session: Session, question: Question, **changes: Any) -> None:
    changed = replace(content_of(question), **changes)
    save(session, question, changed, seen_version=question.latest_number, by=None, at=LATER)
    session.commit()


def body_of(session: Session, stem: str) -> str:
    return session.scalars(select(Question).filter_by(stem=stem)).one().answers[0].body


def article(*answers: str, title: str = "Ten Things About Testing") -> str:
    questions = [
        f"Q {n}. What is thing number {n}?\n\nAnswer: {text}" for n, text in enumerate(answers, 1)
    ]
    return "\n\n".join([title, "Last Updated : 15 Jun, 2024", *questions]) + "\n"


def edited_csv(data: bytes, **changes: dict[str, str]) -> bytes:
    """Return a CSV with cells changed: {stem: {column: value}}."""
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    for row in rows:
        row.update(changes.get(row["stem"], {}))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, rows[0].keys())
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def test_new_questions_become_drafts_with_a_revision_and_their_provenance(
    session: Session,
) -> None:
    done = bring(session, article("First answer.", "Second answer."), "article")
    assert actions(done) == ["create", "create"]
    assert done.batch is not None
    revisions = session.scalars(select(Revision)).all()
    assert {(r.number, r.origin, r.batch_id) for r in revisions} == {
        (1, Origin.imported, done.batch.id)
    }
    origins = session.scalars(select(Provenance).order_by(Provenance.ordinal)).all()
    assert [(o.source, o.date, o.ordinal) for o in origins] == [
        ("Ten Things About Testing", "2024-06-15", 1),
        ("Ten Things About Testing", "2024-06-15", 2),
    ]


@pytest.mark.parametrize("format", ["json", "jsonl", "csv"])
def test_importing_the_banks_own_export_changes_nothing(session: Session, format: str) -> None:
    make_published(session, "One?", tags=["flask/views"])
    make_published(session, "Two?", body="- a list\n- =2+2")
    before = contents(session)
    assert actions(bring(session, carry(session, format), format)) == ["unchanged", "unchanged"]
    assert contents(session) == before


def test_importing_the_same_article_twice_changes_nothing(session: Session) -> None:
    text = article("First answer.", "Second answer.")
    bring(session, text, "article")
    before = contents(session)
    assert actions(bring(session, text, "article")) == ["unchanged", "unchanged"]
    assert contents(session) == before


def test_an_edited_export_updates_by_uid(session: Session) -> None:
    make_published(session, "One?", body="Old.")
    make_published(session, "Two?")
    data = edited_csv(carry(session, "csv"), **{"One?": {"answer": "New."}})
    assert actions(bring(session, data, "csv")) == ["update", "unchanged"]
    assert body_of(session, "One?") == "New."
    assert [s.url for s in session.scalars(select(Answer)).first().sources] == [  # type: ignore[union-attr]
        "https://example.org/views"
    ]


def test_a_file_that_names_a_merged_question_is_told_what_it_became(session: Session) -> None:
    duplicate = make_published(session, "What are views?")
    data = carry(session)
    survivor = make_published(session, "What is a view?")
    merge(session, duplicate, survivor, seen=(1, 1), by=None, at=LATER)
    session.commit()
    done = bring(session, data)
    [row] = done.plan.rows
    assert (row.action, row.message) == (
        RowAction.conflict,
        "This question was merged into 'what-is-a-view'; edit that one.",
    )


def test_a_row_changed_on_both_sides_is_a_conflict_and_nothing_is_overwritten(
    session: Session,
) -> None:
    question = make_published(session, "One?", body="Old.")
    data = edited_csv(carry(session, "csv"), **{"One?": {"answer": "From the file."}})
    edit(session, question, context="From the desk.")
    done = bring(session, data, "csv")
    assert actions(done) == ["conflict"]
    assert "Both the file and the bank" in done.plan.rows[0].message
    assert (question.answers[0].body, question.context) == ("Old.", "From the desk.")


def test_an_old_export_is_no_conflict_when_the_file_says_nothing_new(session: Session) -> None:
    question = make_published(session, "One?")
    data = carry(session)
    edit(session, question, stem="Better?")
    assert actions(bring(session, data)) == ["unchanged"]
    assert question.stem == "Better?"


def test_a_newer_copy_of_an_article_updates_only_what_the_article_changed(
    session: Session,
) -> None:
    bring(session, article("One.", "Two.", "Three."), "article")
    mended = session.scalars(select(Question).filter_by(stem="What is thing number 2?")).one()
    answers = content_of(mended).answers
    edit(session, mended, answers=[replace(answers[0], body="Two, mended by an editor.")])
    tagged = session.scalars(select(Question).filter_by(stem="What is thing number 3?")).one()
    edit(session, tagged, difficulty="easy")
    done = bring(session, article("One, rewritten.", "Two.", "Three, rewritten."), "article")
    assert actions(done) == ["update", "unchanged", "update"]
    assert body_of(session, "What is thing number 1?") == "One, rewritten."
    assert body_of(session, "What is thing number 2?") == "Two, mended by an editor."
    assert body_of(session, "What is thing number 3?") == "Three, rewritten."
    assert tagged.difficulty == "easy"


def test_a_newer_article_that_changed_what_an_editor_mended_is_a_conflict(
    session: Session,
) -> None:
    bring(session, article("One.", "Two."), "article")
    question = session.scalars(select(Question).order_by(Question.id)).first()
    assert question is not None
    answers = content_of(question).answers
    edit(session, question, answers=[replace(answers[0], body="Mended.")])
    done = bring(session, article("One, rewritten.", "Two."), "article")
    assert actions(done) == ["conflict", "unchanged"]
    assert question.answers[0].body == "Mended."


def test_a_question_inserted_before_others_moves_none_of_them(session: Session) -> None:
    bring(session, article("One.", "Two."), "article")
    text = (
        article("One.", "Two.")
        .replace(
            "Q 1. What is thing number 1?",
            "Q 1. What is brand new here?\n\nAnswer: New.\n\nQ 2. What is thing number 1?",
        )
        .replace("Q 2. What is thing number 2?", "Q 3. What is thing number 2?")
    )
    assert actions(bring(session, text, "article")) == ["create", "unchanged", "unchanged"]


def test_a_reworded_title_at_the_same_place_is_an_update(session: Session) -> None:
    bring(session, article("One.", "Two."), "article")
    text = article("One.", "Two.").replace("thing number 2?", "thing number two?")
    assert actions(bring(session, text, "article")) == ["unchanged", "update"]
    assert session.scalar(select(func.count()).select_from(Question)) == 2


def test_an_absent_column_is_left_alone_and_an_empty_cell_clears(session: Session) -> None:
    question = make_published(session, "One?", difficulty="hard", tags=["flask"])
    data = f"uid,revision,stem,tags\r\n{question.uid},1,One?,\r\n"
    assert actions(bring(session, data, "csv")) == ["update"]
    assert (question.difficulty, question.tags) == ("hard", [])


def test_an_empty_answer_cell_clears_the_canonical_answer_alone(session: Session) -> None:
    answers = [AnswerItem(body="Long."), AnswerItem(label="Short", body="S.")]
    question = make_published(session, "One?", answers=answers)
    data = f"uid,revision,stem,answer\r\n{question.uid},1,One?,\r\n"
    assert actions(bring(session, data, "csv")) == ["update"]
    assert [(a.label, a.body) for a in question.answers] == [("Short", "S.")]


def test_sources_without_a_column_for_the_answer_make_none(session: Session) -> None:
    question = make_question(session, "One?", answers=[])
    data = f"uid,revision,stem,sources\r\n{question.uid},1,One?,https://example.org\r\n"
    assert actions(bring(session, data, "csv")) == ["unchanged"]


def test_rows_without_uid_get_the_same_uid_every_time(session: Session) -> None:
    data = "stem,answer\r\nOne?,A.\r\nOne?,B.\r\n"
    assert actions(bring(session, data, "csv")) == ["create", "create"]
    first = session.scalars(select(Question.uid).order_by(Question.id)).all()
    assert actions(bring(session, data, "csv")) == ["unchanged", "unchanged"]
    assert session.scalars(select(Question.uid).order_by(Question.id)).all() == first


def test_what_looks_damaged_becomes_warnings_of_the_question(session: Session) -> None:
    text = article("The default address is, and the port is 5000.", "Fine.")
    bring(session, text, "article")
    warnings = session.scalars(select(ImportWarning)).all()
    assert [(w.question.stem, w.kind, w.acknowledged_at) for w in warnings] == [
        ("What is thing number 1?", "hole", None)
    ]


def test_every_row_is_on_record_with_its_place_and_message(session: Session) -> None:
    make_published(session, "One?")
    data = carry(session, "csv") + b",,,,Two?,,B.,,,,,,,,\r\n"
    done = bring(session, data, "csv")
    rows = session.scalars(select(ImportRow).order_by(ImportRow.id)).all()
    assert [(r.place, r.action, r.stem) for r in rows] == [
        ("line 2", RowAction.unchanged, "One?"),
        ("line 3", RowAction.create, "Two?"),
    ]
    assert done.batch is not None
    assert done.batch.format == "csv"


def test_an_import_that_changes_nothing_leaves_no_trace(session: Session) -> None:
    make_published(session, "One?")
    bring(session, carry(session))
    assert session.scalars(select(ImportBatch)).all() == []


def test_a_save_between_plan_and_import_is_a_conflict(session: Session) -> None:
    question = make_published(session, "One?", body="Old.")
    data = edited_csv(carry(session, "csv"), **{"One?": {"answer": "From the file."}})
    upload = Upload("bank.csv", data)
    plan = plan_file(session, upload, FORMATS["csv"])
    edit(session, question, stem="Meanwhile?")
    done = apply(session, plan, upload, FORMATS["csv"], by=None, at=LATER)
    assert actions(done) == ["conflict"]
    assert question.stem == "Meanwhile?"


def test_a_uid_of_another_questions_answer_is_an_error(session: Session) -> None:
    question = make_published(session, "One?")
    document = json.loads(carry(session))
    stolen = document["questions"][0]["answers"][0]["uid"]
    document["questions"] = [{"stem": "Thief?", "answers": [{"uid": stolen, "body": "Mine now."}]}]
    done = bring(session, json.dumps(document))
    assert actions(done) == ["error"]
    assert "another question" in done.plan.rows[0].message
    assert question.answers[0].uid == stolen


def test_another_questions_address_is_an_error(session: Session) -> None:
    make_question(session, "One?")
    data = json.dumps(
        {
            "format": "question-bank",
            "version": 1,
            "questions": [{"stem": "Two?", "slug": "one", "answers": [{"body": "B."}]}],
        }
    )
    done = bring(session, data)
    assert actions(done) == ["error"]
    assert "another question's address" in done.plan.rows[0].message


def test_a_renamed_tag_is_still_the_tag_that_the_file_means(session: Session) -> None:
    from cms.services.tags import save_tag

    make_published(session, "One?", tags=["flask"])
    data = carry(session)
    tag = session.scalars(select(Tag)).one()
    save_tag(session, tag, slug="web", name="Web", description="", by=None, at=LATER)
    session.commit()
    assert actions(bring(session, data)) == ["unchanged"]
    assert session.scalars(select(Tag.slug)).all() == ["web"]


def test_a_new_correction_in_a_file_is_added_and_none_is_taken_away(session: Session) -> None:
    make_published(session, "One?")
    document = json.loads(carry(session))
    document["questions"][0]["corrections"] = [{"kind": "factual", "claim": "It was wrong."}]
    done = bring(session, json.dumps(document))
    assert actions(done) == ["update"]
    correction = session.scalars(select(Correction)).one()
    assert (correction.claim, correction.fixed_in) == ("It was wrong.", 1)
    document["questions"][0]["corrections"] = []
    assert actions(bring(session, json.dumps(document))) == ["unchanged"]
    assert session.scalars(select(Correction)).one() is correction


def test_a_contributor_cannot_import(session: Session, contributor: User) -> None:
    upload = Upload("a.csv", b"stem,answer\r\nOne?,A.\r\n")
    plan = plan_file(session, upload, FORMATS["csv"])
    with pytest.raises(NotAllowed):
        apply(session, plan, upload, FORMATS["csv"], by=contributor, at=LATER)


CONTENT_TABLES = (
    *("question", "answer", "source", "tag", "question_tag"),
    *("correction", "provenance", "deck", "deck_member"),
)
# The receiving bank's own: keys, times, actors, and what counts revisions and releases.
LOCAL = {
    *("id", "question_id", "answer_id", "correction_id", "tag_id", "parent_id", "deck_id"),
    *("created_at", "updated_at", "created_by_id", "reporter_id", "decided_by_id"),
    *("latest_number", "published_number", "imported_number", "seen_in", "fixed_in", "reason"),
    *("last_status", "checked_at", "stage"),
}


def contents(session: Session, without: frozenset[str] = frozenset()) -> dict[str, list[str]]:
    """Every row that is content, table by table, without the bank's own bookkeeping."""
    session.expire_all()
    found: dict[str, list[str]] = {}
    for name in CONTENT_TABLES:
        table: Table = Base.metadata.tables[name]
        columns = [c for c in table.columns if c.name not in LOCAL | without]
        rows = session.execute(select(*columns)).all() if columns else []
        found[name] = sorted(repr(tuple(row)) for row in rows)
        if not columns:
            count = session.scalar(select(func.count()).select_from(table))
            found[name] = [str(count)]
    return found


@pytest.mark.parametrize("format", ["json", "markdown"])
def test_a_lossless_export_makes_an_equal_bank_table_by_table(
    session: Session, flask_bank: Upload, empty_session: Session, format: str
) -> None:
    bring(session, flask_bank.data, "markdown", flask_bank.name)
    publish(session, list(session.scalars(select(Question))), by=None, at=LATER)
    session.commit()
    done = bring(empty_session, carry(session, format), format)
    assert set(actions(done)) == {"create"}
    assert contents(empty_session) == contents(session)
    publish(empty_session, list(empty_session.scalars(select(Question))), by=None, at=LATER)
    empty_session.commit()
    theirs, ours = (json.loads(carry(each))["questions"] for each in (empty_session, session))
    assert theirs == ours


@pytest.mark.parametrize("format", ["jsonl", "csv"])
def test_other_exports_make_a_bank_that_is_equal_but_for_what_they_drop(
    session: Session, flask_bank: Upload, empty_session: Session, format: str
) -> None:
    bring(session, flask_bank.data, "markdown", flask_bank.name)
    publish(session, list(session.scalars(select(Question))), by=None, at=LATER)
    session.commit()
    assert set(actions(bring(empty_session, carry(session, format), format))) == {"create"}
    publish(empty_session, list(empty_session.scalars(select(Question))), by=None, at=LATER)
    empty_session.commit()
    own = {"revision", "content_hash", "release", "published_at", "updated_at"}
    theirs, ours = (
        [
            stripped(msgspec.convert(question, Item), FORMATS[format].drops | own)
            for question in json.loads(carry(each))["questions"]
        ]
        for each in (empty_session, session)
    )
    assert theirs == ours
    assert len(ours) == 40


def test_without_a_base_a_difference_from_what_was_never_imported_is_a_conflict(
    session: Session,
) -> None:
    question = make_published(session, "One?")
    data = f"uid,stem\r\n{question.uid},Other?\r\n"
    assert actions(bring(session, data, "csv")) == ["conflict"]
    assert question.stem == "One?"


def test_an_article_replaces_nothing_of_a_bank_that_names_it_as_its_source(
    session: Session, flask_bank: Upload
) -> None:
    bank = bring(session, flask_bank.data, "markdown")
    item = next(row.item for row in bank.plan.rows if row.item.provenance)
    assert item.provenance is not None
    stated = {
        "stem": item.stem,
        "answers": [{"body": "What the article says."}],
        "provenance": {"source": item.provenance.source, "ordinal": item.provenance.ordinal},
    }
    document = {"format": "question-bank", "version": 1, "questions": [stated]}
    assert actions(bring(session, msgspec.json.encode(document))) == ["conflict"]


def bank_of(questions: list[dict[str, Any]]) -> str:
    return json.dumps({"format": "question-bank", "version": 1, "questions": questions})


def test_an_address_that_is_made_gives_way_to_one_that_the_file_gives_far_below(
    session: Session,
) -> None:
    rows: list[dict[str, Any]] = [{"stem": f"Question {number}?"} for number in range(600)]
    rows[0]["stem"], rows[-1]["slug"] = "The address", "the-address"
    done = bring(session, bank_of(rows))
    slugs = dict(session.execute(select(Question.stem, Question.slug)).all())
    assert len(done.questions) == 600
    assert slugs["The address"] == "the-address-2"
    assert slugs["Question 599?"] == "the-address"


def test_new_questions_take_a_statement_for_each_table_not_for_each_question(
    session: Session,
) -> None:
    rows = [{"stem": f"Question {n}?", "answers": [{"body": "Yes."}]} for n in range(300)]
    with sent_statements(session.get_bind()) as statements:
        bring(session, bank_of(rows))
    assert len(statements) < 100


def test_questions_are_locked_in_one_order_wherever_their_rows_stand(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"stem": f"Question {n}?", "answers": [{"body": "Yes."}]} for n in range(520)]
    bring(session, bank_of(rows))
    locked: list[int] = []

    def noted(session: Session, ids: Sequence[int]) -> list[Question]:
        found = lock_all(session, ids)
        locked.extend(question.id for question in found)
        return found

    monkeypatch.setattr(importing, "lock_all", noted)
    bring(session, bank_of([row | {"answers": [{"body": "No."}]} for row in reversed(rows)]))
    assert len(locked) == 520
    assert locked == sorted(locked)
