"""The editor's form: what was typed, in whatever state, and the Content that it stands for.

Field names are the paths that the services name in their errors ('stem',
'answers[0].sources[1].url'), so a fault finds its field without a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict

from cms.errors import InvalidContent, InvalidInput
from cms.formats.item import AnswerItem, Content, Item, OptionItem, SourceItem
from cms.services.content import UNCHECKED, LinkCheck
from cms.text import normalize_body, normalize_line, normalize_text
from cms.vocabulary import Difficulty
from cms.web.admin.formparts import AnswerFields, OptionFields, SourceFields, date_or_none

_ANSWER_FIELD = re.compile(r"answers\[(\d{1,4})\]\.(uid|label|applies_to|body)")
_SOURCE_FIELD = re.compile(r"answers\[(\d{1,4})\]\.sources\[(\d{1,4})\]\.(url|title|accessed_on)")
_BODY = re.compile(r"answers\[(\d{1,4})\]\.body")
_OPTION_FIELD = re.compile(r"options\[(\d{1,4})\]\.(text|correct|feedback)")
_STEP = re.compile(r"(answers|options)\[(\d{1,4})\]\.(up|down|remove|add-source)")
_SOURCE_STEP = re.compile(r"answers\[(\d{1,4})\]\.sources\[(\d{1,4})\]\.remove")
_LINES = (
    *("stem", "slug", "context", "difficulty", "tags", "summary"),
    *("seen_version", "base", "form_id"),
)
_NUMBER = re.compile(r"[0-9]{1,9}")
_TAG_SEPARATOR = re.compile(r"[,;\n]")


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
    options: list[OptionFields] = field(default_factory=list)
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
            options=[OptionFields.of(option) for option in content.options],
        )

    @classmethod
    def posted(cls, data: MultiDict[str, str]) -> QuestionForm:
        """Return what a browser sent; unknown fields are ignored, absent ones are empty."""
        answers: dict[int, AnswerFields] = {}
        sources: dict[tuple[int, int], SourceFields] = {}
        options: dict[int, OptionFields] = {}
        for name, raw in data.items():
            value = normalize_text(raw)
            if found := _ANSWER_FIELD.fullmatch(name):
                answer = answers.setdefault(int(found[1]), AnswerFields())
                setattr(answer, found[2], value)
            elif found := _OPTION_FIELD.fullmatch(name):
                setattr(options.setdefault(int(found[1]), OptionFields()), found[2], value)
            elif found := _SOURCE_FIELD.fullmatch(name):
                place = int(found[1]), int(found[2])
                setattr(sources.setdefault(place, SourceFields()), found[3], value)
        for (index, _), source in sorted(sources.items(), key=lambda pair: pair[0]):
            answers.setdefault(index, AnswerFields()).sources.append(source)

        form = cls(
            settled=[normalize_text(key) for key in data.getlist("settled")],
            answers=[answers[index] for index in sorted(answers)],
            options=[options[index] for index in sorted(options)],
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
        for index, option in enumerate(self.options):
            found += [(f"options[{index}].{name}", value) for name, value in vars(option).items()]
        return found

    def step(self, name: str) -> bool:
        """Add, remove or move a part, as a button named it; False if there is no such step."""
        if name == "add-answer":
            self.answers.append(AnswerFields())
            return True
        if name == "add-option":
            self.options.append(OptionFields())
            return True
        if found := _SOURCE_STEP.fullmatch(name):
            answer = self._answer(int(found[1]))
            if answer and int(found[2]) < len(answer.sources):
                del answer.sources[int(found[2])]
            return True
        if not (found := _STEP.fullmatch(name)):
            return False
        index, verb = int(found[2]), found[3]
        parts: list[Any] = self.answers if found[1] == "answers" else self.options
        if index >= len(parts):
            return True
        part = parts[index]
        if verb != "add-source":
            del parts[index]
            if verb != "remove":
                parts.insert(max(0, index + (1 if verb == "down" else -1)), part)
        elif isinstance(part, AnswerFields):
            part.sources.append(SourceFields())
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
            options=[option.item() for option in self.options],
        )

    def _drop_blanks(self) -> None:
        """Forget parts in which nothing was typed, so that places agree with the content's."""
        for answer in self.answers:
            answer.sources = [source for source in answer.sources if not source.blank]
        self.answers = [answer for answer in self.answers if not answer.blank]
        self.options = [option for option in self.options if not option.blank]

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
            options=[option.item() for option in self.options if option.text.strip()],
        )

    def texts(self) -> dict[str, str]:
        """Return the texts in which a passage may stand, by field, as they were typed."""
        bodies = {f"answers[{i}].body": answer.body for i, answer in enumerate(self.answers)}
        options = {
            f"options[{place}].{name}": getattr(option, name)
            for place, option in enumerate(self.options)
            for name in ("text", "feedback")
        }
        return {"stem": self.stem, "context": self.context, **bodies, **options}

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
                            accessed_on=date_or_none(source.accessed_on),
                        )
                        for source in answer.sources
                    ],
                )
                for answer in self.answers
            ],
            options=[
                OptionItem(
                    text=normalize_body(option.text),
                    correct=bool(option.correct),
                    feedback=normalize_body(option.feedback),
                )
                for option in self.options
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
            "options": "Options",
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
        for index in range(len(self.options)):
            found[f"options[{index}].text"] = f"Option {index + 1}, text"
            found[f"options[{index}].feedback"] = f"Option {index + 1}, feedback"
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
