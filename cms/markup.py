"""Markdown to safe HTML and to plain text. Imports nothing of ours.

Two walls stand between a contributor's text and a reader's browser: the parser
writes raw HTML as text, and what it makes goes through an allowlist of tags,
attributes, classes and address schemes. Both are shared by all threads: parsing
and cleaning keep their state in local objects.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from pygments.lexers import get_all_lexers, get_lexer_by_name
from pygments.token import Token as Kind
from pygments.token import _TokenType
from slugify import slugify

# Bytes (UTF-8) of Markdown that is rendered; longer text is refused.
RENDER_LIMIT = 200_000
# Characters of a code block that is highlighted: a lexer's cost per character has no bound.
HIGHLIGHT_LIMIT = 20_000

# The page has the question as its h1 and 'Answer' as an h2: a text's headings begin below.
TOP_HEADING = 3

# What a reader can tell apart, by the first of these that a token descends from.
_CODE_CLASSES = {
    Kind.Comment: "c",
    Kind.Keyword: "k",
    Kind.Operator.Word: "k",
    Kind.Name.Class: "f",
    Kind.Name.Decorator: "d",
    Kind.Name.Function: "f",
    Kind.Name.Tag: "k",
    Kind.Name.Attribute: "d",
    Kind.Literal.Number: "n",
    Kind.Literal.String: "s",
    Kind.Generic.Deleted: "del",
    Kind.Generic.Inserted: "ins",
    Kind.Generic.Output: "c",
    Kind.Generic.Prompt: "c",
}
CODE_CLASSES = frozenset(_CODE_CLASSES.values())
"""The classes that `highlighted` gives: for whoever shows its HTML elsewhere."""
_ALIGNMENTS = {
    "text-align:left": "start",
    "text-align:center": "center",
    "text-align:right": "end",
}

_cleaner = nh3.Cleaner(
    tags={
        *("a", "blockquote", "br", "code", "div", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol"),
        *("p", "pre", "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul"),
    },
    attributes={
        "a": {"href", "title"},
        "ol": {"start"},
        # A block that scrolls has to be reachable by keyboard.
        "pre": {"tabindex"},
        "div": {"tabindex"},
        **{f"h{level}": {"id"} for level in range(TOP_HEADING, 7)},
    },
    allowed_classes={
        "div": {"code", "code-head", "code-run", "code-output", "table"},
        "span": {"ran", *CODE_CLASSES},
        "td": set(_ALIGNMENTS.values()),
        "th": set(_ALIGNMENTS.values()),
    },
    url_schemes={"http", "https", "mailto"},
    link_rel="nofollow noopener",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """A fence opened with 'python run': code, and what it has to print if that is shown.

    `line` and `output_line` say on which line of the Markdown, from 1, the
    content of each fence begins; `output_line` is 0 without an expected output.
    """

    code: str
    expected: str | None
    line: int
    output_line: int = 0

    @property
    def hash(self) -> str:
        """The SHA-256 (hex) of the code and its expected output."""
        parts = [self.code] if self.expected is None else [self.code, self.expected]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def samples(markdown: str) -> list[Sample]:
    """Return the code of a text that is meant to be run, in order.

    An 'output' fence right after a sample, in the same list or quotation, is
    what it has to print.
    """
    if "run" not in markdown:
        # Most texts hold none; parsing them all would cost a large bank minutes.
        return []
    tokens = _parser.parse(markdown)
    return [_sample(tokens, index) for index, token in enumerate(tokens) if _is_sample(token)]


def render(markdown: str, *, anchor: str = "text", proofs: Mapping[str, str] | None = None) -> str:
    """Return Markdown as safe HTML.

    CommonMark with tables and strikethrough; raw HTML shows as text, an image
    becomes a link to it. Headings start at h3, skip no level and carry ids that
    begin with `anchor`: give each text on a page its own. A fence opened with
    'python run' is marked as code to be run, one opened with 'output' as what
    it prints. `proofs` has words for samples that did run, by their hash: they
    stand in the head of the block.

    :raises ValueError: when the text is longer than `RENDER_LIMIT`
    """
    _check_length(markdown)
    env = {"anchor": anchor, "proofs": proofs or {}}
    return _cleaner.clean(_parser.render(markdown, env)).strip()


def render_inline(line: str) -> str:
    """Return one line of plain text, in which backticks mark code, as safe HTML."""
    return _CODE_SPAN.sub(r"<code>\1</code>", escape(line))


def plain_inline(line: str) -> str:
    """Return one line of plain text without the backticks that mark code in it."""
    return _CODE_SPAN.sub(r"\1", line)


def plain_text(markdown: str) -> str:
    """Return what a reader sees of Markdown: one line per paragraph, item and table row.

    Code is kept as it stands, addresses of links are not.

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
        if token.type in {"text", "code_inline"}:
            yield token.content
        elif token.type in {"softbreak", "hardbreak"}:
            yield " "


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
    """Replace each image by a link to it, or by its words where it stands in a link."""
    for token in state.tokens:
        if token.type == "inline" and any(child.type == "image" for child in token.children or []):
            token.children = list(_without_images(token.children or []))


def _without_images(tokens: Sequence[Token]) -> Iterator[Token]:
    depth = 0
    for token in tokens:
        depth += token.nesting if token.type in {"link_open", "link_close"} else 0
        if token.type != "image":
            yield token
            continue
        address = str(token.attrGet("src") or "")
        words = Token("text", "", 0, content=token.content or address)
        if depth:
            yield words
        else:
            yield Token("link_open", "a", 1, attrs={"href": address})
            yield words
            yield Token("link_close", "a", -1)


def _align_by_class(state: StateCore) -> None:
    """Say a cell's alignment by a class: a strict policy lets no style attribute through."""
    for token in state.tokens:
        if token.type in {"th_open", "td_open"} and "style" in token.attrs:
            token.attrSet("class", _ALIGNMENTS[str(token.attrs.pop("style"))])


def _info(token: Token) -> tuple[str, list[str]]:
    """Return the language of a fence in lower case, and the words after it."""
    language, *words = token.info.split() or [""]
    return language.lower(), words


def _is_sample(token: Token) -> bool:
    language, words = _info(token)
    return token.type == "fence" and language == "python" and "run" in words


def _sample(tokens: Sequence[Token], index: int) -> Sample:
    token, after = tokens[index], tokens[index + 1 : index + 2]
    # A fence knows on which line it opens, from 0.
    line = (token.map or [0])[0] + 2
    if after and after[0].type == "fence" and _info(after[0])[0] == "output":
        return Sample(token.content, after[0].content, line, (after[0].map or [0])[0] + 2)
    return Sample(token.content, None, line)


def _fence(
    _renderer: object,
    tokens: Sequence[Token],
    index: int,
    _options: object,
    env: Mapping[str, Any],
) -> str:
    token = tokens[index]
    language, _ = _info(token)
    if not _is_sample(token):
        return _code_block(token.content, language)
    proof = env.get("proofs", {}).get(_sample(tokens, index).hash, "")
    return _code_block(token.content, language, " code-run", proof)


def _code_block(code: str, language: str, kind: str = "", proof: str = "") -> str:
    kind = " code-output" if language == "output" else kind
    ran = f' <span class="ran">{escape(proof)}</span>' if proof else ""
    head = f'<div class="code-head">{escape(language[:40]) or "code"}{ran}</div>'
    return (
        f'<div class="code{kind}">{head}'
        f'<pre tabindex="0"><code>{highlighted(code, language)}</code></pre></div>\n'
    )


def highlighted(code: str, language: str) -> str:
    """Return code as HTML, its kinds of words marked by the short classes of `_CODE_CLASSES`."""
    if language not in _languages() or language == "output" or len(code) > HIGHLIGHT_LIMIT:
        return escape(code, quote=False)
    parts: list[str] = []
    run: list[str] = []
    current = ""
    # A lexer of its own for each call: some keep state while they work.
    for kind, text in get_lexer_by_name(language, stripnl=False, ensurenl=False).get_tokens(code):
        name = _class_of(kind)
        if name != current and not text.isspace():
            parts.append(_marked("".join(run), current))
            run, current = [], name
        run.append(text)
    parts.append(_marked("".join(run), current))
    return "".join(parts)


def _marked(text: str, name: str) -> str:
    safe = escape(text, quote=False)
    return f'<span class="{name}">{safe}</span>' if name and text else safe


@functools.cache
def _class_of(kind: _TokenType) -> str:
    for ancestor in reversed(kind.split()):
        if ancestor in _CODE_CLASSES:
            return _CODE_CLASSES[ancestor]
    return ""


@functools.cache
def _languages() -> frozenset[str]:
    """The names that Pygments knows: asking it for another one searches every plugin."""
    lexers = get_all_lexers(plugins=False)
    return frozenset(alias for _, aliases, _, _ in lexers for alias in aliases)


def dialect() -> MarkdownIt:
    """Return a new parser of the Markdown that the bank is written in, without rules of a page."""
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False})
    return parser.enable(["table", "strikethrough"])


def _make_parser() -> MarkdownIt:
    parser = dialect()
    for rule in (_link_images, _place_headings, _align_by_class):
        parser.core.ruler.push(rule.__name__, rule)
    parser.add_render_rule("fence", _fence)
    parser.add_render_rule("code_block", _fence)
    parser.add_render_rule("table_open", lambda *_: '<div class="table" tabindex="0"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return parser


_parser = _make_parser()
