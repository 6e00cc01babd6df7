"""What a reader sees of rendered HTML, as plain text: for descriptions and linked data."""

from __future__ import annotations

import re
from html import unescape

# The sanitizer writes the attributes of a tag in double quotes, and escapes the rest.
_CODE_HEAD = re.compile(r'<div class="code-head">[^<]*+(?:<(?!/?div\b)[^<]*+)*+</div>')
_BLOCK_END = re.compile(r"</(?:p|h[1-6]|li|pre|tr|blockquote)>|<br>")
_CELL_END = re.compile(r"</t[hd]>\s*(?=<t)")
_TAG = re.compile(r'<[^<>"]*+(?:"[^"]*+"[^<>"]*+)*+>')
_BLANK_LINES = re.compile(r"\n\s*\n")


def visible_text(html: str) -> str:
    """Return the text of sanitized HTML: a line for each paragraph, item and table row.

    Code is kept as it stands; the head of its block, which names the language, is not.
    """
    text = _CELL_END.sub(" | ", _CODE_HEAD.sub("", html))
    text = _TAG.sub("", _BLOCK_END.sub("\n", text))
    return _BLANK_LINES.sub("\n", unescape(text)).strip()


def shortened(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters, cut after a whole word with an ellipsis."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    return (head.rpartition(" ")[0] or head).rstrip() + "…"
