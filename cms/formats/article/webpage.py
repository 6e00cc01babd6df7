"""A saved web page as Markdown lines that know where they stand in the file."""

from __future__ import annotations

import re
from collections.abc import Set as AbstractSet
from typing import Any
from urllib.parse import urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString, PageElement
from bs4.exceptions import ParserRejectedMarkup
from markdownify import BACKSLASH, MarkdownConverter

from cms.errors import UnreadableFile
from cms.formats.article.inline import inline
from cms.formats.article.page import Line, Page, dated, iso_date, start_of, starts_of
from cms.formats.escaping import fenced
from cms.text import normalize_line, normalize_text

_HTML = re.compile(
    r"(?:\s*+<(?:\?xml[^>]*+>|!--[\s\S]*?-->))*+\s*+"
    r"<(?:!doctype\s+html|html|head|body|main|article|section|div|p|h[1-6]|table|ul|ol)\b",
    re.IGNORECASE,
)
_CODE_OF_THE_PAGE = [
    (re.compile(rf"<{name}\b", re.IGNORECASE), re.compile(rf"</{name}\b[^<>]*+>", re.IGNORECASE))
    for name in ("script", "style")
]
_XML_DECLARATION = re.compile(r"\A\s*+<\?xml[^>]*+>")

_SILENT = frozenset(
    {"script", "style", "noscript", "template", "svg", "iframe", "object", "canvas"}
)
_ASIDE = frozenset(
    {"nav", "header", "footer", "aside", "form", "button", "select", "dialog", "menu"}
)
_BLOCKS = frozenset(
    {"p", "li", "pre", "tr", "blockquote", "dt", "dd", "div", "summary"}
    | {f"h{level}" for level in range(1, 7)}
)
_OF_BLOCKS = _BLOCKS | {
    *("article", "body", "dl", "figcaption", "figure", "main", "ol", "section", "table", "tbody"),
    *("td", "tfoot", "th", "thead", "ul", "details", "br"),
}
_REMEDY = "Save the page again, or paste the article's text into a file."
_MOST_OPEN_TAGS = 200
# Real pages stay below 60 levels.
_DEEPEST = 150
_LINKS = ("http", "https", "mailto")

# Private-use characters carry the number of the source line through the conversion.
_PRIVATE = re.compile("[\ue000-\uf8ff]")
_MARK = re.compile("\ue000(\\d+)\ue001")
_WHITESPACE = re.compile(r"\s+")
_LANGUAGE = re.compile(r"(?:language|lang|brush|highlight)[-:]\s*(?P<name>[\w+#-]+)")
_LINE_START = re.compile(r"(?:#|>|[-+](?=\s)|\||[=~])")


def looks_like_html(text: str) -> bool:
    """Whether a text begins as a web page or a piece of one."""
    return bool(_HTML.match(text[:10_000]))


def web_page(name: str, html: str) -> Page:
    """Return the main content of a web page as Markdown.

    :raises UnreadableFile: if the markup cannot be parsed or is nested too deeply.
    """
    text = _PRIVATE.sub("", _XML_DECLARATION.sub("", normalize_text(html), count=1))
    text = _without_scripts(text)
    # The parser looks for the end of each tag anew: a file of open tags would take it hours.
    if any(piece.count("<") > _MOST_OPEN_TAGS for piece in text.split(">")):
        raise UnreadableFile(name, f"The HTML is broken: its tags do not end. {_REMEDY}")
    try:
        soup = BeautifulSoup(text, "html.parser")
    except ParserRejectedMarkup as error:
        raise UnreadableFile(name, f"The HTML cannot be parsed. {_REMEDY}") from error
    if _depth(soup) > _DEEPEST:
        raise UnreadableFile(name, f"The HTML is nested too deeply. {_REMEDY}")
    return _converted(soup)


def _without_scripts(html: str) -> str:
    """Return the markup without scripts and styles; their line ends stay, to count lines by."""
    for opening, closing in _CODE_OF_THE_PAGE:
        kept: list[str] = []
        position = 0
        while (start := opening.search(html, position)) and (
            end := closing.search(html, start.end())
        ):
            kept += [
                html[position : start.start()],
                "\n" * html.count("\n", start.start(), end.end()),
            ]
            position = end.end()
        html = "".join([*kept, html[position:]])
    return html


def _depth(soup: BeautifulSoup) -> int:
    """Return how deep the elements are nested; the conversion goes as deep by recursion."""
    deepest, waiting = 0, [(1, soup.contents)]
    while waiting:
        depth, elements = waiting.pop()
        deepest = max(deepest, depth)
        waiting += [(depth + 1, each.contents) for each in elements if isinstance(each, Tag)]
    return deepest


def _converted(soup: BeautifulSoup) -> Page:
    page = Page([], markup=True)
    page.url = _address(soup)
    page.date = _date(soup)
    main = _main_content(soup, page)
    page.title = _title(soup, main)
    _remove_what_is_no_content(main, page)
    _keep_line_breaks(main)
    converter = _Converter(page)
    _number(converter.convert_soup(main), page)
    page.notes += converter.notes()
    return page


def _elements(root: Tag, names: AbstractSet[str]) -> list[Tag]:
    """Return the elements of these names below `root`; several times faster than `find_all`."""
    return [each for each in root.descendants if isinstance(each, Tag) and each.name in names]


# --- what the page says of itself ------------------------------------------------


def _attribute(tag: Tag | None, name: str) -> str:
    value = tag.get(name) if tag is not None else None
    return value.strip() if isinstance(value, str) else ""


def _address(soup: BeautifulSoup) -> str:
    canonical = soup.find("link", rel="canonical")
    graph = soup.find("meta", property="og:url")
    for address in (
        _attribute(canonical if isinstance(canonical, Tag) else None, "href"),
        _attribute(graph if isinstance(graph, Tag) else None, "content"),
    ):
        if full := _full_address(address):
            return full
    return ""


def _full_address(address: str, base: str = "") -> str:
    """Return a link's address, complete by the page's own; '' if none can be followed safely."""
    try:
        full = urljoin(base, address)
        return full if urlsplit(full).scheme.lower() in _LINKS else ""
    except ValueError:
        return ""


def _date(soup: BeautifulSoup) -> str:
    for name in ("article:modified_time", "article:published_time"):
        stated = soup.find("meta", property=name)
        if date := iso_date(_attribute(stated if isinstance(stated, Tag) else None, "content")):
            return date
    for element in _elements(soup, {"time", "span", "div", "p"}):
        if len(element.contents) <= 3 and (date := dated(element.get_text(" ", strip=True)[:100])):
            return date
        if element.name == "time" and (date := iso_date(_attribute(element, "datetime"))):
            return date
    return ""


def _title(soup: BeautifulSoup, main: Tag) -> str:
    for element in (main.find("h1"), soup.find("h1"), soup.find("title")):
        if isinstance(element, Tag) and (text := normalize_line(element.get_text(" "))):
            return text
    return ""


# --- what is content -----------------------------------------------------------------


def _main_content(soup: BeautifulSoup, page: Page) -> Tag:
    """Return the element that holds the article; what stands outside is noted.

    That is the longest <article>, <main> or role=main if it has most of the
    page's text: where every question is an <article>, the body is taken.
    """
    for element in _elements(soup, _SILENT):
        element.decompose()
    body = soup.body or soup
    candidates = [*_elements(soup, {"article", "main"}), *soup.find_all(role="main", limit=1)]
    sizes = [len(element.get_text()) for element in candidates]
    if not candidates or 2 * max(sizes) < _size_without_asides(body):
        return body
    main = candidates[sizes.index(max(sizes))]
    inside = {id(main), *(id(element) for element in main.descendants)}
    outside = [
        text
        for text in body.find_all(string=True)
        if id(text) not in inside and type(text) is NavigableString and text.strip()
    ]
    if outside:
        page.notes.append(
            f"What stands outside <{main.name}> was left out (the page around the article): "
            f"{starts_of(outside)}"
        )
    return main


def _size_without_asides(body: Tag) -> int:
    asides = sum(len(element.get_text()) for element in _elements(body, _ASIDE))
    return len(body.get_text()) - asides


def _remove_what_is_no_content(main: Tag, page: Page) -> None:
    for element in _elements(main, _ASIDE):
        if element.decomposed:
            continue
        if text := normalize_line(element.get_text(" ")):
            page.notes.append(
                f"Line {element.sourceline or 1}: <{element.name}> was left out "
                f"(no part of the text): {start_of(text)}."
            )
        element.decompose()


def _keep_line_breaks(main: Tag) -> None:
    """Give every <br> in code its line end, and make code of many lines a block."""
    for code in _elements(main, {"pre", "code"}):
        breaks = _elements(code, {"br"})
        for each in breaks:
            # A <code> in a <pre> has been there already.
            if not each.contents:
                each.append("\n")
        if breaks and code.name == "code" and _stands_alone(code):
            code.name = "pre"


def _stands_alone(code: Tag) -> bool:
    """Whether an element has all the text of its parent, which is no <pre>."""
    parent = code.parent
    return (
        parent is not None
        and code.find_parent("pre") is None
        and len(parent.get_text().strip()) == len(code.get_text().strip())
    )


# --- conversion ------------------------------------------------------------------------


class _Converter(MarkdownConverter):
    """Markdown as the rest of the reader wants it: escaped like our own, lines numbered."""

    def __init__(self, page: Page) -> None:
        super().__init__(heading_style="atx", bullets="-", newline_style=BACKSLASH)
        self._page = page
        self._images: list[str] = []
        self._links = 0
        self._numbers: dict[int, int] = {}

    def notes(self) -> list[str]:
        if self._links:
            self._images.append(
                f"{self._links} links without a full address were kept as their text alone."
            )
        return self._images

    def process_tag(self, node: Tag, parent_tags: set[str] | None = None) -> str:
        text: str = super().process_tag(node, parent_tags)  # type: ignore[misc]
        if node.name not in _BLOCKS or node.sourceline is None:
            return text
        inner = text.lstrip("\n")
        if not inner.strip() or _MARK.match(inner):
            # What the element begins with has its own, more exact number.
            return text
        return f"{text[: len(text) - len(inner)]}\ue000{node.sourceline}\ue001{inner}"

    def process_text(self, el: NavigableString, parent_tags: set[str]) -> str:
        """Write a piece of text; the library's own way is quadratic in runs of white space."""
        if "pre" in parent_tags:
            return str(el)
        text = _WHITESPACE.sub(" ", el)
        before, after = el.previous_sibling, el.next_sibling
        inside = el.parent is not None and el.parent.name in _OF_BLOCKS
        if _is_block(before) or (inside and before is None):
            text = text.lstrip()
        if _is_block(after) or (inside and after is None):
            text = text.rstrip()
        return text if "_noformat" in parent_tags else self._escaped(text, parent_tags)

    def _escaped(self, text: str, parent_tags: set[str]) -> str:
        lead = len(text) - len(text.lstrip())
        shown = inline(text[lead:], markup=False)
        if _LINE_START.match(shown):
            shown = f"\\{shown}"
        if not {"td", "th"}.isdisjoint(parent_tags):
            shown = shown.replace("|", "\\|").replace("\\\\|", "\\|")
        return text[:lead] + shown

    def convert_img(self, el: Tag, _text: str, **_: object) -> str:
        words = normalize_line(_attribute(el, "alt")).translate({ord("["): "(", ord("]"): ")"})
        mark = f"[Image: {inline(words, markup=False)}]" if words else "[Image]"
        address = _attribute(el, "src")
        self._images.append(
            f"Line {el.sourceline or 1}: an image was left out, its description kept: "
            f"{start_of(words or address or 'no description')}"
            + (f" ({start_of(address)})." if words and address else ".")
        )
        return mark

    def convert_a(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        words = text.strip()
        if "_noformat" in parent_tags or not words:
            return text
        address = _full_address(_attribute(el, "href"), self._page.url)
        if not address:
            self._links += 1
            return text
        target = re.sub(r"[\s()<>]", lambda found: f"%{ord(found[0]):02X}", address)
        lead, trail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
        return f"{lead}[{words}]({target}){trail}"

    def convert_pre(self, el: Tag, text: str, parent_tags: set[str]) -> str:
        if "_inline" in parent_tags:
            return text
        code = _MARK.sub("", el.get_text()).strip("\n").rstrip()
        return f"\n\n{fenced(code, _language(el))}\n\n" if code else ""

    def convert_dt(self, _el: Tag, text: str, **_: object) -> str:
        return f"\n\n**{text.strip()}**\n\n" if text.strip() else ""

    def convert_dd(self, _el: Tag, text: str, **_: object) -> str:
        return f"\n\n{text.strip()}\n\n"

    def convert_li(self, el: Tag, text: str, **_: object) -> str:
        """Write an item; the numbers of a long list are counted, not searched for."""
        text = text.strip()
        if not text:
            return "\n"
        mark = "- "
        if el.parent is not None and el.parent.name == "ol":
            start = _attribute(el.parent, "start")
            first = int(start) if start.isdecimal() and len(start) < 5 else 1
            number = self._numbers.get(id(el.parent), first)
            self._numbers[id(el.parent)] = number + 1
            mark = f"{number}. "
        lines = text.split("\n")
        margin = " " * len(mark)
        return (
            "\n".join([mark + lines[0], *(margin + line if line else "" for line in lines[1:])])
            + "\n"
        )


def _is_block(element: PageElement | None) -> bool:
    return isinstance(element, Tag) and element.name in _OF_BLOCKS


def _language(pre: Tag) -> str:
    for element in (pre, *pre.find_all("code", limit=1)):
        classes: Any = element.get("class") or []
        found = _LANGUAGE.search(" ".join(classes))
        if found:
            return found["name"].lower()
    return ""


def _number(markdown: str, page: Page) -> None:
    """Take the marks out of the Markdown and give every line its number in the file."""
    number, before = 1, ""
    for line in markdown.split("\n"):
        found = _MARK.search(line)
        text = _MARK.sub("", line).rstrip()
        if found:
            number = int(found[1])
        elif text and before:
            number += 1
        page.lines.append(Line(number, text))
        before = text
