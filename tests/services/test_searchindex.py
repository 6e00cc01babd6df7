"""The index of a frozen site's search: the words of the shelf, in pieces of a bounded size."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.models import Publication
from cms.services import searchindex
from cms.services.publishing import publish
from cms.services.questions import create
from cms.services.searchindex import index_files
from tests.factories import AT, content, make_bank

PIECE = 800


def numbers_of(written: str) -> list[int]:
    """Read what stands for a set of questions, as the script in the browser does."""
    if written.startswith("!"):
        bits = base64.b64decode(written[1:])
        return [n for n in range(8 * len(bits)) if bits[n >> 3] >> (n & 7) & 1]
    found, last = [], -1
    for difference in written.split():
        last += int(difference, 36)
        found.append(last)
    return found


def test_each_word_has_the_questions_that_have_it_and_no_beginning_takes_many_pieces(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searchindex, "PIECE", PIECE)
    make_bank(session)
    fresh = [
        create(session, content(f"What is {n}?", f"naïve_{n} straße 日本{n}"), by=None, at=AT)
        for n in range(70)
    ]
    publish(session, fresh, by=None, at=AT)
    session.commit()
    files: dict[str, Any] = {name: json.loads(data) for name, data in index_files(session)}
    directory = files.pop("directory.json")
    pieces = [files[f"words-{place}.json"] for place in range(len(directory["pieces"]))]
    assert [next(iter(piece)) for piece in pieces] == directory["pieces"]
    assert len(pieces) > 5
    assert max(
        len(json.dumps(each, separators=(",", ":"), ensure_ascii=False)) for each in pieces
    ) <= (PIECE + 2)
    entries = {word: entry for piece in pieces for word, entry in piece.items()}
    assert sum(map(len, pieces)) == len(entries)

    rows = session.execute(
        select(Publication.slug, Publication.search_text).order_by(Publication.id)
    )
    texts = [(slug, set(text.split())) for slug, text in rows]
    assert directory["questions"] == len(texts)
    words = {word for word in entries if not word.endswith("*")}
    assert words == set().union(*(found for _, found in texts))
    for word, levels in entries.items():
        # Each step is among the one before.
        all_, more, most = map(numbers_of, levels)
        assert set(most) <= set(more) <= set(all_)
        if word.endswith("*"):
            begun = [
                n
                for n, (_, found) in enumerate(texts)
                if any(w.startswith(word[:-1]) for w in found)
            ]
            assert all_ == begun, word
        else:
            assert all_ == [n for n, (_, found) in enumerate(texts) if word in found], word
    # What has no entry of its own stands in one piece, or in two beside each other.
    for begun in {word[:length] for word in words for length in range(1, len(word) + 1)}:
        holding = [
            n
            for n, piece in enumerate(pieces)
            if any(w.startswith(begun) and w in words for w in piece)
        ]
        alone = len(begun) == 1 and begun.isascii()
        assert len(holding) <= 2 or f"{begun}*" in entries or alone, begun

    shown = [line for n in range(2) for line in files[f"questions-{n}.json"]]
    assert [line[0] for line in shown] == [slug for slug, _ in texts]
    kept = next(line for line in shown if line[0] == "where-does-flask-keep-the-session")
    assert kept[1] == "Where does Flask keep the <code>session</code>?"
    assert kept[3:] == [1, "medium"]
