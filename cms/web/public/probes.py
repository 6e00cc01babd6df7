"""What machines ask of the process: what it says holds for this moment alone."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

from flask import Response, current_app
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError

from cms.extensions import read_engine
from cms.web.public import route

# Bytes that have to be free beside a SQLite bank, for its log and for an import.
FREE_SPACE = 50_000_000
UNKEPT = {"Cache-Control": "no-store"}


@route("/healthz")
def healthz() -> Response:
    """Say that the process answers."""
    return Response("ok\n", mimetype="text/plain", headers=UNKEPT)


@route("/readyz")
def readyz() -> tuple[dict[str, str], int, dict[str, str]]:
    """Say whether pages can be served: the database, its migrations, the disk; 503 if not."""
    engine = read_engine()
    faults = {"database": "ok", "migrations": "ok", "disk": _disk(engine)}
    try:
        with engine.connect() as connection:
            found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if found != _head():
            faults["migrations"] = "the database is not at the newest migration: run `db upgrade`"
    except SQLAlchemyError:
        faults["database"] = "the database does not answer, or holds no bank"
    return faults, 200 if set(faults.values()) == {"ok"} else 503, UNKEPT


def _disk(engine: Engine) -> str:
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return "ok"
    free = shutil.disk_usage(Path(engine.url.database).parent).free
    return "ok" if free >= FREE_SPACE else f"only {free // 1_000_000} MB are free"


@functools.cache
def _head() -> str | None:
    # By their configuration: migrations import what stands beside them.
    from alembic.script import ScriptDirectory

    config = current_app.extensions["migrate"].migrate.get_config()
    return ScriptDirectory.from_config(config).get_current_head()
