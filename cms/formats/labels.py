"""What others call a difficulty or a subject, in the bank's words: a level, a tag's path."""

from __future__ import annotations

import re

from slugify import slugify

from cms.formats.item import SLUG_LIMIT
from cms.text import normalize_line
from cms.vocabulary import Difficulty

# As lists and tables have them in several languages; a level is a whole word of a label.
_LEVELS: dict[Difficulty, str] = {
    Difficulty.easy: "easy basic beginner beginners elementary entry fresher freshers "
    "junior simple einfach leicht fácil básico facile débutant "
    "principiante iniciante",
    Difficulty.medium: "medium intermediate intermediates mid middle moderate normal mittel medio "
    "media médio intermedio moyen intermédiaire",
    Difficulty.hard: "hard advanced difficult expert experts senior experienced tough schwer "
    "schwierig difícil avanzado avançado difficile avancé",
}
_LEVEL_OF = {word: level for level, words in _LEVELS.items() for word in words.split()}

# Words that say nothing beside a level: 'Beginner level questions'.
_FILLING_WORDS = (
    "level levels difficulty question questions interview and answers for the topics concepts "
    "developer developers stufe nivel niveau fragen"
)
_FILLING = frozenset(_FILLING_WORDS.split())

# Colors of traffic lights, as lists mark their questions without saying so.
SIGNS: dict[str, Difficulty] = {
    **dict.fromkeys("🟢🟩", Difficulty.easy),
    **dict.fromkeys("🟡🟨🟠🟧", Difficulty.medium),
    **dict.fromkeys("🔴🟥", Difficulty.hard),
}
_WORDS = re.compile(r"[^\W_]+")


def difficulty_named(label: str) -> Difficulty | None:
    """Return the level that a label names and nothing else: 'Easy', 'Advanced questions', '🟢'."""
    signs = {SIGNS[character] for character in label if character in SIGNS}
    words = [word for word in _WORDS.findall(label.casefold()) if word not in _FILLING]
    levels = {_LEVEL_OF.get(word) for word in words} | signs
    if len(levels) != 1:
        return None
    return levels.pop()


def tag_path(*labels: str) -> str:
    """Return a tag's path of labels, the parent first; empty if none has a letter or digit.

    Of a path that is too long the last parts are left out, and a first part is cut.
    """
    path = ""
    for label in labels:
        part = slugify(normalize_line(label)[:SLUG_LIMIT], max_length=60, word_boundary=True)
        longer = f"{path}/{part}" if path else part
        if part and len(longer) <= SLUG_LIMIT:
            path = longer
    return path
