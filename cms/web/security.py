"""What guards every response: headers, hosts, cookies, and reads that take no lock."""

from __future__ import annotations

import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Request, Response, abort, current_app, request
from flask.sessions import SecureCookieSessionInterface, SessionMixin
from werkzeug.middleware.proxy_fix import ProxyFix

from cms.models.engine import reading

# Scripts, styles and forms of our own alone; nothing inline, nothing evaluated, in no frame.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
# What a page can say itself where no server adds headers: all but who may frame it.
FROZEN_POLICY = CONTENT_SECURITY_POLICY.rpartition("; ")[0]
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
# A year. Subdomains are not ours to bind.
STRICT_TRANSPORT_SECURITY = "max-age=31536000"

# Responses of these blueprints depend on nobody's log-in: they may be kept, and set no cookie.
PUBLIC_BLUEPRINTS = frozenset({"public", "api"})
# Posts that only show what they were sent: an editor's preview must not wait for an import.
READ_ONLY_POSTS = frozenset({"/admin/questions/preview", "/admin/decks/preview"})
# Posts that mostly have nothing to write, and say so by `writing()` where they have.
READ_FIRST_POST = re.compile(r"/admin/questions/[0-9]+/presence")
# The form that Werkzeug reads as a whole, whatever MAX_FORM_MEMORY_SIZE and MAX_FORM_PARTS say.
URLENCODED = "application/x-www-form-urlencoded"
# What a page of the desk shows again with every preview; its address says what it holds.
KEPT_PRIVATELY = "desk_images.image"
# Its address holds a secret.
LINK_ENDPOINT = "auth.link"


class PrivateCookies(SecureCookieSessionInterface):
    """Flask's signed cookie, kept away from public responses and static files.

    Flask-Login looks into the session on every response, which alone would
    make each public page vary by cookie.
    """

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if not is_public(request):
            super().save_session(app, session, response)


class LocklessReads:
    """Runs what only reads inside `reading()`: on SQLite, a page view waits for no writer."""

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        reads = environ["REQUEST_METHOD"] in {"GET", "HEAD"}
        path = environ.get("PATH_INFO", "")
        if not (reads or path in READ_ONLY_POSTS or READ_FIRST_POST.fullmatch(path)):
            return self.app(environ, start_response)
        with reading():
            return self.app(environ, start_response)


def init_security(app: Flask) -> None:
    """Install the headers, the cookie's rule, the lockless reads and the bounds of forms.

    Forms are bounded before anything reads them: call it before what checks their tokens.
    """
    app.session_interface = PrivateCookies()
    app.jinja_env.globals["frozen_policy"] = FROZEN_POLICY
    app.wsgi_app = LocklessReads(app.wsgi_app)  # type: ignore[method-assign]
    app.before_request(bound_form)
    app.after_request(add_headers)


def trust_proxies(app: Flask) -> None:
    """Take address and scheme from the proxies in front, if there are any.

    The outermost wrapper: call it last. The host stays the `Host` header, which
    every proxy can pass on and Flask checks; a client could forge
    `X-Forwarded-Host` through a proxy that does not set it.
    """
    if count := app.config["PROXIES"]:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=0, x_port=0, x_prefix=0
        )


def bound_form() -> None:
    """Refuse a plain form that is larger, or has more fields, than one with files may have."""
    if request.mimetype != URLENCODED:
        return
    # It writes most bytes of a text that is not English as three: '%C3'.
    most = 3 * current_app.config["MAX_FORM_MEMORY_SIZE"]
    request.max_content_length = min(most, current_app.config["MAX_CONTENT_LENGTH"])
    if request.get_data().count(b"&") >= current_app.config["MAX_FORM_PARTS"]:
        abort(413)


def add_headers(response: Response) -> Response:
    """Add what every response carries, errors too; a view may have set a header of its own."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if request.endpoint == LINK_ENDPOINT:
        response.headers["Referrer-Policy"] = "no-referrer"
    if current_app.config["BASE_URL"].startswith("https://"):
        response.headers["Strict-Transport-Security"] = STRICT_TRANSPORT_SECURITY
    if not is_public(request) or response.status_code >= 500:
        response.headers["Cache-Control"] = "no-store"
    if request.endpoint == KEPT_PRIVATELY and response.status_code in {200, 304}:
        response.headers["Cache-Control"] = "private, max-age=31536000, immutable"
    return response


def is_public(request: Request) -> bool:
    """Whether the response may be kept and shared: a public page or a static file."""
    endpoint = request.endpoint or ""
    return request.blueprint in PUBLIC_BLUEPRINTS or endpoint.rpartition(".")[2] == "static"
