"""The full-text indexes: FTS5 on SQLite, a stored tsvector on PostgreSQL.

Both index the column `search_text` of a table. A batch rebuild of that table
on SQLite drops its triggers silently: call `create_triggers` afterwards.
"""

import sqlalchemy as sa
from alembic import op

TABLES = ("question", "publication")
VECTOR = "search_vector"


def is_search_object(name: str, kind: str) -> bool:
    """Whether a reflected object belongs to a full-text index."""
    if kind == "table":
        return any(
            name == f"{table}_search" or name.startswith(f"{table}_search_") for table in TABLES
        )
    return name == VECTOR or name in {f"ix_{table}_{VECTOR}" for table in TABLES}


def create(table: str) -> None:
    """Index `table`.search_text, with what it holds now."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE VIRTUAL TABLE {table}_search USING fts5(search_text, content='{table}',"
            " content_rowid='id', tokenize=\"unicode61 remove_diacritics 2\")"
        )
        op.execute(f"INSERT INTO {table}_search({table}_search) VALUES ('rebuild')")  # noqa: S608
        create_triggers(table)
    else:
        # 'simple' folds case alone: both databases find the same words.
        op.add_column(
            table,
            sa.Column(
                VECTOR,
                sa.dialects.postgresql.TSVECTOR,
                sa.Computed("to_tsvector('simple', search_text)", persisted=True),
            ),
        )
        op.create_index(f"ix_{table}_{VECTOR}", table, [VECTOR], postgresql_using="gin")


def create_triggers(table: str) -> None:
    """Keep the FTS5 index of `table` in step with its rows (SQLite)."""
    add = f"INSERT INTO {table}_search(rowid, search_text) VALUES (new.id, new.search_text)"  # noqa: S608
    remove = (
        f"INSERT INTO {table}_search({table}_search, rowid, search_text)"  # noqa: S608
        " VALUES ('delete', old.id, old.search_text)"
    )
    for name, event, statements in (
        ("insert", "AFTER INSERT", (add,)),
        ("update", "AFTER UPDATE OF search_text", (remove, add)),
        ("delete", "AFTER DELETE", (remove,)),
    ):
        body = "; ".join(statements)
        op.execute(f"CREATE TRIGGER {table}_search_{name} {event} ON {table} BEGIN {body}; END")


def drop(table: str) -> None:
    """Remove the index of `table`."""
    if op.get_bind().dialect.name == "sqlite":
        for name in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER {table}_search_{name}")
        op.execute(f"DROP TABLE {table}_search")
    else:
        op.drop_index(f"ix_{table}_{VECTOR}", table)
        op.drop_column(table, VECTOR)
