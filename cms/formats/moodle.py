"""Moodle XML: what Moodle's question bank exports and imports, images included.

Written by hand in the shape of Moodle's own exports (4.5). An essay has the model
answer where whoever grades it looks, a choice has it as its general feedback.
Docs: https://docs.moodle.org/en/Moodle_XML_format
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from functools import partial
from html import escape
from urllib.parse import unquote

from cms.formats.checks import Gate
from cms.formats.format import Format, Purpose
from cms.formats.html import AssetAddress, to_html, to_markdown
from cms.formats.incoming import Reading, Row, Upload
from cms.formats.item import ASSET_PATTERN, Item, OptionItem
from cms.formats.outgoing import Export, gathered
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
    moodle_name,
    options_of,
    plain_as_html,
    question_html,
    right_options,
    row_of,
    shares,
)
from cms.formats.quizimages import Images
from cms.formats.quiztags import categories, folder_of, labels_of
from cms.formats.xml import Node, parts, root_name

_FILES = "@@PLUGINFILE@@/"
_FILE = re.compile(rf"{_FILES}({ASSET_PATTERN})")

# --- writing ---------------------------------------------------------------------


def write(export: Export) -> Iterator[bytes]:
    """Write each question as an essay or a choice, and its category where that changes."""
    return gathered(_pieces(export))


def _pieces(export: Export) -> Iterator[bytes]:
    def address(name: str) -> str:
        return f"{_FILES}{name}" if export.asset(name) else f"asset:{name}"

    category_of = categories(export)
    current = ""
    yield b'<?xml version="1.0" encoding="UTF-8"?>\n<quiz>\n'
    for entry in export.entries:
        item = entry.item
        category = category_of(item)
        if category != current:
            path = f"<category>{_text(category)}</category>"
            yield f'<question type="category">\n  {path}\n</question>\n'.encode()
            current = category
        fields = _fields(item, entry.url, export, address)
        kind = "multichoice" if item.options else "essay"
        lines = "".join(f"  {field}\n" for field in fields)
        yield f'<question type="{kind}">\n{lines}</question>\n'.encode()
    yield b"</quiz>\n"


def _fields(item: Item, url: str, export: Export, address: AssetAddress) -> Iterator[str]:
    html = partial(_html, export=export)
    explanation = explanation_html(item, url, address)
    chosen = bool(item.options)
    yield f"<name>{_text(moodle_name(item))}</name>"
    yield html("questiontext", question_html(item, address))
    yield html("generalfeedback", explanation if chosen else "")
    yield "<defaultgrade>1</defaultgrade>"
    yield f"<penalty>{'0.3333333' if chosen else '0'}</penalty>"
    yield "<hidden>0</hidden>"
    yield f"<idnumber>{escape(item.uid or '')}</idnumber>"
    if chosen:
        single = sum(option.correct for option in item.options) == 1
        yield f"<single>{'true' if single else 'false'}</single>"
        yield "<shuffleanswers>true</shuffleanswers>"
        yield "<answernumbering>abc</answernumbering>"
        for option, share in zip(item.options, shares(item.options), strict=True):
            feedback = html("feedback", to_html(option.feedback, address))
            text = to_html(option.text, address)
            yield html("answer", text, f' fraction="{share}"', feedback)
    else:
        yield "<responseformat>editor</responseformat>"
        yield "<responserequired>1</responserequired>"
        yield "<responsefieldlines>15</responsefieldlines>"
        yield "<attachments>0</attachments>"
        yield html("graderinfo", explanation)
        yield html("responsetemplate", "")
    labels = "".join(f"<tag>{_text(label)}</tag>" for label in labels_of(item))
    yield f"<tags>{labels}</tags>"


def _html(name: str, html: str, attributes: str = "", more: str = "", *, export: Export) -> str:
    """Return a field with the images that its text shows."""
    files = "".join(_file(name, export) for name in dict.fromkeys(_FILE.findall(html)))
    return f'<{name}{attributes} format="html">{_text(html)}{files}{more}</{name}>'


def _file(name: str, export: Export) -> str:
    asset = export.asset(name)
    if asset is None:
        return ""
    data = b64encode(asset.data).decode()
    return f'<file name="{name}" path="/" encoding="base64">{data}</file>'


def _text(text: str) -> str:
    if escape(text) == text:
        return f"<text>{text}</text>"
    return f"<text><![CDATA[{text.replace(']]>', ']]]]><![CDATA[>')}]]></text>"


# --- reading ---------------------------------------------------------------------

# What asks nothing, or asks in a way that no answer and no options can hold.
_KINDS = {"essay", "multichoice", "truefalse", "shortanswer", "numerical", "matching"}
_AS_MOODLE_SAYS = {
    "html": "html",
    "markdown": "markdown",
    "moodle_auto_format": "moodle",
    "plain_text": "plain",
}


def detect(upload: Upload) -> bool:
    """Whether the outermost element is a quiz."""
    return root_name(upload) == "quiz"


def read(upload: Upload) -> Reading:
    """Read a quiz, a question at a time; kinds of questions that are not read are counted.

    :raises UnreadableFile: while it is read, with the line, if it is not well-formed XML
    """
    reading = Reading(rows=())
    reading.rows = _rows(upload, reading)
    return reading


def _rows(upload: Upload, reading: Reading) -> Iterator[Row]:
    gate = Gate()
    images = Images(reading)
    folder: list[str] = []
    left_out: Counter[str] = Counter()
    for node in parts(upload, "quiz"):
        kind = node.attributes.get("type", "") if node.name == "question" else f"<{node.name}>"
        place = f"line {node.line}"
        if kind == "category":
            folder = folder_of(node.first("category", "text").text.strip())
        elif kind not in _KINDS:
            left_out[kind[:40] or "no type"] += 1
        elif kind == "multichoice" and not any(node.elements("answer")):
            yield Row(place, error="A choice without options cannot be asked. Add an <answer>.")
        elif (
            sum(each.name in {"answer", "subquestion"} for each in node.elements()) > ANSWERS_LIMIT
        ):
            yield Row(place, error=TOO_MANY)
        else:
            asked = _asked(node, kind, _Texts(images, place))
            asked.folder = folder
            yield row_of(asked, place, gate, upload.name, kept_images(_nowhere))
    for kind, count in sorted(left_out.items()):
        what = "1 question" if count == 1 else f"{count:,} questions"
        reading.notes.append(f"{what} of the kind '{kind}' left out: it is not read here.")


def _nowhere(_address: str) -> str:
    return ""


class _Texts:
    """Texts of one question: fields as HTML or Markdown, their images those of the bank."""

    def __init__(self, images: Images, place: str) -> None:
        self._images = images
        self._place = place

    def html(self, field: Node) -> str:
        kind = _AS_MOODLE_SAYS.get(field.attributes.get("format", ""), "html")
        html = AS_HTML[kind](field.first("text").text.strip())
        html = self._images.without_inline(html, self._place)
        if _FILES not in html:
            return html
        files = {
            f"{file.attributes.get('path', '/')}{file.attributes.get('name', '')}"[1:]: file
            for file in field.elements("file")
        }

        def address(found: re.Match[str]) -> str:
            name = unquote(found[1])
            if name not in files:
                self._images.refuse(name, self._place, "The file lacks it. Export it again.")
                return ""
            return self._images.from_base64(files[name].text, name, self._place)

        return _REFERENCE.sub(address, html)

    def markdown(self, field: Node) -> str:
        return to_markdown(self.html(field), kept_images(_nowhere))

    def choices(self, node: Node) -> Iterator[Choice]:
        for answer in node.elements("answer"):
            yield Choice(
                self.markdown(answer), _share(answer), self.markdown(answer.first("feedback"))
            )

    def plain_choices(self, node: Node) -> Iterator[Choice]:
        """Yield what is right word for word, or number for number."""
        unit = node.first("units", "unit", "unit_name").text.strip()
        for answer in node.elements("answer"):
            text = answer.first("text").text.strip()
            tolerance = answer.first("tolerance").text.strip()
            if tolerance.strip("0."):
                text = f"{text} ± {tolerance}"
            said = to_markdown(plain_as_html(f"{text} {unit}".rstrip()))
            yield Choice(said, _share(answer), self.markdown(answer.first("feedback")))


_REFERENCE = re.compile(rf"{_FILES}([^\"'<>\s?#]*)")


def _share(answer: Node) -> float:
    try:
        return float(answer.attributes.get("fraction", "0"))
    except ValueError:
        return 0


def _asked(node: Node, kind: str, texts: _Texts) -> Asked:
    explained = [texts.html(node.first(name)) for name in ("graderinfo", "generalfeedback")]
    asked = Asked(
        name=node.first("name", "text").text.strip(),
        text=texts.html(node.first("questiontext")),
        explanation="\n".join(filter(None, explained)),
        identity=node.first("idnumber").text.strip(),
        labels=[tag.first("text").text for tag in node.first("tags").elements("tag")],
    )
    if kind == "multichoice":
        single = node.first("single").text.strip() not in {"false", "0"}
        asked.options = options_of(texts.choices(node), single=single)
        asked.says = right_options(asked.options)
    elif kind == "truefalse":
        asked.options = [_truth(answer, texts) for answer in node.elements("answer")]
        asked.says = "".join(f"{option.text}." for option in asked.options if option.correct)
    elif kind == "matching":
        asked.says = matched(
            (texts.markdown(pair), to_markdown(plain_as_html(pair.first("answer", "text").text)))
            for pair in node.elements("subquestion")
        )
    elif kind != "essay":
        asked.says = accepted(texts.plain_choices(node))
    return asked


def _truth(answer: Node, texts: _Texts) -> OptionItem:
    return OptionItem(
        text=answer.first("text").text.strip().capitalize(),
        correct=_share(answer) > 0,
        feedback=texts.markdown(answer.first("feedback")),
    )


MOODLE_XML = Format(
    name="moodle.xml",
    title="Moodle XML: a question bank of Moodle",
    extension="moodle.xml",
    media_type="application/xml",
    purpose=Purpose.teach,
    detect=detect,
    read=read,
    write=write,
    drops=DROPS,
    through_html=True,
    holds="a question bank of Moodle, with its images",
    checked_with="the shape of Moodle 4.5's own exports; by hand, Moodle 5.0",
)
