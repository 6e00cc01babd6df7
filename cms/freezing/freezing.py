"""`freeze`: every page, file and export of one release, each asked for once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from flask import Flask
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from cms.errors import WrongState
from cms.freezing.addresses import BEGINNINGS, SEARCH, Addresses, Target
from cms.freezing.asking import Answer, Site
from cms.freezing.folders import Record, SiteFolder
from cms.freezing.pages import imported, relinked
from cms.services import reading
from cms.services.publicaddresses import PublicAddresses, public_addresses
from cms.services.searchindex import index_files

NOT_FOUND = "404.html"
# GitHub Pages would make pages of Markdown files, and leave some files out.
NO_JEKYLL = ".nojekyll"
HTML = "text/html"
# Its page, its history, its data in two formats, and its card.
OF_A_QUESTION = 5  # files

_LOC = re.compile(r"<loc>([^<]*)</loc>")

Tick = Callable[[int, int], object]
"""Told how many files are written, and how many there will be at least."""


@dataclass(slots=True)
class Frozen:
    """What was written. `dead` are links of texts that lead nowhere: the page and the address."""

    release: int
    files: int = 0
    unchanged: int = 0
    bytes: int = 0
    addressed: bool = True
    dead: set[tuple[str, str]] = field(default_factory=set)


def freeze(
    app: Flask, engine: Engine, path: Path, tick: Tick = lambda _done, _known: None
) -> Frozen:
    """Write the public site of `app` into the folder `path`, which it replaces as a whole.

    `engine` is the read-only one. All is read in one transaction, so that it is of one release.

    :raises WrongState: when nothing is published, or the site fails
    :raises InvalidInput: when the folder holds something else, or cannot be written
    """
    with SiteFolder(path) as folder, engine.connect() as snapshot, snapshot.begin():
        with Session(snapshot) as session:
            bank = reading.bank(session)
            shelf = public_addresses(session)
        if not shelf.questions:
            raise WrongState(
                "Nothing is published yet, so that there is nothing to freeze. "
                "Publish some questions first."
            )
        freezer = _Freezer(app, Site(app, snapshot), shelf, folder, tick)
        freezer.write_pages()
        with Session(snapshot) as session:
            for name, data in index_files(session):
                folder.write(f"{SEARCH}{name}", data)
        folder.write(NO_JEKYLL, b"")
        base = app.config["BASE_URL"]
        at = f"{bank.released_at:%Y-%m-%dT%H:%M:%SZ}" if bank.released_at else ""
        folder.finish(
            Record(title=app.config["SITE_NAME"], url=base, release=bank.release, released_at=at)
        )
    return Frozen(
        bank.release, folder.files, folder.unchanged, folder.bytes, bool(base), freezer.dead
    )


class _Freezer:
    """Asks for every address of the shelf, and for each one that a page leads to."""

    def __init__(
        self, app: Flask, site: Site, shelf: PublicAddresses, folder: SiteFolder, tick: Tick
    ) -> None:
        self.dead: set[tuple[str, str]] = set()
        self._site = site
        self._shelf = shelf
        self._folder = folder
        self._tick = tick
        self._base = app.config["BASE_URL"]
        self._addresses = Addresses(app.url_map, shelf, absolute=bool(self._base))
        self._static = Path(app.static_folder or "")
        self._version = cache(self._version_of)
        self._known: set[str] = set()
        self._expected = OF_A_QUESTION * len(shelf.questions)
        self._waiting: list[tuple[Target, str]] = []

    def write_pages(self) -> None:
        """Write everything but the index of the search."""
        # Whether a former address still leads somewhere has to be known before a link to it.
        for address in list(self._former()):
            target = self._addresses.target(address)
            if target is not None and not self._write(target):
                self._addresses.forget(address)
        for address in self._seeds():
            self._meet(self._addresses.target(address), address)
            while self._waiting:
                target, source = self._waiting.pop()
                if not self._write(target):
                    self.dead.add((source, target.ask))
        self._write_not_found()

    def _former(self) -> Iterator[str]:
        yield from (f"/questions/{slug}" for slug in self._shelf.former)
        yield from (f"/tags/{path}" for path in self._shelf.former_tags)

    def _seeds(self) -> Iterator[str]:
        """Yield what the shelf lists."""
        yield from ("/", "/robots.txt", "/schema/question-bank-1.json", "/study/interview?seed=1")
        yield from ("/sitemap.xml", "/opensearch.xml", "/study/list", "/questions/study")
        for slug in self._shelf.questions:
            yield f"/questions/{slug}"
            yield f"/study/cards/{slug}"
        for tag in self._shelf.tags:
            yield f"/tags/{tag}"
            yield f"/tags/{tag}/feed.atom"
            yield f"/study/list?tag={tag}"
        for slug in self._shelf.decks:
            yield f"/decks/{slug}"
            yield f"/decks/{slug}/feed.atom"
            yield f"/study/list?deck={slug}"
        for number in self._shelf.corrections:
            yield f"/corrections/{number}"
        for name in self._shelf.images:
            yield f"/assets/{name}"

    def _meet(self, target: Target | None, source: str) -> None:
        if target is not None and target.file not in self._known:
            self._known.add(target.file)
            self._waiting.append((target, source))

    def _write(self, target: Target) -> bool:
        """Write a file; False where the site has nothing at its address."""
        with self._site.ask(target.ask) as answer:
            if answer.status in {400, 404}:
                return False
            if answer.status not in {200, 301, 410}:
                raise WrongState(
                    f"The site answers {target.ask} with status {answer.status}, so that it "
                    "cannot be frozen. Nothing was changed. The log above says what is wrong there."
                )
            self._known.add(target.file)
            self._keep(target, answer)
        self._tick(self._folder.files, max(self._expected, len(self._known)))
        return True

    def _keep(self, target: Target, answer: Answer) -> None:
        if answer.media_type == HTML:
            html = self._relinked(answer.body.decode(), target)
            self._folder.write(target.file, html.encode())
        elif target.file.startswith(("export/", "decks/")):
            self._folder.write_large(target.file, answer.chunks)
        else:
            body = answer.body
            self._folder.write(target.file, body)
            for address in self._named_in(target, body):
                self._meet(self._addresses.target(address), target.ask)

    def _named_in(self, target: Target, body: bytes) -> Iterator[str]:
        """Yield the addresses of the site that a script, or a sitemap, leads to."""
        if target.file.endswith(".js"):
            for name in imported(body.decode()):
                yield f"/static/{name.removeprefix('./')}"
        elif target.file.startswith("sitemap"):
            for address in _LOC.findall(body.decode()):
                yield address.removeprefix(self._base)

    def _relinked(self, html: str, source: Target) -> str:
        depth = source.file.count("/")
        return relinked(html, lambda address: self._link(address, source, "../" * depth))

    def _link(self, address: str, source: Target, root: str) -> str | None:
        """Return what a link of `source` to an address says; None where no file holds that."""
        anchor = f"#{fragment}" if (fragment := urlsplit(address).fragment) else ""
        path = address.partition("#")[0]
        if beginning := BEGINNINGS.get(path):
            return f"{root}{beginning}"
        target = self._addresses.target(path, source)
        if target is None:
            self.dead.add((source.ask, address))
            return None
        self._meet(target, source.ask)
        query = self._version(target.file) if path.startswith("/static/") else target.query
        return f"{root}{target.address}" + (f"?{query}" if query else "") + anchor or "./"

    def _version_of(self, file: str) -> str:
        """Return what tells a static file from another of its name, whatever build wrote it."""
        data = (self._static / file.removeprefix("static/")).read_bytes()
        return f"v={hashlib.sha256(data).hexdigest()[:12]}"

    def _write_not_found(self) -> None:
        """Write the page for every address that no file has: it stands at all of them at once."""
        source = Target("/404", NOT_FOUND)
        root = urlsplit(self._base).path.rstrip("/") + "/"
        with self._site.ask(source.ask) as answer:
            html = relinked(answer.body.decode(), lambda address: self._link(address, source, root))
        self._folder.write(NOT_FOUND, html.encode())
