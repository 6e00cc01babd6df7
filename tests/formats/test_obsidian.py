"""Cards for Obsidian's plugin 'Spaced Repetition', and what an export into a vault leaves alone.

`cards` follows the plugin's src/parser.ts (1.15.4, default settings) step by step; the parser
itself was run by hand over 400 generated banks and found one card in each note.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given

from cms.cli.folders import folder_target
from cms.formats import FORMATS
from cms.formats.archive import Archive
from cms.formats.item import AssetItem, DeckItem, Item, OptionItem, SourceItem
from cms.formats.obsidian import MARK, RECORD
from tests.formats.strategies import items, question, upload, written

OBSIDIAN = FORMATS["obsidian.zip"]
# What ECMAScript calls white space and line terminators, beside U+FEFF.
SPACES = [*range(9, 14), 0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029]
SPACES += [0x202F, 0x205F, 0x3000]
ASSET = AssetItem(name="0" * 64 + ".png", data=b"\x89PNG\r\n\x1a\n")


def notes(bank: list[Item], **fields: object) -> dict[str, str]:
    archive = Archive(upload(written(OBSIDIAN, bank, **fields)))
    return {name: archive.read(name).data.decode("latin-1") for name in archive.names}


def note(item: Item, **fields: object) -> str:
    archive = Archive(upload(written(OBSIDIAN, [item], **fields)))
    return archive.read(f"{item.slug}.md").data.decode()


def is_separated(line: str) -> bool:
    for separator in (":::", "::"):
        at = line.find(separator)
        if at >= 0:
            inside = line[:at].count("`") % 2 and line[at + len(separator) :].count("`") % 2
            if not inside:
                return True
    return False


def trimmed(line: str) -> str:
    """Return a line as JavaScript trims it: U+FEFF, too."""
    return line.strip("\ufeff" + "".join(map(chr, SPACES)))


def cards(text: str) -> list[tuple[str, str]]:
    """Return the cards of a note as the plugin sees them: their kind and their text."""
    _, _, body = text.removeprefix("---\n").partition("\n---\n")
    lines = body.split("\n")
    found: list[tuple[str, str]] = []
    kind, card, at = "", "", 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("<!--") and not line.startswith("<!--SR:"):
            at += 2 if "-->" in line else len(lines)
            continue
        if not trimmed(line):
            if kind:
                found.append((kind, card.rstrip()))
            kind, card = "", ""
            at += 1
            continue
        card += ("\n" if card else "") + line.rstrip()
        if is_separated(line):
            found.append(("single", line))
            kind, card = "", ""
        elif trimmed(line) in {"?", "??"} and trimmed(card.rpartition("\n")[0]):
            kind = "basic" if trimmed(line) == "?" else "reversed"
        elif line.startswith(("```", "~~~")):
            fence = line[: len(line) - len(line.lstrip(line[0]))]
            while at + 1 < len(lines) and not lines[at + 1].startswith(fence):
                at += 1
                card += "\n" + lines[at]
            card += "\n" + fence
            at += 1
        at += 1
    return [*found, *([(kind, card.rstrip())] if kind and card else [])]


def test_a_note_is_one_card_below_its_properties_and_above_the_mark() -> None:
    item = question(1, difficulty="easy", tags=["numbers", "math/sums"])
    item.answers[0].body = "One.\n\nTwo.\n\n```\na\n\nb\n```\n\nThree."
    item.answers[0].sources = [SourceItem(url="https://a.example/")]
    deck = DeckItem(slug="interview", title="Interview")
    assert note(item, deck=deck) == (
        "---\nuid: 01920000-0000-7000-8000-000000000001\n"
        "source: https://bank.example/questions/question-1\ndifficulty: easy\n"
        "tags:\n- flashcards/interview\n- numbers\n- math/sums\n---\n\n"
        "What is number 1?\n?\nOne.\n <!-- -->\nTwo.\n```\na\n\nb\n```\nThree.\n <!-- -->\n"
        f"Sources:\n <!-- -->\n- <https://a.example/>\n\n{MARK}\n"
    )
    assert "- flashcards/a-bank\n" in note(item)


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("Use std::move.", "Use std`::`move."),
        ("a ` b::c", "a ` b:\u200b:c"),
        ("`a::b` is fine.", "`a::b` is fine."),
        ("a\n\n?\n\nb", "a\n <!-- -->\n\\?\n <!-- -->\nb"),
        ("<b>bold</b> <https://a.example>", "\\<b>bold\\</b> <https://a.example>"),
        ("- a\n\n  b\n- c", "- a\n  <!-- -->\n  b\n- c"),
        ("- a\n\n  ```py\n  x\n\n  y\n  ```", "- a\n```py\nx\n\ny\n```"),
        ("- a\n  ```py\n  x\n  ```", "- a\n  ```py\n  x\n  ```"),
        ("a\n\n    x\n\n    y::z", "a\n```\nx\n\ny::z\n```"),
        ("```\nx", "```\nx\n```"),
        ("```a::b\nx\n```", "```a:b\nx\n```"),
        ("```a `b` c``` d", " ```a `b` c``` d"),
        ("a\n\ufeff\nb", "a\n <!-- -->\nb"),
        ("a\n\ufeff?\nb", "a\n\ufeff\\?\nb"),
    ],
)
def test_what_would_end_or_split_a_card_is_written_so_that_it_does_not(
    markdown: str, shown: str
) -> None:
    item = question(1)
    item.answers[0].body = markdown
    text = note(item)
    assert text.partition("?\n?\n")[2].partition(f"\n\n{MARK}")[0] == shown
    assert [kind for kind, _ in cards(text)] == ["basic"]


@pytest.mark.parametrize("stem", ["\ufeff", "```a``` is code", "?", "\ufeff?"])
def test_every_stem_begins_a_card(stem: str) -> None:
    assert [kind for kind, _ in cards(note(question(1, stem=stem)))] == ["basic"]


@given(item=items)
def test_whatever_stands_in_a_question_its_note_is_one_card(item: Item) -> None:
    item.slug = "a-question"
    found = cards(note(item))
    assert [kind for kind, _ in found] == ["basic"]


def test_options_stand_on_the_front_and_the_right_ones_on_the_back() -> None:
    item = question(1, options=[OptionItem(text="One"), OptionItem(text="Two", correct=True)])
    ((_, card),) = cards(note(item))
    assert "?\n <!-- -->\n- **A** One\n- **B** Two\n?\n**B**\n <!-- -->\nNumber 1." in card


def test_images_lie_beside_the_notes_that_show_them() -> None:
    item = question(1)
    item.answers[0].body = f"![plan](asset:{ASSET.name})"
    found = notes([item, question(2)], asset={ASSET.name: ASSET}.get)
    assert f"![plan]({ASSET.name})" in found["question-1.md"]
    assert found[ASSET.name].encode("latin-1") == ASSET.data
    assert json.loads(found[RECORD]) == {
        "format": "question-bank-obsidian",
        "release": 1,
        "notes": ["question-1.md", "question-2.md"],
        "images": [ASSET.name],
    }


# --- into a vault that is there ---------------------------------------------------------


def export(path: Path, *bank: Item) -> None:
    assert OBSIDIAN.folder is not None
    with folder_target(path, OBSIDIAN.folder) as write:
        write(written(OBSIDIAN, bank))


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


SR = "<!--SR:!2026-01-01,3,250-->"


@pytest.mark.parametrize(
    ("written_by_the_plugin", "after"),
    [
        (f"Number 1.\n{SR}", f"It is one.\n{SR}"),
        (f"Number 1. {SR}", f"It is one. {SR}"),
        (f"Number 1. ^ab1\n{SR}", f"It is one. ^ab1\n{SR}"),
        (f"Number 1. {SR} ^ab1", f"It is one. {SR} ^ab1"),
        ("Number 1. ^ab1", "It is one. ^ab1"),
        (
            f"Number 1.\n> [!sr|card-metadata] \n> {SR}",
            f"It is one.\n> [!sr|card-metadata] \n> {SR}",
        ),
    ],
)
def test_a_new_export_keeps_the_schedule_where_the_plugin_wrote_it(
    tmp_path: Path, written_by_the_plugin: str, after: str
) -> None:
    vault = tmp_path / "vault"
    export(vault, question(1))
    edited(vault / "question-1.md", "Number 1.", written_by_the_plugin)
    changed = question(1)
    changed.answers[0].body = "It is one."
    export(vault, changed)
    text = (vault / "question-1.md").read_text()
    assert f"?\n{after}\n\n{MARK}\n" in text
    assert len(cards(text)) == 1
    export(vault, changed)
    assert (vault / "question-1.md").read_text() == text


def test_a_schedule_goes_below_an_answer_that_now_ends_in_code(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    export(vault, question(1))
    edited(vault / "question-1.md", "Number 1.", f"Number 1. {SR}")
    changed = question(1)
    changed.answers[0].body = "```\none\n```"
    export(vault, changed)
    assert f"```\none\n```\n{SR}\n\n{MARK}" in (vault / "question-1.md").read_text()


def test_a_new_export_keeps_what_the_owner_wrote_also_under_a_new_name(tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    export(vault, question(1), question(2), question(3))
    first = vault / "question-1.md"
    edited(first, "tags:", "aliases:\n- one\nsr-due: 2026-02-01\ntags:")
    edited(first, f"{MARK}\n", f"{MARK}\n\nI always forget this.\n\n- [[Elsewhere]]\n")
    edited(first, "Number 1.", f"Number 1.\n{SR}")
    edited(vault / "question-3.md", f"{MARK}\n", f"{MARK}\nMine.\n")
    (vault / "Diary.md").write_text("Today.")
    export(vault, question(1, slug="renamed", tags=["other"]))
    text = (vault / "renamed.md").read_text()
    assert "aliases:\n- one\nsr-due: 2026-02-01\n---\n" in text
    assert "- other\n" in text
    assert "- numbers" not in text
    assert f"Number 1.\n{SR}\n\n{MARK}\n\nI always forget this.\n\n- [[Elsewhere]]\n" in text
    # What left the export goes, unless its owner wrote in it.
    assert sorted(path.name for path in vault.iterdir()) == [
        "Diary.md",
        "question-3.md",
        RECORD,
        "renamed.md",
    ]
