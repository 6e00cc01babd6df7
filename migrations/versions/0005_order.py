"""merged tags, saved views, figures, what a change changed, and what more queues look for

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# SQLite asks for the very words of its queries, and has no type for truth.
_WAITING = [
    ("question", "scheduled", ["updated_at", "id"], "scheduled_at IS NOT NULL", None),
    ("question", "due", ["updated_at", "id"], "due_on IS NOT NULL", None),
    ("question", "to_review", ["updated_at", "id"], "review_by IS NOT NULL", None),
    ("source", "problem", ["answer_id"], "problem IS NOT NULL", None),
    ("sample_run", "failed", ["question_id"], "passed = 0", "NOT passed"),
]


def upgrade() -> None:
    op.add_column("source", sa.Column("problem", sa.String(length=500), nullable=True))
    op.execute(
        "UPDATE source SET problem = CASE WHEN last_status IS NULL THEN 'It did not answer.'"
        " ELSE 'It answered with status ' || last_status || '.' END"
        " WHERE checked_at IS NOT NULL"
        " AND (last_status IS NULL OR last_status < 200 OR last_status >= 400)"
    )
    op.add_column("change", sa.Column("parts", sa.JSON(), nullable=False, server_default="[]"))
    for table, name, columns, on_sqlite, on_postgresql in _WAITING:
        op.create_index(
            f"ix_{table}_{name}",
            table,
            columns,
            sqlite_where=sa.text(on_sqlite),
            postgresql_where=sa.text(on_postgresql or on_sqlite),
        )
    op.create_table(
        "tag_alias",
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column("slug", sa.String(length=120), nullable=False),
        sa.Column("tag_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_tag_alias_tag_id_tag")),
        sa.PrimaryKeyConstraint("uid", name=op.f("pk_tag_alias")),
    )
    for column in ("slug", "tag_id"):
        op.create_index(op.f(f"ix_tag_alias_{column}"), "tag_alias", [column])
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("owner_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=500), nullable=False),
        sa.Column("page", sa.String(length=64), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["owner_id"], ["account.id"], name=op.f("fk_saved_view_owner_id_account")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint("owner_id", "name", name=op.f("uq_saved_view_owner_id_name")),
    )
    op.create_table(
        "figures",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("event", sa.Integer(), nullable=False),
        sa.Column("counted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_figures")),
    )


def downgrade() -> None:
    for table in ("figures", "saved_view", "tag_alias"):
        op.drop_table(table)
    for table, name, *_ in _WAITING:
        op.drop_index(f"ix_{table}_{name}", table)
    op.drop_column("change", "parts")
    op.drop_column("source", "problem")
