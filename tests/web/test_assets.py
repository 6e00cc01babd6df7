"""Images over HTTP: what readers get of them, and how they come in at the desk."""

from __future__ import annotations

import io
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.formats.incoming import Upload
from cms.formats.markdown import MARKDOWN
from cms.formats.markdown.question import read_question
from cms.models import Asset
from cms.services.imports.importing import plan_file
from cms.vocabulary import Role, RowAction
from cms.web import cache
from tests.factories import make_asset, make_published, make_question
from tests.formats.pictures import DRAWING, picture_of
from tests.web.conftest import AsRole, Csrf, Send

PNG = picture_of()


def shown(session: Session, data: bytes = DRAWING) -> str:
    asset = make_asset(session, data)
    make_published(session, body=f"![A red box](asset:{asset.name})")
    return asset.name


@pytest.mark.parametrize(("data", "kind"), [(DRAWING, "image/svg+xml"), (PNG, "image/png")])
def test_an_image_is_kept_for_ever_and_can_do_nothing(
    client: FlaskClient, session: Session, data: bytes, kind: str
) -> None:
    name = shown(session, data)
    response = client.get(f"/assets/{name}")
    assert (response.status_code, response.data) == (200, data)
    assert response.mimetype == kind
    assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert response.headers["ETag"] == f'"{name[:64]}"'
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src")
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in response.headers
    again = client.get(f"/assets/{name}", headers={"If-None-Match": f'"{name[:64]}"'})
    assert (again.status_code, again.data) == (304, b"")
    assert client.head(f"/assets/{name}").data == b""


def test_an_image_that_nothing_public_shows_is_not_there(
    client: FlaskClient, session: Session, as_role: AsRole
) -> None:
    asset = make_asset(session)
    make_question(session, body=f"![A red box](asset:{asset.name})")
    for name in (asset.name, "0" * 64 + ".png", "x", "%00", asset.name[:64]):
        assert client.get(f"/assets/{name}").status_code == 404
    desk = as_role(Role.contributor).get(f"/admin/assets/{asset.name}")
    assert desk.data == DRAWING
    assert desk.headers["Cache-Control"].startswith("private")
    for name in ("x", "%00"):
        assert as_role(Role.contributor).get(f"/admin/assets/{name}").status_code == 404


def test_images_fill_no_cache_in_front_of_the_pages(app: Flask, session: Session) -> None:
    name = shown(session)
    client = app.test_client()
    client.get("/")
    before = _kept(app)
    assert before > 0
    assert client.get(f"/assets/{name}").status_code == 200
    assert _kept(app) == before


def _kept(app: Flask) -> int:
    size: int = app.extensions[cache.EXTENSION].pages.size
    return size


def test_a_page_shows_the_image_with_its_size(client: FlaskClient, session: Session) -> None:
    name = shown(session)
    page = client.get("/questions/what-is-a-view").text
    assert re.search(rf'<img src="/assets/{name}" alt="A red box" width="40" height="20"', page)


@pytest.mark.parametrize(
    ("base", "host", "place"),
    [
        ("", "127.0.0.1", "http://127.0.0.1/assets/"),
        ("", "localhost", "http://localhost/assets/"),
        ("https://bank.example.org/qa", "localhost", "https://bank.example.org/qa/assets/"),
    ],
)
def test_a_question_taken_away_as_markdown_shows_the_images_of_the_site(
    app: Flask, client: FlaskClient, session: Session, base: str, host: str, place: str
) -> None:
    name = shown(session)
    app.config["BASE_URL"] = base
    client.get("/questions/what-is-a-view.md", headers={"Host": "[::1]"})
    text = client.get("/questions/what-is-a-view.md", headers={"Host": host}).text
    assert f"![A red box]({place}{name})" in text
    if not base:
        assert client.get(f"{place}{name}".removeprefix(f"http://{host}")).data == DRAWING
    item = read_question(Upload("what-is-a-view.md", text.encode()))
    assert item is not None
    assert item.answers[0].body.strip() == f"![A red box](asset:{name})"
    incoming = plan_file(session, Upload("what-is-a-view.md", text.encode()), MARKDOWN)
    assert [row.action for row in incoming.rows] == [RowAction.unchanged]


def upload(
    client: FlaskClient, csrf: Csrf, address: str, data: bytes | None = PNG, **fields: str
) -> tuple[int, str]:
    form = {"csrf_token": csrf(client), **fields}
    if data is not None:
        form["image"] = (io.BytesIO(data), "picture.png")  # type: ignore[assignment]
    response = client.post(address, data=form, content_type="multipart/form-data")
    return response.status_code, response.text


def test_a_contributor_uploads_an_image_and_is_told_what_to_write(
    session: Session, as_role: AsRole, csrf: Csrf
) -> None:
    client = as_role(Role.contributor)
    status, page = upload(client, csrf, "/admin/assets/new/", image_words="A [blue] box")
    asset = session.scalars(select(Asset)).one()
    assert status == 200
    assert f">![A \\[blue\\] box](asset:{asset.name})</code>" in page
    assert asset.alt == "A [blue] box"
    assert "A [blue] box" in client.get("/admin/assets/").text


@pytest.mark.parametrize(
    ("data", "words", "said", "field"),
    [
        (None, "A box", "Choose an image.", "image"),
        (PNG, " ", "Describe the image: whoever cannot see it reads that instead.", "image_words"),
        (b"GIF99", "A box", "no image that the bank keeps", "image"),
    ],
)
def test_an_upload_is_refused_with_what_to_do_and_where(
    as_role: AsRole, csrf: Csrf, data: bytes | None, words: str, said: str, field: str
) -> None:
    client = as_role(Role.contributor)
    status, page = upload(client, csrf, "/admin/assets/new/", data, image_words=words)
    assert status == 200
    assert said in page
    assert f'<a href="#{field}">' in page
    assert f'aria-describedby="{field}-hint" aria-invalid="true"' in page
    status, answer = upload(client, csrf, "/admin/assets/upload", data, image_words=words)
    assert status == 200
    assert said in answer


def test_without_scripts_an_image_comes_to_the_end_of_a_text_and_is_shown(
    session: Session, as_role: AsRole, csrf: Csrf
) -> None:
    client = as_role(Role.contributor)
    question = make_question(session)
    address = f"/admin/questions/{question.id}/"
    fields = {
        "stem": question.stem,
        "seen_version": "1",
        "answers[0].body": "A function.",
        "answers[1].body": "Typed, not saved.",
        "op": "add-image",
        "image_into": "answers[1].body",
        "image_words": "A blue box",
    }
    session.rollback()
    _, page = upload(client, csrf, address, **fields)
    name = session.scalars(select(Asset.name)).one()
    assert f"Typed, not saved.\n\n![A blue box](asset:{name})</textarea>" in page
    assert f'<img src="/admin/assets/{name}" alt="A blue box" width="12" height="8"' in page
    fields["image_words"] = ""
    session.rollback()
    _, page = upload(client, csrf, address, **fields)
    assert "Describe the image" in page
    assert "Typed, not saved.</textarea>" in page


def test_the_list_says_who_shows_an_image_and_deletes_what_nobody_does(
    session: Session, as_role: AsRole, send: Send
) -> None:
    used, unused = make_asset(session, alt="Used"), make_asset(session, PNG, alt="Unused")
    make_question(session, body=f"![A red box](asset:{used.name})")
    client = as_role(Role.editor)
    page = client.get("/admin/assets/").text
    assert "What is a view?" in page
    assert page.count("/delete") == 1
    assert "Unused" not in client.get("/admin/assets/?used=yes").text.replace("Unused</option", "")
    assert "/delete" not in as_role(Role.contributor).get("/admin/assets/").text
    kept = send(client, f"/admin/assets/{used.id}/delete")
    assert "still shows this image" in client.get(kept.location).text
    send(client, f"/admin/assets/{unused.id}/delete")
    assert list(session.scalars(select(Asset.id))) == [used.id]
    audit = client.get("/admin/audit/?action=asset.delete").text
    assert "deleted the image" in audit
