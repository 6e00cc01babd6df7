"""Which passage of a question a search found, and the words in it that were looked for.

A passage is taken from the published text as a reader sees it. Only its own
block of Markdown is read for it, and of a very long text the beginning: the
rows of one page cost a bounded time.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from html import escape, unescape

import msgspec

from cms.markup import plain_text
from cms.services.terms import Term, folded, spelled_name

Piece = tuple[str, bool]
"""Some text, and whether it is what was looked for."""

READ_LIMIT = 20_000  # characters of one question
SNIPPET = 200  # characters
# A passage may show none of what its Markdown has: an address of a link.
TRIED = 3  # passages
# So much of it stands before the first word that was looked for.
LEAD = 60  # characters

# What `folded` makes one word of stands whole here, too.
_TOKEN = re.compile(r"\b(?:c\+\+|[cf]#)|(?<!\w)\.net\b|\b\w+\.js\b|[^\W_]+", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_ITEM = re.compile(r"\A\s*+(?:[-*+]|\d{1,9}[.)])\s++")
# Without one of these a paragraph of Markdown reads as it is written.
_MARKUP = re.compile(r"[\\`*_\[\]<>&#|~!=]")
_TAGS = re.compile(r'(<[^<>"]*+(?:"[^"]*+"[^<>"]*+)*+>)')


class _Answer(msgspec.Struct):
    body: str = ""


class _Option(msgspec.Struct):
    text: str = ""
    feedback: str = ""


class _Texts(msgspec.Struct):
    """So much of a document as is read for a snippet."""

    context: str = ""
    answers: list[_Answer] = []
    options: list[_Option] = []


_decoder = msgspec.json.Decoder(_Texts)


def snippet(document: str, terms: Sequence[Term]) -> list[Piece]:
    """Return the passage of a question's document that has most of the terms, in pieces.

    It has at most SNIPPET characters, and an ellipsis where text was left out.
    Empty where no passage shows any of the terms: the stem alone has them, or
    what is far down in a long text.
    """
    texts = _decoder.decode(document)
    keys = {max(term.words, key=len) for term in terms}
    scored: list[tuple[int, int, str, bool]] = []
    bodies = (answer.body for answer in texts.answers)
    choices = (text for option in texts.options for text in (option.text, option.feedback))
    for number, (block, code) in enumerate(_blocks([texts.context, *bodies, *choices])):
        seen = folded(block)
        score = sum(key in seen for key in keys)
        if score:
            scored.append((-score, number, block, code))
        if score == len(keys) and len(scored) >= TRIED:
            break
    for _, _, block, code in sorted(scored)[:TRIED]:
        text = _seen(block, code)
        if found := spans(text, terms):
            return list(_cut(text, found))
    return []


def highlighted(html: str, terms: Sequence[Term]) -> str:
    """Return our own inline HTML (a rendered stem) with the words looked for in `mark`."""
    if not terms:
        return html
    pieces = []
    for piece in _TAGS.split(html):
        if piece.startswith("<"):
            pieces.append(piece)
            continue
        text = unescape(piece)
        marked = _pieces(text, 0, len(text), spans(text, terms))
        pieces += [f"<mark>{escape(each)}</mark>" if hit else escape(each) for each, hit in marked]
    return "".join(pieces)


def spans(text: str, terms: Sequence[Term]) -> list[tuple[int, int]]:
    """Return where a text has the terms: pairs of start and end that do not overlap.

    A term's words count side by side. Where a text has names in its marks, as
    they were typed, the marks belong to them.
    """
    tokens = [(match.start(), match.end(), _folded(match[0])) for match in _TOKEN.finditer(text)]
    found: list[tuple[int, int]] = []
    for term in terms:
        beyond = len(term.words) - 1
        for first, (start, _, _) in enumerate(tokens[: max(0, len(tokens) - beyond)]):
            if _stands_at(tokens, first, term):
                found.append(_with_marks(text, start, tokens[first + beyond][1], term))
    joined: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


@lru_cache(4096)
def _folded(word: str) -> str:
    return folded(word)


def _stands_at(tokens: Sequence[tuple[int, int, str]], first: int, term: Term) -> bool:
    """Whether the words of a term begin at this token; the last may go on where it is a prefix."""
    last = len(term.words) - 1
    for place, word in enumerate(term.words):
        token = tokens[first + place][2]
        if token != word and not (term.prefix and place == last and token.startswith(word)):
            return False
    return True


def _with_marks(text: str, start: int, end: int, term: Term) -> tuple[int, int]:
    """Return the place of a name with the marks around it, where they are those of the name."""
    if term.name is None:
        return start, end
    before, after = start, end
    while before and text[before - 1] in "_@":
        before -= 1
    while after < len(text) and text[after] == "_":
        after += 1
    for first in range(before, start + 1):
        for last in range(after, end - 1, -1):
            if spelled_name(folded(text[first:last])) == term.name:
                return first, last
    return start, end


def _seen(block: str, code: bool) -> str:
    """Return a block in one line as a reader sees it."""
    if not code:
        block = _ITEM.sub("", block, count=1) if _ITEM.match(block) else block
        block = plain_text(block) if _MARKUP.search(block) else block
    return " ".join(block.split())


def _blocks(texts: Iterable[str]) -> Iterator[tuple[str, bool]]:
    """Yield paragraphs, items and lines of code of some Markdown, and whether each is code."""
    room = READ_LIMIT
    for text in texts:
        fence = ""
        paragraph: list[str] = []
        for line in unicodedata.normalize("NFC", text[:room]).split("\n"):
            mark = _FENCE.match(line)
            if mark and (not fence or mark[1].startswith(fence)):
                fence = "" if fence else mark[1]
            elif fence:
                yield line, True
                continue
            elif line.strip() and not _ITEM.match(line):
                paragraph.append(line)
                continue
            if paragraph:
                yield "\n".join(paragraph), False
            paragraph = [line] if line.strip() and not mark else []
        if paragraph:
            yield "\n".join(paragraph), False
        room -= len(text)
        if room <= 0:
            return


def _cut(text: str, found: Sequence[tuple[int, int]]) -> Iterator[Piece]:
    """Yield so much of a text around the first place, or around most of them, as a list shows."""
    start, end = 0, len(text)
    if end > SNIPPET:
        best = max(
            found,
            key=lambda place: (
                sum(
                    1
                    for each in found
                    if place[0] <= each[0] and each[1] <= place[0] + SNIPPET - LEAD
                ),
                -place[0],
            ),
        )
        start = max(0, min(best[0] - LEAD, end - SNIPPET))
        if start:
            start = _word_begin(text, start, best[0])
        end = min(end, start + SNIPPET)
        if end < len(text):
            space = text.rfind(" ", best[1], end)
            end = space if space > 0 else end
    if start:
        yield "… ", False
    yield from _pieces(text, start, end, found)
    if end < len(text):
        yield " …", False


def _word_begin(text: str, start: int, limit: int) -> int:
    space = text.find(" ", start, limit)
    return start if space < 0 else space + 1


def _pieces(text: str, start: int, end: int, found: Sequence[tuple[int, int]]) -> Iterator[Piece]:
    for first, last in found:
        first, last = max(first, start), min(last, end)
        if first >= last:
            continue
        if first > start:
            yield text[start:first], False
        yield text[first:last], True
        start = last
    if start < end:
        yield text[start:end], False
