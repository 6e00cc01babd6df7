"""One history, on both databases: the head equals the models, and every step can be undone."""

from __future__ import annotations

import flask_migrate
import pytest
from flask import Flask
from sqlalchemy import inspect, text

from cms.extensions import db
from cms.models import Base


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
