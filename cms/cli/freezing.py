"""`freeze`: the whole public site as static files."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask import Flask, current_app
from rich.console import Console
from rich.progress import Progress

from cms.extensions import read_engine
from cms.freezing.freezing import Frozen, freeze

_DEAD_SHOWN = 20


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
    dead = sorted(done.dead)
    for page, address in dead[:_DEAD_SHOWN]:
        click.echo(f"no link any more: {page} leads to {address}, where nothing is", err=True)
    if len(dead) > _DEAD_SHOWN:
        click.echo(f"and {len(dead) - _DEAD_SHOWN:,} more such links", err=True)
