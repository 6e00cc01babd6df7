"""Notion's export 'Markdown & CSV': a zip of pages, and of a table for each database (read-only).

A page is a file `Title <32 hex digits>.md`; a page of a database has its properties as
lines below the title. Each page of a database is a question: its title asks, its
text answers. Of other pages, one that is a list of questions (toggles, headings)
gives those, and one without pages below it is a question itself.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from csv import DictReader
from csv import Error as CSVError
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import unquote

from cms.errors import InvalidInput, UnreadableFile
from cms.formats.archive import TOTAL_LIMIT, Archive, is_archive
from cms.formats.assets import asset_item
from cms.formats.checks import Gate
from cms.formats.columns import Meaning, meaning_of
from cms.formats.encoding import decode
from cms.formats.format import Format
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import LINE_LIMIT, AnswerItem, Item, ProvenanceItem, SourceItem
from cms.formats.labels import difficulty_named, tag_path
from cms.formats.lists import DROPS as LIST_DROPS
from cms.formats.lists import read as read_list
from cms.text import normalize_line, normalize_text

_ID = re.compile(r"[ _-](?P<id>[0-9a-f]{32})(?:_all)?\.(?P<ending>md|csv)\Z")
_ID_IN_NAME = re.compile(r"[ _-][0-9a-f]{32}(?=\.|\Z|/)")
_PROPERTY = re.compile(r"(?P<name>[^:\n]{1,80}): ?(?P<value>.*)")
_TITLE = re.compile(r"\s*# (?P<title>[^\n]*)\n?")
_LINK = re.compile(
    r"(?P<image>!?)\[(?P<words>[^\[\]\n]{0,500})\]"
    r"\((?P<to>[^()\s]{1,1000}(?:\([^()\s]{0,200}\)[^()\s]{0,200})?)\)"
)
_SPLIT = re.compile(r"[;,]")
_WEB = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)
_NESTED_LIMIT = 50
_NAMES_SHOWN = 5

_PICTURES = frozenset(
    ("png", "jpg", "jpeg", "gif", "webp", "svg", "bmp", "heic", "tif", "tiff", "avif", "ico")
)

DROPS = LIST_DROPS - {"answers.sources"}


@dataclass(slots=True)
class Page:
    """A page: where it lies, its title, its properties as text, its Markdown."""

    name: str
    id: str
    title: str
    properties: dict[str, str] = field(default_factory=dict)
    body: str = ""

    @property
    def folder(self) -> str:
        return str(PurePosixPath(self.name).parent)


class _Files:
    """The files of an export: those of its zip, and of the zips in it."""

    def __init__(self, upload: Upload) -> None:
        outer = Archive(upload)
        self._in: dict[str, tuple[Archive, str]] = {}
        size = 0
        inner = [name for name in outer.names if name.lower().endswith(".zip")]
        if len(inner) > _NESTED_LIMIT:
            raise UnreadableFile(
                upload.name, f"It has {len(inner)} zips in it, the limit is {_NESTED_LIMIT}."
            )
        for name in inner:
            part = outer.read(name)
            archive = Archive(part)
            size += archive.size
            if size > TOTAL_LIMIT:
                raise UnreadableFile(
                    upload.name,
                    f"Unpacked, its parts have more than {TOTAL_LIMIT:,} bytes. Export less "
                    "at once.",
                )
            self._in |= {each: (archive, each) for each in archive.names}
        self._in |= {each: (outer, each) for each in outer.names if each not in inner}

    @property
    def names(self) -> list[str]:
        return sorted(self._in)

    def __contains__(self, name: str) -> bool:
        return name in self._in

    def read(self, name: str) -> Upload:
        archive, inside = self._in[name]
        return archive.read(inside)

    def text(self, name: str) -> str:
        return normalize_text(decode(self.read(name)))


def detect(upload: Upload) -> bool:
    """Whether an archive has pages or tables with the ids that Notion gives them."""
    if not is_archive(upload):
        return False
    try:
        return any(_ID.search(name) for name in _Files(upload).names)
    except UnreadableFile:
        return False


def read(upload: Upload) -> Reading:
    """Read the databases of an export, then its other pages.

    :raises UnreadableFile: if the archive, or a table in it, cannot be read
    """
    if not is_archive(upload):
        decode(upload)
        raise UnreadableFile(
            upload.name, "This is no zip. Export from Notion as 'Markdown & CSV'.", place="line 1"
        )
    files = _Files(upload)
    if not any(_ID.search(name) for name in files.names):
        raise UnreadableFile(
            upload.name,
            "No page of Notion's is in it: their names end with 32 digits and letters. "
            "Export from Notion as 'Markdown & CSV'.",
        )
    reading = Reading(rows=())
    reading.rows = _Export(files, reading).rows()
    return reading


class _Export:
    """The state of one reading."""

    def __init__(self, files: _Files, reading: Reading) -> None:
        self._files = files
        self._reading = reading
        self._gate = Gate()
        self._assets: dict[str, str] = {}
        self._unread: dict[str, list[str]] = {}
        self._done: set[str] = set()
        paths = [PurePosixPath(name) for name in files.names if name.endswith((".md", ".csv"))]
        self._folders = {str(parent) for path in paths for parent in path.parents}

    def rows(self) -> Iterator[Row]:
        pages = [name for name in self._files.names if name.endswith(".md")]
        tables = self._tables()
        for table in tables:
            yield from self._database(table, pages)
        rest = [name for name in pages if name not in self._done]
        for name in rest:
            yield from self._page(name)
        for name in self._files.names:
            if name not in self._done and not name.endswith((".md", ".csv")):
                self._leave(_why(name), name)
        for why, names in self._unread.items():
            others = len(names) - _NAMES_SHOWN
            shown = ", ".join(names[:_NAMES_SHOWN]) + f" and {others:,} more" * (others > 0)
            self._reading.notes.append(f"{why}: {shown}.")

    def _leave(self, why: str, what: str) -> None:
        names = self._unread.setdefault(why, [])
        if what not in names:
            names.append(what[-120:])

    # --- databases ------------------------------------------------------------------

    def _tables(self) -> list[str]:
        """Return the tables; of one that is there twice, the one with all columns and rows."""
        found = [name for name in self._files.names if name.endswith(".csv")]
        whole = {name for name in found if name.endswith("_all.csv")}
        return [name for name in found if f"{name.removesuffix('.csv')}_all.csv" not in whole]

    def _database(self, table: str, pages: list[str]) -> Iterator[Row]:
        database = _ID_IN_NAME.sub("", PurePosixPath(table).stem.removesuffix("_all"))
        try:
            lines = io.StringIO(self._files.text(table), newline="")
            records = list(DictReader(lines, strict=True))
        except CSVError as error:
            yield Row(table, error=f"The table is damaged ({error}). Export it again.")
            return
        except UnreadableFile as error:
            yield Row(table, error=error.problem)
            return
        columns = list(records[0]) if records else []
        folders = _folders_of(table)
        names = (name for name in pages if str(PurePosixPath(name).parent) in folders)
        inside = [self._parsed(name, columns) for name in names]
        by_title: dict[str, list[Page]] = {}
        for page in inside:
            by_title.setdefault(normalize_line(page.title), []).append(page)
        for number, record in enumerate(records, start=1):
            values = {str(key): str(value or "") for key, value in record.items() if key}
            title = normalize_line(values.get(columns[0], ""))
            fitting = by_title.get(title, [])
            alike = max(fitting, key=lambda page: _alike(page, values), default=None)
            if alike is not None:
                fitting.remove(alike)
                self._done.add(alike.name)
            elif not any(values.values()):
                continue
            page = alike or Page(f"{table}, row {number}", "", title)
            page.properties = {key: values[key] for key in columns[1:]}
            yield self._row(page, database, number)
        for page in (page for some in by_title.values() for page in some):
            self._done.add(page.name)
            yield self._row(page, database, None)

    def _parsed(self, name: str, columns: list[str]) -> Page:
        match = _ID.search(name)
        text = self._files.text(name)
        head = _TITLE.match(text)
        title = head["title"] if head else _ID_IN_NAME.sub("", PurePosixPath(name).stem)
        page = Page(name, match["id"] if match else "", title)
        lines = (text[head.end() :] if head else text).lstrip("\n").split("\n")
        while lines and (found := _PROPERTY.fullmatch(lines[0])) and found["name"] in columns:
            page.properties[found["name"]] = found["value"]
            lines.pop(0)
        page.body = "\n".join(lines)
        return page

    def _row(self, page: Page, database: str, ordinal: int | None) -> Row:
        item = Item(
            stem=page.title,
            provenance=ProvenanceItem(
                source=database[:LINE_LIMIT] or "Notion",
                external_id=page.id or None,
                ordinal=ordinal,
            ),
        )
        answer = AnswerItem()
        written = ""
        for name, value in page.properties.items():
            meaning = meaning_of(name)
            if not value.strip():
                continue
            match meaning:
                case Meaning.tags | Meaning.tag:
                    parts = (part.split("/") for part in _SPLIT.split(value))
                    item.tags += filter(None, (tag_path(*part) for part in parts))
                case Meaning.difficulty if difficulty_named(value):
                    item.difficulty = difficulty_named(value)
                case Meaning.answer:
                    written = value
                case Meaning.context:
                    item.context = value
                case Meaning.sources if re.match("https?://", value):
                    found = re.findall(r"https?://\S+", value)
                    answer.sources = [SourceItem(url=url) for url in found]
                case _:
                    self._leave("Left out, properties that no question has here", name)
        body = self._linked(page, page.body)
        answer.body = "\n\n".join(filter(None, (written.strip(), body.strip("\n"))))
        item.answers = [answer] if answer.body.strip() else []
        unsaid = {name for name in ("context", "difficulty", "tags") if not getattr(item, name)}
        if not item.answers:
            unsaid |= {"answers", "answers[0].body"}
        return self._gate.row(page.name, item, drops=DROPS | unsaid | {"options"})

    # --- pages ------------------------------------------------------------------------

    def _page(self, name: str) -> Iterator[Row]:
        self._done.add(name)
        try:
            page = self._parsed(name, [])
        except UnreadableFile as error:
            yield Row(name, error=error.problem)
            return
        text = self._linked(page, page.body)
        listed = self._listed(page, text)
        if listed:
            yield from listed
        elif self._folders & _folders_of(name):
            self._leave("Left out, pages that only lead to others", page.title or name)
        elif not text.strip() and not page.title.rstrip().endswith("?"):
            self._leave("Left out, pages without text", page.title or name)
        else:
            above = _ID_IN_NAME.sub("", PurePosixPath(page.folder).name)
            yield self._row(page, above.strip(".") or "Notion", None)

    def _listed(self, page: Page, text: str) -> list[Row]:
        """Return the questions that a page lists, if it is a list of some."""
        try:
            reading = read_list(Upload(page.name, f"# {page.title}\n\n{text}".encode()))
        except UnreadableFile:
            return []
        rows = list(reading.rows)
        if sum(bool(row.item and row.item.stem.endswith("?")) for row in rows) < 2:
            return []
        self._reading.notes += [f"{page.title}: {note}" for note in reading.notes]
        for row in rows:
            row.place = f"{page.name}, {row.place}"
        return rows

    # --- images and links ----------------------------------------------------------------

    def _linked(self, page: Page, text: str) -> str:
        """Return a text that shows the export's images, without links into the export."""

        def replaced(match: re.Match[str]) -> str:
            words, to = match["words"], match["to"]
            if _WEB.match(to):
                if match["image"]:
                    self._leave("Images that lie elsewhere stay links to them", to)
                return match[0]
            target = _resolved(page.folder, unquote(to.partition("#")[0]))
            if target not in self._files:
                return match[0]
            if match["image"] or PurePosixPath(target).suffix.lower()[1:] in _PICTURES:
                asset = self._asset(target)
                return f"![{words}](asset:{asset})" if asset else words
            self._leave("Links to other pages and files of the export are words now", target)
            return words

        return _LINK.sub(replaced, text)

    def _asset(self, name: str) -> str:
        """Take an image in, and return its name as an asset; '' for one that the bank refuses."""
        self._done.add(name)
        if name not in self._assets:
            try:
                item = asset_item(self._files.read(name).data)
            except InvalidInput as error:
                self._assets[name] = ""
                self._leave(f"An image was left out, its words kept. {error}", name)
            else:
                self._assets[name] = item.name
                if all(asset.name != item.name for asset in self._reading.assets):
                    self._reading.assets.append(item)
        return self._assets[name]


def _why(name: str) -> str:
    is_picture = PurePosixPath(name).suffix.lower()[1:] in _PICTURES
    return f"Left out, {'images that no question shows' if is_picture else 'files of other kinds'}"


def _folders_of(name: str) -> set[str]:
    """Return the folders in which a table's or page's own pages may lie: they are named like it."""
    path = PurePosixPath(name)
    whole = path.stem.removesuffix("_all")
    return {str(path.parent / whole), str(path.parent / _ID_IN_NAME.sub("", whole))}


def _alike(page: Page, values: dict[str, str]) -> int:
    """Return how many of a page's properties a row of the table has, too."""
    own = page.properties.items()
    return sum(values.get(name, "").strip() == value.strip() for name, value in own)


def _resolved(folder: str, path: str) -> str:
    parts: list[str] = [] if folder == "." else folder.split("/")
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in {"", "."}:
            parts.append(part)
    return "/".join(parts)


NOTION = Format(
    name="notion",
    title="Notion's 'Markdown & CSV' (read-only)",
    extension="notion.zip",
    media_type="application/zip",
    detect=detect,
    read=read,
    drops=DROPS,
    holds="databases of questions with their properties, pages and images",
    checked_with="exports built as Notion's are",
)
