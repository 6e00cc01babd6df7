"""New texts for many questions at once: a revision each, a statement for each table.

What `save` does for one question, `rewrite` does for thousands in one short
transaction. Its callers check beforehand who may do so and what is asked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from cms.errors import WrongState
from cms.formats.item import AnswerItem, Content, content_hash
from cms.models import (
    Answer,
    AuditEvent,
    Option,
    Question,
    Release,
    Revision,
    Source,
    Tag,
    User,
    new_uid,
    question_tag,
)
from cms.services.aliases import living_uids
from cms.services.assets import note_uses
from cms.services.chunks import chunks
from cms.services.content import LinkCheck, LinkChecks, derived, option_values, source_values
from cms.services.warnings import settle_all
from cms.vocabulary import Origin

# Rows are deleted past the session's objects.
_APART = {"synchronize_session": False}


@dataclass(frozen=True, slots=True)
class Rewriting:
    """A question, which is locked, with the text that it has and the one that it gets.

    Tags are uids. Answers of `after` that have no uid yet get one.
    """

    question: Question
    before: Content
    after: Content

    @classmethod
    def of(cls, question: Question, before: Content, after: Content) -> Rewriting:
        answers = [replace(answer, uid=answer.uid or new_uid()) for answer in after.answers]
        return cls(question, before, replace(after, answers=answers))


def current_contents(session: Session, questions: Sequence[Question]) -> dict[int, Content]:
    """Return the working copies' contents by the questions' ids, in two queries.

    The newest revision has the text; tags and difficulty are the working rows' own.
    """
    ids = [question.id for question in questions]
    tags: dict[int, list[str]] = defaultdict(list)
    for question_id, uid in session.execute(
        select(question_tag.c.question_id, Tag.uid)
        .join(Tag, Tag.id == question_tag.c.tag_id)
        .where(question_tag.c.question_id.in_(ids))
    ):
        tags[question_id].append(uid)
    newest = numbered_contents(session, {each.id: each.latest_number for each in questions})
    return {
        question.id: replace(
            newest[question.id], tags=sorted(tags[question.id]), difficulty=question.difficulty
        )
        for question in questions
    }


def numbered_contents(session: Session, numbers: Mapping[int, int]) -> dict[int, Content]:
    """Return the content of one revision of each question, by the questions' ids."""
    rows = session.execute(
        select(Revision.question_id, Revision.number, Revision.content).where(
            Revision.question_id.in_(numbers), Revision.number.in_(set(numbers.values()))
        )
    )
    return {
        question_id: msgspec.json.decode(content, type=Content)
        for question_id, number, content in rows
        if numbers[question_id] == number
    }


def rewrite(
    session: Session,
    changes: Sequence[Rewriting],
    *,
    live: Mapping[int, Release],
    by: User | None,
    at: datetime,
    summary: str,
    origin: Origin,
    batch_id: int | None = None,
    **told: Any,
) -> None:
    """Give questions other texts, each with a revision and an audit event, as a save does.

    Those of whose ids `live` holds a release have their new revision as the
    published one: the caller refreshes the shelf. `told` goes into the audit.
    """
    if not changes:
        return
    _put_tags(session, changes)
    _put_answers(session, [each for each in changes if each.before.answers != each.after.answers])
    _put_options(session, [each for each in changes if each.before.options != each.after.options])
    revisions: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []
    for change in changes:
        question, content = change.question, change.after
        release = live.get(question.id)
        _put_text(question, change.before, content)
        question.latest_number += 1
        question.updated_at = at
        if release is not None:
            question.published_number = question.latest_number
        revisions.append(
            {
                "question_id": question.id,
                "number": question.latest_number,
                "content": msgspec.json.encode(content).decode(),
                "content_hash": content_hash(content),
                "author_id": by.id if by else None,
                "created_at": at,
                "summary": summary[:500],
                "origin": origin,
                "batch_id": batch_id,
                "release": release.number if release else None,
            }
        )
        events.append(
            {
                "at": at,
                "actor_id": by.id if by else None,
                "action": "question.save",
                "object": f"question:{question.uid}",
                "data": {
                    "revision": question.latest_number,
                    "origin": origin.value,
                    **told,
                    **({"release": release.number} if release else {}),
                },
            }
        )
    session.execute(insert(Revision), revisions)
    note_uses(session, ((each["question_id"], each["content"]) for each in revisions))
    session.execute(insert(AuditEvent), events)
    session.flush()
    settle_all(
        session, [(each.question, each.before, each.after) for each in changes], by=by, at=at
    )


def restore_texts(
    session: Session,
    numbers: Mapping[Question, int],
    *,
    live: Mapping[int, Release],
    by: User | None,
    at: datetime,
    summary: str,
    **told: Any,
) -> None:
    """Append a revision with the text of an earlier one, by its number, to each question.

    :raises WrongState: when a tag of such a text was deleted since
    """
    questions = list(numbers)
    texts = numbered_contents(session, {each.id: number for each, number in numbers.items()})
    texts = _with_living_tags(session, texts)
    current = current_contents(session, questions)
    rewrite(
        session,
        [Rewriting.of(each, current[each.id], texts[each.id]) for each in questions],
        live=live,
        by=by,
        at=at,
        summary=summary,
        origin=Origin.undo,
        **told,
    )


def _with_living_tags(session: Session, texts: Mapping[int, Content]) -> dict[int, Content]:
    """Return texts of the past with the tags that merged ones became."""
    uids = {uid for text in texts.values() for uid in text.tags}
    living = living_uids(session, uids)
    if uids - living.keys():
        raise WrongState(
            "A tag that these questions had was deleted since, so this cannot be undone. "
            "Nothing was undone."
        )
    return {
        key: replace(text, tags=sorted({living[uid] for uid in text.tags}))
        for key, text in texts.items()
    }


def _put_text(question: Question, before: Content, after: Content) -> None:
    """Write what stands in a question's own row, where it changed."""
    question.difficulty = after.difficulty
    if replace(before, tags=[], difficulty=None) == replace(after, tags=[], difficulty=None):
        return
    assert after.slug is not None
    question.slug = after.slug
    question.stem = after.stem
    question.context = after.context
    for name, value in derived(after).items():
        setattr(question, name, value)


def _put_answers(session: Session, changes: Sequence[Rewriting]) -> None:
    """Write answers that came, changed or went, with their sources."""
    ids = [change.question.id for change in changes]
    columns = (Answer.question_id, Answer.uid, Answer.id)
    held = {
        (question_id, uid): key
        for question_id, uid, key in session.execute(
            select(*columns).where(Answer.question_id.in_(ids))
        )
    }
    gone = dict(held)
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    cited: list[tuple[str, AnswerItem, LinkChecks]] = []
    checks = _link_checks(session, ids)
    for change in changes:
        before = {answer.uid: answer for answer in change.before.answers}
        places = {answer.uid: place for place, answer in enumerate(change.before.answers)}
        for place, answer in enumerate(change.after.answers):
            assert answer.uid is not None
            key = gone.pop((change.question.id, answer.uid), None)
            former = before.get(answer.uid)
            if key is not None and former == answer and places[answer.uid] == place:
                continue
            row = {
                "position": place,
                "label": answer.label,
                "body": answer.body,
                "applies_to": answer.applies_to,
            }
            if key is None:
                new.append({**row, "question_id": change.question.id, "uid": answer.uid})
            else:
                changed.append({**row, "id": key})
            if former is None or former.sources != answer.sources:
                cited.append((answer.uid, answer, checks[change.question.id]))
    for some in chunks(list(gone.values())):
        session.execute(delete(Answer).where(Answer.id.in_(some)), execution_options=_APART)
    if changed:
        session.execute(update(Answer), changed)
    if new:
        session.execute(insert(Answer), new)
    _put_sources(session, cited)


def _put_options(session: Session, changes: Sequence[Rewriting]) -> None:
    """Write the options of questions anew: nothing else names a row of them."""
    for some in chunks(changes):
        ids = [change.question.id for change in some]
        session.execute(delete(Option).where(Option.question_id.in_(ids)), execution_options=_APART)
        rows = [
            {"question_id": change.question.id, **values}
            for change in some
            for values in option_values(change.after.options)
        ]
        if rows:
            session.execute(insert(Option), rows)


def _link_checks(session: Session, ids: Sequence[int]) -> Mapping[int, LinkChecks]:
    """Return what is known of the addresses that questions cite: their rows are written anew."""
    found: dict[int, dict[str, LinkCheck]] = defaultdict(dict)
    for question_id, url, status, problem, at in session.execute(
        select(
            Answer.question_id, Source.url, Source.last_status, Source.problem, Source.checked_at
        )
        .join(Source, Source.answer_id == Answer.id)
        .where(Answer.question_id.in_(ids), Source.checked_at.is_not(None))
    ):
        found[question_id][url] = LinkCheck(status, problem, at)
    return found


def _put_sources(session: Session, cited: Sequence[tuple[str, AnswerItem, LinkChecks]]) -> None:
    for some in chunks(cited):
        keys = dict(
            session.execute(
                select(Answer.uid, Answer.id).where(Answer.uid.in_([uid for uid, _, _ in some]))
            ).all()
        )
        session.execute(
            delete(Source).where(Source.answer_id.in_(list(keys.values()))),
            execution_options=_APART,
        )
        rows = [
            {"answer_id": keys[uid], **values}
            for uid, answer, checks in some
            for values in source_values(answer.sources, checks)
        ]
        if rows:
            session.execute(insert(Source), rows)


def _put_tags(session: Session, changes: Sequence[Rewriting]) -> None:
    """Write what changed of the questions' tags, a statement for each tag that goes."""
    wanted = {
        change.question.id: set(change.after.tags)
        for change in changes
        if change.before.tags != change.after.tags
    }
    if not wanted:
        return
    uids = set().union(*wanted.values())
    ids = dict(session.execute(select(Tag.uid, Tag.id).where(Tag.uid.in_(uids))).all())
    after = {(key, ids[uid]) for key, tags in wanted.items() for uid in tags}
    before = {
        (row.question_id, row.tag_id)
        for row in session.execute(
            select(question_tag).where(question_tag.c.question_id.in_(wanted))
        )
    }
    gone: dict[int, list[int]] = defaultdict(list)
    for question_id, tag_id in sorted(before - after):
        gone[tag_id].append(question_id)
    for tag_id, question_ids in gone.items():
        session.execute(
            delete(question_tag).where(
                question_tag.c.tag_id == tag_id, question_tag.c.question_id.in_(question_ids)
            )
        )
    new = [{"question_id": key, "tag_id": tag_id} for key, tag_id in sorted(after - before)]
    if new:
        session.execute(insert(question_tag), new)
