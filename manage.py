#!/usr/bin/env python
"""The bank's command line: `python manage.py --help`."""

import sys

from cms import create_app
from cms.cli import Program
from cms.errors import Misconfigured

cli = Program(
    create_app=create_app,
    # Flask's own `run` is a debugging server; `serve` is the one for people.
    add_default_commands=False,
    add_version_option=False,
    help="The question bank: every command is a line here.",
)

if __name__ == "__main__":
    try:
        cli()
    except Misconfigured as error:
        sys.exit(f"Error: {error}")
