"""options of multiple-choice questions

Revision ID: 0007
Revises: 0006
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ROWS = 500


def upgrade() -> None:
    op.create_table(
        "question_option",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("question_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("correct", sa.Boolean(), nullable=False),
        sa.Column("feedback", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["question_id"],
            ["question.id"],
            name=op.f("fk_question_option_question_id_question"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_question_option")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_question_option_question_id_position"),
        "question_option",
        ["question_id", "position"],
    )


def downgrade() -> None:
    """Take options out of every text, too: the code before refuses a key that it does not know."""
    for key, content in _texts("revision", "content"):
        text = _without_options(content)
        _write(
            "revision", key, content=text, content_hash=hashlib.sha256(text.encode()).hexdigest()
        )
    for key, document in _texts("publication", "document"):
        _write("publication", key, document=_without_options(document))
    for key, stated in _texts("import_row", "stated"):
        _write("import_row", key, stated=_without_options(stated, lambda row: row.get("item")))
    op.drop_table("question_option")


def _texts(table: str, column: str) -> Iterator[tuple[int, str]]:
    """Yield the ids and the JSON texts of the rows that may speak of options."""
    last = 0
    statement = sa.text(
        f"SELECT id, {column} FROM {table} "  # noqa: S608
        f"WHERE id > :last AND {column} LIKE '%\"options\":%' ORDER BY id LIMIT {_ROWS}"
    )
    while rows := op.get_bind().execute(statement, {"last": last}).all():
        yield from map(tuple, rows)
        last = rows[-1].id


def _without_options(text: str, part: Callable[[Any], Any] = lambda whole: whole) -> str:
    """Return a JSON text without the options of its content, else byte for byte the same."""
    value = json.loads(text)
    if content := part(value):
        content.pop("options", None)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _write(table: str, key: int, **values: str) -> None:
    changes = ", ".join(f"{name} = :{name}" for name in values)
    statement = sa.text(f"UPDATE {table} SET {changes} WHERE id = :key")  # noqa: S608
    op.get_bind().execute(statement, {"key": key, **values})
