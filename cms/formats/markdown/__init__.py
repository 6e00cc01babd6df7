"""Markdown: one file per question, for people and for git; a folder, or a zip of it.

`<slug>.md` is a front matter in YAML, then the context, then an answer below
each heading '## Answer' or '## Answer: <label>'. A comment right below the
heading holds what else belongs to the answer, as JSON. `bank.yaml` beside the
questions has the head of the bank and their order, `tags.yaml` and `decks.yaml`
have what their names say; all three may be absent. Images are files in the
folder `assets`, and `assets.yaml` describes those that texts do not.

A line of a text that would read as such a heading, or as such a comment, gets
a backslash in front, and reading takes one away. In Markdown that is the same
text; inside a fence it shows, because fences decide nothing here.
"""

from __future__ import annotations

from cms.formats.format import Folder, Format, Purpose
from cms.formats.markdown.bank import ASSETS, BANK, DECKS, TAGS, detect, owned, read, write
from cms.formats.markdown.question import ENDING, FOLDER, question_text

__all__ = ["MARKDOWN", "question_text"]

MARKDOWN = Format(
    name="markdown",
    title="Markdown: a folder with one file per question",
    extension="md.zip",
    media_type="application/zip",
    purpose=Purpose.edit,
    detect=detect,
    read=read,
    write=write,
    also=("markdown.zip",),
    folder=Folder(
        files=(f"*{ENDING}", BANK, TAGS, DECKS, ASSETS, f"{FOLDER}/*"), record=BANK, owned=owned
    ),
    holds="everything, in files that people and git can work on",
    checked_with="git, an editor, our own reader",
)
