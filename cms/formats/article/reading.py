"""Reading an article: its questions, in order, and what looks damaged."""

from __future__ import annotations

import itertools
import re
from pathlib import PurePath

from msgspec.structs import replace

from cms.errors import CmsError, UnreadableFile
from cms.formats.article import DROPS
from cms.formats.article.choosing import find_headings
from cms.formats.article.damage import find_damages
from cms.formats.article.inline import mark_code
from cms.formats.article.markdown import to_blocks
from cms.formats.article.page import Page, text_page
from cms.formats.article.segment import Article, Question, read_article
from cms.formats.article.webpage import looks_like_html, web_page
from cms.formats.checks import Gate
from cms.formats.encoding import decode
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import LINE_LIMIT, URL_LIMIT, URL_PATTERN, AnswerItem, Item, ProvenanceItem
from cms.text import normalize_body

_FEWEST_QUESTIONS = 2
_OTHER_EXTENSIONS = frozenset({".csv", ".tsv", ".json", ".jsonl", ".xml", ".yaml", ".yml"})
_JSON_START = re.compile(r"\s*(?:\{|\[\s*[\[{\"\]])")
_FRONT_MATTER = re.compile(r"\s*---\n(?:[^\n]*\n)*?(?:uid|stem|slug):")
_COLUMN_NAMES = frozenset({"uid", "stem", "slug", "question", "answer", "front", "back", "tags"})


def detect(upload: Upload) -> bool:
    """Whether a file is an article: text or HTML with at least two questions' headings."""
    if PurePath(upload.name).suffix.lower() in _OTHER_EXTENSIONS:
        return False
    try:
        text = decode(upload)
        if _is_data(text):
            return False
        return len(find_headings(_page(upload, text))) >= _FEWEST_QUESTIONS
    except CmsError:
        return False


def read(upload: Upload) -> Reading:
    """Read an article's questions, in order, each with its answer and its warnings.

    :raises UnreadableFile: if the bytes are no text, or no question is in it.
    """
    article = read_article(_page(upload, decode(upload)))
    if not article.questions:
        raise UnreadableFile(
            upload.name,
            "No question was found. An article's questions are lines such as 'Q 1. …', "
            "'Question 5: …', 'Q: …', '1) What …?' or headings that end with a question mark. "
            "Check that this is the right file, or name its format.",
        )
    source = (article.title or PurePath(upload.name).stem)[:LINE_LIMIT]
    # An address that the bank would refuse must not keep the questions out.
    sound = len(article.url) <= URL_LIMIT and re.fullmatch(URL_PATTERN, article.url)
    origin = ProvenanceItem(source=source, url=article.url if sound else "", date=article.date)
    ordinals = _ordinals(article)
    gate = Gate()
    rows = [
        _row(gate, question, replace(origin, ordinal=ordinal), markup=article.markup)
        for question, ordinal in zip(article.questions, ordinals, strict=True)
    ]
    return Reading(rows=rows, notes=article.notes)


def _page(upload: Upload, text: str) -> Page:
    if looks_like_html(text):
        return web_page(upload.name, text)
    return text_page(text)


def _is_data(text: str) -> bool:
    """Whether a text is JSON, a delimited table or a question of ours, whatever its name."""
    if _JSON_START.match(text) or _FRONT_MATTER.match(text[:4000]):
        return True
    first = text.lstrip().split("\n", maxsplit=1)[0][:1000]
    return any(
        len(_COLUMN_NAMES & {cell.strip(' "').lower() for cell in first.split(separator)}) > 1
        for separator in ",;\t"
    )


def _ordinals(article: Article) -> list[int]:
    """Return the article's own numbers if they rise all the way, else the positions."""
    numbers = [question.number for question in article.questions]
    own = [number for number in numbers if number is not None]
    if len(own) == len(numbers) and all(a < b for a, b in itertools.pairwise(own)):
        return own
    return list(range(1, len(numbers) + 1))


def _row(gate: Gate, question: Question, origin: ProvenanceItem, *, markup: bool) -> Row:
    stem = mark_code(question.title)
    blocks = to_blocks(question.lines, title=question.title, markup=markup)
    body = normalize_body("\n\n".join(block.text for block in blocks))
    answers = [AnswerItem(body=body)] if body else []
    item = Item(stem=stem, answers=answers, provenance=origin)
    row = gate.row(f"line {question.place}", item, drops=DROPS)
    row.damages = find_damages(stem, blocks) if row.item else []
    return row
