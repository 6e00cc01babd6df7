"""The commands of `manage.py`. A person's mistake is one line on standard error, and exit 1."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import click
from flask import Flask
from flask.cli import with_appcontext
from sqlalchemy.exc import OperationalError, ProgrammingError

from cms.cli.accounts import init_command, user_group
from cms.cli.backups import backup_command, restore_command
from cms.cli.curation import publish_command, retire_command
from cms.cli.doctor import doctor_command
from cms.cli.exchange import export_command, import_command
from cms.cli.figures import stats_command
from cms.cli.freezing import freeze_command
from cms.cli.operations import demo_command, serve_command
from cms.cli.verifying import verify_command
from cms.cli.work import work_command
from cms.errors import CmsError
from cms.extensions import db
from cms.models.engine import database_words

COMMANDS: tuple[click.Command, ...] = (
    init_command,
    user_group,
    import_command,
    export_command,
    publish_command,
    retire_command,
    verify_command,
    freeze_command,
    stats_command,
    backup_command,
    restore_command,
    serve_command,
    demo_command,
    work_command,
)

# What is run when nothing else does: it has to start where the application cannot.
WITHOUT_APP: tuple[click.Command, ...] = (doctor_command,)


def init_commands(app: Flask) -> None:
    """Register every command on the app."""
    for command in COMMANDS:
        app.cli.add_command(for_people(command))


def for_people(command: click.Command) -> click.Command:
    """Return the command with the app's context, and with errors that a person can read."""
    command = copy.copy(command)
    if isinstance(command, click.Group):
        command.commands = {name: for_people(each) for name, each in command.commands.items()}
    elif command.callback is not None:
        command.callback = with_appcontext(_one_line_errors(command.callback))
    return command


def _one_line_errors(run: Callable[..., Any]) -> Callable[..., Any]:
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
