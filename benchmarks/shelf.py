"""A generated shelf without the working copy behind it: a million questions take minutes.

Every word of the generator is in every question, and each question has a few of
many words that are not: a vocabulary as large as a bank of that size would have.
"""

import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flask_migrate
import msgspec
from flask import Flask
from generated import items
from sqlalchemy import insert, text, update
from sqlalchemy.orm import Session

from cms import create_app
from cms.extensions import db
from cms.models import (
    Change,
    Publication,
    PublicationTag,
    PublishedTag,
    Release,
    ReleaseCounter,
)
from cms.services.content import searchable
from cms.services.rendered import render_item, summary_of
from cms.services.spelling import WordCount, count_words
from cms.text import title_key
from cms.vocabulary import ChangeKind

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
CHUNK = 2_000
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]


@contextmanager
def shelf(folder: Path, count: int) -> Iterator[tuple[Flask, str, str]]:
    """Yield an app on a shelf of `count` questions in this folder.

    And a word that one question has, and one that some have.
    """
    url = f"sqlite:///{folder / 'bank.db'}"
    app = create_app({"DATABASE_URL": url, "SECRET_KEY": "a secret of the benchmark's own"})
    with app.app_context():
        flask_migrate.upgrade()
        with Session(db.engine) as session:
            rare, some = fill(session, count)
            session.execute(text("ANALYZE"))
            session.commit()
        yield app, rare, some


def fill(session: Session, count: int) -> tuple[str, str]:
    """Put `count` questions on the shelf; return a word of one question, and one of some."""
    chance = random.Random(2)
    words, tags = WordCount(), Counter[str]()
    rows: list[dict[str, Any]] = []
    last = count // 1_000 + 1
    session.execute(insert(Release), [{"number": n + 1, "at": AT} for n in range(last)])
    session.execute(update(ReleaseCounter).values(number=last))
    html = ""
    rare, some = "", ""
    for number, item in enumerate(items(count), start=1):
        few = ["".join(chance.choices(SYLLABLES, k=4)) for _ in range(3)]
        item.answers[0].body += f"\n\n{' '.join(few)} `call_{number}`."
        # Rendering each would take most of the time, and no benchmark reads more than a few.
        item.revision, item.published_at, item.updated_at = 1, AT, AT
        html = html or msgspec.json.encode(render_item(item)).decode()
        rare, some = few[0], f"call_{number}"
        rows.append(
            {
                "id": number,
                "uid": item.uid,
                "slug": item.slug,
                "stem": item.stem,
                "title_key": title_key(item.stem),
                "summary": summary_of(item) if number % 100 == 0 else item.answers[1].body,
                "difficulty": item.difficulty,
                "tags": item.tags,
                "html": html,
                "document": msgspec.json.encode(item).decode(),
                "search_text": searchable(item),
                "revision": 1,
                "release": number // 1_000 + 1,
                "published_at": AT,
                "updated_at": AT,
            }
        )
        tags.update({"topic", *item.tags})
        if len(rows) == CHUNK or number == count:
            words.add(row["search_text"] for row in rows)
            session.execute(insert(Publication), rows)
            keys = ("release", "title_key")
            session.execute(
                insert(PublicationTag),
                [
                    {"publication_id": row["id"], "tag": tag, **{key: row[key] for key in keys}}
                    for row in rows
                    for tag in ("topic", *row["tags"])
                ],
            )
            session.execute(
                insert(Change),
                [
                    {"uid": row["uid"], "release": row["release"], "what": ChangeKind.published}
                    for row in rows
                ],
            )
            session.commit()
            rows = []
    session.execute(
        insert(PublishedTag),
        [
            {"slug": tag, "uid": f"tag-{tag}", "name": tag, "questions": number}
            for tag, number in tags.items()
        ],
    )
    count_words(session, words.change)
    session.commit()
    return rare, some
