"""`init` and `user`: the first administrator, and everybody after. Takes and prints no password."""

from datetime import UTC, datetime

import click
import flask_migrate
from flask import current_app
from sqlalchemy import inspect

from cms.cli.output import print_table
from cms.errors import WrongState
from cms.extensions import db
from cms.models import User
from cms.services import accounts
from cms.vocabulary import Role

LOCAL_URL = "http://127.0.0.1:8000"


@click.command("init")
@click.option("--name", default="admin", show_default=True, help="The first admin's name.")
def init_command(name: str) -> None:
    """Make an empty bank and print a one-use link for its first admin."""
    if inspect(db.engine).has_table(User.__tablename__):
        _refuse_second_admin()
    flask_migrate.upgrade()
    _refuse_second_admin()
    user = accounts.add_user(db.session(), name, Role.admin, by=None, at=datetime.now(UTC))
    click.echo(f"The bank is ready. Its administrator is {user.name!r}.")
    _print_link(user)


def _refuse_second_admin() -> None:
    """Leave the first admin alone.

    :raises WrongState: when there is one
    """
    names = [user.name for user in accounts.active_admins(db.session())]
    db.session.rollback()
    if names:
        raise WrongState(
            f"This bank has an administrator already: {', '.join(names)}. "
            f"For a new link run `python manage.py user reset {names[0]}`."
        )


@click.group("user")
def user_group() -> None:
    """Accounts: add, list, disable, enable, reset."""


@user_group.command("add")
@click.argument("name")
@click.option(
    "--role",
    required=True,
    type=click.Choice([role.value for role in Role]),
    help="contributor drafts, editor publishes, admin also manages accounts.",
)
def add(name: str, role: str) -> None:
    """Make an account and print the one-use link by which its holder sets a password."""
    user = accounts.add_user(db.session(), name, Role(role), by=None, at=datetime.now(UTC))
    click.echo(f"Added {user.name!r}, {role}.")
    _print_link(user)


@user_group.command("list")
def list_() -> None:
    """List the accounts; times are in UTC."""
    rows = [
        (user.name, user.role.value, _state(user), _moment(user.last_login_at))
        for user in accounts.list_users(db.session())
    ]
    print_table(("name", "role", "state", "last log-in (UTC)"), rows)


@user_group.command("disable")
@click.argument("name")
def disable(name: str) -> None:
    """Close an account and log it out everywhere; its history stays."""
    user = accounts.find_user(db.session(), name)
    accounts.disable(db.session(), user, by=None, at=datetime.now(UTC))
    db.session.commit()
    click.echo(f"Disabled {user.name!r}.")


@user_group.command("enable")
@click.argument("name")
def enable(name: str) -> None:
    """Open a disabled account again."""
    user = accounts.find_user(db.session(), name)
    accounts.enable(db.session(), user, by=None, at=datetime.now(UTC))
    db.session.commit()
    click.echo(f"Enabled {user.name!r}.")


@user_group.command("reset")
@click.argument("name")
def reset(name: str) -> None:
    """Print a one-use link that sets a new password; the old one works until then."""
    _print_link(accounts.find_user(db.session(), name))


def _print_link(user: User) -> None:
    """Issue a link, commit and print it with the time at which it dies."""
    at = datetime.now(UTC)
    token = accounts.issue_link(db.session(), user, by=None, at=at)
    db.session.commit()
    base = current_app.config["BASE_URL"] or LOCAL_URL
    until = at + accounts.LINK_LIFETIME
    click.echo(f"This link sets the password, once, until {until:%Y-%m-%d %H:%M} UTC:")
    click.echo(f"{base}/account/link/{token}")


def _state(user: User) -> str:
    if user.disabled_at is not None:
        return f"disabled {_moment(user.disabled_at)}"
    return "active" if user.password_hash is not None else "no password yet"


def _moment(at: datetime | None) -> str:
    return "never" if at is None else f"{at:%Y-%m-%d %H:%M}"
