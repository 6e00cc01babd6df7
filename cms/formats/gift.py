r"""GIFT: questions for Moodle as text.

A question is a block of lines without a blank one: a name between double colons,
the text, and in braces what is right. A block of ours:

    // [id:01920000-0000-7000-8000-000000000001] [tag:flask/basics]
    ::What is Flask?::[html]<p>What is Flask?</p>{####<p>A microframework.</p>}

`~ = # { } :` and the backslash get a backslash in front, and a line end is `\n`.
Texts are HTML, as those of Moodle's own editor: Moodle shows Markdown by rules of
its own, in which `<T>` is a tag and `<script>` runs. The model answer is the
general feedback, since an essay has no other place here. Docs:
https://docs.moodle.org/en/GIFT_format
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from cms.formats.checks import Gate
from cms.formats.encoding import decode, opening
from cms.formats.format import Format
from cms.formats.html import to_html, to_markdown
from cms.formats.item import Export, Item, OptionItem, Reading, Row, Upload, gathered
from cms.formats.quiz import (
    ANSWERS_LIMIT,
    AS_HTML,
    DROPS,
    TOO_MANY,
    Asked,
    Choice,
    accepted,
    explanation_html,
    kept_images,
    matched,
    name_of,
    options_of,
    question_html,
    right_options,
    row_of,
    shares,
)
from cms.formats.quiztags import categories, folder_of, labels_of
from cms.text import normalize_text

_SPECIAL = re.compile(r"[\\~=#{}:]")
_ESCAPED = re.compile(r"\\([\\~=#{}:n])")

# --- writing ---------------------------------------------------------------------


def write(export: Export) -> Iterator[bytes]:
    """Write a block for each question, and one for each change of the category."""
    return gathered(_blocks(export))


def _blocks(export: Export) -> Iterator[bytes]:
    category_of = categories(export)
    current = ""
    for entry in export.entries:
        item = entry.item
        category = category_of(item)
        if category != current:
            yield f"$CATEGORY: {category}\n\n".encode()
            current = category
        yield _block(item, entry.url).encode()


def _block(item: Item, url: str) -> str:
    labels = "".join(f" [tag:{label}]" for label in labels_of(item))
    name = f"::{_escaped(name_of(item))}::" if item.stem else ""
    text = _escaped(question_html(item, _address))
    explanation = explanation_html(item, url, _address)
    feedback = f"####{_escaped(explanation)}" if explanation else ""
    if item.options:
        choices = "".join(map(_choice, item.options, _marks_of(item.options)))
        feedback = f"{choices}\n\t{feedback}\n" if feedback else f"{choices}\n"
    return f"// [id:{item.uid}]{labels}\n{name}[html]{text}{{{feedback}}}\n\n"


def _marks_of(options: list[OptionItem]) -> Iterator[str]:
    """Yield what stands before each option. Without any '~' it would be a text to be typed."""
    for share in shares(options):
        plain = {"0": "~", "100": "=" if len(options) > 1 else ""}
        yield plain.get(share) or f"~%{share}%"


def _choice(option: OptionItem, mark: str) -> str:
    feedback = f"#{_html(option.feedback)}" if option.feedback else ""
    return f"\n\t{mark}{_html(option.text)}{feedback}"


def _html(markdown: str) -> str:
    return _escaped(to_html(markdown, _address))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text).replace("\n", r"\n")


def _address(name: str) -> str:
    """Where an image is: nowhere, since a text has no files; but it is known again by its name."""
    return f"asset:{name}"


# --- reading ---------------------------------------------------------------------


class GiftFault(Exception):
    """A block that cannot be read; `args` say what is wrong and what to do."""


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
_ID = re.compile(r"\[id:((?:[^\]\\]|\\.){1,200})\]")
_TAG = re.compile(r"\[tag:((?:[^\]\\]|\\.){1,200})\]")


def _asked(block: Block) -> Asked | None:
    """Return the question of a block; None if it has no braces, so that it asks nothing.

    :raises GiftFault: if it cannot be read
    """
    text = block.text
    name = ""
    if text.startswith("::"):
        end = _find(text, "::", 2)
        if end > 0:
            name, text = _unescaped(text[2:end]), text[end + 2 :].lstrip()
    start, end = _find(text, "{"), _find(text, "}")
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
    general = max(_marks(inside, "####"), default=-1)
    feedback, inside = (
        (inside[general + 4 :], inside[:general].strip()) if general >= 0 else ("", inside)
    )
    kind = _kind(whole.strip(), "moodle")
    identity = _ID.search(block.comment)
    asked = Asked(
        name=name,
        text=_text_html(whole, kind),
        explanation=_text_html(feedback, kind),
        identity=_tag_text(identity[1]) if identity else "",
        labels=[_tag_text(label) for label in _TAG.findall(block.comment)],
    )
    return _answered(asked, inside, kind)


def _answered(asked: Asked, inside: str, kind: str) -> Asked:
    """Return the question with what its braces say, by the rules in which Moodle tries them."""
    is_true = {"T": True, "TRUE": True, "F": False, "FALSE": False}
    if not inside:
        return asked
    if inside.startswith("#"):
        return replace(asked, says=accepted(_numbers(inside[1:], kind)))
    if _find(inside, "~") >= 0:
        choices = (_choice_of(part, kind) for part in _parts(inside, "[~=]"))
        options = options_of(choices, single=_find(inside, "=") >= 0)
        return replace(asked, options=options, says=right_options(options))
    if _find(inside, "->") >= 0 and _find(inside, "=") >= 0:
        return replace(asked, says=matched(_pairs(inside, kind)))
    stated, *feedback = _split(inside, "#", 2)
    if (right := is_true.get(stated.strip())) is not None:
        wrong_said, right_said = (*(_markdown(text, kind) for text in feedback), "", "")[:2]
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
        asked, says=accepted(_choice_of(part, "plain", 100) for part in _parts(inside, "="))
    )


_SHARE = re.compile(r"%(-?[0-9]{1,3}(?:\.[0-9]*)?)%")


def _choice_of(part: str, kind: str, default: float = 0) -> Choice:
    """Return a choice that begins with its mark, or with nothing where it is the first."""
    share = 100 if part.startswith("=") else default
    part = part.lstrip("=~").strip()
    stated = _SHARE.match(part)
    if stated:
        share, part = float(stated[1]), part[stated.end() :]
    text, *feedback = _split(part, "#", 1)
    return Choice(_markdown(text, kind), share, _markdown(feedback[0], kind) if feedback else "")


_NUMBER = re.compile(r"[-+]?(?:[0-9]+(?:[.,][0-9]*)?|[.,][0-9]+)(?:[eE][-+]?[0-9]+)?")


def _numbers(inside: str, kind: str) -> Iterator[Choice]:
    wrong = _find(inside, "~")
    found = False
    for part in _parts(inside if wrong < 0 else inside[:wrong], "="):
        text, *feedback = _split(part.lstrip("=").strip(), "#", 1)
        stated = _SHARE.match(text)
        share = float(stated[1]) if stated else 100
        number = text[stated.end() :] if stated else text
        said = _markdown(feedback[0], kind) if feedback else ""
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
    for part in _parts(inside, "="):
        left, *right = _split(part.lstrip("=").strip(), "->", 1)
        if not right:
            raise GiftFault("A part of this matching question has no '->'. Write '=left -> right'.")
        yield _markdown(left, kind), _markdown(right[0], "plain")


# --- texts with backslashes ---------------------------------------------------------


def _marks(text: str, mark: str) -> Iterator[int]:
    """Yield where a mark stands without a backslash in front; `mark` is a pattern."""
    for found in re.finditer(rf"\\.|{mark}", text, re.DOTALL):
        if not found[0].startswith("\\"):
            yield found.start()


def _find(text: str, mark: str, start: int = 0) -> int:
    """Return where a mark stands first without a backslash in front, -1 if it does not."""
    found = next(_marks(text[start:], re.escape(mark)), -1)
    return found if found < 0 else found + start


def _split(text: str, mark: str, most: int) -> list[str]:
    """Return a text cut at its first `most` marks that have no backslash in front."""
    parts: list[str] = []
    while len(parts) < most and (at := _find(text, mark)) >= 0:
        parts.append(text[:at])
        text = text[at + len(mark) :]
    return [*parts, text]


def _parts(inside: str, marks: str) -> list[str]:
    """Return the answers in braces, each with its mark; the first may have none."""
    starts = sorted({0, *_marks(inside, marks)})
    if len(starts) > ANSWERS_LIMIT:
        raise GiftFault(TOO_MANY)
    parts = [
        inside[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)
    ]
    return [part for part in parts if part]


_KIND = re.compile(r"\[(html|markdown|moodle|plain)\]")


def _kind(text: str, default: str) -> str:
    stated = _KIND.match(text)
    return stated[1] if stated else default


def _text_html(text: str, kind: str) -> str:
    """Return a text as HTML; `kind` holds where it does not say one itself."""
    text = text.strip()
    stated = _KIND.match(text)
    if stated:
        kind, text = stated[1], text[stated.end() :]
    return AS_HTML[kind](_unescaped(text).strip())


def _markdown(text: str, kind: str) -> str:
    return to_markdown(_text_html(text, kind), kept_images(lambda _address: ""))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], text)


def _tag_text(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text).strip()


GIFT = Format(
    name="gift",
    title="GIFT: questions for Moodle as text",
    extension="gift",
    media_type="text/plain; charset=utf-8",
    detect=detect,
    read=read,
    write=write,
    drops=DROPS,
    through_html=True,
    holds="a question bank of Moodle as text that people edit",
    checked_with="`gift-pegjs`, a parser of GIFT",
)
