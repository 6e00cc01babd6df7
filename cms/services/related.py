"""Which live questions are about the same things as one: they share rare words, or small tags."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    Integer,
    Select,
    String,
    bindparam,
    func,
    literal,
    select,
    union_all,
)
from sqlalchemy.orm import InstrumentedAttribute, Session

from cms.models import Publication, PublicationTag, PublishedTag, SearchWord
from cms.services import search
from cms.services.neighbours import Neighbour
from cms.services.terms import words

# Words of the stem and tags of the question that are looked at: the rarest of each.
LOOKED_AT = 6
# Questions that are taken of each, the newest: a common word costs no more than a rare one.
TAKEN = 200
# What a question asks with, not what it asks about.
_ASKING = {
    *("about", "between", "describe", "difference", "differences", "does", "explain", "give"),
    *("have", "mean", "means", "purpose", "should", "some", "that", "their", "them"),
    *("there", "these", "this", "used", "using", "want", "what", "when"),
    *("where", "which", "will", "with", "would", "your"),
}


def related(
    session: Session, question_id: int, stem: str, tags: list[str], limit: int
) -> list[Neighbour]:
    """Return at most `limit` live questions that have most in common with this one.

    What two questions share weighs the more, the fewer others have it. One
    statement reads a bounded number of index entries.
    """
    wanted = [word for word in words(stem) if word not in _ASKING]
    rarest = session.connection().execute(_RAREST, {"words": wanted, "tags": tags}).all()
    asked: dict[str, Any] = {"asked": question_id, "limit": limit, "taken": TAKEN}
    counts = {"word": 0, "tag": 0}
    for kind, name, count in rarest:
        place = f"{kind}_{counts[kind]}"
        asked[place] = search.word_query(session, name) if kind == "word" else name
        # What it weighs to be among so many.
        asked[f"{place}_weight"] = round(1000 / (1 + math.log(count)))
        counts[kind] += 1
    if not rarest:
        return []
    statement = _sharing(session.get_bind().dialect.name, counts["word"], counts["tag"])
    return [Neighbour(*row) for row in session.connection().execute(statement, asked)]


def _rarest_of(
    kind: str, name: InstrumentedAttribute[str], questions: InstrumentedAttribute[int]
) -> Select[str, str, int]:
    """Select those of the names in the parameter '<kind>s' that fewest questions share."""
    among: BindParameter[str] = bindparam(f"{kind}s", expanding=True)
    some = (
        select(name.label("name"), questions.label("questions"))
        .where(name.in_(among), questions > 1)
        .order_by(questions, name)
        .limit(LOOKED_AT)
        .subquery()
    )
    return select(literal(kind), some.c.name, some.c.questions)


_RAREST = union_all(
    _rarest_of("word", SearchWord.word, SearchWord.questions),
    _rarest_of("tag", PublishedTag.slug, PublishedTag.questions),
)


@cache
def _sharing(dialect: str, word_count: int, tag_count: int) -> Select[str, str]:
    """Return the statement for so many words and tags: building it takes longer than running it."""
    parts = []
    for place in range(word_count):
        ids = search.with_word(dialect, Publication, f"word_{place}")
        newest = ids.order_by(ids.selected_columns[0].desc())
        parts.append(_weighed(newest, f"word_{place}"))
    for place in range(tag_count):
        tagged = select(PublicationTag.publication_id.label("id")).where(
            PublicationTag.tag == bindparam(f"tag_{place}", type_=String)
        )
        # Along the tag's index: sorted by id alone, a tag would be read as a whole.
        newest = tagged.order_by(
            PublicationTag.release.desc(), PublicationTag.publication_id.desc()
        )
        parts.append(_weighed(newest, f"tag_{place}"))
    found = union_all(*parts).subquery()
    asked = bindparam("asked", type_=Integer)
    weight = func.sum(found.c.weight)
    best = (
        select(found.c.id, weight.label("weight"), func.abs(found.c.id - asked).label("apart"))
        .where(found.c.id != asked)
        .group_by(found.c.id)
        .order_by(weight.desc(), func.abs(found.c.id - asked), found.c.id)
        .limit(bindparam("limit", type_=Integer))
        .subquery()
    )
    # Rows of questions are long: only those of the best are looked at.
    return (
        select(Publication.slug, Publication.stem)
        .join(best, best.c.id == Publication.id)
        .order_by(best.c.weight.desc(), best.c.apart, best.c.id)
    )


def _weighed(newest: Select[int], place: str) -> Select[int, int]:
    """Select some of these ids, each with the weight of what they share."""
    some = newest.limit(bindparam("taken", type_=Integer)).subquery()
    return select(some.c.id, bindparam(f"{place}_weight", type_=Integer).label("weight"))
