"""Restoring: what readers and subscribers of the replaced bank are told; nothing is used twice."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from cms.errors import NotFound
from cms.formats.item import DeckFilter, DeckItem
from cms.models import (
    AuditEvent,
    Base,
    Change,
    Correction,
    Job,
    LoginSession,
    OneTimeLink,
    Publication,
    Question,
    Release,
    Withdrawal,
)
from cms.services import accounts, logins, publichistory, search
from cms.services.backups import restoring
from cms.services.backups.checking import checked
from cms.services.backups.restoring import restore
from cms.services.corrections import open_correction
from cms.services.deciding import accept
from cms.services.decks import save_deck
from cms.services.jobs import enqueue, work_one
from cms.services.merging import merge
from cms.services.publicdecks import deck_news
from cms.services.publishing import publish, retire, unretire
from cms.services.purging import purge
from cms.services.reading import Moved, PublicQuestion, Withdrawn, find_question
from cms.services.releases import release_number
from cms.vocabulary import CorrectionKind, DeckChangeKind, JobState, Role
from tests.factories import AT, make_bank, make_published, make_question
from tests.services.backups.bench import LATER, TODAY, Bench, shelf


@pytest.fixture
def bench(app: Flask, session: Session, tmp_path: Path, sqlite_template: Path) -> Bench:
    """A bank of its own with a backup's place beside it."""
    return Bench(app, session, tmp_path, sqlite_template)


def held_by(document: dict[str, Any]) -> dict[str, Any]:
    return {question["uid"]: question for question in document["questions"]}


Held = tuple[int, dict[str, Any], dict[str, Any]]
"""The release, the selection and the document of an export."""
SELECTIONS: list[dict[str, Any]] = [{}, {"tags": ("flask",)}, {"deck": "first"}]


@pytest.mark.parametrize("seed", [7])
def test_subscribers_of_any_release_come_to_what_the_restored_bank_holds(
    bench: Bench, seed: int
) -> None:
    """Both of the timeline that was replaced and of the one that was restored."""
    chance = random.Random(seed)
    session = bench.session
    held: list[Held] = []
    questions = [make_question(session, f"Question {n}?", tags=["flask"]) for n in range(4)]
    flask = [tag.uid for tag in questions[0].tags]
    publish(session, questions[:2], by=None, at=AT)
    filter = DeckFilter(all=["flask"])
    first = DeckItem(slug="first", title="First", filter=filter, questions=[questions[3].uid])
    save_deck(session, None, first, by=None, at=AT)
    session.commit()

    def everything() -> Iterator[Held]:
        """What a subscriber of each selection holds now, if there is such a thing."""
        for selection in SELECTIONS:
            with suppress(NotFound):
                yield release_number(session), selection, shelf(session, **selection)

    def walk(steps: int, name: str) -> None:
        for step in range(steps):
            question = chance.choice(questions)
            kind = chance.random()
            if kind < 0.2:
                questions.remove(question)
                alive = [each for each in questions if each.retired_at is None]
                if alive and kind < 0.1:
                    into = chance.choice(alive)
                    seen = question.latest_number, into.latest_number
                    merge(session, question, into, seen=seen, by=None, at=LATER)
                else:
                    purge(session, question, reason="A wish.", by=None, at=LATER)
                questions.append(make_question(session, f"{name} {step}?", tags=["flask"]))
            elif question.retired_at is not None:
                unretire(session, question, by=None, at=LATER)
            elif question.published_number is not None and kind < 0.5:
                retire(session, [question], by=None, at=LATER)
            else:
                bench.save(question, context=f"{kind}", tags=chance.choice([[], flask]))
            session.commit()
            held.extend(everything())

    walk(6, "Early")
    bench.back_up()
    walk(9, "Late")
    before = release_number(session)
    assert bench.restore().release == before + 1 == release_number(session)
    now = list(everything())
    for since, selection, document in held:
        full = [whole for _, asked, whole in now if asked == selection]
        if not full:
            continue
        step = shelf(session, **selection, since=since)
        replayed = held_by(document)
        for gone in step["withdrawn"]:
            replayed.pop(gone["uid"], None)
        replayed |= held_by(step)
        assert replayed == held_by(full[0]), (since, selection)


def test_every_question_counts_as_changed_but_keeps_its_date_and_its_words(bench: Bench) -> None:
    make_bank(bench.session)
    before = shelf(bench.session)
    bench.back_up()
    changed = bench.session.scalars(select(Question).where(Question.slug == "what-is-http")).one()
    uid = changed.uid
    bench.save(changed, context="Of the web.")
    newer = release_number(bench.session)
    bench.restore()
    after = shelf(bench.session)
    assert after["bank"]["release"] == newer + 1
    assert {question["release"] for question in after["questions"]} == {newer + 1}
    for document in (before, after):
        document.pop("bank")
        for question in document["questions"]:
            question.pop("release")
    assert after == before
    # The history of a question tells readers where its text went back, and of no other.
    session = bench.session
    told = {
        uid: [change.what for change in publichistory.question_changes(session, uid, limit=1)]
        for uid in session.scalars(select(Publication.uid))
    }
    rows = session.execute(select(Change.uid, Change.what).where(Change.release == newer + 1))
    back = {uid for uid, what in rows if what == "published"}
    assert back == {uid}
    assert told[uid] == ["published"]


def test_into_a_bank_that_published_nothing_releases_stay_as_they_were(
    bench: Bench, empty_session: Session
) -> None:
    make_bank(bench.session)
    before = shelf(bench.session)
    bench.back_up()
    make_question(empty_session, "A draft of the bank that is replaced?")
    other = empty_session.get_bind()
    assert isinstance(other, Engine)
    empty_session.close()
    with checked(bench.file, bench.migrations) as backup:
        assert restore(other, backup, at=TODAY).release == before["bank"]["release"]
    assert shelf(empty_session) == before
    assert (
        empty_session.scalars(select(Question.stem).order_by(Question.id)).all()[-1] == "A draft?"
    )


def test_addresses_that_were_public_lead_on_or_say_that_they_are_gone(bench: Bench) -> None:
    session = bench.session
    moved = make_published(session, "Where was it?", tags=["flask"])
    make_published(session, "What holds a view?")
    retired = make_published(session, "Retired since?")
    bench.back_up()
    bench.save(moved, slug="where-it-is-now")
    late = make_published(session, "What came late?").uid
    retire(session, [retired], by=None, at=LATER)
    bench.restore()
    assert isinstance(find_question(session, "where-was-it"), PublicQuestion)
    assert find_question(session, "where-it-is-now") == Moved("where-was-it")
    gone = find_question(session, "what-came-late")
    assert isinstance(gone, Withdrawn)
    assert "restored to an earlier state" in gone.reason
    assert isinstance(find_question(session, "retired-since"), PublicQuestion)
    assert session.get(Withdrawal, late) is not None


def test_what_was_brought_back_since_counts_as_withdrawn_again(bench: Bench) -> None:
    """Its tombstone is older than what subscribers of the replaced bank have."""
    session = bench.session
    question = make_published(session, "Now and then?")
    gone = make_published(session, "Gone for long?")
    for each in (question, gone):
        retire(session, [each], by=None, at=LATER)
    uid = question.uid
    bench.back_up()
    unretire(session, question, by=None, at=LATER)
    publish(session, [question], by=None, at=LATER)
    session.commit()
    since = release_number(session)
    bench.restore()
    # What both banks had told of before is not told again.
    assert shelf(session, since=since)["withdrawn"] == [
        {"uid": uid, "release": since + 1, "merged_into": None}
    ]
    assert session.get_one(Withdrawal, uid).release == since + 1


def test_a_withdrawn_question_whose_address_is_taken_gets_another(
    bench: Bench, empty_session: Session
) -> None:
    """The backup is of another bank, which asks the same under the same address."""
    make_published(bench.session, "What is a view?", body="Another bank's answer.")
    bench.back_up()
    ours = make_published(empty_session, "What is a view?").uid
    bench.session, other = empty_session, bench.session
    other.close()
    bench.restore()
    found = find_question(empty_session, "what-is-a-view")
    assert isinstance(found, PublicQuestion)
    assert found.uid != ours
    tombstone = empty_session.get_one(Withdrawal, ours)
    assert tombstone.slug == f"withdrawn-{ours}"


def test_what_a_deck_lost_and_got_back_is_told(bench: Bench) -> None:
    session = bench.session
    make_published(session, "One?", tags=["flask"])
    lost = make_published(session, "Two?", tags=["flask"])
    item = DeckItem(slug="first", title="First", filter=DeckFilter(all=["flask"]))
    save_deck(session, None, item, by=None, at=AT)
    bench.back_up()
    since = release_number(session)
    bench.save(lost, tags=[])
    make_published(session, "Three?", tags=["flask"])
    bench.restore()
    news = deck_news(session, "first", since + 2)
    named = {kind: {q.stem for q in questions} for kind, questions in news.named.items()}
    assert named == {
        DeckChangeKind.changed: {"One?"},
        DeckChangeKind.added: {"Two?"},
        DeckChangeKind.withdrawn: {"Three?"},
    }


# These say what a release of the past did; a restore adds to them.
HISTORY = {"bulk_operation", "change", "deck_change", "revision", "withdrawal"}


def test_every_column_that_names_the_release_of_a_public_row_is_known() -> None:
    found = {
        (table.name, column.name)
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name in {"release", "changed_in"} and table.name not in HISTORY
    }
    known = {(table, name) for table, names in restoring.RELEASED.items() for name in names}
    assert found == known
    assert set(Base.metadata.tables) >= restoring.NOT_RESTORED


def test_whoever_began_to_read_reads_on_in_the_bank_that_was(
    bench: Bench, read_session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restoring, "READERS_MILLISECONDS", 1)
    make_published(bench.session, "First?")
    bench.back_up()
    make_published(bench.session, "Second?")
    stems = select(Publication.stem).order_by(Publication.id)
    assert release_number(read_session) == 2
    bench.restore()
    assert read_session.scalars(stems).all() == ["First?", "Second?"]
    assert release_number(read_session) == 2
    read_session.rollback()
    assert (release_number(read_session), read_session.scalars(stems).all()) == (3, ["First?"])


# --- what is never used twice ---------------------------------------------------------


def test_no_id_and_no_number_of_a_correction_is_given_twice(bench: Bench) -> None:
    session = bench.session

    def corrected(question: Question) -> Correction:
        correction = open_correction(
            session, question, kind=CorrectionKind.factual, claim="Wrong.", by=None, at=AT
        )
        accept(session, correction, fixed_in=1, by=None, at=AT)
        publish(session, [question], by=None, at=AT)
        session.commit()
        return correction

    first = corrected(make_published(session, "First?"))
    bench.back_up()
    late = make_published(session, "Late?")
    second = corrected(late)
    taken = late.id, second.id, second.number
    assert (first.number, second.number) == (1, 2)
    bench.restore()
    anew = make_published(session, "Anew?")
    third = corrected(anew)
    assert anew.id > taken[0]
    assert third.id > taken[1]
    assert third.number == 3
    # The restore after that remembers it, too.
    bench.restore()
    assert corrected(make_published(session, "Once more?")).number == 4


# --- people and jobs ------------------------------------------------------------------


def test_no_session_and_no_link_of_either_bank_lives_on(bench: Bench) -> None:
    session = bench.session
    ada = accounts.add_user(session, "Ada", Role.admin, by=None, at=AT)
    old = logins.start_session(session, ada, at=AT)
    accounts.issue_link(session, ada, by=None, at=AT)
    bench.back_up()
    accounts.add_user(session, "Mallory", Role.contributor, by=None, at=AT)
    new = logins.start_session(session, ada, at=AT)
    assert logins.session_user(session, old, at=AT) is not None
    bench.restore()
    for token in (old, new):
        assert logins.session_user(session, token, at=AT) is None
    assert session.scalar(select(func.count()).select_from(LoginSession)) == 0
    assert session.scalar(select(func.count()).select_from(OneTimeLink)) == 0
    assert [user.name for user in accounts.list_users(session)] == ["Ada"]


def test_a_job_that_ran_in_the_backup_begins_anew(bench: Bench) -> None:
    session = bench.session
    job = enqueue(session, "count", {}, by=None, at=AT)
    job.state, job.attempts, job.lease_until = JobState.running, 2, TODAY + timedelta(days=9)
    key = job.id
    bench.back_up()
    bench.restore()
    done = []

    def count(attempt: Any) -> None:
        done.append(attempt.id)
        with attempt.finishing():
            pass

    assert work_one(bench.engine, {"count": count})
    assert done == [key]


def test_a_worker_of_the_replaced_bank_writes_nothing_into_the_other_one(bench: Bench) -> None:
    """Its job is not in the backup, and the next one must not have its number."""
    session = bench.session
    bench.back_up()
    key = enqueue(session, "publish", {}, by=None, at=AT).id
    session.commit()

    def publish_late(attempt: Any) -> None:
        bench.restore()
        again = enqueue(session, "other", {}, by=None, at=AT)
        again.state, again.attempts = JobState.running, 1
        assert again.id != key
        session.commit()
        with attempt.finishing() as inner:
            make_question(inner, "Written into the wrong bank?")

    assert work_one(bench.engine, {"publish": publish_late})
    assert session.scalar(select(func.count()).select_from(Question)) == 0
    assert session.get_one(Job, key).state == JobState.failed


# --- what is written down, and what is at work again ------------------------------------


def test_the_audit_tells_of_it_and_stays_closed(bench: Bench) -> None:
    session = bench.session
    make_published(session)
    bench.back_up()
    make_published(session, "Another?")
    bench.restore()
    event = session.scalars(select(AuditEvent).order_by(AuditEvent.id.desc())).first()
    assert event is not None
    assert (event.action, event.object, event.at) == ("bank.restore", "release:3", TODAY)
    assert event.data == {
        "file": "bank.db",
        "release": 1,
        "replaced": 2,
        "highest_correction": 0,
    }
    assert session.get_one(Release, 3).summary == "Restored from a backup"
    with pytest.raises(Exception, match="append-only"):
        session.execute(update(AuditEvent).values(action="nothing"))
    session.rollback()


def test_search_finds_what_is_there_now_alone(bench: Bench) -> None:
    session = bench.session
    make_published(session, "What is a blueprint?")
    bench.back_up()
    make_published(session, "What is a teapot?")
    bench.restore()
    assert search.ranked(session, Publication, "blueprint")
    assert not search.ranked(session, Publication, "teapot")
    # The index follows what is written from here on.
    make_published(session, "What is a samovar?")
    assert search.ranked(session, Publication, "samovar")


def test_what_was_purged_since_the_backup_is_named_when_it_comes_back(bench: Bench) -> None:
    session = bench.session
    question = make_published(session, "Whose address is this?")
    uid = question.uid
    bench.back_up()
    purge(session, question, reason="A wish.", by=None, at=LATER)
    assert bench.restore().purged_again == [(uid, "Whose address is this?")]
