"""sketches of stems, and the pairs of questions that likely ask the same

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "question", sa.Column("sketched", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    unsketched = sa.text("NOT sketched")
    op.create_index(
        "ix_question_unsketched",
        "question",
        ["id"],
        sqlite_where=unsketched,
        postgresql_where=unsketched,
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
    op.drop_index("ix_question_unsketched", "question")
    op.drop_column("question", "sketched")
