"""Exports that are made once for each release, and downloads that go on where they broke off."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from cms.services import exporting
from cms.web.keptfiles import KeptFiles
from tests.factories import make_bank, make_published

BANK = "/export/bank.json"


class Maker:
    """Makes files of a size, and counts them."""

    def __init__(self, size: int = 10) -> None:
        self.made = 0
        self._size = size

    def __call__(self) -> Iterator[bytes]:
        self.made += 1
        yield b"%d" % self.made * self._size


@pytest.fixture
def kept() -> Iterator[KeptFiles]:
    files = KeptFiles(capacity=100, most=3)
    yield files
    files.close()


def read(files: KeptFiles, make: Maker, key: str = "a", release: str = "1") -> bytes:
    with files.open(release, key, make) as file:
        return file.read()


def test_a_file_is_made_once_for_each_release(kept: KeptFiles) -> None:
    make = Maker()
    assert read(kept, make) == read(kept, make) == b"1" * 10
    assert read(kept, make, "b") == b"2" * 10
    assert read(kept, make, release="2") == b"3" * 10


@pytest.mark.parametrize(("size", "gone"), [(10, "b"), (40, "bc"), (100, "abc"), (101, "abcd")])
def test_the_longest_unused_make_room(kept: KeptFiles, size: int, gone: str) -> None:
    make = Maker(size)
    for key in "abcad":
        read(kept, make, key)
    made = make.made
    for key in set("abcd") - set(gone):
        read(kept, make, key)
    assert make.made == made
    for key in gone:
        assert len(read(kept, make, key)) == size
    assert make.made == made + len(gone)


def test_a_file_that_went_away_is_read_to_its_end(kept: KeptFiles) -> None:
    with kept.open("1", "a", Maker()) as first, kept.open("1", "a", Maker()) as second:
        assert first.read(4) == b"1111"
        kept.close()
        assert (first.read(), second.read()) == (b"1" * 6, b"1" * 10)
        assert second.seek(-3, 2) == 7
        assert second.read() == b"111"


def test_whoever_asks_while_a_file_is_made_waits_for_it(kept: KeptFiles) -> None:
    asked, make = threading.Barrier(4), Maker()

    def slowly() -> Iterator[bytes]:
        asked.wait(10)
        yield from make()

    def ask(first: bool) -> bytes:
        if not first:
            asked.wait(10)
        with kept.open("1", "a", slowly if first else make) as file:
            return file.read()

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(ask, [True, False, False, False]))
    assert found == [b"1" * 10] * 4
    assert make.made == 1


def test_a_failure_is_its_own_and_the_next_one_tries_again(kept: KeptFiles) -> None:
    def fail() -> Iterator[bytes]:
        yield b"half"
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space"):
        kept.open("1", "a", fail)
    assert read(kept, Maker()) == b"1" * 10


def test_an_export_is_written_once_until_the_next_release(
    client: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_bank(session)
    written: list[str] = []

    def noted(entries: Iterator[object], _tick: object) -> Iterator[object]:
        written.append("an export")
        yield from entries

    monkeypatch.setattr(exporting, "ticking", noted)
    first = client.get(BANK)
    assert client.get(BANK).data == first.data
    assert len(written) == 1
    assert client.get(f"{BANK}?tag=flask").data != first.data
    assert client.get("/export/bank.jsonl").data != first.data
    assert len(written) == 3
    make_published(session, "What is new?")
    assert b"What is new?" in client.get(BANK).data
    assert len(written) == 4


def test_a_download_that_broke_off_goes_on(client: FlaskClient, session: Session) -> None:
    make_bank(session)
    whole = client.get(BANK)
    assert whole.headers["Accept-Ranges"] == "bytes"
    there = {"If-Range": whole.headers["ETag"]}
    rest = client.get(BANK, headers={"Range": "bytes=100-"} | there)
    assert (rest.status_code, rest.data) == (206, whole.data[100:])
    assert rest.headers["Content-Range"] == f"bytes 100-{len(whole.data) - 1}/{len(whole.data)}"
    assert rest.headers["ETag"] == whole.headers["ETag"]
    beyond = client.get(BANK, headers={"Range": "bytes=99999999-"})
    assert beyond.status_code == 416
    assert beyond.headers["Content-Range"] == f"bytes */{len(whole.data)}"
    # Another release is another file: it comes as a whole.
    make_published(session, "What is new?")
    new = client.get(BANK, headers={"Range": "bytes=100-"} | there)
    assert new.status_code == 200
    assert b"What is new?" in new.data
