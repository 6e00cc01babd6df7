#!/usr/bin/env python
"""The bank's command line: `python manage.py --help`."""

from flask.cli import FlaskGroup

from cms import create_app

cli = FlaskGroup(create_app=create_app, help="The question bank: every command is a line here.")

if __name__ == "__main__":
    cli()
