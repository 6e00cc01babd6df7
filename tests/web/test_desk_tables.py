"""The desk's other tables: answers, tags, imports, accounts, audit."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cms.models import AuditEvent, ImportBatch, ImportRow, Tag, User
from cms.services.corrections import open_correction
from cms.services.tags import resolve
from cms.vocabulary import CorrectionKind, Role, RowAction
from tests.factories import AT, make_published, make_question
from tests.web.pages import fields_of, notes_of, reread, submit

pytestmark = pytest.mark.each_database

AsRole = Callable[[Role | None], FlaskClient]
Send = Callable[..., Any]


@pytest.fixture
def desk(as_role: AsRole) -> FlaskClient:
    return as_role(Role.editor)


def main_cells(page: str) -> list[str]:
    found = re.findall(r'<td class="main[^"]*"[^>]*>(.*?)</td>', page, re.DOTALL)
    return [" ".join(re.sub(r"<[^>]+>", " ", cell).split()) for cell in found]


# --- answers --------------------------------------------------------------------


def test_an_answer_is_saved_through_its_question(desk: FlaskClient, session: Session) -> None:
    question = make_question(session, tags=["a"], context="Kept.", difficulty="easy")
    submit(desk, f"/admin/questions/{question.id}/", **{"answers[1].body": "Second."})
    first, second = reread(session, question).answers
    done = submit(
        desk,
        f"/admin/answers/{second.id}/",
        to=f"/admin/questions/{question.id}/",
        **{"answers[1].body": "Second, mended.", "summary": "Mended"},
    )
    assert done.status_code == 303
    question = reread(session, question)
    assert [answer.body for answer in question.answers] == ["A function.", "Second, mended."]
    assert [answer.uid for answer in question.answers] == [first.uid, second.uid]
    assert (question.context, question.difficulty, question.latest_number) == ("Kept.", "easy", 3)
    assert [tag.slug for tag in question.tags] == ["a"]


def test_the_answers_page_posts_to_the_editor_itself(desk: FlaskClient, session: Session) -> None:
    question = reread(session, make_question(session))
    page = desk.get(f"/admin/answers/{question.answers[0].id}/").text
    assert f'action="/admin/questions/{question.id}/"' in page


def test_a_stale_answer_is_a_conflict_of_its_question(desk: FlaskClient, session: Session) -> None:
    question = reread(session, make_question(session))
    stale = fields_of(desk.get(f"/admin/answers/{question.answers[0].id}/").text)
    submit(desk, f"/admin/questions/{question.id}/", stem="Changed meanwhile?")
    refused = desk.post(
        f"/admin/questions/{question.id}/", data=stale | {"answers[0].body": "Mine."}
    )
    assert refused.status_code == 200
    assert fields_of(refused.text)["answers[0].body"] == "Mine."
    assert reread(session, question).answers[0].body == "A function."


def test_a_new_answer_begins_with_its_question(desk: FlaskClient, session: Session) -> None:
    question = make_question(session, "What is a view?")
    make_question(session, "Something else?", body="Nothing.")
    found = desk.get("/admin/answers/new/?search=view").text
    assert "What is a view?" in found
    assert "Something else?" not in found
    url = f"/admin/answers/new/?question={question.id}"
    done = submit(
        desk, url, to=f"/admin/questions/{question.id}/", **{"answers[1].body": "Another."}
    )
    assert done.status_code == 303
    assert [a.body for a in reread(session, question).answers] == ["A function.", "Another."]
    assert desk.get("/admin/answers/new/?question=999").status_code == 404


def test_an_answer_is_deleted_by_a_save(desk: FlaskClient, session: Session, send: Send) -> None:
    question = reread(session, make_question(session))
    url = f"/admin/answers/{question.answers[0].id}/"
    stale = send(desk, f"{url}delete", seen_version="7")
    assert "saved this question" in desk.get(stale.location).text
    done = submit(desk, url, form="delete", to=f"{url}delete")
    assert notes_of(desk.get(done.location).text) == ["Deleted; the question's history keeps it."]
    question = reread(session, question)
    assert (list(question.answers), question.latest_number) == ([], 2)
    assert desk.get(url).status_code == 404


def test_answers_are_found_by_their_questions_words(desk: FlaskClient, session: Session) -> None:
    make_question(session, "What is a view?", body="A **function**.")
    make_question(session, "What is a route?", body="A rule.", answers=[])
    assert main_cells(desk.get("/admin/answers/?search=function").text) == ["What is a view?"]
    assert main_cells(desk.get("/admin/answers/?sources=some").text) == ["What is a view?"]
    assert main_cells(desk.get("/admin/answers/?sources=none").text) == []
    assert "A **function**." in desk.get("/admin/answers/").text


# --- tags --------------------------------------------------------------------------


def test_a_tag_is_made_changed_and_moved_with_what_is_below_it(
    desk: FlaskClient, session: Session
) -> None:
    fields = {"slug": "flask/cli", "name": "Command line", "description": "Commands."}
    made = submit(desk, "/admin/tags/new/", form="form", **fields)
    assert notes_of(desk.get(made.location).text) == ["Saved the tag ‘flask/cli’."]
    parent = session.scalars(select(Tag).filter_by(slug="flask")).one()
    session.commit()
    submit(desk, f"/admin/tags/{parent.id}/", form="form", slug="python/flask", name="Flask")
    slugs = session.scalars(select(Tag.slug).order_by(Tag.slug)).all()
    session.commit()
    assert slugs == ["python", "python/flask", "python/flask/cli"]


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"slug": "Not a path", "name": "X"}, "slug", "is not a tag"),
        ({"slug": "taken", "name": "X"}, "slug", "exists already"),
        ({"slug": "fine", "name": ""}, "name", "Name the tag as readers will see it."),
    ],
)
def test_a_tags_fault_stands_beside_its_field(
    desk: FlaskClient, session: Session, fields: dict[str, str], field: str, message: str
) -> None:
    resolve(session, ["taken"], by=None, at=AT)
    session.commit()
    refused = submit(desk, "/admin/tags/new/", form="form", **fields)
    assert refused.status_code == 200
    assert message in refused.text.replace("&#39;", "'")
    assert f'id="{field}-error"' in refused.text
    shown = fields_of(refused.text, "form")
    assert {name: shown[name] for name in fields} == fields


def test_a_used_tag_is_not_deleted(desk: FlaskClient, session: Session, send: Send) -> None:
    make_question(session, tags=["used", "unused/below"])
    tags = {tag.slug: tag.id for tag in session.scalars(select(Tag))}
    session.commit()
    refused = send(desk, f"/admin/tags/{tags['used']}/delete")
    assert "is used by a question" in desk.get(refused.location).text
    spare = resolve(session, ["spare"], by=None, at=AT)["spare"].id
    session.commit()
    assert send(desk, f"/admin/tags/{spare}/delete").location == "/admin/tags/"
    assert desk.get(f"/admin/tags/{spare}/").status_code == 404


def test_tags_are_suggested_a_few_at_a_time(desk: FlaskClient, session: Session) -> None:
    resolve(session, [f"flask/t{n:02}" for n in range(40)] + ["http"], by=None, at=AT)
    session.commit()
    found = json.loads(desk.get("/admin/tags/suggest?q=FLASK/T&limit=1000").text)
    assert found == [f"flask/t{n:02}" for n in range(20)]
    assert json.loads(desk.get("/admin/tags/suggest?q=%25").text) == []


def test_tags_are_listed_with_their_questions(desk: FlaskClient, session: Session) -> None:
    make_question(session, tags=["flask/cli"])
    page = desk.get("/admin/tags/").text
    assert main_cells(page) == ["flask", "flask/ cli"]
    assert "/admin/questions/?tag=flask/cli" in page
    assert main_cells(desk.get("/admin/tags/?used=no").text) == []
    assert main_cells(desk.get("/admin/tags/?search=CLI").text) == ["flask/ cli"]


def test_a_contributor_reads_tags_and_does_not_change_them(
    as_role: AsRole, session: Session, send: Send
) -> None:
    tag = resolve(session, ["flask"], by=None, at=AT)["flask"]
    session.commit()
    client = as_role(Role.contributor)
    assert client.get("/admin/tags/").status_code == 200
    assert client.get("/admin/tags/suggest?q=f").status_code == 200
    assert client.get("/admin/tags/new/").status_code == 403
    page = client.get(f"/admin/tags/{tag.id}/")
    assert page.status_code == 200
    assert "<textarea" not in page.text
    assert send(client, f"/admin/tags/{tag.id}/", slug="x", name="X").status_code == 403
    assert client.get(f"/admin/tags/{tag.id}/merge").status_code == 403
    assert client.get("/admin/tags/unused").status_code == 403
    assert send(client, f"/admin/tags/{tag.id}/delete").status_code == 403


# --- imports and audit -----------------------------------------------------------


def test_an_import_shows_its_rows_by_what_became_of_them(
    desk: FlaskClient, session: Session
) -> None:
    question = make_question(session)
    batch = ImportBatch(
        file_name="bank.csv", sha256="f" * 64, format="csv", at=AT, planned_at=AT, applied_at=AT
    )
    batch.rows = [
        ImportRow(place="line 2", action=RowAction.create, question=question),
        ImportRow(place="line 3", action=RowAction.error, message="It is empty.", stem="Bad"),
        *(ImportRow(place=f"line {n}", action=RowAction.unchanged) for n in range(4, 70)),
    ]
    session.add(batch)
    session.commit()
    assert main_cells(desk.get("/admin/imports/").text) == ["bank.csv"]
    page = desk.get(f"/admin/imports/{batch.id}/").text
    assert main_cells(page)[:2] == ["What is a view?", "Bad"]
    assert len(main_cells(page)) == 50
    following = re.search(r'rel="next" href="([^"]+)"', page)
    assert following
    assert len(main_cells(desk.get(following[1].replace("&amp;", "&")).text)) == 18
    failed = desk.get(f"/admin/imports/{batch.id}/?show=error").text
    assert main_cells(failed) == ["Bad"]
    assert "It is empty." in failed
    assert len(main_cells(desk.get(f"/admin/imports/{batch.id}/?show=x&after=x").text)) == 50


def test_the_audit_tells_who_did_what(desk: FlaskClient, session: Session) -> None:
    question = make_question(session)
    submit(desk, f"/admin/questions/{question.id}/", stem="Changed?")
    page = desk.get("/admin/audit/?action=question.save").text
    assert [cell.split(" its")[0] for cell in main_cells(page)] == ["Changed?"]
    assert len(main_cells(desk.get("/admin/audit/?who=The+editor&action=question.save").text)) == 1
    assert len(main_cells(desk.get("/admin/audit/?who=-").text)) >= 1
    assert main_cells(desk.get("/admin/audit/?who=Nobody").text) == []
    about = desk.get(f"/admin/audit/?object=question:{question.uid}").text
    assert len(main_cells(about)) == 2


@pytest.mark.parametrize(
    "address",
    [
        "/admin/audit/new/",
        "/admin/audit/edit/?id=1",
        "/admin/audit/1/",
        "/admin/audit/delete/",
        "/admin/audit/action/",
        "/admin/audit/ajax/update/",
        "/admin/audit/export/csv/",
        "/admin/imports/delete/",
        "/admin/questions/ajax/update/",
        "/admin/questions/ajax/lookup/",
        "/admin/questions/export/csv/",
        "/admin/questions/edit/?id=1",
        "/admin/static/admin/js/form.js",
    ],
)
def test_flask_admins_own_doors_do_not_exist(
    as_role: AsRole, session: Session, csrf: Callable[[FlaskClient], str], address: str
) -> None:
    make_question(session)
    client = as_role(Role.admin)
    before = session.scalar(select(func.count()).select_from(AuditEvent))
    session.commit()
    assert client.get(address).status_code == 404
    posted = client.post(address, data={"csrf_token": csrf(client), "id": "1", "rowid": "1"})
    assert posted.status_code in {404, 405}
    assert session.scalar(select(func.count()).select_from(AuditEvent)) == before


# --- accounts --------------------------------------------------------------------------------


def test_an_admin_makes_an_account_and_sees_its_link_once(
    as_role: AsRole, session: Session
) -> None:
    admin = as_role(Role.admin)
    made = submit(admin, "/admin/accounts/new/", form="form", name="Grace", role="editor")
    assert made.status_code == 200
    assert made.headers["Cache-Control"] == "no-store"
    link = re.search(r'value="http://localhost(/account/link/[^"]+)"', made.text)
    assert link
    grace = session.scalars(select(User).filter_by(name="Grace")).one()
    session.commit()
    assert link[1] not in admin.get(f"/admin/accounts/{grace.id}/").text
    nobody = as_role(None)
    assert "Grace" in nobody.get(link[1]).text
    again = submit(admin, "/admin/accounts/new/", form="form", name="grace", role="editor")
    assert again.status_code == 200
    assert "There is an account named" in again.text


def test_an_admin_changes_roles_disables_and_enables(
    as_role: AsRole, session: Session, send: Send
) -> None:
    admin, editor = as_role(Role.admin), as_role(Role.editor)
    user = session.scalars(select(User).filter_by(name="The editor")).one()
    boss = session.scalars(select(User).filter_by(name="The admin")).one()
    session.commit()
    url = f"/admin/accounts/{user.id}/"
    done = send(admin, f"{url}role", role="contributor")
    assert notes_of(admin.get(done.location).text) == ["The role is contributor now."]
    assert editor.get("/admin/").status_code == 302, "a new role logs out"
    assert send(admin, f"{url}role", role="emperor").status_code == 422
    send(admin, f"{url}disable")
    assert "disabled" in admin.get("/admin/accounts/").text
    refused = send(admin, f"{url}link")
    assert "Enable it first." in admin.get(refused.location).text
    send(admin, f"{url}enable")
    assert "/account/link/" in send(admin, f"{url}link").text
    last = send(admin, f"/admin/accounts/{boss.id}/disable")
    assert "last active administrator" in admin.get(last.location).text


def test_accounts_are_an_admins_alone(
    as_role: AsRole, desk: FlaskClient, session: Session, send: Send
) -> None:
    user = session.scalars(select(User)).first()
    assert user is not None
    session.commit()
    for page in ("", "new/", f"{user.id}/"):
        assert desk.get(f"/admin/accounts/{page}").status_code == 403
    for verb in ("role", "disable", "enable", "link"):
        assert send(desk, f"/admin/accounts/{user.id}/{verb}", role="admin").status_code == 403
    assert "/admin/accounts/" not in desk.get("/admin/").text
    contributor = as_role(Role.contributor)
    assert contributor.get("/admin/audit/").status_code == 403
    assert contributor.get("/admin/imports/").status_code == 403


# --- the frame ----------------------------------------------------------------------------------


def test_every_page_has_its_frame_and_nothing_inline(as_role: AsRole, session: Session) -> None:
    question = make_published(session, tags=["flask"])
    correction = open_correction(
        session, question, kind=CorrectionKind.factual, claim="No.", by=None, at=AT
    )
    batch = ImportBatch(
        file_name="a.json", sha256="0" * 64, format="json", at=AT, planned_at=AT, applied_at=AT
    )
    session.add(batch)
    session.commit()
    admin = as_role(Role.admin)
    tables = ("questions", "answers", "tags", "corrections", "imports", "accounts", "audit")
    addresses = [
        "",
        *(f"{table}/" for table in tables),
        *(f"{table}/1/" for table in tables if table not in {"audit", "answers"}),
        *(f"{table}/new/" for table in ("questions", "answers", "tags", "imports", "accounts")),
        f"corrections/new/?question={question.id}",
        f"answers/{reread(session, question).answers[0].id}/",
        f"questions/{question.id}/revisions/",
        f"questions/{question.id}/revisions/1/",
    ]
    assert correction.id == 1
    for address in addresses:
        page = admin.get(f"/admin/{address}")
        assert page.status_code == 200, address
        text = page.text
        assert '<html lang="en">' in text, address
        assert len(re.findall(r"<h1[ >]", text)) == 1, address
        assert len(re.findall(r"<main[ >]", text)) == 1, address
        assert 'href="#main"' in text, address
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=", text), address
        assert "bootstrap" not in text.lower(), address
        assert "jquery" not in text.lower(), address
        linked = re.findall(r'<(?:script|link)[^>]* (?:src|href)="([^"?]+)', text)
        assert all(each.startswith("/static/") for each in linked), address
