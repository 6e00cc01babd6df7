"""Bulk operations: what can be done is done, the rest is left with a reason, in one release."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import date, timedelta
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from cms.errors import CmsError, NotAllowed, WrongState
from cms.models import (
    AuditEvent,
    BulkOperation,
    Change,
    ImportWarning,
    PublishedTag,
    Question,
    Release,
    Revision,
    Tag,
    User,
)
from cms.services import accounts
from cms.services.chunks import CHUNK
from cms.services.content import content_of, decode, find_revision
from cms.services.operations import bulk
from cms.services.publishing import retire
from cms.services.questions import save
from cms.services.releases import release_number
from cms.services.tags import delete_tag
from cms.services.warnings import acknowledge
from cms.vocabulary import Difficulty, Origin, Role, RowAction, Stage
from tests.factories import AT, make_published, make_question, make_warning, publication_of

LATER = AT + timedelta(hours=1)


def do(
    session: Session,
    verb: str,
    questions: Sequence[Question],
    *,
    by: User | None = None,
    **arguments: str,
) -> BulkOperation:
    """Begin and perform an operation, committed."""
    ids = [question.id for question in questions]
    operation = bulk.begin(session, verb, ids, arguments, by=by, at=LATER)
    bulk.perform(session, operation, at=LATER)
    session.commit()
    return operation


def fates(operation: BulkOperation) -> list[tuple[str, str, str]]:
    return [(row.stem, row.action.value, row.message) for row in operation.rows]


def tags_of(question: Question) -> list[str]:
    return [tag.slug for tag in question.tags]


def edit(session: Session, question: Question, context: str = "Changed.") -> None:
    """Give a question an unpublished change."""
    changed = replace(content_of(question), context=context)
    save(session, question, changed, seen_version=question.latest_number, by=None, at=AT)
    session.commit()


@pytest.fixture
def bank(session: Session) -> dict[str, Question]:
    """One question in every state."""
    made = {
        "draft": make_question(session, "Draft?", tags=["flask"]),
        "bare": make_question(session, "Bare?", answers=[]),
        "warned": make_question(session, "Warned?"),
        "live": make_published(session, "Live?", tags=["flask", "http"], difficulty="easy"),
        "changed": make_published(session, "Changed?", tags=["http"]),
        "retired": make_published(session, "Retired?"),
    }
    make_warning(session, made["warned"])
    edit(session, made["changed"])
    retire(session, [made["retired"]], by=None, at=AT)
    session.commit()
    return made


# Verb and arguments, and what becomes of each question: None where it is done.
ALREADY = (RowAction.unchanged, "Readers see this text already.")
NO_TAG = (RowAction.unchanged, "It does not have this tag.")
SAME = (RowAction.unchanged, "It has this difficulty already.")
SO = (RowAction.unchanged, "It is so already.")
RETIRED = (RowAction.error, "This question is retired. Un-retire it first.")
NO_WARNING = (RowAction.unchanged, "It has no open warning.")
NOT_PUBLIC = (RowAction.error, "It is not published.")
NOT_RETIRED = (RowAction.error, "This question is not retired.")
PUBLIC = (
    RowAction.error,
    "This question was public, so its address and its history stay. Retire it instead.",
)
NOT_IN_REVIEW = (RowAction.error, "This question is not in the stage 'in_review' any more.")
OUTCOMES: list[tuple[str, dict[str, str], dict[str, Any]]] = [
    (
        "publish",
        {},
        {
            "bare": (RowAction.error, "It has no answer. Write one."),
            "warned": (
                RowAction.error,
                "Import warnings are open. Mend or acknowledge them.",
            ),
            "live": ALREADY,
            "retired": (RowAction.error, "It is retired. Un-retire it first."),
        },
    ),
    (
        "submit",
        {},
        {
            "live": (
                RowAction.error,
                "Everything in this question is published; there is nothing to review.",
            ),
            "retired": RETIRED,
        },
    ),
    (
        "return",
        {},
        dict.fromkeys(("draft", "bare", "warned", "live", "changed"), NOT_IN_REVIEW)
        | {"retired": RETIRED},
    ),
    ("retire", {}, dict.fromkeys(("draft", "bare", "warned", "retired"), NOT_PUBLIC)),
    ("unretire", {}, dict.fromkeys(("draft", "bare", "warned", "live", "changed"), NOT_RETIRED)),
    (
        "acknowledge",
        {},
        dict.fromkeys(("draft", "bare", "live", "changed", "retired"), NO_WARNING),
    ),
    ("delete", {}, dict.fromkeys(("live", "changed", "retired"), PUBLIC)),
    (
        "add_tag",
        {"tag": "Flask"},
        dict.fromkeys(("draft", "live"), (RowAction.unchanged, "It has this tag already.")),
    ),
    (
        "remove_tag",
        {"tag": "flask"},
        dict.fromkeys(("bare", "warned", "changed", "retired"), NO_TAG),
    ),
    (
        "replace_tag",
        {"tag": "http", "other": "web/http"},
        dict.fromkeys(("draft", "bare", "warned", "retired"), NO_TAG),
    ),
    (
        "difficulty",
        {"difficulty": "easy"},
        {"live": SAME},
    ),
    (
        "difficulty",
        {"difficulty": ""},
        dict.fromkeys(
            ("draft", "bare", "warned", "changed", "retired"),
            (RowAction.unchanged, "It has this difficulty already."),
        ),
    ),
    ("review_by", {"review_by": "2027-01-31"}, {"retired": RETIRED}),
    (
        "review_by",
        {"review_by": ""},
        dict.fromkeys(("draft", "bare", "warned", "live", "changed"), SO) | {"retired": RETIRED},
    ),
    ("assign", {"assignee": "edith"}, {"retired": RETIRED}),
]


@pytest.mark.parametrize(("verb", "arguments", "left"), OUTCOMES)
def test_what_can_be_done_is_done_and_the_rest_is_left_with_a_reason(
    session: Session,
    bank: dict[str, Question],
    editor: User,
    verb: str,
    arguments: dict[str, str],
    left: dict[str, tuple[RowAction, str]],
) -> None:
    stems = {name: question.stem for name, question in bank.items()}
    before = release_number(session)
    operation = do(session, verb, list(bank.values()), by=editor, **arguments)
    expected = [(stems[name], *left.get(name, (RowAction.update, ""))) for name in bank]
    assert fates(operation) == expected
    assert release_number(session) - before == (operation.release is not None), "one at most"
    event = session.scalars(select(AuditEvent).filter_by(action="bulk")).one()
    assert event.object == f"operation:{operation.id}"
    assert event.data["totals"].get("update", 0) == len(bank) - len(left)


def test_a_tag_on_many_makes_a_revision_each_and_one_release(
    session: Session, bank: dict[str, Question], editor: User
) -> None:
    operation = do(session, "add_tag", list(bank.values()), by=editor, tag="web/new")
    for name, question in bank.items():
        revision = find_revision(session, question, question.latest_number)
        assert tags_of(question)[-1] == "web/new"
        assert decode(revision) == content_of(question)
        assert (revision.origin, revision.summary) == (Origin.bulk, "Added the tag web/new")
        assert revision.author_id == editor.id
        assert question.updated_at == LATER
        events = session.scalars(
            select(AuditEvent).where(
                AuditEvent.object == f"question:{question.uid}", AuditEvent.at == LATER
            )
        ).all()
        assert [event.action for event in events] == ["question.save"], name
        assert events[0].data["operation"] == operation.id
    release = session.get_one(Release, operation.release)
    assert release.summary == "Added the tag web/new: 1 question"
    changes = session.scalars(select(Change).filter_by(release=release.number)).all()
    assert [change.uid for change in changes] == [bank["live"].uid]


def test_a_change_goes_live_at_once_only_where_nothing_else_waits(
    session: Session, bank: dict[str, Question]
) -> None:
    do(session, "difficulty", [bank["live"], bank["changed"]], difficulty="hard")
    live, changed = bank["live"], bank["changed"]
    assert (live.published_number, live.latest_number) == (2, 2)
    assert (changed.published_number, changed.latest_number) == (1, 3)
    public = publication_of(session, live)
    assert public is not None
    assert (public.difficulty, public.revision) == (Difficulty.hard, 2)
    assert json.loads(public.document)["difficulty"] == "hard"
    waiting = publication_of(session, changed)
    assert waiting is not None
    assert waiting.difficulty is None
    assert json.loads(waiting.document)["context"] == ""


def test_the_shelf_follows_a_replaced_tag(session: Session, bank: dict[str, Question]) -> None:
    do(session, "replace_tag", [bank["live"], bank["changed"]], tag="http", other="web/http")
    counts = dict(session.execute(select(PublishedTag.slug, PublishedTag.questions)).all())
    # What readers see of the changed one still has the old tag.
    assert counts == {"flask": 1, "web": 1, "web/http": 1, "http": 1}
    assert tags_of(bank["changed"]) == ["web/http"]


def test_readers_see_texts_that_did_not_change_without_rendering_them_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = make_published(session, tags=["flask"])
    before = publication_of(session, question)
    assert before is not None
    html, text, summary = before.html, before.search_text, before.summary

    def refuse(*_: Any) -> None:
        raise AssertionError("rendered again")

    monkeypatch.setattr("cms.services.pagetexts.render_item", refuse)
    do(session, "add_tag", [question], tag="new")
    after = publication_of(session, question)
    assert after is not None
    assert (after.html, after.search_text, after.summary) == (html, text, summary)
    assert after.tags == ["flask", "new"]


def test_a_contributor_changes_only_what_was_never_published(
    session: Session, bank: dict[str, Question], contributor: User
) -> None:
    operation = do(session, "add_tag", list(bank.values()), by=contributor, tag="mine")
    refused = (
        "Only an editor may change a question that has been published. File a correction instead."
    )
    assert fates(operation) == [
        ("Draft?", "update", ""),
        ("Bare?", "update", ""),
        ("Warned?", "update", ""),
        ("Live?", "error", refused),
        ("Changed?", "error", refused),
        ("Retired?", "error", refused),
    ]
    assert operation.release is None


@pytest.mark.parametrize("verb", [n for n, v in bulk.VERBS.items() if v.role == Role.editor])
def test_a_verb_is_refused_to_whom_it_does_not_belong(
    session: Session, contributor: User, verb: str
) -> None:
    question = make_question(session)
    with pytest.raises(NotAllowed, match="Only an editor may do this"):
        bulk.begin(session, verb, [question.id], {}, by=contributor, at=LATER)


@pytest.mark.parametrize(
    ("verb", "arguments", "problem"),
    [
        ("explode", {}, "There is no such action."),
        ("add_tag", {}, "Name a tag, such as flask/basics."),
        ("add_tag", {"tag": "C++"}, "is not a tag's path"),
        ("remove_tag", {"tag": "nope"}, "There is no tag ‘nope’."),
        ("replace_tag", {"tag": "nope", "other": "flask"}, "There is no tag ‘nope’."),
        ("replace_tag", {"tag": "flask", "other": "FLASK"}, "Name two different tags."),
        ("difficulty", {"difficulty": "brutal"}, "Choose easy, medium, hard, or none."),
        ("review_by", {"review_by": "soon"}, "‘soon’ is not a day. Write it like 2027-01-31."),
        ("due_on", {"due_on": "soon"}, "‘soon’ is not a day. Write it like 2027-01-31."),
        ("assign", {"assignee": "Nobody"}, "There is no active account ‘Nobody’."),
        ("reviewer", {"reviewer": "Nobody"}, "There is no active account ‘Nobody’."),
        ("assign", {"assignee": "Gone"}, "There is no active account ‘Gone’."),
    ],
)
def test_an_argument_that_cannot_be_is_refused(
    session: Session, verb: str, arguments: dict[str, str], problem: str
) -> None:
    question = make_question(session, tags=["flask"])
    gone = accounts.add_user(session, "Gone", Role.editor, by=None, at=AT)
    accounts.disable(session, gone, by=None, at=AT)
    session.commit()
    with pytest.raises(CmsError) as refusal:
        bulk.begin(session, verb, [question.id], arguments, by=None, at=LATER)
    assert problem in str(refusal.value)


def test_nothing_chosen_is_nothing_to_do(session: Session) -> None:
    for ids in ([], [4711]):
        with pytest.raises(CmsError, match="Choose at least one question"):
            bulk.begin(session, "publish", ids, {}, by=None, at=LATER)


def test_care_is_set_and_taken_away(session: Session, editor: User) -> None:
    question = make_question(session)
    do(session, "review_by", [question], review_by="2027-01-31")
    do(session, "assign", [question], assignee="EDITH")
    assert (question.review_by, question.assignee) == (date(2027, 1, 31), editor)
    assert question.latest_number == 1
    do(session, "review_by", [question], review_by="")
    told = bulk.VERBS["assign"].tell(do(session, "assign", [question]).arguments)
    assert told == "Assigned to nobody"
    assert (question.review_by, question.assignee) == (None, None)


def test_submitting_and_acknowledging_move_what_they_should(
    session: Session, bank: dict[str, Question], editor: User
) -> None:
    do(session, "submit", [bank["draft"], bank["changed"]], by=editor)
    assert {bank["draft"].stage, bank["changed"].stage} == {Stage.in_review}
    do(session, "acknowledge", [bank["warned"]], by=editor)
    warning = session.scalars(select(ImportWarning)).one()
    assert (warning.acknowledged_at, warning.acknowledged_by_id) == (LATER, editor.id)


def test_an_operation_is_done_once(session: Session) -> None:
    operation = do(session, "add_tag", [make_question(session)], tag="new")
    with pytest.raises(WrongState, match="This was done already"):
        bulk.perform(session, operation, at=LATER)


def test_what_vanishes_between_asking_and_doing_is_named(session: Session) -> None:
    kept, gone = make_question(session, "Kept?"), make_question(session, "Gone?")
    operation = bulk.begin(session, "submit", [kept.id, gone.id], {}, by=None, at=AT)
    session.delete(gone)
    session.commit()
    bulk.perform(session, operation, at=LATER)
    assert fates(operation) == [
        ("Kept?", "update", ""),
        ("Gone?", "error", "It was deleted meanwhile."),
    ]


def performed_meanwhile(
    session: Session, operation: BulkOperation, change: Callable[[], None]
) -> None:
    """Perform an operation beside a change that is not committed yet: it has to wait for that."""
    session.commit()
    engine, key = session.get_bind(), operation.id
    assert isinstance(engine, Engine)

    def perform() -> None:
        with Session(engine) as other:
            bulk.perform(other, other.get_one(BulkOperation, key), at=LATER)
            other.commit()

    with ThreadPoolExecutor(1) as pool:
        change()
        session.flush()
        performing = pool.submit(perform)
        # Long enough for it to read all that it does not wait for.
        wait([performing], timeout=1)
        assert not performing.done()
        session.commit()
        performing.result()
    session.expire_all()


def test_what_vanishes_while_it_is_done_is_named(session: Session) -> None:
    gone = make_question(session, "Gone?")
    operation = bulk.begin(session, "submit", [gone.id], {}, by=None, at=AT)
    performed_meanwhile(session, operation, lambda: session.delete(gone))
    assert fates(operation) == [("Gone?", "error", "It was deleted meanwhile.")]


def test_a_warning_that_is_acknowledged_while_it_is_done_is_left_alone(
    session: Session, editor: User
) -> None:
    warning = make_warning(session, make_question(session))
    operation = bulk.begin(session, "acknowledge", [warning.question_id], {}, by=None, at=AT)
    performed_meanwhile(session, operation, lambda: acknowledge(session, warning, by=editor, at=AT))
    assert fates(operation) == [("What is a view?", "unchanged", "It has no open warning.")]
    assert warning.acknowledged_by == editor


def test_a_tag_that_vanishes_between_asking_and_doing_stops_it(session: Session) -> None:
    question = make_question(session, tags=["flask"])
    operation = bulk.begin(session, "remove_tag", [question.id], {"tag": "flask"}, by=None, at=AT)
    save(session, question, replace(content_of(question), tags=[]), seen_version=1, by=None, at=AT)
    delete_tag(session, session.scalars(select(Tag)).one(), by=None, at=AT)
    with pytest.raises(WrongState, match="‘flask’ was deleted, renamed or merged meanwhile"):
        bulk.perform(session, operation, at=LATER)


def test_a_selection_is_foreseen_before_anything_is_done(
    session: Session, bank: dict[str, Question]
) -> None:
    assert bulk.foresee(session, select(Question.id)) == bulk.Foresight(6, live=1, waiting=1)
    none = select(Question.id).where(Question.id < 0)
    assert bulk.foresee(session, none) == bulk.Foresight(0, live=0, waiting=0)


def test_more_questions_than_a_round_holds_are_one_operation(session: Session) -> None:
    first = make_published(session)
    values = {c.key: getattr(first, c.key) for c in Question.__table__.c if c.key != "id"}
    text = find_revision(session, first, 1)
    many = CHUNK + 3
    for number in range(many - 1):
        copy = Question(**values | {"uid": f"{number:036}", "slug": f"copy-{number}"})
        copy.published_number = None
        session.add(copy)
        session.flush()
        content = replace(decode(text), uid=copy.uid, slug=copy.slug, answers=[])
        session.add(_first_revision(copy, content))
    session.commit()
    operation = do(session, "add_tag", list(session.scalars(select(Question))), tag="all")
    done = select(func.count()).select_from(Revision).filter_by(origin=Origin.bulk)
    assert session.scalar(done) == many
    assert bulk.totals(session, [operation.id]) == {operation.id: {RowAction.update: many}}


def _first_revision(question: Question, content: Any) -> Revision:
    return Revision(
        question_id=question.id,
        number=1,
        content=msgspec.json.encode(content).decode(),
        content_hash="0" * 64,
        created_at=AT,
        origin=Origin.edit,
    )
