"""What a person can get wrong, as a tree of exceptions that carry data.

    CmsError
    ├── InvalidInput        something typed or sent breaks a rule (a field, a remedy)
    │   ├── InvalidContent  a question's content breaks rules: each field with its remedy
    │   └── UnreadableFile  a file cannot be read as the format it is taken for
    ├── NotAllowed          the actor's role does not include this
    ├── TooManyAttempts     a throttle: carries the seconds to wait
    ├── NotFound            there is no such thing (any more)
    ├── WrongState          the thing exists, but this verb does not fit its status
    │   ├── NotPublishable  a question that may not go public as it stands
    │   └── StaleDeck       somebody else changed this deck in between: theirs
    ├── StaleEdit           somebody else saved in between: mine, theirs and base
    └── Misconfigured       a setting that stops the start

Messages are for the person at the desk or the terminal: what is wrong and what
to do. Nothing here knows HTTP; `cms.web.errors` holds the one table of statuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cms.formats.item import Content, DeckItem


class CmsError(Exception):
    """Root of everything that a person can cause; `str()` is the message for them."""


class InvalidInput(CmsError):
    """A value breaks a rule. `field` names it in the words of the form or file."""

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class InvalidContent(InvalidInput):
    """A question cannot be saved. `faults` are pairs of a path ('answers[0].body') and a remedy."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__(
            " ".join(f"{path}: {problem}" for path, problem in faults), field=faults[0][0]
        )
        self.faults = list(faults)


class UnreadableFile(InvalidInput):
    """A file cannot be read. `place` is a line ('line 7') or a path ('$.questions[3]')."""

    def __init__(self, file: str, problem: str, *, place: str | None = None) -> None:
        where = f"{file}, {place}" if place else file
        super().__init__(f"{where}: {problem}", field="file")
        self.file = file
        self.place = place
        self.problem = problem


class NotAllowed(CmsError):
    """The actor may not do this."""


class TooManyAttempts(CmsError):
    """Something was tried too often; it may be tried again after `wait` seconds."""

    def __init__(self, message: str, *, wait: int) -> None:
        number, unit = (wait, "second") if wait < 60 else (-(-wait // 60), "minute")
        span = f"{number} {unit}" if number == 1 else f"{number} {unit}s"
        super().__init__(f"{message} Wait {span} and try again.")
        self.wait = wait


class NotFound(CmsError):
    """There is no such thing."""


class WrongState(CmsError):
    """The verb does not fit the status of the thing."""


class NotPublishable(WrongState):
    """A question cannot go public; `reasons` are whole sentences."""

    def __init__(self, slug: str, reasons: Sequence[str]) -> None:
        super().__init__(f"{slug}: {' '.join(reasons)}")
        self.slug = slug
        self.reasons = list(reasons)


class StaleDeck(WrongState):
    """A save that would have overwritten somebody else's change of a deck; `theirs` is that."""

    def __init__(self, *, theirs: DeckItem, by: str) -> None:
        super().__init__(
            f"{by} changed this deck while you were editing it. Nothing was overwritten and "
            "nothing of yours is lost: look at what the deck is now, and save again to replace it."
        )
        self.theirs = theirs
        self.by = by


class StaleEdit(CmsError):
    """A save that would have overwritten somebody else's.

    `mine` is what was to be saved, `theirs` what the bank holds now, `base`
    what the editor started from (None if that revision is not known).
    """

    def __init__(self, *, mine: Content, theirs: Content, base: Content | None, by: str) -> None:
        super().__init__(
            f"{by} saved this question while you were editing it. "
            "Nothing was overwritten: compare both texts and save the one you want."
        )
        self.mine = mine
        self.theirs = theirs
        self.base = base
        self.by = by


class Misconfigured(CmsError):
    """A setting has a value that cannot work."""
