"""The history of the schema, for commands: where the bank stands in it, and moving along it."""

from __future__ import annotations

import alembic.command
from alembic.script import ScriptDirectory
from flask import current_app
from sqlalchemy import Engine

from cms.errors import WrongState
from cms.extensions import db
from cms.services.backups.checking import Migrations, migration_of


def migrations() -> Migrations:
    """Return the history that this program's own migrations make."""
    config = current_app.extensions["migrate"].migrate.get_config()
    scripts = ScriptDirectory.from_config(config)

    def upgrade(engine: Engine, revision: str) -> None:
        config.attributes["engine"] = engine
        alembic.command.upgrade(config, revision)

    return Migrations(
        head=scripts.get_current_head() or "",
        known=frozenset(each.revision for each in scripts.walk_revisions()),
        upgrade=upgrade,
    )


def require_head() -> None:
    """Refuse to go on with a database that the code does not fit.

    :raises WrongState: when migrations are missing
    """
    with db.engine.connect() as connection:
        found = migration_of(connection)
    if found != migrations().head:
        raise WrongState(
            "The database is not at the newest migration. "
            "Run `python manage.py db upgrade` (or `init` for a new bank) first."
        )
