"""How commands speak: tables that fit a terminal and lose nothing in a pipe."""

import sys
from collections.abc import Iterable, Sequence

import click
from rich.console import Console
from rich.table import Table

from cms.errors import NotPublishable


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print rows as a table on a terminal, separated by tabs in a pipe."""
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(" ".join(cell.split()) for cell in row))
        return
    table = Table(*headings, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        # The text of a question is no markup of ours.
        table.add_row(*(cell.replace("[", r"\[") for cell in row))
    Console().print(table)


def print_refused(refused: Sequence[NotPublishable]) -> None:
    """Say on standard error what was not published, and why."""
    for each in refused:
        click.echo(f"not published: {each}", err=True)
