"""undoable imports and bulk operations, jobs, members of decks, runs of samples

Revision ID: 0002
Revises: 0001
"""

import html
import json
import re
import unicodedata

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_WORDS = re.compile(r"\w+")


def upgrade() -> None:
    _create_jobs()
    _create_bulk_operations()
    _create_deck_members()
    _create_sample_runs()
    _extend_imports()
    _key_stems()


def downgrade() -> None:
    _acknowledge_mended()
    op.drop_column("import_warning", "mended_in")
    op.drop_index("ix_question_stem_key", "question")
    op.drop_column("question", "stem_key")
    with op.batch_alter_table("import_row") as batch_op:
        batch_op.drop_index(batch_op.f("ix_import_row_batch_id_action_chosen_warnings"))
        batch_op.create_index(
            batch_op.f("ix_import_row_batch_id_action"), ["batch_id", "action"], unique=False
        )
        for name in ("stated", "chosen", "seen_version", "warnings", "number", "before"):
            batch_op.drop_column(name)
    # Imports that were never applied are no imports to the code before.
    op.execute("DELETE FROM import_batch WHERE applied_at IS NULL")
    with op.batch_alter_table("import_batch") as batch_op:
        for name in ("undone_by_id", "job_id"):
            batch_op.drop_index(batch_op.f(f"ix_import_batch_{name}"))
        batch_op.drop_constraint(
            batch_op.f("fk_import_batch_undone_by_id_account"), type_="foreignkey"
        )
        batch_op.drop_constraint(batch_op.f("fk_import_batch_job_id_job"), type_="foreignkey")
        for name in (
            "data",
            "head",
            "made",
            "planned_at",
            "applied_at",
            "undone_by_id",
            "job_id",
        ):
            batch_op.drop_column(name)
    for name in ("title", "html", "questions", "changed_in"):
        op.drop_column("published_deck", name)
    for table in (
        "sample_run",
        "deck_change",
        "published_deck_member",
        "bulk_row",
        "bulk_operation",
        "job",
    ):
        op.drop_table(table)


def _create_jobs() -> None:
    op.create_table(
        "job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column(
            "state", _vocabulary("job_state", "queued", "running", "done", "failed"), nullable=False
        ),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["by_id"], ["account.id"], name=op.f("fk_job_by_id_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index(op.f("ix_job_by_id"), "job", ["by_id"])
    op.create_index(op.f("ix_job_state_run_at"), "job", ["state", "run_at"])


def _create_bulk_operations() -> None:
    op.create_table(
        "bulk_operation",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("verb", sa.String(length=32), nullable=False),
        sa.Column("arguments", sa.JSON(), nullable=False),
        sa.Column("by_id", sa.Integer(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("release", sa.Integer(), nullable=True),
        sa.Column("undone_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("undone_by_id", sa.Integer(), nullable=True),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["by_id"], ["account.id"], name=op.f("fk_bulk_operation_by_id_account")
        ),
        sa.ForeignKeyConstraint(
            ["undone_by_id"], ["account.id"], name=op.f("fk_bulk_operation_undone_by_id_account")
        ),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_bulk_operation_job_id_job")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_operation")),
        sqlite_autoincrement=True,
    )
    for name in ("at", "by_id", "job_id", "undone_by_id"):
        op.create_index(op.f(f"ix_bulk_operation_{name}"), "bulk_operation", [name])
    op.create_table(
        "bulk_row",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("operation_id", sa.Integer(), nullable=False),
        sa.Column(
            "action",
            _vocabulary(
                "row_action", "create", "update", "unchanged", "conflict", "duplicate", "error"
            ),
            nullable=False,
        ),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("stem", sa.Text(), nullable=False),
        sa.Column("question_id", sa.Integer(), nullable=True),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(
            ["operation_id"],
            ["bulk_operation.id"],
            name=op.f("fk_bulk_row_operation_id_bulk_operation"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["question_id"],
            ["question.id"],
            name=op.f("fk_bulk_row_question_id_question"),
            ondelete="SET NULL",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulk_row")),
    )
    op.create_index(op.f("ix_bulk_row_operation_id_action"), "bulk_row", ["operation_id", "action"])
    op.create_index(op.f("ix_bulk_row_question_id"), "bulk_row", ["question_id"])


def _create_deck_members() -> None:
    for column in (
        sa.Column("title", sa.String(length=500), nullable=False, server_default=""),
        sa.Column("html", sa.Text(), nullable=False, server_default=""),
        sa.Column("questions", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("changed_in", sa.Integer(), nullable=False, server_default="0"),
    ):
        op.add_column("published_deck", column)
    op.create_table(
        "published_deck_member",
        sa.Column("deck", sa.String(length=120), nullable=False),
        sa.Column("publication_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["deck"],
            ["published_deck.slug"],
            name=op.f("fk_published_deck_member_deck_published_deck"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["publication_id"],
            ["publication.id"],
            name=op.f("fk_published_deck_member_publication_id_publication"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("deck", "publication_id", name=op.f("pk_published_deck_member")),
    )
    op.create_index(
        op.f("ix_published_deck_member_publication_id"),
        "published_deck_member",
        ["publication_id"],
    )
    op.create_index(
        op.f("ix_published_deck_member_deck_position_publication_id"),
        "published_deck_member",
        ["deck", "position", "publication_id"],
    )
    _work_out_decks()
    op.create_table(
        "deck_change",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("deck", sa.String(length=120), nullable=False),
        sa.Column("release", sa.Integer(), nullable=False),
        sa.Column("uid", sa.String(length=36), nullable=False),
        sa.Column(
            "what", _vocabulary("deck_change_kind", "added", "changed", "withdrawn"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["release"], ["release.number"], name=op.f("fk_deck_change_release_release")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deck_change")),
    )
    op.create_index(
        op.f("ix_deck_change_deck_release_uid"), "deck_change", ["deck", "release", "uid"]
    )


def _work_out_decks() -> None:
    """Give public decks what pages show of them. Their filters selected nothing until now.

    Descriptions become plain paragraphs; the next change of a deck renders its Markdown.
    """
    deck = sa.table(
        "published_deck",
        *(sa.column(name) for name in ("slug", "document", "release")),
        *(sa.column(name) for name in ("title", "html", "questions", "changed_in")),
    )
    publication = sa.table("publication", sa.column("id"), sa.column("uid"))
    member = sa.table(
        "published_deck_member",
        *(sa.column(name) for name in ("deck", "publication_id", "position")),
    )
    connection = op.get_bind()
    ids = dict(connection.execute(sa.select(publication.c.uid, publication.c.id)).all())
    for slug, document, release in connection.execute(
        sa.select(deck.c.slug, deck.c.document, deck.c.release)
    ).all():
        item = json.loads(document)
        uids = [uid for uid in item.get("questions", []) if uid in ids]
        blocks = html.escape(item.get("description", "")).split("\n\n")
        connection.execute(
            sa.update(deck)
            .where(deck.c.slug == slug)
            .values(
                title=item["title"],
                html="".join(f"<p>{block}</p>" for block in blocks if block),
                questions=len(uids),
                changed_in=release,
            )
        )
        rows = [
            {"deck": slug, "publication_id": ids[uid], "position": position}
            for position, uid in enumerate(uids)
        ]
        if rows:
            connection.execute(sa.insert(member), rows)


def _create_sample_runs() -> None:
    op.create_table(
        "sample_run",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("question_id", sa.Integer(), nullable=False),
        sa.Column("answer_uid", sa.String(length=36), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("python", sa.String(length=32), nullable=False),
        sa.Column("packages", sa.JSON(), nullable=False),
        sa.Column("ran_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["question_id"],
            ["question.id"],
            name=op.f("fk_sample_run_question_id_question"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sample_run")),
        sa.UniqueConstraint(
            "question_id",
            "answer_uid",
            "position",
            name=op.f("uq_sample_run_question_id_answer_uid_position"),
        ),
    )


def _extend_imports() -> None:
    # Discarded imports give their ids back otherwise, and a stale form would meet another one.
    never_reused = {"sqlite_autoincrement": True}
    with op.batch_alter_table("import_batch", table_kwargs=never_reused) as batch_op:
        batch_op.add_column(sa.Column("data", sa.LargeBinary(), nullable=True))
        batch_op.add_column(sa.Column("head", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("made", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("planned_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("applied_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("undone_by_id", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("job_id", sa.Integer(), nullable=True))
        batch_op.create_foreign_key(
            batch_op.f("fk_import_batch_undone_by_id_account"), "account", ["undone_by_id"], ["id"]
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_import_batch_job_id_job"), "job", ["job_id"], ["id"]
        )
        batch_op.create_index(batch_op.f("ix_import_batch_undone_by_id"), ["undone_by_id"])
        batch_op.create_index(batch_op.f("ix_import_batch_job_id"), ["job_id"])
    op.execute("UPDATE import_batch SET planned_at = at, applied_at = at")
    op.add_column("import_warning", sa.Column("mended_in", sa.Integer(), nullable=True))
    with op.batch_alter_table("import_row", table_kwargs=never_reused) as batch_op:
        batch_op.add_column(sa.Column("stated", sa.Text(), nullable=True))
        batch_op.add_column(
            sa.Column("chosen", sa.Boolean(), nullable=False, server_default=sa.false())
        )
        batch_op.add_column(sa.Column("seen_version", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("warnings", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("number", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("before", sa.JSON(), nullable=True))
        batch_op.drop_index(batch_op.f("ix_import_row_batch_id_action"))
        # All that a page counts, so that it reads past the long texts of the rows.
        batch_op.create_index(
            batch_op.f("ix_import_row_batch_id_action_chosen_warnings"),
            ["batch_id", "action", "chosen", "warnings"],
        )
    op.execute("UPDATE import_row SET chosen = (action IN ('create', 'update'))")


def _acknowledge_mended() -> None:
    """What was mended is acknowledged to the code before, which knows no other way."""
    revision = "FROM revision WHERE question_id = import_warning.question_id AND number = mended_in"
    op.execute(
        f"UPDATE import_warning SET acknowledged_at = (SELECT created_at {revision}), "  # noqa: S608
        f"acknowledged_by_id = (SELECT author_id {revision}) WHERE mended_in IS NOT NULL"
    )


def _key_stems() -> None:
    """Give each question the key of its stem, as cms.text.stem_key makes it in this version."""
    op.add_column(
        "question",
        sa.Column("stem_key", sa.String(length=500), nullable=False, server_default=""),
    )
    question = sa.table("question", sa.column("id"), sa.column("stem"), sa.column("stem_key"))
    connection = op.get_bind()
    rows = connection.execute(sa.select(question.c.id, question.c.stem)).all()
    for start in range(0, len(rows), 1_000):
        connection.execute(
            sa.update(question)
            .where(question.c.id == sa.bindparam("key"))
            .values(stem_key=sa.bindparam("value")),
            [{"key": id, "value": _stem_key(stem)} for id, stem in rows[start : start + 1_000]],
        )
    op.create_index(op.f("ix_question_stem_key"), "question", ["stem_key"])


def _stem_key(stem: str) -> str:
    folded = unicodedata.normalize("NFKC", stem).casefold()
    return (" ".join(_WORDS.findall(folded)) or folded.strip())[:500]


def _vocabulary(name: str, *words: str) -> sa.Enum:
    return sa.Enum(*words, name=name, native_enum=False, create_constraint=True, length=32)
