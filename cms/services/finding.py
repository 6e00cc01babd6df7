"""What a reader gets who searches: a page of questions, why they were found, and what else to try.

A query that nothing has is read as the words that were probably meant. What is
looked up for that is bounded: some words of the query, a few keys of an index
and a counted number of matches for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cms.models import Publication, PublishedTag
from cms.services import search, spelling
from cms.services.facets import facets_of
from cms.services.listing import Listing, Selection, list_questions
from cms.services.reading import PublicTag
from cms.services.snippets import Piece, snippet
from cms.services.terms import Term, folded, parse, words

# A count of what to try stops here, and reads 'more than'.
COUNTED = 100
# So many terms are left out in turn, so many tags are named.
TRIED, TAGS = 6, 6
# A word is suggested in place of one that was found when so many times more questions have it.
FAR_MORE = 10
# Of at most so many questions may a typing error be the reason.
FEW = 2

_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True, slots=True)
class Respelled:
    """A query in other words: `meant` stand for the words `typed`.

    `query` is the whole of it, `literal` the query that means what was typed.
    """

    typed: tuple[str, ...]
    meant: tuple[str, ...]
    query: str
    literal: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A question that may be the one that is looked for."""

    slug: str
    stem: str


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search.

    `selection` is what was looked for in the end, `terms` its query: the words of
    `respelled` where it is there. `passages` are snippets by the question's slug.
    `closer` is to be tried where few questions have what was typed.
    """

    listing: Listing
    selection: Selection
    terms: list[Term]
    passages: dict[str, list[Piece]]
    respelled: Respelled | None = None
    closer: Respelled | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """Another selection, which has questions; their number stops at COUNTED + 1."""

    selection: Selection
    questions: int


@dataclass(frozen=True, slots=True)
class Trials:
    """What to try where a selection has nothing: fewer filters, fewer words, tags."""

    wider: list[Trial]
    shorter: list[Trial]
    tags: list[PublicTag]


def find(session: Session, selection: Selection, after: str | None = None) -> Found:
    """Return the page of a selection that follows the cursor `after`, or the first page.

    :raises InvalidInput: when `after` is no cursor of such a list
    """
    listing = list_questions(session, selection, after)
    if not selection.query:
        return Found(listing, selection, [], {})
    respelled = closer = None
    if not listing.questions:
        respelled = respell(session, selection.query)
        if respelled:
            selection = replace(selection, query=respelled.query)
            listing = list_questions(session, selection, after)
    elif len(listing.questions) <= FEW and after is None and not selection.narrowed:
        closer = _closer(session, selection.query)
    terms = parse(selection.query)
    slugs = [question.slug for question in listing.questions]
    passages = _passages(session, slugs, terms)
    return Found(listing, selection, terms, passages, respelled, closer)


def suggest(session: Session, query: str, limit: int) -> tuple[list[Suggestion], list[Term]]:
    """Return at most `limit` questions for a query that is being typed, and what they have."""
    ids = search.ranked(session, Publication, query)[:limit]
    if not ids and (respelled := respell(session, query)):
        query = respelled.query
        ids = search.ranked(session, Publication, query)[:limit]
    rows = session.execute(
        select(Publication.id, Publication.slug, Publication.stem).where(Publication.id.in_(ids))
    )
    ordered = sorted(rows, key=lambda row: ids.index(row.id))
    return [Suggestion(row.slug, row.stem) for row in ordered], parse(query)


def meant_by(session: Session, slug: str, limit: int = 5) -> list[Suggestion]:
    """Return what may have been meant by an address where nothing is.

    These are questions that have its longest words, or words spelled like them;
    fewer words where none has all.
    """
    longest = sorted(words(slug), key=len, reverse=True)[:3]
    while longest:
        suggested, _ = suggest(session, " ".join(longest), limit)
        if suggested:
            return suggested
        longest.pop()
    return []


def respell(session: Session, query: str) -> Respelled | None:
    """Return the query with the closest words of public texts for those that no text has.

    None where some question has all that is asked for, where a word has nothing
    close to it, and where no question has the words together. What stands in
    quotes is meant as it stands.
    """
    terms = parse(query)
    if not terms or search.has_any(session, Publication, terms):
        return None
    changed: dict[str, str] = {}
    for term in terms:
        if term.quoted:
            continue
        for place, word in enumerate(term.words):
            last = term.prefix and place == len(term.words) - 1
            if search.has_any(session, Publication, [Term((word,), word, prefix=last)]):
                continue
            near = spelling.nearest(session, word, limit=1)
            if not near:
                return None
            changed[word] = near[0].word
    if not changed:
        return None
    respelled = _respelled(terms, changed)
    return respelled if search.has_any(session, Publication, parse(respelled.query)) else None


def what_to_try(session: Session, selection: Selection) -> Trials:
    """Return selections near one that has nothing, each with the questions that it has."""
    wider = _wider(session, selection)
    shorter = [] if wider else _shorter(session, parse(selection.query))
    return Trials(wider, shorter, _fitting_tags(session, selection))


def _wider(session: Session, selection: Selection) -> list[Trial]:
    """Return the search without its filters, or the filters without one of them."""
    if selection.query:
        whole = replace(selection, tags=(), difficulty=None)
        number = _count(session, parse(selection.query)) if selection.narrowed else 0
        return [Trial(whole, number)] if number else []
    without = [
        replace(selection, tags=tuple(other for other in selection.tags if other != tag))
        for tag in selection.tags
    ]
    if selection.difficulty:
        without.append(replace(selection, difficulty=None))
    found = []
    for each in without:
        total = facets_of(session, each).total if each.narrowed else None
        if total:
            found.append(Trial(each, total))
    return found


def _shorter(session: Session, terms: Sequence[Term]) -> list[Trial]:
    """Return the search without one of its terms, or for each term alone; the best three."""
    some = terms[:TRIED]
    without = [[other for other in terms if other is not term] for term in some]
    for tried in (without, [[term] for term in some]):
        counted = [(each, _count(session, each)) for each in tried if 0 < len(each) < len(terms)]
        found = [
            Trial(Selection(query=_written(each), sort="relevance"), number)
            for each, number in counted
            if number
        ]
        if found:
            return sorted(found, key=lambda trial: trial.questions)[:3]
    return []


def _passages(
    session: Session, slugs: Sequence[str], terms: Sequence[Term]
) -> dict[str, list[Piece]]:
    rows = session.execute(
        select(Publication.slug, Publication.document).where(Publication.slug.in_(slugs))
    )
    return {row.slug: snippet(row.document, terms) for row in rows}


def _closer(session: Session, query: str) -> Respelled | None:
    """Return the query with a word that far more questions have in place of a rare one."""
    terms = parse(query)
    for term in terms:
        if term.quoted or len(term.words) > 1:
            continue
        [word] = term.words
        rare = spelling.questions_with(session, word)
        if not 0 < rare <= FEW:
            continue
        for near in spelling.nearest(session, word):
            if near.questions >= FAR_MORE * rare:
                return _respelled(terms, {word: near.word})
    return None


def _respelled(terms: Sequence[Term], changed: dict[str, str]) -> Respelled:
    meant = [replace(term, written=_replaced(term.written, changed)) for term in terms]
    as_typed = (replace(term, quoted=not changed.keys().isdisjoint(term.words)) for term in terms)
    return Respelled(tuple(changed), tuple(changed.values()), _written(meant), _written(as_typed))


def _replaced(written: str, changed: dict[str, str]) -> str:
    """Return what was typed with other words; a name keeps its marks."""
    before = folded(written)
    after = _WORD.sub(lambda found: changed.get(found[0], found[0]), before)
    return written if after == before else after


def _written(terms: Iterable[Term]) -> str:
    """Return a query of these terms, as they were typed; one chunk with two terms stands once."""
    chunks = (f'"{term.written}"' if term.quoted else term.written for term in terms)
    return " ".join(dict.fromkeys(chunks))


def _count(session: Session, terms: Sequence[Term]) -> int:
    return len(search.newest(session, Publication, _written(terms), COUNTED + 1))


def _fitting_tags(session: Session, selection: Selection) -> list[PublicTag]:
    """Return tags whose last part has a word of the query or of a tag that is asked for."""
    asked = words(" ".join([selection.query, *selection.tags]))
    longer = [word for word in asked if len(word) > 2][:TRIED]
    if not longer:
        return []
    columns = (
        PublishedTag.slug,
        PublishedTag.name,
        PublishedTag.description,
        PublishedTag.questions,
    )
    rows = session.execute(
        select(*columns)
        .where(or_(*(PublishedTag.slug.contains(word, autoescape=True) for word in longer)))
        .order_by(PublishedTag.questions.desc(), PublishedTag.slug)
        .limit(TAGS * TAGS)
    )
    found = [PublicTag(*row) for row in rows]
    last = [tag for tag in found if any(word in tag.slug.rpartition("/")[2] for word in longer)]
    return last[:TAGS]
