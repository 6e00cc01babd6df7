"""The links of a page, made relative: so a frozen site works at any address and below any path.

Our templates and our sanitizer write tags in one way: names in small letters, values in double
quotes, and no `<` anywhere else. So tags are found without parsing the page anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape

_TAG = re.compile(r'<[a-z][^<>"]*(?:"[^"]*"[^<>"]*)+>')
_LINK = re.compile(
    r'\s(href|src|action|data-href|data-list|data-cards|data-index|content)="([^"]*)"'
)
_REFRESH = "0; url="
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//")
# Modules name the ones that they use: their addresses are relative already.
_IMPORT = re.compile(r"""(?:from|import)\s*+\(?\s*+'(\./[\w.-]+)'""")

Rewrite = Callable[[str], str | None]


def relinked(html: str, rewrite: Rewrite) -> str:
    """Return a page whose links into the site say what `rewrite` makes of them.

    What it knows no address for is no link any more.
    """

    def attribute(found: re.Match[str]) -> str:
        name, value = found[1], unescape(found[2])
        begin = ""
        if name == "content":
            if not value.startswith(_REFRESH):
                return found[0]
            begin, value = _REFRESH, value.removeprefix(_REFRESH)
        if not value or value.startswith("#") or _SCHEME.match(value):
            return found[0]
        address = rewrite(value)
        if address is None:
            # An image that is not there shows its words, as it does on the server.
            return "" if name == "href" else found[0]
        return f' {name}="{begin}{escape(address)}"'

    return _TAG.sub(lambda tag: _LINK.sub(attribute, tag[0]), html)


def imported(script: str) -> list[str]:
    """Return the addresses of the modules that a script imports."""
    return _IMPORT.findall(script)
