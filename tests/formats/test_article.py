"""Articles as they are found: the damaged samples, a real one, other files, bad input."""

from __future__ import annotations

import codecs
import re

import pytest

from cms.errors import UnreadableFile
from cms.formats.article import DROPS, FORMAT, detect
from cms.formats.item import stripped
from tests.formats.articles import SAMPLES, SEEDS, body, item, read, sample, upload

# --- the damaged samples ---------------------------------------------------------------

QUESTIONS = [
    ("line 16", "What is a wheel?", []),
    ("line 20", "What stands in the root folder of a well-kept project?", []),
    (
        "line 28",
        "What is the difference between a wheel and a source distribution?",
        ["table", "truncated"],
    ),
    ("line 49", "Where does a maintainer upload a release?", ["hole"]),
    ("line 53", "How do you install a project so that edits take effect at once?", []),
    ("line 61", "Why do folders of code contain a file called `__init__.py`?", ["fused"]),
    (
        "line 65",
        "How does the template of a project page link to a release?",
        ["quotes", "hole", "tag", "indentation"],
    ),
    (
        "line 76",
        "How are commands declared that an installer puts on the path?",
        ["quotes", "hole", "hole"],
    ),
    (
        "line 85",
        "How can a program that was installed long ago find out its own version?",
        ["indentation"],
    ),
    ("line 98", "What do the three parts of a version number promise?", ["table"]),
    ("line 107", "In which steps is a release published?", []),
    (
        "line 118",
        "How is a command line program built with a framework?",
        ["fused", "indentation", "truncated", "decorator"],
    ),
    ("line 131", "Which characters may a project name hold?", ["hole", "repeat"]),
    ("line 137", "How was a project described before there was a standard file?", ["fused"]),
    ("line 146", "What is a namespace package?", ["repeat", "repeat", "identifier"]),
    ("line 152", "What is a lock file for?", []),
]


def test_the_damaged_article_gives_its_questions_in_order_with_their_warnings() -> None:
    rows = list(sample("damaged-article.txt").rows)
    assert [
        (row.place, item(row).stem, [damage.kind for damage in row.damages]) for row in rows
    ] == QUESTIONS
    origins = [item(row).provenance for row in rows]
    assert [origin.ordinal for origin in origins if origin] == list(range(1, 17))


@pytest.mark.parametrize("name", ["damaged-article.txt", "damaged-article.html"])
def test_every_warning_quotes_a_passage_of_the_answer_exactly(name: str) -> None:
    for row in sample(name).rows:
        for damage in row.damages:
            assert damage.passage
            assert damage.passage in body(row)
            assert damage.message.endswith(".")


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (
            2,
            "- pyproject.toml, which names the build system\n"
            "- A readme and a license\n"
            "- The folder src with the import package(s)\n"
            "- Tests that run against the installed package",
        ),
        (
            3,
            "| wheel | source distribution |\n"
            "| --- | --- |\n"
            "| A wheel is unpacked as it is | A source distribution has to be built first |\n"
            "| Fits one platform or all of them "
            "| Fits wherever a compiler and the build tools are found |\n"
            "| Holds no tests as a rule | Often holds tests and documentation |\n"
            "| Installed within seconds | A source distribution may take minutes, |",
        ),
        (
            5,
            "Ask for an editable installation\n\n"
            "```bash\npip install --editable .[tests]\n```\n\n"
            "The import package then points to the working copy.",
        ),
        (
            7,
            "The template asks for the address by the name of the release.\n\n"
            "```html\n<a href=”{{ release_url(‘greeter’,}}”>{{ release.name }}<a>\n```\n\n"
            "The function behind the address:\n\n"
            '```python\ndef release_url(name):\nreturn f"/releases/{name}/"\n```',
        ),
        (
            10,
            "Semantic versioning gives every part a meaning:\n\n"
            "| Part | Promise |\n"
            "| --- | --- |\n"
            "| MAJOR | Something that worked may have stopped working. |\n"
            "| MINOR | There is something new, and the old still works. |\n"
            "| PATCH | A fault was mended, nothing else changed. |",
        ),
        (
            11,
            "Four steps are enough:\n\n"
            "1. Raise the version number.\n2. Build both distributions.\n"
            "3. Check what they hold.\n4. Upload them.\n\n"
            "Steps 2 and 3 can be repeated as often as you like.",
        ),
        (
            12,
            "An application object collects the commands. The application uses the method "
            "`app.add_command` Below is a small program:\n\n"
            "```python\nimport typer\n\napp = typer.Typer()\n\ndef greet(name: str):\n"
            'print(f"It\'s a pleasure, {name}!")\n\nif __name__ == "__main__":\n```',
        ),
        (
            14,
            "By a call in setup.py. There were two ways to hand over the metadata.\n\n"
            '```python\n#Way 1\nsetup(name="greeter", version="1.0")\n\n'
            '#Way 2\'name\' = "greeter", version = "1.0")\n```',
        ),
        (
            16,
            "It records the exact version and hash of every dependency, "
            "so that the same set can be installed again.",
        ),
    ],
)
def test_an_answer_of_the_damaged_article_is_whole_and_readable(number: int, expected: str) -> None:
    assert body(list(sample("damaged-article.txt").rows)[number - 1]) == expected


def test_the_conclusion_is_no_part_of_the_answer_above_it() -> None:
    before_last = body(list(sample("damaged-article.txt").rows)[14])
    assert "interview" not in before_last
    assert before_last.endswith("is not needed for it.")


def test_everything_left_out_of_the_damaged_article_is_told() -> None:
    assert sample("damaged-article.txt").notes == [
        "Lines 1 to 2 were left out (navigation): “Skip to content”, “Sign In”.",
        "Line 4 was left out (the article's title, kept as provenance): "
        "“Top 16 Python Packaging Interview Questions”.",
        "Line 6 was left out (the date, kept as provenance): “Last Updated : 3 Mar, 2025”.",
        "Lines 7 to 8 were left out (navigation): “Save Article”, “Share”.",
        "Lines 10 to 14 were left out (before the first question): "
        "“Packaging is how Python code travels from one machine to ano…”, "
        "“Top 12 Python Packaging Interview Questions”, “Questions and Answers for Packagers”.",
        "Line 150 was left out (the article's conclusion): "
        "“In summary, an interview about packaging tests whether you h…”.",
        "Lines 156 to 163 were left out (other articles and the page's foot): "
        "“Related Articles”, “How to Sign a Release”, "
        "“Signing tells a reader who made a file. In this tutorial we…” and 4 more.",
        "The label before the answer was removed in 14 answers.",
    ]


def test_every_line_with_text_is_in_an_answer_a_title_or_a_note() -> None:
    """Nothing is lost silently: what no question holds is in a range that a note names."""
    reading = sample("damaged-article.txt")
    lines = (SAMPLES / "damaged-article.txt").read_text().splitlines()
    told: set[int] = set()
    for note in reading.notes:
        if found := re.match(r"Lines? (\d+)(?: to (\d+))?", note):
            told.update(range(int(found[1]), int(found[2] or found[1]) + 1))
    letters = re.compile(r"[^a-z]")
    kept = letters.sub("", "".join(item(row).stem + body(row) for row in reading.rows).lower())
    for number, line in enumerate(lines, start=1):
        words = re.sub(r"^(?:Question|Q|Answer|Ans|A)\b[\s\d]*[.:-]\s*|^Q\d+\.", "", line)
        if number not in told:
            assert letters.sub("", words.lower()) in kept, f"line {number}: {line}"


def test_the_damaged_page_gives_its_questions_as_markdown() -> None:
    rows = list(sample("damaged-article.html").rows)
    assert [
        (row.place, item(row).stem, [damage.kind for damage in row.damages]) for row in rows
    ] == [
        ("line 19", "What does a cache keep?", []),
        ("line 23", "Which directives forbid storing?", ["indentation"]),
        ("line 28", "How do fresh and stale responses differ?", ["image"]),
        ("line 34", "What is an entity tag?", ["hole"]),
        ("line 37", "How does a program compare tags?", ["quotes"]),
        ("line 44", "What happens when a response is stale?", []),
    ]
    assert [body(row) for row in rows] == [
        "Responses, and the requests that they answer. The key is made of method and address, "
        "and of the headers that `Vary` names. A name such as `__key__` or a pattern such as "
        "\\*.css & `<b>` means nothing to it.",
        "The header looks like this:\n\n"
        "```python\nif response.status_code == 200:\n"
        'response.headers["Cache-Control"] = "no-store"\n```\n\n'
        "- no-store forbids it to everyone\n- private forbids it to shared caches\n"
        "  - a proxy is one",
        "| Fresh | Stale |\n| --- | --- |\n"
        "| Served as it is | Checked with the origin \\| or refused |\n\n"
        "[Image: A time line of a response]\n\nAge of a response",
        "It names a version of a resource, see "
        "[the standard](https://www.rfc-editor.org/rfc/rfc9110#name-etag) and "
        "[our guide](https://reader.example/etags/). "
        "The default tag is, and the client sends it back.",
        "```python\ndef matches(tag, sent):\n    if sent == “*”:\n        return True\n"
        '    return tag in sent.split(", ")\n```',
        "1. The cache asks the origin.\n2. The origin answers 304, or sends a new response.",
    ]


def test_everything_left_out_of_the_damaged_page_is_told() -> None:
    assert sample("damaged-article.html").notes == [
        "What stands outside <main> was left out (the page around the article): "
        "“Home”, “Courses”, “Subscribe to our letters!” and 1 more.",
        "Line 16: <header> was left out (no part of the text): "
        "“6 HTTP Caching Interview Questions By the editors”.",
        "Line 32: <form> was left out (no part of the text): “Was this helpful?”.",
        "Line 31: an image was left out, its description kept: "
        "“A time line of a response” (“/img/age.png”).",
        "Lines 17 to 18 were left out (before the first question): "
        "“Caching saves time. These questions show whether somebody un…”, “## The basics”.",
        "Line 33 was left out (a caption or rule between questions): “## Validators”.",
        "Line 43 was left out (the article's conclusion): "
        "“Overall, interviews about caching reward those who read the…”.",
        "Lines 46 to 48 were left out (other articles and the page's foot): "
        "“## Similar Reads”, “### What is a proxy?”, "
        "“A proxy stands between client and server.”.",
        "The label before the answer was removed in 2 answers.",
    ]


@pytest.mark.parametrize(
    ("name", "source", "url", "date"),
    [
        ("damaged-article.txt", "Top 16 Python Packaging Interview Questions", "", "2025-03-03"),
        (
            "damaged-article.html",
            "6 HTTP Caching Interview Questions",
            "https://reader.example/caching/questions/",
            "2025-03-04",
        ),
    ],
)
def test_provenance_says_where_a_question_came_from(
    name: str, source: str, url: str, date: str
) -> None:
    for row in sample(name).rows:
        origin = item(row).provenance
        assert origin is not None
        assert (origin.source, origin.url, origin.date) == (source, url, date)


@pytest.mark.parametrize("name", ["damaged-article.txt", "damaged-article.html"])
def test_a_row_holds_nothing_that_the_format_says_it_drops(name: str) -> None:
    for row in sample(name).rows:
        assert row.drops == DROPS == FORMAT.drops
        assert stripped(item(row), DROPS) == item(row)


# --- the real article ------------------------------------------------------------------


@pytest.mark.skipif(not SEEDS, reason="the scraped article is not beside this checkout")
def test_the_scraped_article_gives_its_forty_questions_and_nothing_else() -> None:
    data = SEEDS[0].read_bytes()
    # An independent reading of the titles: whatever follows 'Q', a number and a mark.
    titles = re.findall(r"^Q ?\d+[.:] *(.+?) *$", data.decode(), re.MULTILINE)
    assert detect(upload(data, SEEDS[0].name))
    reading = read(data, SEEDS[0].name)
    rows = list(reading.rows)

    assert len(titles) == 40
    assert [item(row).stem.replace("`", "") for row in rows] == titles
    origins = [item(row).provenance for row in rows]
    assert [origin.ordinal for origin in origins if origin] == list(range(1, 41))
    headline = re.search(r"^Top \d+ .+$", data.decode(), re.MULTILINE)
    assert headline is not None
    assert {(origin.source, origin.date) for origin in origins if origin} == {
        (headline[0], "2024-06-15")
    }
    everything = "\n".join(body(row) for row in rows)
    for foreign in ("Open In App", "Like Article", "Last Updated", "Similar Reads", "Overall,"):
        assert foreign not in everything
    assert not re.search(r"^(?:Answer|Ans|A) ?:", everything, re.MULTILINE)
    assert "•" not in everything
    assert "min read" not in everything
    for row in rows:
        assert all(damage.passage in body(row) for damage in row.damages)
    assert {"hole"} == {damage.kind for damage in rows[3].damages}
    # The two tables, and the lists, are what they were.
    assert body(rows[2]).count("\n|") == 11
    assert body(rows[13]).count("\n|") == 7
    assert body(rows[1]).count("- ") == 9


@pytest.mark.skipif(not SEEDS, reason="the scraped article is not beside this checkout")
def test_every_line_of_the_scraped_article_is_in_a_question_or_in_a_note() -> None:
    text = SEEDS[0].read_text().replace("\u00a0", " ")
    reading = read(text)
    told: set[int] = set()
    for note in reading.notes:
        if found := re.match(r"Lines? (\d+)(?: to (\d+))?", note):
            told.update(range(int(found[1]), int(found[2] or found[1]) + 1))
    letters = re.compile(r"[^a-z]")
    kept = letters.sub("", "".join(item(row).stem + body(row) for row in reading.rows).lower())
    for number, line in enumerate(text.splitlines(), start=1):
        words = re.sub(r"^(?:Q ?\d+|Answer)[.:] *", "", line)
        if number not in told:
            assert letters.sub("", words.lower()) in kept, f"line {number}"


# --- detection and bad input -------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "uid,stem,answer\n1,Q 1. What is a?,x\n2,Q 2. What is b?,y\n"),
        ("a.txt", "question;answer\nQ 1. What is a?;x\nQ 2. What is b?;y\n"),
        ("a.json", '{"questions": [\n"Q 1. What is a?",\n"Q 2. What is b?"]}'),
        ("a.txt", '{"stem":\n"x"}\nQ 1. What is a?\nQ 2. What is b?'),
        ("a.md", "---\nuid: 1\nstem: What is a?\n---\n## What is a?\n\nA.\n\n## What is b?\n\nB."),
        ("a.txt", "Only prose, in two sentences. Is there a question? No.\n\nNone at all?\n"),
        ("a.txt", "How to begin\n\n1. Install it.\n2. Run it.\n3. Stop it.\n"),
        ("a.txt", "Q 1. What is a single question?\n\nNot an article.\n"),
        ("a.html", "<html><body><p>Nothing is asked here.</p></body></html>"),
        ("a.txt", b"Q 1. What is a?\nA.\n\xff\xfe\nQ 2. What is b?\nB."),
        ("a.txt", b""),
        ("a.html", "<div>" * 1000 + "<h3>Q1. What is a?</h3><h3>Q2. What is b?</h3>"),
    ],
)
def test_what_is_no_article_is_not_taken_for_one(name: str, text: str | bytes) -> None:
    assert not detect(upload(text, name))


@pytest.mark.parametrize("name", ["damaged-article.txt", "damaged-article.html"])
def test_an_article_is_recognized(name: str) -> None:
    assert detect(upload((SAMPLES / name).read_bytes(), name))


@pytest.mark.parametrize(
    "data",
    [
        "Q1. What is a?\nÄ.".encode("utf-8-sig"),
        codecs.BOM_UTF16_LE + "Q1. What is a?\nÄ.".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "Q1. What is a?\r\nÄ.\r\n".encode("utf-16-be"),
    ],
)
def test_the_encoding_of_an_article_is_known_by_its_mark(data: bytes) -> None:
    (row,) = read(data).rows
    assert (item(row).stem, body(row)) == ("What is a?", "Ä.")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("prose.txt", b"Only prose.", "prose.txt: No question was found. An article's questions"),
        ("latin.txt", b"Q1. What is \xe4?\nA.", "latin.txt, line 1: Byte 12 (0xe4) is not UTF-8"),
        ("deep.html", b"<div>" * 1000, "deep.html: The HTML is nested too deeply. Save the page"),
        ("open.html", b"<p" * 1000, "open.html: The HTML is broken: its tags do not end. Save the"),
    ],
)
def test_an_unreadable_article_says_what_to_do(name: str, data: bytes, message: str) -> None:
    with pytest.raises(UnreadableFile) as caught:
        read(data, name)
    assert str(caught.value).startswith(message)


def test_markup_that_the_parser_rejects_is_refused_with_a_remedy_or_read() -> None:
    """Newer versions of Python read as a comment what older ones give up on."""
    try:
        told = body(next(iter(read("<p>Q1. What is a?</p><p>A.</p><![x]>", "cut.html").rows)))
    except UnreadableFile as error:
        told = str(error)
    assert re.match(r"A\.$|cut\.html: The HTML cannot be parsed\. Save the page again", told)
