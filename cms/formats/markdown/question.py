"""The file of one question: its front matter, its context, its options, its answers."""

from __future__ import annotations

import json
import re
from enum import Enum
from functools import cache, lru_cache
from typing import Any

from msgspec import NODEFAULT, UNSET, Struct
from msgspec.structs import fields, replace

from cms.formats import strict_json, strict_yaml
from cms.formats.assets import names_in
from cms.formats.encoding import decode, opening
from cms.formats.incoming import Upload
from cms.formats.item import (
    ASSET_PATTERN,
    SLUG_LIMIT,
    SLUG_PATTERN,
    AnswerItem,
    Item,
    Line,
    SourceItem,
    Uid,
)
from cms.formats.markdown.options import HEADING, options_text, read_options
from cms.formats.strict_json import JSONFault, convert
from cms.text import normalize_text

ENDING = ".md"

_FRONT = re.compile(
    r"---[ \t]*\n(?P<yaml>.*?)^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE
)
_SLUG = re.compile(SLUG_PATTERN)
_LINES = re.IGNORECASE | re.MULTILINE

_ANSWER = r"##[ \t]+answer[ \t]*(?::(?P<label>.*))?$"
_OPTIONS = r"(?P<options>##[ \t]+options)[ \t]*$"
_SECTION = rf"(?:{_OPTIONS}|{_ANSWER})"
_ANSWER_HEADING = re.compile(rf"^ {{0,3}}{_ANSWER}", _LINES)
_HEADING = re.compile(rf"^ {{0,3}}{_SECTION}", _LINES)
_HEADING_OR_ESCAPED = re.compile(rf"^(?P<indent> {{0,3}})(?P<rest>\\*{_SECTION})", _LINES)
_ESCAPED_HEADING = re.compile(rf"^(?P<indent> {{0,3}})\\(?P<rest>\\*{_SECTION})", _LINES)

# The same for a comment with an object in it, as the first thing below a heading.
_FIRST = r"(?P<indent>(?:[ \t]*\n)* {0,3})"
_COMMENT = re.compile(rf"{_FIRST}<!--[ \t]*(?=\{{)")
_COMMENT_OR_ESCAPED = re.compile(rf"\A{_FIRST}(?P<rest>\\*<!--[ \t]*\{{)")
_ESCAPED_COMMENT = re.compile(rf"\A{_FIRST}\\(?P<rest>\\*<!--[ \t]*\{{)")

FOLDER = "assets"
"""Where the images of a bank's folder are."""
BESIDE = f"{FOLDER}/"
"""What the addresses of images begin with in a file that stands in that folder's parent."""
PLACE = "x-assets"
"""The key of a front matter that says what they begin with in a file that stands alone."""
# The reader of YAML leaves such keys out. An address has nothing in it that YAML would escape.
_PLACE = re.compile(
    rf"^{PLACE}:[ \t]+(?P<quote>[\"']?)(?P<place>[^\s\"']+/)(?P=quote)[ \t]*$", re.MULTILINE
)

_WITH_BACKSLASH, _WITHOUT = r"\g<indent>\\\g<rest>", r"\g<indent>\g<rest>"

# Characters of a file in which a stem, or the first answer, is looked for.
_OPENING = 65_536


class AnswerComment(Struct, kw_only=True, forbid_unknown_fields=True):
    """What the comment below an answer's heading says."""

    uid: Uid | None = None
    applies_to: Line = ""
    sources: list[SourceItem] = []


# --- writing ---------------------------------------------------------------------


def question_text(item: Item, name: str | None, place: str = BESIDE) -> str:
    """Return a question's file; `name` is what it will be called, without its ending.

    What is empty is left out, and so is the slug where the name says it. `place` is what
    the addresses of images begin with; where images do not stand beside a file that shows
    some, its front matter names the place, so that reading knows them again.
    """
    front = plain(replace(item, slug=None if item.slug == name else item.slug or ""))
    front.pop("context", None)
    front.pop("answers", None)
    front.pop("options", None)
    if place != BESIDE:
        if names_in(item):
            front[PLACE] = place
        else:
            place = BESIDE
    parts = [f"---\n{strict_yaml.dumps(front)}---\n"]
    if item.context:
        parts.append(f"{_escaped(item.context, place)}\n")
    if item.options:
        parts.append(f"{HEADING}\n\n{_escaped(options_text(item.options), place)}\n")
    parts += (_answer_text(answer, place) for answer in item.answers)
    return "\n".join(parts)


def _answer_text(answer: AnswerItem, place: str) -> str:
    lines = f"## Answer: {answer.label}\n" if answer.label else "## Answer\n"
    comment = plain(
        AnswerComment(uid=answer.uid, applies_to=answer.applies_to, sources=answer.sources)
    )
    if comment:
        data = json.dumps(comment, ensure_ascii=False, default=str)
        # Only a text in the data can hold what would end the comment, so an escape will do.
        data = re.sub("--(!?)>", r"--\1\\u003e", data)
        lines += f"<!-- {data} -->\n"
    body = _COMMENT_OR_ESCAPED.sub(_WITH_BACKSLASH, answer.body)
    return f"{lines}\n{_escaped(body, place)}\n"


def with_files(text: str, place: str = BESIDE) -> str:
    """Return a text in which images of the bank stand at a place: 'assets/4f…9c.png'.

    What read like that before gets a './' in the middle, which means the same.
    """

    def as_file(found: re.Match[str]) -> str:
        dots = "" if found["scheme"] else f"./{found['dots']}"
        return f"{place}{dots}{found['name']}"

    return _file_or_reference(place).sub(as_file, text)


def with_references(text: str, place: str = BESIDE) -> str:
    """Return a text as it was before `with_files`."""

    def as_reference(found: re.Match[str]) -> str:
        if not found["dots"]:
            return f"asset:{found['name']}"
        return f"{place}{found['dots'][2:]}{found['name']}"

    return _file(place).sub(as_reference, text)


@lru_cache(maxsize=16)
def _file(place: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(place)}(?P<dots>(?:\./)*)(?P<name>{ASSET_PATTERN})")


@lru_cache(maxsize=16)
def _file_or_reference(place: str) -> re.Pattern[str]:
    return re.compile(
        rf"(?:(?P<scheme>asset:)|{re.escape(place)}(?P<dots>(?:\./)*))(?P<name>{ASSET_PATTERN})"
    )


def _escaped(text: str, place: str) -> str:
    return _HEADING_OR_ESCAPED.sub(_WITH_BACKSLASH, with_files(text, place))


def plain(value: Any) -> Any:
    """Return Structs as plain data, without what is empty unless told otherwise."""
    if isinstance(value, Struct):
        return {
            name: plain(held)
            for name, default in _defaults(type(value))
            if (held := getattr(value, name)) is not UNSET and (held or held != default)
        }
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value.value if isinstance(value, Enum) else value


@cache
def _defaults(struct: type[Struct]) -> list[tuple[str, Any]]:
    return [
        (each.name, each.default if each.default_factory is NODEFAULT else each.default_factory())
        for each in fields(struct)
    ]


# --- reading ---------------------------------------------------------------------


def may_be_question(name: str) -> bool:
    """Whether a file's name is that of a question: no other is looked into."""
    return "/" not in name and name.lower().endswith(ENDING)


def looks_like_question(upload: Upload) -> bool:
    """Whether a file begins as a question's does; never raises."""
    text = normalize_text(opening(upload, _OPENING))
    if re.match(r"---[ \t]*\n", text):
        return re.search(r"^stem:", text, re.MULTILINE) is not None
    # The heading alone may stand in anything: in a table's cell, in an article.
    return may_be_question(upload.name) and _ANSWER_HEADING.search(text) is not None


def stated_uid(upload: Upload) -> str | None:
    """Return the uid in a file's front matter, if there is one that can be read.

    :raises UnreadableFile: if the file is no text
    """
    front = _FRONT.match(normalize_text(decode(upload)))
    try:
        values = strict_yaml.loads(front["yaml"]) if front else None
    except JSONFault:
        return None
    return values.get("uid") if isinstance(values, dict) else None


def read_question(upload: Upload) -> Item | None:
    """Return the question of a file; None if there is neither front matter nor an answer.

    :raises UnreadableFile: if the file is no text
    :raises JSONFault: with a line, or a path of the Item, as its place
    """
    text = normalize_text(decode(upload))
    front = _FRONT.match(text)
    if front is None:
        if _ANSWER_HEADING.search(text):
            raise JSONFault(
                "The front matter is missing, or has no end. Begin the file with a line '---', "
                "a line 'stem: ' with the question, and a line '---'.",
                "line 1",
            )
        return None
    item = _front_matter(front["yaml"], upload.name)
    place = _stated_place(front["yaml"])
    headings = list(_HEADING.finditer(text, front.end()))
    starts = [heading.start() for heading in headings] + [len(text)]
    item.context = _unescaped(text[front.end() : starts[0]], place)
    options: re.Match[str] | None = None
    for heading, end in zip(headings, starts[1:], strict=True):
        if heading["options"] is None:
            item.answers.append(_answer(text, heading, end, place))
        elif options is not None:
            raise JSONFault(
                f"The options stand at line {_line(text, options.start())} already. "
                f"Put all of them below one heading '{HEADING}'.",
                f"line {_line(text, heading.start())}",
            )
        else:
            options = heading
            section = _unescaped(text[heading.end() : end], place)
            item.options = read_options(section, _line(text, heading.end()))
    return item


def _line(text: str, place: int) -> int:
    return text.count("\n", 0, place) + 1


def _front_matter(text: str, file_name: str) -> Item:
    values = strict_yaml.loads(text, first_line=2) or {}
    if not isinstance(values, dict):
        raise JSONFault("The front matter has to be made of lines like 'key: value'.", "line 2")
    for key in ("context", "options", "answers"):
        if key in values:
            raise JSONFault("It stands in the text below the front matter. Move it there.", key)
    slug = file_name[: -len(ENDING)] if may_be_question(file_name) else ""
    if _SLUG.fullmatch(slug) and len(slug) <= SLUG_LIMIT:
        values.setdefault("slug", slug)
    return convert(values, Item, strict=False)


def _stated_place(front: str) -> str:
    """Return what the addresses of the bank's images begin with in a file."""
    found = _PLACE.search(front)
    return found["place"] if found else BESIDE


def _answer(text: str, heading: re.Match[str], end: int, place: str) -> AnswerItem:
    answer = AnswerItem(label=heading["label"] or "")
    start = heading.end()
    comment = _COMMENT.match(text, start, end)
    if comment is not None:
        try:
            stated, start = _comment(text, comment.end(), end)
        except JSONFault as fault:
            line = f"line {_line(text, comment.end())}"
            is_path = fault.place.startswith("$.")
            raise JSONFault(fault.problem, f"{line}, {fault.place}" if is_path else line) from None
        answer.uid, answer.applies_to = stated.uid, stated.applies_to
        answer.sources = stated.sources
    answer.body = _unescaped(_ESCAPED_COMMENT.sub(_WITHOUT, text[start:end]), place)
    return answer


def _comment(text: str, start: int, end: int) -> tuple[AnswerComment, int]:
    """Return what the comment with its data at `start` says, and where the text after it begins."""
    close = text.find("-->", start, end)
    rest = text.find("\n", close, end) if close >= 0 else -1
    rest = end if rest < 0 else rest
    if close < 0 or text[close + 3 : rest].strip():
        raise JSONFault("The comment has to end with '-->', and its line with it.")
    return convert(strict_json.loads(text[start:close].strip()), AnswerComment), rest


def _unescaped(text: str, place: str) -> str:
    return with_references(_ESCAPED_HEADING.sub(_WITHOUT, text), place)
