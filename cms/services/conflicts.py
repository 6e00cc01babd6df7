"""Two edits of one question become one, as far as they leave each other alone. Pure logic.

What one side alone changed is taken from it; what both changed in the same
place is left to a person, and stays mine until then. Contents carry tags as
slugs.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import TypeVar

from msgspec.structs import replace

from cms.formats.item import AnswerItem, Content, OptionItem, SourceItem
from cms.services import diff, threeway
from cms.text import normalize_body

V = TypeVar("V")
Answers = Mapping[str, AnswerItem]


class Choice(StrEnum):
    """What is taken where both sides changed the same place."""

    theirs = "theirs"
    mine = "mine"
    both = "both"


@dataclass(frozen=True, slots=True)
class Place:
    """A place that both sides changed, each in their way.

    `part` names it as `cms.services.diff.parts` does, or is 'answers/<uid>' for
    an answer that one side removed: its text is empty there. `both` says
    whether the two can stand one after the other.
    """

    part: str
    base: str
    theirs: str
    mine: str
    both: bool = False

    @property
    def key(self) -> str:
        """What names this place as long as base and theirs are what they are."""
        digest = sha256(f"{self.base}\0{self.theirs}".encode()).hexdigest()[:12]
        return f"{self.part}#{digest}"


@dataclass(frozen=True, slots=True)
class Merge:
    """The merged content, mine where a place is undecided, and all such places in order.

    `origins` says for each answer which of mine it was, None for one that came from theirs.
    """

    content: Content
    places: list[Place]
    origins: list[int | None]


def merged(*, mine: Content, theirs: Content, base: Content | None) -> Merge:
    """Merge what two people made of `base`; None where their start is not known."""
    return _merge(_Merging(), mine, theirs, base or Content(stem=""))


def decided(
    *, mine: Content, theirs: Content, base: Content | None, chosen: Mapping[str, Choice]
) -> Merge:
    """Decide places of a merge that was made before, by their keys; all else stays mine."""
    return _merge(_Merging(chosen, takes=False), mine, theirs, base or Content(stem=""))


def _merge(merging: "_Merging", mine: Content, theirs: Content, base: Content) -> Merge:
    answers, origins = merging.answers(base.answers, theirs.answers, mine.answers)
    content = replace(
        mine,
        stem=merging.value("stem", base.stem, theirs.stem, mine.stem),
        context=merging.text("context", base.context, theirs.context, mine.context),
        difficulty=merging.value("difficulty", base.difficulty, theirs.difficulty, mine.difficulty),
        tags=_tags(base.tags, theirs.tags, mine.tags) if merging.takes else mine.tags,
        slug=merging.value("slug", base.slug, theirs.slug, mine.slug),
        answers=answers,
        options=merging.options(base.options, theirs.options, mine.options),
    )
    return Merge(content, sorted(merging.places, key=_reading_order), origins)


def keyed(answers: Sequence[AnswerItem]) -> dict[str, AnswerItem]:
    """Return answers by uid, or by their place where they have none of their own."""
    found: dict[str, AnswerItem] = {}
    for index, answer in enumerate(answers):
        own = answer.uid if answer.uid and answer.uid not in found else None
        found[own or str(index)] = answer
    return found


@dataclass(slots=True)
class _Merging:
    """What was chosen, and the places that were met.

    `takes` says whether what they alone changed is taken.
    """

    chosen: Mapping[str, Choice] = field(default_factory=dict)
    takes: bool = True
    places: list[Place] = field(default_factory=list)

    def value(self, part: str, base: V, theirs: V, mine: V) -> V:
        """Merge what has no parts: a line, a level."""
        if mine == theirs or theirs == base:
            return mine
        if mine == base:
            return theirs if self.takes else mine
        place = Place(part, str(base or ""), str(theirs or ""), str(mine or ""))
        return theirs if self._choice(place) == Choice.theirs else mine

    def text(self, part: str, base: str, theirs: str, mine: str) -> str:
        """Merge Markdown by its lines and sentences."""
        found = []
        for each in threeway.stretches(_ended(base), _ended(theirs), _ended(mine)):
            if each.settled is None:
                place = Place(part, each.base, each.theirs, each.mine, both=True)
                found.append(self._taken(place))
            else:
                found.append(each.settled if self.takes else each.mine)
        return normalize_body("".join(found))

    def answers(
        self,
        base: Sequence[AnswerItem],
        theirs: Sequence[AnswerItem],
        mine: Sequence[AnswerItem],
    ) -> tuple[list[AnswerItem], list[int | None]]:
        """Merge the answers of both sides, and where each stood among mine."""
        start, there, here = keyed(base), keyed(theirs), keyed(mine)
        found: dict[str, AnswerItem] = {}
        for key in dict.fromkeys([*here, *there]):
            answer = self._answer(key, start.get(key), there.get(key), here.get(key))
            if answer is not None:
                found[key] = answer
        order = [key for key in self._order(start, there, here) if key in found]
        places = {key: index for index, key in enumerate(here)}
        return [found[key] for key in order], [places.get(key) for key in order]

    def _answer(
        self,
        key: str,
        base: AnswerItem | None,
        theirs: AnswerItem | None,
        mine: AnswerItem | None,
    ) -> AnswerItem | None:
        """Merge one answer; None where it is gone."""
        part = f"answers/{key}"
        if theirs is None or mine is None:
            held = theirs or mine
            if base is None or held == base:
                taken = held if base is None else None
                return taken if self.takes else mine
            place = Place(part, _told(base), _told(theirs), _told(mine))
            return theirs if self._choice(place) == Choice.theirs else mine
        start = base or AnswerItem()
        return replace(
            mine,
            label=self.value(f"{part}/label", start.label, theirs.label, mine.label),
            body=self.text(f"{part}/body", start.body, theirs.body, mine.body),
            applies_to=self.value(
                f"{part}/applies_to", start.applies_to, theirs.applies_to, mine.applies_to
            ),
            sources=self._sources(f"{part}/sources", start.sources, theirs.sources, mine.sources),
        )

    def _order(self, base: Answers, theirs: Answers, mine: Answers) -> list[str]:
        """Return every answer's key: in the order that somebody changed, the others behind
        the one that they stood behind."""

        def shared(side: Answers) -> tuple[str, ...]:
            return tuple(key for key in side if key in base and key in theirs and key in mine)

        orders = shared(base), shared(theirs), shared(mine)
        if orders[0] == orders[2] or orders[1] in (orders[0], orders[2]):
            follow_theirs = self.takes and orders[0] == orders[2] != orders[1]
        else:
            told = ["\n".join(_name(base[key]) for key in keys) for keys in orders]
            place = Place("order", told[0], told[1], told[2])
            follow_theirs = self._choice(place) == Choice.theirs
        lead, other = (theirs, mine) if follow_theirs else (mine, theirs)
        found, after = list(lead), 0
        for key in other:
            if key not in lead:
                found.insert(after, key)
            after = found.index(key) + 1
        return found

    def _sources(
        self,
        part: str,
        base: Sequence[SourceItem],
        theirs: Sequence[SourceItem],
        mine: Sequence[SourceItem],
    ) -> list[SourceItem]:
        """Merge citations, each known by its address."""
        start, there, here = _by_address(base), _by_address(theirs), _by_address(mine)
        found: list[SourceItem] = []
        for key in dict.fromkeys([*here, *there]):
            was, other, own = start.get(key), there.get(key), here.get(key)
            if own == other or other == was:
                kept = [own]
            elif own == was:
                kept = [other if self.takes else own]
            else:
                both = own is not None and other is not None
                place = Place(part, _cited(was), _cited(other), _cited(own), both)
                sides = {Choice.theirs: [other], Choice.mine: [own], Choice.both: [other, own]}
                kept = sides[self._choice(place)]
            found += [source for source in kept if source is not None]
        return found

    def options(
        self, base: list[OptionItem], theirs: list[OptionItem], mine: list[OptionItem]
    ) -> list[OptionItem]:
        """Merge the options as a whole: which of them are right, they say together."""
        if mine == theirs or theirs == base:
            return mine
        if mine == base:
            return theirs if self.takes else mine
        told = [diff.told_options(side) for side in (base, theirs, mine)]
        both = [*theirs, *(option for option in mine if option not in theirs)]
        place = Place("options", told[0], told[1], told[2], both=bool(theirs and mine))
        sides = {Choice.theirs: theirs, Choice.mine: mine, Choice.both: both}
        return sides[self._choice(place)]

    def _choice(self, place: Place) -> Choice:
        self.places.append(place)
        return self.chosen.get(place.key, Choice.mine)

    def _taken(self, place: Place) -> str:
        choice = self._choice(place)
        if choice == Choice.both:
            # Neither side's last word runs into the other's first.
            gap = "" if not place.theirs or place.theirs[-1].isspace() else "\n"
            return f"{place.theirs}{gap}{place.mine}"
        return place.theirs if choice == Choice.theirs else place.mine


def _tags(base: Sequence[str], theirs: Sequence[str], mine: Sequence[str]) -> list[str]:
    """Return mine with what they put on and without what they took off."""
    gone = set(base) - set(theirs)
    kept = [tag for tag in mine if tag not in gone]
    return kept + [tag for tag in theirs if tag not in base and tag not in mine]


def _by_address(sources: Sequence[SourceItem]) -> dict[tuple[str, int], SourceItem]:
    """Return citations by address; one that is cited twice is told apart by its turn."""
    seen: Counter[str] = Counter()
    found = {}
    for source in sources:
        found[source.url, seen[source.url]] = source
        seen[source.url] += 1
    return found


def _ended(text: str) -> str:
    """Return a text whose last line ends like the others, so that it compares with them."""
    return f"{text}\n" if text else ""


def _name(answer: AnswerItem) -> str:
    return answer.label or answer.body[:60]


def _told(answer: AnswerItem | None) -> str:
    if answer is None:
        return ""
    cited = map(_cited, answer.sources)
    return "\n".join(filter(None, (answer.label, answer.applies_to, answer.body, *cited)))


def _cited(source: SourceItem | None) -> str:
    if source is None:
        return ""
    return " · ".join(filter(None, (source.title, source.url, str(source.accessed_on or ""))))


def _reading_order(place: Place) -> int:
    order = ("stem", "context", "difficulty", "slug")
    return order.index(place.part) if place.part in order else len(order)
