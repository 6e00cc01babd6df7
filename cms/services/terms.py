"""The words of texts and of queries: folded alike, with names of punctuation kept whole.

Both databases index what is made here, words between spaces, and so find the
same. A name with marks in it, such as `url_for`, `flask.g` or '@app.route', is
indexed twice: as the words that it is made of, and as one word in which its
marks are spelled out. So it is told from the same words in a sentence.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

# PostgreSQL's tsvector holds 1 MB; more text than this adds nothing to a search.
INDEX_LIMIT = 100_000  # characters
# What the names of a text may add to that.
NAMES_LIMIT = 25_000  # characters
# A longer query than this is no question.
QUERY_LIMIT = 400  # characters
WORD_LIMIT = 64  # characters
WORDS_LIMIT = 16  # words of a query
# A part of a name with more parts is found by its words alone.
PARTS_LIMIT = 4

# Without their marks these would be another language, or a word of any sentence.
# Each is looked for where its marks are; folded text has no capitals.
_NAMES = (
    ("c++", re.compile(r"\bc\+\+"), "cplusplus"),
    ("c#", re.compile(r"\bc#"), "csharp"),
    ("f#", re.compile(r"\bf#"), "fsharp"),
    (".net", re.compile(r"(?<!\w)\.net\b"), "dotnet"),
    (".js", re.compile(r"\b(\w+)\.js\b"), r"\1js"),
)
_WORD = re.compile(r"[^\W_]+")
# Texts of ASCII are cut into the same words many times faster without an expression.
_APART = "".join(chr(code) if chr(code).isalnum() else " " for code in range(128))
_NAME = re.compile(r"(?<![\w@])@?\w+(?:\.\w+)*")
# What holds words together in a query: a hyphen and an apostrophe do, in a sentence.
_TIED = re.compile(r"@?\w+(?:[.\-'’]\w+)*")
_CHUNK = re.compile(r'"([^"]*)"?|[^\s"]+')
_SPELLED = str.maketrans({".": "dot", "_": "underscore", "@": "at"})


@dataclass(frozen=True, slots=True)
class Term:
    """What a text has to hold: these words, side by side.

    `name` is the one word for it where it is a name with marks. `written` is
    what was typed. Of a `prefix` the last word may go on, or be one of `endings`
    where these are named. A term in quotes is meant as it stands.
    """

    words: tuple[str, ...]
    written: str
    name: str | None = None
    quoted: bool = False
    prefix: bool = False
    endings: tuple[str, ...] = ()

    @property
    def sought(self) -> tuple[str, ...]:
        """The words to look for: a name in quotes is no words of a sentence."""
        return (self.name,) if self.quoted and self.name else self.words


def index_text(parts: Iterable[str]) -> str:
    """Return the text to index: the words of `parts`, and on a second line their names."""
    text = folded("\n".join(part for part in parts if part)[:INDEX_LIMIT])[:INDEX_LIMIT]
    line = " ".join(text.translate(_APART).split() if text.isascii() else _WORD.findall(text))
    names = " ".join(dict.fromkeys(_names(text)))
    if len(names) > NAMES_LIMIT:
        names = names[:NAMES_LIMIT].rpartition(" ")[0]
    return f"{line}\n{names}" if names else line


def words(text: str) -> list[str]:
    """Return the words of a short text, in order, at most WORDS_LIMIT of them."""
    found = _WORD.findall(folded(text[:QUERY_LIMIT]))
    return [word[:WORD_LIMIT] for word in found][:WORDS_LIMIT]


def parse(query: str) -> list[Term]:
    """Return the terms of a query, in order, of at most WORDS_LIMIT words together.

    What stands in quotes is one term. So are words that marks tie together
    ('thread-safe', `url_for`). A query ends in a prefix: it may still be typed.
    """
    terms: list[Term] = []
    room = WORDS_LIMIT
    for term in _terms(unicodedata.normalize("NFC", query)[:QUERY_LIMIT]):
        if not room:
            break
        kept = tuple(word[:WORD_LIMIT] for word in term.words[:room])
        room -= len(kept)
        terms.append(Term(kept, term.written, term.name, term.quoted))
    if terms and _goes_on(query, terms[-1]):
        last = terms[-1]
        terms[-1] = Term(last.words, last.written, last.name, prefix=True)
    return terms


def folded(text: str) -> str:
    """Return text without case and accents, with names of punctuation as words."""
    if text.isascii():
        text = text.lower()
    else:
        decomposed = unicodedata.normalize("NFKD", text).casefold()
        text = "".join(c for c in decomposed if not unicodedata.combining(c))
    for marks, pattern, word in _NAMES:
        if marks in text:
            text = pattern.sub(word, text)
    return text


def _terms(query: str) -> Iterator[Term]:
    for chunk in _CHUNK.finditer(query):
        if chunk[1] is not None:
            if found := tuple(_WORD.findall(folded(chunk[1]))):
                yield Term(
                    found, chunk[1].strip(), spelled_name(folded(chunk[1]).strip()), quoted=True
                )
            continue
        for tied in _TIED.finditer(folded(chunk[0])):
            if found := tuple(_WORD.findall(tied[0])):
                yield Term(found, chunk[0], spelled_name(tied[0]))


def _goes_on(query: str, last: Term) -> bool:
    """Whether the last word of a query may be the beginning of a longer one.

    A single letter begins a third of all words: it stands for itself.
    """
    return (
        not last.quoted
        and unicodedata.normalize("NFC", query.rstrip())[-1:].isalnum()
        and not (len(last.words[-1]) == 1 and last.words[-1].isascii())
    )


def spelled_name(text: str) -> str | None:
    """Return the one word for a name with marks, None where `text` is none."""
    if not _NAME.fullmatch(text) or _WORD.fullmatch(text):
        return None
    return _spelled(text) if text.count(".") < PARTS_LIMIT else None


def _names(text: str) -> Iterator[str]:
    """Yield a word for each name in folded text, and for each run of its parts."""
    # Most of what stands between spaces has no marks: it is passed by without a closer look.
    marked = [
        chunk
        for chunk in dict.fromkeys(text.split())
        if "_" in chunk or "@" in chunk or ("." in chunk and "." in chunk[:-1])
    ]
    for found in chain.from_iterable(map(_NAME.findall, marked)):
        if found.isalnum() or len(found) > 2 * WORD_LIMIT:
            continue
        parts = found.lstrip("@").split(".")
        for start, part in enumerate(parts):
            # A single part is a name only if an underscore stands in it, beside something else.
            if not part.isalnum() and _WORD.search(part):
                yield _spelled(part)
            for end in range(start + 2, min(start + PARTS_LIMIT, len(parts)) + 1):
                run = ".".join(parts[start:end])
                if _WORD.search(run):
                    yield _spelled(run)
        if found[0] == "@":
            for end in range(1, min(len(parts), PARTS_LIMIT) + 1):
                begun = f"@{'.'.join(parts[:end])}"
                if _WORD.search(begun):
                    yield _spelled(begun)


def _spelled(name: str) -> str:
    return name.translate(_SPELLED)
