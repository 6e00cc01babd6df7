"""Full-text search over the working copy and the shelf: FTS5 on SQLite, tsvector on PostgreSQL.

Any string is a safe query: `cms.services.terms` cuts it into words, and the
database never sees its punctuation.
"""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    String,
    TextClause,
    and_,
    bindparam,
    func,
    literal,
    literal_column,
    select,
    text,
)
from sqlalchemy.orm import Session

from cms.models import Publication, Question
from cms.services import spelling
from cms.services.terms import Term, parse

# Ranking reads every hit: a very common word must not rank the whole bank.
RANKED_LIMIT = 1_000
# So many hits are looked up one by one; of more, a list finds enough as it goes along.
LOOKED_UP = 5_000
# bm25 reads every hit of each word, to know how rare it is: of so many hits it is not asked.
WEIGHED = 10_000

Table = type[Question] | type[Publication]


def matches(
    session: Session,
    table: Table,
    query: str,
    *,
    within: tuple[int, int] | None = None,
) -> Select[int]:
    """Return a select of the ids whose text has every term of `query`, the last as a prefix.

    `within` is the least and the greatest id to look at: reading a few ids costs
    little then, however common the words are. A query without words matches nothing.
    """
    statement = _matching(session, table, parse(query))
    return statement if within is None else statement.where(_key(session, table).between(*within))


def with_word(dialect: str, table: Table, parameter: str) -> Select[int]:
    """Return a select of the ids whose text has one word, for statements that are built once.

    The parameter of this name holds what `word_query` makes of the word.
    """
    return _having(dialect, table, parameter, bindparam(parameter, type_=String))


def word_query(session: Session, word: str) -> str:
    """Return how the database is asked for a word as `SearchWord` has it."""
    return _written(session.get_bind().dialect.name, [Term((word,), word)])


def newest(session: Session, table: Table, query: str, limit: int) -> list[int]:
    """Return at most `limit` ids of `matches`, the highest first, without ranking them."""
    statement = _matching(session, table, _bounded(session, table, parse(query)))
    return list(session.scalars(statement.order_by(_key(session, table).desc()).limit(limit)))


def has_any(session: Session, table: Table, terms: Sequence[Term]) -> bool:
    """Whether any text has all of these terms."""
    return session.scalar(_matching(session, table, terms).limit(1)) is not None


def holds(session: Session, table: Table, query: str) -> ColumnElement[bool]:
    """Return a condition on rows of `table`: the text has every term of `query`.

    Where few rows match, their ids are found first. Where many do, each row is
    asked as a list comes to it, and the list is full before it has asked many:
    to find a million ids first would cost more than all the rest.
    """
    terms = parse(query)
    if session.get_bind().dialect.name != "sqlite" or not terms:
        # PostgreSQL knows how common a word is, and chooses by itself.
        return table.id.in_(_matching(session, table, terms))
    some = _matching(session, table, _bounded(session, table, terms)).limit(LOOKED_UP)
    ids = list(session.scalars(some))
    if len(ids) < LOOKED_UP:
        return table.id.in_(_matching(session, table, terms))
    # The index would look up all that begins like the last word for each row anew.
    return and_(*(place > 0 for place in _places(table, terms)))


def ranked(session: Session, table: Table, query: str) -> list[int]:
    """Return at most RANKED_LIMIT matching ids: the best match first, then the newest.

    What holds the words and the names just as they were typed comes before what
    has longer words, or the words of a name in a sentence. Where more match, the
    newest of them are ranked: a search reads a bounded number of rows, whatever
    the word. Of very common words that is by how early a text has them: it begins
    with the question.
    """
    terms = parse(query)
    if not terms:
        return []
    exact = [_exact(term) for term in terms]
    found = _ranked(session, table, exact)
    if exact == terms or len(found) >= RANKED_LIMIT:
        return found
    loose = _ranked(session, table, _bounded(session, table, terms))
    return list(dict.fromkeys([*found, *loose]))[:RANKED_LIMIT]


def _bounded(session: Session, table: Table, terms: list[Term]) -> list[Term]:
    """Return the terms, with a very common beginning of a word as the most frequent such words.

    A database reads all that has a beginning before it gives the first of it.
    """
    last = terms[-1] if terms else None
    if table is not Publication or not last or not last.prefix or len(last.words) > 1:
        return terms
    words = spelling.most_frequent(session, last.words[0], above=LOOKED_UP)
    return [*terms[:-1], replace(last, endings=tuple(words))] if words else terms


def _exact(term: Term) -> Term:
    """Return the term as it was typed: a name as the one word for it, no word as a prefix."""
    return Term((term.name,) if term.name else term.words, term.written, term.name, term.quoted)


def _ranked(session: Session, table: Table, terms: Sequence[Term]) -> list[int]:
    name = table.__tablename__
    if session.get_bind().dialect.name == "sqlite":
        if any(_is_common(session, table, term) for term in terms):
            found = _matching(session, table, terms).order_by(_key(session, table).desc())
            return list(
                session.scalars(
                    select(table.id)
                    .where(table.id.in_(found.limit(RANKED_LIMIT)))
                    .order_by(sum(_places(table, terms), literal(0)), table.id.desc())
                )
            )
        # The scores are taken in the inner scan: an outer MATCH would scan once for each row.
        statement = text(
            f"SELECT rowid FROM (SELECT rowid, bm25({name}_search) AS score"  # noqa: S608
            f" FROM {name}_search WHERE {name}_search MATCH :terms"
            " ORDER BY rowid DESC LIMIT :limit) ORDER BY score, rowid DESC"
        ).bindparams(terms=_fts5(terms), limit=RANKED_LIMIT)
    else:
        statement = text(
            "WITH hit AS MATERIALIZED ("  # noqa: S608
            f"SELECT id, search_vector FROM {name}"
            " WHERE search_vector @@ to_tsquery('simple', :terms) ORDER BY id DESC LIMIT :limit)"
            " SELECT id FROM hit"
            " ORDER BY ts_rank_cd(search_vector, to_tsquery('simple', :terms), 1) DESC, id DESC"
        ).bindparams(terms=_tsquery(terms), limit=RANKED_LIMIT)
    return list(session.scalars(statement))


def _is_common(session: Session, table: Table, term: Term) -> bool:
    """Whether more than `WEIGHED` texts have each word of a term, on SQLite."""
    words = term.endings[:1] or term.sought
    hits = (_matching(session, table, [Term((word,), word)]).limit(WEIGHED + 1) for word in words)
    return all(
        session.scalars(select(func.count()).select_from(some.subquery())).one() > WEIGHED
        for some in hits
    )


def _places(table: Table, terms: Sequence[Term]) -> list[ColumnElement[int]]:
    """Return where the text of a row has each term, from 1, on SQLite; 0 where it has not."""
    text_of = " " + func.replace(table.search_text, "\n", " ") + " "
    phrases = (" ".join(term.sought) + ("" if term.prefix else " ") for term in terms)
    return [func.instr(text_of, f" {phrase}") for phrase in phrases]


def _key(session: Session, table: Table) -> ColumnElement[int]:
    if session.get_bind().dialect.name == "sqlite":
        return literal_column("rowid")
    return table.__table__.c.id


def _matching(session: Session, table: Table, terms: Sequence[Term]) -> Select[int]:
    if not terms:
        return select(table.id).where(literal(False))
    dialect = session.get_bind().dialect.name
    # A parameter of its own: by its mere name, several in a statement would be one.
    sought = bindparam("terms", _written(dialect, terms), String, unique=True)
    return _having(dialect, table, "terms", sought)


def _having(dialect: str, table: Table, name: str, sought: BindParameter[str]) -> Select[int]:
    """Return a select of the ids whose text has what the parameter holds, as `_written`."""
    if dialect == "sqlite":
        index = f"{table.__tablename__}_search"
        condition: TextClause = text(f"{index} MATCH :{name}")
        statement = select(literal_column("rowid", Integer).label("id")).select_from(text(index))
        return statement.where(condition.bindparams(sought))
    condition = text(f"{table.__tablename__}.search_vector @@ to_tsquery('simple', :{name})")
    return select(table.__table__.c.id).where(condition.bindparams(sought))


def _written(dialect: str, terms: Sequence[Term]) -> str:
    return _fts5(terms) if dialect == "sqlite" else _tsquery(terms)


def _fts5(terms: Sequence[Term]) -> str:
    return " AND ".join(
        "(" + " OR ".join(f'"{word}"' for word in term.endings) + ")"
        if term.endings
        else f'"{" ".join(term.sought)}"{"*" if term.prefix else ""}'
        for term in terms
    )


def _tsquery(terms: Sequence[Term]) -> str:
    phrases = []
    for term in terms:
        quoted = [f"'{word}'" for word in term.endings or term.sought]
        if term.prefix and not term.endings:
            quoted[-1] += ":*"
        phrases.append(f"({(' | ' if term.endings else ' <-> ').join(quoted)})")
    return " & ".join(phrases)
