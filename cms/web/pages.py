"""What every template has: the site's name, addresses of static files, dates in words.

The build is a short hash of the code, the templates, the static files and the
settings that show on pages. It stands in every public ETag, because a new
build may render the same release differently, and in every static address,
which therefore may be kept for ever. Its time, that of its newest file, is the
earliest that a page of it can have been modified.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from flask import Flask, Response, current_app, request, url_for
from markupsafe import Markup

from cms.freezing import FROZEN
from cms.markup import plain_inline, render_inline
from cms.services.snippets import highlighted
from cms.services.terms import Term

PACKAGE = Path(__file__).resolve().parent.parent
# Settings that a public page shows.
SHOWN_SETTINGS = ("SITE_NAME", "BASE_URL", "PUBLIC_CORRECTIONS")

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
# BibTeX counts braces, also those that TeX sees escaped.
_TEX = str.maketrans(
    {char: f"\\{char}" for char in "#$%&_"}
    | {"\\": r"\textbackslash ", "^": r"\textasciicircum ", "~": r"\textasciitilde "}
    | dict.fromkeys("{}", "")
)


def init_pages(app: Flask) -> None:
    """Install the build, and the functions and filters that templates use."""
    app.config["BUILD"] = build_hash(app)
    # A setting has no time, and the files of a new build can have old ones.
    app.config["STARTED_AT"] = datetime.now(UTC)
    app.jinja_env.globals.update(
        site_name=app.config["SITE_NAME"], asset=asset, frozen=frozen, is_addressed=is_addressed
    )
    for filter_ in (
        *(bibtex, count_of, day, first_line, inline),
        *(marked, moment, plain_inline, versions),
    ):
        app.add_template_filter(filter_)
    app.after_request(keep_versioned_assets)


def build_hash(app: Flask) -> str:
    """Return 12 hex digits that change with the code or with a setting that pages show."""
    digest = hashlib.sha256()
    for path in sorted(_files()):
        digest.update(f"\0{path.relative_to(PACKAGE).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    for name in SHOWN_SETTINGS:
        digest.update(f"\0{app.config[name]}".encode())
    return digest.hexdigest()[:12]


@functools.cache
def _files() -> tuple[Path, ...]:
    """Return the files that this process runs: looked up once, as that takes a while."""
    files = [*PACKAGE.rglob("*.py")]
    for folder in ("templates", "static"):
        files += (path for path in (PACKAGE / "web" / folder).rglob("*") if path.is_file())
    return tuple(files)


def asset(name: str) -> str:
    """Return the address of a file under static/, with the build in it."""
    return url_for("static", filename=name, v=_build())


def frozen() -> bool:
    """Whether the page is to stand in a file: it leaves out what only a server can answer."""
    return FROZEN in request.environ


def is_addressed() -> bool:
    """Whether machines can be told absolute addresses: a server knows at least its own host."""
    return not frozen() or bool(current_app.config["BASE_URL"])


def keep_versioned_assets(response: Response) -> Response:
    """Let a static file that was asked for by this build's address be kept for a year."""
    if request.endpoint == "static" and request.args.get("v") == _build():
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        response.set_etag(_build())
    return response


def _build() -> str:
    return str(current_app.config["BUILD"])


def day(value: date) -> str:
    """Return a day in words: '22 Nov 2026'."""
    return f"{value.day} {_MONTHS[value.month - 1][:3]} {value.year}"


def moment(value: datetime) -> Markup:
    """Return a `time` element: the day in words, the exact time (UTC) as its title."""
    exact = value.astimezone(UTC)
    date_words = f"{exact.day} {_MONTHS[exact.month - 1]} {exact.year}"
    return Markup(  # noqa: S704 (numbers and our own words)
        f'<time datetime="{exact:%Y-%m-%dT%H:%M:%SZ}" title="{date_words}, {exact:%H:%M:%S} UTC">'
        f"{day(exact)}</time>"
    )


def inline(line: str) -> Markup:
    """Return a stem, or another line in which backticks mark code, as HTML."""
    return Markup(render_inline(line))  # noqa: S704 (render_inline escapes)


def bibtex(line: str) -> str:
    """Return a line as the value of a BibTeX field: what TeX would run is escaped."""
    return line.translate(_TEX)


def marked(html: str, terms: Sequence[Term]) -> Markup:
    """Return a stem as `inline` made it, with what was searched for in `mark` elements."""
    return Markup(highlighted(html, terms))  # noqa: S704 (highlighted escapes)


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun: '1 question', '1,234 questions'."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def first_line(text: str) -> str:
    """Return the first line of a text."""
    return text.partition("\n")[0]


def versions(applies_to: str) -> str:
    """Return what an answer applies to as it is read: 'Flask ≥ 2.2'."""
    return applies_to.replace(">=", "≥").replace("<=", "≤").replace("!=", "≠")
