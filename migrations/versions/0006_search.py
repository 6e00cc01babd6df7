"""the words of public texts and their spellings; texts are indexed as words, with names whole

Revision ID: 0006
Revises: 0005
"""

import re
from collections import Counter
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_ROWS = 500
_NAMES_LIMIT = 25_000
_PARTS = 4
_WORD = re.compile(r"[^\W_]+")
_NAME = re.compile(r"(?<![\w@])@?\w+(?:\.\w+)*")
_SPELLED = str.maketrans({".": "dot", "_": "underscore", "@": "at"})


def upgrade() -> None:
    op.create_table(
        "search_word",
        sa.Column("word", sa.String(length=24), nullable=False),
        sa.Column("questions", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("word", name=op.f("pk_search_word")),
    )
    op.create_table(
        "search_spelling",
        sa.Column("spelling", sa.String(length=24), nullable=False),
        sa.Column("word", sa.String(length=24), nullable=False),
        sa.PrimaryKeyConstraint("spelling", "word", name=op.f("pk_search_spelling")),
    )
    for table in ("question", "publication"):
        _index_as_words(table)
    _count_words()


def downgrade() -> None:
    # The words that are indexed are found by the code before, too.
    op.drop_table("search_spelling")
    op.drop_table("search_word")


def _texts(table: str) -> Iterator[list[sa.Row]]:
    """Yield the rows of a table with their text for search, some at a time."""
    last = 0
    statement = sa.text(
        f"SELECT id, search_text FROM {table} WHERE id > :last ORDER BY id LIMIT {_ROWS}"  # noqa: S608
    )
    while rows := op.get_bind().execute(statement, {"last": last}).all():
        yield rows
        last = rows[-1].id


def _index_as_words(table: str) -> None:
    statement = sa.text(f"UPDATE {table} SET search_text = :text WHERE id = :id")  # noqa: S608
    for rows in _texts(table):
        values = [{"id": row.id, "text": _as_words(row.search_text)} for row in rows]
        op.get_bind().execute(statement, values)


def _as_words(text: str) -> str:
    """Return folded text as its words, and its names with marks on a second line."""
    line = " ".join(_WORD.findall(text))
    names = " ".join(dict.fromkeys(_names(text)))
    if len(names) > _NAMES_LIMIT:
        names = names[:_NAMES_LIMIT].rpartition(" ")[0]
    return f"{line}\n{names}" if names else line


def _names(text: str) -> Iterator[str]:
    for found in _NAME.findall(text):
        if _WORD.fullmatch(found) or len(found) > 128:
            continue
        parts = found.lstrip("@").split(".")
        for start in range(len(parts)):
            for end in range(start + 1, min(start + _PARTS, len(parts)) + 1):
                run = ".".join(parts[start:end])
                for name in (run, f"@{run}") if found[0] == "@" and not start else (run,):
                    if not _WORD.fullmatch(name) and _WORD.search(name):
                        yield name.translate(_SPELLED)


def _count_words() -> None:
    counted: Counter[str] = Counter()
    for rows in _texts("publication"):
        for row in rows:
            found = set(row.search_text.partition("\n")[0].split())
            counted.update(word for word in found if 4 <= len(word) <= 24 and word.isalpha())
    words = sorted(counted)
    for start in range(0, len(words), _ROWS):
        some = words[start : start + _ROWS]
        op.get_bind().execute(
            sa.text("INSERT INTO search_word (word, questions) VALUES (:word, :questions)"),
            [{"word": word, "questions": counted[word]} for word in some],
        )
        op.get_bind().execute(
            sa.text("INSERT INTO search_spelling (spelling, word) VALUES (:spelling, :word)"),
            [
                {"spelling": spelling, "word": word}
                for word in some
                for spelling in sorted(
                    {word, *(word[:n] + word[n + 1 :] for n in range(len(word)))}
                )
            ],
        )
