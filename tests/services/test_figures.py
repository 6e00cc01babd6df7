"""The bank in figures: what is counted, when it is counted anew, what is kept meanwhile."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import update
from sqlalchemy.orm import Session

from cms.extensions import db
from cms.models import Correction, Figures
from cms.services import figures
from cms.services.content import content_of
from cms.services.corrections import open_correction
from cms.services.deciding import hold, reject
from cms.services.publishing import retire
from cms.services.questions import save, submit
from cms.services.work import tidy
from cms.vocabulary import CorrectionKind
from tests.factories import AT, make_published, make_question


def some(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def test_a_question_counts_once_for_a_tag_and_for_each_status_that_it_has(session: Session) -> None:
    make_published(session, "One?", tags=["flask/cli", "flask/views", "http"], difficulty="easy")
    submit(session, make_question(session, "Two?", tags=["flask"]), by=None, at=AT)
    retire(session, [make_published(session, "Three?", tags=["http"])], by=None, at=AT)
    again = make_published(session, "Four?", difficulty="hard")
    changed = replace(content_of(again), context="Changed.")
    save(session, again, changed, seen_version=1, by=None, at=AT)
    submit(session, again, by=None, at=AT)
    found = figures.count(session, at=AT)
    assert (found.all.questions, some(found.all.by_status)) == (
        4,
        {"in_review": 2, "published": 2, "changed": 1, "retired": 1},
    )
    assert some(found.all.by_difficulty) == {"easy": 1, "hard": 1, "none": 2}
    assert some(found.all.published) == {"easy": 1, "hard": 1}
    assert {slug: tally.questions for slug, tally in found.tags.items()} == {"flask": 2, "http": 2}
    assert some(found.tags["flask"].by_status) == {"in_review": 1, "published": 1}
    assert some(found.tags["http"].published) == {"easy": 1}
    assert (found.untagged.questions, found.more_tags) == (1, 0)


def test_below_a_tag_that_has_the_whole_bank_its_children_are_counted(session: Session) -> None:
    make_question(session, "One?", tags=["python/web/flask", "python/web"])
    make_question(session, "Two?", tags=["python/typing"])
    make_question(session, "Three?", tags=["python/web"])
    found = figures.count(session, at=AT)
    assert [(slug, tally.questions) for slug, tally in found.tags.items()] == [
        ("python", 3),
        ("python/web", 2),
        ("python/typing", 1),
    ]


def test_of_many_tags_the_fullest_are_shown_and_the_others_are_counted(session: Session) -> None:
    tags = [f"tag-{number:02}" for number in range(figures.SHOWN_TAGS + 3)]
    make_question(session, "One?", tags=tags)
    make_question(session, "Two?", tags=tags[-1:])
    found = figures.count(session, at=AT)
    assert list(found.tags) == [tags[-1], *tags[: figures.SHOWN_TAGS - 1]]
    assert found.more_tags == 3


def test_an_empty_bank_has_nothing_to_count(session: Session) -> None:
    found = figures.count(session, at=AT)
    assert (found.all.questions, found.tags, found.untagged.questions) == (0, {}, 0)
    assert len(found.weeks) == figures.WEEKS
    assert not any(week.opened or week.decided for week in found.weeks)


def test_corrections_are_counted_in_the_weeks_of_their_filing_and_decision(
    session: Session,
) -> None:
    question = make_published(session)
    sunday = datetime(2026, 11, 15, 23, 59, 59, 999_999, tzinfo=UTC)
    monday = datetime(2026, 11, 16, tzinfo=UTC)
    long_ago = monday - timedelta(weeks=figures.WEEKS)

    def opened(at: datetime) -> Correction:
        kind = CorrectionKind.factual
        return open_correction(session, question, kind=kind, claim="No.", by=None, at=at)

    opened(sunday)
    reject(session, opened(monday), reason="It is right.", by=None, at=AT)
    hold(session, opened(monday), reason="Ask Ada.", by=None, at=AT)
    reject(session, opened(long_ago), reason="It is right.", by=None, at=sunday)
    found = figures.count(session, at=AT)
    assert found.weeks[-1].week == "2026-W47"
    assert found.weeks[0].week == "2026-W36"
    assert {week.week: (week.opened, week.decided) for week in found.weeks if week.opened} == {
        "2026-W46": (1, 1),
        "2026-W47": (2, 1),
    }
    assert found.open_corrections == 1


@pytest.mark.parametrize(
    "week", ["2026-W54", "2025-W53", "2026-W00", "2026W47", "26-W47", "0000-W01", "9999-W52", ""]
)
def test_what_is_no_week_is_refused(week: str) -> None:
    with pytest.raises(ValueError):
        figures.week_span(week)


def test_weeks_go_on_over_the_end_of_a_year() -> None:
    assert figures.weeks_until(date(2027, 1, 4))[-3:] == ["2026-W52", "2026-W53", "2027-W01"]


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bank of one question is large."""
    monkeypatch.setattr(figures, "COUNTED_AT_ONCE", 0)


def tidied(session: Session, at: datetime) -> bool:
    """Whether a worker had something to do; our own transaction would hold it up."""
    session.commit()
    return tidy(db.engine, at=at)


def shown(session: Session, at: datetime) -> tuple[int, datetime, bool] | None:
    session.rollback()
    found = figures.current(session, at=at)
    session.rollback()
    return (found.figures.all.questions, found.at, found.outdated) if found else None


def test_a_small_bank_is_counted_whenever_somebody_looks(session: Session) -> None:
    make_question(session, "One?")
    assert shown(session, AT) == (1, AT, False)
    while tidied(session, AT):
        pass
    assert session.get(Figures, 1) is None, "nobody needs to keep what costs nothing"
    make_question(session, "Two?")
    assert shown(session, AT) == (2, AT, False)


@pytest.mark.usefixtures("large")
def test_a_worker_counts_a_large_bank_after_something_was_done(session: Session) -> None:
    later = AT + figures.RENEWED_AFTER
    make_question(session, "One?")
    assert shown(session, AT) is None, "nobody counts it in a request"
    while tidied(session, AT):
        pass
    assert shown(session, AT) == (1, AT, False)
    make_question(session, "Two?")
    while tidied(session, later - timedelta(seconds=1)):
        pass
    assert shown(session, later) == (1, AT, True), "at most once a minute"
    while tidied(session, later):
        pass
    assert shown(session, later) == (2, later, False)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize(
    ("after", "due"),
    [
        (timedelta(minutes=59), False),
        (figures.RENEWED_ANYWAY, True),
        # AT is a Sunday morning: another week has other figures.
        (timedelta(hours=14, minutes=1), True),
    ],
)
def test_without_a_change_it_is_counted_by_the_hour_and_the_week(
    session: Session, after: timedelta, due: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if after > figures.RENEWED_ANYWAY:
        monkeypatch.setattr(figures, "RENEWED_ANYWAY", timedelta(days=30))
    make_question(session, "One?")
    figures.keep(session, figures.count(session, at=AT), at=AT)
    assert figures.is_due(session, at=AT + after) is due


def test_older_figures_never_take_the_place_of_newer_ones(session: Session) -> None:
    make_question(session, "One?")
    older = figures.count(session, at=AT)
    make_question(session, "Two?")
    newer, later = figures.count(session, at=AT), AT + timedelta(seconds=1)
    figures.keep(session, newer, at=later)
    figures.keep(session, older, at=AT)
    kept = session.get_one(Figures, 1)
    session.refresh(kept)
    assert (kept.counted_at, kept.event) == (later, newer.event)


@pytest.mark.usefixtures("large")
def test_figures_that_another_version_kept_are_counted_anew(session: Session) -> None:
    make_question(session, "One?")
    figures.keep(session, figures.count(session, at=AT), at=AT)
    session.execute(update(Figures).values(figures={"questions": 1}))
    assert figures.current(session, at=AT) is None
    assert figures.is_due(session, at=AT)
