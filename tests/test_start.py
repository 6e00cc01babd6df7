"""What a new process leaves alone: to import it takes longer than to make a page.

Whoever adds an import to a module that all pages share learns here what it drags along.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from cms import cli
from tests.conftest import empty_bank

ROOT = Path(__file__).resolve().parent.parent

# By the room that needs them.
MIGRATIONS = {"alembic", "flask_migrate", "mako"}
TERMINAL = {"rich", "granian", "cms.freezing.freezing", "cms.services.backups", "cms.cli.exchange"}
READING_FILES = {
    *("bs4", "soupsieve", "markdownify", "html5lib", "cms.formats.pixels"),
    *("cms.formats.article.reading", "cms.formats.lists.reading", "cms.formats.anki.notes"),
}
NEW_PASSWORDS = {"zxcvbn"}
PAGE = MIGRATIONS | TERMINAL | READING_FILES | NEW_PASSWORDS
THE_SITE = {"cms.composition", "cms.web", "flask_admin"}

# What a new process does, and what it must not have imported then.
STARTS = {
    "pages": (
        "from cms import create_app\n"
        "client = create_app().test_client()\n"
        "for address in ('/', '/questions/', '/tags/', '/healthz', '/feed.atom', '/login'):\n"
        "    assert client.get(address).status_code == 200, address\n",
        PAGE,
    ),
    "the list of commands": (
        "from click.testing import CliRunner\n"
        "import manage\n"
        "assert 'export' in CliRunner().invoke(manage.cli, ['--help']).output\n",
        PAGE | THE_SITE | {"sqlalchemy", "cms.models"},
    ),
    "the doctor": (
        "from click.testing import CliRunner\n"
        "import manage\n"
        "assert 'SQLite' in CliRunner().invoke(manage.cli, ['doctor']).output\n",
        THE_SITE | READING_FILES | NEW_PASSWORDS,
    ),
    "a process that renders": (
        "from cms.services.rendered import render_item\n",
        PAGE | THE_SITE | {"flask", "PIL"},
    ),
}


@pytest.mark.parametrize("name", STARTS)
def test_a_new_process_imports_nothing_that_it_does_not_need(
    name: str, request: pytest.FixtureRequest
) -> None:
    code, unwanted = STARTS[name]
    with empty_bank(request, "sqlite") as url:
        told = subprocess.run(
            [sys.executable, "-c", f"{code}\nimport json, sys\nprint(json.dumps([*sys.modules]))"],
            cwd=ROOT,
            env=os.environ | {"CMS_DATABASE_URL": url, "CMS_SECRET_KEY": "s" * 40},
            capture_output=True,
            text=True,
            check=True,
        )
    assert not unwanted.intersection(json.loads(told.stdout.splitlines()[-1]))


def test_the_list_of_commands_says_what_the_commands_say() -> None:
    """Each is listed without being imported, under the name that it has."""
    for name, line in cli.COMMANDS.items():
        assert cli.found(name).name == name
        assert line.help.endswith(".")
