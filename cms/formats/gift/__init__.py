r"""GIFT: questions for Moodle as text.

A question is a block of lines without a blank one: a name between double colons,
the text, and in braces what is right. A block of ours:

    // [id:01920000-0000-7000-8000-000000000001] [tag:flask/basics]
    ::What is Flask?::[html]<p>What is Flask?</p>{####<p>A microframework.</p>}

`~ = # { } :` and the backslash get a backslash in front, and a line end is `\n`.
Texts are HTML, as those of Moodle's own editor: Moodle shows Markdown by rules of
its own, in which `<T>` is a tag and `<script>` runs. The model answer is the
general feedback, since an essay has no other place here. Docs:
https://docs.moodle.org/en/GIFT_format
"""

from __future__ import annotations

from cms.formats.format import Format, Purpose
from cms.formats.gift.reading import detect, read
from cms.formats.gift.writing import write
from cms.formats.quiz import DROPS

__all__ = ["GIFT"]

GIFT = Format(
    name="gift",
    title="GIFT: questions for Moodle as text",
    extension="gift",
    media_type="text/plain; charset=utf-8",
    purpose=Purpose.teach,
    detect=detect,
    read=read,
    write=write,
    drops=DROPS - {"assets.alt"} | {"assets"},
    through_html=True,
    holds="a question bank of Moodle as text that people edit",
    checked_with="`gift-pegjs`, a parser of GIFT; by hand, Moodle 5.0",
)
