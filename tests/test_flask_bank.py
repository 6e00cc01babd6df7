"""The curated Flask bank in fixtures/flask keeps its own rules, and its code runs."""

from __future__ import annotations

import os
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from markdown_it import MarkdownIt
from sqlalchemy import select

from cms import create_app
from cms.cli.folders import packed_folder
from cms.extensions import db
from cms.formats import FORMATS, detect
from cms.formats.item import AnswerItem, CorrectionItem, Item
from cms.formats.markdown import MARKDOWN
from cms.formats.markdown.bank import read
from cms.markup import Sample, samples
from cms.models import ImportWarning, Publication, SampleRun
from cms.services.releases import release_number
from cms.text import normalize_body, normalize_line
from cms.vocabulary import CorrectionStatus
from tests.conftest import ROOT, SECRET, SHARED_SEED, dispose, empty_bank

ARTICLES = sorted(SHARED_SEED.glob("*.txt"))
ARTICLE_TITLE = "Top 40 Flask Interview Questions and Answers"
# Where a claim may be proven: projects' documentation and repositories, standards, and the
# few other sites that the bank cites. A new one is added here by decision, not by accident.
PROOF = re.compile(
    r"https://([\w-]+\.(palletsprojects|readthedocs)\.(com|io)|github\.com|(docs|peps)\.python\.org"
    r"|www\.rfc-editor\.org|docs\.djangoproject\.com|(docs|alembic)\.sqlalchemy\.org|socket\.io"
    r"|vite\.dev|gunicorn\.org|cheatsheetseries\.owasp\.org|www\.sqlite\.org|www\.ics\.uci\.edu"
    r"|nodejs\.org|docs\.aws\.amazon\.com|developer\.mozilla\.org|csrc\.nist\.gov)/"
)
# More than `verify` gives by itself: the suite keeps every core busy.
SAMPLE_SECONDS = 60

FOLDER = ROOT / "fixtures" / "flask"
UPLOAD = packed_folder(FOLDER, MARKDOWN.folder) if MARKDOWN.folder else None
assert UPLOAD is not None
READING = read(UPLOAD)
ROWS = list(READING.rows)
QUESTIONS = [row.item for row in ROWS if row.item is not None]
CORRECTIONS = [correction for question in QUESTIONS for correction in question.corrections]


def answers() -> Iterator[AnswerItem]:
    for question in QUESTIONS:
        yield from question.answers


def prose_words(body: str) -> int:
    """Count the words of a Markdown text outside its code blocks."""
    tokens = MarkdownIt().parse(body)
    return sum(len(token.content.split()) for token in tokens if token.type == "inline")


def samples_of(question: Item) -> list[Sample]:
    return [sample for answer in question.answers for sample in samples(answer.body)]


def texts() -> Iterator[tuple[str, str]]:
    """Yield (place, text) for all prose and code of the bank, without the questions' titles."""
    for tag in READING.tags:
        yield f"tag {tag.slug}", tag.description
    for deck in READING.decks:
        yield f"deck {deck.slug}", deck.description
    for question in QUESTIONS:
        yield question.slug or "", question.context
        for answer in question.answers:
            yield f"{question.slug}, answer '{answer.label}'", answer.body
        for option in question.options:
            yield f"{question.slug}, an option", f"{option.text} {option.feedback}"
        for correction in question.corrections:
            place = f"{question.slug}, correction {correction.number}"
            yield place, f"{correction.claim} {correction.explanation} {correction.fix}"


def runs_of_words(text: str, length: int = 10) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


SAMPLES = [sample for question in QUESTIONS for sample in samples_of(question)]


def slug_id(question: Item) -> str:
    return question.slug or ""


each_question = pytest.mark.parametrize("question", QUESTIONS, ids=slug_id)
each_correction = pytest.mark.parametrize(
    "correction", CORRECTIONS, ids=lambda correction: str(correction.number)
)


def test_the_folder_is_a_bank_of_forty_questions_and_a_readme() -> None:
    assert UPLOAD is not None
    assert detect(UPLOAD) is FORMATS["markdown"]
    assert [(row.place, row.error, row.damages) for row in ROWS if row.error or row.damages] == []
    assert READING.notes == ["Left out, because no question stands there: README.md."]
    assert len(QUESTIONS) == 40
    assert READING.tags
    assert READING.decks


def test_every_uid_is_a_uuid_7_and_used_once() -> None:
    uids = Counter(tag.uid for tag in READING.tags)
    for each in (QUESTIONS, answers(), CORRECTIONS):
        uids.update(thing.uid for thing in each)
    assert [uid for uid, count in uids.items() if count > 1] == []
    assert [uid for uid in uids if uid is None or uuid.UUID(uid).version != 7] == []


def test_slugs_are_plain_and_used_once() -> None:
    slugs = Counter(question.slug for question in QUESTIONS)
    assert [slug for slug, count in slugs.items() if count > 1] == []
    assert [slug for slug in slugs if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug or "")] == []


def test_questions_stand_in_the_order_of_the_article_that_they_come_from() -> None:
    origins = [question.provenance for question in QUESTIONS if question.provenance]
    assert {(origin.source, origin.date) for origin in origins} == {(ARTICLE_TITLE, "2024-06-15")}
    assert [origin.ordinal for origin in origins] == [*range(1, 41)]


def test_corrections_are_numbered_from_1_without_gaps() -> None:
    assert [correction.number for correction in CORRECTIONS] == [*range(1, len(CORRECTIONS) + 1)]


@each_correction
def test_a_correction_is_decided_explained_and_proved(correction: CorrectionItem) -> None:
    assert correction.status is CorrectionStatus.accepted
    assert correction.decided_at is not None
    assert correction.fixed_in == 1
    assert correction.claim
    assert correction.explanation
    assert correction.fix
    assert correction.sources


def test_a_correction_points_to_the_canonical_answer_or_to_none() -> None:
    for question in QUESTIONS:
        for correction in question.corrections:
            assert correction.answer in (None, question.answers[0].uid), correction.number


@each_question
def test_a_canonical_answer_has_120_to_350_words_and_a_short_one_at_most_60(
    question: Item,
) -> None:
    canonical, short = question.answers
    assert (canonical.label, short.label) == ("", "Short")
    assert 120 <= prose_words(canonical.body) <= 350
    assert 1 <= prose_words(short.body) <= 60


def test_options_are_right_and_wrong_ones_with_a_reason_for_each() -> None:
    asked = [question for question in QUESTIONS if question.options]
    assert len(asked) >= 4
    for question in asked:
        assert {option.correct for option in question.options} == {True, False}
        assert all(option.feedback for option in question.options)
        assert len({option.text for option in question.options}) == len(question.options)


@each_question
def test_a_question_has_a_difficulty_and_says_to_which_versions_it_applies(question: Item) -> None:
    assert question.difficulty is not None
    assert all(answer.applies_to for answer in question.answers)


@each_question
def test_a_question_has_two_to_four_declared_tags(question: Item) -> None:
    assert 2 <= len(set(question.tags)) == len(question.tags) <= 4
    assert set(question.tags) <= {tag.slug for tag in READING.tags}


def test_every_tag_is_described_and_has_its_parent_declared() -> None:
    slugs = [tag.slug for tag in READING.tags]
    assert len(slugs) == len(set(slugs))
    for tag in READING.tags:
        assert tag.name
        assert tag.description.endswith(".")
        parent, _, _ = tag.slug.rpartition("/")
        assert not parent or parent in slugs, tag.slug


def test_every_tag_is_used() -> None:
    used = {slug for question in QUESTIONS for slug in question.tags}
    idle = [
        tag.slug
        for tag in READING.tags
        if not any(f"{u}/".startswith(f"{tag.slug}/") for u in used)
    ]
    assert idle == []


def test_decks_hold_questions_of_the_bank_each_once() -> None:
    uids = {question.uid for question in QUESTIONS}
    assert READING.decks
    for deck in READING.decks:
        assert deck.description
        assert deck.questions
        assert len(deck.questions) == len(set(deck.questions))
        assert set(deck.questions) <= uids


def test_every_source_is_a_dated_https_page_with_a_title_and_no_package_registry() -> None:
    citations = [answer.sources for answer in answers()]
    citations += [correction.sources for correction in CORRECTIONS]
    for sources in citations:
        assert sources
        for source in sources:
            assert PROOF.match(source.url), source.url
            assert source.title
            assert source.accessed_on is not None


def test_every_answer_cites_a_section_and_not_only_a_page() -> None:
    bare = [
        (question.slug, answer.label)
        for question in QUESTIONS
        for answer in question.answers
        if not any("#" in source.url for source in answer.sources)
    ]
    assert bare == []


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.name)
def test_a_file_has_plain_line_ends_and_no_spaces_before_them(path: Path) -> None:
    text = path.read_bytes().decode()
    assert text == normalize_body(text) + "\n"
    assert not re.search(r"[ \t]+$", text, re.MULTILINE)


def test_all_short_text_is_on_one_line() -> None:
    lines = [question.stem for question in QUESTIONS]
    for correction in CORRECTIONS:
        lines += [correction.claim, correction.explanation, correction.fix]
    assert [line for line in lines if line != normalize_line(line)] == []


def test_most_questions_have_a_sample_and_each_sample_shows_what_it_prints() -> None:
    assert sum(bool(samples_of(question)) for question in QUESTIONS) >= 25
    assert [sample.code for sample in SAMPLES if not sample.expected] == []


@pytest.fixture
def published_bank(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Flask]:
    """A bank with these questions on its shelf; one kind of database is enough for its content."""
    with empty_bank(request, "sqlite") as url:
        app = create_app({"DATABASE_URL": url, "SECRET_KEY": SECRET, "TESTING": True})
        result = app.test_cli_runner().invoke(args=["import", str(FOLDER), "--publish"])
        assert result.exit_code == 0, result.output
        yield app
        dispose(app)


def verify(app: Flask, *words: str) -> tuple[int, list[str]]:
    """Run the command; return its exit status and what it prints."""
    jobs = str(max(2, os.cpu_count() or 1))
    arguments = ["verify", "--timeout", str(SAMPLE_SECONDS), "--jobs", jobs, *words]
    result = app.test_cli_runner().invoke(args=arguments)
    return result.exit_code, result.stdout.splitlines()


def test_the_bank_goes_public_whole_and_verify_proves_every_sample(published_bank: Flask) -> None:
    with published_bank.app_context():
        assert db.session.query(Publication).count() == 40
        assert db.session.query(ImportWarning).count() == 0
    again = published_bank.test_cli_runner().invoke(args=["import", str(FOLDER), "--publish"])
    assert "40 questions: 0 create, 0 update, 40 unchanged" in again.stdout
    with published_bank.app_context():
        assert release_number(db.session()) == 1

    status, lines = verify(published_bank)
    count = len(SAMPLES)
    assert lines == [
        f"{count} samples of {count} questions: {count} passed, 0 failed.",
        f"The pages of {count} questions changed: release 2.",
    ]
    assert status == 0
    with published_bank.app_context():
        runs = db.session.scalars(select(SampleRun)).all()
        assert len(runs) == count
        assert {name for run in runs for name in run.packages} >= {"Flask", "SQLAlchemy"}


def test_a_sample_that_is_broken_on_purpose_fails_and_the_line_is_named(
    published_bank: Flask, tmp_path: Path
) -> None:
    text = (FOLDER / "routing.md").read_text()
    broken = text.replace('@app.get("/posts/new")', '@app.get("/posts/old")')
    assert broken != text
    (tmp_path / "routing.md").write_text(broken)
    runner = published_bank.test_cli_runner()
    assert runner.invoke(args=["import", str(tmp_path / "routing.md"), "--publish"]).exit_code == 0
    status, lines = verify(published_bank, "--tag", "flask/routing")
    assert status == 1
    [answer, *_] = next(q for q in QUESTIONS if q.slug == "routing").answers
    first = answer.body.splitlines().index("/posts/new {'view': 'new'}") + 1
    assert lines[0] == (
        f"routing\tanswer 1\tsample 1\tline {first}\t"
        "Expected “/posts/new {'view': 'new'}”, "
        "got “/posts/new {'slug': 'new', 'view': 'by_slug'}”."
    )
    assert lines[1].endswith(", 1 failed.")


@pytest.mark.skipif(not ARTICLES, reason="the article ../shared/seed/*.txt is not at hand")
def test_no_run_of_ten_words_is_shared_with_the_article() -> None:
    article = set().union(*(runs_of_words(path.read_text("utf-8")) for path in ARTICLES))
    shared = {place: runs_of_words(text) & article for place, text in texts()}
    assert {place: runs for place, runs in shared.items() if runs} == {}
