"""Every page of the desk on a bank of 1,000 questions and on one of 100,000, in one process.

Requests go to the two banks in turn, so that a drifting machine weighs on both
alike. A page may ask the database a bounded number of bounded questions: its
time in the large bank should be close to that in the small one.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
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
    "… overdue": "/admin/questions/?queue=overdue",
    "… of mine": "/admin/questions/?assignee=me",
    "answers": "/admin/answers/",
    "tags": "/admin/tags/",
    "corrections": "/admin/corrections/?status=open",
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


def made(folder: Path, count: int) -> Any:
    """Return an app on a bank of `count` published questions, with work waiting at the desk."""
    import flask_migrate
    from generated import bank
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from cms import create_app
    from cms.extensions import db
    from cms.formats import FORMATS
    from cms.formats.item import Upload
    from cms.models import Question
    from cms.services import accounts, comments, corrections, duplicates, questions
    from cms.services.content import content_of
    from cms.services.imports.importing import apply, plan_file
    from cms.services.publishing import publish
    from cms.vocabulary import CorrectionKind, Role

    app = create_app(
        {"DATABASE_URL": f"sqlite:///{folder / f'{count}.db'}", "SECRET_KEY": "x" * 40}
    )
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
            session.commit()
            start, looked = time.perf_counter(), 0
            while found := duplicates.find_some(session, at=at):
                session.commit()
                looked += found
            seconds = time.perf_counter() - start
            print(
                f"likely duplicates of {looked:,} stems: {seconds:.1f} s, {looked / seconds:,.0f}/s"
            )
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


def main(small: int, large: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        apps = {count: made(Path(name), count) for count in (small, large)}
        few, many = logged_in(apps[small]), logged_in(apps[large])
        print(f"{'':24} {small:>8,} p50  p95 ms {large:>10,} p50  p95 ms   ratio of p50")
        for page, address in PAGES.items():
            times: dict[int, list[float]] = {small: [], large: []}
            for number in range(ROUNDS + 2):
                for count, client in ((small, few), (large, many)):
                    url = address.format(question=count // 200)
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
                f" {middle[large] / middle[small]:12.2f}"
            )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:]) if len(sys.argv) == 3 else (SMALL, LARGE))
