"""The parts of a question's form that stand in it several times, as they were typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from cms.errors import InvalidContent
from cms.formats.item import AnswerItem, OptionItem, SourceItem


@dataclass
class SourceFields:
    """A citation as typed."""

    url: str = ""
    title: str = ""
    accessed_on: str = ""

    @property
    def blank(self) -> bool:
        return not (self.url.strip() or self.title.strip() or self.accessed_on.strip())


@dataclass
class AnswerFields:
    """An answer as typed; `uid` is empty for a new one."""

    uid: str = ""
    label: str = ""
    applies_to: str = ""
    body: str = ""
    sources: list[SourceFields] = field(default_factory=list)

    @property
    def blank(self) -> bool:
        typed = self.label.strip() or self.applies_to.strip() or self.body.strip()
        return not typed and all(source.blank for source in self.sources)

    @classmethod
    def of(cls, item: AnswerItem) -> AnswerFields:
        return cls(
            uid=item.uid or "",
            label=item.label,
            applies_to=item.applies_to,
            body=item.body,
            sources=[
                SourceFields(
                    url=source.url,
                    title=source.title,
                    accessed_on=source.accessed_on.isoformat() if source.accessed_on else "",
                )
                for source in item.sources
            ],
        )

    def item(self, path: str) -> AnswerItem:
        """Return the answer that was typed.

        :raises InvalidContent: when a date is none; other rules are the services'
        """
        return AnswerItem(
            uid=self.uid or None,
            label=self.label,
            applies_to=self.applies_to,
            body=self.body,
            sources=[
                SourceItem(
                    url=source.url,
                    title=source.title,
                    accessed_on=date_of(f"{path}.sources[{index}].accessed_on", source.accessed_on),
                )
                for index, source in enumerate(self.sources)
            ],
        )


@dataclass
class OptionFields:
    """An option as typed; `correct` is 'yes' where it is ticked."""

    text: str = ""
    correct: str = ""
    feedback: str = ""

    @property
    def blank(self) -> bool:
        return not (self.text.strip() or self.feedback.strip())

    @classmethod
    def of(cls, item: OptionItem) -> OptionFields:
        return cls(item.text, "yes" if item.correct else "", item.feedback)

    def item(self) -> OptionItem:
        return OptionItem(text=self.text, correct=bool(self.correct), feedback=self.feedback)


def date_of(path: str, written: str) -> date | None:
    if not written.strip():
        return None
    try:
        return date.fromisoformat(written.strip())
    except ValueError as error:
        raise InvalidContent(
            [(path, "Write the date as 2026-11-22, or leave it empty.")]
        ) from error


def date_or_none(written: str) -> date | None:
    try:
        return date_of("", written)
    except InvalidContent:
        return None
