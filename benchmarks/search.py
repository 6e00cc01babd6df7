"""Searches of the public side against the raw FTS5 query, on a generated shelf on SQLite.

The shelf is written without the working copy behind it, so that a million
questions take minutes. Every word of the generator is in every question, and
each question has a few of many words that are not: a vocabulary as large as a
bank of that size would have. Rounds are interleaved, the figures medians.
"""

import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import flask_migrate  # noqa: E402
import msgspec  # noqa: E402
from generated import WORDS, items  # noqa: E402
from sqlalchemy import insert, text  # noqa: E402
from sqlalchemy.orm import Session  # noqa: E402

from cms import create_app  # noqa: E402
from cms.extensions import db  # noqa: E402
from cms.models import Publication, PublicationTag, PublishedTag  # noqa: E402
from cms.services.content import searchable  # noqa: E402
from cms.services.finding import find, suggest  # noqa: E402
from cms.services.listing import Selection  # noqa: E402
from cms.services.rendered import summary_of  # noqa: E402
from cms.services.spelling import WordCount, count_words  # noqa: E402
from cms.text import title_key  # noqa: E402
from cms.vocabulary import Difficulty  # noqa: E402

AT = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)
COUNT = int(sys.argv[1]) if len(sys.argv) == 2 else 10_000
ROUNDS = 11
CHUNK = 2_000
SYLLABLES = [a + b for a in "bdfgklmnprstvz" for b in "aeiou"]


def fill(session: Session, count: int) -> tuple[str, str]:
    """Put `count` questions on the shelf; return a word of one question, and one of some."""
    chance = random.Random(2)
    words, tags = WordCount(), Counter[str]()
    rows: list[dict[str, Any]] = []
    rare, some = "", ""
    for number, item in enumerate(items(count), start=1):
        few = ["".join(chance.choices(SYLLABLES, k=4)) for _ in range(3)]
        item.answers[0].body += f"\n\n{' '.join(few)} `call_{number}`."
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
                "html": "{}",
                "document": msgspec.json.encode(item).decode(),
                "search_text": searchable(item),
                "revision": 1,
                "release": number // 1_000,
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


def raw(session: Session, terms: str) -> Callable[[], object]:
    """Return the limit of a search: the thirty best of FTS5 and their rows, nothing else."""
    statement = text(
        "SELECT slug, stem, summary FROM publication WHERE id IN (SELECT rowid"
        " FROM publication_search WHERE publication_search MATCH :terms"
        " ORDER BY rank LIMIT 30)"
    )
    return lambda: session.execute(statement, {"terms": terms}).all()


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bank.db'}"
        app = create_app({"DATABASE_URL": url, "SECRET_KEY": "a secret of the benchmark's own"})
        with app.app_context():
            flask_migrate.upgrade()
            with Session(db.engine) as session:
                begun = time.perf_counter()
                rare, name = fill(session, COUNT)
                session.execute(text("ANALYZE"))
                session.commit()
                print(f"{COUNT:,} questions written in {time.perf_counter() - begun:.0f} s")
                compare(session, app.test_client(), rare, name)


def compare(session: Session, client: Any, rare: str, name: str) -> None:
    common, other = WORDS[0], WORDS[1]
    typo = rare[:3] + rare[4:]
    hard = Selection(common, difficulty=Difficulty.hard, sort="title")
    tagged = Selection(common, tags=("topic/route",), sort="relevance")
    searches: dict[str, tuple[str | None, Callable[[], object]]] = {
        "rare word": (f'"{rare}"*', lambda: find(session, Selection(rare, sort="relevance"))),
        "name": (
            f'"{name.replace("_", " ")}"*',
            lambda: find(session, Selection(name, sort="relevance")),
        ),
        "common word": (f'"{common}"*', lambda: find(session, Selection(common, sort="relevance"))),
        "two common words": (
            f'"{common}" AND "{other}"*',
            lambda: find(session, Selection(f"{common} {other}", sort="relevance")),
        ),
        "phrase": (
            f'"{common} {other}"',
            lambda: find(session, Selection(f'"{common} {other}"', sort="relevance")),
        ),
        "typing error": (None, lambda: find(session, Selection(typo, sort="relevance"))),
        "common, by title": (None, lambda: find(session, Selection(common, sort="title"))),
        "common, hard, by title": (None, lambda: find(session, hard)),
        "common, one tag": (None, lambda: find(session, tagged)),
        "while typing 'ro'": (None, lambda: suggest(session, "ro", 8)),
        "page, common word": (None, lambda: client.get(f"/questions/?q={common}&x={time.time()}")),
        "page, typing error": (None, lambda: client.get(f"/questions/?q={typo}&x={time.time()}")),
        "page, all questions": (None, lambda: client.get(f"/questions/?x={time.time()}")),
    }
    times: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for what, (terms, ours) in searches.items():
            steps = {what: ours}
            if terms is not None:
                steps[f"raw {what}"] = raw(session, terms)
            for step, run in steps.items():
                begun = time.perf_counter()
                run()
                times.setdefault(step, []).append((time.perf_counter() - begun) * 1_000)
    for what in searches:
        ours = statistics.median(times[what])
        line = f"{what:24} {ours:8.2f} ms"
        if f"raw {what}" in times:
            limit = statistics.median(times[f"raw {what}"])
            line += f"  raw FTS5 {limit:8.2f} ms  {ours / limit:5.2f} x"
        print(line)


if __name__ == "__main__":
    main()
