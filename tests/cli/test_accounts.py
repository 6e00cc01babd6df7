"""`init` and `user`: links, never passwords; one line for each mistake."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import flask_migrate
import pytest
from click.testing import Result
from flask import Flask
from flask.cli import FlaskGroup
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms import cli
from cms.extensions import db
from cms.models import AuditEvent, User
from cms.services import accounts, logins
from cms.vocabulary import Role
from tests.conftest import PASSWORD

Run = Callable[..., Result]

LINK = re.compile(r"^(?P<base>\S+)/account/link/(?P<token>[\w-]{43})$", re.MULTILINE)


def token_in(output: str) -> str:
    found = LINK.search(output)
    assert found, output
    return found["token"]


def users(app: Flask) -> dict[str, User]:
    with app.app_context():
        return {user.name: user for user in accounts.list_users(db.session())}


def has_failed(result: Result, message: str) -> bool:
    """Whether a command ended with exit 1, this one line on standard error, nothing else."""
    assert result.stdout == ""
    assert re.fullmatch(f"Error: {message}", result.stderr.strip()), result.stderr
    assert result.stderr.count("\n") == 1
    return result.exit_code == 1


# --- init -----------------------------------------------------------------------


def test_init_makes_a_bank_whose_admin_sets_a_password_by_the_link(app: Flask, run: Run) -> None:
    with app.app_context():
        flask_migrate.downgrade(revision="base")
    result = run("init")
    assert result.exit_code == 0, result.output
    assert "The bank is ready. Its administrator is 'admin'." in result.stdout
    with app.app_context():
        flask_migrate.check()
        session = db.session()
        now = datetime.now(UTC)
        user = accounts.redeem(session, token_in(result.stdout), PASSWORD, at=now)
        assert (user.name, user.role) == ("admin", Role.admin)


def test_init_lets_the_admin_be_named(app: Flask, run: Run) -> None:
    assert "'Ada Lovelace'" in run("init", "--name", "Ada  Lovelace").stdout
    assert users(app)["Ada Lovelace"].role == Role.admin


def test_init_refuses_a_second_first_admin(app: Flask, run: Run) -> None:
    run("init")
    message = (
        "This bank has an administrator already: admin. .* `python manage.py user reset admin`."
    )
    assert has_failed(run("init", "--name", "mallory"), message)
    assert list(users(app)) == ["admin"]


def test_init_with_a_bad_name_leaves_no_account(app: Flask, run: Run) -> None:
    assert has_failed(run("init", "--name", "x"), "An account's name has 2 to 64 characters.")
    assert users(app) == {}


# --- user -----------------------------------------------------------------------


@pytest.mark.parametrize("role", Role)
def test_user_add_prints_a_link_and_no_password(app: Flask, run: Run, role: Role) -> None:
    result = run("user", "add", "Bob", "--role", role.value)
    assert result.exit_code == 0, result.output
    assert f"Added 'Bob', {role.value}." in result.stdout
    until = datetime.now(UTC) + timedelta(minutes=15)
    assert f"once, until {until:%Y-%m-%d %H:}" in result.stdout
    assert " UTC:" in result.stdout
    with app.app_context():
        user = accounts.link_user(db.session(), token_in(result.stdout), at=datetime.now(UTC))
        assert (user.name, user.role, user.password_hash) == ("Bob", role, None)
        event = db.session.scalars(select(AuditEvent).order_by(AuditEvent.id)).first()
        assert event is not None
        assert (event.action, event.actor_id) == ("account.add", None)


@pytest.mark.parametrize(
    ("base_url", "shown"),
    [("", "http://127.0.0.1:8000"), ("https://bank.example.org", "https://bank.example.org")],
)
def test_a_link_begins_with_the_address_of_the_site(
    app: Flask, run: Run, base_url: str, shown: str
) -> None:
    app.config["BASE_URL"] = base_url
    found = LINK.search(run("user", "add", "Bob", "--role", "editor").stdout)
    assert found
    assert found["base"] == shown


def test_the_link_that_a_command_printed_opens_on_the_site(
    app: Flask, run: Run, client: FlaskClient
) -> None:
    token = token_in(run("user", "add", "Bob", "--role", "editor").stdout)
    assert "Set a password for Bob" in client.get(f"/account/link/{token}").text


def test_user_reset_prints_a_new_link_and_kills_the_old_one(app: Flask, run: Run) -> None:
    old = token_in(run("user", "add", "Bob", "--role", "editor").stdout)
    new = token_in(run("user", "reset", "bob").stdout)
    now = datetime.now(UTC)
    with app.app_context():
        assert accounts.link_user(db.session(), new, at=now).name == "Bob"
        assert old != new
        with pytest.raises(Exception, match="replaced by a newer one"):
            accounts.link_user(db.session(), old, at=now)


def test_user_disable_closes_the_account_and_enable_opens_it(app: Flask, run: Run) -> None:
    run("user", "add", "Bob", "--role", "editor")
    with app.app_context():
        user = accounts.find_user(db.session(), "Bob")
        token = logins.start_session(db.session(), user, at=datetime.now(UTC))
        db.session.commit()
    assert run("user", "disable", "BOB").stdout == "Disabled 'Bob'.\n"
    with app.app_context():
        assert logins.session_user(db.session(), token, at=datetime.now(UTC)) is None
    assert has_failed(
        run("user", "reset", "Bob"), "The account 'Bob' is disabled. Enable it first."
    )
    assert run("user", "enable", "Bob").stdout == "Enabled 'Bob'.\n"
    assert users(app)["Bob"].disabled_at is None


def test_user_list_shows_role_state_and_last_login_in_utc(
    app: Flask, run: Run, session: Session
) -> None:
    at = datetime(2026, 11, 22, 10, 7, tzinfo=UTC)
    ada = accounts.add_user(session, "Ada", Role.admin, by=None, at=at)
    ada.password_hash, ada.last_login_at = "set", at
    accounts.add_user(session, "bob", Role.contributor, by=None, at=at)
    cyd = accounts.add_user(session, "Cyd", Role.editor, by=None, at=at)
    accounts.disable(session, cyd, by=None, at=at)
    session.commit()
    assert run("user", "list").stdout.splitlines() == [
        "Ada\tadmin\tactive\t2026-11-22 10:07",
        "bob\tcontributor\tno password yet\tnever",
        "Cyd\teditor\tdisabled 2026-11-22 10:07\tnever",
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["disable", "Nobody"], "There is no account named 'Nobody'."),
        (["enable", "Nobody"], "There is no account named 'Nobody'."),
        (["reset", "Nobody"], "There is no account named 'Nobody'."),
        (["disable", "Ada"], "You cannot disable 'Ada': it is the last active administrator. .*"),
        (["enable", "Ada"], "The account 'Ada' is not disabled."),
        (["add", "ada", "--role", "editor"], "There is an account named 'Ada' already."),
        (["add", "", "--role", "editor"], "An account's name has 2 to 64 characters."),
    ],
)
def test_a_mistake_is_one_line_and_exit_1(
    app: Flask, run: Run, words: list[str], message: str
) -> None:
    run("user", "add", "Ada", "--role", "admin")
    assert has_failed(run("user", *words), message)
    assert list(users(app)) == ["Ada"]


@pytest.mark.parametrize(
    "words", [["add", "Bob"], ["add", "Bob", "--role", "king"], ["add", "--role", "editor"]]
)
def test_wrong_usage_is_exit_2_with_the_usage(app: Flask, run: Run, words: list[str]) -> None:
    result = run("user", *words)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage:")
    assert users(app) == {}


def test_no_account_command_takes_a_password() -> None:
    group, init = cli.found("user"), cli.found("init")
    commands = [init, *group.commands.values()]  # type: ignore[attr-defined]
    names = {parameter.name for command in commands for parameter in command.params}
    assert names == {"name", "role"}


def test_a_database_without_tables_is_one_line_that_says_what_to_run(app: Flask, run: Run) -> None:
    with app.app_context():
        flask_migrate.downgrade(revision="base")
    assert has_failed(
        run("user", "list"),
        "The database cannot be used: .*account.* run `python manage.py init` or "
        "`python manage.py db upgrade`.",
    )


def test_the_commands_run_from_the_program_too(app: Flask) -> None:
    """`manage.py` finds them through Flask's group, which loads the app itself."""
    from click.testing import CliRunner

    program = FlaskGroup(create_app=lambda: app)
    result = CliRunner().invoke(program, ["user", "disable", "Nobody"])
    assert has_failed(result, "There is no account named 'Nobody'.")
