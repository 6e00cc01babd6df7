"""Settings: their defaults, and the one place that reads the environment.

docs/operations.md lists every variable with its default and its effect.
"""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from cms.errors import Misconfigured

# The password of a database's address: a message may end up in somebody's log.
_PASSWORD = re.compile(r"(://[^/@:]*:)[^/@]*@")

# A form carries at most eight answers of 200 kB, their sources and a context.
MAX_FORM_BYTES = 4_000_000

DEFAULTS: dict[str, Any] = {
    "SITE_NAME": "Question bank",
    "BASE_URL": "",
    "READ_DATABASE_URL": "",
    "TRUSTED_HOSTS": None,
    "PROXIES": 0,
    "FOUR_EYES": False,
    "PUBLIC_CORRECTIONS": False,
    "METRICS_TOKEN": "",
    # Forms live as long as the session does: an expired token would cost typed text.
    "WTF_CSRF_TIME_LIMIT": None,
    # Flask-WTF would also ask for a Referer, which the page of a one-use link does not
    # send. The token in the session and the __Host- cookie, SameSite, do without.
    "WTF_CSRF_SSL_STRICT": False,
    "MAX_CONTENT_LENGTH": 64_000_000,
    "MAX_FORM_MEMORY_SIZE": MAX_FORM_BYTES,
    "MAX_FORM_PARTS": 5_000,
    "SESSION_COOKIE_HTTPONLY": True,
    "SESSION_COOKIE_SAMESITE": "Lax",
    "SESSION_IDLE": timedelta(minutes=30),
    "SESSION_LIFETIME": timedelta(hours=8),
}


def _database_url(value: str) -> str:
    try:
        url = make_url(value)
        backend = url.get_backend_name()
        url.get_dialect()
    except (ArgumentError, NoSuchModuleError) as error:
        raise ValueError("a database address such as sqlite:////srv/bank.db") from error
    if backend not in {"sqlite", "postgresql"}:
        raise ValueError("an address of SQLite or PostgreSQL")
    return value


def _count(value: str) -> int:
    if not value.isdigit():
        raise ValueError("a whole number, 0 or more")
    return int(value)


def _switch(value: str) -> bool:
    found = {"1": True, "on": True, "yes": True, "0": False, "off": False, "no": False}
    if value.lower() not in found:
        raise ValueError("on or off")
    return found[value.lower()]


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.netloc or parts.query or parts.fragment:
        raise ValueError("an address such as https://bank.example.org")
    return value.rstrip("/")


def _hosts(value: str) -> list[str]:
    hosts = [host.strip() for host in value.split(",") if host.strip()]
    if not hosts:
        raise ValueError("host names separated by commas")
    return hosts


def _secret(value: str) -> str:
    if len(value) < 32:
        raise ValueError("at least 32 characters; leave it unset to have one made and kept")
    return value


def _token(value: str) -> str:
    if len(value) < 16 or not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("at least 16 letters, digits and signs")
    return value


def _name(value: str) -> str:
    if not value.strip() or len(value) > 80:
        raise ValueError("1 to 80 characters")
    return value.strip()


READERS: dict[str, Callable[[str], Any]] = {
    "DATABASE_URL": _database_url,
    "READ_DATABASE_URL": _database_url,
    "SECRET_KEY": _secret,
    "SITE_NAME": _name,
    "BASE_URL": _base_url,
    "TRUSTED_HOSTS": _hosts,
    "PROXIES": _count,
    "FOUR_EYES": _switch,
    "PUBLIC_CORRECTIONS": _switch,
    "METRICS_TOKEN": _token,
}
# No message shows them.
SECRETS = frozenset({"SECRET_KEY", "METRICS_TOKEN"})


def environment() -> Mapping[str, str]:
    """Return the variables of this process."""
    return os.environ


def read_environment(
    environ: Mapping[str, str] = os.environ,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the settings of the environment, and what is wrong with those that cannot work."""
    settings: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for name, read in READERS.items():
        raw = environ.get(f"CMS_{name}")
        if raw is None or raw == "":
            continue
        try:
            settings[name] = read(raw)
        except ValueError as error:
            shown = "that value" if name in SECRETS else repr(_PASSWORD.sub(r"\1***@", raw))
            faults[name] = f"CMS_{name} cannot be {shown}: it has to be {error}."
    return settings, faults


def unknown_variables(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Return the variables that look like settings of ours, and are none."""
    return sorted(
        name
        for name in environ
        if name.startswith("CMS_") and name.removeprefix("CMS_") not in READERS
    )


def default_database(instance: Path) -> str:
    """Return the address of the bank where none is named."""
    return f"sqlite:///{instance / 'bank.db'}"


def load(
    instance: Path,
    overrides: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> dict[str, Any]:
    """Return the settings: defaults, then `CMS_*` of the environment, then `overrides`.

    :raises Misconfigured: when a variable has a value that cannot work
    """
    found, faults = read_environment(environ)
    for problem in faults.values():
        raise Misconfigured(problem)
    settings = {**DEFAULTS, **found}
    settings.update(overrides or {})
    settings.setdefault("DATABASE_URL", default_database(instance))
    if "SECRET_KEY" not in settings:
        settings["SECRET_KEY"] = kept_secret(instance / "secret_key")
    if settings["TRUSTED_HOSTS"] is None:
        # Flask takes None for "every host"; whoever names none is on this machine.
        public_host = urlsplit(str(settings["BASE_URL"])).hostname
        settings["TRUSTED_HOSTS"] = [*filter(None, [public_host]), "localhost", "127.0.0.1"]
    if str(settings["BASE_URL"]).startswith("https://"):
        # The __Host- prefix binds the cookie to this host, over TLS alone.
        settings["SESSION_COOKIE_SECURE"] = True
        settings["SESSION_COOKIE_NAME"] = "__Host-session"
    return settings


def kept_secret(path: Path) -> str:
    """Return the secret in `path`; make one of 256 bits, with mode 600, if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text().strip()
    with os.fdopen(descriptor, "w") as file:
        file.write(secret := secrets.token_hex(32))
    return secret


# Of the library behind /metrics, which looks for it when it is imported.
_SHARED_COUNTS = "PROMETHEUS_MULTIPROC_DIR"


def share_counts(folder: str) -> None:
    """Let the processes that begin from here on count together, in files of `folder`."""
    os.environ[_SHARED_COUNTS] = folder


def shares_counts(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether several processes count together."""
    return _SHARED_COUNTS in environ


# What a child process needs to find programs and to know the language of texts; no secret.
CHILD_VARIABLES = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT")


def child_environment(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return what the code of a sample gets to see of the environment."""
    return {name: environ[name] for name in CHILD_VARIABLES if name in environ}
