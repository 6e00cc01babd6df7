"""The composition root: everything that serves the bank is put together here."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Flask

from cms import config as settings
from cms.cli import init_commands
from cms.extensions import csrf, init_databases
from cms.web.admin import init_admin
from cms.web.api import api
from cms.web.auth import init_auth
from cms.web.cache import init_cache
from cms.web.errors import init_errors
from cms.web.intake import intake
from cms.web.metrics import init_metrics
from cms.web.pages import init_pages
from cms.web.public import public
from cms.web.security import init_security, trust_proxies

ROOT = Path(__file__).resolve().parent.parent
INSTANCE = ROOT / "instance"


def compose(config: Mapping[str, Any] | None = None) -> Flask:
    """Return the application: settings, databases, accounts, the desk, the public site.

    `config` overrides settings by name (`DATABASE_URL`, `SECRET_KEY` …).

    :raises Misconfigured: when a setting cannot work
    """
    app = Flask(
        "cms",
        instance_path=str(INSTANCE),
        template_folder="web/templates",
        static_folder="web/static",
    )
    app.config.from_mapping(settings.load(INSTANCE, config))
    init_databases(app)
    init_security(app)
    csrf.init_app(app)
    init_errors(app)
    init_auth(app)
    init_pages(app)
    app.register_blueprint(public)
    app.register_blueprint(api)
    if app.config["PUBLIC_CORRECTIONS"]:
        app.register_blueprint(intake)
    init_admin(app)
    init_commands(app)
    # Outside of Flask, from the inside out: a kept page never reaches it.
    init_cache(app)
    init_metrics(app)
    trust_proxies(app)
    return app
