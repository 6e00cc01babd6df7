"""Full-text search over the working copy and the shelf: FTS5 on SQLite, tsvector on PostgreSQL.

Any string is a safe query: it is cut into words here, and the database never
sees its punctuation. Names that are mostly punctuation ('C++', '.NET') become
words before indexing and before querying alike.
"""

import re
import unicodedata
from collections.abc import Iterable

from sqlalchemy import ColumnElement, Select, literal, literal_column, select, text
from sqlalchemy.orm import Session

from cms.models import Publication, Question

# PostgreSQL's tsvector holds 1 MB; more text than this adds nothing to a search.
INDEX_LIMIT = 100_000
# A longer query than this is no question.
QUERY_LIMIT = 400
# Ranking reads every hit: a very common word must not rank the whole bank.
RANKED_LIMIT = 1_000

_NAMES = (
    (re.compile(r"\bc\+\+", re.IGNORECASE), "cplusplus"),
    (re.compile(r"\bc#", re.IGNORECASE), "csharp"),
    (re.compile(r"\bf#", re.IGNORECASE), "fsharp"),
    (re.compile(r"(?<!\w)\.net\b", re.IGNORECASE), "dotnet"),
    (re.compile(r"\b(\w+)\.js\b", re.IGNORECASE), r"\1js"),
)
# Without one of these characters no name is mostly punctuation.
_MARKS = frozenset("+#.")
_WORD = re.compile(r"[^\W_]+")


def index_text(parts: Iterable[str]) -> str:
    """Return the text to index: `parts` joined and folded, within bounds."""
    return _folded("\n".join(part for part in parts if part)[:INDEX_LIMIT])[:INDEX_LIMIT]


def words(query: str) -> list[str]:
    """Return the words of a query, in order, at most 16 of 64 characters each."""
    return [word[:64] for word in _WORD.findall(_folded(query[:QUERY_LIMIT]))][:16]


def matches(
    session: Session,
    table: type[Question] | type[Publication],
    query: str,
    *,
    within: tuple[int, int] | None = None,
) -> Select[int]:
    """Return a select of the ids whose text has every word of `query`, the last as a prefix.

    `within` is the least and the greatest id to look at: reading a few ids costs
    little then, however common the words are. A query without words matches nothing.
    """
    found = words(query)
    if not found:
        return select(table.id).where(literal(False))
    name = table.__tablename__
    if session.get_bind().dialect.name == "sqlite":
        key: ColumnElement[int] = literal_column("rowid")
        statement = (
            select(key.label("id"))
            .select_from(text(f"{name}_search"))
            .where(text(f"{name}_search MATCH :terms").bindparams(terms=_fts5(found)))
        )
    else:
        key = table.__table__.c.id
        statement = select(key).where(
            text(f"{name}.search_vector @@ to_tsquery('simple', :terms)").bindparams(
                terms=_tsquery(found)
            )
        )
    return statement if within is None else statement.where(key.between(*within))


def ranked(session: Session, table: type[Question] | type[Publication], query: str) -> list[int]:
    """Return at most RANKED_LIMIT matching ids, the best match first, then the newest.

    Where more match, the newest of them are ranked: a search reads a bounded
    number of rows, whatever the word.
    """
    found = words(query)
    if not found:
        return []
    name = table.__tablename__
    if session.get_bind().dialect.name == "sqlite":
        # The scores are taken in the inner scan: an outer MATCH would scan once for each row.
        statement = text(
            f"SELECT rowid FROM (SELECT rowid, bm25({name}_search) AS score"  # noqa: S608
            f" FROM {name}_search WHERE {name}_search MATCH :terms"
            " ORDER BY rowid DESC LIMIT :limit) ORDER BY score, rowid DESC"
        ).bindparams(terms=_fts5(found), limit=RANKED_LIMIT)
    else:
        statement = text(
            "WITH hit AS MATERIALIZED ("  # noqa: S608
            f"SELECT id, search_vector FROM {name}"
            " WHERE search_vector @@ to_tsquery('simple', :terms) ORDER BY id DESC LIMIT :limit)"
            " SELECT id FROM hit"
            " ORDER BY ts_rank_cd(search_vector, to_tsquery('simple', :terms), 1) DESC, id DESC"
        ).bindparams(terms=_tsquery(found), limit=RANKED_LIMIT)
    return list(session.scalars(statement))


def _folded(written: str) -> str:
    """Return text without case and accents, with names of punctuation as words.

    Both databases then find the same words, whatever their own folding.
    """
    if not _MARKS.isdisjoint(written):
        for pattern, word in _NAMES:
            written = pattern.sub(word, written)
    if written.isascii():
        return written.lower()
    decomposed = unicodedata.normalize("NFKD", written).casefold()
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def _fts5(found: list[str]) -> str:
    return " ".join(f'"{word}"' for word in found) + "*"


def _tsquery(found: list[str]) -> str:
    return " & ".join(f"'{word}'" for word in found) + ":*"
