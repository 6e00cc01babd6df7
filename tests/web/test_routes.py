"""Who may do what: one table of every route and role. A route that it lacks fails the suite."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from cms.formats.incoming import Row
from cms.formats.item import DeckItem, Item
from cms.models import Comment, ImportBatch, ImportRow, LikelyDuplicate, new_uid
from cms.services import (
    accounts,
    autosaves,
    comments,
    corrections,
    decks,
    inbox,
    publishing,
    questions,
    savedviews,
    scheduling,
)
from cms.services.imports import uploads
from cms.services.operations import bulk
from cms.vocabulary import CorrectionKind, NotificationKind, Role, RowAction
from tests.factories import AT, content, make_asset, make_published, make_question
from tests.formats.pictures import DRAWING

AsRole = Callable[[Role | None], FlaskClient]
Csrf = Callable[[FlaskClient], str]
Outcome = int | str
Outcomes = tuple[Outcome, Outcome, Outcome, Outcome]
Sample = Callable[[Session], dict[str, Any]]

ROLES = (None, Role.contributor, Role.editor, Role.admin)

# Redirects: to the log-in; to a page that says it is done; to one that says whose right it is.
LOG_IN = "log in"
DONE = "done"
DENIED = "denied"

# What anonymous, contributor, editor and admin get. A form that lacks something is a 422.
ALL: Outcomes = (200, 200, 200, 200)
NONE: Outcomes = (404, 404, 404, 404)
DESK: Outcomes = (LOG_IN, 200, 200, 200)
EDITORS: Outcomes = (LOG_IN, 403, 200, 200)
ADMINS: Outcomes = (LOG_IN, 403, 403, 200)
DESK_DONE: Outcomes = (LOG_IN, DONE, DONE, DONE)
EDITORS_DONE: Outcomes = (LOG_IN, 403, DONE, DONE)
ADMINS_DONE: Outcomes = (LOG_IN, 403, 403, DONE)
# The question's editor keeps what was typed for whoever is not logged in any more.
DESK_KEPT: Outcomes = (401, DONE, DONE, DONE)


# --- what the addresses name: each is made anew for each request --------------------

_numbers = itertools.count(1)


def nothing(session: Session) -> dict[str, Any]:
    return {}


def unique(session: Session) -> dict[str, Any]:
    return {"number": next(_numbers)}


def draft(session: Session) -> dict[str, Any]:
    return {"id": make_question(session, f"Is this draft {next(_numbers)}?").id}


def in_review(session: Session) -> dict[str, Any]:
    question = make_question(session, f"Is this one in review {next(_numbers)}?")
    questions.submit(session, question, by=None, at=AT)
    return {"id": question.id}


def likely_duplicates(session: Session) -> dict[str, Any]:
    first, second = (make_question(session, f"What is number {next(_numbers)}?") for _ in range(2))
    pair = LikelyDuplicate(first_id=first.id, second_id=second.id, similarity=90, found_at=AT)
    session.add(pair)
    return {"first": first.id, "second": second.id}


def published(session: Session) -> dict[str, Any]:
    return {"id": make_published(session, f"Is this public {next(_numbers)}?").id}


def scheduled(session: Session) -> dict[str, Any]:
    question = make_question(session, f"Is this public soon {next(_numbers)}?")
    later = datetime.now(UTC) + timedelta(days=1)
    scheduling.schedule(session, question, number=1, when=later, by=None, at=datetime.now(UTC))
    return {"id": question.id}


def twins(session: Session) -> dict[str, Any]:
    return {"id": draft(session)["id"], "into": draft(session)["id"]}


def retired(session: Session) -> dict[str, Any]:
    question = make_published(session, f"Was this public {next(_numbers)}?")
    publishing.retire(session, [question], by=None, at=AT)
    return {"id": question.id}


def revision(session: Session) -> dict[str, Any]:
    question = make_question(session, f"Is this old {next(_numbers)}?")
    changed = content("Is this new?", tags=[])
    questions.save(session, question, changed, seen_version=1, by=None, at=AT)
    return {"id": question.id, "number": 1}


def answer(session: Session) -> dict[str, Any]:
    question = make_question(session, f"Has this an answer {next(_numbers)}?")
    return {"id": question.answers[0].id}


def tag(session: Session) -> dict[str, Any]:
    slug = f"tag-{next(_numbers)}"
    made = make_question(session, f"Is this under {slug}?", tags=[slug])
    return {"id": made.tags[0].id}


def tags_to_merge(session: Session) -> dict[str, Any]:
    return {"id": tag(session)["id"], "survivor": tag(session)["id"]}


def correction(session: Session) -> dict[str, Any]:
    question = make_question(session, f"Is this wrong {next(_numbers)}?")
    opened = corrections.open_correction(
        session, question, kind=CorrectionKind.factual, claim="It is.", by=None, at=AT
    )
    return {"id": opened.id}


def unsaved(session: Session) -> dict[str, Any]:
    """A text that somebody of whom the table does not know has not saved."""
    writer = accounts.add_user(session, f"Somebody {next(_numbers)}", Role.editor, by=None, at=AT)
    form_id, fields = new_uid(), [("stem", "Why?")]
    kept = autosaves.keep(
        session, writer, None, form_id=form_id, version=0, fields=fields, at=datetime.now(UTC)
    )
    return {"key": kept.id}


def of_question(session: Session) -> dict[str, Any]:
    return {"question": draft(session)["id"]}


def batch(session: Session, **times: Any) -> dict[str, Any]:
    """An import that waits for a decision, with one row that is chosen."""
    times = {"planned_at": AT, **times}
    made = ImportBatch(file_name="a.json", sha256="0" * 64, format="json", at=AT, **times)
    said = Row("line 1", Item(uid=new_uid(), stem=f"Is this new {next(_numbers)}?"))
    row = ImportRow(
        place="line 1",
        action=RowAction.create,
        chosen=True,
        stated=msgspec.json.encode(said).decode(),
    )
    made.rows = [row]
    session.add(made)
    session.flush()
    return {"id": made.id, "row": row.id, "seen": uploads.version_of(row)}


def thread(session: Session) -> dict[str, Any]:
    question = make_question(session, f"Is this talked about {next(_numbers)}?")
    said = comments.post(session, question, "Is it so?", by=None, at=AT)
    return {"id": question.id, "key": said.id}


def settled_thread(session: Session) -> dict[str, Any]:
    made = thread(session)
    comments.resolve(session, session.get_one(Comment, made["key"]), by=None, at=AT)
    return made


def note(session: Session) -> dict[str, Any]:
    """A note to somebody who is none of the roles' accounts."""
    to = accounts.add_user(session, f"Somebody {next(_numbers)}", Role.editor, by=None, at=AT)
    inbox.notify(session, [to.id], NotificationKind.mention, by=None, at=AT)
    [made] = inbox.notes(session, to, limit=1)
    return {"key": made.id}


def saved_view(session: Session) -> dict[str, Any]:
    """A view of somebody who is none of the roles' accounts."""
    by = accounts.add_user(session, f"Somebody {next(_numbers)}", Role.editor, by=None, at=AT)
    made = savedviews.save_view(
        session, "Theirs", page="desk_questions", query="status=draft", by=by, at=AT
    )
    return {"key": made.id}


def unread_batch(session: Session) -> dict[str, Any]:
    return batch(session, planned_at=None, data=b"[]")


def imported_batch(session: Session) -> dict[str, Any]:
    return batch(session, applied_at=AT)


def exported(sample: Sample) -> Sample:
    """An address that exports what `sample` makes."""

    def make(session: Session) -> dict[str, Any]:
        sample(session)
        return {"format": "csv"}

    return make


def operation(session: Session) -> dict[str, Any]:
    id = make_question(session, f"Is this one of many {next(_numbers)}?").id
    made = bulk.begin(session, "submit", [id], {}, by=None, at=AT)
    bulk.perform(session, made, at=AT)
    return {"id": made.id}


def account(session: Session) -> dict[str, Any]:
    name = f"Somebody {next(_numbers)}"
    return {"id": accounts.add_user(session, name, Role.editor, by=None, at=AT).id}


def disabled_account(session: Session) -> dict[str, Any]:
    name = f"Somebody {next(_numbers)}"
    user = accounts.add_user(session, name, Role.editor, by=None, at=AT)
    accounts.disable(session, user, by=None, at=AT)
    return {"id": user.id}


def link(session: Session) -> dict[str, Any]:
    name = f"Somebody {next(_numbers)}"
    user = accounts.add_user(session, name, Role.editor, by=None, at=AT)
    return {"token": accounts.issue_link(session, user, by=None, at=datetime.now(UTC))}


def public_question(session: Session) -> dict[str, Any]:
    return {"slug": make_published(session, f"Do all read this {next(_numbers)}?").slug}


def public_tag(session: Session) -> dict[str, Any]:
    slug = f"tag-{next(_numbers)}"
    make_published(session, f"Do all find {slug}?", tags=[slug])
    return {"path": slug}


def deck(session: Session) -> dict[str, Any]:
    item = DeckItem(slug="", title=f"Deck {next(_numbers)}")
    made = decks.save_deck(session, None, item, by=None, at=AT)
    return {"id": made.id, "slug": made.slug}


def deck_file(session: Session) -> dict[str, Any]:
    return {"slug": deck(session)["slug"], "extension": "json"}


def public_deck(session: Session) -> dict[str, Any]:
    return {"slug": deck(session)["slug"]}


def image(session: Session) -> dict[str, Any]:
    """A drawing that nothing shows, unlike any other."""
    made = make_asset(session, DRAWING.replace(b"40", str(40 + next(_numbers)).encode()))
    return {"id": made.id, "name": made.name}


def desk_image(session: Session) -> dict[str, Any]:
    return {"file": image(session)["name"]}


def unused_image(session: Session) -> dict[str, Any]:
    return {"id": image(session)["id"]}


def public_image(session: Session) -> dict[str, Any]:
    name = image(session)["name"]
    make_published(session, f"Who sees {name}?", body=f"![A box](asset:{name})")
    return {"name": name}


def desk_deck(session: Session) -> dict[str, Any]:
    return {"id": deck(session)["id"]}


def fixed(**arguments: Any) -> Sample:
    return lambda session: dict(arguments)


@dataclass(frozen=True)
class Route:
    """What each method comes to, on an address that `sample` fills, with a form."""

    outcomes: Mapping[str, Outcomes]
    sample: Sample = nothing
    form: Mapping[str, str] = field(default_factory=dict)


def get(row: Outcomes, sample: Sample = nothing) -> Route:
    return Route({"GET": row}, sample)


def post(row: Outcomes, sample: Sample = nothing, **form: str) -> Route:
    return Route({"POST": row}, sample, form)


def both(shown: Outcomes, sent: Outcomes, sample: Sample = nothing, **form: str) -> Route:
    return Route({"GET": shown, "POST": sent}, sample, form)


ROUTES: dict[str, Route] = {
    # Accounts.
    "auth.log_in": both((200, DONE, DONE, DONE), (422, DONE, DONE, DONE)),
    "auth.log_out": post((LOG_IN, LOG_IN, LOG_IN, LOG_IN)),
    "auth.account": both(DESK, (LOG_IN, 422, 422, 422)),
    "auth.link": both(ALL, (422, 422, 422, 422), link),
    # The public site: the same for everybody, and read-only.
    "static": get(ALL, fixed(filename="site.css")),
    "public.home": get(ALL),
    "public.questions": get(ALL),
    "public.suggest": get(ALL, fixed(q="view")),
    "public.question": get(ALL, public_question),
    "public.question_history": get(ALL, public_question),
    "public.question_json": get(ALL, public_question),
    "public.question_markdown": get(ALL, public_question),
    "public.tags": get(ALL),
    "public.tag": get(ALL, public_tag),
    "public.tag_feed": get(ALL, public_tag),
    "public.decks": get(ALL),
    "public.deck": get(ALL, public_deck),
    "public.export_deck": get(ALL, deck_file),
    "public.deck_feed": get(ALL, public_deck),
    "public.study": get(ALL),
    "public.study_deck": get(ALL, public_deck),
    "public.study_tag": get(ALL, public_tag),
    "public.study_questions": get(ALL),
    "public.study_list": get(ALL),
    "public.study_card": get(ALL, public_question),
    "public.interview": get(ALL),
    "public.corrections": get(ALL),
    "public.corrections_feed": get(ALL),
    "public.correction": get(NONE, fixed(number=1_000)),
    "public.image": get(ALL, public_image),
    "public.exports": get(ALL),
    "public.export_bank": get(ALL, fixed(extension="json")),
    "public.schema": get(ALL),
    "public.csv_schema": get(ALL),
    "public.feed": get(ALL),
    "public.sitemap": get(ALL),
    "public.sitemap_part": get(ALL, fixed(name="pages")),
    "public.opensearch": get(ALL),
    "public.robots": get(ALL),
    "public.healthz": get(ALL),
    "public.readyz": get(ALL),
    "public.metrics": get(ALL),
    "api.index": get(ALL),
    "api.questions": get(ALL),
    "api.question": get(NONE, fixed(uid="01920000-0000-7000-8000-000000000000")),
    "api.tags": get(ALL),
    "api.decks": get(ALL),
    "api.deck": get(NONE, fixed(slug="nope")),
    "api.corrections": get(ALL),
    "api.changes": get(ALL),
    "api.openapi": get(ALL),
    # The desk.
    "admin.index": get(DESK),
    "admin.count": post(DESK_DONE),
    "desk_views.index_view": get(DESK),
    "desk_views.save": post(
        DESK_DONE, unique, page="desk_questions", query="status=draft", name="View {number}"
    ),
    # Nobody finds the view of somebody else.
    "desk_views.update": post(
        DESK_DONE, saved_view, page="desk_questions", query="status=draft", key="{key}"
    ),
    "desk_views.rename": post((LOG_IN, 404, 404, 404), saved_view, name="Mine"),
    "desk_views.delete": post((LOG_IN, 404, 404, 404), saved_view),
    "desk_questions.index_view": get(DESK),
    "desk_questions.create_view": both(
        DESK, DESK_KEPT, **{"stem": "Why?", "answers[0].body": "So."}
    ),
    "desk_questions.edit_view": both(DESK, DESK_KEPT, draft, stem="Why?", seen_version="1"),
    "desk_questions.preview": post(DESK, stem="Why?"),
    "desk_questions.as_candidate": get(DESK, draft),
    # Without an address, nothing is asked.
    "desk_questions.check_source": post((401, 422, 422, 422), url=""),
    # Scripts are told that nobody is logged in; to say who typed is theirs (409).
    "desk_questions.autosave": post((401, 409, 409, 409), draft, stem="Why?"),
    "desk_questions.autosave_new": post((401, 409, 409, 409), stem="Why?"),
    "desk_questions.unsaved_texts": get(DESK),
    # Nobody finds the text of somebody else.
    "desk_questions.bring_back": post((LOG_IN, 404, 404, 404), unsaved),
    "desk_questions.discard": post((LOG_IN, 404, 404, 404), unsaved),
    "desk_questions.presence": post((401, 200, 200, 200), draft),
    "desk_questions.leave": post((401, 204, 204, 204), draft),
    "desk_questions.delete": post(DESK_DONE, draft),
    "desk_questions.return_to_draft": post(DESK_DONE, in_review),
    "desk_questions.retire": post(EDITORS_DONE, published),
    "desk_questions.unretire": post(EDITORS_DONE, retired),
    "desk_questions.publish": both(EDITORS, EDITORS_DONE, draft, number="1"),
    "desk_questions.unschedule": post(EDITORS_DONE, scheduled),
    "desk_questions.merge": both(
        EDITORS, EDITORS_DONE, twins, into="{into}", seen="1", seen_into="1"
    ),
    "desk_questions.purge": both(
        ADMINS, (401, 403, 403, DONE), draft, number="{id}", reason="A wish."
    ),
    "desk_questions.action_view": post(
        EDITORS_DONE, draft, action="publish", rowid="{id}", confirmed="yes"
    ),
    "desk_questions.export_list": get(DESK, exported(draft)),
    "desk_questions.revisions": get(DESK, revision),
    "desk_questions.revision": get(DESK, revision),
    "desk_questions.compare": get((LOG_IN, DONE, DONE, DONE), revision),
    "desk_questions.care": post(DESK_DONE, draft, due_on="", seen=",,,"),
    "desk_questions.comments": both(DESK, (401, DONE, DONE, DONE), draft, body="Is it so?"),
    "desk_questions.resolve": post(DESK_DONE, thread),
    "desk_questions.reopen": post(DESK_DONE, settled_thread),
    "desk_questions.restore": post(DESK_DONE, revision, seen_version="2"),
    "desk_answers.index_view": get(DESK),
    "desk_answers.create_view": get(DESK),
    "desk_answers.edit_view": get(DESK, answer),
    "desk_answers.delete": post(DESK_DONE, answer, seen_version="1"),
    "desk_answers.export_list": get(DESK, exported(answer)),
    "desk_tags.index_view": get(DESK),
    "desk_tags.export_list": get(DESK, exported(tag)),
    "desk_tags.suggest": get(DESK),
    "desk_tags.create_view": both(EDITORS, EDITORS_DONE, unique, slug="new-{number}", name="New"),
    "desk_tags.edit_view": both(DESK, EDITORS, tag, slug="Not a path!"),
    "desk_tags.merge": both(EDITORS, EDITORS_DONE, tags_to_merge, survivor="{survivor}"),
    "desk_tags.unused": both(EDITORS, EDITORS_DONE),
    "desk_tags.delete": post(EDITORS_DONE, tag),
    "desk_corrections.index_view": get(DESK),
    "desk_corrections.export_list": get(DESK, exported(correction)),
    "desk_corrections.create_view": both(
        DESK, DESK_KEPT, of_question, kind="factual", claim="It is."
    ),
    "desk_corrections.details_view": both(
        DESK, (401, 403, DONE, DONE), correction, op="accept", fixed_in="1"
    ),
    "desk_corrections.next_view": get(DESK_DONE),
    "desk_duplicates.index_view": get(DESK),
    "desk_duplicates.likes": get(DESK),
    "desk_duplicates.different": post(EDITORS_DONE, likely_duplicates),
    "desk_duplicates.offer": post(EDITORS_DONE, likely_duplicates),
    "desk_decks.index_view": get(DESK),
    "desk_decks.create_view": both(EDITORS, EDITORS_DONE, unique, title="Deck {number}"),
    "desk_decks.edit_view": both(
        DESK, (LOG_IN, 403, DONE, DONE), desk_deck, title="Other", seen_version="1"
    ),
    "desk_decks.delete": post(EDITORS_DONE, desk_deck, seen_version="1"),
    "desk_decks.preview": post(DESK, text="what"),
    "desk_decks.lookup": get(DESK),
    "desk_images.index_view": get(DESK),
    # An upload without a file is refused with what to do.
    "desk_images.upload_view": both(DESK, DESK),
    "desk_images.upload": post(DESK),
    "desk_images.image": get(DESK, desk_image),
    "desk_images.delete": post(EDITORS_DONE, unused_image),
    "desk_imports.index_view": get(EDITORS),
    "desk_imports.create_view": both(EDITORS, EDITORS_DONE, text="Q1. What is a view?"),
    "desk_imports.details_view": get(EDITORS, batch),
    "desk_imports.report": get(EDITORS, batch),
    "desk_imports.row": both(
        EDITORS, EDITORS_DONE, batch, stem="Is this mended?", seen_version="{seen}"
    ),
    "desk_imports.choose": post(EDITORS_DONE, batch, all="leave:create"),
    "desk_imports.choose_columns": post(EDITORS_DONE, batch, **{"column-1": "stem"}),
    "desk_imports.read": post(EDITORS_DONE, unread_batch, format="csv"),
    "desk_imports.write": post(EDITORS_DONE, batch),
    "desk_imports.discard": post(EDITORS_DONE, batch),
    "desk_imports.undo": post(EDITORS_DONE, imported_batch),
    "desk_imports.again": post(EDITORS_DONE, imported_batch),
    "desk_operations.index_view": get(DESK),
    "desk_operations.details_view": get(DESK, operation),
    "desk_operations.undo": post(DESK_DONE, operation),
    "desk_inbox.index_view": get(DESK),
    # Nobody opens somebody else's note.
    "desk_inbox.open": post((LOG_IN, 404, 404, 404), note),
    "desk_inbox.read": post((LOG_IN, 404, 404, 404), note),
    "desk_inbox.read_all": post(DESK_DONE, until="1"),
    "desk_audit.index_view": get(EDITORS),
    "desk_audit.export_events": get(EDITORS),
    "desk_accounts.index_view": get(ADMINS),
    "desk_accounts.create_view": both(ADMINS, ADMINS, unique, name="New {number}", role="editor"),
    "desk_accounts.details_view": get(ADMINS, account),
    "desk_accounts.set_role": post(ADMINS_DONE, account, role="contributor"),
    "desk_accounts.disable": post(ADMINS_DONE, account),
    "desk_accounts.enable": post(ADMINS_DONE, disabled_account),
    "desk_accounts.link": post(ADMINS, account),
}


# --- the tests --------------------------------------------------------------------


def methods_of(app: Flask) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for rule in app.url_map.iter_rules():
        found.setdefault(rule.endpoint, set()).update((rule.methods or set()) - {"HEAD", "OPTIONS"})
    return found


def test_the_table_knows_every_route_and_no_other(app: Flask) -> None:
    assert {name: set(route.outcomes) for name, route in ROUTES.items()} == methods_of(app)


@pytest.mark.parametrize("role", ROLES, ids=str)
def test_each_role_gets_what_the_table_says(
    app: Flask, session: Session, as_role: AsRole, csrf: Csrf, role: Role | None
) -> None:
    expected, found = {}, {}
    for endpoint, route in ROUTES.items():
        for method, row in route.outcomes.items():
            values = route.sample(session)
            session.commit()
            client = as_role(role)
            form = {name: text.format(**values) for name, text in route.form.items()}
            if method != "GET":
                form["csrf_token"] = csrf(client)
            with app.test_request_context():
                address = app.url_for(endpoint, **values)
            with client.open(
                address, method=method, data=form if method != "GET" else None
            ) as response:
                found[method, endpoint] = outcome(response, notes(client))
            expected[method, endpoint] = row[ROLES.index(role)]
    assert found == expected


def outcome(response: TestResponse, said: Sequence[str]) -> Outcome:
    if response.status_code not in {302, 303}:
        return response.status_code
    if response.location.partition("?")[0] == "/login":
        return LOG_IN
    return DENIED if any(note.startswith("Only a") for note in said) else DONE


def notes(client: FlaskClient) -> list[str]:
    """Return the messages that the browser's next page will show."""
    with client.session_transaction("/login") as cookie:
        return [text for _, text in cookie.get("_flashes", [])]
