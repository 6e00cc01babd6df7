"""Tags of the bank as the labels and categories of other programs, and labels as tags."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from slugify import slugify

from cms.formats.item import PATH_PATTERN, SLUG_LIMIT, Item
from cms.formats.outgoing import Export
from cms.vocabulary import Difficulty

_PATH = re.compile(PATH_PATTERN)
_DIFFICULTY = "difficulty: "


def labels_of(item: Item) -> list[str]:
    """Return the tags of a question, and its difficulty as one: teachers choose by tags."""
    return [*item.tags, *([f"{_DIFFICULTY}{item.difficulty}"] if item.difficulty else ())]


def categories(export: Export) -> Callable[[Item], str]:
    """Return what says a question's category: the release, and in it the question's first tag.

    An import into Moodle adds, and never updates: with a category for each release
    nobody takes the old ones for the new ones.
    """
    title = export.bank.title or "Question bank"
    if export.deck is not None:
        title += f": {export.deck.title}"
    release = f"{title}, release {export.bank.release}"
    names = {tag.slug: tag.name for tag in export.tags if tag.name}

    def category_of(item: Item) -> str:
        parts = item.tags[0].split("/") if item.tags else []
        paths = ("/".join(parts[: depth + 1]) for depth in range(len(parts)))
        levels = [names.get(path, path.rpartition("/")[2]) for path in paths]
        return "/".join(["$course$", "top", *map(_escaped, [release, *levels])])

    return category_of


def _escaped(name: str) -> str:
    """Return a category's name in a path: Moodle doubles a slash, and none may end it."""
    return name.strip("/ ").replace("/", "//") or "-"


_ONE_SLASH = re.compile("(?<!/)/(?!/)")


def folder_of(category: str) -> list[str]:
    """Return the names of a category's path, without those that every path begins with."""
    parts = [part.replace("//", "/").strip() for part in _ONE_SLASH.split(category)]
    while parts and (parts[0] in {"", "top"} or re.fullmatch(r"\$\w+\$", parts[0])):
        del parts[0]
    return parts


def difficulty_and_tags(labels: Iterable[str]) -> tuple[Difficulty | None, list[str]]:
    """Return what labels say: the difficulty, and the paths of tags, each once."""
    difficulty = None
    tags: dict[str, None] = {}
    for label in map(str.strip, labels):
        level = label.lower().removeprefix(_DIFFICULTY.strip()).strip()
        if label.lower().startswith(_DIFFICULTY.strip()) and level in list(Difficulty):
            difficulty = Difficulty(level)
        elif path := tag_path(label):
            tags[path] = None
    return difficulty, list(tags)


def tag_path(label: str) -> str:
    """Return the path of the tag that a label means: 'Chapter 1/Cookies' is 'chapter-1/cookies'.

    A path stays as it is. '' is a label in which nothing is a word; the names of
    levels that make the path too long are left out.
    """
    if _PATH.fullmatch(label) and len(label) <= SLUG_LIMIT:
        return label
    path = ""
    for part in label.split("/"):
        longer = f"{path}/{slugify(part)}".strip("/")
        if len(longer) > SLUG_LIMIT:
            break
        path = longer
    return path
