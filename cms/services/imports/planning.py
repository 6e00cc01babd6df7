"""Planning an import: each row of a file against the bank, without writing anything."""

import difflib
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.formats.incoming import Damage, Reading, Row
from cms.formats.item import AssetItem, Content, CorrectionItem, DeckItem, Item, TagItem
from cms.models import Answer, Correction, Provenance, Question, Revision
from cms.services.addresses import slug_owners
from cms.services.aliases import all_tag_slugs, current_paths
from cms.services.chunks import chunks
from cms.services.content import WITH_CONTENT, content_of, decode, with_tag_slugs
from cms.services.errata import correction_item
from cms.services.imports.bases import Bases, stands
from cms.services.imports.merging import judge
from cms.text import stem_key
from cms.vocabulary import RowAction

# The namespace of the uids that questions without one get (UUIDv5, RFC 9562).
NAMESPACE = uuid.UUID("5d0c2f5e-6a0b-5b8e-9a53-7f1b3c8f2b61")
# Stems at least this alike, at the same ordinal of the same source, are one question reworded.
REWORDED = 0.6
# What is written unless somebody says otherwise.
WRITTEN = frozenset({RowAction.create, RowAction.update})


@dataclass(slots=True)
class PlannedRow:
    """What an import would do with one row, and in the end what it did.

    `stated` is the row as the file has it, but with a uid. `content` carries
    tags as slugs. `question_id` and `seen_version` name the question that an
    update changes, at the revision that was compared; of a likely duplicate
    they name its twin. Only what is `chosen` is written: `number` is then the
    revision that has it, and `before` what an undo puts back, None for a new
    question (see BatchRow).
    """

    stated: Row
    action: RowAction
    message: str = ""
    content: Content | None = None
    question_id: int | None = None
    seen_version: int = 0
    corrections: list[CorrectionItem] = field(default_factory=list)
    chosen: bool = False
    number: int | None = None
    before: dict[str, Any] | None = None

    @property
    def place(self) -> str:
        return self.stated.place

    @property
    def item(self) -> Item:
        """What the row says; a row that cannot be read says nothing and is never asked."""
        assert self.stated.item is not None
        return self.stated.item

    @property
    def stem(self) -> str:
        return self.stated.item.stem if self.stated.item else ""

    @property
    def damages(self) -> list[Damage]:
        return self.stated.damages


@dataclass(slots=True)
class Plan:
    """A whole file against the bank, row by row, in the file's order."""

    rows: list[PlannedRow]
    tags: list[TagItem] = field(default_factory=list)
    decks: list[DeckItem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    assets: list[AssetItem] = field(default_factory=list)

    def totals(self) -> dict[RowAction, int]:
        """Return the number of rows of each action, zeros included."""
        counted = Counter(row.action for row in self.rows)
        return {action: counted[action] for action in RowAction}


def plan(session: Session, reading: Reading, *, source: str) -> Plan:
    """Compare a reading with the bank. `source` names the file for rows without provenance.

    :raises UnreadableFile: when the file turns out unreadable half-way
    """
    rows = list(reading.rows)
    planned = [
        row for some in plan_rows(session, rows, reading.tags, source=source) for row in some
    ]
    return Plan(planned, reading.tags, reading.decks, reading.notes, reading.assets)


def plan_rows(
    session: Session, rows: Sequence[Row], tags: Iterable[TagItem], *, source: str
) -> Iterator[list[PlannedRow]]:
    """Compare the rows of one file with the bank, and yield them in order, some at a time.

    `tags` are those that the file describes.
    """
    planner = _Planner(session, rows, tags, source)
    for some in chunks(rows):
        yield planner.plan(some)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A row beside the question that it means: the bank's text, and what both started from.

    `current` and `base` are None where there is no such question or revision;
    all contents carry tags as slugs.
    """

    planned: PlannedRow
    current: Content | None = None
    base: Content | None = None


def compare(session: Session, row: Row, tags: Iterable[TagItem] = ()) -> Comparison:
    """Compare one row, that a plan has given a uid, with the bank as it is now."""
    planner = _Planner(session, [row], tags, source="")
    [planned] = planner.plan([row])
    if planned.question_id is None or planned.action == RowAction.error:
        return Comparison(planned)
    question = session.get_one(Question, planned.question_id, options=WITH_CONTENT)
    # A likely duplicate reads like that question, but was not made from it.
    twin = planned.action == RowAction.duplicate
    return Comparison(
        planned,
        with_tag_slugs(content_of(question), planner.tag_slugs),
        None if twin else planner.base(row, question),
    )


class _Planner:
    """The state of one planning: what the file used up so far."""

    def __init__(
        self, session: Session, rows: Sequence[Row], tags: Iterable[TagItem], source: str
    ) -> None:
        self.session = session
        self.source = source
        self.named = {row.item.uid for row in rows if row.item and row.item.uid}
        self.occurrences: Counter[tuple[str, str]] = Counter()
        self.slugs: set[str] = set()
        self.matched: set[int] = set()
        self.met: dict[int, str] = {}
        slugs = all_tag_slugs(session)
        self.tag_slugs = slugs
        paths = {path for row in rows if row.item for path in row.item.tags}
        # A tag that was renamed or merged here is still the tag that the file means.
        self.paths = current_paths(session, paths) | {
            tag.slug: slugs[tag.uid] for tag in tags if tag.uid in slugs
        }

    def plan(self, rows: Sequence[Row]) -> list[PlannedRow]:
        identified = {id(row): self._identity(row, row.item) for row in rows if row.item}
        found = self._questions(identified.values())
        self.bases = Bases(
            self.session,
            [
                (row, found[identified[id(row)]])
                for row in rows
                if row.item and identified[id(row)] in found
            ],
        )
        owners = slug_owners(self.session, [row.item.slug for row in rows if row.item])
        planned = [
            self._row(row, found.get(identified[id(row)]), owners) if row.item else _unreadable(row)
            for row in rows
        ]
        self._refuse_foreign(planned)
        self._find_twins(planned)
        for each in planned:
            each.chosen = each.action in WRITTEN
        return planned

    def _identity(self, row: Row, item: Item) -> str:
        """Return the uid that a row means: its own, its provenance's, or one made of its text."""
        if item.uid is not None:
            return item.uid
        source = item.provenance.source if item.provenance else self.source
        key = stem_key(item.stem)
        self.occurrences[source, key] += 1
        occurrence = self.occurrences[source, key]
        match = self._by_provenance(item, source, key, occurrence) if item.provenance else None
        made = str(uuid.uuid5(NAMESPACE, f"{source}\n{key}\n{occurrence}"))
        item.uid = match or made
        row.by_source = True
        return item.uid

    def _by_provenance(self, item: Item, source: str, key: str, occurrence: int) -> str | None:
        """Find the question that an earlier import of the same source made."""
        assert item.provenance is not None
        statement = (
            select(Question.uid, Provenance.question_id, Provenance.stem_key)
            .join(Provenance.question)
            .where(Provenance.source == source)
            .order_by(Provenance.ordinal, Provenance.question_id)
        )
        if item.provenance.external_id is not None:
            row = self.session.execute(
                statement.where(Provenance.external_id == item.provenance.external_id)
            ).first()
            return row.uid if row else None
        same = self.session.execute(statement.where(Provenance.stem_key == key)).all()
        if len(same) >= occurrence:
            row = same[occurrence - 1]
            self.matched.add(row.question_id)
            return str(row.uid)
        for row in self.session.execute(
            statement.where(Provenance.ordinal == item.provenance.ordinal)
        ):
            alike = difflib.SequenceMatcher(None, row.stem_key, key).ratio()
            if row.question_id not in self.matched and alike >= REWORDED:
                self.matched.add(row.question_id)
                return str(row.uid)
        return None

    def _questions(self, uids: Iterable[str]) -> dict[str, Question]:
        return {
            question.uid: question
            for question in self.session.scalars(
                select(Question).where(Question.uid.in_(list(uids))).options(*WITH_CONTENT)
            )
        }

    def _row(
        self, row: Row, question: Question | None, owners: Mapping[str, set[str]]
    ) -> PlannedRow:
        item = row.item
        assert item is not None
        item.tags = list(dict.fromkeys(self.paths[slug] for slug in item.tags))
        planned = PlannedRow(row, RowAction.create, corrections=item.corrections)
        if item.slug is not None and "slug" not in row.drops:
            assert item.uid is not None
            if item.slug in self.slugs or owners.get(item.slug, set()) - {item.uid}:
                planned.action = RowAction.error
                planned.message = (
                    f"slug: '{item.slug}' is, or was, another question's address. "
                    "Choose another, or leave it out to have one made."
                )
                return planned
            self.slugs.add(item.slug)
        if question is None:
            planned.content = Content(
                **{name: getattr(item, name) for name in Content.__struct_fields__}
            )
            return planned
        if question.id in self.met:
            planned.action = RowAction.error
            planned.message = (
                f"This means the same question as {self.met[question.id]}. Keep one of the two."
            )
            return planned
        self.met[question.id] = row.place
        return self._meet(planned, row, item, question)

    def _meet(self, planned: PlannedRow, row: Row, item: Item, question: Question) -> PlannedRow:
        """Compare a row with the question that it means."""
        drops = row.drops
        planned.question_id = question.id
        if question.merged_into is not None:
            planned.action = RowAction.conflict
            planned.message = (
                f"This question was merged into '{question.merged_into.slug}'; edit that one."
            )
            return planned
        planned.seen_version = question.latest_number
        verdict = judge(
            item,
            drops,
            current=with_tag_slugs(content_of(question), self.tag_slugs),
            base=lambda: self.base(row, question),
            earlier=lambda: self._earlier(question),
            through_html=row.through_html,
        )
        planned.action, planned.message = verdict.action, verdict.message
        planned.content = replace(verdict.content, uid=question.uid)
        planned.corrections = (
            [] if "corrections" in drops else self._new_corrections(item.corrections, question)
        )
        if planned.action == RowAction.unchanged and planned.corrections:
            planned.action = RowAction.update
            planned.message = f"{len(planned.corrections)} corrections are new."
        return planned

    def base(self, row: Row, question: Question) -> Content | None:
        """Return the content that a row was made from, or that was imported last."""
        found = self.bases.of(row, question)
        return with_tag_slugs(found, self.tag_slugs) if found else None

    def _earlier(self, question: Question) -> list[Content]:
        return [
            with_tag_slugs(decode(revision), self.tag_slugs)
            for revision in self.session.scalars(
                select(Revision).where(Revision.question_id == question.id, stands())
            )
        ]

    def _new_corrections(
        self, stated: Sequence[CorrectionItem], question: Question
    ) -> list[CorrectionItem]:
        """Return the file's corrections that the bank lacks; it never takes one away."""
        if not stated:
            return []
        held = [
            correction_item(correction)
            for correction in self.session.scalars(
                select(Correction).filter_by(question_id=question.id)
            )
        ]
        uids = {correction.uid for correction in held}
        claims = {(correction.kind, correction.claim) for correction in held}
        return [
            correction
            for correction in stated
            if correction.uid not in uids and (correction.kind, correction.claim) not in claims
        ]

    def _refuse_foreign(self, planned: Sequence[PlannedRow]) -> None:
        """Refuse rows whose answers or corrections have the uid of another question's."""
        owners: dict[str, int] = {}
        uids: dict[str, list[PlannedRow]] = defaultdict(list)
        for row in planned:
            if row.content is None:
                continue
            parts = [answer.uid for answer in row.content.answers]
            parts += [correction.uid for correction in row.corrections]
            for uid in parts:
                if uid is not None:
                    uids[uid].append(row)
        for model in (Answer, Correction):
            for some in chunks(list(uids)):
                owners |= dict(
                    self.session.execute(
                        select(model.uid, model.question_id).where(model.uid.in_(some))
                    ).all()
                )
        for uid, owner in owners.items():
            for row in uids[uid]:
                if row.question_id != owner:
                    row.action = RowAction.error
                    row.message = (
                        f"{uid} belongs to another question of the bank. "
                        "Leave it out to have a new one made."
                    )

    def _find_twins(self, planned: Sequence[PlannedRow]) -> None:
        """Mark new questions that read like one of the bank which the file does not name."""
        new = [(stem_key(row.stem), row) for row in planned if row.action == RowAction.create]
        rows = self.session.execute(
            select(Question.stem_key, Question.id, Question.uid, Question.slug)
            .where(
                Question.stem_key.in_({key for key, _ in new if key}),
                Question.merged_into_id.is_(None),
            )
            .order_by(Question.id.desc())
        )
        twins = {row.stem_key: row for row in rows if row.uid not in self.named}
        for key, row in new:
            if twin := twins.get(key):
                row.action = RowAction.duplicate
                row.message = f"The bank has a question that reads the same: '{twin.slug}'."
                row.question_id = twin.id


def _unreadable(row: Row) -> PlannedRow:
    action = RowAction.conflict if row.truncated else RowAction.error
    return PlannedRow(row, action, row.error or "")
