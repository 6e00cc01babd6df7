"""The commands of `manage.py`. A person's mistake is one line on standard error, and exit 1.

A command's module is imported when that command is asked for: what draws a table, migrates
a bank or serves it is none of the other commands' business, nor of the pages'.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import click
from flask import Flask
from flask.cli import AppGroup, FlaskGroup, with_appcontext

from cms import imported


class Line(NamedTuple):
    """A command in the list of all: the module and the name in it, and what it does in a few words.

    `in_app` is unset where a command does not want the application, or sees to it by itself.
    """

    module: str
    name: str
    help: str
    in_app: bool = True


COMMANDS: Mapping[str, Line] = {
    "init": Line(
        "cms.cli.accounts", "init_command", "Make an empty bank, and a link for its first admin."
    ),
    "user": Line("cms.cli.accounts", "user_group", "Accounts: add, list, disable, enable, reset."),
    "import": Line(
        "cms.cli.exchange", "import_command", "Bring files or folders into the working copy."
    ),
    "export": Line(
        "cms.cli.exchange", "export_command", "Write the bank, or a part of it, as a file."
    ),
    "publish": Line("cms.cli.curation", "publish_command", "Publish questions in one release."),
    "retire": Line(
        "cms.cli.curation", "retire_command", "Take questions off the shelf, in one release."
    ),
    "verify": Line(
        "cms.cli.verifying", "verify_command", "Run the code samples of published answers."
    ),
    "freeze": Line("cms.cli.freezing", "freeze_command", "Write the public site as static files."),
    "stats": Line("cms.cli.figures", "stats_command", "Count the bank."),
    "backup": Line(
        "cms.cli.backups", "backup_command", "Write a copy of the whole bank to a file."
    ),
    "restore": Line("cms.cli.backups", "restore_command", "Replace the whole bank by a backup."),
    "serve": Line("cms.cli.operations", "serve_command", "Serve the site, and do its jobs."),
    "demo": Line(
        "cms.cli.operations", "demo_command", "Make a bank of Flask questions, and serve it."
    ),
    "work": Line("cms.cli.work", "work_command", "Do the jobs of the bank."),
    "db": Line("flask_migrate.cli", "db", "Migrate the database.", in_app=False),
    # What is run when nothing else does: it has to start where the application cannot.
    "doctor": Line("cms.cli.doctor", "doctor_command", "Look the bank over.", in_app=False),
}


class Commands(AppGroup):
    """The group of an app's commands, each of which is imported when it is first asked for."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return sorted({*COMMANDS, *self.commands})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in self.commands or name not in COMMANDS:
            return super().get_command(ctx, name)
        self.add_command(command := found(name), name)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command does without importing them all."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name].help) for name in sorted(COMMANDS)])


class Program(Commands, FlaskGroup):
    """The same commands as a program of its own, which makes the app for those that want it."""


def init_commands(app: Flask) -> None:
    """Give the app every command."""
    app.cli = Commands(app.name)


def found(name: str) -> click.Command:
    """Return the command called `name`, imported by now."""
    line = COMMANDS[name]
    command: click.Command = getattr(imported(line.module), line.name)
    return for_people(command) if line.in_app else command


def for_people(command: click.Command) -> click.Command:
    """Return the command with the app's context, and with errors that a person can read."""
    command = copy.copy(command)
    if isinstance(command, click.Group):
        command.commands = {name: for_people(each) for name, each in command.commands.items()}
    elif command.callback is not None:
        command.callback = with_appcontext(_one_line_errors(command.callback))
    return command


def _one_line_errors(run: Callable[..., Any]) -> Callable[..., Any]:
    from sqlalchemy.exc import OperationalError, ProgrammingError

    from cms.errors import CmsError
    from cms.extensions import db
    from cms.models.engine import database_words

    @functools.wraps(run)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return run(*args, **kwargs)
        except CmsError as error:
            db.session.rollback()
            raise click.ClickException(str(error)) from error
        except (OperationalError, ProgrammingError) as error:
            raise click.ClickException(
                f"The database cannot be used: {database_words(error)}. "
                "If it is new or of an older version, "
                "run `python manage.py init` or `python manage.py db upgrade`."
            ) from error

    return guarded
