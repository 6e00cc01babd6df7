"""A bank with a backup of it, and the means to restore that."""

from __future__ import annotations

import json
from dataclasses import replace as replace_in
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from msgspec.structs import replace
from sqlalchemy import Connection, Engine, inspect
from sqlalchemy.orm import Session

from cms.cli.migrations import migrations
from cms.formats import FORMATS
from cms.models import Question
from cms.models.engine import file_engine
from cms.services.backups.backing_up import Written, back_up
from cms.services.backups.checking import checked
from cms.services.backups.restoring import Restored, restore
from cms.services.content import content_of
from cms.services.exporting import Head, Selection, export_shelf
from cms.services.publishing import publish
from cms.services.questions import save
from tests.factories import AT

LATER = AT + timedelta(hours=1)
TODAY = AT + timedelta(days=2)
HEAD = Head("Test bank", "https://bank.example.org")


class Bench:
    """Its migrations to the newest one copy the file `migrated`: running them takes a second."""

    def __init__(self, app: Flask, session: Session, folder: Path, migrated: Path) -> None:
        self.session = session
        self.folder = folder
        self.file = folder / "bank.db"
        with app.app_context():
            real = migrations()

        def upgrade(engine: Engine, revision: str) -> None:
            if revision != real.head or inspect(engine).get_table_names():
                real.upgrade(engine, revision)
                return
            source = file_engine(migrated, read_only=True)
            with source.connect() as reading, engine.connect() as writing:
                _driver(reading).backup(_driver(writing))

        self.migrations = replace_in(real, upgrade=upgrade)

    @property
    def engine(self) -> Engine:
        engine = self.session.get_bind()
        assert isinstance(engine, Engine)
        return engine

    def back_up(self, file: Path | None = None) -> Written:
        self.session.commit()
        return back_up(self.engine, file or self.file, self.migrations, replace=True)

    def restore(self, file: Path | None = None) -> Restored:
        self.session.commit()
        self.session.expunge_all()
        with checked(file or self.file, self.migrations) as backup:
            return restore(self.engine, backup, at=TODAY)

    def save(self, question: Question, **fields: Any) -> None:
        """Save and publish a question."""
        changed = replace(content_of(question), **fields)
        seen = question.latest_number
        save(self.session, question, changed, seen_version=seen, by=None, at=LATER)
        publish(self.session, [question], by=None, at=LATER)
        self.session.commit()


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection


def exported(session: Session, **selection: Any) -> bytes:
    """The shelf as JSON."""
    session.rollback()
    chunks = export_shelf(session, FORMATS["json"], Selection(**selection), HEAD).chunks
    data = b"".join(chunks)
    session.rollback()
    return data


def shelf(session: Session, **selection: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(exported(session, **selection))
    return document
