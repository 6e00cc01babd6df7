"""An answer's lines as Markdown: nothing lost, nothing executed, code and tables found."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cms.errors import UnreadableFile
from cms.formats.article import read
from cms.formats.article.damage import find_damages
from cms.formats.article.inline import inline, mark_code, plain
from cms.formats.article.markdown import to_blocks
from cms.formats.escaping import escape_line_start
from cms.formats.incoming import Row, Upload
from cms.markup import plain_text, render


def markdown(text: str, *, title: str = "What is it?", markup: bool = False) -> str:
    blocks = to_blocks(text.split("\n"), title=title, markup=markup)
    return "\n\n".join(block.text for block in blocks)


# --- inline ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("the __name__ of it", "the `__name__` of it"),
        ("Site(__name__) and f()", "`Site(__name__)` and `f()`"),
        ("call json.dumps() or run(debug=True)", "call `json.dumps()` or `run(debug=True)`"),
        ("set app.debug = True here", "set `app.debug = True` here"),
        ("in request.files[] or session['name']", "in `request.files[]` or `session['name']`"),
        ("use url_for and request.remote_addr.", "use `url_for` and `request.remote_addr`."),
        ("above it @app.route stands", "above it `@app.route` stands"),
        ("the <title> tag, {{ post.title }}", "the `<title>` tag, `{{ post.title }}`"),
        ("already `url_for()` marked", "already `url_for()` marked"),
        # Not certain, so not marked: names of products, addresses, footnotes, gaps to fill in.
        ("Node.js, example.com, g.user", "Node.js, example.com, g.user"),
        ("Interface(API) and item(s)", "Interface(API) and item(s)"),
        ("as shown[1] by me@some_host.org", "as shown[1] by me@some_host.org"),
        ("https://docs.example/a_b_c()", "https://docs.example/a_b_c()"),
        ("fill in name____here", "fill in name\\_\\_\\_\\_here"),
        # Markdown's own marks are escaped where they would take effect.
        ("2 * 3 * 4 and **kwargs", "2 \\* 3 \\* 4 and \\*\\*kwargs"),
        ("a _private name", "a \\_private name"),
        ("[a](b) and [1]: c", "[a\\](b) and [1\\]: c"),
        ("R&amp;D & co", "R\\&amp;D & co"),
        ("C:\\*", "C:\\\\\\*"),
        ("a `lone backtick", "a \\`lone backtick"),
        ("~~gone~~", "\\~~gone\\~~"),
    ],
)
def test_a_line_of_prose_shows_what_it_says(text: str, expected: str) -> None:
    assert inline(text, markup=False) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("# one", "\\# one"),
        ("> one", "\\> one"),
        ("- one", "\\- one"),
        ("+", "\\+"),
        ("12. one", "12\\. one"),
        ("===", "\\==="),
        ("#one", "#one"),
        ("-one", "-one"),
    ],
)
def test_a_line_of_prose_begins_no_block(line: str, expected: str) -> None:
    assert escape_line_start(line) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("**What** is `a_b`?", "What is `a_b`?"),
        ("What is [a `b`](https://x.example)?", "What is a `b`?"),
        ("What is \\*\\*kwargs?", "What is **kwargs?"),
        ("What is `\\*`?", "What is `\\*`?"),
    ],
)
def test_a_stem_is_plain_text_with_backticks(text: str, expected: str) -> None:
    assert plain(text, keep_backticks=True) == expected


def test_a_stem_has_backticks_only_where_it_is_certainly_code() -> None:
    assert mark_code("why use Site(__name__) in 2 * 3?") == "why use `Site(__name__)` in 2 * 3?"


_PIECES = (
    *("__name__", "url_for()", "`x`", "``", "`", "<b>", "</b>", "<", "*", "**", "_", "[a](b)"),
    *("&amp;", "\\", "~~", "a", "b c", "http://x.y/_z_", "1.", "-", "#", "|", ">", " ", "[a]: b"),
    *("{{ x }}", "request.files[]", "app.debug = True", "“", "!", "![i](j)", "===", "***"),
)
prose = (
    st.lists(st.sampled_from(_PIECES), max_size=12).map("".join)
    | st.text(st.sampled_from("ab_*`<>[]()!#&;:\\/=.-+|~\"'1 {}%@$^,?“”"), max_size=40)
).map(lambda text: " ".join(text.split()))


def without_backticks(text: str) -> str:
    return re.sub(r"[\s`]", "", text)


@given(prose)
@example("costs $1$ or $ 2 $")
@example("\\{{ x }}")
@example("__name__``__name__``")
@example("`\\`x`__name__`")
def test_every_character_of_prose_is_shown(text: str) -> None:
    shown = escape_line_start(inline(text, markup=False))
    assert without_backticks(plain_text(shown)) == without_backticks(text)
    # What a web page's text became goes through again, as Markdown.
    again = inline(shown, markup=True)
    assert without_backticks(plain_text(again)) == without_backticks(text)
    assert without_backticks(plain(inline(text, markup=False))) == without_backticks(text)


# --- blocks ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("• one\n• two\n\n• three", "- one\n- two\n- three"),
        ("• one\n   ◦ inner\n• two", "- one\n  - inner\n- two"),
        ("•\n\none\n•\ntwo", "- one\n- two"),
        ("* one that goes\n  on here\n* two", "- one that goes on here\n- two"),
        ("– one\n– two", "- one\n- two"),
        ("– one dash alone", "– one dash alone"),
        ("1. one\n2. two\n   • inner", "1. one\n2. two\n   - inner"),
        ("1) one\n2) two", "1) one\n2) two"),
        ("1. one\n\nMore.\n\n2. two", "1. one\n\nMore.\n\n2. two"),
        ("2024. was a year", "2024\\. was a year"),
        ("short line\nAnother line", "short line\\\nAnother line"),
        (
            "a line that was wrapped because it is\nlong",
            "a line that was wrapped because it is\nlong",
        ),
        ("• one\n#Way 1\nx.y = True", "- one\n\n```python\n#Way 1\nx.y = True\n```"),
    ],
)
def test_lists_and_lines_stay_what_they_are(text: str, expected: str) -> None:
    assert markdown(text) == expected


@pytest.mark.parametrize(
    ("language", "code"),
    [
        ("python", "from a import b\nx = b(1)"),
        ("python", "import os, sys"),
        ("python", "def f(x):\nreturn x"),
        ("python", "class A(B):\npass"),
        ("python", "@app.route('/')\ndef f():\n    return 'the page of all'"),
        ("python", "for x in range(3):\n    print(x)\n\nelse:\n    y = 2"),
        ("python", "app = Site(__name__)\n\n# The comment of a sentence.\napp.run()"),
        ("python", "session['a'] = None"),
        ("python", "with open('x') as f:\nf.read()"),
        ("python", ">>> 1 + 1"),
        ("toml", '[project]\nname = "x"'),
        ("html", "<ul>\n  the words of a list\n</ul>"),
        ("html", "{% if x %}\n{{ x }}\n{% endif %}"),
        ("bash", "pip install x-y"),
        ("bash", "python -m build"),
        ("bash", "git clone https://x.example/y"),
        ("bash", "$ ls"),
        ("sql", "SELECT a FROM b WHERE c = 1"),
        ("javascript", "const a = 1;"),
        ("", '{\n"a": 1\n}'),
    ],
)
def test_code_without_marking_gets_a_fence_and_keeps_its_lines(language: str, code: str) -> None:
    expected = f"Before it.\n\n```{language}\n{code}\n```\n\nAfter it."
    assert markdown(f"Before it.\n\n{code}\n\nAfter it.") == expected


@pytest.mark.parametrize(
    "text",
    [
        "import what you need before you begin",
        "from the server comes an answer",
        "def, in, or, try, class, import, with",
        "for example:",
        "if the user is known:",
        "with these steps:",
        "return the value to the caller",
        "pip is the installer of packages.",
        "flask is small",
        "git tracks changes",
        "class members are shared:",
        "name = the name of the user",
        "Application Programming Interface(API)",
        "A sentence that ends with a call().",
    ],
)
def test_prose_is_not_taken_for_code(text: str) -> None:
    assert "```" not in markdown(text)


def test_backticks_in_code_lengthen_its_fence() -> None:
    assert markdown("x = '```'") == "````python\nx = '```'\n````"


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("Name  Use\nGET  Read a thing\nPUT  Write a thing", 4),
        ("Name\tUse\tSince\na\tb\tc\nd\te\tf", 4),
        ("Name  Use\n GET Reads it.\n PUT Writes it.", 4),
        ("Name  Use\nf() Does it.\ng() Undoes it.", 4),
    ],
)
def test_columns_kept_apart_by_spaces_become_a_table(text: str, rows: int) -> None:
    table = markdown(text)
    assert len(table.split("\n")) == rows
    assert table.startswith("| Name | Use |")
    assert "<table>" in render(table)


@pytest.mark.parametrize(
    "text",
    [
        "Name  Use\nGET Reads it.\nnothing here begins with a key",
        "key:  value\nother:  value\nthird:  value",
        "One sentence.  Another one.\nA third.  A fourth.\nA fifth.  A sixth.",
        "Name  Use\nGET Reads it.",
    ],
)
def test_lines_of_an_uncertain_structure_stay_lines(text: str) -> None:
    assert "|" not in markdown(text)


@pytest.mark.parametrize(
    "title",
    [
        "What is the difference between a list and a tuple?",
        "How does a list differ from a tuple?",
        "List vs tuple",
        "Compare a list with a tuple.",
        "What distinguishes a list from a tuple?",
    ],
)
def test_cells_that_became_paragraphs_are_a_table_again(title: str) -> None:
    pairs = (
        *("A list can grow", "It has a fixed size", "Slower", "Faster"),
        *("In brackets", "A tuple has none"),
    )
    cells = "\n\n".join(pairs)
    table = markdown(f"They are not the same:\n\n{cells}", title=title).lower()
    assert "| list | tuple |\n| --- | --- |\n| a list can grow | it has a fixed size |" in table
    assert table.startswith("they are not the same:\n\n|")
    assert table.endswith("| in brackets | a tuple has none |")


def test_cells_below_the_names_of_the_columns_are_a_table_again() -> None:
    cells = ["Point", "List", "Tuple", "Size", "grows", "fixed", "Speed", "slower", "faster"]
    table = markdown("\n\n".join(cells), title="Explain list vs tuple")
    assert table == (
        "| Point | List | Tuple |\n| --- | --- | --- |\n"
        "| Size | grows | fixed |\n| Speed | slower | faster |"
    )


@pytest.mark.parametrize(
    ("title", "cells"),
    [
        # Both names stand in one column, a cell is missing, or nothing is compared.
        ("Explain list vs tuple", "A list\n\nx\n\nA tuple\n\ny\n\nz\n\nw"),
        ("Explain list vs tuple", "A list\n\nA tuple\n\nx\n\ny\n\nz"),
        ("What is a list?", "A list\n\nA tuple\n\nx\n\ny\n\nz\n\nw"),
    ],
)
def test_paragraphs_of_an_uncertain_structure_stay_paragraphs(title: str, cells: str) -> None:
    assert markdown(cells, title=title) == cells


def test_a_markdown_source_keeps_its_own_markup() -> None:
    text = (
        "Some *words* and `code`, see [this](https://x.example/a_b).\n\n"
        "### A heading\n\n> quoted\n\n* one\n* two\n  1. inner\n\n      more of it\n\n"
        "| a | b |\n|---|---|\n| 1 | 2 |\n\n```python run\nx = 1\n```"
    )
    assert markdown(text, markup=True) == text


def test_the_items_of_a_loose_list_stay_one_list() -> None:
    text = "- one\n\n- two\n\n  more of two\n\n- three\n\nAfter it."
    assert markdown(text, markup=True) == text


_LINES = (
    *("abc", "The", "x = 1", "def f(x):", "return x", "• item", "- item", "* item", "1. step"),
    *("2. step", "3) s", "# note", "#note", "<b>", "<p>text</p>", "<a href=”x”>y<a>", "| a | b |"),
    *("|---|", "A  B", "GET Text", "__name__", "url_for()", "`q`", "``", "**b**", "[a](b)"),
    *("[a]: b", "&lt;", "\\", "===", "---", "> q", "    indented", "\tx", "  - sub", "◦ inner"),
    *("pip install x", "if a:", "@app.route('/')", "import os", "{{ x }}", "text:", "is, and the"),
    *("+", "1.", "12. a", "“", "[x.y]", "</b>", "***", "_a_", "~~s~~", "$ ls", "“”", ""),
)
some_lines = st.lists(st.lists(st.sampled_from(_LINES), max_size=3).map(" ".join), max_size=10)


@given(some_lines)
def test_no_letter_of_an_answer_is_lost_and_nothing_in_it_becomes_a_link(lines: list[str]) -> None:
    body = markdown("\n".join(lines))
    letters = re.compile(r"[^A-Za-z]")
    assert letters.sub("", plain_text(body)) == letters.sub("", "".join(lines))
    assert "<a" not in render(body)


@given(some_lines, st.booleans())
def test_a_warning_always_quotes_the_answer(lines: list[str], markup: bool) -> None:
    blocks = to_blocks([*lines, "```python", *lines], title="What?", markup=markup)
    body = "\n\n".join(block.text for block in blocks)
    assert all(damage.passage in body for damage in find_damages("What?", blocks))


# --- hostile input ---------------------------------------------------------------------

_HOSTILE = (
    *("Q ", "Q 1. ", "1. ", "1) x?\n", "# ", "## a\n", "```\n", "`", "``` `` ` ", "*", "_", "__a"),
    *("a.", "a(", "(", "[", "](", "[a](", "<", "<a ", "<a>", "<!--", "&", " ", "\t", "\n", " \n"),
    *(
        "“",
        '"',
        "'",
        "is, and ",
        "the the ",
        "a b. ",
        "A: ",
        "• ",
        "- a\n",
        "1. a\n",
        "| ",
        "a  b\n",
    ),
    *(
        "# c\n",
        "x = 1\n",
        "def f(\n",
        "if a:\n",
        "{{",
        "{% ",
        "\\",
        "~~~\n",
        ">",
        "===\n",
        "0",
        "vs ",
    ),
    *("difference between a and ", "Similar Reads\n\n", "http://", "@a.", ",", "[Image: ", '"""'),
)


@pytest.mark.parametrize("piece", _HOSTILE)
@pytest.mark.parametrize("head", ["Q 1. What is a?\n\n", "<h3>Q 1. What is a?</h3><p>"])
def test_hostile_repetition_is_read_or_refused(head: str, piece: str) -> None:
    """A pattern that backtracks without end would never come to the last line."""
    # Lines are read one by one: many of them only cost time.
    times = 1_500 if piece.strip() and piece.endswith("\n") else 30_000 // len(piece)
    upload = Upload("hostile.txt", (head + piece * times + "\nx").encode())
    try:
        rows = list(read(upload).rows)
    except UnreadableFile:
        rows = []
    assert all(isinstance(row, Row) for row in rows)
