"""A bank with a backup of it, and the means to restore that."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from msgspec.structs import replace
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from cms.cli.migrations import migrations
from cms.formats import FORMATS
from cms.models import Question
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
    def __init__(self, app: Flask, session: Session, folder: Path) -> None:
        self.session = session
        self.folder = folder
        self.file = folder / "bank.db"
        with app.app_context():
            self.migrations = migrations()

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
