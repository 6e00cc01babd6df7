"""Snippets: the passage that was found, as a reader sees it, with the words looked for."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cms.formats.item import AnswerItem, Item
from cms.markup import render_inline
from cms.services.snippets import READ_LIMIT, SNIPPET, highlighted, snippet
from cms.services.terms import parse

BODY = """Flask keeps *nothing* of it.

Ask [the `url_for` function](https://example.org/hidden) for an **address**, not by hand.

- In Paris one drinks café au lait
- C++ and C are two languages, C# is a third

```python
# the URL for a view
@app.route("/")
def __init__(self): return flask.g
```

The url for a file is known."""


def document(*bodies: str, context: str = "") -> str:
    item = Item(stem="?", context=context, answers=[AnswerItem(body=body) for body in bodies])
    return msgspec.json.encode(item).decode()


def shown(query: str, *bodies: str) -> str:
    """Return the snippet with what is marked in brackets."""
    pieces = snippet(document(*(bodies or (BODY,))), parse(query))
    return "".join(f"[{text}]" if hit else text for text, hit in pieces)


@pytest.mark.parametrize(
    ("query", "passage"),
    [
        ("url_for", "Ask the [url_for] function for an address, not by hand."),
        ('"URL FOR"', "Ask the [url_for] function for an address, not by hand."),
        ("known file", "The url for a [file] is [known]."),
        ("CAFÉ", "In Paris one drinks [café] au lait"),
        ("cafe", "In Paris one drinks [café] au lait"),
        ("C++", "[C++] and C are two languages, C# is a third"),
        ("c", "C++ and [C] are two languages, C# is a third"),
        ("C#", "C++ and C are two languages, [C#] is a third"),
        ("lang", "C++ and C are two [languages], C# is a third"),
        ("@app.route", '[@app.route]("/")'),
        ("__init__", "def [__init__](self): return flask.g"),
        ("flask.g", "def __init__(self): return [flask.g]"),
        # The passage with most of the words, not the first with one.
        ("flask return", "def __init__(self): [return] [flask].g"),
        # An address is not seen, and neither is what the text does not have.
        ("hidden", ""),
        ("zebra", ""),
        ("?", ""),
    ],
)
def test_a_snippet_shows_what_was_found(query: str, passage: str) -> None:
    assert shown(query) == passage


def test_a_long_passage_is_cut_at_words_around_what_was_found() -> None:
    before, after = "early " * 100, "later " * 100
    text = shown("needle", f"{before}needle {after}")
    assert text.startswith("… early ")
    assert text.endswith(" later …")
    assert "[needle]" in text
    assert len(text) <= SNIPPET + 8
    assert shown("early", f"{before}end").startswith("[early] [early]")


def test_of_a_very_long_text_the_beginning_is_read() -> None:
    filler = "word " * (READ_LIMIT // 5)
    assert shown("needle", f"a needle\n\n{filler}") == "a [needle]"
    assert shown("needle", f"{filler}\n\na needle") == ""
    assert shown("needle", filler, "a needle") == ""


@pytest.mark.parametrize(
    ("stem", "query", "html"),
    [
        ("Why `url_for`?", "url_for", "Why <code><mark>url_for</mark></code>?"),
        ("Is a < b & c?", "b", "Is a &lt; <mark>b</mark> &amp; c?"),
        ("amp & lt?", "amp", "<mark>amp</mark> &amp; lt?"),
        ("Ärger?", "arg", "<mark>Ärger</mark>?"),
        ("Code?", "code", "<mark>Code</mark>?"),
        ("`x`?", "code", "<code>x</code>?"),
    ],
)
def test_a_stem_is_marked_within_its_text_alone(stem: str, query: str, html: str) -> None:
    assert highlighted(render_inline(stem), parse(query)) == html


@given(stem=st.text(max_size=40), query=st.text(max_size=20))
def test_marking_adds_nothing_but_marks(stem: str, query: str) -> None:
    html = render_inline(stem)
    marked = highlighted(html, parse(query)).replace("<mark>", "").replace("</mark>", "")
    assert marked == highlighted(html, [])
    snippet(document(stem), parse(query))
