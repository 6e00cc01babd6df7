"""The Flask extensions, made once and bound in `create_app`."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask
from flask_login import LoginManager
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import Engine

from cms.config import MEMORY
from cms.models import Base
from cms.models.engine import ATTEMPTS, FOUR_EYES, configure_engine, engine_options
from cms.services.throttles import MemoryAttempts

if TYPE_CHECKING:
    from flask_migrate import Migrate

READ = "read"
MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"

db = SQLAlchemy(model_class=Base, disable_autonaming=True)
login = LoginManager()
csrf = CSRFProtect()


class Migrations:
    """What Flask-Migrate keeps of an app, without importing it before it is used.

    Alembic takes as long to import as Flask does, and no page needs it: it comes with the first
    command, or the first probe, that asks for the history of the schema.
    """

    db = db
    directory = str(MIGRATIONS)
    configure_args: Mapping[str, Any] = {"compare_type": True, "render_as_batch": True}

    @functools.cached_property
    def migrate(self) -> Migrate:
        """Flask-Migrate itself."""
        from flask_migrate import Migrate

        return Migrate(db=self.db, directory=self.directory, **self.configure_args)


def init_databases(app: Flask) -> None:
    """Open the writing engine and the read-only one that the public side uses."""
    app.extensions["migrate"] = Migrations()
    url = app.config["DATABASE_URL"]
    read_url = app.config["READ_DATABASE_URL"] or url
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = {
        **engine_options(url),
        "execution_options": {
            FOUR_EYES: app.config["FOUR_EYES"],
            ATTEMPTS: MemoryAttempts() if app.config["RATELIMIT_STORAGE"] == MEMORY else None,
        },
    }
    app.config["SQLALCHEMY_BINDS"] = {READ: {"url": read_url, **engine_options(read_url)}}
    db.init_app(app)
    with app.app_context():
        configure_engine(db.engine)
        configure_engine(read_engine(), read_only=True)


def read_engine() -> Engine:
    """Return the read-only engine of the current app."""
    return db.engines[READ]
