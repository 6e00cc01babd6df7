"""Markdown to safe HTML and to plain text.

Two walls stand between a contributor's text and a reader's browser: the parser
writes raw HTML as text, and what it makes goes through an allowlist of tags,
attributes, classes and address schemes. Both are shared by all threads: parsing
and cleaning keep their state in local objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from slugify import slugify

from cms.markup.dialect import dialect
from cms.markup.formulas import INLINE_FORMULAS, MATHML, as_mathml
from cms.markup.highlighting import CODE_CLASSES, highlighted
from cms.markup.samples import Sample, fence_info, is_sample, sample_at, samples

__all__ = [
    "ASSET_SCHEME",
    "RENDER_LIMIT",
    "Sample",
    "Shown",
    "dialect",
    "images_in",
    "plain_inline",
    "plain_text",
    "render",
    "render_inline",
    "samples",
    "summarize",
    "unwrapped",
]

# Bytes (UTF-8) of Markdown that is rendered; longer text is refused.
RENDER_LIMIT = 200_000
# How texts refer to images of the bank: 'asset:4f…9c.png'.
ASSET_SCHEME = "asset:"

# The page has the question as its h1 and 'Answer' as an h2: a text's headings begin below.
TOP_HEADING = 3

_ALIGNMENTS = {
    "text-align:left": "start",
    "text-align:center": "center",
    "text-align:right": "end",
}

_cleaner = nh3.Cleaner(
    tags={
        *("a", "blockquote", "br", "code", "div", "em", "h3", "h4", "h5", "h6", "hr", "img", "li"),
        *("ol", "p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr"),
        *("ul", *MATHML),
    },
    attributes={
        **MATHML,
        "a": {"href", "title"},
        "img": {"alt", "decoding", "height", "loading", "src", "width"},
        "ol": {"start"},
        # A block that scrolls has to be reachable by keyboard.
        "pre": {"tabindex"},
        "div": {"tabindex"},
        **{f"h{level}": {"id"} for level in range(TOP_HEADING, 7)},
    },
    allowed_classes={
        "div": {"code", "code-head", "code-run", "code-output", "math", "table"},
        "mtd": set(_ALIGNMENTS.values()),
        "span": {"ran", *CODE_CLASSES},
        "td": set(_ALIGNMENTS.values()),
        "th": set(_ALIGNMENTS.values()),
    },
    url_schemes={"http", "https", "mailto"},
    link_rel="nofollow noopener",
)


@dataclass(frozen=True, slots=True)
class Shown:
    """An image of the bank on a page: where it is, its size in pixels, and what describes it.

    `alt` are the words for texts that have none of their own.
    """

    address: str
    width: int
    height: int
    alt: str = ""


def render(
    markdown: str,
    *,
    anchor: str = "text",
    proofs: Mapping[str, str] | None = None,
    images: Mapping[str, Shown] | None = None,
) -> str:
    """Return Markdown as safe HTML.

    CommonMark with tables, strikethrough, and formulas of TeX, set as MathML;
    raw HTML shows as text. An image whose address is in `images` ('asset:…') is
    shown, any other becomes a link to it. Headings start at h3, skip no level
    and carry ids that begin with `anchor`: give each text on a page its own. A
    fence opened with 'python run' is marked as code to be run, one opened with
    'output' as what it prints. `proofs` has words for samples that did run, by their hash: they
    stand in the head of the block.

    :raises ValueError: when the text is longer than `RENDER_LIMIT`
    """
    _check_length(markdown)
    env = {"anchor": anchor, "proofs": proofs or {}, "images": images or {}}
    return _cleaner.clean(_parser.render(markdown, env)).strip()


def images_in(markdown: str) -> list[tuple[str, str]]:
    """Return the address and the words of each image of the bank that a text shows, in order."""
    if ASSET_SCHEME not in markdown:
        return []
    return [
        (address, _words_of(child))
        for token in _plain_parser.parse(markdown)
        for child in token.children or []
        if child.type == "image"
        and (address := str(child.attrGet("src") or "")).startswith(ASSET_SCHEME)
    ]


def render_inline(line: str) -> str:
    """Return one line of plain text, in which backticks mark code, as safe HTML."""
    return _CODE_SPAN.sub(r"<code>\1</code>", escape(line))


def plain_inline(line: str) -> str:
    """Return one line of plain text without the backticks that mark code in it."""
    return _CODE_SPAN.sub(r"\1", line)


def plain_text(markdown: str) -> str:
    """Return what a reader sees of Markdown: one line per paragraph, item and table row.

    Code and formulas are kept as they stand, addresses of links are not. An image is its words.

    :raises ValueError: when the text is longer than `RENDER_LIMIT`
    """
    _check_length(markdown)
    lines: list[str] = []
    row: list[str] | None = None
    for token in _parser.parse(markdown):
        if token.type == "tr_open":
            row = []
        elif token.type == "tr_close":
            lines.append(" | ".join(filter(None, row or [])))
            row = None
        elif token.type == "inline":
            (lines if row is None else row).append("".join(_visible(token.children or [])))
        elif token.type in {"fence", "code_block"}:
            lines.append(token.content.rstrip("\n"))
        elif token.type == "math_block":
            lines.append(token.content.strip())
    return "\n".join(lines)


def summarize(text: str, limit: int = 180) -> str:
    """Return the first lines of plain text as one line of at most `limit` characters.

    It ends with a whole sentence where there is one past the middle, else after
    a whole word with an ellipsis.
    """
    words: list[str] = []
    length = 0
    for line in text.splitlines():
        # A first line such as 'Yes.' or 'It does three things:' says too little alone.
        if length >= limit / 3 and not words[-1].endswith(":"):
            break
        words += line.split()
        length = sum(map(len, words)) + len(words) - 1
        if length > limit:
            break
    line = " ".join(words)
    if len(line) <= limit:
        return line
    ends = [match.end() for match in _SENTENCE_END.finditer(line, limit // 2, limit)]
    if ends:
        return line[: ends[-1]]
    head = line[: limit - 1]
    whole = head.rpartition(" ")[0] if line[limit - 1] != " " else head
    return (whole or head).rstrip(" ,;:–-") + "…"


_CODE_SPAN = re.compile("`([^`]+)`")
_SENTENCE_END = re.compile(r"[.!?](?=\s)")


def _check_length(markdown: str) -> None:
    if len(markdown) > RENDER_LIMIT or len(markdown.encode()) > RENDER_LIMIT:
        raise ValueError(f"the text is longer than {RENDER_LIMIT:,} bytes")


def _visible(tokens: Iterable[Token]) -> Iterator[str]:
    """Yield the text of inline tokens as a reader sees it."""
    for token in tokens:
        if token.type in {"text", "code_inline", *INLINE_FORMULAS}:
            yield token.content
        elif token.type == "image":
            yield _words_of(token)
        elif token.type in {"softbreak", "hardbreak"}:
            yield " "


def _words_of(image: Token) -> str:
    """Return the words that describe an image in a text."""
    return "".join(_visible(image.children or []))


# --- the parser's rules --------------------------------------------------------


def _place_headings(state: StateCore) -> None:
    """Number the outline from `TOP_HEADING` without gaps, and give each heading its id."""
    anchor = state.env.get("anchor", "text")
    open_levels: list[int] = []
    used: dict[str, int] = {}
    for index, token in enumerate(state.tokens):
        if token.type != "heading_open":
            continue
        level = int(token.tag[1])
        while open_levels and open_levels[-1] >= level:
            open_levels.pop()
        open_levels.append(level)
        tag = f"h{min(6, TOP_HEADING - 1 + len(open_levels))}"
        inline = state.tokens[index + 1]
        words = slugify("".join(_visible(inline.children or [])), max_length=60) or "section"
        name = f"{anchor}-{words}"
        used[name] = used.get(name, 0) + 1
        token.attrSet("id", name if used[name] == 1 else f"{name}-{used[name]}")
        token.tag = state.tokens[index + 2].tag = tag


def _link_images(state: StateCore) -> None:
    """Replace each image that is not shown by a link to it, or by its words in another link."""
    images = state.env.get("images", {})
    for token in state.tokens:
        if token.type == "inline" and any(child.type == "image" for child in token.children or []):
            token.children = list(_with_images(token.children or [], images))


def _with_images(tokens: Sequence[Token], images: Mapping[str, Shown]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth += token.nesting if token.type in {"link_open", "link_close"} else 0
        address = str(token.attrGet("src") or "")
        if token.type != "image" or address in images:
            yield token
            continue
        words = Token("text", "", 0, content=_words_of(token) or address)
        if depth or address.startswith(ASSET_SCHEME):
            yield words
        else:
            yield Token("link_open", "a", 1, attrs={"href": address})
            yield words
            yield Token("link_close", "a", -1)


def _image(
    _renderer: object,
    tokens: Sequence[Token],
    index: int,
    _options: object,
    env: Mapping[str, Any],
) -> str:
    token = tokens[index]
    image: Shown = env["images"][str(token.attrGet("src"))]
    words = escape(_words_of(token) or image.alt)
    return (
        f'<img src="{escape(image.address)}" alt="{words}" width="{image.width}" '
        f'height="{image.height}" loading="lazy" decoding="async">'
    )


def _align_by_class(state: StateCore) -> None:
    """Say a cell's alignment by a class: a strict policy lets no style attribute through."""
    for token in state.tokens:
        if token.type in {"th_open", "td_open"} and "style" in token.attrs:
            token.attrSet("class", _ALIGNMENTS[str(token.attrs.pop("style"))])


def _set_formula(
    _renderer: object, tokens: Sequence[Token], index: int, _options: object, _env: object
) -> str:
    token = tokens[index]
    return as_mathml(token.content, block=token.markup == "$$") or (
        f"<code>{escape(token.content.strip(), quote=False)}</code>"
    )


def _set_block(
    _renderer: object, tokens: Sequence[Token], index: int, _options: object, _env: object
) -> str:
    mathml = as_mathml(tokens[index].content, block=True)
    if not mathml:
        return _code_block(tokens[index].content.strip(), "tex")
    return f'<div class="math" tabindex="0">{mathml}</div>\n'


def _fence(
    _renderer: object,
    tokens: Sequence[Token],
    index: int,
    _options: object,
    env: Mapping[str, Any],
) -> str:
    token = tokens[index]
    language, _ = fence_info(token)
    if not is_sample(token):
        return _code_block(token.content, language)
    proof = env.get("proofs", {}).get(sample_at(tokens, index).hash, "")
    return _code_block(token.content, language, " code-run", proof)


def _code_block(code: str, language: str, kind: str = "", proof: str = "") -> str:
    kind = " code-output" if language == "output" else kind
    ran = f' <span class="ran">{escape(proof)}</span>' if proof else ""
    head = f'<div class="code-head">{escape(language[:40]) or "code"}{ran}</div>'
    return (
        f'<div class="code{kind}">{head}'
        f'<pre tabindex="0"><code>{highlighted(code, language)}</code></pre></div>\n'
    )


def _make_parser() -> MarkdownIt:
    parser = dialect()
    for rule in (_link_images, _place_headings, _align_by_class):
        parser.core.ruler.push(rule.__name__, rule)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("code_block", _fence)
    parser.add_render_rule("image", _image)
    parser.add_render_rule("math_inline", _set_formula)
    parser.add_render_rule("math_inline_double", _set_formula)
    parser.add_render_rule("math_block", _set_block)
    parser.add_render_rule("table_open", lambda *_: '<div class="table" tabindex="0"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return parser


_parser = _make_parser()
_plain_parser = dialect()
