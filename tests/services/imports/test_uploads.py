"""An import as a conversation: taken in, shown, decided, mended, written, undone, done again."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from cms.errors import InvalidContent, InvalidInput, NotAllowed, WrongState
from cms.formats.incoming import Upload
from cms.formats.item import AnswerItem
from cms.models import (
    Answer,
    Correction,
    Deck,
    ImportBatch,
    ImportRow,
    ImportWarning,
    Provenance,
    PublishedDeck,
    Question,
    Release,
    Revision,
    Tag,
    User,
)
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.imports import uploads
from cms.services.imports.import_undo import undo_import
from cms.services.jobs import work_one
from cms.services.publishing import publish
from cms.services.questions import save
from cms.services.work import HANDLERS
from cms.vocabulary import CorrectionKind, ImportState, Origin, Role, RowAction
from tests.conftest import ROOT
from tests.factories import AT, content, make_published, make_question

DAMAGED = ROOT / "fixtures" / "samples" / "damaged-article.txt"


def a_file(*questions: dict[str, object], name: str = "bank.json", **head: object) -> Upload:
    bank = {"format": "question-bank", "version": 1, "questions": list(questions), **head}
    return Upload(name, msgspec.json.encode(bank))


def a_question(stem: str, body: str = "Yes.", **fields: object) -> dict[str, object]:
    return {"stem": stem, "answers": [{"body": body}], **fields}


class Conversation:
    """The bank with a person at the desk and a worker beside it."""

    def __init__(self, session: Session, by: User | None) -> None:
        self.session = session
        self.by = by

    def work(self) -> None:
        self.session.commit()
        engine = self.session.get_bind()
        assert isinstance(engine, Engine)
        while work_one(engine, HANDLERS):
            pass

    def shown(self, upload: Upload, format: str = "") -> ImportBatch:
        batch = uploads.receive(self.session, upload, format=format, by=self.by, at=AT)
        self.work()
        return batch

    def write(self, batch: ImportBatch) -> None:
        uploads.confirm(self.session, batch, by=self.by, at=AT)
        self.work()

    def rows(self, batch: ImportBatch) -> list[ImportRow]:
        return list(
            self.session.scalars(
                select(ImportRow).where(ImportRow.batch_id == batch.id).order_by(ImportRow.id)
            )
        )

    def actions(self, batch: ImportBatch) -> list[tuple[str, bool]]:
        return [(row.action.value, row.chosen) for row in self.rows(batch)]

    def question(self, stem: str) -> Question:
        return self.session.scalars(select(Question).where(Question.stem == stem)).one()


@pytest.fixture
def talk(session: Session, editor: User) -> Conversation:
    return Conversation(session, editor)


def count(session: Session, model: type) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def test_nothing_is_written_before_somebody_decides(talk: Conversation) -> None:
    batch = talk.shown(a_file(a_question("What is a view?"), a_question("What is a route?")))
    assert uploads.state_of(batch) == ImportState.waiting
    assert batch.format == "json"
    assert talk.actions(batch) == [("create", True), ("create", True)]
    assert count(talk.session, Question) == 0
    talk.write(batch)
    assert uploads.state_of(batch) == ImportState.imported
    assert count(talk.session, Question) == 2
    assert [row.number for row in talk.rows(batch)] == [1, 1]


def test_an_import_waits_for_somebody_until_it_is_written_or_discarded(
    talk: Conversation,
) -> None:
    def waiting() -> list[str]:
        found = talk.session.scalars(select(ImportBatch).where(uploads.waits()))
        names = [batch.file_name for batch in found]
        assert uploads.count_waiting(talk.session, 1) == min(len(names), 1)
        return names

    upload = a_file(a_question("What is a view?"))
    batch = uploads.receive(talk.session, upload, by=talk.by, at=AT)
    talk.session.commit()
    assert waiting() == []
    talk.work()
    unread = talk.shown(Upload("noise.bin", b"\x00\x01"))
    assert uploads.state_of(unread) == ImportState.failed
    assert waiting() == ["bank.json", "noise.bin"]
    uploads.confirm(talk.session, batch, by=talk.by, at=AT)
    assert waiting() == ["noise.bin"]
    talk.work()
    uploads.discard(talk.session, unread, by=talk.by, at=AT)
    assert waiting() == []


def test_each_row_says_what_would_happen_to_it(talk: Conversation) -> None:
    held = make_question(talk.session, "What is held?", "Old.")
    talk.write(
        talk.shown(
            a_file(
                a_question("What is the same?"),
                a_question("What changes?"),
                a_question("What changed on both sides?"),
            )
        )
    )
    both = talk.question("What changed on both sides?")
    save(talk.session, both, content(both.stem, "Theirs."), seen_version=1, by=None, at=AT)
    batch = talk.shown(
        a_file(
            a_question("What is the same?"),
            a_question("What changes?", "No."),
            a_question("What changed on both sides?", "Mine."),
            a_question("What is HELD"),
            a_question(""),
        )
    )
    assert talk.actions(batch) == [
        ("unchanged", False),
        ("update", True),
        ("conflict", False),
        ("duplicate", False),
        ("error", False),
    ]
    _, _, conflict, twin, wrong = talk.rows(batch)
    assert twin.question_id == held.id
    assert twin.message == "The bank has a question that reads the same: 'what-is-held'."
    assert "stem" in wrong.place or "stem" in wrong.message
    comparison = uploads.compared(talk.session, batch, conflict)
    assert comparison is not None
    assert comparison.current is not None
    assert comparison.base is not None
    assert comparison.planned.content is not None
    bodies = [
        each.answers[0].body
        for each in (comparison.base, comparison.current, comparison.planned.content)
    ]
    assert bodies == ["Yes.", "Theirs.", "Mine."]


def test_rows_are_chosen_one_by_one_or_all_of_a_kind(talk: Conversation) -> None:
    held = make_question(talk.session, "What is held?", "Old.")
    batch = talk.shown(
        a_file(*(a_question(f"Question {n}?") for n in range(4)), a_question("What is held?"))
    )
    first, second, *_, twin = talk.rows(batch)
    choose = {"by": talk.by}
    assert uploads.choose(talk.session, batch, False, rows=[first.id, second.id], **choose) == 2
    assert uploads.choose(talk.session, batch, True, action=RowAction.duplicate, **choose) == 1
    talk.write(batch)
    stems = talk.session.scalars(select(Question.stem).order_by(Question.id)).all()
    assert stems == ["What is held?", "Question 2?", "Question 3?", "What is held?"]
    assert twin.question_id != held.id
    assert talk.question("Question 2?").slug == "question-2"


def test_a_conflict_that_is_chosen_takes_the_files_text(talk: Conversation) -> None:
    held = make_question(talk.session, "What is held?", "Theirs.")
    row = a_question("What is held?", "Mine.", uid=held.uid)
    batch = talk.shown(a_file(row))
    assert talk.actions(batch) == [("conflict", False)]
    uploads.choose(talk.session, batch, True, action=RowAction.conflict, by=talk.by)
    talk.write(batch)
    assert talk.question("What is held?").answers[0].body == "Mine."
    assert talk.question("What is held?").latest_number == 2


def test_what_cannot_be_written_cannot_be_chosen(talk: Conversation) -> None:
    batch = talk.shown(a_file(a_question(""), a_question("Fine?")))
    assert uploads.choose(talk.session, batch, True, action=RowAction.error, by=talk.by) == 0
    uploads.choose(talk.session, batch, False, action=RowAction.create, by=talk.by)
    with pytest.raises(WrongState, match="No row is chosen"):
        uploads.confirm(talk.session, batch, by=talk.by, at=AT)


def test_a_damaged_row_is_mended_before_it_is_written(talk: Conversation) -> None:
    batch = talk.shown(Upload(DAMAGED.name, DAMAGED.read_bytes()))
    assert batch.format == "article"
    damaged = [row for row in talk.rows(batch) if row.warnings]
    assert len(damaged) > 2
    row = damaged[0]
    said = uploads.stated(row)
    assert said is not None
    assert said.item is not None
    mended = content(said.item.stem, "All of it is here again.", tags=["new/tag"])
    uploads.mend(talk.session, batch, row, mended, seen=uploads.version_of(row), by=talk.by)
    assert row.warnings == 0
    assert row.chosen
    talk.write(batch)
    question = talk.question(said.item.stem)
    assert question.answers[0].body == "All of it is here again."
    assert [tag.slug for tag in question.tags] == ["new/tag"]
    warned = set(talk.session.scalars(select(ImportWarning.question_id)))
    assert question.id not in warned
    assert warned == {each.question_id for each in damaged[1:]}


def test_a_mended_row_has_to_keep_the_rules(talk: Conversation) -> None:
    batch = talk.shown(a_file(a_question("Fine?")))
    [row] = talk.rows(batch)
    seen = uploads.version_of(row)
    with pytest.raises(InvalidContent, match=r"stem: It is empty\. Write the question\."):
        uploads.mend(talk.session, batch, row, content(" "), seen=seen, by=talk.by)
    [error] = talk.rows(talk.shown(a_file(a_question(""))))
    seen = uploads.version_of(error)
    with pytest.raises(WrongState, match="Mend it in the file"):
        uploads.mend(talk.session, error.batch, error, content("Now?"), seen=seen, by=talk.by)


def test_nobody_mends_over_the_mending_of_somebody_else(talk: Conversation) -> None:
    batch = talk.shown(a_file(a_question("Fine?")))
    [row] = talk.rows(batch)
    seen = uploads.version_of(row)
    uploads.mend(talk.session, batch, row, content("Theirs?"), seen=seen, by=talk.by)
    talk.session.commit()
    with pytest.raises(WrongState, match="Somebody mended this row while you were at it"):
        uploads.mend(talk.session, batch, row, content("Mine?"), seen=seen, by=talk.by)
    talk.session.rollback()
    assert talk.rows(batch)[0].stem == "Theirs?"


def test_two_rows_that_mean_one_question_are_not_both_written(talk: Conversation) -> None:
    origin = {"source": "A site", "external_id": "x1"}
    talk.write(talk.shown(a_file(a_question("One?", provenance=origin))))
    batch = talk.shown(
        a_file(
            a_question("One?", "First.", provenance=origin),
            a_question("Other?", "Second.", provenance=origin),
        )
    )
    assert talk.actions(batch) == [("update", True), ("error", False)]
    assert talk.rows(batch)[1].message == (
        "This means the same question as $.questions[0]. Keep one of the two."
    )
    talk.write(batch)
    assert talk.question("One?").answers[0].body == "First."
    assert [row.number for row in talk.rows(batch)] == [2, None]


def test_rows_that_were_mended_into_one_address_say_so(talk: Conversation) -> None:
    batch = talk.shown(a_file(a_question("First?"), a_question("Second?")))
    for row in talk.rows(batch):
        text, seen = content(row.stem, slug="the-same"), uploads.version_of(row)
        uploads.mend(talk.session, batch, row, text, seen=seen, by=talk.by)
    talk.write(batch)
    first, second = talk.rows(batch)
    assert (first.number, second.number, second.chosen) == (1, None, False)
    assert second.message.startswith("slug: 'the-same' is, or was, another question's address.")


def test_nothing_is_written_for_an_editor_who_is_none_any_more(
    talk: Conversation, editor: User
) -> None:
    batch = talk.shown(a_file(a_question("Fine?")))
    uploads.confirm(talk.session, batch, by=editor, at=AT)
    editor.role = Role.contributor
    talk.work()
    assert count(talk.session, Question) == 0
    assert uploads.state_of(batch) == ImportState.waiting
    assert batch.job is not None
    assert batch.job.error == "Only an editor may import files. Ask one to do it."


@pytest.mark.parametrize(
    ("name", "kept"), [("a\0b\n.json", "ab .json"), ("\udcff.json", ".json"), ("", "Unnamed file")]
)
def test_a_file_has_a_name_that_every_database_takes(
    talk: Conversation, name: str, kept: str
) -> None:
    batch = talk.shown(a_file(a_question("Fine?"), name=name))
    assert batch.file_name == kept
    assert uploads.state_of(batch) == ImportState.waiting


def test_mending_a_row_of_few_columns_leaves_nothing_else_to_the_bank(talk: Conversation) -> None:
    held = make_question(talk.session, "What is held?", "Old.", context="Think.")
    sheet = f"uid,revision,answer\r\n{held.uid},1,New.\r\n"
    batch = talk.shown(Upload("sheet.csv", sheet.encode()))
    assert talk.actions(batch) == [("update", True)]
    [row] = talk.rows(batch)
    comparison = uploads.compared(talk.session, batch, row)
    assert comparison is not None
    assert comparison.planned.content is not None
    wanted = comparison.planned.content
    assert wanted.context == "Think."
    wanted.context = "Think twice."
    uploads.mend(talk.session, batch, row, wanted, seen=uploads.version_of(row), by=talk.by)
    talk.write(batch)
    question = talk.question("What is held?")
    assert (question.context, question.answers[0].body) == ("Think twice.", "New.")


def test_a_question_that_changed_since_it_was_shown_is_left_alone(talk: Conversation) -> None:
    held = make_question(talk.session, "What is held?", "Old.")
    changed = {"uid": held.uid, "revision": 1}
    batch = talk.shown(a_file(a_question("What is held?", "File.", **changed), a_question("New?")))
    assert talk.actions(batch) == [("update", True), ("create", True)]
    save(talk.session, held, content(held.stem, "Desk."), seen_version=1, by=None, at=AT)
    talk.write(batch)
    assert talk.actions(batch) == [("conflict", False), ("create", True)]
    assert "changed after it was compared with this row" in talk.rows(batch)[0].message
    assert talk.question("What is held?").answers[0].body == "Desk."
    assert count(talk.session, Question) == 2


def test_a_file_that_cannot_be_read_says_why_and_can_be_read_as_another_format(
    talk: Conversation,
) -> None:
    batch = talk.shown(Upload("notes.txt", b"uid,stem\r\n,What is a view?\r\n"), format="json")
    assert uploads.state_of(batch) == ImportState.failed
    assert batch.job is not None
    assert "notes.txt" in batch.job.error
    with pytest.raises(WrongState, match="does not wait for a decision"):
        uploads.confirm(talk.session, batch, by=talk.by, at=AT)
    uploads.read_as(talk.session, batch, "csv", by=talk.by, at=AT)
    talk.work()
    assert talk.actions(batch) == [("create", True)]
    with pytest.raises(WrongState, match="was read already"):
        uploads.read_as(talk.session, batch, "csv", by=talk.by, at=AT)


def test_an_import_is_discarded_without_a_trace_but_in_the_audit(talk: Conversation) -> None:
    batch = talk.shown(a_file(a_question("Never?")))
    uploads.discard(talk.session, batch, by=talk.by, at=AT)
    talk.session.commit()
    assert count(talk.session, ImportBatch) == count(talk.session, ImportRow) == 0
    written = talk.shown(a_file(a_question("Kept?")))
    talk.write(written)
    with pytest.raises(WrongState, match="cannot be discarded"):
        uploads.discard(talk.session, written, by=talk.by, at=AT)


def test_empty_files_unknown_formats_and_contributors_are_refused(
    talk: Conversation, contributor: User
) -> None:
    with pytest.raises(InvalidInput, match="The file is empty"):
        talk.shown(Upload("a.json", b" \n"))
    with pytest.raises(InvalidInput, match="There is no format 'word'"):
        talk.shown(Upload("a.json", b"{}"), format="word")
    with pytest.raises(NotAllowed, match="Only an editor may import files"):
        uploads.receive(talk.session, a_file(), by=contributor, at=AT)


# --- undo ------------------------------------------------------------------------------


def snapshot(session: Session) -> dict[str, object]:
    """All that an import can touch, but for revisions and times."""
    session.expire_all()
    return {
        "questions": [
            msgspec.to_builtins(content_of(question))
            for question in session.scalars(select(Question).order_by(Question.id))
        ],
        "tags": session.scalars(select(Tag.slug).order_by(Tag.slug)).all(),
        "decks": session.scalars(select(Deck.slug).order_by(Deck.slug)).all(),
        "corrections": session.scalars(select(Correction.uid)).all(),
        "warnings": session.scalars(select(ImportWarning.passage)).all(),
        "provenance": [each.as_dict() for each in session.scalars(select(Provenance))],
        "answers": count(session, Answer),
    }


def test_an_import_is_undone_as_if_it_had_never_been(talk: Conversation) -> None:
    origin = {"source": "An article", "ordinal": 1}
    talk.write(
        talk.shown(
            a_file(
                a_question("What stays?", tags=["old"], provenance=origin),
                a_question("What is as it was?"),
            )
        )
    )
    before = snapshot(talk.session)
    stays = talk.question("What stays?")
    batch = talk.shown(
        a_file(
            a_question(
                "What stays?",
                "Changed.",
                tags=["old", "new/deep"],
                provenance=origin | {"license": "CC0"},
                corrections=[{"kind": "factual", "claim": "It was so."}],
            ),
            a_question("What comes?", tags=["new"]),
            decks=[{"slug": "first", "title": "First", "questions": []}],
        )
    )
    talk.write(batch)
    assert snapshot(talk.session) != before
    undo_import(talk.session, batch, by=talk.by, at=AT)
    talk.session.commit()
    assert snapshot(talk.session) == before
    assert uploads.state_of(batch) == ImportState.undone
    revisions = talk.session.scalars(
        select(Revision.origin).filter_by(question_id=stays.id).order_by(Revision.number)
    ).all()
    assert revisions == [Origin.imported, Origin.imported, Origin.undo], "history is appended to"
    with pytest.raises(WrongState, match="was undone already"):
        undo_import(talk.session, batch, by=talk.by, at=AT)


def edit(session: Session, question: Question) -> None:
    save(session, question, content(question.stem, "Built on."), seen_version=1, by=None, at=AT)


def make_public(session: Session, question: Question) -> None:
    publish(session, [question], by=None, at=AT, force=True)


def correct(session: Session, question: Question) -> None:
    open_correction(session, question, kind=CorrectionKind.factual, claim="It is.", by=None, at=AT)


@pytest.mark.parametrize(
    ("build", "words"),
    [(edit, "was edited"), (make_public, "was published"), (correct, "got a correction")],
)
def test_an_import_on_which_something_was_built_is_not_undone(
    talk: Conversation, build: object, words: str
) -> None:
    batch = talk.shown(a_file(*(a_question(f"Question {n}?") for n in range(3))))
    talk.write(batch)
    assert callable(build)
    build(talk.session, talk.question("Question 1?"))
    talk.session.commit()
    with pytest.raises(WrongState, match=f"‘Question 1\\?’ {words}"):
        undo_import(talk.session, batch, by=talk.by, at=AT)
    talk.session.rollback()
    assert count(talk.session, Question) == 3


def test_what_is_not_written_cannot_be_undone(talk: Conversation) -> None:
    batch = talk.shown(a_file(a_question("Never?")))
    with pytest.raises(WrongState, match="was not written"):
        undo_import(talk.session, batch, by=talk.by, at=AT)


def test_an_undone_import_is_imported_again_with_its_mended_rows(talk: Conversation) -> None:
    batch = talk.shown(Upload(DAMAGED.name, DAMAGED.read_bytes()))
    row = next(row for row in talk.rows(batch) if row.warnings)
    said = uploads.stated(row)
    assert said is not None
    assert said.item is not None
    seen = uploads.version_of(row)
    text = content(said.item.stem, "Mended.")
    uploads.mend(talk.session, batch, row, text, seen=seen, by=talk.by)
    talk.write(batch)
    first = snapshot(talk.session)
    undo_import(talk.session, batch, by=talk.by, at=AT)
    talk.session.commit()
    assert count(talk.session, Question) == 0
    second = uploads.again(talk.session, batch, by=talk.by, at=AT)
    talk.work()
    assert {action for action, _ in talk.actions(second)} == {"create"}
    talk.write(second)
    assert talk.question(said.item.stem).answers[0].body == "Mended."

    def texts(state: dict[str, object]) -> object:
        questions = state["questions"]
        assert isinstance(questions, list)
        return [(q["uid"], q["stem"], [a["body"] for a in q["answers"]]) for q in questions]

    assert texts(snapshot(talk.session)) == texts(first)


def test_an_import_that_was_written_is_compared_again_as_unchanged(talk: Conversation) -> None:
    batch = talk.shown(a_file(a_question("Once?")))
    with pytest.raises(WrongState, match="not finished yet"):
        uploads.again(talk.session, batch, by=talk.by, at=AT)
    talk.write(batch)
    second = uploads.again(talk.session, batch, by=talk.by, at=AT)
    talk.work()
    assert talk.actions(second) == [("unchanged", False)]


def test_an_attempt_that_died_leaves_nothing_behind(
    talk: Conversation, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = uploads.receive(
        talk.session, a_file(*(a_question(f"Question {n}?") for n in range(3))), by=None, at=AT
    )
    talk.session.commit()
    talk.session.add(ImportRow(batch_id=batch.id, place="dead", action=RowAction.create))
    talk.work()
    assert [row.place for row in talk.rows(batch)] == [
        "$.questions[0]",
        "$.questions[1]",
        "$.questions[2]",
    ]


def test_published_questions_keep_their_public_text_when_an_update_is_undone(
    talk: Conversation,
) -> None:
    live = make_published(talk.session, "What is live?")
    row = a_question("What is live?", "Newer.", uid=live.uid, revision=1)
    batch = talk.shown(a_file(row))
    talk.write(batch)
    undo_import(talk.session, batch, by=talk.by, at=AT)
    talk.session.commit()
    assert live.published_number == 1
    assert content_of(live).answers[0] == AnswerItem(
        uid=live.answers[0].uid,
        body="A function.",
        sources=content("x").answers[0].sources,
    )


def test_a_public_deck_of_an_undone_import_leaves_the_shelf(talk: Conversation) -> None:
    batch = talk.shown(
        a_file(a_question("New?"), decks=[{"slug": "first", "title": "First", "questions": []}])
    )
    talk.write(batch)
    make_published(talk.session, "Something else?")
    public = select(PublishedDeck.slug)
    assert talk.session.scalars(public).all() == ["first"]
    undo_import(talk.session, batch, by=talk.by, at=AT)
    talk.session.commit()
    assert talk.session.scalars(public).all() == []
    assert count(talk.session, Release) == 2


def test_the_texts_of_an_import_are_forgotten_in_time_but_not_what_became_of_it(
    talk: Conversation,
) -> None:
    batch = talk.shown(a_file(a_question("Once?")))
    talk.write(batch)
    waiting = talk.shown(a_file(a_question("Later?")))
    batch.applied_at = AT - uploads.TEXTS_KEPT - timedelta(seconds=1)
    talk.session.commit()
    talk.shown(a_file(a_question("Now?")))
    talk.session.expire_all()
    assert [row.stated for row in talk.rows(batch)] == [None]
    assert [row.stem for row in talk.rows(batch)] == ["Once?"]
    assert uploads.stated(talk.rows(waiting)[0]) is not None
    with pytest.raises(WrongState, match="Upload the file once more"):
        uploads.again(talk.session, batch, by=talk.by, at=AT)
    undo_import(talk.session, batch, by=talk.by, at=AT)
