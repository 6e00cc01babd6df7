"""A mock interview: some questions by difficulty, drawn by the number that the address names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from cms.errors import CmsError, InvalidInput
from cms.services import publicdecks, reading, studying
from cms.services.reading import Moved, PublicTag
from cms.services.studying import Scope
from cms.vocabulary import Difficulty
from cms.web.errors import status_of
from cms.web.public import page
from cms.web.public.filters import asked_number

MOST = 30  # questions of one interview
LONGEST = 240  # minutes
SUGGESTED = {Difficulty.easy: 3, Difficulty.medium: 4, Difficulty.hard: 3}
# Where nobody said how difficult questions are.
SUGGESTED_OF_ANY = 10
MINUTES = 30
ANY = "any"

LEVELS: dict[str, Difficulty | None] = {**{each.value: each for each in Difficulty}, ANY: None}


@dataclass(frozen=True, slots=True)
class Interview:
    """What an address asks for; `seed` is None before it is drawn."""

    deck: str
    tag: str
    wanted: dict[Difficulty | None, int]
    minutes: int
    seed: int | None

    @property
    def number(self) -> int:
        """How many questions it wants."""
        return sum(self.wanted.values())


@page("/study/interview")
def interview(session: Session) -> ResponseReturnValue:
    """Offer an interview, or show the one of `seed`.

    `easy`, `medium`, `hard` and `any` say how many questions of each, `deck` or
    `tag` which ones, `minutes` for how long.
    """
    suggested = _suggested(session)
    asked, problem, status, drawn = replace(suggested, **_words()), "", 200, None
    try:
        asked = _asked(suggested)
        if asked.seed is not None:
            _check(asked)
            drawn = studying.draw(session, _scope(session, asked), asked.wanted, asked.seed)
    except CmsError as error:
        problem, status = str(error), status_of(error)
    content = render_template(
        "public/study_interview.html",
        asked=asked,
        problem=problem,
        drawn=drawn,
        again=_address(asked, (asked.seed or 0) + 1) if drawn else None,
        levels=LEVELS,
        decks=publicdecks.all_decks(session),
        tags=reading.child_tags(session),
        most=MOST,
        longest=LONGEST,
    )
    # The address itself is wrong: on a GET there is no content to be unprocessable.
    return content, 400 if status == 422 else status


def _suggested(session: Session) -> Interview:
    levels = studying.levels(session)
    wanted: dict[Difficulty | None, int] = {
        each: number for each, number in SUGGESTED.items() if each in levels
    }
    return Interview("", "", wanted or {None: SUGGESTED_OF_ANY}, MINUTES, None)


def _words() -> dict[str, Any]:
    return {name: request.args.get(name, "")[:120].strip() for name in ("deck", "tag")}


def _asked(suggested: Interview) -> Interview:
    """Read the interview from the address.

    :raises InvalidInput: when a number is none
    """
    seed = asked_number("seed", "the number of a draw")
    given = {
        level: asked_number(name, "a number of questions")
        for name, level in LEVELS.items()
        if name in request.args
    }
    return replace(
        suggested,
        **_words(),
        wanted={level: number for level, number in given.items() if number}
        if given
        else suggested.wanted,
        minutes=asked_number("minutes", "a number of minutes") or suggested.minutes,
        seed=seed,
    )


def _check(asked: Interview) -> None:
    """Refuse an interview that nobody could hold.

    :raises InvalidInput: when it has no question or too many, or is too long
    """
    if not 0 < asked.number <= MOST:
        raise InvalidInput(f"Choose from 1 to {MOST} questions, all difficulties together.")
    if asked.minutes > LONGEST:
        raise InvalidInput(f"Choose at most {LONGEST} minutes.", field="minutes")
    if asked.deck and asked.tag:
        raise InvalidInput("Choose a deck or a tag, not both.", field="tag")


def _scope(session: Session, asked: Interview) -> Scope:
    """Return what to draw from.

    :raises NotFound: when there is no such deck or tag
    """
    if asked.deck:
        return Scope(deck=publicdecks.find_deck(session, asked.deck).slug)
    if asked.tag:
        found: PublicTag | Moved = reading.find_tag(session, asked.tag.strip("/"))
        return Scope(tag=found.slug)
    return Scope()


def _address(asked: Interview, seed: int) -> str:
    numbers: dict[str, Any] = {name: asked.wanted.get(level) for name, level in LEVELS.items()}
    return url_for(
        "public.interview",
        deck=asked.deck or None,
        tag=asked.tag or None,
        **numbers,
        minutes=asked.minutes,
        # Nine digits are what an address may name.
        seed=seed % 1_000_000_000,
    )
