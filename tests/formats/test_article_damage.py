"""Warnings of damage: each kind is found, and sound text has none."""

from __future__ import annotations

import pytest

from cms.formats.article.damage import find_damages
from cms.formats.article.markdown import to_blocks
from cms.formats.incoming import Damage, Upload
from cms.formats.markdown.bank import read


def damages(text: str, *, title: str = "What is it?", markup: bool = False) -> list[Damage]:
    return find_damages(title, to_blocks(text.split("\n"), title=title, markup=markup))


def kinds(text: str, *, title: str = "What is it?", markup: bool = False) -> list[str]:
    return [damage.kind for damage in damages(text, title=title, markup=markup)]


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("The address of the host is, and the port is 80.", "hole"),
        ("The old name was and we want another one.", "hole"),
        ("The default port is.", "hole"),
        ("The old name becomes “” here.", "hole"),
        ("Open the page ( ) and read it.", "hole"),
        ("It may hold letters, digits, or.", "hole"),
        ("It knows names, , and numbers.", "hole"),
        ("The files are in the, then.", "hole"),
        ("Look at the of the page.", "hole"),
        ("The difference between and the other is small.", "hole"),
        ("There are several ways, such as.", "hole"),
        ("Read more at .", "hole"),
        ("The the cat sat there.", "repeat"),
        ("It ends when the program when it stops.", "repeat"),
        ("Some caches are a good way of being fast are the best of some caches.", "repeat"),
        ("It is fast and small here. It is fast and small here.", "repeat"),
        ("It answers all requests.The client waits for them.", "fused"),
        ("Ask for `x_y` Below is an example.", "fused"),
        ("The client’s make response() method does it.", "identifier"),
        ("See [Image: a cat] above.", "image"),
        ("It goes on […]", "truncated"),
        ("There are three of the", "truncated"),
        ("The steps are these:", "truncated"),
    ],
)
def test_a_damaged_sentence_carries_one_warning(sentence: str, kind: str) -> None:
    assert kinds(f"A sound sentence stands before. {sentence}") == [kind]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("x = “a”", ["quotes"]),
        ("def f(x):\nreturn x", ["indentation"]),
        ("x = 1\nif __name__ == '__main__':", ["truncated"]),
        ("x = f(1,\ny = 2", ["truncated"]),
        ("x = f(1))", ["truncated"]),
        ("import os\nx = 1 +", ["truncated"]),
        ("x = f(1, , 2)", ["hole"]),
        ("x = f(debug=, port=1)", ["hole"]),
        ("app = Site(__name__) @app.route('/')\nx = 1", ["fused"]),
        ("x = 1\n#Way 2'a' = b, c = True)", ["fused"]),
        ("app = Site(__name__)\n\ndef page():\n    return ''", ["decorator"]),
        ('<a href="x">y<a>', ["tag"]),
        ("<ul>\n<li>x</li>\n<b>y</b>", ["tag"]),
        ("<p>x</p>\n</div>", ["tag"]),
        ("<a href=\"{{ f('x',}}\">y</a>", ["hole"]),
        ("<p>{{ x </p>", ["truncated"]),
        ("<a href=”x”>y</a>", ["quotes"]),
        ("pip install", ["hole"]),
    ],
)
def test_damaged_code_carries_its_warning(code: str, expected: list[str]) -> None:
    assert kinds(f"Here is code:\n\n{code}\n\nThat was it.") == expected


def test_a_command_with_text_after_it_is_told() -> None:
    assert kinds("pip install flask Then start it again.") == ["fused"]


def test_a_fence_that_was_never_closed_is_told() -> None:
    assert kinds("```python\nx = 1", markup=True) == ["truncated"]


def test_a_comparison_that_no_table_could_be_made_of_is_told() -> None:
    cells = "Lists grow\n\nA list\n\nSlow\n\nFast\n\nOne\n\nTwo\n\nThree"
    (damage,) = damages(cells, title="What is the difference between a list and a tuple?")
    assert (damage.kind, damage.passage) == ("table", "Lists grow")


def test_a_table_that_was_rebuilt_is_told() -> None:
    assert kinds("Name  Use\n GET Reads it.\n PUT Writes it.") == ["table"]


def test_a_hole_in_the_question_itself_is_told() -> None:
    (damage,) = damages("Much.", title="What is the difference between and tuples?")
    assert damage.kind == "hole"
    assert damage.message.startswith("In the question: ")


def test_the_passage_of_a_long_sentence_is_what_stands_around_the_damage() -> None:
    long = "word " * 100 + "address is, and the other " + "word " * 100
    (damage,) = damages(long + "end.")
    assert damage.kind == "hole"
    assert "is, and the" in damage.passage
    assert len(damage.passage) < 250
    assert damage.passage in long


CLEAN = """\
It is what it is, and that is how they were. What the port is, and why, stands below.
The one we came from, the thing it is for, and the way things are and the way they were.
He asked what the state was and we told him. There it is. That is what the rest are.
The `and` operator and the "or" operator differ; the and keyword is short.
Pass an empty string (“”) or call it with f() and g(1, 2). Use a, b or the, if you must.
Log in in the morning. Whatever the value is, the and-gate stays. Use such names as and, or, not.
A request.Session object, site.Site and werkzeug.Request are classes. See Node.js or ASP.NET.
It takes letters, digits, and so on. Etc., etc. It has e.g. this, i.e. that.
When it starts and when it stops, while one runs or while another waits, it says so.
The set union() method and the built-in print() function exist; Python’s own sum() function too.

Steps:

1. Open the file,
2. read it, and
3. close it.

• parts,
• more parts, and
• the rest

This is how it is done:

```python
from typing import Any

app = Site(__name__)


@app.route("/")
def page(name: str = "", *, size: int = 1) -> str:
    # It's a remark (with a bracket, like 1) or 2)
    text = "“typographic” inside a string, ("
    if size == 1:
        return text
    values = [1, 2, 3,]
    return "".join(
        str(value) for value in values
    )


if __name__ == "__main__":
    app.run(debug=True)
```

The template has a form:

```html
<form action="{{ url_for('page', name=name) }}" method="post">
  <p>“Hello”
  <input name="x">
  <a href="/">home</a>
</form>
```

<form method="post" enctype="multipart/form-data">

pip install flask

Name\tUse
GET\tReads it
PUT\tWrites it

| a | b |
| --- | --- |
| 1 | and |

A last sentence, with more…
"""


@pytest.mark.parametrize("markup", [False, True])
def test_sound_text_carries_no_warning(markup: bool) -> None:
    text = CLEAN if markup else CLEAN.split("| a | b |")[0]
    found = [damage for damage in damages(text, markup=markup) if damage.kind != "table"]
    assert found == []


def test_a_bank_written_with_care_carries_no_warning(flask_bank: Upload) -> None:
    questions = [row.item for row in read(flask_bank).rows if row.item is not None]
    assert questions
    for question in questions:
        for answer in question.answers:
            blocks = to_blocks(answer.body.split("\n"), title=question.stem, markup=True)
            assert "\n\n".join(block.text for block in blocks) == answer.body
            assert find_damages(question.stem, blocks) == []
