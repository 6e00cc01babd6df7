"""The form that files a correction, at the desk and for readers: what was typed, in any state."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from cms.errors import InvalidContent, InvalidInput
from cms.formats.item import SourceItem
from cms.models import new_uid
from cms.services.proposals import PartText
from cms.text import normalize_body, normalize_line, normalize_text
from cms.vocabulary import CorrectionKind, TextPart

# The sources that one form takes.
MOST_SOURCES = 20

_SOURCE = re.compile(r"sources\[(\d{1,3})\]\.(url|title)")
_TEXTS = ("claim", "explanation", "fix")
# What services call a field, and what the form does.
_FIELDS = {"answer": "where", "part": "where"}
_NAMES = {
    "kind": "Kind",
    "where": "Where",
    "claim": "What was claimed",
    "explanation": "In fact",
    "fix": "Fixed",
    "credit": "Credit",
}


@dataclass
class SourceFields:
    """A citation as typed."""

    url: str = ""
    title: str = ""


@dataclass
class FilingForm:
    """A correction as typed. `errors` maps a field's name to what is wrong and what to do.

    `parts` are the texts of the revision `seen_in`, which the reporter saw;
    `proposed` holds each as it was typed over, by its key.
    """

    parts: Sequence[PartText]
    seen_in: int
    uid: str = ""
    kind: str = CorrectionKind.factual
    where: str = ""
    claim: str = ""
    explanation: str = ""
    fix: str = ""
    credit: str = ""
    proposed: dict[str, str] = field(default_factory=dict)
    sources: list[SourceFields] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def opened(cls, parts: Sequence[PartText], seen_in: int, where: str = "") -> FilingForm:
        """Return the form as it is first shown; its uid tells a second sending from a new one."""
        return cls(parts, seen_in, uid=new_uid(), where=where)

    @classmethod
    def posted(cls, parts: Sequence[PartText], seen_in: int, data: Mapping[str, str]) -> FilingForm:
        """Return what a browser sent; unknown fields are ignored, absent ones are empty."""
        form = cls(parts, seen_in)
        for name in ("uid", "kind", "where", "credit"):
            setattr(form, name, normalize_line(data.get(name, "")))
        for name in _TEXTS:
            setattr(form, name, normalize_text(data.get(name, "")))
        form.proposed = {
            part.key: normalize_text(typed)
            for part in parts
            if (typed := data.get(f"proposed.{part.key}")) is not None
        }
        sources: dict[int, SourceFields] = {}
        for name, value in data.items():
            if found := _SOURCE.fullmatch(name):
                source = sources.setdefault(int(found[1]), SourceFields())
                setattr(source, found[2], normalize_line(value))
        typed_in = [sources[index] for index in sorted(sources)]
        form.sources = [each for each in typed_in if each.url or each.title][:MOST_SOURCES]
        return form

    @property
    def offered_sources(self) -> list[SourceFields]:
        """The sources that were typed, and an empty one."""
        return [*self.sources, SourceFields()][:MOST_SOURCES]

    def text_of(self, part: PartText) -> str:
        """Return a part as it was typed over, or as it is."""
        return self.proposed.get(part.key, part.text)

    def changed(self, part: PartText) -> bool:
        """Whether another text was typed for a part; services compare the same way."""
        normalize = normalize_line if part.part == TextPart.stem else normalize_body
        return normalize(self.text_of(part)) != part.text

    @property
    def edited(self) -> bool:
        """Whether another text was typed for any part."""
        return any(self.changed(part) for part in self.parts)

    def filing(self) -> dict[str, Any]:
        """Return what was typed as the arguments of `open_correction`.

        :raises InvalidContent: when something does not go together
        """
        if self.kind not in list(CorrectionKind):
            raise InvalidContent([("kind", "Choose what kind of error it is.")])
        part = self._part()
        return {
            "kind": CorrectionKind(self.kind),
            "claim": self.claim,
            "explanation": self.explanation,
            "part": part.part if part else None,
            "answer_uid": part.answer_uid if part else None,
            "proposed": self.text_of(part) if part else None,
            "seen_in": self.seen_in,
            "sources": [SourceItem(url=each.url, title=each.title) for each in self.sources],
            "uid": self.uid or None,
        }

    def _part(self) -> PartText | None:
        """Return the part that is wrong: the chosen one, else the one that was typed over."""
        changed = [part for part in self.parts if self.changed(part)]
        chosen = next((part for part in self.parts if part.key == self.where), None)
        if self.where and chosen is None:
            raise InvalidContent([("where", "This question has no such answer any more.")])
        if len(changed) > 1:
            told = " and ".join(part.label for part in changed)
            raise InvalidContent(
                [("where", f"You changed {told}. File one correction for each text.")]
            )
        if chosen and changed and changed != [chosen]:
            raise InvalidContent(
                [
                    (
                        "where",
                        f"You chose {chosen.label}, but changed {changed[0].label}. "
                        "Choose the text that you changed.",
                    )
                ]
            )
        return chosen or next(iter(changed), None)

    def refuse(self, error: InvalidInput) -> None:
        """Put an error's messages beside the fields that they name; '' is the form as a whole."""
        faults = error.faults if isinstance(error, InvalidContent) else [(error.field, str(error))]
        for path, problem in faults:
            name = _FIELDS.get(path or "", path or "")
            if name == "proposed":
                part = next((part for part in self.parts if self.changed(part)), None)
                name = f"proposed.{part.key}" if part else "where"
            self.errors.setdefault(name if name in self.names() else "", problem)

    def names(self) -> dict[str, str]:
        """Return what each field is called."""
        found = dict(_NAMES)
        for index in range(len(self.offered_sources)):
            found[f"sources[{index}].url"] = f"Address of source {index + 1}"
            found[f"sources[{index}].title"] = f"Title of source {index + 1}"
        return found | {
            f"proposed.{part.key}": f"Proposed text of {part.label}" for part in self.parts
        }
