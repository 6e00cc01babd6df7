"""Markdown as a folder: `import FOLDER` and `export -o FOLDER`, as a person uses them."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from cms.extensions import db
from cms.models import Question
from tests.cli.conftest import Run
from tests.conftest import ROOT
from tests.factories import make_published

FLASK = ROOT / "fixtures" / "flask"
TOTALS = "{} create, {} update, {} unchanged, {} conflict, 0 duplicate, {} error"
NEW = "---\nstem: What is a kettle?\n---\n\n## Answer\n\nA pot.\n"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def bank(run: Run) -> None:
    """A published bank: the curated one."""
    result = run("import", str(FLASK), "--publish")
    assert result.exit_code == 0, result.output


@pytest.fixture
def folder(bank: None, run: Run, tmp_path: Path) -> Path:
    """What an export of it wrote."""
    made = tmp_path / "bank"
    assert run("export", "-o", str(made), "--format", "markdown").exit_code == 0
    return made


def test_an_export_is_a_folder_that_imports_unchanged(run: Run, folder: Path) -> None:
    questions = [path.name for path in FLASK.glob("*.md") if path.name != "README.md"]
    assert set(contents(folder)) == {*questions, "bank.yaml", "tags.yaml", "decks.yaml"}
    result = run("import", str(folder))
    assert result.exit_code == 0, result.output
    assert TOTALS.format(0, 0, len(questions), 0, 0) in result.output


def test_the_texts_of_an_export_are_those_that_were_imported(folder: Path) -> None:
    """But for the front matter, which has the bank's numbers and times in it now."""
    for path in FLASK.glob("*.md"):
        if path.name != "README.md":
            ours = path.read_text().split("\n---\n", 1)[1]
            assert (folder / path.name).read_text().split("\n---\n", 1)[1] == ours


@pytest.mark.parametrize("name", ["bank.md.zip", "bank.markdown.zip"])
def test_a_name_that_ends_in_zip_is_an_archive_of_the_same_files(
    run: Run, folder: Path, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    assert run("export", "-o", str(path)).exit_code == 0
    with zipfile.ZipFile(path) as archive:
        files = {info.filename: archive.read(info) for info in archive.infolist()}
    assert files == contents(folder)
    result = run("import", str(path))
    assert TOTALS.format(0, 0, len(list(folder.glob("*.md"))), 0, 0) in result.output


def test_an_archive_goes_to_standard_output(run: Run, folder: Path, tmp_path: Path) -> None:
    run("export", "-o", str(tmp_path / "bank.md.zip"))
    result = run("export", "--format", "markdown")
    assert result.stdout_bytes == (tmp_path / "bank.md.zip").read_bytes()


def test_ten_edited_files_are_ten_updates_and_one_edited_again_is_a_conflict(
    app: Flask, run: Run, folder: Path
) -> None:
    count = len(list(folder.glob("*.md")))
    paths = sorted(folder.glob("*.md"))[:10]
    for path in paths:
        text = path.read_text()
        assert "## Answer: Short\n" in text
        path.write_text(text.replace("## Answer: Short\n", "## Answer: In short\n") + "More.\n")
    with app.app_context():
        answers = {a.uid for q in db.session.scalars(select(Question)) for a in q.answers}
    result = run("import", str(folder))
    assert result.exit_code == 0, result.output
    assert TOTALS.format(0, 10, count - 10, 0, 0) in result.output
    with app.app_context():
        questions = list(db.session.scalars(select(Question)))
        assert {a.uid for q in questions for a in q.answers} == answers
        shorts = [a for q in questions for a in q.answers if a.label == "In short"]
        assert len(shorts) == 10
        assert all(answer.body.endswith("More.") for answer in shorts)
    # The file still names the revision that it was exported with; the bank has a newer one.
    paths[0].write_text(paths[0].read_text().replace("More.", "Something else."))
    result = run("import", str(folder))
    assert result.exit_code == 3
    assert TOTALS.format(0, 0, count - 1, 1, 0) in result.output
    assert f"conflict\t{paths[0].name}\t" in result.output


def test_a_file_written_by_hand_becomes_a_question_and_its_edits_an_update(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "a-kettle.md").write_text(NEW)
    (mine / "README.md").write_text("# Kettles")
    (mine / "more.csv").write_text("stem,answer\nWhat is tea?,A drink.\n")
    for totals in (TOTALS.format(1, 0, 0, 0, 0), TOTALS.format(0, 0, 1, 0, 0)):
        result = run("import", str(mine))
        assert result.exit_code == 0, result.output
        assert result.output.count(totals) == 2
        assert "no question stands there: README.md" in result.output
    with app.app_context():
        found = {q.slug: q.answers[0].uid for q in db.session.scalars(select(Question))}
    assert set(found) == {"a-kettle", "what-is-tea"}
    (mine / "a-kettle.md").write_text(NEW.replace("## Answer", "## Answer: Short") + "Or so.\n")
    result = run("import", str(mine))
    assert TOTALS.format(0, 1, 0, 0, 0) in result.output
    with app.app_context():
        kettle = db.session.scalars(select(Question).where(Question.slug == "a-kettle")).one()
        [answer] = kettle.answers
        assert (answer.uid, answer.label) == (found["a-kettle"], "Short")
        assert answer.body == "A pot.\nOr so."


def test_a_new_export_replaces_and_deletes_what_the_last_one_wrote_and_nothing_else(
    app: Flask, run: Run, folder: Path
) -> None:
    before = contents(folder)
    mine = {
        "README.md": b"# Kettles",
        "kettle.md": NEW.encode(),
        "uid.md": b"---\nuid: 01920000-0000-7000-8000-000000000001\nstem: Why?\n---\n",
        "notes.txt": b"x",
    }
    for name, data in mine.items():
        (folder / name).write_bytes(data)
    with app.app_context():
        uid = db.session.scalar(select(Question.uid).where(Question.slug == "url-for"))
    assert uid
    shutil.copy(FLASK / "sessions.md", folder / "sessions.md")
    assert run("retire", uid).exit_code == 0
    result = run("export", "-o", str(folder))
    assert result.exit_code == 0, result.output
    after = contents(folder)
    assert set(after) == set(before) - {"url-for.md"} | set(mine)
    assert {name: after[name] for name in mine} == mine
    assert after["sessions.md"] == before["sessions.md"]
    assert b"url-for.md" not in after["bank.yaml"]
    assert not [path for path in folder.parent.iterdir() if path.name.startswith(".")]


def test_an_export_again_changes_no_byte(run: Run, folder: Path) -> None:
    before = contents(folder)
    assert run("export", "-o", f"{folder}/").exit_code == 0
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["sessions.md", "bank.yaml", "tags.yaml"])
def test_a_file_in_the_way_that_no_export_wrote_keeps_everything_as_it_is(
    run: Run, bank: None, tmp_path: Path, name: str
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / name).write_text("---\ntitle: Mine\n---\n")
    result = run("export", "-o", str(mine))
    assert result.exit_code == 1
    assert f"would replace them: {name}. Delete them if they have been imported" in result.stderr
    assert contents(mine) == {name: b"---\ntitle: Mine\n---\n"}
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_an_interrupted_export_can_be_repeated(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(folder)
    assert run("retire", *_uids(folder, "url-for.md", "sessions.md")).exit_code == 0
    unlink = Path.unlink

    def fail(self: Path, missing_ok: bool = False) -> None:
        if self.name == "url-for.md":
            raise OSError(28, "No space left on device")
        unlink(self, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", fail)
        result = run("export", "-o", str(folder))
    assert result.exit_code == 1
    assert "cannot be written: No space left on device" in result.stderr
    assert run("export", "-o", str(folder)).exit_code == 0
    assert set(contents(folder)) == set(before) - {"url-for.md", "sessions.md"}


def _uids(folder: Path, *names: str) -> list[str]:
    return [(folder / name).read_text().split("uid: ")[1].split("\n")[0] for name in names]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("-o", "no/such/folder/bank", "--format", "markdown"), "cannot be written"),
        (("-o", "{}/file", "--format", "markdown"), "cannot be written"),
        (("-o", "{}", "--format", "json"), "is a folder. Name a file in it to write json."),
        (("-o", "{}/bank.what"), "Add --format with one of json, jsonl, csv, markdown"),
    ],
)
def test_a_place_that_cannot_be_written_is_named(
    run: Run, tmp_path: Path, words: tuple[str, ...], problem: str
) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "file").write_text("x")
    result = run("export", *(word.format(place) for word in words))
    assert result.exit_code == 1
    assert problem in result.stderr
    assert contents(place) == {"file": b"x"}


@pytest.mark.parametrize("files", [{}, {"README.md": "# Kettles"}, {"notes.txt": "x"}])
def test_a_folder_without_questions_is_refused(
    run: Run, tmp_path: Path, files: dict[str, str]
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    result = run("import", str(tmp_path))
    assert result.exit_code == 1
    assert "holds no question in Markdown and no file that ends in .json, .jsonl" in result.stderr


def test_a_named_format_chooses_among_the_files_of_a_folder(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "kettle.md").write_text(NEW)
    (tmp_path / "tea.csv").write_text("stem,answer\nWhat is tea?,A drink.\n")
    assert run("import", str(tmp_path), "--format", "markdown").exit_code == 0
    with app.app_context():
        assert db.session.scalars(select(Question.slug)).all() == ["kettle"]


def test_an_error_in_a_folder_names_the_file_and_nothing_is_written(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "good.md").write_text(NEW)
    (tmp_path / "bad.md").write_text("---\nstem: Why: not?\n---\n")
    result = run("import", str(tmp_path))
    assert result.exit_code == 1
    assert "bad.md, line 2" in result.output
    with app.app_context():
        assert not db.session.scalars(select(Question)).all()


def test_an_export_into_a_vault_keeps_what_its_owner_made_of_the_cards(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    with app.app_context():
        make_published(db.session(), "What is a view?")
    vault = tmp_path / "vault"
    assert run("export", "-o", str(vault), "--format", "obsidian.zip").exit_code == 0
    note = vault / "what-is-a-view.md"
    text = note.read_text()
    assert "\n\nWhat is a view?\n?\n" in text
    mine = text.replace("\n\n%% Your", "\n<!--SR:!2026-01-01,3,250-->\n\n%% Your") + "\nMine.\n"
    note.write_text(mine)
    assert run("export", "-o", str(vault), "--format", "obsidian.zip").exit_code == 0
    assert note.read_text() == mine
