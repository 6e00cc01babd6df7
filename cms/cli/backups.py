"""`backup` and `restore`: the whole bank as one file, and back."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import click
from sqlalchemy import inspect

from cms.cli.migrations import migrations, require_head
from cms.errors import InvalidInput
from cms.extensions import db
from cms.models.engine import reading, writing
from cms.services.backups.backing_up import Written, back_up
from cms.services.backups.checking import (
    Backup,
    BankFacts,
    checked,
    facts_of,
    is_bank_itself,
)
from cms.services.backups.restoring import Restored, restore


@click.command("backup")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite FILE if it is there.")
def backup_command(file: Path, force: bool) -> None:
    """Write a copy of the whole bank to FILE, an SQLite file, while the site runs."""
    _say_written(*_timed(file, force=force))


def _timed(file: Path, *, force: bool = False) -> tuple[Path, Written, float]:
    began = time.monotonic()
    written = back_up(db.engine, file, migrations(), replace=force)
    return file, written, time.monotonic() - began


def _say_written(file: Path, written: Written, seconds: float) -> None:
    click.echo(
        f"Wrote {file}: {_words(written.facts)}; {written.size:,} bytes in {seconds:.1f} seconds."
    )


@click.command("restore")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--safety-copy",
    type=click.Path(path_type=Path),
    help="Where to keep what is replaced; beside FILE unless told.",
)
@click.option("--no-safety-copy", is_flag=True, help="Do not keep what is replaced.")
def restore_command(file: Path, yes: bool, safety_copy: Path | None, no_safety_copy: bool) -> None:
    """Replace the whole bank by the backup in FILE, after checking it; servers may run."""
    if safety_copy is not None and no_safety_copy:
        raise InvalidInput("--safety-copy and --no-safety-copy exclude each other: choose one.")
    at = datetime.now(UTC)
    copy = None if no_safety_copy else safety_copy or _beside(file, at)
    if is_bank_itself(db.engine, file):
        raise InvalidInput(f"{file} is the bank itself. Name a backup of it.", field="file")
    if copy is not None and copy.exists():
        raise InvalidInput(f"{copy} is there already. Name another file by --safety-copy.")
    with checked(file, migrations()) as backup:
        with reading():
            _make_tables()
            require_head()
            with db.engine.connect() as connection:
                now = facts_of(connection)
        if now.is_empty:
            copy = None
        elif not yes:
            _ask(backup, now, copy)

        def keep() -> None:
            if copy is not None:
                _say_written(*_timed(copy))

        _say_restored(restore(db.engine, backup, at=at, keep=keep), backup)


def _beside(file: Path, at: datetime) -> Path:
    return file.with_name(f"{file.name}.before-{at:%Y%m%dT%H%M%SZ}")


def _make_tables() -> None:
    """Make a bank where there is nothing at all."""
    if not inspect(db.engine).get_table_names():
        history = migrations()
        with writing():
            history.upgrade(db.engine, history.head)


def _ask(backup: Backup, now: BankFacts, copy: Path | None) -> None:
    """Say what will happen, and go on if somebody agrees, or nothing is lost by it.

    :raises InvalidInput: when nobody can answer, and what is there would not be kept
    """
    where = db.engine.url.render_as_string(hide_password=True)
    release = max(now.release, backup.facts.release) + 1
    click.echo(f"The bank at {where}:")
    click.echo(f"  {_words(now)}; last changed {_moment(now.changed_at)}")
    click.echo(f"is replaced as a whole by {backup.file}:")
    click.echo(f"  {_words(backup.facts)}; last changed {_moment(backup.facts.changed_at)}")
    click.echo("Accounts and passwords become those of the backup. Everybody is logged out.")
    if now.release:
        click.echo(f"Readers get release {release}, in which every question counts as changed.")
    if copy is None:
        click.echo("What is there now is NOT kept.")
    else:
        click.echo(f"What is there now is kept in {copy} first.")
    if _is_terminal():
        click.confirm("Replace it?", abort=True)
    elif copy is None:
        raise InvalidInput(
            "Nothing was changed: there is no terminal to ask for a yes. Give --yes, "
            "or let what is there be kept."
        )


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _say_restored(restored: Restored, backup: Backup) -> None:
    click.echo(
        f"Restored {backup.file}: {_words(backup.facts)}. The bank is at release "
        f"{restored.release}. Everybody has to log in again, with the passwords of the backup."
    )
    for uid, stem in restored.purged_again:
        click.echo(
            f"warning: {uid} had been purged since and is back: {stem!r}. Purge it again.", err=True
        )


def _words(facts: BankFacts) -> str:
    questions = f"{facts.questions:,} question{'' if facts.questions == 1 else 's'}"
    if not facts.release:
        return f"{questions}, nothing published"
    return f"{questions}, release {facts.release} of {_moment(facts.released_at)}"


def _moment(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M} UTC"
