"""What keeps a revision from going public, in whole sentences that say what to do."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from cms.formats.item import Content
from cms.models import Answer, ImportWarning, Option, Question, QuestionAsset, Revision, User
from cms.services.addresses import slug_owners
from cms.services.assets import image_faults
from cms.services.permissions import needs_another
from cms.services.rewriting import numbered_contents
from cms.services.warnings import damaged_in, is_open
from cms.vocabulary import Origin

UNANSWERED = "It has no answer. Write one."
NONE_RIGHT = "None of its options is marked as correct. Mark the right one, or remove the options."
NONE_WRONG = "All of its options are marked as correct. Add a wrong one, or remove the options."
DAMAGED = "Import warnings are open. Mend or acknowledge them."
OWN = "Somebody else has to publish this: you wrote revision {}."


def reasons(
    session: Session,
    questions: Sequence[Question],
    numbers: Mapping[int, int],
    *,
    by: User | None,
    acknowledged: bool = False,
) -> dict[int, list[str]]:
    """Return why revisions of questions may not go public, by the questions' ids.

    `numbers` has the revision that is meant of each; of those without reasons
    there is nothing. Open import warnings are none where they are `acknowledged`.
    """
    found: dict[int, list[str]] = defaultdict(list)
    newest = [each for each in questions if numbers[each.id] == each.latest_number]
    earlier = [each for each in questions if numbers[each.id] != each.latest_number]
    contents: dict[int, Content] = {}
    if earlier:
        contents = numbered_contents(session, {each.id: numbers[each.id] for each in earlier})
        _blame_earlier(session, found, earlier, contents)
    _blame_state(found, questions, numbers)
    _blame_newest(session, found, newest)
    _blame_images(session, found, newest, contents)
    if not acknowledged:
        open_now = with_open_warnings(session, [each.id for each in newest])
        for key in open_now | damaged_in(session, contents):
            found[key].append(DAMAGED)
    for key in _own(session, numbers, by):
        found[key].append(OWN.format(numbers[key]))
    return {key: found[key] for key in found if found[key]}


def own(session: Session, question: Question, *, by: User | None) -> bool:
    """Whether somebody else has to publish the newest revision, since the actor wrote it."""
    return bool(_own(session, {question.id: question.latest_number}, by))


def with_open_warnings(session: Session, ids: Sequence[int]) -> set[int]:
    """Return those of the questions that have an open import warning."""
    return set(
        session.scalars(
            select(ImportWarning.question_id)
            .where(ImportWarning.question_id.in_(ids), is_open())
            .distinct()
        )
    )


def _blame_state(
    found: dict[int, list[str]], questions: Iterable[Question], numbers: Mapping[int, int]
) -> None:
    for question in questions:
        public = question.published_number or 0
        if question.merged_into_id is not None:
            found[question.id].append("It was merged into another question.")
        elif question.retired_at is not None:
            found[question.id].append("It is retired. Un-retire it first.")
        elif numbers[question.id] < public:
            found[question.id].append(
                f"Readers see the newer revision {public} already. "
                "Restore the older one if that is what you want."
            )


def _blame_newest(
    session: Session, found: dict[int, list[str]], questions: Sequence[Question]
) -> None:
    """Look at the working rows: they say what the newest revisions do, at less cost."""
    answered = set(
        session.scalars(
            select(Answer.question_id)
            .where(
                Answer.question_id.in_([each.id for each in questions]),
                Answer.position == 0,
                Answer.body != "",
            )
            .distinct()
        )
    )
    marks: dict[int, set[bool]] = defaultdict(set)
    for key, correct in session.execute(
        select(Option.question_id, Option.correct)
        .where(Option.question_id.in_([each.id for each in questions]))
        .distinct()
    ):
        marks[key].add(correct)
    for question in questions:
        key = question.id
        _blame_text(found[key], bool(question.stem), key in answered, marks[key])


def _blame_earlier(
    session: Session,
    found: dict[int, list[str]],
    questions: Sequence[Question],
    contents: Mapping[int, Content],
) -> None:
    owners = slug_owners(session, [content.slug for content in contents.values()])
    for question in questions:
        content = contents[question.id]
        answered = bool(content.answers and content.answers[0].body)
        marks = {option.correct for option in content.options}
        _blame_text(found[question.id], bool(content.stem), answered, marks)
        if owners.get(content.slug or "", set()) - {question.uid}:
            found[question.id].append(
                f"Its address ‘{content.slug}’ is another question's by now. Choose another."
            )


def _blame_images(
    session: Session,
    found: dict[int, list[str]],
    newest: Sequence[Question],
    earlier: Mapping[int, Content],
) -> None:
    """Look into the texts of those questions alone that ever named an image."""
    statement = select(QuestionAsset.question_id).distinct()
    keys = [each.id for each in newest] + list(earlier)
    illustrated = set(session.scalars(statement.where(QuestionAsset.question_id.in_(keys))))
    numbers = {each.id: each.latest_number for each in newest if each.id in illustrated}
    texts = numbered_contents(session, numbers) if numbers else {}
    texts |= {key: earlier[key] for key in illustrated & earlier.keys()}
    for key, faults in image_faults(session, texts).items():
        found[key] += faults


def _blame_text(found: list[str], has_stem: bool, has_answer: bool, marks: set[bool]) -> None:
    """Look for what is missing; `marks` says whether options are correct, for each kind there."""
    if not has_stem:
        found.append("It has no stem. Write the question.")
    if not has_answer:
        found.append(UNANSWERED)
    if marks == {False}:
        found.append(NONE_RIGHT)
    elif marks == {True}:
        found.append(NONE_WRONG)


def _own(session: Session, numbers: Mapping[int, int], by: User | None) -> set[int]:
    """Return the questions whose revisions the actor wrote, where two people must see each.

    What an import brought is nobody's own, and the command line is nobody.
    """
    if by is None or not needs_another(session, by):
        return set()
    return set(
        session.scalars(
            select(Revision.question_id).where(
                tuple_(Revision.question_id, Revision.number).in_(list(numbers.items())),
                Revision.author_id == by.id,
                Revision.origin != Origin.imported,
            )
        )
    )
