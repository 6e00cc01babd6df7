"""Clean HTML, read as a tree and written as Markdown. Imported when there is HTML to read."""

from __future__ import annotations

from bs4 import BeautifulSoup

from cms.formats.htmlformulas import mark_formulas, may_hold_formulas
from cms.formats.markdownwriter import ImageOf, MarkdownWriter


def written(html: str, image: ImageOf) -> str:
    """Return clean HTML as Markdown; `image` is asked for each image."""
    tree = BeautifulSoup(html, "html.parser", preserve_whitespace_tags={"pre", "code"})
    if may_hold_formulas(html):
        mark_formulas(tree)
    return MarkdownWriter(image).document(tree)
