"""What a title says: plain text, a number, a level; and what is navigation, not content."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from markdown_it.token import Token

from cms.formats.labels import SIGNS, difficulty_named
from cms.formats.lists.blocks import Block, inline_tokens
from cms.text import match_key, normalize_line
from cms.vocabulary import Difficulty

_FORMATTING = re.compile(
    r"</?(?:a|abbr|b|big|br|center|code|div|em|font|h[1-6]|i|img|kbd|li|p|s|small|span|strong|sub"
    r"|summary|sup|u|ul|ol)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_HREF = re.compile(r"""href\s*=\s*["']?(?P<href>[^"'\s>]*)""", re.IGNORECASE)
ONLY_TAGS = re.compile(r"(?:\s|<[^<>]{0,500}>)*\Z")
_TAGS = re.compile(r"<[^<>]{0,2000}>")

_NUMBERED = re.compile(
    r"(?:q(?:uestion|ues|n|\.)?\s{0,3}[#.-]?\s{0,3})?[(\[]?(?P<number>\d{1,4})"
    r"(?:\s?[.):\]]+|\s+[–—-](?=\s))\s*(?=\S)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"q(?:uestion|ues|n)?\s{0,2}(?:(?P<number>\d{1,4})\s?)?[.:)–—-]+\s*(?=\S)", re.IGNORECASE
)
_LEVEL = re.compile(r"\s*[(\[](?P<words>[^()\[\]]{1,30})[)\]]\s*\Z")
_OPENER = re.compile(
    r"(?:what|why|how|when|where|which|who|explain|describe|define|list|name|compare|difference"
    r"|differences|is|are|can|does|do|should|write|implement|give|mention|discuss|tell|have|if)\b",
    re.IGNORECASE,
)
# Stars, signs and pictures that stand before or after a title.
_PICTURES = frozenset({"So", "Sk", "Cn", "Co", "Mn", "Cf"})

LABEL = re.compile(
    r"\s{0,3}(?:[-*+>]\s{1,3})?(?:\#{1,6}\s{1,3})?(?:\*\*|__|\*|_)?\s?"
    r"(?:(?:ans(?:wer)?s?|solution)\s{0,2}\d{0,4}(?:\*\*|__)?\s{0,2}[.:)–—-]+"
    r"|a\s?\d{0,4}(?:\*\*|__)?\s?:)"
    r"(?:\*\*|__|\*|_)?[ \t]*",
    re.IGNORECASE,
)
_BARE_LABEL = re.compile(
    r"\s{0,3}(?:\#{1,6}\s{1,3})?(?:\*\*|__)?\s?(?:answer|ans|solution)s?\s?(?:\*\*|__)?\s*\Z",
    re.IGNORECASE,
)
_SUMMARY_WORDS = (
    "answer answers solution solutions view show see click reveal toggle expand open read check "
    "display the for here to full more an your me sample and explanation details hide possible "
    "my correct tap on it spoiler hint hints"
)
_SUMMARIES = frozenset(_SUMMARY_WORDS.split())
_PARTS = frozenset(
    (
        "table of contents",
        *("contents", "toc", "license", "licence", "contributing", "contributors", "references"),
        *("resources", "credits", "acknowledgements", "about", "support", "sponsors", "author"),
        *("authors", "donate", "contact", "conclusion", "further reading", "index", "disclaimer"),
        *("introduction to this list", "how to contribute", "useful links", "star history"),
        *("list of questions", "legend", "how to use", "prerequisites", "sponsor"),
    )
)
_EDIT = re.compile(r"\b(?:edit|improve|fix)\b.{0,30}\b(?:answer|question|page|this)\b", re.I)
_TOP = re.compile(r"\b(?:back|go|return|jump)\b.{0,12}\b(?:top|contents|toc|start|menu)\b", re.I)
_AD = re.compile(
    r"\b(?:sponsor(?:ed|s)?|buy me a coffee|patreon|discount|coupon|enrol?l|subscribe|follow me"
    r"|my (?:course|book|channel|newsletter)|star (?:this|the) repo\w*|advert\w*|% off)\b",
    re.IGNORECASE,
)
_BADGE = re.compile(r"shields\.io|badge|travis-ci|codecov|opencollective", re.IGNORECASE)
_AD_LIMIT = 400
_NOISE_LIMIT = 4_000  # characters of what can be navigation


@dataclass(slots=True)
class Title:
    """A title as plain text with backticks, and what stood around it."""

    text: str
    number: int | None = None
    named: bool = False
    difficulty: Difficulty | None = None

    @property
    def asks(self) -> bool:
        return self.text.endswith("?")

    @property
    def is_likely(self) -> bool:
        """Whether it reads like a question or is numbered like one."""
        return self.asks or self.named or self.number is not None or self.opens

    @property
    def opens(self) -> bool:
        return _OPENER.match(self.text.lstrip("`\"'“‘(")) is not None


Legend = Mapping[str, Difficulty]
"""What signs such as '⭐⭐' mean, as a list itself says."""


def plain(tokens: Iterable[Token]) -> str:
    """Return inline tokens as plain text, in which backticks mark code."""
    found: list[str] = []
    for token in tokens:
        match token.type:
            case "text":
                found.append(token.content)
            case "code_inline":
                found.append(f"`{token.content}`")
            case "softbreak" | "hardbreak":
                found.append(" ")
            case "html_inline":
                code = re.match(r"</?code\b", token.content, re.IGNORECASE)
                is_known = _FORMATTING.fullmatch(token.content)
                found.append("`" if code else "" if is_known else token.content)
    return normalize_line(html.unescape("".join(found)))


def title_of(tokens: Sequence[Token], legend: Legend) -> Title:
    """Return what a heading's text says; a level or a number is no part of the title."""
    return _title(plain(tokens), legend)


def title_in(markdown: str, legend: Legend) -> Title:
    """Return what the Markdown or HTML of a summary says."""
    return title_of(inline_tokens(markdown[:2_000]), legend)


def _title(text: str, legend: Legend) -> Title:
    title = Title(text)
    _take_pictures(title, legend)
    title.text = title.text.lstrip("#").strip()
    match = _NUMBERED.match(title.text) or _NAMED.match(title.text)
    if match is not None:
        title.named = match[0].lower().startswith("q")
        title.number = int(match["number"]) if match["number"] else None
        title.text = title.text[match.end() :].lstrip("#").strip()
        _take_pictures(title, legend)
    level = _LEVEL.search(title.text[-40:])
    if level is not None and (named := difficulty_named(level["words"])):
        title.difficulty = named
        title.text = title.text[: len(title.text) - len(level[0])].rstrip()
    return title


def _take_pictures(title: Title, legend: Legend) -> None:
    """Take signs off both ends of a title; those that mean a level give it."""
    text = title.text
    start, stop = 0, len(text)
    while start < stop and _is_picture(text[start]):
        start += 1
    while stop > start and _is_picture(text[stop - 1]):
        stop -= 1
    for signs in (text[:start], text[stop:]):
        run = signs.replace("\ufe0f", "").strip()
        found = legend.get(run) or (SIGNS.get(run) if len(run) == 1 else None)
        title.difficulty = title.difficulty or found
    title.text = text[start:stop]


def _is_picture(character: str) -> bool:
    if character in " \ufe0f\u200d":
        return True
    return ord(character) > 0x2000 and unicodedata.category(character) in _PICTURES


def legend_of(texts: Iterable[str]) -> dict[str, Difficulty]:
    """Return what signs mean by the lines in which each stands before a level's name."""
    legend: dict[str, Difficulty] = {}
    for text in texts:
        for sign, word in re.findall(r"([^\w\s.,;:|/()=<>`*#-]{1,5})[\s:=–—-]{0,5}(\w+)", text):
            level = difficulty_named(word)
            if level is not None and all(_is_picture(each) for each in sign):
                legend[sign.replace("\ufe0f", "")] = level
    return legend


def is_part_of_page(title: str) -> bool:
    """Whether a section is of the page, not of the list: its license, its table of contents."""
    return match_key(title) in _PARTS


def is_answer_summary(markdown: str) -> bool:
    """Whether a summary says no more than that the answer is below."""
    words = match_key(_TAGS.sub(" ", markdown)).split()
    return not words or (set(words) <= _SUMMARIES)


def is_hint(markdown: str) -> bool:
    """Whether a summary says that a hint is below."""
    return "hint" in match_key(_TAGS.sub(" ", markdown)).rstrip("s").split()


def is_label(line: str) -> bool:
    """Whether a line begins with 'Answer:' or its like, or says nothing else."""
    return LABEL.match(line) is not None or _BARE_LABEL.match(line[:60]) is not None


# --- navigation ------------------------------------------------------------------------


def noise(block: Block) -> str:
    """Return what a block is that is no content ('links back to the top'), '' for content."""
    match block.kind:
        case "comment":
            return "comments"
        case "paragraph" | "html":
            return _noise_of_words(block)
        case "list" | "table":
            return "tables of contents" if _is_contents(block) else ""
    return ""


def _noise_of_words(block: Block) -> str:
    if len(block.text) > _NOISE_LIMIT:
        return ""
    outside, inside, links, images = _parts(block)
    words = f"{outside} {inside}".strip()
    if links and not re.search(r"\w", outside) and all(link.startswith("#") for link in links):
        return "links within the page"
    if links and _TOP.search(words) and len(words) < 60:
        return "links within the page"
    if links and _EDIT.search(words) and len(words) < 60:
        return "links to edit an answer"
    if not re.search(r"\w", outside) and any(map(_BADGE.search, images)):
        return "badges"
    if links and len(words) < _AD_LIMIT and _AD.search(words):
        return "advertisements"
    return ""


def _parts(block: Block) -> tuple[str, str, list[str], list[str]]:
    """Return a block's text outside of links and inside, addresses of links and of images."""
    if block.kind == "html":
        links = [match["href"] for match in _HREF.finditer(block.text)]
        inside = " ".join(re.findall(r"<a\b[^<>]*>([^<]*)", block.text, re.IGNORECASE))
        whole = normalize_line(html.unescape(_TAGS.sub(" ", block.text)))
        outside = re.sub(
            r"<a\b[^<]*+(?:<(?!/?a\b)[^<]*+)*+</a>", " ", block.text, flags=re.IGNORECASE
        )
        outside = normalize_line(html.unescape(_TAGS.sub(" ", outside)))
        return outside, inside or whole, links, re.findall(r"src=[\"']?([^\"'\s>]+)", block.text)
    return link_parts(block.inline)


def link_parts(tokens: Iterable[Token]) -> tuple[str, str, list[str], list[str]]:
    """Return inline text outside of links and inside, addresses of links and of images."""
    text: tuple[list[str], list[str]] = ([], [])
    links: list[str] = []
    images: list[str] = []
    depth = 0
    for token in tokens:
        if token.type == "link_open":
            depth = 1
            links.append(str(token.attrGet("href") or ""))
        elif token.type == "link_close":
            depth = 0
        elif token.type == "image":
            images.append(str(token.attrGet("src") or ""))
        elif token.type == "html_inline":
            if match := _HREF.search(token.content):
                links.append(match["href"])
            depth = 1 if re.match(r"<a\b", token.content, re.I) else depth
            depth = 0 if token.content.lower().startswith("</a") else depth
        elif token.content:
            text[depth].append(token.content)
    return normalize_line("".join(text[0])), normalize_line(" ".join(text[1])), links, images


def is_link(tokens: Iterable[Token]) -> bool:
    """Whether a text is nothing but links."""
    outside, inside, links, _ = link_parts(tokens)
    return bool(links) and bool(inside) and not re.search(r"[^\W\d_]", outside)


def _is_contents(block: Block) -> bool:
    within = 0
    texts = 0
    for tokens in block.inlines:
        outside, inside, links, _ = link_parts(tokens)
        if links and all(link.startswith("#") for link in links):
            within += 1
        elif block.kind == "list" or len(re.findall(r"[^\W\d_]", outside + inside)) > 20:
            texts += 1
    return within > 0 and within > 3 * texts
