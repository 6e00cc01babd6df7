"""Writers that are killed: what they leave beside their place, and who takes it away."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from cms.errors import InvalidInput
from cms.freezing.folders import Record, SiteFolder
from tests.cli.conftest import Run
from tests.factories import make_published

# The place where the writer is killed is the line that is put in.
FREEZING = """
import os, signal, sys
from pathlib import Path
from cms.freezing.folders import Record, SiteFolder

renames = 0
rename = Path.rename

def killed_after(count):
    def renaming(self, target):
        global renames
        rename(self, target)
        renames += 1
        if renames == count:
            os.kill(os.getpid(), signal.SIGKILL)
    Path.rename = renaming

with SiteFolder(Path(sys.argv[1])) as folder:
    folder.write("index.html", b"new")
    {kill}
    folder.finish(Record(release=2))
"""
EXPORTING = """
import os, signal, sys
from cms.cli.exchange import _target
from cms.formats import FORMATS

with _target(sys.argv[1], FORMATS["json"]) as write:
    write(b"half of it")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(program: str, *words: str) -> None:
    done = subprocess.run([sys.executable, "-c", program, *words], check=False)
    assert done.returncode == -9


def write_site(path: Path, text: bytes) -> None:
    with SiteFolder(path) as folder:
        folder.write("index.html", text)
        folder.finish(Record())


@pytest.mark.parametrize(
    ("kill", "left"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", 1),
        ("killed_after(1)", 2),  # The former site is put aside, the new one not in its place.
        ("killed_after(2)", 1),  # The new one is, but for what somebody else had there.
    ],
)
def test_the_next_freeze_takes_away_what_a_killed_one_left(
    tmp_path: Path, kill: str, left: int
) -> None:
    site, other = tmp_path / "site", tmp_path / ".site.template"
    other.write_text("somebody's")
    write_site(site, b"old")
    (site / "CNAME").write_text("bank.example.org")
    killed(FREEZING.format(kill=kill), str(site))
    assert len([*tmp_path.glob(".site.*")]) == left + 1
    write_site(site, b"newest")
    assert sorted(tmp_path.iterdir()) == [other, site]
    assert (site / "index.html").read_bytes() == b"newest"
    assert (site / "CNAME").read_text() == "bank.example.org"


def test_what_would_replace_a_file_of_somebody_else_is_not_put_back(tmp_path: Path) -> None:
    site = tmp_path / "site"
    write_site(site, b"old")
    (site / "CNAME").write_text("one.example.org")
    killed(FREEZING.format(kill="killed_after(2)"), str(site))
    (site / "CNAME").write_text("two.example.org")
    with pytest.raises(InvalidInput, match=r"has 'CNAME', too\. Delete one of the two"):
        SiteFolder(site)
    (aside,) = tmp_path.glob(".site.*")
    assert (aside / "CNAME").read_text() == "one.example.org"
    assert (site / "CNAME").read_text() == "two.example.org"


def test_a_freeze_leaves_alone_what_another_one_is_writing(tmp_path: Path) -> None:
    site = tmp_path / "site"
    write_site(site, b"old")
    with SiteFolder(site) as slow:
        slow.write("index.html", b"slow")
        write_site(site, b"fast")
        slow.finish(Record())
    assert (site / "index.html").read_bytes() == b"slow"
    assert [*tmp_path.iterdir()] == [site]


def test_the_next_export_takes_away_what_a_killed_one_left(
    run: Run, session: Session, tmp_path: Path
) -> None:
    make_published(session)
    path, other = tmp_path / "bank.json", tmp_path / ".bank.json.settings"
    other.write_text("somebody's")
    killed(EXPORTING, str(path))
    assert len([*tmp_path.iterdir()]) == 2
    assert not path.exists()
    assert run("export", "-o", str(path)).exit_code == 0
    assert sorted(tmp_path.iterdir()) == [other, path]
