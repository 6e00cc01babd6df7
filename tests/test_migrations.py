"""One history, on both databases: the head equals the models, and every step can be undone."""

from __future__ import annotations

import re

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import Enum, func, inspect, select, text, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from cms.errors import WrongState
from cms.extensions import db
from cms.formats import FORMATS
from cms.formats.incoming import Upload
from cms.models import AuditEvent, Base, ImportBatch, Publication, Question
from cms.services import search
from cms.services.assets import find_asset
from cms.services.imports.import_undo import undo_import
from cms.services.imports.importing import apply, plan_file
from cms.services.publishing import publish
from cms.services.questions import save
from cms.vocabulary import Role
from tests.conftest import add_user
from tests.factories import AT, content, make_asset, make_published, make_question, make_warning
from tests.formats.pictures import DRAWING


def test_the_head_of_the_history_equals_the_models(app: Flask) -> None:
    with app.app_context():
        flask_migrate.check()


def test_an_empty_bank_goes_down_to_nothing_and_up_again(app: Flask) -> None:
    with app.app_context():
        flask_migrate.downgrade(revision="base")
        left = set(inspect(db.engine).get_table_names()) - {"alembic_version"}
        assert left == set()
        flask_migrate.upgrade()
        assert set(Base.metadata.tables) <= set(inspect(db.engine).get_table_names())
        assert db.session.scalar(text("SELECT number FROM release_counter")) == 0


@pytest.mark.parametrize("table", ["question", "publication"])
def test_every_constraint_has_a_name(app: Flask, table: str) -> None:
    with app.app_context():
        inspector = inspect(db.engine)
        constraints = inspector.get_check_constraints(table)
        constraints += inspector.get_unique_constraints(table)
        constraints += inspector.get_foreign_keys(table)
        assert constraints
        assert all(constraint["name"] for constraint in constraints)


def test_a_full_bank_goes_down_and_up_and_works_again(app: Flask, flask_bank: Upload) -> None:
    with app.app_context():
        for _ in range(2):
            with Session(db.engine) as session:
                plan = plan_file(session, flask_bank, FORMATS["markdown"])
                apply(session, plan, flask_bank, FORMATS["markdown"], by=None, at=AT)
                publish(session, list(session.scalars(select(Question))), by=None, at=AT)
                session.commit()
                count = session.scalar(select(func.count()).select_from(Publication))
                assert count == len(plan.rows) > 0
                assert search.ranked(session, Publication, "flask")
            flask_migrate.downgrade(revision="base")
            flask_migrate.upgrade()


VOCABULARY_COLUMNS = [
    pytest.param(table.name, column.name, id=f"{table.name}.{column.name}")
    for table in Base.metadata.sorted_tables
    for column in table.columns
    if isinstance(column.type, Enum)
]


@pytest.mark.parametrize(("table", "column"), VOCABULARY_COLUMNS)
def test_the_migrated_check_knows_every_word_of_its_vocabulary_and_no_other(
    app: Flask, table: str, column: str
) -> None:
    vocabulary = Base.metadata.tables[table].c[column].type
    assert isinstance(vocabulary, Enum)
    with app.app_context():
        [check] = [
            each["sqltext"]
            for each in inspect(db.engine).get_check_constraints(table)
            if each["name"] == f"ck_{table}_{vocabulary.name}"
        ]
    assert set(re.findall(r"'(\w+)'", check)) == set(vocabulary.enums)


def test_what_was_mended_is_acknowledged_to_the_code_before(app: Flask) -> None:
    with app.app_context():
        with Session(db.engine) as session:
            editor = add_user(session, "Edith", Role.editor)
            question = make_question(session, body="It is , and.")
            make_warning(session, question)
            make_warning(session, question, "still here")
            changed = content(question.stem, "Mended.")
            save(session, question, changed, seen_version=1, by=editor, at=AT)
            editor_id = editor.id
            session.commit()
        flask_migrate.downgrade(revision="0001")
        with db.engine.begin() as connection:
            rows = connection.execute(
                text(
                    "SELECT acknowledged_at IS NOT NULL, acknowledged_by_id"
                    " FROM import_warning ORDER BY id"
                )
            ).all()
        assert [(bool(when), who) for when, who in rows] == [(True, editor_id), (False, None)]
        flask_migrate.upgrade()


def test_a_bank_of_the_version_before_keeps_its_decks_imports_and_stems(
    app: Flask, flask_bank: Upload
) -> None:
    with app.app_context():
        with Session(db.engine) as session:
            plan = plan_file(session, flask_bank, FORMATS["markdown"])
            apply(session, plan, flask_bank, FORMATS["markdown"], by=None, at=AT)
            publish(session, list(session.scalars(select(Question))), by=None, at=AT)
            session.commit()
        tables = (
            "SELECT slug, title, questions, release FROM published_deck ORDER BY slug",
            "SELECT deck, publication_id, position FROM published_deck_member ORDER BY 1, 3",
            "SELECT uid, stem_key FROM question ORDER BY uid",
            "SELECT id, applied_at FROM import_batch",
            "SELECT place, action, chosen FROM import_row ORDER BY id",
        )

        def state() -> list[list[tuple[object, ...]]]:
            with db.engine.connect() as connection:
                return [[tuple(row) for row in connection.execute(text(each))] for each in tables]

        before = state()
        assert all(before)
        flask_migrate.downgrade(revision="0001")
        flask_migrate.upgrade()
        assert state() == before
        with db.engine.connect() as connection:
            pages = connection.scalars(text("SELECT html FROM published_deck")).all()
        assert all(page.startswith("<p>") for page in pages)
        with Session(db.engine) as session:
            batch = session.scalars(select(ImportBatch)).one()
            with pytest.raises(WrongState, match="no record of what this import wrote"):
                undo_import(session, batch, by=None, at=AT)


def test_a_rebuilt_table_is_still_searched_and_never_gives_an_id_twice(app: Flask) -> None:
    with app.app_context():
        with Session(db.engine) as session:
            kept = make_question(session, "What is a needle?")
            gone = make_question(session, "What is a haystack?")
            needle, highest = kept.id, gone.id
            session.delete(gone)
            session.commit()
        flask_migrate.downgrade(revision="0002")
        flask_migrate.upgrade()
        with Session(db.engine) as session:
            assert make_question(session, "What is straw?").id > highest
            assert search.ranked(session, Question, "needle") == [needle]
            assert len(search.ranked(session, Question, "straw")) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM audit_event",
        "UPDATE audit_event SET action = 'question.create'",
        "UPDATE audit_event SET data = '{}'",
        "UPDATE audit_event SET data = '{\"purged\": true}', actor_id = NULL, action = 'x'",
    ],
)
def test_the_database_itself_keeps_the_audit_append_only(
    app: Flask, session: Session, statement: str
) -> None:
    make_question(session)
    count = select(func.count()).select_from(AuditEvent)
    before = session.scalar(count)
    with pytest.raises(DBAPIError, match="the audit is append-only"):
        session.execute(text(statement))
    session.rollback()
    assert session.scalar(count) == before != 0


def test_a_purge_may_take_the_text_out_of_an_event(session: Session) -> None:
    make_question(session)
    session.execute(update(AuditEvent).values(data={"purged": True}))
    session.commit()
    assert all(data == {"purged": True} for data in session.scalars(select(AuditEvent.data)))


def test_a_bank_of_the_version_before_takes_images_again(app: Flask) -> None:
    with app.app_context():
        with Session(db.engine) as session:
            asset = make_asset(session)
            make_published(session, body=f"![A red box](asset:{asset.name})")
        flask_migrate.downgrade(revision="0006")
        assert "asset" not in inspect(db.engine).get_table_names()
        flask_migrate.upgrade()
        with Session(db.engine) as session:
            again = make_asset(session)
            question = session.scalars(select(Question)).one()
            assert again.name in question.answers[0].body
            publish(session, [question], by=None, at=AT)
            changed = content(question.stem, f"![A box](asset:{again.name})")
            save(session, question, changed, seen_version=1, by=None, at=AT)
            assert publish(session, [question], by=None, at=AT).refused == []
            assert find_asset(session, again.name, public=True).data == DRAWING
