"""Our packages in the official Anki, and its own exports in our reader.

One child process does all that Anki does: starting it takes longer than the rest.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cms.formats import FORMATS, detect
from cms.formats.anki import notetype, writing
from cms.formats.incoming import Upload
from cms.formats.item import AnswerItem, AssetItem, Item, OptionItem
from cms.formats.outgoing import Retirement
from tests.formats.strategies import NOON, question, written
from tests.formats.test_anki import PNG, PNG_NAME

APKG = FORMATS["apkg"]
LATER = NOON + timedelta(days=1)
CHILD = Path(__file__).parent / "anki_child.py"
GONE = question(40)


def bank() -> list[Item]:
    """Return thirty questions, some with more to show than text."""
    some = [question(number) for number in range(1, 31)]
    some[0].answers = [
        AnswerItem(body=f"```python\nx = 1\n```\n\n![a dot](asset:{PNG_NAME})"),
        AnswerItem(label="Short", body="A dot."),
    ]
    some[1].options = [OptionItem(text="Yes", correct=True), OptionItem(text="No", feedback="Oh.")]
    return some


def package(items: list[Item], **more: Any) -> bytes:
    return written(APKG, items, asset={PNG_NAME: AssetItem(name=PNG_NAME, data=PNG)}.get, **more)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the child worked in; `said.json` is what it printed."""
    folder = tmp_path_factory.mktemp("anki")
    (folder / "dot.png").write_bytes(PNG)
    items = bank()
    (folder / "first.apkg").write_bytes(package([*items, GONE]))
    for item in items[:10]:
        item.answers[0].body += "\n\nChanged."
        item.updated_at = LATER
    retirement = Retirement(GONE.uid or "", GONE.stem, "Nobody asks it.", LATER)
    (folder / "second.apkg").write_bytes(package(items, retirements=[retirement]))
    with pytest.MonkeyPatch.context() as patch:
        renamed = notetype.notetype()
        renamed["mod"] += 1
        renamed["flds"][1]["name"] = "Background"
        renamed["tmpls"][0]["qfmt"] = renamed["tmpls"][0]["qfmt"].replace("Context", "Background")
        renamed["tmpls"][0]["afmt"] = renamed["tmpls"][0]["afmt"].replace("Context", "Background")
        patch.setattr(writing, "notetype", lambda: renamed)
        (folder / "renamed.apkg").write_bytes(package(items))
    child = subprocess.run(
        [sys.executable, str(CHILD), str(folder)], capture_output=True, text=True, timeout=120
    )
    assert child.returncode == 0, child.stderr
    (folder / "said.json").write_text(child.stdout.splitlines()[-1])
    return folder


@pytest.fixture(scope="module")
def said(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "said.json").read_text())
    return found


def test_each_question_becomes_a_note_with_one_card(said: dict[str, Any]) -> None:
    nothing = {"duplicate": 0, "conflicting": 0, "missing_notetype": 0, "missing_deck": 0}
    assert said["first"] == nothing | {
        "new": 31,
        "updated": 0,
        "notes": 31,
        "cards": 31,
        "sound": True,
    }
    assert said["empty"] == 0
    assert said["media"] == [PNG_NAME]
    assert {"A bank", "A bank::numbers"} <= set(said["decks"])


def test_every_card_asks_and_answers(said: dict[str, Any]) -> None:
    sides = [[side.split("</style>")[1] for side in card] for card in said["sides"]]
    assert all('<div class="stem">What is number' in front for front, _ in sides)
    assert all('<div class="answer">' in back for _, back in sides)
    assert not any('<div class="answer">' in front for front, _ in sides)
    assert sum(f'<img src="{PNG_NAME}"' in back for _, back in sides) == 1
    assert sum('<li class="right">' in front for front, _ in sides) == 1


def test_what_was_changed_is_updated_and_nothing_else(said: dict[str, Any]) -> None:
    second = said["second"]
    assert (second["updated"], second["new"], second["conflicting"]) == (11, 0, 0)
    assert (second["notes"], second["cards"], second["sound"]) == (31, 31, True)
    assert "Changed." in said["learned"]
    assert said["kept"]
    assert said["mine"].endswith("My own words.")


def test_a_retired_question_says_so_on_the_card_of_whoever_has_it(said: dict[str, Any]) -> None:
    guid, front = said["retired"]
    assert guid == GONE.uid
    assert "Retired on 23 November 2026. Nobody asks it." in front


def test_a_renamed_field_is_no_conflict(said: dict[str, Any]) -> None:
    assert said["renamed"]["conflicting"] == 0
    assert said["renamed"]["notes"] == 31
    assert said["fields"][1] == "Background"


@pytest.mark.parametrize("name", ["legacy.apkg", "new.apkg"])
def test_a_package_of_ankis_own_is_read_in_both_layouts(folder: Path, name: str) -> None:
    file = Upload(name, (folder / name).read_bytes())
    assert detect(file) is APKG
    assert APKG.read is not None
    reading = APKG.read(file)
    basic, cloze = (row.item for row in reading.rows)
    assert basic is not None
    assert cloze is not None
    assert (basic.stem, basic.tags) == ("Where is this?", ["geo/west", "europe"])
    assert basic.answers[0].body == f"![](asset:{PNG_NAME})\\\nParis"
    assert [asset.data for asset in reading.assets] == [PNG]
    assert cloze.stem == "The […] is [temperature]."
    assert cloze.answers[0].body == "The **sun** is **hot**."
    assert cloze.provenance is not None
    assert cloze.provenance.source == "Places"


def test_notes_in_plain_text_are_read_with_their_guids(folder: Path) -> None:
    file = Upload("notes.anki.txt", (folder / "notes.anki.txt").read_bytes())
    format = detect(file)
    assert format is FORMATS["anki.txt"]
    assert format.read is not None
    items = {row.item.stem: row.item for row in format.read(file).rows if row.item}
    assert set(items) == {"Where is this?", "The […] is [temperature]."}
    assert items["Where is this?"].tags == ["geo/west", "europe"]
    assert all(item.provenance and item.provenance.external_id for item in items.values())
