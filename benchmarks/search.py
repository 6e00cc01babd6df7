"""Searches of the public side against the raw FTS5 query, on a generated shelf on SQLite.

Rounds are interleaved, the figures medians.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from generated import WORDS  # noqa: E402
from shelf import shelf  # noqa: E402
from sqlalchemy import text  # noqa: E402
from sqlalchemy.orm import Session  # noqa: E402

from cms.extensions import db  # noqa: E402
from cms.services.finding import find, suggest  # noqa: E402
from cms.services.listing import Selection  # noqa: E402
from cms.vocabulary import Difficulty  # noqa: E402

COUNT = int(sys.argv[1]) if len(sys.argv) == 2 else 10_000
ROUNDS = 11


def raw(session: Session, terms: str) -> Callable[[], object]:
    """Return the limit of a search: the thirty best of FTS5 and their rows, nothing else."""
    statement = text(
        "SELECT slug, stem, summary FROM publication WHERE id IN (SELECT rowid"
        " FROM publication_search WHERE publication_search MATCH :terms"
        " ORDER BY rank LIMIT 30)"
    )
    return lambda: session.execute(statement, {"terms": terms}).all()


def main() -> None:
    begun = time.perf_counter()
    with (
        tempfile.TemporaryDirectory() as folder,
        shelf(Path(folder), COUNT) as (app, rare, name),
        Session(db.engine) as session,
    ):
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
