"""Text as the bank keeps it. Imports nothing of ours."""

import re
import unicodedata
from collections.abc import Callable

# Control characters but tab and LF, NEL (YAML reads it as a line end), the two
# Unicode line separators' cousins stay; lone surrogates cannot be encoded, and
# no XML holds the last two (XML 1.0, section 2.2).
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\ud800-\udfff\ufffe\uffff]")
_NEWLINES = re.compile("\r\n?|\x85")
_WORDS = re.compile(r"\w+")


def normalize_text(text: str) -> str:
    """Return `text` with LF line ends and without characters that no store keeps.

    PostgreSQL refuses NUL, YAML changes U+0085, UTF-8 has no lone surrogates, XML
    no U+FFFE and U+FFFF; other control characters mean nothing in prose. Idempotent.
    """
    # All that would change is unprintable, and most texts hold nothing of that kind but LF.
    if text.replace("\n", "").isprintable():
        return text
    return _FORBIDDEN.sub("", _NEWLINES.sub("\n", text))


def normalize_line(text: str) -> str:
    """Return `text` normalized, on one line, with single spaces and no outer space."""
    return " ".join(normalize_text(text).split())


def normalize_body(text: str) -> str:
    """Return Markdown normalized, without blank lines around it or spaces at its end."""
    return normalize_text(text).strip("\n").rstrip()


def match_key(stem: str) -> str:
    """Return the form in which two stems are compared for being the same question.

    Compatibility forms are folded, case and punctuation ignored:
    'What is  FLASK ?' and 'what is flask' have one key. A stem of punctuation
    alone is its own key.
    """
    folded = unicodedata.normalize("NFKC", stem).casefold()
    return " ".join(_WORDS.findall(folded)) or folded.strip()


def stem_key(stem: str) -> str:
    """Return the match key of a stem in the length that a column holds (500 characters)."""
    return match_key(stem)[:500]


def title_key(stem: str) -> str:
    """Return the form by which titles sort: folded, without accents or outer punctuation."""
    decomposed = unicodedata.normalize("NFKD", stem).casefold()
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(plain.replace("`", "").split()).lstrip("\"'“‘([{.")[:120]


def unique_name(wanted: str, taken: Callable[[str], bool], limit: int = 120) -> str:
    """Return `wanted`, or `wanted-2`, `wanted-3` … : the first that is not taken."""
    candidate, number = wanted[:limit], 1
    while taken(candidate):
        number += 1
        ending = f"-{number}"
        candidate = wanted[: limit - len(ending)] + ending
    return candidate
