"""The queues: what waits is counted up to a limit, in one query."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from cms.models import Question, SampleRun
from cms.services import comments, queues
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import reject
from cms.services.publishing import publish, retire
from cms.services.questions import save, submit
from cms.services.warnings import acknowledge
from cms.vocabulary import CorrectionKind
from tests.factories import AT, content, make_published, make_question, make_warning


def waiting(session: Session) -> dict[str, list[str]]:
    """The stems in each queue that is not empty."""
    found = {
        name: list(session.scalars(select(Question.stem).where(queue.condition())))
        for name, queue in queues.QUEUES.items()
    }
    assert queues.counts(session) == {name: len(stems) for name, stems in found.items()}
    return {name: stems for name, stems in found.items() if stems}


def test_nothing_waits_in_an_empty_bank_or_one_in_order(session: Session) -> None:
    assert waiting(session) == {}
    make_published(session)
    assert waiting(session) == {}


def test_a_question_waits_until_somebody_acts(session: Session) -> None:
    question = make_question(session)
    submit(session, question, by=None, at=AT)
    assert waiting(session) == {"review": [question.stem]}
    publish(session, [question], by=None, at=AT)
    assert waiting(session) == {}
    save(session, question, content("Changed?"), seen_version=1, by=None, at=AT)
    assert waiting(session) == {"unpublished": ["Changed?"]}
    retire(session, [question], by=None, at=AT)
    assert waiting(session) == {}


def test_a_warning_and_a_correction_wait_until_they_are_decided(session: Session) -> None:
    question = make_question(session)
    warning = make_warning(session, question)
    correction = open_correction(
        session, question, kind=CorrectionKind.factual, claim="No.", by=None, at=AT
    )
    assert set(waiting(session)) == {"warnings", "corrections"}
    acknowledge(session, warning, by=None, at=AT)
    reject(session, correction, reason="It is right.", by=None, at=AT)
    assert waiting(session) == {}


@pytest.mark.parametrize("answers", [[], None], ids=["no answer", "no source"])
def test_what_cites_nothing_waits_for_a_source(session: Session, answers: list[str] | None) -> None:
    question = make_question(session, answers=[]) if answers == [] else make_question(session)
    bare = replace(
        content_of(question), answers=[replace(a, sources=[]) for a in content_of(question).answers]
    )
    save(session, question, bare, seen_version=1, by=None, at=AT)
    expected = {"unsourced": [question.stem]}
    assert waiting(session) == expected | ({"unanswered": [question.stem]} if answers == [] else {})


def test_counting_stops_at_the_limit(session: Session) -> None:
    for number in range(queues.COUNTED + 5):
        session.add(
            Question(slug=f"q-{number}", stem="?", created_at=AT, updated_at=AT, latest_number=1)
        )
    session.flush()
    assert queues.counts(session)["unsourced"] == queues.COUNTED


def test_what_is_late_or_talked_about_waits(session: Session) -> None:
    question = make_question(session)
    question.due_on = question.review_by = queues.today()
    session.flush()
    assert waiting(session) == {}
    question.due_on = question.review_by = queues.today() - timedelta(days=1)
    thread = comments.post(session, question, "Is it so?", by=None, at=AT)
    assert set(waiting(session)) == {"overdue", "past_review", "comments"}
    comments.resolve(session, thread, by=None, at=AT)
    publish(session, [question], by=None, at=AT)
    assert set(waiting(session)) == {"past_review"}
    retire(session, [question], by=None, at=AT)
    assert waiting(session) == {}


def test_failed_code_and_dead_sources_wait_while_a_question_is_alive(session: Session) -> None:
    question = make_published(session)
    answer = question.answers[0]
    run = SampleRun(
        question_id=question.id,
        answer_uid=answer.uid,
        position=0,
        code_hash="0" * 64,
        passed=False,
        python="3.13",
        ran_at=AT,
    )
    session.add(run)
    answer.sources[0].problem = "It answered with status 404."
    session.flush()
    assert set(waiting(session)) == {"failing", "dead_links"}
    run.passed, answer.sources[0].problem = True, None
    session.flush()
    assert waiting(session) == {}
    run.passed, answer.sources[0].problem = False, "It answered with status 404."
    retire(session, [question], by=None, at=AT)
    assert waiting(session) == {}


@pytest.mark.parametrize(
    ("name", "index"), [("failing", "ix_sample_run_failed"), ("dead_links", "ix_source_problem")]
)
def test_what_was_checked_is_found_by_the_few_that_failed(
    session: Session, name: str, index: str
) -> None:
    statement = select(Question.id).where(queues.QUEUES[name].condition()).limit(100)
    sql = statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN QUERY PLAN"
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET LOCAL enable_seqscan = off"))
        explain = "EXPLAIN"
    plan = " ".join(str(row[-1]) for row in session.execute(text(f"{explain} {sql}")))
    assert index in plan


@pytest.mark.parametrize("name", queues.QUEUES)
def test_no_queue_reads_the_whole_bank(session: Session, name: str) -> None:
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    statement = select(Question.id).where(queues.QUEUES[name].condition()).limit(100)
    sql = statement.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
    if not on_sqlite:
        # A small table is read as a whole, whatever it has, unless that is the last resort.
        session.execute(text("SET LOCAL enable_seqscan = off"))
        lines = session.scalars(text(f"EXPLAIN {sql}")).all()
        assert not [line for line in lines if "Seq Scan on question" in line], lines
        return
    plan = [row[3] for row in session.execute(text(f"EXPLAIN QUERY PLAN {sql}"))]
    assert not [step for step in plan if step.startswith("SCAN") and "INDEX" not in step], plan
    # All that are not merged are nearly the whole bank.
    assert not [step for step in plan if "merged_into_id" in step], plan


INDEXES = {
    "unpublished": "ix_question_unpublished",
    "scheduled": "ix_question_scheduled",
    "overdue": "ix_question_due",
    "past_review": "ix_question_to_review",
    "unanswered": "ix_question_unanswered",
    "unsourced": "ix_question_uncited",
}


def test_a_queue_is_listed_along_its_own_index(session: Session) -> None:
    """The newest page of a queue, read in its order: neither the bank nor the queue is sorted."""
    on_sqlite = session.get_bind().dialect.name == "sqlite"
    if not on_sqlite:
        # In a small table nothing else tells the planner what a large one does.
        session.execute(text("SET LOCAL enable_seqscan = off"))
        session.execute(text("SET LOCAL enable_sort = off"))
    plans = {}
    for name in INDEXES:
        page = (
            select(Question.id)
            .where(queues.QUEUES[name].condition())
            .order_by(Question.updated_at.desc(), Question.id.desc())
            .limit(50)
        )
        sql = page.compile(session.get_bind(), compile_kwargs={"literal_binds": True})
        rows = session.execute(text(f"{'EXPLAIN QUERY PLAN' if on_sqlite else 'EXPLAIN'} {sql}"))
        plans[name] = " ".join(str(row[-1]) for row in rows)
    assert {name: INDEXES[name] in plan.split() for name, plan in plans.items()} == dict.fromkeys(
        INDEXES, True
    ), plans
