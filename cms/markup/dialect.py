"""The Markdown that the bank is written in: CommonMark, tables, strikethrough and formulas."""

from __future__ import annotations

from markdown_it import MarkdownIt

from cms.markup.formulas import formulas_plugin


def dialect() -> MarkdownIt:
    """Return a new parser of the Markdown that the bank is written in, without rules of a page."""
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False})
    return parser.enable(["table", "strikethrough"]).use(formulas_plugin)
