"""Logging in and out, one's own account, and the one-use link that sets a password.

Flask's signed cookie holds the token of a session whose row is on the server:
ending the row kills every copy of the cookie. The cookie also says when its
holder was last seen, so that idling out costs no write in a GET.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from urllib.parse import unquote

from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    flash,
    redirect,
    render_template,
    request,
    url_for,
)
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_login import current_user, login_required

from cms.errors import CmsError, InvalidInput, TooManyAttempts
from cms.extensions import db, login
from cms.models import User
from cms.services import accounts, logins
from cms.web.errors import status_of, wants_data

# Where Flask-Login looks for what it hands to `load_user`: here, the session's token.
TOKEN = "_user_id"  # noqa: S105 (a key, not a secret)
# Seconds since the epoch, int: when the holder of the cookie was last seen …
SEEN = "seen"
# … to the minute, so that not every response has to set a cookie.
SEEN_STEP = 60

# What an open page asks by itself: whoever went away from it idles out all the same.
ASKED_UNATTENDED = frozenset({"desk_questions.presence"})

DESK = "/admin/"
LONGEST_NEXT = 2_000
# What a browser drops from, or reads as '/' in, an address: with these
# '/\evil.example' or '/<tab>/evil.example' would lead to another site.
_TREACHEROUS = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")

auth = Blueprint("auth", __name__)


def init_auth(app: Flask) -> None:
    """Install Flask-Login on the sessions of our own, and the pages of this file."""
    # Its context processor would load the user for every page, public ones and errors too.
    login.init_app(app, add_context_processor=False)
    # Ours is bound to a row that can be ended; binding it to an address logs phones out.
    login.session_protection = None
    app.register_blueprint(auth)


@login.user_loader
def load_user(token: str) -> User | None:
    """Return whose session this is; a page forgets a cookie that is dead or idled too long.

    What is sent may be answered after its person logged in anew in another window:
    that answer would take the new cookie away.
    """
    now = datetime.now(UTC)
    idle = now.timestamp() - cookie.get(SEEN, 0)
    user = None
    if idle <= current_app.config["SESSION_IDLE"].total_seconds():
        user = logins.session_user(db.session(), token, at=now)
    if user is None:
        if request.method in {"GET", "HEAD"}:
            cookie.clear()
    elif idle >= SEEN_STEP and request.endpoint not in ASKED_UNATTENDED:
        cookie[SEEN] = int(now.timestamp())
    return user


@login.unauthorized_handler
def ask_to_log_in() -> ResponseReturnValue:
    """Send a person to the log-in, and back to the page afterwards; refuse a program."""
    if wants_data():
        abort(401)
    back = None
    if request.method in {"GET", "HEAD"}:
        back = request.script_root + request.full_path.rstrip("?")
    return redirect(url_for("auth.log_in", next=back))


@auth.route("/login", methods=["GET", "POST"])
def log_in() -> ResponseReturnValue:
    """Ask for name and password; on success begin a session and go where one wanted to."""
    target = safe_next(request.values.get("next", ""))
    if current_user.is_authenticated:
        return redirect(target or DESK)
    if request.method != "POST":
        return render_template("auth/login.html", next=target)
    name, password = request.form.get("name", ""), request.form.get("password", "")
    now = datetime.now(UTC)
    try:
        attempt = _open_attempt(name, now)
        user = logins.authenticate(db.session(), attempt, password, at=now)
    except (InvalidInput, TooManyAttempts) as error:
        return _again("auth/login.html", error, next=target, name=name)
    _enter(user, now)
    return redirect(target or DESK)


@auth.route("/logout", methods=["POST"])
def log_out() -> ResponseReturnValue:
    """End the session; every copy of its cookie is dead."""
    _leave(datetime.now(UTC))
    db.session.commit()
    return redirect(url_for("auth.log_in"))


@auth.route("/account", methods=["GET", "POST"])
@login_required
def account() -> ResponseReturnValue:
    """Show one's own account; change the password by the current one."""
    if request.method != "POST":
        return render_template("auth/account.html", user=current_user)
    now = datetime.now(UTC)
    name = current_user.name
    try:
        password = _new_password()
        attempt = _open_attempt(name, now)
        user = accounts.change_password(
            db.session(), attempt, name, request.form.get("current", ""), password, at=now
        )
    except (InvalidInput, TooManyAttempts) as error:
        return _again("auth/account.html", error, user=current_user)
    _enter(user, now)
    flash("Your password is changed. You are logged out everywhere else.")
    return redirect(url_for("auth.account"))


@auth.route("/account/link/<token>", methods=["GET", "POST"])
def link(token: str) -> ResponseReturnValue:
    """Set a password by a one-use link. Looking at the page does not use the link up."""
    now = datetime.now(UTC)
    user = accounts.link_user(db.session(), token, at=now)
    if request.method != "POST":
        return render_template("auth/link.html", name=user.name)
    name = user.name
    try:
        accounts.redeem(db.session(), token, _new_password(), at=now)
    except (InvalidInput, TooManyAttempts) as error:
        return _again("auth/link.html", error, name=name)
    _leave(now)
    db.session.commit()
    flash(f"The password of {name} is set. Log in with it.")
    return redirect(url_for("auth.log_in"))


def safe_next(target: str) -> str | None:
    """Return `target` if it is a path of this site, else None.

    A redirect to wherever a link says would let a log-in page send people to
    a copy of itself elsewhere.
    """
    plain = unquote(target)
    if len(target) > LONGEST_NEXT or _TREACHEROUS.search(plain):
        return None
    return target if target.startswith("/") and not plain.startswith("//") else None


def _open_attempt(name: str, now: datetime) -> logins.Attempt:
    """Count an attempt and commit it, so that it stays counted whatever comes next."""
    attempt = logins.open_attempt(db.session(), name, request.remote_addr or "", at=now)
    db.session.commit()
    return attempt


def _new_password() -> str:
    """Return the new password of the form.

    :raises InvalidInput: when its repetition differs
    """
    password = request.form.get("new_password", "")
    if password != request.form.get("repeat", ""):
        raise InvalidInput("The two passwords differ. Type the same one twice.", field="repeat")
    return password


def _enter(user: User, now: datetime) -> None:
    """Begin a session in a cookie that keeps nothing of the one before, and commit."""
    _leave(now)
    lifetime = current_app.config["SESSION_LIFETIME"]
    cookie[TOKEN] = logins.start_session(db.session(), user, at=now, lifetime=lifetime)
    cookie[SEEN] = int(now.timestamp())
    db.session.commit()


def _leave(now: datetime) -> None:
    if (token := cookie.get(TOKEN)) is not None:
        logins.end_session(db.session(), token, at=now)
    cookie.clear()


def _again(template: str, error: CmsError, **values: object) -> ResponseReturnValue:
    """Return the form with what is wrong with it; nothing of it is kept."""
    db.session.rollback()
    headers = {"Retry-After": str(error.wait)} if isinstance(error, TooManyAttempts) else {}
    return render_template(template, error=error, **values), status_of(error), headers
