"""Reading a package, or one item alone: choices and extended texts; the rest is noted."""

from __future__ import annotations

import posixpath
from collections import Counter
from collections.abc import Iterator
from urllib.parse import unquote

from cms.errors import UnreadableFile
from cms.formats.archive import Archive, is_archive
from cms.formats.checks import Gate
from cms.formats.encoding import decode
from cms.formats.html import AssetOf, to_markdown
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.qti.writing import LOM_DIFFICULTY, MANIFEST, UID_PREFIX
from cms.formats.qti.xhtml import to_html
from cms.formats.quiz import (
    ANSWERS_LIMIT,
    TOO_MANY,
    Asked,
    Choice,
    accepted,
    kept_images,
    options_of,
    plain_as_html,
    right_options,
    row_of,
)
from cms.formats.quizimages import Images
from cms.formats.xml import Node, parts, root_name, tree

_ITEM, _PACKAGE = "assessmentItem", "manifest"
# What the types of an item's resource begin with; the version stands behind.
_ITEM_TYPE = "imsqti_item_xmlv2p"
_EXTENDED, _CHOICE = "extendedTextInteraction", "choiceInteraction"
_FEEDBACK = frozenset({"feedbackInline", "feedbackBlock"})
_NOT_TEXT = _FEEDBACK | {"rubricBlock", "stylesheet", "templateBlock", "templateInline"}
# All interactions of QTI 2.1, section 7.
_INTERACTIONS = frozenset(
    f"{name}Interaction"
    for name in (
        *("associate", "choice", "custom", "drawing", "endAttempt", "extendedText", "gapMatch"),
        *("graphicAssociate", "graphicGapMatch", "graphicOrder", "hotspot", "hottext", "media"),
        *("inlineChoice", "match", "order", "positionObject", "selectPoint", "slider", "textEntry"),
        "upload",
    )
)
_LEVELS = {spelled: f"difficulty: {level}" for level, spelled in LOM_DIFFICULTY.items()}
_LEVELS |= {"very easy": "difficulty: easy", "very difficult": "difficulty: hard"}


def detect(upload: Upload) -> bool:
    """Whether it is an item, or an archive whose manifest, or one of whose files, has one."""
    if not is_archive(upload):
        return root_name(upload) == _ITEM
    try:
        archive = Archive(upload)
        if MANIFEST in archive.names:
            return _ITEM_TYPE in decode(archive.read(MANIFEST))
        return any(root_name(archive.read(name)) == _ITEM for name in _xml_files(archive))
    except UnreadableFile:
        return False


def read(upload: Upload) -> Reading:
    """Read a package, an item at a time, in the order of its manifest; or the file of one item.

    :raises UnreadableFile: if the archive or its manifest cannot be read, or a single
        file is no item
    """
    reading = Reading(rows=())
    if is_archive(upload):
        archive = Archive(upload)
        package = _Package(upload.name, reading, archive)
        reading.rows = package.rows(_listed(upload, archive, reading.notes))
        return reading
    root = tree(upload)
    if root.name != _ITEM:
        raise UnreadableFile(
            upload.name,
            f"The outermost element is <{root.name}>, <{_ITEM}> was expected. Import the whole "
            "package as a zip.",
            place="line 1",
        )
    reading.rows = _Package(upload.name, reading).rows([(upload.name, [])], upload)
    return reading


# --- the manifest ------------------------------------------------------------------


def _listed(upload: Upload, archive: Archive, notes: list[str]) -> list[tuple[str, list[str]]]:
    """Return the items of a package, in order: each file's path, and what labels it.

    :raises UnreadableFile: if the manifest cannot be read
    """
    if MANIFEST not in archive.names:
        return [(name, []) for name in _xml_files(archive)]
    items: list[tuple[str, list[str]]] = []
    others: Counter[str] = Counter()
    try:
        # Each resource by itself: there may be many.
        for node in parts(archive.read(MANIFEST), _PACKAGE, depth=2):
            kind = node.attributes.get("type", "")
            path = unquote(node.attributes.get("href", ""))
            if node.name == "resource" and kind.startswith(_ITEM_TYPE) and path:
                items.append((posixpath.normpath(path), list(_labels(node))))
            elif node.name == "resource" and not kind.startswith(("webcontent", "associated")):
                others[kind[:60] or "no type"] += 1
    except UnreadableFile as error:
        place = f"{error.file}, {error.place}" if error.place else error.file
        raise UnreadableFile(upload.name, error.problem, place=place) from None
    for kind, count in sorted(others.items()):
        notes.append(f"Left out: {count:,} of the type '{kind}', which has no question by itself.")
    return items


def _labels(resource: Node) -> Iterator[str]:
    for keyword in resource.descendants("keyword"):
        yield keyword.text.strip()
    for difficulty in resource.descendants("difficulty"):
        level = difficulty.first("value").text.strip().lower()
        if level in _LEVELS:
            yield _LEVELS[level]


def _xml_files(archive: Archive) -> list[str]:
    return [name for name in archive.names if name.lower().endswith(".xml")]


# --- items -------------------------------------------------------------------------


class _Package:
    """The items of one file; those that ask in another way are counted, and noted at the end."""

    def __init__(self, file: str, reading: Reading, archive: Archive | None = None) -> None:
        self._file = file
        self._reading = reading
        self._archive = archive
        self._images = Images(reading)

    def rows(
        self, listed: list[tuple[str, list[str]]], single: Upload | None = None
    ) -> Iterator[Row]:
        gate = Gate()
        left_out: Counter[str] = Counter()
        for path, labels in listed:
            try:
                root = tree(single or self._file_at(path))
            except UnreadableFile as error:
                place = f"{error.file}, {error.place}" if error.place else error.file
                yield Row(place, error=error.problem)
                continue
            if len(list(root.descendants("simpleChoice", "value"))) > ANSWERS_LIMIT:
                yield Row(path, error=TOO_MANY)
                continue
            asked = self._asked(root, path)
            if isinstance(asked, str):
                left_out[asked] += 1
                continue
            asked.labels = labels
            yield row_of(asked, path, gate, self._file, self._asset_of(path))
        for kind, count in sorted(left_out.items()):
            what = "1 item" if count == 1 else f"{count:,} items"
            self._reading.notes.append(f"{what} with {kind} left out: that is not read here.")

    def _file_at(self, path: str) -> Upload:
        if self._archive is None or path not in self._archive.names:
            raise UnreadableFile(
                path[:200], "The manifest lists this file, but the package lacks it."
            )
        return self._archive.read(path)

    def _asked(self, root: Node, path: str) -> Asked | str:
        """Return the question of an item, or what it asks by instead."""
        body = root.first("itemBody")
        interactions = list(body.descendants(*_INTERACTIONS))
        kinds = sorted({each.name for each in interactions})
        if len(interactions) != 1 or kinds[0] not in {_CHOICE, _EXTENDED}:
            return " and ".join(kinds) or "no interaction"
        (interaction,) = interactions
        identifier = root.attributes.get("identifier", "")
        feedback = {
            each.attributes.get("identifier", ""): self._html(each, path)
            for each in root.elements("modalFeedback")
        }
        choices = list(interaction.descendants("simpleChoice"))
        shown = _shown_with(root, {each.attributes.get("identifier", "") for each in choices})
        rubrics = [self._html(each, path) for each in body.descendants("rubricBlock")]
        general = [html for name, html in feedback.items() if name not in shown.values()]
        text = self._html(body, path) + self._html(interaction.first("prompt"), path)
        asked = Asked(
            name=root.attributes.get("title", ""),
            text=text,
            # The answer of an essay may be said twice: to scorers, and once it is handed in.
            explanation="\n".join(dict.fromkeys([*rubrics, *general])),
            identity=identifier.removeprefix(UID_PREFIX),
        )
        if asked.uid is None:
            asked.identity = identifier
        right = _right(root, interaction)
        if interaction.name == _EXTENDED:
            texts = (Choice(to_markdown(plain_as_html(each)), 100) for each in right)
            asked.says = accepted(texts)
            return asked
        asked.options = options_of(
            (self._choice(each, right, feedback, shown, path) for each in choices), single=False
        )
        asked.says = right_options(asked.options)
        return asked

    def _choice(
        self,
        node: Node,
        right: list[str],
        feedback: dict[str, str],
        shown: dict[str, str],
        path: str,
    ) -> Choice:
        identifier = node.attributes.get("identifier", "")
        said = "\n".join(self._html(each, path) for each in node.descendants(*_FEEDBACK))
        asset = self._asset_of(path)
        return Choice(
            to_markdown(self._html(node, path), asset),
            100 if identifier in right else 0,
            to_markdown(said or feedback.get(shown.get(identifier, ""), ""), asset),
        )

    def _html(self, node: Node, path: str) -> str:
        return self._images.without_inline(to_html(node, _NOT_TEXT | _INTERACTIONS), path)

    def _asset_of(self, path: str) -> AssetOf:
        def asset(address: str) -> str:
            name = posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(address)))
            if self._archive is None or name not in self._archive.names:
                self._images.refuse(address, path, "The package lacks it. Export it again.")
                return ""
            try:
                return self._images.address(self._archive.read(name).data, name, path)
            except UnreadableFile as error:
                self._images.refuse(name, path, error.problem)
                return ""

        return kept_images(asset)


def _right(root: Node, interaction: Node) -> list[str]:
    """Return the right responses: those that are called so, else those that are worth something."""
    identifier = interaction.attributes.get("responseIdentifier", "")
    for declaration in root.elements("responseDeclaration"):
        if declaration.attributes.get("identifier") == identifier:
            values = declaration.first("correctResponse").elements("value")
            entries = declaration.first("mapping").elements("mapEntry")
            return [value.text.strip() for value in values] or [
                entry.attributes.get("mapKey", "") for entry in entries if _is_worth(entry)
            ]
    return []


def _is_worth(entry: Node) -> bool:
    try:
        return float(entry.attributes.get("mappedValue", "0")) > 0
    except ValueError:
        return False


def _shown_with(root: Node, choices: set[str]) -> dict[str, str]:
    """Return the feedback that is shown with each choice, as conditions for one choice set it."""
    shown: dict[str, str] = {}
    for condition in root.first("responseProcessing").descendants("responseIf", "responseElseIf"):
        named = [value.text.strip() for value in condition.descendants("baseValue")]
        asked = [name for name in named if name in choices]
        said = [
            value.text.strip()
            for outcome in condition.elements("setOutcomeValue")
            for value in outcome.descendants("baseValue")
            if value.attributes.get("baseType") == "identifier"
        ]
        if len(asked) == 1 and len(said) == 1:
            shown[asked[0]] = said[0]
    return shown
