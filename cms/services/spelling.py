"""The words of public texts, and which of them somebody meant who wrote another.

The shelf keeps each word with the number of questions that have it, and its
spellings with one letter less (`cms.models.SearchSpelling`). What is typed,
itself with a letter less, meets them there: a few keys of an index are read,
however many words there are.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import ascii_lowercase

from rapidfuzz.distance import OSA
from sqlalchemy import bindparam, delete, insert, select, tuple_, update
from sqlalchemy.orm import Session

from cms.models import SearchSpelling, SearchWord
from cms.services.chunks import chunks

SHORTEST, LONGEST = 4, 24  # letters of a word that is worth keeping
# From this length on, two letters may be wrong.
LONG_WORD = 8
# Words that share a spelling with what was typed; the most frequent are looked at.
CANDIDATES = 200
# So many of the words with a very common beginning are looked for.
ENDINGS = 8

_APART = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Near:
    """A word of public texts that is spelled almost like another."""

    word: str
    questions: int


def vocabulary(search_text: str) -> set[str]:
    """Return the words of an indexed text that are kept: letters alone, no names with marks."""
    line, _, _ = search_text.partition("\n")
    return {word for word in set(line.split()) if _is_kept(word)}


def count_words(session: Session, change: Mapping[str, int]) -> None:
    """Add to the number of questions that have a word, or take away; it runs in a release."""
    for some in chunks(sorted(word for word, number in change.items() if number)):
        held = dict(
            session.execute(
                select(SearchWord.word, SearchWord.questions).where(SearchWord.word.in_(some))
            ).all()
        )
        totals = {word: held.get(word, 0) + change[word] for word in some}
        new = [word for word in some if word not in held and totals[word] > 0]
        gone = [word for word in held if totals[word] <= 0]
        kept = [word for word in held if totals[word] > 0]
        connection = session.connection()
        if new:
            counts = [{"word": word, "questions": totals[word]} for word in new]
            connection.execute(insert(SearchWord), counts)
            connection.execute(insert(SearchSpelling), _rows(new))
        if kept:
            connection.execute(
                update(SearchWord).where(SearchWord.word == bindparam("which")),
                [{"which": word, "questions": totals[word]} for word in kept],
            )
        if gone:
            session.execute(
                delete(SearchWord).where(SearchWord.word.in_(gone)), execution_options=_APART
            )
            pairs = [(row["spelling"], row["word"]) for row in _rows(gone)]
            for several in chunks(pairs):
                key = tuple_(SearchSpelling.spelling, SearchSpelling.word)
                session.execute(
                    delete(SearchSpelling).where(key.in_(several)), execution_options=_APART
                )


class WordCount:
    """How many more questions have each word, or less, while publications come and go."""

    def __init__(self) -> None:
        self.change: Counter[str] = Counter()

    def add(self, search_texts: Iterable[str]) -> None:
        """Count the words of publications that come."""
        for text in search_texts:
            self.change.update(vocabulary(text))

    def take(self, search_texts: Iterable[str]) -> None:
        """Count the words of publications that go."""
        for text in search_texts:
            self.change.subtract(vocabulary(text))


def nearest(session: Session, word: str, limit: int = 3) -> list[Near]:
    """Return the words of public texts that are closest to `word`, which is folded.

    One letter may be wrong, missing, too many or in the place of its neighbour; in
    a long word two of these, but not two wrong ones. The fewest faults come first,
    then the word that begins alike, then the one that more questions have.
    """
    if not _is_kept(word):
        return []
    faults = 2 if len(word) >= LONG_WORD else 1
    keys = spellings(word)
    if faults == 2:
        keys |= {each for shorter in list(keys) for each in spellings(shorter)} | _mended(word)
    rows = session.execute(
        select(SearchWord.word, SearchWord.questions)
        .where(
            SearchWord.word.in_(
                select(SearchSpelling.word).where(SearchSpelling.spelling.in_(sorted(keys)))
            ),
            SearchWord.word != word,
        )
        .order_by(SearchWord.questions.desc(), SearchWord.word)
        .limit(CANDIDATES)
    )
    found = []
    for row in rows:
        distance = OSA.distance(word, row.word)
        if distance <= faults:
            order = (distance, row.word[0] != word[0], -row.questions, row.word)
            found.append((order, Near(row.word, row.questions)))
    return [near for _, near in sorted(found, key=lambda each: each[0])[:limit]]


def most_frequent(session: Session, beginning: str, *, above: int) -> list[str]:
    """Return the most frequent words with a beginning, if more than `above` questions have some.

    Of a shorter sum, nothing: whoever looks for the beginning itself reads few texts.
    """
    # A range, because no index helps a LIKE on either database.
    beyond = beginning[:-1] + chr(ord(beginning[-1]) + 1)
    rows = session.execute(
        select(SearchWord.word, SearchWord.questions)
        .where(SearchWord.word >= beginning, SearchWord.word < beyond)
        .order_by(SearchWord.questions.desc(), SearchWord.word)
        .limit(CANDIDATES)
    ).all()
    if sum(row.questions for row in rows) <= above:
        return []
    return [row.word for row in rows[:ENDINGS] if row.word.startswith(beginning)]


def questions_with(session: Session, word: str) -> int:
    """Return how many live questions have a word that is kept; 0 for any other."""
    return session.scalar(select(SearchWord.questions).where(SearchWord.word == word)) or 0


def spellings(word: str) -> set[str]:
    """Return the word, and what is left of it without any one of its letters."""
    return {word, *(word[:place] + word[place + 1 :] for place in range(len(word)))}


def _mended(word: str) -> set[str]:
    """Return the word with one letter more, and with another letter in the place of one."""
    cuts = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    longer = {f"{before}{letter}{after}" for before, after in cuts for letter in ascii_lowercase}
    others = {
        f"{before}{letter}{after[1:]}"
        for before, after in cuts
        if after
        for letter in ascii_lowercase
    }
    return longer | others


def _is_kept(word: str) -> bool:
    return SHORTEST <= len(word) <= LONGEST and word.isalpha()


def _rows(words: Iterable[str]) -> list[dict[str, str]]:
    return [
        {"spelling": spelling, "word": word}
        for word in words
        for spelling in sorted(spellings(word))
    ]
