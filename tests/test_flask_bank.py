"""The curated Flask bank in fixtures/flask keeps its own rules, and its code runs."""

from __future__ import annotations

import re
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from cms.cli.folders import packed_folder
from cms.formats import FORMATS, detect
from cms.formats.item import AnswerItem, CorrectionItem, Item
from cms.formats.markdown import MARKDOWN
from cms.formats.markdown.bank import read
from cms.text import normalize_body, normalize_line
from cms.vocabulary import CorrectionStatus

ROOT = Path(__file__).parent.parent
ARTICLES = sorted((ROOT.parent / "shared" / "seed").glob("*.txt"))
ARTICLE_TITLE = "Top 40 Flask Interview Questions and Answers"
# Where a claim may be proven: projects' documentation and repositories, standards, and the
# few other sites that the bank cites. A new one is added here by decision, not by accident.
PROOF = re.compile(
    r"https://([\w-]+\.(palletsprojects|readthedocs)\.(com|io)|github\.com|(docs|peps)\.python\.org"
    r"|www\.rfc-editor\.org|docs\.djangoproject\.com|(docs|alembic)\.sqlalchemy\.org|socket\.io"
    r"|vite\.dev|gunicorn\.org|cheatsheetseries\.owasp\.org|www\.sqlite\.org|www\.ics\.uci\.edu"
    r"|nodejs\.org|docs\.aws\.amazon\.com|developer\.mozilla\.org|csrc\.nist\.gov)/"
)
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


def samples(question: Item) -> list[tuple[str, str | None]]:
    """Return (code, expected output) of every runnable block; None where no output follows."""
    found: list[tuple[str, str | None]] = []
    for answer in question.answers:
        tokens = MarkdownIt().parse(answer.body)
        for position, token in enumerate(tokens):
            if token.type == "fence" and token.info.strip() == "python run":
                following = tokens[position + 1 : position + 2]
                shown = [each.content for each in following if each.info.strip() == "output"]
                found.append((token.content, shown[0] if shown else None))
    return found


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
        for correction in question.corrections:
            place = f"{question.slug}, correction {correction.number}"
            yield place, f"{correction.claim} {correction.explanation} {correction.fix}"


def runs_of_words(text: str, length: int = 10) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.casefold())
    return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}


WITH_SAMPLES = [question for question in QUESTIONS if samples(question)]


def slug_id(question: Item) -> str:
    return question.slug or ""


each_question = pytest.mark.parametrize("question", QUESTIONS, ids=slug_id)
each_correction = pytest.mark.parametrize(
    "correction", CORRECTIONS, ids=lambda correction: str(correction.number)
)


def test_the_folder_is_a_bank_of_at_least_eight_questions_and_a_readme() -> None:
    assert UPLOAD is not None
    assert detect(UPLOAD) is FORMATS["markdown"]
    assert [(row.place, row.error, row.damages) for row in ROWS if row.error or row.damages] == []
    assert READING.notes == ["Left out, because no question stands there: README.md."]
    assert len(QUESTIONS) >= 8
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
    provenances = [question.provenance for question in QUESTIONS]
    assert {provenance.source for provenance in provenances if provenance} == {ARTICLE_TITLE}
    ordinals = [provenance.ordinal or 0 for provenance in provenances if provenance]
    assert len(ordinals) == len(QUESTIONS)
    assert ordinals == sorted(set(ordinals))
    assert set(ordinals) <= set(range(1, 41))


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


@pytest.mark.parametrize("question", WITH_SAMPLES, ids=slug_id)
def test_the_samples_print_exactly_the_output_that_is_shown(question: Item, tmp_path: Path) -> None:
    for code, expected in samples(question):
        assert expected is not None, "a runnable block needs an output block after it"
        child = subprocess.run(
            [sys.executable, "-I", "-"],
            input=code,
            cwd=tmp_path,
            env={},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=SAMPLE_SECONDS,
            check=False,
        )
        assert child.returncode == 0, child.stderr
        assert child.stdout == expected


def test_most_questions_have_a_runnable_sample() -> None:
    assert len(WITH_SAMPLES) >= len(QUESTIONS) * 5 // 8


@pytest.mark.skipif(not ARTICLES, reason="the article ../shared/seed/*.txt is not at hand")
def test_no_run_of_ten_words_is_shared_with_the_article() -> None:
    article = set().union(*(runs_of_words(path.read_text("utf-8")) for path in ARTICLES))
    shared = {place: runs_of_words(text) & article for place, text in texts()}
    assert {place: runs for place, runs in shared.items() if runs} == {}
