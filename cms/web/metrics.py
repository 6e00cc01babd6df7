"""What Prometheus reads: how the server answers, and how the bank is.

Requests are counted in front of everything, so that kept pages count, too.
Where `serve` has several processes they write down their counts side by side,
and whichever is asked adds them up.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from flask import Flask

from cms.config import shares_counts
from cms.services.gauges import Gauges

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from prometheus_client import Metric

EXTENSION = "metrics"

HOME, OTHER = "home", "other"
# Seconds until an answer begins: a kept page takes less than the first, a long search about 0.05.
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


def init_metrics(app: Flask) -> None:
    """Count what `app` answers. What is put in front of it later is not measured."""
    meter = RequestMeter(app.wsgi_app, areas_of(rule.rule for rule in app.url_map.iter_rules()))
    app.wsgi_app = meter  # type: ignore[method-assign]
    app.extensions[EXTENSION] = meter


class RequestMeter:
    """WSGI middleware that counts answers, and the time until each begins, by areas of the site."""

    def __init__(self, app: WSGIApplication, areas: frozenset[str]) -> None:
        self._app = app
        self._areas = areas
        self._made: _Meters | None = None
        self._lock = threading.Lock()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        begun = time.perf_counter()
        code = "500"

        def started(status: str, headers: list[tuple[str, str]], *error: Any) -> Any:
            nonlocal code
            code = status[:3]
            return start_response(status, headers, *error)

        try:
            return self._app(environ, started)
        finally:
            first = first_part(environ.get("PATH_INFO", ""))
            area = first if first in self._areas else OTHER
            self._meters().answered(area, code, time.perf_counter() - begun)

    def text(self, gauges: Gauges | None) -> bytes:
        """Return everything in Prometheus' text format; `gauges` are None without a database."""
        return self._meters().text(gauges)

    def _meters(self) -> _Meters:
        if self._made is None:
            # Two threads may bring the first requests; what one of them counted must not be lost.
            with self._lock:
                self._made = self._made or _Meters()
        return self._made


def areas_of(rules: Iterable[str]) -> frozenset[str]:
    """Return the first parts of the site's addresses: any other would be a client's to make up."""
    return frozenset(part for part in map(first_part, rules) if "<" not in part)


def first_part(path: str) -> str:
    """Return the first part of an address, or 'home'."""
    return path[1:].partition("/")[0] or HOME


class _Meters:
    """The counts of this process.

    Made at the first request: the library chooses at its import whether counts
    are shared, and `serve` forks its processes after it has made an app.
    """

    def __init__(self) -> None:
        from prometheus_client import (
            CollectorRegistry,
            Histogram,
            PlatformCollector,
            ProcessCollector,
        )

        self._registry = CollectorRegistry()
        seconds = Histogram(
            "qbank_http_request_seconds",
            "Seconds until an answer began; its count is that of the answers.",
            ["area", "code"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        if not shares_counts():
            ProcessCollector(registry=self._registry)
            PlatformCollector(registry=self._registry)

        # To look labels up takes the library as long as to send a kept page.
        self._of = functools.cache(seconds.labels)

    def answered(self, area: str, code: str, seconds: float) -> None:
        self._of(area, code).observe(seconds)

    def text(self, gauges: Gauges | None) -> bytes:
        from prometheus_client import CollectorRegistry, generate_latest
        from prometheus_client.multiprocess import MultiProcessCollector

        counts = self._registry
        if shares_counts():
            counts = CollectorRegistry()
            MultiProcessCollector(counts)
        bank = CollectorRegistry()
        bank.register(_BankCollector(gauges))
        return generate_latest(counts) + generate_latest(bank)


class _BankCollector:
    """Gives the library the figures of the bank."""

    def __init__(self, gauges: Gauges | None) -> None:
        self._gauges = gauges

    def collect(self) -> Iterator[Metric]:
        from prometheus_client.metrics_core import GaugeMetricFamily

        found = self._gauges
        up = 0 if found is None else 1
        yield GaugeMetricFamily("qbank_database_up", "Whether the database answers.", up)
        if found is None:
            return
        plain = {
            "release": ("The number of the current release.", found.bank.release),
            "release_timestamp_seconds": ("When it was made.", _seconds(found.bank.released_at)),
            "public_questions": ("Questions that readers see.", found.public.questions),
            "public_corrections": ("Corrections that readers see.", found.public.corrections),
            "open_corrections": ("Corrections that nobody decided.", found.open_corrections),
            "oldest_due_job_timestamp_seconds": (
                "Since when the oldest job is due that no worker took; 0 if there is none.",
                _seconds(found.overdue_since),
            ),
        }
        for name, (meaning, value) in plain.items():
            yield GaugeMetricFamily(f"qbank_{name}", meaning, value)
        jobs = GaugeMetricFamily("qbank_jobs", "Jobs that are not done.", labels=["state"])
        for state, count in found.jobs.items():
            jobs.add_metric([state], count)
        yield jobs


def _seconds(at: datetime | None) -> float:
    return 0 if at is None else at.timestamp()
