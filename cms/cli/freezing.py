"""`freeze`: the whole public site as static files."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click
from flask import Flask, current_app
from rich.console import Console
from rich.progress import Progress

from cms.extensions import read_engine
from cms.freezing.freezing import Frozen, freeze

_DEAD_SHOWN = 20
_QUESTION = re.compile(r"/questions/(?!study$)[a-z0-9-]+")


@click.command("freeze")
@click.argument("folder", type=click.Path(path_type=Path))
def freeze_command(folder: Path) -> None:
    """Write the whole public site, with all its exports, as static files into FOLDER.

    FOLDER is new, empty, or of a former freeze. All files are of one release. What has
    not changed since the former freeze stays as it is.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    with Progress(console=Console(stderr=True), disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("Freezing", total=None)
        done = freeze(
            app,
            read_engine(),
            folder,
            lambda written, known: progress.update(task, completed=written, total=known),
        )
    _say(folder, done)


def _say(folder: Path, done: Frozen) -> None:
    click.echo(
        f"{folder}: release {done.release}, {done.files:,} files, {done.bytes / 1e6:,.1f} MB; "
        f"{done.files - done.unchanged:,} new or changed",
        err=True,
    )
    if not done.addressed:
        click.echo(
            "CMS_BASE_URL is not set: feeds, the sitemap, OpenSearch, canonical links and data for "
            "search engines are left out, as they need the site's own address.",
            err=True,
        )
    dead = list(_by_question(done))
    for page, address in dead[:_DEAD_SHOWN]:
        click.echo(f"dead link: {page} leads to {address}, where nothing is", err=True)
    if len(dead) > _DEAD_SHOWN:
        click.echo(f"and {len(dead) - _DEAD_SHOWN:,} more such links", err=True)


def _by_question(done: Frozen) -> Iterator[tuple[str, str]]:
    """Yield dead links by the pages of their questions: lists and cards show the same texts."""
    own = {(page, address) for page, address in done.dead if _QUESTION.fullmatch(page)}
    told = {address for _, address in own}
    yield from sorted(own | {each for each in done.dead if each[1] not in told})
