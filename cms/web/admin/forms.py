"""The editor's form: what was typed, in whatever state, and the Content that it stands for.

Field names are the paths that the services name in their errors ('stem',
'answers[0].sources[1].url'), so a fault finds its field without a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from werkzeug.datastructures import MultiDict

from cms.errors import InvalidContent, InvalidInput
from cms.formats.item import AnswerItem, Content, Item, SourceItem
from cms.services.content import UNCHECKED, LinkCheck
from cms.text import normalize_body, normalize_line, normalize_text
from cms.vocabulary import Difficulty

_ANSWER_FIELD = re.compile(r"answers\[(\d{1,4})\]\.(uid|label|applies_to|body)")
_SOURCE_FIELD = re.compile(r"answers\[(\d{1,4})\]\.sources\[(\d{1,4})\]\.(url|title|accessed_on)")
_BODY = re.compile(r"answers\[(\d{1,4})\]\.body")
_ANSWER_STEP = re.compile(r"answers\[(\d{1,4})\]\.(up|down|remove|add-source)")
_SOURCE_STEP = re.compile(r"answers\[(\d{1,4})\]\.sources\[(\d{1,4})\]\.remove")
_LINES = (
    *("stem", "slug", "context", "difficulty", "tags", "summary"),
    *("seen_version", "base", "form_id"),
)
_NUMBER = re.compile(r"[0-9]{1,9}")
_TAG_SEPARATOR = re.compile(r"[,;\n]")


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
                    accessed_on=_date(f"{path}.sources[{index}].accessed_on", source.accessed_on),
                )
                for index, source in enumerate(self.sources)
            ],
        )


@dataclass
class QuestionForm:
    """A question as typed. `errors` maps a field's name to what is wrong and what to do.

    `seen_version` is the revision over which it may be saved. Where somebody
    saved in between, `base` is the one on which the text was begun, and
    `settled` the keys of the places that were decided. The form of a new
    question has a `form_id`. `link_checks` is what is known of the addresses of
    its sources, if they are `checkable` on its page, and `focus` the name of the
    button that has the focus at first.
    """

    stem: str = ""
    slug: str = ""
    context: str = ""
    difficulty: str = ""
    tags: str = ""
    summary: str = ""
    seen_version: str = ""
    base: str = ""
    form_id: str = ""
    settled: list[str] = field(default_factory=list)
    answers: list[AnswerFields] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)
    link_checks: dict[str, LinkCheck] = field(default_factory=dict)
    checkable: bool = False
    focus: str = ""

    @classmethod
    def of(cls, content: Content, *, seen_version: int, summary: str = "") -> QuestionForm:
        """Return the form filled with `content`, whose tags are slugs."""
        return cls(
            stem=content.stem,
            slug=content.slug or "",
            context=content.context,
            difficulty=content.difficulty or "",
            tags=", ".join(sorted(content.tags)),
            summary=summary,
            seen_version=str(seen_version),
            answers=[AnswerFields.of(answer) for answer in content.answers],
        )

    @classmethod
    def posted(cls, data: MultiDict[str, str]) -> QuestionForm:
        """Return what a browser sent; unknown fields are ignored, absent ones are empty."""
        answers: dict[int, AnswerFields] = {}
        sources: dict[tuple[int, int], SourceFields] = {}
        for name, raw in data.items():
            value = normalize_text(raw)
            if found := _ANSWER_FIELD.fullmatch(name):
                answer = answers.setdefault(int(found[1]), AnswerFields())
                setattr(answer, found[2], value)
            elif found := _SOURCE_FIELD.fullmatch(name):
                place = int(found[1]), int(found[2])
                setattr(sources.setdefault(place, SourceFields()), found[3], value)
        for (index, _), source in sorted(sources.items(), key=lambda pair: pair[0]):
            answers.setdefault(index, AnswerFields()).sources.append(source)

        form = cls(
            settled=[normalize_text(key) for key in data.getlist("settled")],
            answers=[answers[index] for index in sorted(answers)],
        )
        for name in _LINES:
            setattr(form, name, normalize_text(data.get(name, "")))
        return form

    def pairs(self) -> list[tuple[str, str]]:
        """Return what a browser would send of this form, as `posted` reads it."""
        found = [(name, getattr(self, name)) for name in _LINES if getattr(self, name)]
        found += [("settled", key) for key in self.settled]
        for index, answer in enumerate(self.answers):
            path = f"answers[{index}]"
            names = ("uid", "label", "applies_to", "body")
            found += [(f"{path}.{name}", getattr(answer, name)) for name in names]
            for number, source in enumerate(answer.sources):
                place = f"{path}.sources[{number}]"
                found += [(f"{place}.{name}", value) for name, value in vars(source).items()]
        return found

    def step(self, name: str) -> bool:
        """Add, remove or move a part, as a button named it; False if there is no such step."""
        if name == "add-answer":
            self.answers.append(AnswerFields())
            return True
        if found := _SOURCE_STEP.fullmatch(name):
            answer = self._answer(int(found[1]))
            if answer and int(found[2]) < len(answer.sources):
                del answer.sources[int(found[2])]
            return True
        if not (found := _ANSWER_STEP.fullmatch(name)):
            return False
        index, verb = int(found[1]), found[2]
        answer = self._answer(index)
        if answer is None:
            return True
        if verb == "add-source":
            answer.sources.append(SourceFields())
        else:
            del self.answers[index]
            if verb != "remove":
                self.answers.insert(max(0, index + (1 if verb == "down" else -1)), answer)
        return True

    def append(self, field: str, text: str) -> None:
        """Put a paragraph at the end of a field's text, by default the first answer's."""
        found = _BODY.fullmatch(field)
        answer = self._answer(int(found[1])) if found else None
        if field == "context" or not (answer or self.answers):
            self.context = f"{self.context.rstrip()}\n\n{text}".strip()
            return
        answer = answer or self.answers[0]
        answer.body = f"{answer.body.rstrip()}\n\n{text}".strip()

    def _answer(self, index: int) -> AnswerFields | None:
        return self.answers[index] if index < len(self.answers) else None

    def link_check(self, url: str) -> LinkCheck:
        """Return what is known of an address."""
        return self.link_checks.get(url.strip(), UNCHECKED)

    @property
    def tag_slugs(self) -> list[str]:
        """The tags as typed, in order, each once."""
        written = (slug.strip().casefold() for slug in _TAG_SEPARATOR.split(self.tags))
        return list(dict.fromkeys(slug for slug in written if slug))

    @property
    def begun(self) -> int:
        """The number of the revision on which the text was begun; 0 if the form does not say."""
        return number(self.base) if self.base else self.seen_number

    @property
    def seen_number(self) -> int:
        """As `seen`; 0 if the form does not say."""
        return number(self.seen_version)

    @property
    def seen(self) -> int:
        """The number of the newest revision that the editor saw.

        :raises InvalidInput: when the form does not say
        """
        if not _NUMBER.fullmatch(self.seen_version):
            raise InvalidInput(
                "The form does not say which revision it was opened with. "
                "Open the question anew and put your changes there."
            )
        return int(self.seen_version)

    def content(self, tags: Iterable[str]) -> Content:
        """Return what was typed, with `tags` as the bank's uids. Blank parts are dropped.

        :raises InvalidContent: when a value cannot be read; other rules are the services'
        """
        self._drop_blanks()
        return Content(
            slug=self.slug.strip() or None,
            stem=self.stem,
            context=self.context,
            difficulty=_difficulty(self.difficulty),
            tags=list(tags),
            answers=[answer.item(f"answers[{index}]") for index, answer in enumerate(self.answers)],
        )

    def _drop_blanks(self) -> None:
        """Forget parts in which nothing was typed, so that places agree with the content's."""
        for answer in self.answers:
            answer.sources = [source for source in answer.sources if not source.blank]
        self.answers = [answer for answer in self.answers if not answer.blank]

    def item(self) -> Item:
        """Return what was typed as it would be shown: nothing is refused, only made to fit."""
        return Item(
            stem=normalize_line(self.stem),
            context=self.context,
            answers=[
                AnswerItem(
                    uid=answer.uid,
                    label=normalize_line(answer.label),
                    applies_to=normalize_line(answer.applies_to),
                    body=answer.body,
                    sources=[
                        SourceItem(url=source.url.strip(), title=normalize_line(source.title))
                        for source in answer.sources
                        if source.url.strip()
                    ],
                )
                for answer in self.answers
                if answer.body.strip()
            ],
        )

    def texts(self) -> dict[str, str]:
        """Return the texts in which a passage may stand, by field, as they were typed."""
        bodies = {f"answers[{i}].body": answer.body for i, answer in enumerate(self.answers)}
        return {"stem": self.stem, "context": self.context, **bodies}

    def comparable(self, theirs: Content) -> Content:
        """Return what was typed as a content to compare; values that cannot be read stay text."""
        self._drop_blanks()
        return Content(
            slug=normalize_line(self.slug) or theirs.slug,
            stem=normalize_line(self.stem),
            context=normalize_body(self.context),
            difficulty=next((each for each in Difficulty if each == self.difficulty), None),
            tags=self.tag_slugs,
            answers=[
                AnswerItem(
                    uid=answer.uid or None,
                    label=normalize_line(answer.label),
                    applies_to=normalize_line(answer.applies_to),
                    body=normalize_body(answer.body),
                    sources=[
                        SourceItem(
                            url=source.url.strip(),
                            title=normalize_line(source.title),
                            accessed_on=_date_or_none(source.accessed_on),
                        )
                        for source in answer.sources
                    ],
                )
                for answer in self.answers
            ],
        )

    def refuse(self, error: InvalidInput) -> None:
        """Put an error's messages beside their fields; '' collects those that have none."""
        found = error.faults if isinstance(error, InvalidContent) else [(error.field, str(error))]
        known = self.names()
        for path, problem in found:
            name = "tags" if path and path.startswith("tags") else path or ""
            name = name if name in known else ""
            self.errors[name] = f"{self.errors[name]} {problem}" if name in self.errors else problem

    def names(self) -> Mapping[str, str]:
        """The fields by name, with the words that people know them by."""
        found = {
            "stem": "Stem",
            "context": "Context",
            "tags": "Tags",
            "difficulty": "Difficulty",
            "slug": "Address",
            "summary": "Summary of the change",
        }
        for index, answer in enumerate(self.answers):
            path, words = f"answers[{index}]", f"Answer {index + 1}"
            found[f"{path}.label"] = f"{words}, label"
            found[f"{path}.applies_to"] = f"{words}, applies to"
            found[f"{path}.body"] = f"{words}, text"
            for number in range(len(answer.sources)):
                source = f"{words}, source {number + 1}"
                found[f"{path}.sources[{number}].url"] = f"{source}, address"
                found[f"{path}.sources[{number}].title"] = f"{source}, title"
                found[f"{path}.sources[{number}].accessed_on"] = f"{source}, date"
        return found


def number(written: str) -> int:
    """Return a revision's number from a form; 0, which no revision has, for anything else."""
    return int(written) if _NUMBER.fullmatch(written) else 0


def _difficulty(written: str) -> Difficulty | None:
    if not written:
        return None
    try:
        return Difficulty(written)
    except ValueError as error:
        words = ", ".join(Difficulty)
        raise InvalidContent([("difficulty", f"Choose one of {words}, or none.")]) from error


def _date(path: str, written: str) -> date | None:
    if not written.strip():
        return None
    try:
        return date.fromisoformat(written.strip())
    except ValueError as error:
        raise InvalidContent(
            [(path, "Write the date as 2026-11-22, or leave it empty.")]
        ) from error


def _date_or_none(written: str) -> date | None:
    try:
        return _date("", written)
    except InvalidContent:
        return None
