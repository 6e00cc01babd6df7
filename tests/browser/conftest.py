"""A real browser on a real server: the installed Chromium, and a bank on SQLite.

Chromium's headless shell is taken where it is installed: the same engine without the windows
of a desktop, whose drawing costs as much again as most of our pages do.

Every page that a test visits must leave the console without an error and the
content security policy unbroken: the fixtures that open pages check it.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from flask import Flask
from flask.sessions import SecureCookieSessionInterface
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.serving import make_server

from cms.extensions import db
from cms.models import User
from cms.services import logins
from cms.vocabulary import Role
from cms.web.auth import SEEN, TOKEN
from tests.conftest import add_person, dispose, new_app

CHROMIUMS = ("chromium-headless-shell", "chromium", "chromium-browser")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # No page of ours lives long enough to earn back what the optimising compiler costs.
    "--js-flags=--no-opt",
]
# A desk's screen and a phone: what axe looks at.
WIDTHS = (1400, 390)
HEIGHT = 900
SERIOUS = {"serious", "critical"}
_REPORT_VIOLATIONS = """
document.addEventListener('securitypolicyviolation', (event) =>
  console.error(`CSP: ${event.effectiveDirective} ${event.blockedURI}`));
"""
# What axe found leaves the page as three texts an element: the whole report takes longer to carry.
_RUN_AXE = """
(rules) => axe.run({
  ...(rules.length && { runOnly: rules }), resultTypes: ['violations'], selectors: false,
}).then(({ violations }) => violations.flatMap(({ id, impact, nodes }) =>
  nodes.map(({ html }) => ({ rule: id, impact, html: html.slice(0, 160) }))))
"""


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The installed Chromium."""
    path = next(filter(None, map(shutil.which, CHROMIUMS)), None)
    if path is None:
        pytest.skip("no Chromium: install it (`apt-get install chromium`) to run browser tests")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Site:
    """A running server. `session` is for setting up: end each of its transactions."""

    app: Flask
    url: str
    session: Session
    people: dict[str, User] = field(default_factory=dict)


PEOPLE = {
    "Edith": Role.editor,
    "Emil": Role.editor,
    "Conrad": Role.contributor,
    "Ada": Role.admin,
}


@pytest.fixture(scope="session")
def peopled_template(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated bank with an account of each of `PEOPLE`: their passwords cost time to hash."""
    path = tmp_path_factory.mktemp("peopled") / "bank.db"
    shutil.copy(sqlite_template, path)
    app = new_app(f"sqlite:///{path}")
    with app.app_context(), Session(db.engine) as session:
        for name, role in PEOPLE.items():
            add_person(session, name, role)
    dispose(app)
    return path


@pytest.fixture
def site(peopled_template: Path, tmp_path: Path) -> Iterator[Site]:
    """The site on a free port of the loopback, with an editor, a second one and a contributor."""
    path = tmp_path / "bank.db"
    shutil.copy(peopled_template, path)
    app = new_app(f"sqlite:///{path}")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    with app.app_context():
        engine = db.engine
    with Session(engine, expire_on_commit=False) as session:
        people = {user.name: user for user in session.scalars(select(User))}
        session.commit()
        yield Site(app, f"http://127.0.0.1:{server.server_port}", session, people)
    server.shutdown()
    thread.join()
    server.server_close()
    dispose(app)


Open = Callable[..., Page]


@pytest.fixture
def open_page(site: Site, browser: Browser) -> Iterator[Open]:
    """Return the empty page of a new browser window, logged in if a name is given.

    `open_page("Edith", scheme="dark", width=390)`; `scripts=False` switches JavaScript off, and
    `policy=False` the Content-Security-Policy. At the end no window with a policy may have seen an
    error in its console, and none at all one of a script.
    """
    contexts: list[BrowserContext] = []
    errors: list[str] = []

    def open_(
        name: str | None = None,
        *,
        scheme: str = "light",
        width: int = 1400,
        scripts: bool = True,
        policy: bool = True,
    ) -> Page:
        context = browser.new_context(
            base_url=site.url,
            viewport={"width": width, "height": HEIGHT},
            color_scheme=scheme,  # type: ignore[arg-type]
            java_script_enabled=scripts,
            bypass_csp=not policy,
        )
        contexts.append(context)
        context.add_init_script(_REPORT_VIOLATIONS)
        context.set_default_timeout(10_000)
        page = context.new_page()
        if policy:
            page.on(
                "console",
                lambda message: (
                    errors.append(f"{page.url}: {message.text}")
                    if message.type in {"error", "warning"}
                    else None
                ),
            )
        page.on("pageerror", lambda error: errors.append(f"{page.url}: {error}"))
        if name is not None:
            context.add_cookies([_log_in(site, name)])
        return page

    yield open_
    for context in contexts:
        context.close()
    assert errors == []


def _log_in(site: Site, name: str) -> Any:
    """Return the cookie of a new log-in, without the price of a password."""
    now = datetime.now(UTC)
    with Session(site.session.get_bind()) as session:
        user = session.scalars(select(User).where(User.name == name)).one()
        token = logins.start_session(session, user, at=now)
        session.commit()
    serializer = SecureCookieSessionInterface().get_signing_serializer(site.app)
    assert serializer is not None
    value = serializer.dumps({TOKEN: token, SEEN: int(now.timestamp())})
    return {"name": "session", "value": str(value), "url": site.url}


def resize(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": HEIGHT})


def open_about(page: Page) -> None:
    """Open what stands beside a question's text: a narrow window folds it."""
    jump = page.get_by_role("link", name="About it")
    if jump.is_visible():
        jump.focus()
        page.keyboard.press("Enter")


@dataclass(frozen=True)
class Fault:
    """An element that breaks a rule of axe."""

    rule: str
    impact: str
    html: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.html}"


def axe_faults(page: Page, *rules: str) -> list[Fault]:
    """What axe finds on a page by these rules, or by all that it has."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE_SCRIPT)
    return [Fault(**each) for each in page.evaluate(_RUN_AXE, list(rules))]


def faint_in_the_dark(page: Page) -> list[Fault]:
    """What is too faint in the dark, of a page that axe has just looked at in the light.

    The scheme changes nothing but colors, so nothing else is looked at again.
    """
    if not page.evaluate("matchMedia('(prefers-color-scheme: light)').matches"):
        return []
    page.emulate_media(color_scheme="dark")
    found = axe_faults(page, "color-contrast")
    page.emulate_media(color_scheme="light")
    return found


def faults_of(page: Page) -> list[str]:
    """What axe finds serious or critical on a page, and whether it scrolls sideways.

    A page that is open in the light is looked at in the dark, too.
    """
    found = [str(fault) for fault in axe_faults(page) if fault.impact in SERIOUS]
    found += [f"in the dark: {fault}" for fault in faint_in_the_dark(page)]
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    return found + ([f"scrolls sideways by {wide} px"] if wide > 0 else [])
