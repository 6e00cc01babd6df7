"""The decks: a filter of tags, difficulties and words, and questions that are chosen one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from flask import Response, flash, jsonify, redirect, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from flask_admin.form import BaseForm
from sqlalchemy import Select, func, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, selectinload
from wtforms import SelectMultipleField, StringField, TextAreaField

from cms.errors import CmsError, InvalidContent, InvalidInput, StaleDeck
from cms.extensions import db
from cms.formats.item import DeckFilter, DeckItem
from cms.models import Deck, Publication, PublishedDeck
from cms.services import decks, search
from cms.services.deckfilters import filter_of
from cms.services.permissions import may
from cms.text import normalize_line
from cms.vocabulary import Difficulty, Role
from cms.web.admin.base import (
    ListFilter,
    Row,
    TableView,
    actor,
    find,
    now,
    put_beside,
    transaction,
)

# How many questions a search for members offers.
OFFERED = 10
# Explicit members that the form shows one by one; the others are lines of text.
SHOWN = 300

_SEPARATOR = re.compile(r"[,;\n]")


class DeckForm(BaseForm):
    title = StringField("Title")
    slug = StringField(
        "Address",
        description="The last part of it; made from the title if empty. It stays as it is then.",
    )
    description = TextAreaField("Description", description="Markdown, shown above its questions.")
    all = StringField(
        "With all of these tags", description="Commas between; a tag includes those below it."
    )
    any = StringField("With one of these tags")
    none = StringField("With none of these tags")
    difficulty = SelectMultipleField(
        "Difficulty", choices=[each.value for each in Difficulty], validate_choice=False
    )
    text = StringField(
        "With these words", description="In the question or its answers; all of them."
    )
    questions = TextAreaField(
        "Chosen questions",
        description="The address or the uid of one on each line. They come first, in this order.",
    )

    @classmethod
    def of(cls, session: Session, deck: Deck) -> DeckForm:
        """Return the form of a deck as it is."""
        item = decks.deck_item(deck)
        named = decks.describe_members(session, item.questions)
        return cls(
            data={
                "title": item.title,
                "slug": item.slug,
                "description": item.description,
                "all": ", ".join(item.filter.all),
                "any": ", ".join(item.filter.any),
                "none": ", ".join(item.filter.none),
                "difficulty": item.filter.difficulty,
                "text": item.filter.text,
                "questions": "\n".join(member.slug or member.name for member in named),
            }
        )

    @property
    def names(self) -> list[str]:
        """What the chosen questions are called, one a line."""
        lines = map(normalize_line, (self.questions.data or "").splitlines())
        return [line for line in lines if line]

    def item(self, slug: str, uids: Iterable[str]) -> DeckItem:
        """Return the deck that was typed, with the uids of the chosen questions."""
        return DeckItem(
            slug=slug,
            title=self.title.data or "",
            description=self.description.data or "",
            filter=DeckFilter(
                all=_paths(self.all.data),
                any=_paths(self.any.data),
                none=_paths(self.none.data),
                difficulty=[each for each in Difficulty if each in (self.difficulty.data or [])],
                text=self.text.data or "",
            ),
            questions=list(uids),
        )


class DecksView(TableView):
    """Every deck; editors make them, everybody may look."""

    title = "Decks"
    noun = "deck"
    search_hint = "Search titles"
    list_template = "admin/decks/list.html"
    can_create = True
    column_list = ("title", "questions", "selects", "updated_at")
    column_labels = {"questions": "Public now", "updated_at": "Updated"}
    column_sortable_list = (("title", Deck.title), ("updated_at", Deck.updated_at))
    column_filters = (
        ListFilter(
            "kind",
            "Kind",
            lambda value: Deck.members.any() if value == "chosen" else ~Deck.members.any(),
            [("chosen", "with chosen questions"), ("filter", "by its filter alone")],
        ),
    )
    loading = (selectinload(Deck.members),)
    roles = {"create_view": Role.editor, "delete": Role.editor}

    def search(self, query: Select[Any], words: str) -> Select[Any]:
        return query.where(
            or_(
                func.lower(Deck.title).contains(words.casefold(), autoescape=True),
                Deck.slug.contains(words.casefold(), autoescape=True),
            )
        )

    def default_order(self, _search: str | None) -> list[Any]:
        return [Deck.updated_at.desc(), Deck.id.desc()]

    def get_list(self, *args: Any, **kwargs: Any) -> tuple[int, list[Row]]:
        count, rows = super().get_list(*args, **kwargs)
        public = select(PublishedDeck.slug, PublishedDeck.questions).where(
            PublishedDeck.slug.in_([row.slug for row in rows])
        )
        self._template_args.update(
            public=dict(db.session.execute(public).all()),
            words={row.id: in_words(row) for row in rows},
        )
        return count, rows

    @expose("/new/", methods=("GET", "POST"))
    def create_view(self) -> ResponseReturnValue:
        return self._answer(None)

    @expose("/<id>/", methods=("GET", "POST"))
    def edit_view(self, id: str) -> ResponseReturnValue:
        return self._answer(find(Deck, id, "deck"))

    def _answer(self, deck: Deck | None) -> ResponseReturnValue:
        if request.method != "POST":
            form = DeckForm.of(db.session(), deck) if deck else DeckForm()
            return self._page(deck, form, seen=deck.version if deck else 0)
        form = DeckForm(request.form)
        seen = _number(request.form.get("seen_version", ""))
        if request.form.get("op") == "preview":
            return self._page(deck, form, seen=seen, unsaved=True)
        problems: list[str] = []
        theirs: DeckItem | None = None
        try:
            with transaction() as session:
                uids = decks.resolve_members(session, form.names)
                slug = (form.slug.data or "") if deck is None else deck.slug
                saved = decks.save_deck(
                    session, deck, form.item(slug, uids), seen_version=seen, by=actor(), at=now()
                )
        except StaleDeck as error:
            assert deck is not None
            # The next save is deliberate: it names their version as seen.
            problems, theirs, seen = [str(error)], error.theirs, deck.version
        except InvalidInput as error:
            problems = put_beside(form, _of_this_form(error))
        except IntegrityError:
            problems = ["Somebody saved the same thing at this moment. Save again."]
        else:
            unchanged = deck is not None and saved.version == seen
            flash(
                "Nothing was changed, so nothing was saved."
                if unchanged
                else f"Saved the deck ‘{saved.title}’. Readers have it at once.",
                "info" if unchanged else "success",
            )
            return redirect(self.get_url(".edit_view", id=saved.id), 303)
        return self._page(deck, form, seen=seen, problems=problems, theirs=theirs, unsaved=True)

    def _page(
        self,
        deck: Deck | None,
        form: DeckForm,
        *,
        seen: int,
        problems: Iterable[str] = (),
        theirs: DeckItem | None = None,
        unsaved: bool = False,
    ) -> str:
        session = db.session()
        return self.render(
            "admin/decks/form.html",
            row=deck,
            form=form,
            seen=seen,
            problems=list(problems),
            theirs=theirs,
            theirs_named=decks.describe_members(session, theirs.questions) if theirs else [],
            unsaved=unsaved,
            editable=may(actor(), Role.editor),
            members=decks.describe_members(session, form.names)[:SHOWN],
            foldable=len(form.names) <= SHOWN,
            difficulties=list(Difficulty),
            preview=preview_of(session, form),
        )

    @expose("/<id>/delete", methods=("POST",))
    def delete(self, id: str) -> ResponseReturnValue:
        deck = find(Deck, id, "deck")
        title = deck.title
        seen = _number(request.form.get("seen_version", ""))
        try:
            with transaction() as session:
                decks.delete_deck(session, deck, seen_version=seen, by=actor(), at=now())
        except CmsError as error:
            flash(str(error), "error")
            return redirect(self.get_url(".edit_view", id=id), 303)
        flash(f"Deleted the deck ‘{title}’. Its questions stay.", "success")
        return redirect(self.get_url(".index_view"), 303)

    @expose("/preview", methods=("POST",))
    def preview(self) -> ResponseReturnValue:
        """Return what the posted form would hold, as a fragment of the page."""
        form = DeckForm(request.form)
        return self.render("admin/decks/preview.html", preview=preview_of(db.session(), form))

    @expose("/lookup")
    def lookup(self) -> Response:
        """Return slug and stem of at most `OFFERED` published questions that `q` finds, as JSON."""
        typed = normalize_line(request.args.get("q", ""))[:200]
        ids = search.ranked(db.session(), Publication, typed)[:OFFERED]
        rows = {
            row.id: {"slug": row.slug, "stem": row.stem}
            for row in db.session.execute(
                select(Publication.id, Publication.slug, Publication.stem).where(
                    Publication.id.in_(ids)
                )
            )
        }
        return jsonify([rows[id] for id in ids])


def preview_of(session: Session, form: DeckForm) -> decks.Preview:
    """Return what a form's deck would hold; names that the bank does not know are left out."""
    named = decks.describe_members(session, form.names)
    return decks.preview_deck(session, form.item("preview", [m.uid for m in named if m.uid]))


def in_words(deck: Deck) -> str:
    """Return what a deck selects, in one line."""
    filter = filter_of(deck)
    parts = []
    if deck.members:
        parts.append(f"{len(deck.members):,} chosen")
    if filter.all:
        parts.append(" and ".join(filter.all))
    if filter.any:
        parts.append(" or ".join(filter.any))
    if filter.none:
        parts.append("not " + ", ".join(filter.none))
    if filter.difficulty:
        parts.append(" or ".join(filter.difficulty))
    if filter.text:
        parts.append(f"“{filter.text}”")
    return "; ".join(parts) or "nothing"


def _of_this_form(error: InvalidInput) -> InvalidInput:
    """Let the faults of a deck name the fields of its form: 'filter.all[1]' is 'all'."""
    if not isinstance(error, InvalidContent):
        return error
    return InvalidContent(
        [(re.sub(r"^filter\.|\[\d+\]$", "", path), problem) for path, problem in error.faults]
    )


def _paths(typed: str | None) -> list[str]:
    return [path.strip().lower() for path in _SEPARATOR.split(typed or "") if path.strip()]


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
