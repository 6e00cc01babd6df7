"""schedules, proposals, comments, inboxes, text that is kept while it is typed; a closed audit

Revision ID: 0003
Revises: 0002
"""

import contextlib
from collections.abc import Iterator

import audit_guard
import search_index
import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INDEXES = (
    ("question", "reviewer_id"),
    ("question", "scheduled_at"),
    ("question", "due_on"),
    ("correction", "duplicate_of_id"),
    ("withdrawal", "merged_into"),
)
_KINDS = (
    "assigned",
    "review",
    "mention",
    "reply",
    "returned",
    "published",
    "correction",
    "decided",
    "unscheduled",
)


def upgrade() -> None:
    with _rebuilt("question") as batch_op:
        batch_op.add_column(sa.Column("reviewer_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_question_reviewer_id_account"), "account", ["reviewer_id"], ["id"]
        )
    with _rebuilt("correction") as batch_op:
        batch_op.add_column(sa.Column("part", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("proposed", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("duplicate_of_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_correction_duplicate_of_id_correction"),
            "correction",
            ["duplicate_of_id"],
            ["id"],
        )
        batch_op.create_check_constraint(
            batch_op.f("ck_correction_text_part"), "part IN ('stem', 'context', 'body')"
        )
    for table, column in _INDEXES:
        op.create_index(f"ix_{table}_{column}", table, [column])
    _create_comments()
    _create_notifications()
    _create_autosaves()
    audit_guard.create()


def downgrade() -> None:
    audit_guard.drop()
    for table in ("presence", "autosave", "notification", "comment"):
        op.drop_table(table)
    for table, column in reversed(_INDEXES):
        op.drop_index(f"ix_{table}_{column}", table)
    with _rebuilt("correction") as batch_op:
        batch_op.drop_constraint(batch_op.f("ck_correction_text_part"), type_="check")
        batch_op.drop_constraint(
            batch_op.f("fk_correction_duplicate_of_id_correction"), type_="foreignkey"
        )
        for column in ("part", "proposed", "duplicate_of_id"):
            batch_op.drop_column(column)
    with _rebuilt("question") as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_question_reviewer_id_account"), type_="foreignkey")
        batch_op.drop_column("reviewer_id")


@contextlib.contextmanager
def _rebuilt(table: str) -> Iterator[BatchOperations]:
    """Alter a table; what SQLite loses when it builds the table anew is put back.

    That is the triggers of its full-text index, and the highest id that it gave.
    """
    connection = op.get_bind()
    on_sqlite = connection.dialect.name == "sqlite"
    given = sa.text("SELECT seq FROM sqlite_sequence WHERE name = :table")
    highest = connection.scalar(given, {"table": table}) if on_sqlite else None
    with op.batch_alter_table(table, table_kwargs={"sqlite_autoincrement": True}) as batch_op:
        yield batch_op
    if not on_sqlite:
        return
    if table in search_index.TABLES:
        search_index.create_triggers(table)
    if highest is not None:
        connection.execute(
            sa.text("DELETE FROM sqlite_sequence WHERE name = :table"), {"table": table}
        )
        connection.execute(
            sa.text("INSERT INTO sqlite_sequence (name, seq) VALUES (:table, :seq)"),
            {"table": table, "seq": highest},
        )


def _account(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], ["account.id"], name=op.f(f"fk_{table}_{column}_account")
    )


def _owner(table: str, column: str, parent: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        [column], [f"{parent}.id"], name=op.f(f"fk_{table}_{column}_{parent}"), ondelete="CASCADE"
    )


def _index(table: str, *columns: str) -> None:
    op.create_index(op.f(f"ix_{table}_{'_'.join(columns)}"), table, list(columns))


def _create_comments() -> None:
    op.create_table(
        "comment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("question_id", sa.Integer(), nullable=False),
        sa.Column("thread_id", sa.Integer(), nullable=True),
        sa.Column("author_id", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolved_by_id", sa.Integer(), nullable=True),
        _owner("comment", "question_id", "question"),
        _owner("comment", "thread_id", "comment"),
        _account("comment", "author_id"),
        _account("comment", "resolved_by_id"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_comment")),
        sqlite_autoincrement=True,
    )
    _index("comment", "question_id", "id")
    _index("comment", "resolved_at", "thread_id", "question_id")
    for column in ("thread_id", "author_id", "resolved_by_id"):
        _index("comment", column)


def _create_notifications() -> None:
    op.create_table(
        "notification",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                *_KINDS,
                name="notification_kind",
                native_enum=False,
                create_constraint=True,
                length=32,
            ),
            nullable=False,
        ),
        sa.Column("actor_id", sa.Integer(), nullable=True),
        sa.Column("question_id", sa.Integer(), nullable=True),
        sa.Column("correction_id", sa.Integer(), nullable=True),
        sa.Column("comment_id", sa.Integer(), nullable=True),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("read_at", sa.DateTime(timezone=True), nullable=True),
        _account("notification", "user_id"),
        _account("notification", "actor_id"),
        _owner("notification", "question_id", "question"),
        _owner("notification", "correction_id", "correction"),
        _owner("notification", "comment_id", "comment"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notification")),
        sqlite_autoincrement=True,
    )
    _index("notification", "user_id", "read_at", "id")
    for column in ("actor_id", "question_id", "correction_id", "comment_id"):
        _index("notification", column)


def _create_autosaves() -> None:
    op.create_table(
        "autosave",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("question_id", sa.Integer(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("form_id", sa.String(length=36), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        _account("autosave", "user_id"),
        _owner("autosave", "question_id", "question"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_autosave")),
        sa.UniqueConstraint(
            "user_id",
            "question_id",
            "version",
            "form_id",
            name=op.f("uq_autosave_user_id_question_id_version_form_id"),
        ),
    )
    for column in ("question_id", "saved_at"):
        _index("autosave", column)
    op.create_table(
        "presence",
        sa.Column("question_id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("typed", sa.Boolean(), nullable=False),
        _owner("presence", "question_id", "question"),
        _account("presence", "user_id"),
        sa.PrimaryKeyConstraint("question_id", "user_id", name=op.f("pk_presence")),
    )
    _index("presence", "user_id")
