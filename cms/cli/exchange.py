"""`import` and `export`: the bank's doors for files."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from flask import current_app
from rich.console import Console
from rich.progress import Progress
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.cli.folders import folder_target, packed_folder
from cms.cli.output import print_refused, print_table
from cms.errors import InvalidInput
from cms.extensions import db, read_engine
from cms.formats import FORMATS, Format, by_extension, by_name, detect
from cms.formats.columns import mapping_of
from cms.formats.csv import CSV
from cms.formats.incoming import Upload
from cms.formats.table import TABLE, mapped
from cms.freezing.leftovers import beside, held, remove_left
from cms.models import Question
from cms.models.engine import reading
from cms.services.draftexports import export_drafts
from cms.services.exporting import Head, Selection, Stream, export_shelf
from cms.services.imports.importing import apply, plan_file
from cms.services.imports.planning import Plan
from cms.services.publishing import Published, publish
from cms.vocabulary import Difficulty, RowAction

CONFLICTS = 3
"""The exit status of an import that left rows in conflict as they are."""

READABLE = [name for name, each in FORMATS.items() if each.read]
WRITABLE = [name for name, each in FORMATS.items() if each.write]


@dataclass(slots=True)
class Incoming:
    """A file on its way in."""

    upload: Upload
    format: Format
    plan: Plan


@click.command("import")
@click.argument(
    "paths", nargs=-1, required=True, type=click.Path(exists=True, readable=True, path_type=Path)
)
@click.option("--format", "name", type=click.Choice(READABLE), help="Do not detect the format.")
@click.option(
    "--columns",
    "columns",
    help="What the columns of a table mean: Frage=stem,Antwort=answer; by number without a header.",
)
@click.option("--dry-run", is_flag=True, help="Show what would happen; write nothing.")
@click.option("--duplicates", is_flag=True, help="Create likely duplicates, too.")
@click.option("--keep-good", is_flag=True, help="Write the good rows even if others failed.")
@click.option("--publish", "publishing", is_flag=True, help="Publish what was written.")
@click.option("--force", is_flag=True, help="With --publish: acknowledge import warnings.")
@click.option("--report", type=click.Path(dir_okay=False, path_type=Path), help="A JSON file.")
def import_command(
    paths: Sequence[Path],
    name: str | None,
    columns: str | None,
    dry_run: bool,
    duplicates: bool,
    keep_good: bool,
    publishing: bool,
    force: bool,
    report: Path | None,
) -> None:
    """Bring files or folders into the working copy.

    Prints a line for each question that is not simply new, and totals. Exits
    with 1 if a row failed (then nothing was written, unless --keep-good) and
    with 3 if rows are in conflict (those stay as they are, the others are written).
    """
    files = [_incoming(upload, name, columns) for path in paths for upload in _uploads(path, name)]
    if duplicates:
        for row in (row for file in files for row in file.plan.rows):
            row.chosen |= row.action == RowAction.duplicate
    failed = any(file.plan.totals()[RowAction.error] for file in files)
    published = Published()
    write = not dry_run and (keep_good or not failed)
    if write:
        at = datetime.now(UTC)
        written: list[int] = []
        for file in files:
            done = apply(db.session(), file.plan, file.upload, file.format, by=None, at=at)
            written += done.questions
        failed = any(file.plan.totals()[RowAction.error] for file in files)
        if failed and not keep_good:
            db.session.rollback()
            write = False
        elif publishing and written:
            published = publish(db.session(), _questions(written), by=None, at=at, force=force)
        db.session.commit()
    for file in files:
        _print_plan(file, several=len(files) > 1)
    if any(file.plan.totals()[RowAction.duplicate] for file in files) and not duplicates:
        click.echo("Likely duplicates were left out. Add --duplicates to create them all the same.")
    _print_outcome(dry_run=dry_run, written=write)
    if published.release is not None:
        click.echo(
            f"Published {len(published.published)} questions as release {published.release}."
        )
    print_refused(published.refused)
    if report is not None:
        report.write_text(json.dumps([_report(file) for file in files], indent=2) + "\n")
    if failed or published.refused:
        sys.exit(1)
    if any(file.plan.totals()[RowAction.conflict] for file in files):
        sys.exit(CONFLICTS)


def _uploads(path: Path, name: str | None) -> list[Upload]:
    """Return a file, or what a folder holds: banks kept as folders, then files of other formats."""
    if not path.is_dir():
        return [Upload(path.name, path.read_bytes())]
    banks: list[Upload] = []
    for format in FORMATS.values():
        if format.read and format.folder is not None and name in {None, format.name}:
            bank = packed_folder(path, format.folder)
            if bank is not None and (name or format.detect(bank)):
                banks.append(bank)
    if name and banks:
        return banks
    files = [each for each in sorted(path.iterdir()) if by_extension(each.name) and each.is_file()]
    if not banks and not files:
        endings = ", ".join(each.endings[0] for each in FORMATS.values() if each.read)
        raise InvalidInput(
            f"The folder {path} holds no question in Markdown and no file that ends in {endings}."
        )
    return banks + [Upload(each.name, each.read_bytes()) for each in files]


def _incoming(upload: Upload, name: str | None, columns: str | None) -> Incoming:
    if columns is not None:
        if name not in {None, CSV.name, TABLE.name}:
            raise InvalidInput(f"--columns is for tables, '{name}' has none.", field="columns")
        format = mapped(mapping_of(columns))
    else:
        format = by_name(name) if name else detect(upload)
    with reading(), Session(db.engine) as session:
        return Incoming(upload, format, plan_file(session, upload, format))


def _questions(ids: Sequence[int]) -> list[Question]:
    found: list[Question] = []
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        found += db.session.scalars(select(Question).where(Question.id.in_(some)))
    return found


def _print_plan(file: Incoming, *, several: bool) -> None:
    if several:
        click.echo(f"{file.upload.name} ({file.format.name})")
    for note in file.plan.notes:
        click.echo(f"note: {note}")
    rows = [
        (row.action.value, row.place, row.stem, line)
        for row in file.plan.rows
        if row.action != RowAction.create or row.damages
        for line in _messages(row.message, [damage.message for damage in row.damages])
    ]
    if rows:
        print_table(("action", "place", "question", "message"), rows)
    totals = (f"{count} {action.value}" for action, count in file.plan.totals().items())
    click.echo(f"{len(file.plan.rows)} questions: {', '.join(totals)}")


def _messages(message: str, warnings: list[str]) -> list[str]:
    return [message or ("" if not warnings else warnings[0]), *warnings[0 if message else 1 :]]


def _print_outcome(*, dry_run: bool, written: bool) -> None:
    if dry_run:
        click.echo("A dry run: nothing was written.")
    elif not written:
        click.echo(
            "Nothing was written, because rows failed. Mend them, or add --keep-good "
            "to write the others.",
            err=True,
        )


def _report(file: Incoming) -> dict[str, Any]:
    return {
        "file": file.upload.name,
        "format": file.format.name,
        "totals": {action.value: count for action, count in file.plan.totals().items()},
        "notes": file.plan.notes,
        "rows": [
            {
                "place": row.place,
                "action": row.action.value,
                "stem": row.stem,
                "message": row.message,
                "warnings": [
                    {"kind": d.kind, "message": d.message, "passage": d.passage}
                    for d in row.damages
                ],
            }
            for row in file.plan.rows
        ],
    }


@click.command("export")
@click.option("-o", "--output", default="-", help="A file or folder; '-' is standard output.")
@click.option("--format", "name", type=click.Choice(WRITABLE), help="Default: by the file's name.")
@click.option("--deck", help="Only the questions of the deck with this slug, in its order.")
@click.option("--tag", "tags", multiple=True, help="Only with this tag, or one below it.")
@click.option("--difficulty", type=click.Choice([d.value for d in Difficulty]))
@click.option("--search", default="", help="Only what has all of these words.")
@click.option("--since", type=int, help="Only what changed after this release.")
@click.option("--drafts", is_flag=True, help="The working copy instead of what is published.")
@click.option("--raw", is_flag=True, help="csv: do not make formulas inert.")
@click.option("--bom", is_flag=True, help="csv: begin with a byte order mark, for Excel.")
def export_command(
    output: str,
    name: str | None,
    deck: str | None,
    tags: tuple[str, ...],
    difficulty: str | None,
    search: str,
    since: int | None,
    drafts: bool,
    raw: bool,
    bom: bool,
) -> None:
    """Write the published bank, or its working copy, to a file.

    Markdown becomes a folder, unless the name ends in .zip. In a folder that is
    there, only what an earlier export wrote is replaced or deleted.
    """
    format = _written_format(output, name)
    level = Difficulty(difficulty) if difficulty else None
    selection = Selection(tags, level, since, deck=deck, query=search)
    options = {word: True for word, on in (("raw", raw), ("bom", bom)) if on}
    unknown = options.keys() - format.options.keys()
    if unknown:
        raise InvalidInput(f"'{format.name}' has no option --{min(unknown)}.", field="format")
    config = current_app.config
    head = Head(config["SITE_NAME"], config["BASE_URL"])
    export = export_drafts if drafts else export_shelf
    with (
        Session(read_engine()) as session,
        Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress,
    ):
        task = progress.add_task("Exporting", total=None)
        stream = export(
            session, format, selection, head, options, tick=lambda: progress.advance(task)
        )
        progress.update(task, total=stream.total)
        with _target(output, format) as write:
            for chunk in stream.chunks:
                write(chunk)
    _say(output, stream)


def _written_format(output: str, name: str | None) -> Format:
    if name is not None:
        return by_name(name)
    if output == "-":
        return FORMATS["json"]
    if output.endswith("/") or Path(output).is_dir():
        return next(each for each in FORMATS.values() if each.folder and each.write)
    found = by_extension(Path(output).name)
    if found is None or found.write is None:
        raise InvalidInput(
            f"The name {output} does not say which format to write. "
            f"Add --format with one of {', '.join(WRITABLE)}."
        )
    return found


@contextmanager
def _target(output: str, format: Format) -> Iterator[Callable[[bytes], object]]:
    """Yield a function that takes bytes; a file appears whole or not at all."""
    if output == "-":
        yield sys.stdout.buffer.write
        sys.stdout.buffer.flush()
        return
    path = Path(output)
    if format.folder is not None and path.suffix != ".zip":
        with folder_target(path.resolve(), format.folder) as write:
            yield write
        return
    if path.is_dir():
        raise InvalidInput(f"{output} is a folder. Name a file in it to write {format.name}.")
    remove_left(path)
    temporary = beside(path)
    try:
        file = temporary.open("xb")
    except OSError as error:
        raise InvalidInput(f"{output} cannot be written: {error.strerror}.") from error
    try:
        with file, held(temporary):
            yield file.write
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _say(output: str, stream: Stream) -> None:
    if output != "-":
        click.echo(f"{output}: {stream.total} questions, release {stream.release}", err=True)
