"""Markdown as the HTML that other programs keep, and their HTML as Markdown.

Anki, Moodle and QTI hold HTML. What is written here is plain: no classes but
those of code, so that it reads well under any style sheet. What comes in is
whatever an editor of theirs made, and may be hostile: it becomes Markdown, and
nothing that Markdown cannot say is left of it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import nh3
from bs4 import BeautifulSoup, Tag
from markdown_it.token import Token
from markdownify import BACKSLASH, MarkdownConverter

from cms.formats.htmlformulas import mark_formulas, written_formula
from cms.formats.item import ASSET_PATTERN
from cms.markup import dialect
from cms.markup.formulas import INLINE_FORMULAS

# How Markdown of the bank refers to an image that it keeps.
ASSET_ADDRESS = re.compile(f"asset:({ASSET_PATTERN})")

AssetAddress = Callable[[str], str]
"""Where a file of the format has the image of a name; '' leaves its words alone."""

AssetOf = Callable[[str], str]
"""What stands in Markdown for the address of an image: 'asset:…', or '' to leave its words."""

_CODE_CLASS = re.compile(r"(?:language|lang|brush|highlight)[-:]\s*(?P<name>[\w+#.-]+)")

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
    url_schemes={"http", "https", "mailto", "asset"},
    link_rel=None,
)


def to_html(markdown: str, asset: AssetAddress = lambda _name: "") -> str:
    """Return Markdown as plain, safe HTML; `asset` says where an image of the bank is found."""
    return _cleaner.clean(_parser.render(markdown, {"asset": asset})).strip()


def _fence(
    _renderer: object, tokens: Sequence[Token], index: int, _options: object, _env: object
) -> str:
    token = tokens[index]
    words = token.info.split()
    kind = f' class="{escape(" ".join(["language-" + words[0], *words[1:]]))}"' if words else ""
    return f"<pre><code{kind}>{escape(token.content, quote=False)}</code></pre>\n"


def _image(
    _renderer: object,
    tokens: Sequence[Token],
    index: int,
    _options: object,
    env: Mapping[str, Any],
) -> str:
    token = tokens[index]
    address = str(token.attrGet("src") or "")
    words = escape(token.content)
    known = ASSET_ADDRESS.fullmatch(address)
    if known:
        address = env["asset"](known[1])
    return f'<img src="{escape(address)}" alt="{words}">' if address else words


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
    tex = escape(token.content.strip(), quote=False)
    if token.type == "math_block":
        return f"<p>\\[{tex}\\]</p>\n"
    return f"\\[{tex}\\]" if token.markup == "$$" else f"\\({tex}\\)"


_parser = dialect()
_parser.add_render_rule("fence", _fence)
_parser.add_render_rule("code_block", _fence)
_parser.add_render_rule("image", _image)
_parser.add_render_rule("text", _text)
for _type in (*INLINE_FORMULAS, "math_block"):
    _parser.add_render_rule(_type, _formula)


def to_markdown(html: str, asset: AssetOf = lambda _address: "") -> str:
    """Return HTML as Markdown; `asset` turns an image's address into what the bank calls it."""
    soup = BeautifulSoup(_cleaner.clean(html), "html.parser")
    mark_formulas(soup)
    return _Converter(asset).convert_soup(soup).strip()


class _Converter(MarkdownConverter):
    """Markdown as the bank has it: ATX headings, hyphens, fences with their language."""

    def __init__(self, asset: AssetOf) -> None:
        super().__init__(heading_style="atx", bullets="-", newline_style=BACKSLASH)
        self._asset = asset

    def convert_img(self, el: Tag, _text: str, **_: object) -> str:
        words = str(el.get("alt") or "")
        address = self._asset(str(el.get("src") or ""))
        return f"![{words}]({address})" if address else words

    def convert_tex(self, el: Tag, _text: str, **_: object) -> str:
        return written_formula(el)

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        if "_inline" in parent_tags:
            return text
        code = el.get_text().strip("\n")
        longest = max((len(run) for run in re.findall("`+", code)), default=0)
        fence = "`" * max(3, longest + 1)
        return f"\n\n{fence}{_info(el)}\n{code}\n{fence}\n\n" if code else ""


def _info(pre: Tag) -> str:
    """Return what stands behind the opening of a fence: the language, and words such as 'run'."""
    for element in (pre, *pre.find_all("code", limit=1)):
        classes = " ".join(element.get_attribute_list("class"))
        if found := _CODE_CLASS.match(classes):
            return f"{found['name']}{classes[found.end() :]}"
    return ""
