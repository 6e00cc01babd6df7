"""sketches of stems, the pairs of questions that likely ask the same, and what queues look for

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_FACTS = ("sketched", "answered", "cited")
_ALIVE = "retired_at IS NULL AND merged_into_id IS NULL"
# SQLite asks for the very words of its queries, and has no type for truth.
_WAITING = {
    "unsketched": (["id"], "sketched = 0", "NOT sketched"),
    "unanswered": (
        ["updated_at", "id"],
        f"answered = 0 AND {_ALIVE}",
        f"NOT answered AND {_ALIVE}",
    ),
    "uncited": (["updated_at", "id"], f"cited = 0 AND {_ALIVE}", f"NOT cited AND {_ALIVE}"),
    # SQLite looked through all that are not merged by the index that held them, too.
    "merged_into_id": (
        ["merged_into_id"],
        "merged_into_id IS NOT NULL",
        "merged_into_id IS NOT NULL",
    ),
    "unpublished": (
        ["updated_at", "id"],
        f"published_number <> latest_number AND {_ALIVE}",
        f"published_number <> latest_number AND {_ALIVE}",
    ),
}


def upgrade() -> None:
    for column in _FACTS:
        op.add_column(
            "question", sa.Column(column, sa.Boolean(), nullable=False, server_default=sa.false())
        )
    op.execute(
        "UPDATE question SET answered = EXISTS (SELECT 1 FROM answer"
        " WHERE answer.question_id = question.id AND answer.position = 0 AND answer.body <> ''),"
        " cited = EXISTS (SELECT 1 FROM source JOIN answer ON answer.id = source.answer_id"
        " WHERE answer.question_id = question.id)"
    )
    op.drop_index("ix_question_merged_into_id", "question")
    for name, (columns, on_sqlite, on_postgresql) in _WAITING.items():
        op.create_index(
            f"ix_question_{name}",
            "question",
            columns,
            sqlite_where=sa.text(on_sqlite),
            postgresql_where=sa.text(on_postgresql),
        )
    op.create_table(
        "stem_band",
        sa.Column("band", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("question_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["question_id"],
            ["question.id"],
            name=op.f("fk_stem_band_question_id_question"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("band", "question_id", name=op.f("pk_stem_band")),
    )
    op.create_index(op.f("ix_stem_band_question_id"), "stem_band", ["question_id"])
    op.create_table(
        "likely_duplicate",
        sa.Column("first_id", sa.Integer(), nullable=False),
        sa.Column("second_id", sa.Integer(), nullable=False),
        sa.Column("similarity", sa.Integer(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("different_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("different_by_id", sa.Integer(), nullable=True),
        *(
            sa.ForeignKeyConstraint(
                [column],
                ["question.id"],
                name=op.f(f"fk_likely_duplicate_{column}_question"),
                ondelete="CASCADE",
            )
            for column in ("first_id", "second_id")
        ),
        sa.ForeignKeyConstraint(
            ["different_by_id"],
            ["account.id"],
            name=op.f("fk_likely_duplicate_different_by_id_account"),
        ),
        sa.PrimaryKeyConstraint("first_id", "second_id", name=op.f("pk_likely_duplicate")),
    )
    for columns in (
        ["second_id"],
        ["different_by_id"],
        ["different_at", "similarity", "first_id", "second_id"],
    ):
        op.create_index(
            op.f(f"ix_likely_duplicate_{'_'.join(columns)}"), "likely_duplicate", columns
        )


def downgrade() -> None:
    op.drop_table("likely_duplicate")
    op.drop_table("stem_band")
    for name in _WAITING:
        op.drop_index(f"ix_question_{name}", "question")
    op.create_index("ix_question_merged_into_id", "question", ["merged_into_id"])
    for column in _FACTS:
        op.drop_column("question", column)
