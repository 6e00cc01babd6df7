"""`doctor`: looks a bank over, also one that does not start. It needs no application."""

from __future__ import annotations

import difflib
import platform
import stat
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import make_url

from cms import config
from cms.cli.output import print_table
from cms.services.checkup import (
    Finding,
    State,
    fault,
    look_at_bank,
    look_at_folder,
    look_at_replica,
    warning,
    well,
)

ROOT = Path(__file__).resolve().parent.parent.parent
MIGRATIONS = ROOT / "migrations"
LOOPBACK = {"localhost", "127.0.0.1", "::1"}
PRIVATE = 0o077
"""The bits of a file's mode that let others than its owner do something."""


@click.command("doctor")
@click.pass_context
def doctor_command(context: click.Context) -> None:
    """Look the bank over: settings, database, disk, jobs. Exit 1 if something is at fault."""
    findings = list(examine(config.environment(), ROOT / "instance"))
    print_table(
        ("What", "State", "Found", "What to do"),
        [(each.what, each.state.value, each.found, each.remedy) for each in findings],
    )
    if any(each.state == State.fault for each in findings):
        context.exit(1)


def examine(environ: Mapping[str, str], instance: Path) -> Iterator[Finding]:
    """Yield what is found, from the outside in."""
    settings, faults = config.read_environment(environ)
    yield well("Python", platform.python_version())
    yield from _settings(environ, settings, faults)
    yield _secret(settings, faults, instance)
    if "DATABASE_URL" in faults:
        yield fault("database", "not looked at", "Mend CMS_DATABASE_URL first.")
    else:
        yield from _database(settings, instance)
    yield look_at_folder("room for temporary files", Path(tempfile.gettempdir()))
    yield look_at_folder("room for the instance", instance)


# --- settings --------------------------------------------------------------------------


def _settings(
    environ: Mapping[str, str], settings: Mapping[str, Any], faults: Mapping[str, str]
) -> Iterator[Finding]:
    for name in config.READERS:
        variable = f"CMS_{name}"
        if name in faults:
            yield fault(variable, faults[name], "Correct it, or leave it unset.")
        elif name == "BASE_URL":
            yield _base_url(settings)
        elif name == "TRUSTED_HOSTS" and name in settings:
            yield _trusted_hosts(settings)
        elif name == "RATELIMIT_STORAGE" and settings.get(name) == config.MEMORY:
            yield well(variable, "memory: counted in one server process, which forgets at its end")
        elif name in settings:
            yield well(variable, _shown(name, settings[name]))
    for variable in config.unknown_variables(environ):
        known = [f"CMS_{name}" for name in config.READERS]
        meant = difflib.get_close_matches(variable, known, 1)
        remedy = f"Is {meant[0]} meant?" if meant else "Leave it out."
        yield warning(variable, "no such setting, so it has no effect", remedy)


def _shown(name: str, value: object) -> str:
    if name in config.SECRETS:
        return "set, and long enough"
    if name.endswith("DATABASE_URL"):
        return make_url(str(value)).render_as_string(hide_password=True)
    if isinstance(value, bool):
        return "on" if value else "off"
    return str(value)


def _base_url(settings: Mapping[str, Any]) -> Finding:
    what, url = "CMS_BASE_URL", settings.get("BASE_URL", "")
    parts = urlsplit(url)
    if not url:
        return well(what, "unset: no canonical links, and links of commands lead to this machine")
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        return warning(
            what,
            f"{url}: passwords and cookies can be read on their way",
            "Put a server with TLS in front, and begin the address with https.",
        )
    if parts.scheme == "https" and not settings.get("PROXIES", 0):
        return warning(
            what,
            f"{url}, and CMS_PROXIES is 0: all people seem to share the proxy's address",
            "If a proxy stands in front, set CMS_PROXIES=1.",
        )
    return well(what, url)


def _trusted_hosts(settings: Mapping[str, Any]) -> Finding:
    what, hosts = "CMS_TRUSTED_HOSTS", settings["TRUSTED_HOSTS"]
    public = urlsplit(settings.get("BASE_URL", "")).hostname
    trusted = [host.lstrip(".") for host in hosts]
    if public and not any(public == host or public.endswith(f".{host}") for host in trusted):
        return fault(
            what,
            f"{', '.join(hosts)}: {public}, the host of CMS_BASE_URL, gets a 400",
            f"Add {public}.",
        )
    return well(what, ", ".join(hosts))


def _secret(settings: Mapping[str, Any], faults: Mapping[str, str], instance: Path) -> Finding:
    what, path = "secret key", instance / "secret_key"
    if "SECRET_KEY" in settings or "SECRET_KEY" in faults:
        return well(what, "from CMS_SECRET_KEY")
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        length = len(path.read_text().strip())
    except FileNotFoundError:
        return well(what, f"made at the first start, in {path}")
    except (OSError, UnicodeDecodeError) as error:
        return fault(what, f"{path} cannot be read: {error}", "Give this account the right to.")
    if length < 32:
        return fault(
            what, f"{path} holds no key", "Delete it: a new one is made, and all log in again."
        )
    if mode & PRIVATE:
        return warning(
            what, f"others than its owner can read {path} (mode {mode:o})", f"chmod 600 {path}"
        )
    return well(what, f"{path}, mode {mode:o}")


# --- the database -----------------------------------------------------------------------


def _database(settings: Mapping[str, Any], instance: Path) -> Iterator[Finding]:
    url = _absolute(settings.get("DATABASE_URL") or config.default_database(instance), instance)
    alembic = Config(MIGRATIONS / "alembic.ini")
    alembic.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(alembic)
    known = [each.revision for each in scripts.walk_revisions()]
    head = scripts.get_current_head() or ""
    yield from look_at_bank(url, known, head, at=datetime.now(UTC))
    if read_url := settings.get("READ_DATABASE_URL"):
        yield look_at_replica(_absolute(read_url, instance), url)
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database:
        path = Path(address.database)
        size = path.stat().st_size if path.is_file() else 0
        yield look_at_folder("room for the database", path.absolute().parent, needed=2 * size)


def _absolute(url: str, instance: Path) -> str:
    """Return an address as the application takes it: SQLite's files are below the instance."""
    address = make_url(url)
    if address.get_backend_name() != "sqlite" or not address.database:
        return url
    file = str(instance / address.database)
    return address.set(database=file).render_as_string(hide_password=False)
