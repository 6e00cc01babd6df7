"""How Alembic runs here: one history for SQLite and PostgreSQL, online only."""

from typing import Any

from alembic import context
from flask import current_app
from search_index import is_search_object

target_db = current_app.extensions["migrate"].db
# A backup is a file beside the bank, with a history of its own.
engine = context.config.attributes.get("engine") or target_db.engine
extra_arguments = current_app.extensions["migrate"].configure_args


def include_object(
    _object: Any, name: str | None, kind: str, _reflected: bool, _compare_to: Any
) -> bool:
    """Leave out the full-text indexes: they are no part of the models."""
    return not is_search_object(name or "", kind)


def drop_empty_revision(_context: Any, _revision: Any, directives: list[Any]) -> None:
    """Write no migration where the models changed nothing."""
    if (
        getattr(context.config.cmd_opts, "autogenerate", False)
        and directives[0].upgrade_ops.is_empty()
    ):
        directives[:] = []


def render_item(kind: str, item: Any, _autogen_context: Any) -> str | bool:
    """Write our own column type as the plain one: a migration never imports the models."""
    if kind == "type" and type(item).__name__ == "UtcDateTime":
        return "sa.DateTime(timezone=True)"
    return False


def run_migrations() -> None:
    """Run each migration in a transaction of its own.

    SQLite rebuilds a table to alter it, and with foreign keys on the rebuild of
    a parent deletes the rows of its children that cascade. The pragma is deaf
    inside a transaction, so it goes to the driver's connection beforehand.
    """
    with engine.connect() as connection:
        on_sqlite = connection.dialect.name == "sqlite"
        driver: Any = connection.connection.dbapi_connection
        if on_sqlite:
            driver.execute("PRAGMA foreign_keys = OFF")
        try:
            context.configure(
                connection=connection,
                target_metadata=target_db.metadata,
                include_object=include_object,
                render_item=render_item,
                process_revision_directives=drop_empty_revision,
                transaction_per_migration=True,
                **extra_arguments,
            )
            with context.begin_transaction():
                context.run_migrations()
            if on_sqlite:
                broken = driver.execute("PRAGMA foreign_key_check").fetchall()
                if broken:
                    raise RuntimeError(f"the migration left dangling rows: {broken[:5]}")
        finally:
            if on_sqlite:
                driver.execute("PRAGMA foreign_keys = ON")


run_migrations()
