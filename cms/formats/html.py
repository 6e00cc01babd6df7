"""Markdown as the HTML that other programs keep, and their HTML as Markdown.

Anki, Moodle and QTI hold HTML. What is written here is plain: no classes but
those of code, so that it reads well under any style sheet. What comes in is
whatever an editor of theirs made, and may be hostile: it becomes Markdown, and
nothing that Markdown cannot say is left of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape, unescape
from typing import Any

import nh3
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from cms.formats.escaping import collapsed, escape_line_start
from cms.formats.escaping import escape as escape_text
from cms.formats.item import ASSET_PATTERN
from cms.markup.dialect import dialect
from cms.markup.formulas import INLINE_FORMULAS
from cms.markup.highlighting import CODE_CLASSES, highlighted

HTML_LIMIT = 1_000_000  # characters of HTML that keep their markup
DEEPEST = 150  # levels of elements that keep their markup; real texts stay below 30

# How Markdown of the bank refers to an image that it keeps.
ASSET_ADDRESS = re.compile(f"asset:({ASSET_PATTERN})")

AssetAddress = Callable[[str], str]
"""Where a file of the format has the image of a name; '' leaves its words alone."""

AssetOf = Callable[[str], str]
"""What stands in Markdown for the address of an image: 'asset:…', or '' to leave its words."""

_EXTERNAL = re.compile("https?://", re.IGNORECASE)
_TAG = re.compile(r"<(?P<end>/?)(?P<name>[A-Za-z][A-Za-z0-9]*+)[^<>]*+>?")
_CLOSE_THEMSELVES = frozenset(
    {"br", "hr", "img", "wbr", "p", "li", "td", "th", "tr", "dt", "dd", "col", "input"}
)
_SCHEMES = {"http", "https", "mailto", "asset"}
_BREAKS = frozenset({"softbreak", "hardbreak"})
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*+):", re.IGNORECASE)

_cleaner = nh3.Cleaner(
    tags={
        *("a", "b", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5"),
        *("h6", "hr", "i", "img", "li", "ol", "p", "pre", "s", "span", "strong", "sub", "sup"),
        *("table", "tbody", "td", "th", "thead", "tr", "ul"),
    },
    attributes={
        "a": {"href", "title"},
        "code": {"class"},
        "img": {"src", "alt", "title"},
        "ol": {"start"},
        "pre": {"class"},
    },
    allowed_classes={"span": set(CODE_CLASSES)},
    url_schemes=_SCHEMES,
    link_rel=None,
)


def to_html(
    markdown: str, asset: AssetAddress = lambda _name: "", *, highlight: bool = False
) -> str:
    """Return Markdown as plain, safe HTML; `asset` says where an image of the bank is found.

    With `highlight`, words of code are marked by the classes of `cms.markup`. What
    HTML does not show is the same whatever the Markdown: runs of spaces are one.
    """
    if not markdown:
        return ""
    env = {"asset": asset, "code": highlighted if highlight else _plain_code}
    return _cleaner.clean(_parser.render(markdown, env)).strip()


def _plain_code(code: str, _language: str) -> str:
    return escape(code, quote=False)


def _fence(
    _renderer: object,
    tokens: Sequence[Token],
    index: int,
    _options: object,
    env: Mapping[str, Any],
) -> str:
    token = tokens[index]
    words = token.info.split()
    kind = f' class="{escape(" ".join(["language-" + words[0], *words[1:]]))}"' if words else ""
    # A fence that the text's end closes may lack its last line end.
    code = token.content if token.content.endswith("\n") else f"{token.content}\n"
    shown = env["code"](code, words[0].lower() if words else "") if token.content else ""
    return f"<pre><code{kind}>{shown}</code></pre>\n"


def _image(
    _renderer: object,
    tokens: Sequence[Token],
    index: int,
    _options: object,
    env: Mapping[str, Any],
) -> str:
    token = tokens[index]
    address = str(token.attrGet("src") or "")
    words = escape("".join(_words(token.children or [])))
    known = ASSET_ADDRESS.fullmatch(address)
    if known:
        address = env["asset"](known[1])
    if address or not words:
        return f'<img src="{escape(address)}" alt="{words}">' if address else ""
    # Beside a letter the dollar of a formula would be one.
    around = tokens[max(0, index - 1) : index], tokens[index + 1 : index + 2]
    before, after = (" " * any(t.type in INLINE_FORMULAS for t in some) for some in around)
    return f"{before}{words}{after}"


# Anki's and Moodle's MathJax would set what stands between these, whatever it is.
_DELIMITER = re.compile(r"\\(?=[()\[\]])")


def _text(
    _renderer: object, tokens: Sequence[Token], index: int, _options: object, _env: object
) -> str:
    return _DELIMITER.sub(r"\\<span></span>", escape(tokens[index].content, quote=False))


def _formula(
    _renderer: object, tokens: Sequence[Token], index: int, _options: object, _env: object
) -> str:
    token = tokens[index]
    if token.type == "math_block":
        return f"<p>\\[{escape(token.content.strip(), quote=False)}\\]</p>\n"
    tex = escape(" ".join(token.content.split()), quote=False)
    return f"\\[{tex}\\]" if token.markup == "$$" else f"\\({tex}\\)"


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "image":
            yield from _words(token.children or [])
        else:
            yield " " if token.type in _BREAKS else token.content


def _as_html_shows_it(state: StateCore) -> None:
    """Leave of each text what HTML shows of it: whatever differs only unseen is one HTML."""
    heading = False
    for index, token in enumerate(state.tokens):
        if token.type == "heading_open":
            heading = True
        elif token.type == "inline":
            token.children = list(_shown(token.children or [], heading))
            _strip_edges(token.children)
            heading = False
            if not token.content and state.tokens[index - 1].type == "paragraph_open":
                # White space that only Unicode knows: a paragraph in which nothing stands.
                state.tokens[index - 1].hidden = state.tokens[index + 1].hidden = True


def _shown(tokens: Sequence[Token], one_line: bool) -> Iterator[Token]:
    """Yield tokens with single spaces, in a heading on one line, with links that are safe.

    Emphasis within the same emphasis shows nothing more, and goes.
    """
    opened: list[str] = []
    for index, token in enumerate(tokens):
        if token.type == "text":
            token.content = collapsed(token.content)
            if index and tokens[index - 1].type in _BREAKS:
                token.content = token.content.lstrip(" ")
            if index + 1 < len(tokens) and tokens[index + 1].type in _BREAKS:
                token.content = token.content.rstrip(" ")
        elif one_line and token.type in _BREAKS:
            yield Token("text", "", 0, content=" ")
            continue
        if token.nesting == 1:
            opened.append("" if token.tag in opened or _is_unsafe(token) else token.tag)
        if token.nesting == 0 or opened[-1]:
            yield token
        if token.nesting == -1:
            opened.pop()


def _strip_edges(tokens: Sequence[Token]) -> None:
    if tokens and tokens[0].type == "text":
        tokens[0].content = tokens[0].content.lstrip(" ")
    if tokens and tokens[-1].type == "text":
        tokens[-1].content = tokens[-1].content.rstrip(" ")


def _is_unsafe(token: Token) -> bool:
    scheme = _SCHEME.match(str(token.attrGet("href") or ""))
    return scheme is not None and scheme[1].lower() not in _SCHEMES


_parser = dialect()
_parser.core.ruler.push("as_html_shows_it", _as_html_shows_it)
_parser.add_render_rule("fence", _fence)
_parser.add_render_rule("code_block", _fence)
_parser.add_render_rule("image", _image)
_parser.add_render_rule("text", _text)
for _type in (*INLINE_FORMULAS, "math_block"):
    _parser.add_render_rule(_type, _formula)


def _external(address: str) -> str:
    return address if _EXTERNAL.match(address) else ""


def to_markdown(html: str, asset: AssetOf = _external) -> str:
    """Return HTML as Markdown; `asset` turns an image's address into what stands for it.

    By default an image on the web stays where it is, and any other leaves its words.
    Of HTML that is longer than `HTML_LIMIT`, or nested deeper than `DEEPEST`, the
    text alone is left: neither comes of a person's work.
    """
    if not html:
        return ""
    if len(html) > HTML_LIMIT or _is_too_deep(html):
        return escape_line_start(escape_text(unescape(_TAG.sub(" ", html)).strip()))
    from cms.formats.htmltree import written

    return written(_cleaner.clean(html), asset)


def _is_too_deep(html: str) -> bool:
    """Whether more elements are open at once than real texts have.

    Counted before anything is parsed: the sanitizer's time grows with the square of that.
    """
    depth = 0
    for found in _TAG.finditer(html):
        if found["name"].lower() not in _CLOSE_THEMSELVES:
            depth = max(0, depth - 1) if found["end"] else depth + 1
        if depth > DEEPEST:
            return True
    return False
