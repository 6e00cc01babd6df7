#!/usr/bin/env python
"""The bank's command line: `python manage.py --help`."""

import gc
import sys

# What is imported stays: to look for garbage in it again and again takes a third of the start.
gc.disable()

from flask.cli import FlaskGroup  # noqa: E402

from cms import create_app  # noqa: E402
from cms.cli import WITHOUT_APP  # noqa: E402
from cms.errors import Misconfigured  # noqa: E402

gc.freeze()
gc.enable()

cli = FlaskGroup(
    create_app=create_app,
    # Flask's own `run` is a debugging server; `serve` is the one for people.
    add_default_commands=False,
    add_version_option=False,
    help="The question bank: every command is a line here.",
)

for command in WITHOUT_APP:
    cli.add_command(command)

if __name__ == "__main__":
    try:
        cli()
    except Misconfigured as error:
        sys.exit(f"Error: {error}")
