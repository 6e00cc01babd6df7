"""An Anki package of a generated bank, beside the programs that also write them.

Each writer runs in a process of its own and gets the same notes, as fields of HTML. Its
time is that of the processor, its memory what it takes beyond a package of one note.
'whole' is our export from questions in Markdown, which the others do not do.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

TAGS = ("flask::basics", "http", "level::easy")
PARAGRAPH = "<p>" + "Each answer says what it is, why it is so, and where that ends. " * 16 + "</p>"


def notes(count: int) -> Iterator[tuple[str, list[str]]]:
    """Yield guid and five fields of each note, about 1.1 KB together."""
    for number in range(count):
        uid = f"01920000-0000-7000-8000-{number:012x}"
        yield (
            uid,
            [
                f"What is number {number}?",
                f"<p>Context {number}.</p>",
                f"{PARAGRAPH}<p>So much for number {number}.</p>",
                f"https://bank.example/questions/number-{number}",
                uid,
            ],
        )


def ours(count: int, folder: Path) -> None:
    """Write with our own collection and archive."""
    from datetime import UTC, datetime

    from cms.formats.anki.collection import Collection, Note
    from cms.formats.anki.notetype import notetype
    from cms.formats.anki.writing import PRESSED, collection_files
    from cms.formats.archive import packed

    at = datetime(2026, 11, 1, tzinfo=UTC)
    path = folder / "collection.anki2"
    collection = Collection(path, notetype())
    for guid, fields in notes(count):
        collection.add(Note(guid, fields + [""] * 9, TAGS, ("Bank",), at))
    collection.close(at)
    with (folder / "ours.apkg").open("wb") as file:
        file.writelines(packed(collection_files(path, {}), level=PRESSED))


def whole(count: int, folder: Path) -> None:
    """Write a whole export, from JSON documents to the last byte."""
    from cms.formats import FORMATS
    from cms.formats.item import AnswerItem, BankItem
    from cms.formats.outgoing import Export
    from tests.formats.strategies import entries, question

    body = PARAGRAPH[3:-4]
    bank = (
        question(n, answers=[AnswerItem(body=body)], context=f"Context {n}.")
        for n in range(1, count + 1)
    )
    write = FORMATS["apkg"].write
    assert write is not None
    with (folder / "whole.apkg").open("wb") as file:
        file.writelines(write(Export(bank=BankItem(title="Bank"), entries=entries(bank))))


def genanki(count: int, folder: Path) -> None:
    """Write with genanki."""
    import genanki

    model = genanki.Model(
        1,
        "Bank",
        fields=[{"name": name} for name in "ABCDE"],
        templates=[{"name": "Card", "qfmt": "{{A}}", "afmt": "{{A}}{{C}}"}],
    )
    deck = genanki.Deck(2, "Bank")
    for guid, fields in notes(count):
        deck.add_note(genanki.Note(model=model, fields=fields, tags=list(TAGS), guid=guid))
    genanki.Package(deck).write_to_file(folder / "genanki.apkg")


def anki(count: int, folder: Path) -> None:
    """Write with Anki itself: make a collection, then export it."""
    from anki.collection import AddNoteRequest, Collection, DeckIdLimit, ExportAnkiPackageOptions

    collection = Collection(str(folder / "anki.anki2"))
    model = collection.models.new("Bank")
    for name in "ABCDE":
        collection.models.add_field(model, collection.models.new_field(name))
    template = collection.models.new_template("Card")
    template["qfmt"], template["afmt"] = "{{A}}", "{{A}}{{C}}"
    collection.models.add_template(model, template)
    collection.models.add(model)
    deck = collection.decks.id("Bank")
    requests = []
    for guid, fields in notes(count):
        note = collection.new_note(model)
        note.guid, note.fields, note.tags = guid, fields, list(TAGS)
        requests.append(AddNoteRequest(note=note, deck_id=deck))
    collection.add_notes(requests)
    options = ExportAnkiPackageOptions(with_media=False, legacy=True)
    path = str(folder / "anki.apkg")
    collection.export_anki_package(out_path=path, options=options, limit=DeckIdLimit(deck))


WRITERS = {each.__name__: each for each in (ours, genanki, anki, whole)}


def main(count: int) -> None:
    """Measure every writer, each in a process of its own, three times in turn."""
    best: dict[str, tuple[float, int, float]] = {}
    with tempfile.TemporaryDirectory() as name:
        for _ in range(3):
            for writer in WRITERS:
                shutil.rmtree(name)
                Path(name).mkdir()
                child = subprocess.run(
                    [sys.executable, __file__, str(count), writer, name],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                seconds, peak, size = child.stdout.split()[-3:]
                found = (float(seconds), int(peak), int(size) / 1e6)
                best[writer] = min(best.get(writer, found), found)
    print(f"{count:,} notes; best of three")
    seconds, memory, _ = best["genanki"]
    for writer, (took, peak, size) in best.items():
        print(
            f"{writer:8} {took:7.2f} s ({took / seconds:.2f} x genanki) "
            f"{peak / 1024:6.0f} MB ({peak / memory:.2f} x) {size:7.1f} MB file"
        )


if __name__ == "__main__":
    if len(sys.argv) == 4:
        from exchange import peak_memory

        folder = Path(sys.argv[3])
        warm = folder / "warm"
        warm.mkdir(exist_ok=True)
        # What a program needs before the first note is not what notes cost.
        WRITERS[sys.argv[2]](1, warm)
        before, begin = peak_memory(), time.process_time()
        WRITERS[sys.argv[2]](int(sys.argv[1]), folder)
        took = time.process_time() - begin
        print(took, peak_memory() - before, (folder / f"{sys.argv[2]}.apkg").stat().st_size)
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else 50_000)
