"""The Flask extensions, made once and bound in `create_app`."""

from flask import Flask
from flask_login import LoginManager
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from flask_wtf import CSRFProtect
from sqlalchemy import Engine

from cms.config import MEMORY
from cms.models import Base
from cms.models.engine import ATTEMPTS, FOUR_EYES, configure_engine, engine_options
from cms.services.throttles import MemoryAttempts

READ = "read"

db = SQLAlchemy(model_class=Base, disable_autonaming=True)
migrate = Migrate(compare_type=True, render_as_batch=True)
login = LoginManager()
csrf = CSRFProtect()


def init_databases(app: Flask) -> None:
    """Open the writing engine and the read-only one that the public side uses."""
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
