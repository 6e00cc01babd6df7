"""What Prometheus reads, and who may read it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.orm import Session

from cms.services.corrections import open_correction
from cms.services.jobs import enqueue
from cms.vocabulary import CorrectionKind, JobState
from tests.factories import AT, make_published

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]
TOKEN = "a token of enough characters"


def samples(text: str) -> Samples:
    """The values as Prometheus' own parser reads them, by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def read(client: FlaskClient) -> Samples:
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.content_type == "text/plain; version=0.0.4; charset=utf-8"
    return samples(answer.text)


def value(found: Samples, name: str, **labels: str) -> float:
    return found.get((name, tuple(sorted(labels.items()))), 0)


@pytest.mark.each_database
def test_they_say_how_the_bank_is(client: FlaskClient, session: Session) -> None:
    question = make_published(session)
    kind = CorrectionKind.factual
    open_correction(session, question, kind=kind, claim="It was wrong.", by=None, at=AT)
    enqueue(session, "import", {}, by=None, at=AT)
    enqueue(session, "import", {}, by=None, at=AT, run_at=AT - timedelta(hours=1))
    enqueue(session, "import", {}, by=None, at=AT, run_at=AT + timedelta(days=10_000))
    session.commit()
    found = read(client)
    expected = {
        "qbank_database_up": 1,
        "qbank_release": 1,
        "qbank_release_timestamp_seconds": AT.timestamp(),
        "qbank_public_questions": 1,
        "qbank_public_corrections": 0,
        "qbank_open_corrections": 1,
        "qbank_oldest_due_job_timestamp_seconds": (AT - timedelta(hours=1)).timestamp(),
    }
    assert {name: value(found, name) for name in expected} == expected
    states = {state: value(found, "qbank_jobs", state=state) for state in JobState}
    assert states == {"queued": 3, "running": 0, "failed": 0, "done": 0}
    assert value(found, "process_resident_memory_bytes") > 1_000_000


def test_every_answer_is_counted_also_a_kept_one_and_an_error(
    client: FlaskClient, session: Session
) -> None:
    make_published(session)
    before = read(client)
    for path in ("/questions/what-is-a-view", "/questions/what-is-a-view", "/questions/none", "/"):
        client.get(path)
    client.get("/no/such/page")
    client.post("/questions/")
    after = read(client)

    def more(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    counted = {
        (area, code): more("qbank_http_request_seconds_count", area=area, code=code)
        for area in ("questions", "home", "other")
        for code in ("200", "404", "405")
    }
    assert {key: count for key, count in counted.items() if count} == {
        ("questions", "200"): 2,
        ("questions", "404"): 1,
        ("questions", "405"): 1,
        ("home", "200"): 1,
        ("other", "404"): 1,
    }
    assert more("qbank_http_request_seconds_sum", area="questions", code="200") > 0


@pytest.mark.parametrize(
    ("path", "area"),
    [
        *(("/", "home"), ("//", "home"), ("/questions/", "questions"), ("/readyz", "readyz")),
        *(("/decks/a.apkg", "decks"), ("/admin", "admin"), ("/wp-login.php", "other")),
        *(("/questions%0A{}", "other"), ("/sitemap-9.xml", "other"), ("/<path>", "other")),
    ],
)
def test_no_client_can_make_a_series_of_its_own(client: FlaskClient, path: str, area: str) -> None:
    def counted() -> dict[str, float]:
        found = read(client)
        return {
            f"{dict(labels)['area']} {dict(labels)['code']}": count
            for (name, labels), count in found.items()
            if name == "qbank_http_request_seconds_count" and dict(labels)["area"] != "metrics"
        }

    before = counted()
    client.get(path)
    after = counted()
    assert {each.split()[0] for each in after if after[each] != before.get(each, 0)} == {area}


@pytest.mark.parametrize(
    ("address", "proxies", "headers", "status"),
    [
        ("127.0.0.1", 0, {}, 200),
        ("127.8.0.1", 0, {}, 200),
        ("::1", 0, {}, 200),
        ("::ffff:127.0.0.1", 0, {}, 200),
        ("192.0.2.1", 0, {}, 403),
        ("::ffff:192.0.2.1", 0, {}, 403),
        ("", 0, {}, 403),
        # A proxy on this machine that nobody counted passes on what strangers ask.
        ("127.0.0.1", 0, {"X-Forwarded-For": "192.0.2.1"}, 403),
        ("127.0.0.1", 0, {"Forwarded": "for=192.0.2.1"}, 403),
        ("127.0.0.1", 0, {"Via": "1.1 proxy"}, 403),
        ("127.0.0.1", 0, {"X-Real-IP": "127.0.0.1"}, 403),
        ("192.0.2.1", 0, {"Authorization": f"Bearer {TOKEN}"}, 200),
        ("127.0.0.1", 0, {"X-Forwarded-For": "x", "Authorization": f"Bearer {TOKEN}"}, 200),
        ("192.0.2.1", 0, {"Authorization": f"Bearer {TOKEN}x"}, 403),
        ("192.0.2.1", 0, {"Authorization": "Bearer é"}, 403),
        ("192.0.2.1", 0, {"Authorization": "Bearer"}, 403),
        ("192.0.2.1", 0, {"Authorization": "Basic eDp5"}, 403),
        ("127.0.0.1", 1, {"X-Forwarded-For": "x"}, 200),
    ],
)
def test_they_are_for_this_machine_or_for_the_token(
    app: Flask, address: str, proxies: int, headers: dict[str, str], status: int
) -> None:
    app.config.update(METRICS_TOKEN=TOKEN, PROXIES=proxies)
    answer = app.test_client().get(
        "/metrics", headers=headers, environ_base={"REMOTE_ADDR": address}
    )
    assert answer.status_code == status
    if status == 403:
        assert "CMS_METRICS_TOKEN" in answer.text
        assert "qbank_" not in answer.text


def test_without_a_token_none_is_right(app: Flask) -> None:
    answer = app.test_client().get(
        "/metrics",
        headers={"Authorization": "Bearer "},
        environ_base={"REMOTE_ADDR": "192.0.2.1"},
    )
    assert answer.status_code == 403
