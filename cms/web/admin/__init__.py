"""The desk: Flask-Admin views behind the log-in. `init_admin(app)` is the way in."""

from __future__ import annotations

from flask import Flask
from flask_admin import Admin
from flask_admin.theme import Theme

from cms.models import (
    Answer,
    Asset,
    AuditEvent,
    BulkOperation,
    Correction,
    Deck,
    ImportBatch,
    Question,
    Tag,
    User,
)
from cms.web.admin import words
from cms.web.admin.accounts import AccountsView
from cms.web.admin.answers import AnswersView
from cms.web.admin.assets import AssetsView
from cms.web.admin.audit import AuditView
from cms.web.admin.corrections import CorrectionsView
from cms.web.admin.dashboard import Dashboard
from cms.web.admin.decks import DecksView
from cms.web.admin.duplicates import DuplicatesView
from cms.web.admin.imports import ImportsView
from cms.web.admin.inbox import InboxView
from cms.web.admin.operations import OperationsView
from cms.web.admin.questions import QuestionsView
from cms.web.admin.savedviews import SavedViewsView, init_saved_views
from cms.web.admin.tags import TagsView


def init_admin(app: Flask) -> None:
    """Install the desk under /admin/, with templates, styles and scripts of our own alone."""
    admin = Admin(
        app,
        name=app.config["SITE_NAME"],
        index_view=Dashboard(),
        # A folder that Flask-Admin does not have: none of its own pages can ever be shown.
        theme=Theme(folder="desk", base_template="admin/base.html"),
    )
    admin.add_views(
        QuestionsView(Question, "desk_questions", "questions"),
        AnswersView(Answer, "desk_answers", "answers"),
        TagsView(Tag, "desk_tags", "tags"),
        CorrectionsView(Correction, "desk_corrections", "corrections"),
        DuplicatesView(name="Duplicates", endpoint="desk_duplicates", url="/admin/duplicates"),
        DecksView(Deck, "desk_decks", "decks"),
        AssetsView(Asset, "desk_images", "assets"),
        ImportsView(ImportBatch, "desk_imports", "imports"),
        OperationsView(BulkOperation, "desk_operations", "operations"),
        InboxView(),
        SavedViewsView(),
        AccountsView(User, "desk_accounts", "accounts"),
        AuditView(AuditEvent, "desk_audit", "audit"),
    )
    words.init_words(app)
    init_saved_views(app)
