"""What readers and programs carry away: exports, the schema, and what probes are told."""

from __future__ import annotations

import json
import re
import sys

import jsonschema
import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from cms import create_app
from cms.formats import FORMATS
from cms.web.public import probes
from tests.conftest import dispose
from tests.factories import make_bank

KEPT = "where-does-flask-keep-the-session"


@pytest.fixture
def bank(session: Session) -> None:
    make_bank(session)


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize(
    ("extension", "media_type"),
    [("json", "application/json"), ("jsonl", "application/jsonl"), ("csv", "text/csv")],
)
def test_the_bank_is_a_file_in_each_format(
    client: FlaskClient, extension: str, media_type: str
) -> None:
    answer = client.get(f"/export/bank.{extension}")
    assert answer.mimetype == media_type
    assert answer.headers["Content-Disposition"] == f'attachment; filename="bank.{extension}"'
    assert answer.content_length == len(answer.data)
    assert b"What is HTTP?" in answer.data
    assert b"A draft?" not in answer.data
    assert client.get(f"/export/bank.{extension}").data == answer.data
    assert f"/export/bank.{extension}" in client.get("/export/").text


@pytest.mark.usefixtures("bank")
def test_an_export_is_narrowed(client: FlaskClient) -> None:
    def slugs(query: str) -> set[str]:
        exported = client.get(f"/export/bank.json?{query}").json
        assert exported is not None
        return {question["slug"] for question in exported["questions"]}

    assert slugs("tag=flask") == {"what-is-a-view", KEPT}
    assert slugs("tag=flask&difficulty=easy") == {"what-is-a-view"}
    assert slugs("q=cook") == {KEPT}
    assert slugs("q=%3F!") == set()
    assert slugs("since=2") == {"what-is-a-view", "what-is-http"}
    assert client.get("/export/bank.csv?bom=1").data.startswith(b"\xef\xbb\xbf")


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize(
    ("page", "narrowed"),
    [
        (
            "/questions/?q=cookie&tag=flask&difficulty=medium",
            "?q=cookie&amp;tag=flask&amp;difficulty=medium",
        ),
        # A typing error is exported as what it meant.
        ("/questions/?q=cokie", "?q=cookie"),
        ("/questions/", ""),
        ("/tags/flask", "?tag=flask"),
    ],
)
def test_a_list_is_carried_away_as_it_is_shown(
    client: FlaskClient, page: str, narrowed: str
) -> None:
    shown = client.get(page).text
    for each in FORMATS.values():
        linked = f'href="/export/bank.{each.extension}{narrowed}"' in shown
        assert linked == (each.write is not None)


@pytest.mark.usefixtures("bank")
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/export/bank.pdf", 404),
        ("/export/bank.x.json", 404),
        ("/export/bank.json?tag=unknown", 404),
        ("/export/bank.json?difficulty=none", 400),
        ("/export/bank.json?since=9", 400),
        ("/export/bank.json?since=x", 400),
    ],
)
def test_an_export_that_cannot_be_is_explained(client: FlaskClient, path: str, status: int) -> None:
    assert client.get(path).status_code == status


@pytest.mark.usefixtures("bank")
def test_formats_are_listed_by_what_people_take_them_for(client: FlaskClient) -> None:
    text = client.get("/export/").text
    sections = re.findall(r'<section class="formats">.*?</section>', text, re.DOTALL)
    listed = [re.findall(r"<a [^>]*>bank\.([^<]+)</a>\s*<p>[^<]+</p>", each) for each in sections]
    assert listed == [
        ["apkg", "obsidian.zip", "tsv"],
        ["moodle.xml", "qti.zip", "gift"],
        ["csv", "md.zip"],
        ["json", "jsonl"],
    ]
    assert "Goes one way." in sections[0]
    assert "Comes back whole" in sections[3]


@pytest.mark.usefixtures("bank")
def test_the_export_fulfills_the_schema_that_the_site_publishes(client: FlaskClient) -> None:
    answer = client.get("/schema/question-bank-1.json")
    assert answer.mimetype == "application/schema+json"
    schema = json.loads(answer.data)
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(client.get("/export/bank.json").json, schema)
    again = client.get(
        "/schema/question-bank-1.json", headers={"If-None-Match": answer.headers["ETag"]}
    )
    assert again.status_code == 304


def test_probes_say_whether_the_process_and_the_bank_are_well(
    client: FlaskClient, session: Session
) -> None:
    assert client.get("/healthz").text == "ok\n"
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json) == (
        200,
        {"database": "ok", "migrations": "ok", "disk": "ok"},
    )
    assert "Disallow: /admin/" in client.get("/robots.txt").text


def test_a_bank_that_is_not_migrated_is_not_ready(tmp_path: object) -> None:
    app = create_app(
        {
            "DATABASE_URL": f"sqlite:///{tmp_path}/empty.db",
            "SECRET_KEY": "a secret of the test suite, of enough characters",
        }
    )
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 503
    assert "does not answer" in (answer.json or {})["database"]
    assert app.test_client().get("/healthz").status_code == 200
    dispose(app)


def test_readiness_is_told_where_no_command_looked_at_the_migrations_before(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They import what stands beside them, wherever the server comes from."""
    monkeypatch.setattr(sys, "path", [each for each in sys.path if "migrations" not in each])
    for name in ("search_index", "audit_guard"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    probes._head.cache_clear()
    assert client.get("/readyz").status_code == 200
