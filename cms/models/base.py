"""The declarative base: naming convention, column types, the type map."""

from datetime import UTC, datetime
from typing import Annotated

import uuid_utils
from sqlalchemy import DateTime, Dialect, Enum, MetaData, String, Text, TypeDecorator
from sqlalchemy.orm import DeclarativeBase, mapped_column, registry

from cms.vocabulary import (
    ChangeKind,
    CorrectionKind,
    CorrectionStatus,
    DeckChangeKind,
    Difficulty,
    JobState,
    NotificationKind,
    Origin,
    Role,
    RowAction,
    Stage,
    TextPart,
)

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """A moment in UTC. Naive values are refused; every value read is aware."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone would be ambiguous")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite gives a deleted row's id to the next one. The desk's addresses hold ids, and a
# form that was opened for a deleted question must never be saved over another one.
IDS_ARE_NEVER_REUSED = {"sqlite_autoincrement": True}


def new_uid() -> str:
    """Return a new time-ordered identifier (UUIDv7, RFC 9562) in its canonical text form."""
    return str(uuid_utils.uuid7())


Uid = Annotated[str, mapped_column(String(36))]
Slug = Annotated[str, mapped_column(String(120))]
Line = Annotated[str, mapped_column(String(500))]
LongText = Annotated[str, mapped_column(Text)]


def vocabulary(cls: type) -> Enum:
    """The column type of a StrEnum: text of 32 with a named CHECK, on every database."""
    name = "".join(f"_{c.lower()}" if c.isupper() else c for c in cls.__name__).lstrip("_")
    return Enum(cls, name=name, native_enum=False, length=32, create_constraint=True)


VOCABULARIES = (
    ChangeKind,
    CorrectionKind,
    CorrectionStatus,
    DeckChangeKind,
    Difficulty,
    JobState,
    NotificationKind,
    Origin,
    Role,
    RowAction,
    Stage,
    TextPart,
)


class Base(DeclarativeBase):
    # The registry holds the type map because Flask-SQLAlchemy copies this class's body.
    registry = registry(
        metadata=MetaData(naming_convention=NAMING_CONVENTION),
        type_annotation_map={
            datetime: UtcDateTime,
            **{cls: vocabulary(cls) for cls in VOCABULARIES},
        },
    )
