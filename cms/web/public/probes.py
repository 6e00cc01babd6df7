"""What machines ask of the process: what it says holds for this moment alone."""

from __future__ import annotations

import functools
import hmac
import shutil
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from flask import Response, current_app, request
from sqlalchemy import Engine, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from cms.extensions import read_engine
from cms.services.gauges import Gauges, gauges
from cms.web.metrics import EXTENSION, RequestMeter
from cms.web.public import route

# Bytes that have to be free beside a SQLite bank, for its log and for an import.
FREE_SPACE = 50_000_000
UNKEPT = {"Cache-Control": "no-store"}
# Prometheus' text format (https://prometheus.io/docs/instrumenting/exposition_formats/).
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# What a proxy that is not counted in CMS_PROXIES adds to what it passes on.
FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP", "Via")
METRICS_REFUSED = (
    "Metrics are for programs on this machine, and for those that send the token of "
    "CMS_METRICS_TOKEN as 'Authorization: Bearer …'.\n"
)


@route("/healthz")
def healthz() -> Response:
    """Say that the process answers."""
    return Response("ok\n", mimetype="text/plain", headers=UNKEPT)


@route("/readyz")
def readyz() -> tuple[dict[str, str], int, dict[str, str]]:
    """Say whether pages can be served: the database, its migrations, the disk; 503 if not."""
    engine = read_engine()
    faults = {"database": "ok", "migrations": "ok", "disk": _disk(engine)}
    try:
        with engine.connect() as connection:
            found = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if found != _head():
            faults["migrations"] = "the database is not at the newest migration: run `db upgrade`"
    except SQLAlchemyError:
        faults["database"] = "the database does not answer, or holds no bank"
    return faults, 200 if set(faults.values()) == {"ok"} else 503, UNKEPT


@route("/metrics")
def metrics() -> Response:
    """Say how the server answers and how the bank is, to whom that is to know."""
    if not (_has_token() or _is_local()):
        return Response(METRICS_REFUSED, status=403, mimetype="text/plain", headers=UNKEPT)
    meter: RequestMeter = current_app.extensions[EXTENSION]
    return Response(meter.text(_gauges()), content_type=METRICS_TYPE, headers=UNKEPT)


def _gauges() -> Gauges | None:
    try:
        with Session(read_engine()) as session:
            return gauges(session, at=datetime.now(UTC))
    except SQLAlchemyError:
        return None


def _has_token() -> bool:
    token: str = current_app.config["METRICS_TOKEN"]
    sent = request.authorization.token if request.authorization else None
    return bool(token and sent) and hmac.compare_digest(token.encode(), (sent or "").encode())


def _is_local() -> bool:
    """Whether the client is on this machine; behind a proxy that nobody counted, none is."""
    if not current_app.config["PROXIES"] and any(name in request.headers for name in FORWARDED):
        return False
    try:
        address = ip_address(request.remote_addr or "")
    except ValueError:
        return False
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _disk(engine: Engine) -> str:
    if engine.dialect.name != "sqlite" or not engine.url.database:
        return "ok"
    free = shutil.disk_usage(Path(engine.url.database).parent).free
    return "ok" if free >= FREE_SPACE else f"only {free // 1_000_000} MB are free"


@functools.cache
def _head() -> str | None:
    # By their configuration: migrations import what stands beside them.
    from alembic.script import ScriptDirectory

    config = current_app.extensions["migrate"].migrate.get_config()
    return ScriptDirectory.from_config(config).get_current_head()
