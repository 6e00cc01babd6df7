"""What a learner does in Anki, by the official package, in a process of its own.

It is run by test_anki_official.py with a folder in which packages lie, and prints what
Anki made of them as JSON. Nothing of the application is imported here.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from anki.collection import (
    Collection,
    DeckIdLimit,
    ExportAnkiPackageOptions,
    ImportAnkiPackageOptions,
    ImportAnkiPackageRequest,
)

FOLDER = Path(sys.argv[1])
# ImportAnkiPackageUpdateCondition in Anki's proto/anki/import_export.proto.
IF_NEWER = 0
LOGGED = ("new", "updated", "duplicate", "conflicting", "missing_notetype", "missing_deck")


def take(collection: Collection, name: str) -> dict[str, Any]:
    """Import a package, notes if newer, and return how many notes became what."""
    options = ImportAnkiPackageOptions(update_notes=IF_NEWER, update_notetypes=IF_NEWER)
    request = ImportAnkiPackageRequest(package_path=str(FOLDER / name), options=options)
    log = collection.import_anki_package(request).log
    return {each: len(getattr(log, each)) for each in LOGGED} | {
        "notes": collection.note_count(),
        "cards": collection.card_count(),
        "sound": collection.fix_integrity()[1],
    }


def learner() -> dict[str, Any]:
    """Subscribe to a deck, learn, change a note, and take two later packages."""
    collection = Collection(str(FOLDER / "learner.anki2"))
    said: dict[str, Any] = {"first": take(collection, "first.apkg")}
    cards = [collection.get_card(id) for id in collection.find_cards("")]
    said["sides"] = [[card.question(), card.answer()] for card in cards]
    said["empty"] = len(collection.get_empty_cards().notes)
    said["decks"] = [each.name for each in collection.decks.all_names_and_ids()]
    said["media"] = sorted(path.name for path in Path(collection.media.dir()).iterdir())
    mine = collection.get_note(collection.find_notes("Question:*number*30*")[0])
    mine["Answer"] += " My own words."
    collection.update_note(mine)
    learned = collection.get_note(collection.find_notes("Question:*number*5*")[0]).cards()[0]
    collection.sched.set_due_date([learned.id], "7")
    before = collection.get_card(learned.id)
    said["second"] = take(collection, "second.apkg")
    after = collection.get_card(learned.id)
    said["kept"] = [before.ivl, before.due, before.type] == [after.ivl, after.due, after.type]
    mine.load()
    said["mine"] = mine["Answer"]
    said["learned"] = after.answer()
    retired = collection.get_note(collection.find_notes("tag:retired")[0])
    said["retired"] = [retired.guid, retired.cards()[0].question()]
    said["renamed"] = take(collection, "renamed.apkg")
    names = "SELECT name FROM fields WHERE ntid = ? ORDER BY ord"
    said["fields"] = collection.db.list(names, mine.mid)
    collection.close()
    return said


def author() -> None:
    """Make a deck as people do, and export it in every layout."""
    collection = Collection(str(FOLDER / "author.anki2"))
    collection.media.write_data("a dot.png", (FOLDER / "dot.png").read_bytes())
    deck = collection.decks.id("Places::Europe")
    basic = collection.new_note(collection.models.by_name("Basic (and reversed card)"))
    basic["Front"], basic["Back"] = "Where is <b>this</b>?", '<img src="a dot.png"><br>Paris'
    basic.tags = ["Geo::West"]
    cloze = collection.new_note(collection.models.by_name("Cloze"))
    cloze["Text"] = "The {{c1::sun}} is {{c2::hot::temperature}}."
    for note in (basic, cloze):
        collection.add_note(note, deck)
    for name, legacy in (("legacy", True), ("new", False)):
        options = ExportAnkiPackageOptions(with_media=True, legacy=legacy)
        collection.export_anki_package(
            out_path=str(FOLDER / f"{name}.apkg"), options=options, limit=DeckIdLimit(deck)
        )
    collection.export_note_csv(
        out_path=str(FOLDER / "notes.anki.txt"),
        limit=None,
        with_html=True,
        with_tags=True,
        with_deck=True,
        with_notetype=True,
        with_guid=True,
    )
    collection.close()


if __name__ == "__main__":
    author()
    sys.stdout.write(json.dumps(learner()))
