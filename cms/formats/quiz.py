"""What the formats of learning management systems have in common.

Such a format knows a question's text, a text that explains it once an attempt is
over or to whoever grades it, and choices with shares of the mark; texts are HTML.
The stem is the first paragraph of a question's text, the context what follows. The
canonical answer is the explanation; below it stands, in a box of its own, what the
format has no field for. The box is for people: reading takes only the number of
the revision out of it, by which an import knows what an edit started from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from html import escape, unescape

import nh3

from cms.formats.checks import Gate
from cms.formats.format import BANK_FACTS, QUESTION_FACTS
from cms.formats.html import AssetAddress, AssetOf, to_html, to_markdown
from cms.formats.incoming import Row
from cms.formats.item import (
    ASSET_PATTERN,
    STEM_LIMIT,
    UID_PATTERN,
    AnswerItem,
    CorrectionItem,
    Item,
    OptionItem,
    ProvenanceItem,
)
from cms.formats.quiztags import difficulty_and_tags
from cms.markup import plain_inline, render_inline
from cms.text import normalize_line

DROPS = (
    QUESTION_FACTS
    | BANK_FACTS
    | {
        # Written for people, but not read again.
        "answers.applies_to",
        "answers.sources",
        "answers[1:]",
        "corrections",
        # A quiz has no place for these.
        "assets.alt",
        "slug",
        "answers[0].uid",
        "answers[0].label",
        "provenance",
        "content_hash",
    }
)
# Characters of the name by which a quiz lists a question; Moodle's column has 255.
NAME_LIMIT = 200
ANSWERS_LIMIT = 200  # answers of one question; a person writes a few
TOO_MANY = f"It has more than {ANSWERS_LIMIT} answers. Split the question."

_ELEMENT = re.compile(r"<(?!\s)")
_UID = re.compile(UID_PATTERN)
_ASSET = re.compile(f"asset:{ASSET_PATTERN}")
_ON_THE_WEB = re.compile("https?://", re.IGNORECASE)

# Classes are what every editor and every format keeps.
_BOX, _BOX_END = '<div class="question-bank', "</div>"
_REVISION = re.compile(r"revision-([0-9]{1,10})\b")

# --- writing ---------------------------------------------------------------------


def name_of(item: Item) -> str:
    """Return the plain name by which a quiz lists a question, at most `NAME_LIMIT` characters."""
    name = plain_inline(item.stem)
    return name if len(name) <= NAME_LIMIT else name[: NAME_LIMIT - 1].rstrip() + "…"


def moodle_name(item: Item) -> str:
    """Return the name that Moodle lists: with a space after each '<'.

    What follows a '<' without one is an element to Moodle (PHP's strip_tags), which
    removes it. An entity would do for its lists, but shows as it is on other pages.
    """
    return _ELEMENT.sub("< ", name_of(item))


def question_html(item: Item, asset: AssetAddress) -> str:
    """Return a question's text: the stem as a paragraph, and the context."""
    return f"<p>{render_inline(item.stem)}</p>\n{to_html(item.context, asset)}".rstrip()


def explanation_html(item: Item, url: str, asset: AssetAddress) -> str:
    """Return the canonical answer, and the box with what else the bank says."""
    answer = to_html(item.answers[0].body, asset) if item.answers else ""
    box = "\n".join(_boxed(item, url, asset))
    revision = "" if item.revision is None else f" revision-{item.revision}"
    if not box and not revision:
        return answer
    return f'{answer}\n{_BOX}{revision}">{box}{_BOX_END}'.lstrip()


def _boxed(item: Item, url: str, asset: AssetAddress) -> Iterator[str]:
    for index, answer in enumerate(item.answers):
        if index:
            yield f"<h4>{escape(answer.label) or 'Another answer'}</h4>"
            yield to_html(answer.body, asset)
        yield from _qualified(answer)
    for correction in item.corrections:
        yield from _erratum(correction, asset)
    if url:
        yield f'<p><a href="{escape(url)}">This question in the question bank</a></p>'


def _qualified(answer: AnswerItem) -> Iterator[str]:
    if answer.applies_to:
        yield f"<p>Applies to {escape(answer.applies_to)}.</p>"
    if answer.sources:
        links = (
            f'<li><a href="{escape(source.url)}">{escape(source.title or source.url)}</a></li>'
            for source in answer.sources
        )
        yield f"<p>Sources:</p><ul>{''.join(links)}</ul>"


def _erratum(correction: CorrectionItem, asset: AssetAddress) -> Iterator[str]:
    number = "" if correction.number is None else f" {correction.number}"
    yield f"<h4>Erratum{number} ({correction.kind}, {correction.status})</h4>"
    for text in (correction.claim, correction.explanation, correction.fix):
        yield to_html(text, asset)


# --- reading ---------------------------------------------------------------------


@dataclass(slots=True)
class Asked:
    """A question as a quiz's file has it; texts are HTML, options and `says` already Markdown.

    `says` is what the file itself knows to be right, such as the number that is asked
    for; `identity` its id there, and `labels` its tags. `folder` is its category, the
    outermost name first.
    """

    name: str = ""
    text: str = ""
    explanation: str = ""
    identity: str = ""
    labels: list[str] = field(default_factory=list)
    folder: Sequence[str] = ()
    options: list[OptionItem] = field(default_factory=list)
    says: str = ""

    @property
    def uid(self) -> str | None:
        """The uid of the bank, where the question came from one."""
        known = self.identity.strip().lower()
        return known if _UID.fullmatch(known) else None


def row_of(asked: Asked, place: str, gate: Gate, file: str, asset: AssetOf) -> Row:
    """Return the row of a question; `file` names the source of those that are not ours.

    Of a choice of ours that has no explanation nothing is made up: what is right
    would become an answer that nobody wrote.
    """
    stem, context = stem_and_context(asked.text, asked.name, asset)
    body, revision = _explanation(asked.explanation, asset)
    if asked.says and not (asked.options and (body or asked.uid)):
        body = f"{asked.says}\n\n{body}".rstrip()
    category = "/".join(name.replace("/", " ") for name in asked.folder)
    labels = asked.labels if asked.uid else [*asked.labels, category]
    difficulty, tags = difficulty_and_tags(labels)
    item = Item(
        uid=asked.uid,
        stem=stem,
        context=context,
        difficulty=difficulty,
        tags=tags,
        answers=[AnswerItem(body=body)] if body else [],
        options=asked.options,
        revision=revision if asked.uid else None,
    )
    drops = DROPS
    if asked.identity and not asked.uid:
        item.provenance = ProvenanceItem(source=file, external_id=asked.identity)
        drops -= {"provenance"}
    row = gate.row(place, item, drops=drops)
    row.through_html = True
    return row


_LEADING = re.compile(r"(?:\s|</?(?:p|div|h[1-6])\b[^<>]*>|<br\s*/?>|&nbsp;)*")
_BOUNDARY = re.compile(
    r"</?(?:p|div|h[1-6]|ul|ol|pre|table|blockquote|hr)\b|(?P<image><img\b)|<br\s*/?>\s*<br\b"
)
_CODE = re.compile("</?code>")
_LINE_BREAK = re.compile(r"<br\b[^<>]*>")


def stem_and_context(html: str, name: str, asset: AssetOf) -> tuple[str, str]:
    """Return the stem and the context that a question's text says.

    Where the text does not begin with a paragraph that can be a stem, the question's
    name is the stem, or as much of the text as fits, and the context is all of it.
    """
    found = _LEADING.match(html)
    begin = found.end() if found else 0
    boundary = _BOUNDARY.search(html, begin)
    end = boundary.start() if boundary else len(html)
    stem = _line_of(html[begin:end])
    if len(stem) <= STEM_LIMIT and not (boundary and (boundary["image"] or not stem)):
        return stem, to_markdown(html[end:], asset)
    shown = normalize_line(name) or _line_of(html)
    if len(shown) > STEM_LIMIT:
        shown = shown[: STEM_LIMIT - 1].rstrip() + "…"
    return shown, to_markdown(html, asset)


def _line_of(html: str) -> str:
    """Return HTML as one plain line in which backticks mark code."""
    # A parser takes a byte order mark away that stands first.
    broken = " " + _LINE_BREAK.sub(" ", html)
    marked = _CODE.sub("`", nh3.clean(broken, tags={"code"}, attributes={}))
    return normalize_line(unescape(marked))


def _explanation(html: str, asset: AssetOf) -> tuple[str, int | None]:
    """Return the answer that an explanation says, and the revision that the box names."""
    answer, found, rest = html.partition(_BOX)
    attributes, _, box = rest.partition(">")
    revision = _REVISION.search(attributes) if found else None
    after = box.partition(_BOX_END)[2]
    return to_markdown(answer + after, asset), int(revision[1]) if revision else None


def kept_images(html: AssetOf) -> AssetOf:
    """Return how images are called that no file of the format has: on the web, or in the bank."""

    def address_of(address: str) -> str:
        known = _ASSET.fullmatch(address) or _ON_THE_WEB.match(address)
        return address if known else html(address)

    return address_of


# --- shares of the mark ----------------------------------------------------------------

# What a question's mark can be split into; Moodle refuses any other spelling.
_SHARES = ("100", "50", "33.33333", "25", "20", "16.66667", "14.28571", "12.5", "11.11111", "10")


def shares(options: Sequence[OptionItem]) -> list[str]:
    """Return the percentage of the mark that each option gives, as Moodle spells it.

    Where several are right, the wrong ones together take away what the right ones
    give: otherwise whoever chooses all of them would be right.
    """
    right = sum(option.correct for option in options)
    gained = _split(right)
    lost = _split(len(options) - right)
    return [
        next(gained) if option.correct else f"-{next(lost)}" if right > 1 else "0"
        for option in options
    ]


def _split(count: int) -> Iterator[str]:
    """Yield `count` shares that make a hundred, as nearly as Moodle can; at most twenty."""
    if count <= len(_SHARES):
        yield from [_SHARES[count - 1]] * count
    else:
        tenths = 20 - count
        yield from ["10"] * tenths + ["5"] * (count - tenths)


@dataclass(frozen=True, slots=True)
class Choice:
    """A choice with its percentage of the mark; texts are Markdown."""

    text: str
    share: float
    feedback: str = ""


def options_of(choices: Iterable[Choice], *, single: bool) -> list[OptionItem]:
    """Return choices as options: right is what gives marks, the most where one can be chosen."""
    listed = list(choices)
    most = max((choice.share for choice in listed), default=0.0)
    least = most if single else 0.000001
    return [
        OptionItem(
            text=choice.text,
            correct=choice.share >= least and choice.share > 0,
            feedback=choice.feedback,
        )
        for choice in listed
    ]


def right_options(options: Iterable[OptionItem]) -> str:
    """Return the right options as an answer."""
    right = [option.text for option in options if option.correct]
    return right[0] if len(right) == 1 else "\n".join(map(_bullet, right))


def accepted(choices: Iterable[Choice]) -> str:
    """Return what counts as right as an answer: one text, or a list with its parts of the mark."""
    right = [choice for choice in choices if choice.share > 0]
    if len(right) == 1 and right[0].share >= 100 and not right[0].feedback:
        return right[0].text
    lines = []
    for choice in right:
        part = "" if choice.share >= 100 else f" ({choice.share:g} % of the mark)"
        said = f"\n\n{choice.feedback}" if choice.feedback else ""
        lines.append(_bullet(f"{choice.text}{part}{said}"))
    return "\n".join(lines)


def matched(pairs: Iterable[tuple[str, str]]) -> str:
    """Return what belongs together as an answer: a list."""
    return "\n".join(_bullet(f"{left}: {right}") for left, right in pairs)


def _bullet(text: str) -> str:
    return "- " + re.sub(r"\n(?=.)", "\n  ", text)


# --- texts of other kinds ------------------------------------------------------------

_UNKNOWN_TAG = re.compile(
    r"<(?!/?(?:a|abbr|b|big|blockquote|br|center|cite|code|del|div|dd|dl|dt|em|font|h[1-6]|hr|i"
    r"|img|ins|kbd|li|ol|p|pre|q|s|samp|script|small|span|strike|strong|style|sub|sup|table|tbody"
    r"|td|tfoot|th|thead|tr|tt|u|ul|var)\b|!--)",
    re.IGNORECASE,
)


def plain_as_html(text: str) -> str:
    """Return plain text as HTML, its lines kept."""
    return escape(text, quote=False).replace("\n", "<br>")


def auto_as_html(text: str) -> str:
    """Return what Moodle formats by itself as HTML: tags count, and line ends are kept.

    What no tag of HTML begins with, such as `List<int>`, is text.
    """
    return _UNKNOWN_TAG.sub("&lt;", text).replace("\n", "<br>\n")


AS_HTML: dict[str, Callable[[str], str]] = {
    "html": str,
    "markdown": to_html,
    "plain": plain_as_html,
    "moodle": auto_as_html,
}
"""How a text becomes HTML, by the name that Moodle has for its kind."""
