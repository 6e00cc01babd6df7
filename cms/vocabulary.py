"""The bank's fixed vocabularies. Imports nothing of ours; models and formats share it.

Every member's name equals its value: a form field, a CHECK constraint and an
export then all say the same word.
"""

from enum import StrEnum


class Difficulty(StrEnum):
    easy = "easy"
    medium = "medium"
    hard = "hard"


class Stage(StrEnum):
    """How far a working copy that is not public has come."""

    draft = "draft"
    in_review = "in_review"


class Status(StrEnum):
    """A question's status in one word; derived from its columns, stored nowhere."""

    draft = "draft"
    in_review = "in_review"
    published = "published"
    retired = "retired"


class Origin(StrEnum):
    """What made a revision."""

    edit = "edit"
    imported = "imported"
    correction = "correction"
    restore = "restore"
    merge = "merge"
    bulk = "bulk"
    undo = "undo"


class CorrectionKind(StrEnum):
    factual = "factual"
    outdated = "outdated"
    technical = "technical"
    editorial = "editorial"


class CorrectionStatus(StrEnum):
    open = "open"
    held = "held"
    accepted = "accepted"
    rejected = "rejected"
    duplicate = "duplicate"


class TextPart(StrEnum):
    """A text of a question in which a passage may stand."""

    stem = "stem"
    context = "context"
    body = "body"


class NotificationKind(StrEnum):
    """Why somebody gets a note in their inbox."""

    assigned = "assigned"
    review = "review"
    mention = "mention"
    reply = "reply"
    returned = "returned"
    published = "published"
    correction = "correction"
    decided = "decided"
    unscheduled = "unscheduled"


class Role(StrEnum):
    """Ordered by power: each role may do all that the ones before it may."""

    contributor = "contributor"
    editor = "editor"
    admin = "admin"

    def includes(self, other: "Role") -> bool:
        """Whether this role may do everything that `other` may."""
        order = list(Role)
        return order.index(self) >= order.index(other)


class ChangeKind(StrEnum):
    """What a release did to a public question."""

    published = "published"
    refreshed = "refreshed"
    retired = "retired"
    merged = "merged"
    purged = "purged"


class DeckChangeKind(StrEnum):
    """What a release did to one question of a deck."""

    added = "added"
    changed = "changed"
    withdrawn = "withdrawn"


class ImportState(StrEnum):
    """How far an import has come; derived from its times and its job, stored nowhere."""

    reading = "reading"
    asking = "asking"
    failed = "failed"
    waiting = "waiting"
    writing = "writing"
    imported = "imported"
    undoing = "undoing"
    undone = "undone"


class JobState(StrEnum):
    queued = "queued"
    running = "running"
    done = "done"
    failed = "failed"


class RowAction(StrEnum):
    """What an import or a bulk operation does, or would do, with one row."""

    create = "create"
    update = "update"
    unchanged = "unchanged"
    conflict = "conflict"
    duplicate = "duplicate"
    error = "error"
