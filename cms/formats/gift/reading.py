"""Reading GIFT: what Moodle makes of each block, and what it refuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cms.formats.checks import Gate
from cms.formats.encoding import decode, opening
from cms.formats.gift.texts import (
    GiftFault,
    find,
    kind_of,
    markdown,
    marks,
    parts,
    split,
    tag_text,
    text_html,
    unescaped,
)
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import OptionItem
from cms.formats.quiz import (
    Asked,
    Choice,
    accepted,
    kept_images,
    matched,
    options_of,
    right_options,
    row_of,
)
from cms.formats.quiztags import folder_of
from cms.text import normalize_text


@dataclass(slots=True)
class Block:
    """Lines up to a blank one: the comments among them, and the text, which begins at `line`."""

    comment: str
    text: str
    line: int


_CATEGORY = "$CATEGORY:"
_FIRST_ANSWER = re.compile(r"[\w?.!:)\]>]\s*\{\s*(?:[=~]|#\s*[=%\d.-]|(?:T|F|TRUE|FALSE)\s*[#}])")


def detect(upload: Upload) -> bool:
    """Whether it begins with a category, a name or an id, or its first block has choices."""
    blocks = _blocks_of(normalize_text(opening(upload)))
    first = next((block for block in blocks if block.text or _has_id(block.comment)), None)
    if first is None:
        return False
    named = first.text.startswith("::") and first.text.find("::", 2) > 0
    signed = named or first.text.startswith(_CATEGORY) or _has_id(first.comment)
    return signed or _FIRST_ANSWER.search(first.text) is not None


def _has_id(comment: str) -> bool:
    return "[id:" in comment or comment.startswith("// question:")


def read(upload: Upload) -> Reading:
    """Read GIFT, a block at a time; what only describes is no question, and is counted.

    :raises UnreadableFile: if the file is no text
    """
    reading = Reading(rows=())
    reading.rows = _rows(upload.name, normalize_text(decode(upload)), reading.notes)
    return reading


def _rows(file: str, text: str, notes: list[str]) -> Iterator[Row]:
    gate = Gate()
    folder: list[str] = []
    described: list[int] = []
    for block in _blocks_of(text):
        if block.text.startswith(_CATEGORY):
            folder = folder_of(block.text.removeprefix(_CATEGORY).strip())
            continue
        place = f"line {block.line}"
        try:
            asked = _asked(block)
        except GiftFault as fault:
            yield Row(place, error=str(fault))
            continue
        if asked is not None:
            asked.folder = folder
            yield row_of(asked, place, gate, file, kept_images(lambda _address: ""))
        elif block.text:
            described.append(block.line)
    if described:
        what = "1 text" if len(described) == 1 else f"{len(described):,} texts"
        notes.append(
            f"{what} without braces left out, the first at line {described[0]}: such a block "
            "describes and asks nothing. A question ends with '{}'."
        )


def _blocks_of(text: str) -> Iterator[Block]:
    comments: list[str] = []
    lines: list[str] = []
    first = 0
    for number, line in enumerate(text.split("\n"), start=1):
        bare = line.strip()
        if bare.startswith("//"):
            comments.append(bare)
        elif bare:
            first = first if lines else number
            lines.append(bare)
        elif lines or comments:
            yield Block("\n".join(comments), "\n".join(lines), first or number)
            comments, lines, first = [], [], 0
    if lines or comments:
        yield Block("\n".join(comments), "\n".join(lines), first)


# Moodle keeps 100 characters of an id and 50 of a tag.
_ID = re.compile(r"\[id:((?:[^\]\\]|\\.){1,200}+)\]")
_TAG = re.compile(r"\[tag:((?:[^\]\\]|\\.){1,200}+)\]")


def _asked(block: Block) -> Asked | None:
    """Return the question of a block; None if it has no braces, so that it asks nothing.

    :raises GiftFault: if it cannot be read
    """
    text = block.text
    name = ""
    if text.startswith("::"):
        end = find(text, "::", 2)
        if end > 0:
            name, text = unescaped(text[2:end]), text[end + 2 :].lstrip()
    start, end = find(text, "{"), find(text, "}")
    if start < 0 and end < 0:
        return None
    if not 0 <= start < end:
        raise GiftFault(
            "A brace stands alone here. Answers stand between '{' and '}'; "
            "a brace that is text gets a backslash in front."
        )
    before, inside, after = text[:start], text[start + 1 : end].strip(), text[end + 1 :].strip()
    # What follows the answers is the rest of a sentence with a gap.
    whole = f"{before}_____ {after}" if after else before
    general = max(marks(inside, "####"), default=-1)
    feedback, inside = (
        (inside[general + 4 :], inside[:general].strip()) if general >= 0 else ("", inside)
    )
    kind = kind_of(whole.strip(), "moodle")
    identity = _ID.search(block.comment)
    asked = Asked(
        name=name,
        text=text_html(whole, kind),
        explanation=text_html(feedback, kind),
        identity=tag_text(identity[1]) if identity else "",
        labels=[tag_text(label) for label in _TAG.findall(block.comment)],
    )
    return _answered(asked, inside, kind)


def _answered(asked: Asked, inside: str, kind: str) -> Asked:
    """Return the question with what its braces say, by the rules in which Moodle tries them."""
    is_true = {"T": True, "TRUE": True, "F": False, "FALSE": False}
    if not inside:
        return asked
    if inside.startswith("#"):
        return replace(asked, says=accepted(_numbers(inside[1:], kind)))
    if find(inside, "~") >= 0:
        choices = (_choice_of(part, kind) for part in parts(inside, "[~=]"))
        options = options_of(choices, single=find(inside, "=") >= 0)
        return replace(asked, options=options, says=right_options(options))
    if find(inside, "->") >= 0 and find(inside, "=") >= 0:
        return replace(asked, says=matched(_pairs(inside, kind)))
    stated, *feedback = split(inside, "#", 2)
    if (right := is_true.get(stated.strip())) is not None:
        wrong_said, right_said = (*(markdown(text, kind) for text in feedback), "", "")[:2]
        options = [
            OptionItem(
                text=text,
                correct=value is right,
                feedback=right_said if value is right else wrong_said,
            )
            for text, value in (("True", True), ("False", False))
        ]
        return replace(asked, options=options, says="True." if right else "False.")
    return replace(
        asked, says=accepted(_choice_of(part, "plain", 100) for part in parts(inside, "="))
    )


_SHARE = re.compile(r"%(-?[0-9]{1,3}(?:\.[0-9]*)?)%")


def _choice_of(part: str, kind: str, default: float = 0) -> Choice:
    """Return a choice that begins with its mark, or with nothing where it is the first."""
    share = 100 if part.startswith("=") else default
    part = part.lstrip("=~").strip()
    stated = _SHARE.match(part)
    if stated:
        share, part = float(stated[1]), part[stated.end() :]
    text, *feedback = split(part, "#", 1)
    return Choice(markdown(text, kind), share, markdown(feedback[0], kind) if feedback else "")


_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][-+]?[0-9]+)?")


def _numbers(inside: str, kind: str) -> Iterator[Choice]:
    wrong = find(inside, "~")
    found = False
    for part in parts(inside if wrong < 0 else inside[:wrong], "="):
        text, *feedback = split(part.lstrip("=").strip(), "#", 1)
        stated = _SHARE.match(text)
        share = float(stated[1]) if stated else 100
        number = text[stated.end() :] if stated else text
        said = markdown(feedback[0], kind) if feedback else ""
        found = True
        yield Choice(_number(number.strip()), share, said)
    if not found:
        raise GiftFault("No number stands behind the '#'. Write one, such as '{#3.14:0.01}'.")


def _number(text: str) -> str:
    least, dots, most = text.partition("..")
    number, colon, tolerance = text.partition(":")
    stated = (least, most) if dots else (number, tolerance) if colon else (text,)
    if not all(_NUMBER.fullmatch(each.strip()) for each in stated):
        raise GiftFault(f"'{text[:40]}' is not a number. Write one, such as '{{#3.14:0.01}}'.")
    if dots:
        return f"{least.strip()} to {most.strip()}"
    if colon and tolerance.strip().strip("0."):
        return f"{number.strip()} ± {tolerance.strip()}"
    return number.strip()


def _pairs(inside: str, kind: str) -> Iterator[tuple[str, str]]:
    for part in parts(inside, "="):
        left, *right = split(part.lstrip("=").strip(), "->", 1)
        if not right:
            raise GiftFault("A part of this matching question has no '->'. Write '=left -> right'.")
        yield markdown(left, kind), markdown(right[0], "plain")
