"""`import` and `export` as a person uses them: messages, files, exit statuses."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import func, select

from cms.extensions import db
from cms.models import ImportWarning, Question
from tests.cli.conftest import Run
from tests.conftest import ROOT, SHARED_SEED

SAMPLE = ROOT / "fixtures" / "samples" / "damaged-article.txt"
TOTALS = "{} create, {} update, {} unchanged, {} conflict, 0 duplicate, {} error"


@pytest.fixture
def seed() -> Path:
    """The scraped article that began it all."""
    found = sorted(SHARED_SEED.glob("*.txt"))
    if not found:
        pytest.skip("the scraped article is not at hand: put it in ../shared/seed")
    return found[0]


def questions(app: Flask) -> list[Question]:
    with app.app_context():
        return list(db.session.scalars(select(Question).order_by(Question.id)))


def test_the_scraped_article_becomes_forty_drafts_in_order(
    app: Flask, run: Run, seed: Path
) -> None:
    result = run("import", str(seed))
    assert result.exit_code == 0, result.output
    assert f"40 questions: {TOTALS.format(40, 0, 0, 0, 0)}" in result.output
    titles = [
        re.sub(r"^Q\s?\d+[.:]\s*", "", line).strip()
        for line in seed.read_text().splitlines()
        if re.match(r"Q\s?\d+[.:]", line)
    ]
    assert [q.stem.replace("`", "") for q in questions(app)] == titles
    assert len(titles) == 40


def test_publishing_the_scraped_article_needs_its_warnings_acknowledged(
    app: Flask, run: Run, seed: Path
) -> None:
    run("import", str(seed))
    refused = run("publish", "--all")
    assert refused.exit_code == 1
    assert "Mend or acknowledge them." in refused.stderr
    assert run("publish", "--all", "--force").exit_code == 0
    with app.app_context():
        published = db.session.scalars(select(Question.published_number)).all()
        assert published == [1] * 40
        waiting = select(func.count()).where(ImportWarning.acknowledged_at.is_(None))
        assert db.session.scalar(waiting) == 0


def test_the_damaged_sample_becomes_drafts_with_warnings_and_a_report(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    result = run("import", str(SAMPLE), "--report", str(report))
    assert result.exit_code == 0, result.output
    assert "note: " in result.output
    [file] = json.loads(report.read_text())
    assert file["format"] == "article"
    assert file["totals"]["create"] == len(file["rows"]) == len(questions(app))
    assert any(row["warnings"] for row in file["rows"])


def test_a_dry_run_writes_nothing(app: Flask, run: Run) -> None:
    result = run("import", str(SAMPLE), "--dry-run")
    assert result.exit_code == 0
    assert "nothing was written" in result.output
    assert questions(app) == []


def test_the_curated_bank_is_imported_published_and_unchanged_the_second_time(
    app: Flask, run: Run
) -> None:
    folder = str(ROOT / "fixtures" / "flask")
    first = run("import", folder, "--publish")
    assert first.exit_code == 0, first.output
    assert "as release 1" in first.output
    second = run("import", folder, "--publish")
    assert second.exit_code == 0
    count = len(questions(app))
    assert TOTALS.format(0, 0, count, 0, 0) in second.output
    assert "as release" not in second.output


def test_a_failed_row_keeps_everything_out_unless_good_ones_are_asked_for(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "mixed.csv"
    path.write_text("stem,answer\nGood?,Yes.\n,No stem.\n")
    result = run("import", str(path))
    assert result.exit_code == 1
    assert "line 3" in result.output
    assert "Nothing was written" in result.stderr
    assert questions(app) == []
    result = run("import", str(path), "--keep-good")
    assert result.exit_code == 1
    assert [q.stem for q in questions(app)] == ["Good?"]


def test_a_conflict_is_reported_and_the_other_rows_are_written(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    start = tmp_path / "start.csv"
    start.write_text("stem,answer\nOne?,A.\nTwo?,B.\n")
    run("import", str(start), "--publish")
    bank = tmp_path / "bank.csv"
    assert run("export", "-o", str(bank)).exit_code == 0
    edited = bank.read_text().replace("A.", "A from the file.").replace("B.", "B from the file.")
    desk = tmp_path / "desk.csv"
    desk.write_text(bank.read_text().replace("A.", "A from the desk."))
    assert run("import", str(desk)).exit_code == 0
    bank.write_text(edited)
    result = run("import", str(bank))
    assert result.exit_code == 3
    assert TOTALS.format(0, 1, 0, 1, 0) in result.output
    with app.app_context():
        bodies = [q.answers[0].body for q in db.session.scalars(select(Question))]
    assert bodies == ["A from the desk.", "B from the file."]


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("bank.json", b"\xff\xfe\xfd\x00", "bank.json"),
        ("bank.csv", b"stem,answer\nCaf\xe9?,Yes.\n", "UTF-8"),
        ("bank.json", b"[" * 100_000, "bank.json"),
        ("notes.txt", b"Nothing to see here.", "none of the known formats"),
        ("empty.csv", b"", "empty.csv"),
        ("other.csv", b"colour,size\nred,2\n", "stem"),
    ],
)
def test_an_unreadable_file_is_one_clear_line(
    app: Flask, run: Run, tmp_path: Path, name: str, data: bytes, problem: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    result = run("import", str(path))
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert problem in result.stderr
    assert "Traceback" not in result.output
    assert questions(app) == []


def test_a_file_with_a_byte_order_mark_or_in_utf_16_is_read(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    for number, encoding in enumerate(("utf-8-sig", "utf-16")):
        path = tmp_path / f"{number}.csv"
        path.write_text(f"stem,answer\nWhat is Größe {number}?,Size.\n", encoding=encoding)
        assert run("import", str(path)).exit_code == 0
    assert [q.stem for q in questions(app)] == ["What is Größe 0?", "What is Größe 1?"]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("-o", "bank.what"), "Add --format"),
        (("--format", "json", "--raw"), "no option --raw"),
        (("--tag", "nope"), "No published question has the tag"),
        (("--since", "9"), "a release from 0 to 0"),
        (("-o", "no/such/folder/bank.json"), "cannot be written"),
    ],
)
def test_an_export_that_cannot_be_says_what_to_do(
    run: Run, words: tuple[str, ...], problem: str
) -> None:
    result = run("export", *words)
    assert result.exit_code == 1
    assert problem in result.stderr


def test_what_a_search_finds_is_exported_and_drafts_are_searched_too(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "bank.csv"
    path.write_text("stem,answer\nWhat is a cookie?,Text.\nWhat is a view?,Code.\n")
    assert run("import", str(path), "--publish").exit_code == 0
    path.write_text("stem,answer\nWhere do cookies live?,In the browser.\n")
    assert run("import", str(path)).exit_code == 0

    def found(*words: str) -> list[str]:
        document = json.loads(run("export", "--search", "cookie", *words).stdout)
        return [question["stem"] for question in document["questions"]]

    assert found() == ["What is a cookie?"]
    assert found("--drafts") == ["What is a cookie?", "Where do cookies live?"]


def test_an_exported_file_is_as_open_as_any_new_file(run: Run, tmp_path: Path) -> None:
    (plain := tmp_path / "plain").touch()
    exported = tmp_path / "bank.json"
    assert run("export", "-o", str(exported)).exit_code == 0
    assert exported.stat().st_mode == plain.stat().st_mode


def test_a_bank_goes_through_a_real_spreadsheet_unchanged_and_edited(
    app: Flask, run: Run, tmp_path: Path, seed: Path
) -> None:
    office = shutil.which("soffice")
    if office is None:
        pytest.skip("LibreOffice is not installed: apt-get install libreoffice-calc-nogui")
    run("import", str(seed), "--publish", "--force")
    bank = tmp_path / "bank.csv"
    run("export", "-o", str(bank))
    saved = through_libreoffice(office, bank, tmp_path)
    result = run("import", str(saved))
    assert TOTALS.format(0, 0, 40, 0, 0) in result.output, result.output
    with saved.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows[3:6]:
        row["answer"] += "\n\nEdited in a spreadsheet."
    with saved.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    edited = through_libreoffice(office, saved, tmp_path)
    result = run("import", str(edited))
    assert result.exit_code == 0, result.output
    assert TOTALS.format(0, 3, 37, 0, 0) in result.output


def through_libreoffice(office: str, path: Path, folder: Path) -> Path:
    """Open a CSV in LibreOffice, save it as a spreadsheet, and that as CSV again."""
    profile = f"-env:UserInstallation=file://{folder / 'office'}"
    csv_filter = "44,34,76,1,,0,false,true,false"
    out = folder / f"through-{path.stem}"
    for source, target in (
        (path, "ods"),
        (out / f"{path.stem}.ods", f"csv:Text - txt - csv (StarCalc):{csv_filter}"),
    ):
        command = [office, profile, "--headless", "--infilter=CSV:44,34,76,1"]
        command += ["--convert-to", target, "--outdir", str(out), str(source)]
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            timeout=180,
        )
    return out / f"{path.stem}.csv"


def test_a_deck_is_exported_alone(app: Flask, run: Run, tmp_path: Path) -> None:
    bank = ROOT / "fixtures" / "flask"
    assert run("import", str(bank), "--publish").exit_code == 0
    target = tmp_path / "deck.json"
    result = run("export", "-o", str(target), "--deck", "contexts-and-sessions")
    assert result.exit_code == 0, result.output
    document = json.loads(target.read_text())
    assert [deck["slug"] for deck in document["decks"]] == ["contexts-and-sessions"]
    assert [question["uid"] for question in document["questions"]] == (
        document["decks"][0]["questions"]
    )
    unknown = run("export", "-o", str(target), "--deck", "nope")
    assert unknown.exit_code == 1
    assert "There is no deck 'nope'." in unknown.stderr


def test_a_table_is_read_by_what_its_columns_are_said_to_mean(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    table = tmp_path / "words.txt"
    table.write_text("What is a?\tA.\tx\nWhat is b?\tB.\ty\n")
    refused = run("import", str(table))
    assert refused.exit_code == 1
    assert "such as 1=stem,2=answer,3=ignore" in refused.stderr
    done = run("import", str(table), "--columns", "1=stem,2=answer,3=tag")
    assert done.exit_code == 0, done.output
    assert "note: Columns were read so: ‘column 1’ as the question" in done.output
    assert [question.stem for question in questions(app)] == ["What is a?", "What is b?"]
    for words, said in (
        (("--columns", "Front=stem"), "The table has no column 'Front'"),
        (("--columns", "1"), "'1' does not say what a column means"),
        (("--columns", "1=stem", "--format", "json"), "--columns is for tables"),
    ):
        wrong = run("import", str(table), *words)
        assert wrong.exit_code == 1
        assert said in wrong.stderr


def test_an_import_of_too_many_questions_is_refused_before_anything_is_written(
    app: Flask, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cms.services.imports.importing.ROWS_LIMIT", 3)
    table = tmp_path / "many.csv"
    table.write_text("stem,answer\n" + "".join(f"Number {n}?,Yes.\n" for n in range(5)))
    refused = run("import", str(table))
    assert refused.exit_code == 1
    assert "many.csv, line 5: It has more than 3 questions" in refused.stderr
    assert questions(app) == []


def test_an_anki_package_of_the_bank_comes_home_unchanged(run: Run, tmp_path: Path) -> None:
    bank = ROOT / "fixtures" / "flask"
    assert run("import", str(bank), "--publish").exit_code == 0
    first, second = tmp_path / "first", tmp_path / "second.apkg"
    assert run("export", "-o", str(first), "--format", "apkg").exit_code == 0
    assert run("export", "-o", str(second)).exit_code == 0
    assert first.read_bytes() == second.read_bytes()
    result = run("import", str(second))
    assert result.exit_code == 0, result.output
    assert "0 create, 0 update, 40 unchanged, 0 conflict, 0 duplicate, 0 error" in result.output
