"""Archives from anybody: what is refused, and why; ours: the same bytes every time."""

from __future__ import annotations

import io
import os
import stat
import struct
import time
import tracemalloc
import warnings
import zipfile

import pytest

from cms.errors import UnreadableFile
from cms.formats.archive import FILE_LIMIT, FILES_LIMIT, Archive, is_archive, packed
from cms.formats.incoming import Upload

TEXT = b"A text of some length, so that there is something to compress. " * 20


def zipped(
    *files: tuple[str | zipfile.ZipInfo, bytes], method: int = zipfile.ZIP_DEFLATED
) -> bytes:
    spool = io.BytesIO()
    with zipfile.ZipFile(spool, "w", method) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # The names that stand twice do so on purpose.
        for name, data in files:
            archive.writestr(name, data)
    return spool.getvalue()


def opened(data: bytes) -> Archive:
    return Archive(Upload("bank.zip", data))


def info(name: str, mode: int) -> zipfile.ZipInfo:
    made = zipfile.ZipInfo(name)
    made.create_system = 3
    made.external_attr = mode << 16
    return made


def patched(data: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """Return `data` with `value` at `offset` of each record that begins with `signature`."""
    changed = bytearray(data)
    at = changed.find(signature)
    while at >= 0:
        changed[at + offset : at + offset + len(value)] = value
        at = changed.find(signature, at + 4)
    return bytes(changed)


LOCAL, LISTED = b"PK\x03\x04", b"PK\x01\x02"


def encrypted(data: bytes) -> bytes:
    """Return an archive whose entries say that they are encrypted."""
    return patched(patched(data, LOCAL, 6, b"\x01"), LISTED, 8, b"\x01")


def test_files_are_read_by_name_and_named_when_they_are() -> None:
    archive = opened(zipped(("b.md", b"B"), ("a.md", TEXT)))
    assert archive.names == ["a.md", "b.md"]
    assert archive.read("a.md") == Upload("a.md", TEXT)
    assert archive.read("b.md").data == b"B"


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (("bank/a.md", "bank/b.md"), ["a.md", "b.md"]),
        (("bank/a.md", "bank/sub/b.md"), ["a.md", "sub/b.md"]),
        (("bank/", "bank/a.md"), ["a.md"]),
        (("bank/a.md", "other/b.md"), ["bank/a.md", "other/b.md"]),
        (("bank/a.md", "b.md"), ["b.md", "bank/a.md"]),
        (("a.md",), ["a.md"]),
        (("bank\\a.md",), ["a.md"]),
        (("bank/a.md", "__MACOSX/bank/._a.md", "bank/.DS_Store"), ["a.md"]),
        ((".git/config", "a.md"), ["a.md"]),
        (("bank/",), []),
        ((), []),
    ],
)
def test_a_folder_around_everything_and_hidden_files_are_not_seen(
    names: tuple[str, ...], shown: list[str]
) -> None:
    archive = opened(zipped(*((name, b"" if name.endswith("/") else b"x") for name in names)))
    assert archive.names == shown
    assert [archive.read(name).name for name in shown] == shown


@pytest.mark.parametrize(
    "name",
    [
        "../a.md",
        "a/../../b.md",
        "/etc/passwd",
        "C:/a.md",
        "c:a.md",
        "..",
        "..\\a.md",
        "\\\\host\\a",
    ],
)
def test_a_name_that_leads_out_is_refused(name: str) -> None:
    with pytest.raises(UnreadableFile, match="leads out of the archive"):
        opened(zipped((name, b"x")))


@pytest.mark.parametrize("name", ["a\nb.md", "a\x1b[31m.md", "a\u202edm.exe"])
def test_a_name_that_cannot_be_shown_is_refused(name: str) -> None:
    with pytest.raises(UnreadableFile, match="has characters that cannot be shown"):
        opened(zipped((name, b"x")))


@pytest.mark.parametrize("name", ["a..md", "a/b..", "C.md", "a/c:d.md", "👩\u200d💻 notes.md"])
def test_a_name_that_only_looks_so_is_read(name: str) -> None:
    archive = opened(zipped((name, b"x"), ("other", b"")))
    assert archive.names == sorted([name, "other"])


@pytest.mark.parametrize(
    "mode", [stat.S_IFLNK | 0o777, stat.S_IFCHR | 0o600, stat.S_IFIFO | 0o600, stat.S_IFSOCK]
)
def test_a_link_and_a_device_are_refused(mode: int) -> None:
    with pytest.raises(UnreadableFile, match=r"'a.md' is a link or a device"):
        opened(zipped((info("a.md", mode), b"/etc/passwd")))


def test_an_encrypted_file_is_refused_with_what_to_do() -> None:
    with pytest.raises(UnreadableFile) as caught:
        opened(encrypted(zipped(("a.md", TEXT))))
    assert "'a.md' is encrypted: unpack it with its password first" in str(caught.value)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_an_uncommon_compression_is_refused(method: int) -> None:
    with pytest.raises(UnreadableFile, match="only 'deflate' is"):
        opened(zipped(("a.md", TEXT), method=method))


def test_a_name_that_is_there_twice_is_refused() -> None:
    with pytest.raises(UnreadableFile, match=r"'a.md' is there twice"):
        opened(zipped(("a.md", b"1"), ("a.md", b"2")))


def test_an_archive_that_unpacks_to_more_than_the_limit_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cms.formats.archive.TOTAL_LIMIT", 10_000_000)
    part = b"\0" * 1_000_000
    files = [(f"{number}.md", part) for number in range(10)]
    assert len(opened(zipped(*files)).names) == len(files)
    bomb = zipped(*files, ("more.md", b"\0"))
    with pytest.raises(UnreadableFile, match=r"Unpacked it has 10,000,001 bytes, .* Split it"):
        opened(bomb)


def test_a_file_that_unpacks_to_more_than_its_own_limit_is_refused_and_named() -> None:
    bomb = zipped(("small.md", TEXT), ("large.md", b"\0" * (FILE_LIMIT + 1)))
    assert len(bomb) < 1_000_000
    with pytest.raises(UnreadableFile, match=r"'large.md' has 200,000,001 bytes .* Split it"):
        opened(bomb)


def test_files_beyond_the_limit_are_refused_before_each_becomes_an_object() -> None:
    """A directory alone, of records that are never looked at."""
    record = LISTED + b"\0" * 42
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFF, 0xFFFF, 46, 0, 0)
    with pytest.raises(UnreadableFile, match=f"more than {FILES_LIMIT:,} files"):
        opened(LOCAL + record * (FILES_LIMIT + 1) + end)


def test_a_file_that_is_larger_than_it_says_is_not_unpacked_beyond_that() -> None:
    """The declared size lies: 100 bytes instead of 150 million."""
    data = zipped(("bomb.md", b"\0" * 150_000_000))
    size = struct.pack("<L", 100)
    data = patched(patched(data, LOCAL, 22, size), LISTED, 24, size)
    archive = opened(data)
    tracemalloc.start()
    with pytest.raises(UnreadableFile, match=r"^bomb.md: This file is damaged in the archive"):
        archive.read("bomb.md")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2_000_000


@pytest.mark.parametrize("at", [0.1, 0.5, 0.9, 0.99])
def test_a_truncated_archive_is_refused_with_what_to_do(at: float) -> None:
    data = zipped(("a.md", os.urandom(2_000)), ("b.md", TEXT))
    with pytest.raises(UnreadableFile, match=r"bank.zip: The archive is damaged .* Pack it again"):
        opened(data[: int(len(data) * at)])


def test_a_damaged_file_is_named_and_the_others_are_read() -> None:
    noise = os.urandom(1_000)
    data = zipped(("a.md", noise), ("b.md", TEXT), method=zipfile.ZIP_STORED)
    archive = opened(data.replace(noise[:10], b"0123456789"))
    with pytest.raises(UnreadableFile, match=r"^a.md: This file is damaged in the archive"):
        archive.read("a.md")
    assert archive.read("b.md").data == TEXT


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (zipped(("a.md", b"x")), True),
        (zipped(), True),
        (b"PK\x03\x04", True),
        (b"", False),
        (b"PK", False),
        (b"uid,stem\r\n", False),
    ],
)
def test_an_archive_is_known_by_its_first_bytes(data: bytes, answer: bool) -> None:
    assert is_archive(Upload("file", data)) is answer


# --- our own -----------------------------------------------------------------------

FILES = [("b.md", TEXT), ("a.md", b"A"), ("größe.md", "é".encode())]


def test_what_is_packed_is_read_again() -> None:
    archive = opened(b"".join(packed(FILES)))
    assert archive.names == ["a.md", "b.md", "größe.md"]
    assert {name: archive.read(name).data for name in archive.names} == dict(FILES)


def test_the_same_files_give_the_same_bytes_at_any_time(monkeypatch: pytest.MonkeyPatch) -> None:
    first = b"".join(packed(FILES))
    monkeypatch.setattr(time, "localtime", lambda *_: time.gmtime(2_000_000_000))
    monkeypatch.setattr(time, "time", lambda: 2_000_000_000.0)
    assert b"".join(packed(FILES)) == first


def test_an_archive_lists_its_files_by_name_compressed_and_as_plain_files() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(packed(FILES)))) as archive:
        entries = archive.infolist()
        assert archive.testzip() is None
    assert [entry.filename for entry in entries] == ["a.md", "b.md", "größe.md"]
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    assert {entry.external_attr >> 16 for entry in entries} == {stat.S_IFREG | 0o644}
    assert entries[1].compress_size < len(TEXT) / 4


def test_packing_holds_one_file_at_a_time_in_memory() -> None:
    files = ((f"{number}.md", os.urandom(500_000)) for number in range(40))
    tracemalloc.start()
    size = sum(map(len, packed(files)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 20_000_000
    assert peak < 5_000_000
