"""GIFT: what stands in a block, what Moodle's own files say, what is refused with its line."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cms.formats import FORMATS, detect
from cms.formats.incoming import Row, Upload
from cms.formats.item import OptionItem
from tests.formats.strategies import question, upload, written

GIFT = FORMATS["gift"]
FIXTURE = Path(__file__).parents[2] / "fixtures" / "gift" / "kettles.gift.txt"


def read(text: str) -> list[Row]:
    assert GIFT.read is not None
    return list(GIFT.read(upload(text)).rows)


def only(text: str) -> Row:
    (row,) = read(text)
    return row


# --- writing -----------------------------------------------------------------------


def test_an_essay_is_a_block_whose_feedback_is_the_model_answer() -> None:
    item = question(stem="What is {a} = `b`?", context="One\n\ntwo.", difficulty="easy")
    assert written(GIFT, [item]).decode() == (
        "$CATEGORY: $course$/top/A bank, release 1/numbers\n\n"
        "// [id:01920000-0000-7000-8000-000000000001] [tag:numbers] [tag:difficulty: easy]\n"
        "::What is \\{a\\} \\= b?::[html]<p>What is \\{a\\} \\= <code>b</code>?</p>"
        "\\n<p>One</p>\\n<p>two.</p>{####<p>Number 1.</p>\\n"
        '<div class\\="question-bank revision-1"><p><a href\\="https\\://bank.example/questions/'
        'question-1">This question in the question bank</a></p></div>}\n\n'
    )


@pytest.mark.parametrize(
    ("marks", "starts"),
    [
        ([True, False], ["=", "~"]),
        ([True, True, False], ["~%50%", "~%50%", "~%-100%"]),
        ([False, False], ["~", "~"]),
        ([True], ["~%100%"]),
    ],
)
def test_a_choice_has_its_options_with_moodles_shares(marks: list[bool], starts: list[str]) -> None:
    options = [OptionItem(text="Yes", correct=mark, feedback="So.") for mark in marks]
    lines = written(GIFT, [question(options=options)]).decode().splitlines()
    found = [line for line in lines if line.startswith(("\t=", "\t~"))]
    assert found == [f"\t{start}<p>Yes</p>#<p>So.</p>" for start in starts]


# --- reading -----------------------------------------------------------------------


def test_each_kind_of_question_in_moodles_own_file_has_a_readable_answer() -> None:
    assert GIFT.read is not None
    file = Upload("kettles.txt", FIXTURE.read_bytes())
    assert detect(file) is GIFT
    reading = GIFT.read(file)
    found = {row.place: row.item for row in reading.rows}
    assert [
        (place, item.stem, "".join(answer.body for answer in item.answers))
        for place, item in found.items()
        if item
    ] == [
        (
            "line 7",
            "At how many degrees Celsius does water boil at sea level?",
            "- 100 ± 0.5\n\n  Right: one hundred.\n- 99 (50 % of the mark)\n\n  Nearly.\n\n"
            "Pressure decides.",
        ),
        ("line 16", "Why does a kettle whistle?", "Steam leaves through a narrow opening"),
        ("line 24", "Which of these does every kettle have?", "- A spout\n- A handle"),
        ("line 32", "A kettle is a vessel.", "It holds water."),
        (
            "line 36",
            "What comes out of the spout?",
            "- steam\n- air (50 % of the mark)\n\n  Not quite.",
        ),
        ("line 43", "What goes with what?", "- **Kettle**: Water\n- Oven: Bread = dough"),
        ("line 50", "A kettle _____ water, as vector<int> shows.", "boils"),
        ("line 53", "Describe a kettle: in your own words.", ""),
    ]
    first, choice, several, truth = [item for item in found.values() if item][:4]
    assert first.provenance
    assert first.provenance.external_id == "KETTLE-1"
    assert first.tags == ["water-steam", "basics", "default-for-kettles/basics"]
    assert [(each.correct, each.feedback) for each in choice.options] == [
        (True, "Yes, it does."),
        (False, "No: it is hot."),
        (False, ""),
    ]
    assert [each.correct for each in several.options] == [True, True, False]
    assert truth.options == [
        OptionItem(text="True", correct=True, feedback="So it is."),
        OptionItem(text="False", feedback="Look again."),
    ]
    assert reading.notes == [
        "1 text without braces left out, the first at line 57: such a block describes and asks "
        "nothing. A question ends with '{}'."
    ]


@pytest.mark.parametrize(
    ("text", "stem", "answer"),
    [
        ("[markdown]Is *this* `code`? {T}", "Is this `code`?", "True."),
        ("[plain]a <b> & *c*? {=d}", "a <b> & *c*?", "d"),
        ("[html]a &lt;b&gt;? {=d}", "a <b>?", "d"),
        ("a <b>bold</b> List<int>? {=d}", "a bold List<int>?", "d"),
        ("Pi? {#3.14159..3.1416}", "Pi?", "3.14159 to 3.1416"),
        ("Pi? {#3:0}", "Pi?", "3"),
        ("Q? {one}", "Q?", "one"),
        ("Q\\: a \\\\n b? {F#wrong#right}", "Q: a \\n b?", "False."),
        ("Q? {=a\\=b =c#said}", "Q?", "- a=b\n- c\n\n  said"),
    ],
)
def test_texts_of_every_kind_are_read(text: str, stem: str, answer: str) -> None:
    item = only(f"{text}\n").item
    assert item
    assert item.stem == stem
    # Markdown may mark with a backslash what is meant as it stands.
    assert item.answers[0].body.replace("\\", "") == answer.replace("\\", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("// c\nWhat? {", "A brace stands alone here"),
        ("What? } {", "A brace stands alone here"),
        ("What? {#}", "No number stands behind the '#'"),
        ("What? {#ten}", "'ten' is not a number"),
        ("What? {=a -> b =c}", "has no '->'"),
        ("What? {" + "~a" * 300 + "}", "more than 200 answers"),
        ("{=a ~b}", "stem: It is empty"),
        ("What? {=a ~%50%}", "options[1].text: It is empty"),
    ],
)
def test_a_damaged_block_is_an_error_with_its_line_and_the_others_are_read(
    text: str, said: str
) -> None:
    good, bad, other = read(f"One? {{=1}}\n\n{text}\n\nTwo? {{=2}}\n")
    assert good.item
    assert other.item
    assert said in f"{bad.place.partition(', ')[2]}: {bad.error}"
    assert bad.place.startswith("line 4" if text.startswith("//") else "line 3")


@pytest.mark.parametrize(
    ("text", "is_gift"),
    [
        ("// a comment\n\n// another\n$CATEGORY: x\n", True),
        ("::Name::What? {}\n", True),
        ("What is it? {=this ~that}\n", True),
        ("When? {#1822:5}", True),
        ("It is. {TRUE}", True),
        ("#include <x.h>\nint main() { return 1; }", False),
        ("body { color: red }", False),
        ("{% if x %}{# y #}", False),
        ("::before { content: '' }", False),
        ('{"a": {"=": 1}}', False),
        ("A question?\n\nAn answer.", False),
    ],
)
def test_gift_is_known_by_its_first_block(text: str, is_gift: bool) -> None:
    assert GIFT.detect(upload(text)) is is_gift


# --- another parser ------------------------------------------------------------------


_PARSE = (
    "console.log(JSON.stringify(require('gift-pegjs').parse(require('fs').readFileSync(0,'utf8'))))"
)


@functools.cache
def parser() -> dict[str, str]:
    """Return the environment in which node finds gift-pegjs."""
    if not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("node and npm are not installed")
    root = subprocess.run(["npm", "root", "--global"], capture_output=True, text=True, check=True)
    folder = root.stdout.strip()
    if not (Path(folder) / "gift-pegjs").is_dir():
        pytest.skip("gift-pegjs is not installed (npm install --global gift-pegjs)")
    return os.environ | {"NODE_PATH": folder}


def parsed(data: bytes) -> list[dict[str, Any]]:
    node = subprocess.run(
        ["node", "-e", _PARSE], input=data, capture_output=True, env=parser(), check=False
    )
    assert node.returncode == 0, node.stderr.decode()
    found: list[dict[str, Any]] = json.loads(node.stdout)
    return found


def test_another_parser_reads_our_file_as_it_is_meant() -> None:
    hostile = r"a \ ~ = # { } : -> // [x] %50% \n ::b:: <T> $CATEGORY: é 😀"
    options = [OptionItem(text=hostile, correct=True, feedback=hostile), OptionItem(text="No")]
    bank = [
        question(1, stem=hostile, context=f"```py\nif a:\n\n    {hostile}\n```", difficulty="hard"),
        question(2, options=options, tags=["a/b"]),
        question(3, options=[*options, OptionItem(text="Also", correct=True)], answers=[]),
    ]
    found = parsed(written(GIFT, bank))
    assert [each["title"] for each in found if each["type"] == "Category"] == [
        f"$course$/top/A bank, release 1/{path}" for path in ("numbers", "a/b", "numbers")
    ]
    essay, choice, several = [each for each in found if each["type"] != "Category"]
    shown = hostile.replace("<", "&lt;").replace(">", "&gt;")
    assert (essay["type"], essay["id"]) == ("Essay", bank[0].uid)
    assert essay["tags"] == ["numbers", "difficulty: hard"]
    assert essay["stem"]["format"] == "html"
    assert essay["stem"]["text"].startswith(f"<p>{shown}</p>\n<pre>")
    assert f"if a:\n\n    {shown}\n" in essay["stem"]["text"]
    assert essay["globalFeedback"]["text"].startswith("<p>Number 1.</p>")
    assert [each["isCorrect"] for each in choice["choices"]] == [True, False]
    assert "-&gt; // [x] %50%" in choice["choices"][0]["text"]["text"]
    assert "-&gt; // [x] %50%" in choice["choices"][0]["feedback"]["text"]
    assert [each["weight"] for each in several["choices"]] == [50, -100, 50]
