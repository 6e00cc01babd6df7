"""Where a page of the site stands as a file, and what a link to it becomes.

An address keeps its path: `/questions/what-is-flask` is `questions/what-is-flask/index.html`, which
every static host and the simplest server answer under that address. What the site reads from a
query becomes a part of the path (`/questions/page/2/`, `/questions/difficulty/easy/`) or is
dropped where it only says where the reader came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

from werkzeug.exceptions import HTTPException
from werkzeug.routing import Map, RequestRedirect

from cms.services.publicaddresses import PublicAddresses

# What a cursor's parameter is called in the path of a later page.
CURSORS = {"after": "page", "before": "changes"}
INDEX = "index.html"
SEARCH = "search/"
# Links to these are completed by scripts: a card's name follows, or that of a piece of the index.
BEGINNINGS = {"/study/cards/": "study/cards/", f"/{SEARCH}": SEARCH}

_DATA = {"public.question_json": ".json", "public.question_markdown": ".md"}
_SELECTED = {
    "public.questions": "questions/",
    "public.study_questions": "questions/study/",
    "public.study_list": "study/list/",
}
_AS_THEY_ARE = frozenset(
    f"public.{name}"
    for name in (
        *("home", "tags", "decks", "study", "corrections", "exports"),
        *("feed", "corrections_feed", "sitemap", "sitemap_part", "robots", "opensearch"),
        *("schema", "csv_schema", "export_bank"),
    )
)
# What lists are made for machines: without the site's own address they say nothing.
_ABSOLUTE = frozenset(
    f"public.{name}"
    for name in (
        *("feed", "corrections_feed", "tag_feed", "deck_feed"),
        *("sitemap", "sitemap_part", "opensearch"),
    )
)


@dataclass(frozen=True, slots=True)
class Target:
    """A file of the frozen site: `ask` is the address of the site that it holds.

    `base` is the file of its list's first page, `number` counts the pages that `cursor` leads to.
    `query` stays in links to it, for a script to read.
    """

    ask: str
    file: str
    base: str = ""
    cursor: str = ""
    number: int = 1
    query: str = field(default="", compare=False)

    @property
    def address(self) -> str:
        """What a link to it says, from the root of the site on."""
        return self.file.removesuffix(INDEX)


class Addresses:
    """The files of one frozen site."""

    def __init__(self, routes: Map, shelf: PublicAddresses, *, absolute: bool) -> None:
        self.shelf = shelf
        self._routes = routes.bind("localhost")
        self._absolute = absolute
        # Tags have every path that reads like one of later pages: they keep theirs.
        self._tag_pages = _free_word(CURSORS["after"], shelf.tags)
        self._found = lru_cache(20_000)(self._find)

    def target(self, address: str, source: Target | None = None) -> Target | None:
        """Return the file that holds an address of the site; None where there is none.

        A link to the following page of a list counts on from its `source`.
        """
        parts = urlsplit(urljoin(source.ask if source else "/", address))
        found = self._found(parts.path, parts.query)
        if found is None or not found.cursor:
            return found
        if source is None or source.base != found.base:
            return self._found(parts.path, "")
        number = source.number + 1 if source.cursor == found.cursor else 2
        folder = found.base.removesuffix(INDEX)
        word = self._tag_pages if folder.startswith("tags/") else CURSORS[found.cursor]
        return replace(found, file=f"{folder}{word}/{number}/{INDEX}", number=number)

    def forget(self, former: str) -> None:
        """Take out an address of the past that leads nowhere any more."""
        self.shelf.former.pop(former.removeprefix("/questions/"), None)
        self.shelf.former_tags.pop(former.removeprefix("/tags/"), None)
        self._found.cache_clear()

    def _find(self, path: str, query: str) -> Target | None:
        try:
            endpoint, values = self._routes.match(unquote(path), method="GET")
        except RequestRedirect as redirect:
            return self._found(urlsplit(redirect.new_url).path, query)
        except HTTPException:
            return None
        asked = {name: given[-1] for name, given in parse_qs(query).items()}
        return self._of(endpoint, path, values, asked, query)

    def _of(
        self, endpoint: str, path: str, values: Mapping[str, Any], asked: dict[str, str], query: str
    ) -> Target | None:
        shelf = self.shelf
        name = str(values.get("slug") or values.get("path") or values.get("number") or "")
        match endpoint:
            case _ if endpoint in _ABSOLUTE and not self._absolute:
                return None
            case "static":
                return Target(path, path[1:])
            case "public.image":
                return Target(path, path[1:]) if values["name"] in shelf.images else None
            case "public.question":
                known = name in shelf.questions or name in shelf.former
                return _page(path) if known else None
            case "public.question_json" | "public.question_markdown":
                file = f"questions/{name}{_DATA[endpoint]}"
                return Target(path, file) if name in shelf.questions else None
            case "public.question_history":
                return self._paged(path, asked) if name in shelf.questions else None
            case "public.study_card":
                return Target(path, f"{path[1:]}.html") if name in shelf.questions else None
            case "public.tag" | "public.study_tag":
                return self._paged(path, asked) if self._is_tag(path, name) else None
            case "public.tag_feed":
                return Target(path, path[1:]) if name in shelf.tags else None
            case "public.deck" | "public.study_deck":
                return self._paged(path, asked) if name in shelf.decks else None
            case "public.export_deck" | "public.deck_feed":
                # The extension of 'x.moodle.xml' begins at the first dot; no slug has one.
                known = name.partition(".")[0] in shelf.decks
                return Target(path, path[1:]) if known and not asked else None
            case "public.correction":
                return _page(path) if name in shelf.corrections else None
            case "public.interview":
                drawn = "seed" in asked
                ask = f"{path}?seed=1" if drawn else path
                return Target(ask, f"{path[1:]}{'/draw' if drawn else ''}/{INDEX}", query=query)
            case "public.questions" if "tag" in asked:
                return self._found(f"/tags/{asked['tag']}", "")
            case _ if endpoint in _SELECTED:
                return self._selected(endpoint, path, asked)
            case "public.corrections":
                return self._paged(path, asked)
            case "public.export_bank":
                return None if asked else Target(path, path[1:])
            case _ if endpoint in _AS_THEY_ARE:
                return _page(path) if path.endswith("/") else Target(path, path[1:])
        return None

    def _is_tag(self, path: str, name: str) -> bool:
        """Whether a tag has, or had, this path; `…/study` may be one, or the cards of one."""
        own = path.removeprefix("/tags/")
        return any(
            each in tags
            for each in (own, name)
            for tags in (self.shelf.tags, self.shelf.former_tags)
        )

    def _selected(self, endpoint: str, path: str, asked: dict[str, str]) -> Target | None:
        """Return the file of what one deck, tag or difficulty selects; others go."""
        folder = _SELECTED[endpoint]
        known = {"deck": self.shelf.decks, "tag": self.shelf.tags, "difficulty": None}
        name = next((name for name in known if asked.get(name)), None)
        ask = path
        if name is not None:
            among = known[name]
            if among is not None and asked[name] not in among:
                return None
            folder += f"{name}/{asked[name]}/"
            ask += f"?{name}={asked[name]}"
        if endpoint == "public.study_list":
            return Target(ask, f"{folder}all.json" if name is None else f"{folder[:-1]}.json")
        return self._paged(ask, asked, f"{folder}{INDEX}")

    def _paged(self, ask: str, asked: dict[str, str], base: str = "") -> Target:
        """Return the page of a list; `target` says which number one with a cursor has."""
        base = base or _page(ask).file
        for name in CURSORS:
            if cursor := asked.get(name):
                mark = "&" if "?" in ask else "?"
                return Target(f"{ask}{mark}{name}={cursor}", base, base, name)
        return Target(ask, base, base)


def _page(path: str) -> Target:
    trimmed = path.strip("/")
    return Target(path, f"{trimmed}/{INDEX}" if trimmed else INDEX)


def _free_word(word: str, tags: dict[str, None]) -> str:
    """Return a word that stands in no tag's path, so that a page never takes a tag's place."""
    while any(f"/{word}/" in path for path in tags):
        word += "s"
    return word
