"""The release that follows a restore: who knew the bank that was there loses nothing.

Subscribers hold what some release of the replaced bank said, and ask what changed
since: everything that is public counts as changed, and what was public and is not any
more as withdrawn. Addresses that were public keep leading to what they named.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    JSON,
    CompoundSelect,
    Connection,
    Select,
    String,
    and_,
    case,
    exists,
    func,
    insert,
    literal,
    not_,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy import column as plain
from sqlalchemy import table as named
from sqlalchemy.orm import Session

from cms.models import (
    Change,
    DeckChange,
    Publication,
    PublishedDeckMember,
    PublishedTag,
    Question,
    Release,
    SlugRedirect,
    Withdrawal,
)
from cms.models.base import UtcDateTime
from cms.vocabulary import ChangeKind, DeckChangeKind

REASON = "The bank was restored to an earlier state, in which this question is not public."

_questions = named(
    "was_public",
    plain("uid", String),
    plain("live", String),
    plain("slug", String),
    plain("stem", String),
    plain("updated_at", UtcDateTime),
    plain("release"),
    plain("merged_into", String),
    plain("reason", String),
    plain("at", UtcDateTime),
)
_addresses = named(
    "was_address", plain("what", String), plain("slug", String), plain("uid", String)
)
_members = named(
    "was_member",
    plain("deck", String),
    plain("uid", String),
    plain("live", String),
    plain("release"),
    plain("at", UtcDateTime),
)


class Former:
    """What the replaced bank had in public, in tables of this transaction alone."""

    @classmethod
    def remember(cls, connection: Connection) -> Former:
        """Note what is public, and ever was, before it is replaced."""
        for kept, key, statement in (
            (_questions, "uid", _every_question()),
            (_addresses, "slug", _every_address()),
            (_members, "deck, uid", _every_member()),
        ):
            compiled = statement.compile(
                dialect=connection.dialect, compile_kwargs={"literal_binds": True}
            )
            connection.exec_driver_sql(f"CREATE TEMPORARY TABLE {kept.name} AS {compiled}")
            connection.exec_driver_sql(f"CREATE INDEX ix_{kept.name} ON {kept.name} ({key})")
        return cls()

    def go_on(self, session: Session, number: int, *, at: datetime) -> None:
        """Write what the release `number`, which is open, changed."""
        _withdraw(session, number, at)
        _change(session, number)
        _change_decks(session, number)
        _redirect(session)
        for kept in (_questions, _addresses, _members):
            session.connection().exec_driver_sql(f"DROP TABLE {kept.name}")


def _every_question() -> Select[*tuple[object, ...]]:
    """Select the questions that were ever public: as they are, or their tombstones."""
    known = select(Change.uid).distinct().subquery()
    return (
        select(
            known.c.uid,
            Publication.uid.label("live"),
            func.coalesce(Publication.slug, Withdrawal.slug).label("slug"),
            func.coalesce(Publication.stem, Withdrawal.stem).label("stem"),
            Publication.updated_at,
            Withdrawal.release,
            Withdrawal.merged_into,
            Withdrawal.reason,
            Withdrawal.at,
        )
        .outerjoin(Publication, Publication.uid == known.c.uid)
        .outerjoin(Withdrawal, Withdrawal.uid == known.c.uid)
    )


def _every_address() -> CompoundSelect[*tuple[object, ...]]:
    return union_all(
        select(literal("question").label("what"), Publication.slug, Publication.uid),
        select(literal("question"), Withdrawal.slug, Withdrawal.uid),
        select(literal("tag"), PublishedTag.slug, PublishedTag.uid),
        select(SlugRedirect.what, SlugRedirect.slug, SlugRedirect.uid),
    )


def _every_member() -> Select[*tuple[object, ...]]:
    """Select the questions that were ever in a deck, with the last release that changed that."""
    last = (
        select(DeckChange.deck, DeckChange.uid, func.max(DeckChange.release).label("release"))
        .group_by(DeckChange.deck, DeckChange.uid)
        .subquery()
    )
    return (
        select(
            last.c.deck,
            last.c.uid,
            PublishedDeckMember.deck.label("live"),
            last.c.release,
            Release.at,
        )
        .join(Release, Release.number == last.c.release)
        .outerjoin(Publication, Publication.uid == last.c.uid)
        .outerjoin(
            PublishedDeckMember,
            and_(
                PublishedDeckMember.deck == last.c.deck,
                PublishedDeckMember.publication_id == Publication.id,
            ),
        )
    )


# --- questions -------------------------------------------------------------------------


def _withdraw(session: Session, number: int, at: datetime) -> None:
    """Leave a tombstone of each question that was public, is not, and has none here.

    One whose address something else has here gets an address of its own.
    """
    was = _questions.c
    taken = or_(
        exists().where(Publication.slug == was.slug),
        exists().where(Withdrawal.slug == was.slug),
        exists().where(Question.slug == was.slug, Question.uid != was.uid),
        exists().where(SlugRedirect.what == "question", SlugRedirect.slug == was.slug),
    )
    gone = select(
        was.uid,
        case((taken, literal("withdrawn-") + was.uid), else_=was.slug),
        was.stem,
        literal(number),
        was.merged_into,
        func.coalesce(was.reason, literal(REASON)),
        func.coalesce(was.at, literal(at, UtcDateTime), type_=UtcDateTime),
    ).where(
        was.slug.is_not(None),
        not_(exists().where(Publication.uid == was.uid)),
        not_(exists().where(Withdrawal.uid == was.uid)),
    )
    columns = ["uid", "slug", "stem", "release", "merged_into", "reason", "at"]
    _insert(session, Withdrawal, columns, gone)
    # A tombstone that both banks have was told of by a release that both have.
    news = exists().where(
        was.uid == Withdrawal.uid,
        or_(was.at.is_(None), was.at != Withdrawal.at, was.release != Withdrawal.release),
    )
    session.execute(
        update(Withdrawal).where(news).values(release=number),
        execution_options={"synchronize_session": False},
    )


def _change(session: Session, number: int) -> None:
    """Write that every live question changed, and that the others are gone.

    A question whose text is the one that readers had was only written anew.
    """
    was = _questions.c
    known = exists().where(
        was.uid == Publication.uid,
        was.live.is_not(None),
        was.updated_at == Publication.updated_at,
    )
    columns = ["release", "uid", "what", "revision", "parts"]
    what = Change.__table__.c.what.type
    nothing = literal([], JSON())
    live = select(
        literal(number),
        Publication.uid,
        case(
            (known, literal(ChangeKind.refreshed, what)),
            else_=literal(ChangeKind.published, what),
        ),
        Publication.revision,
        nothing,
    ).order_by(Publication.id)
    _insert(session, Change, columns, live)
    gone = select(
        literal(number),
        Withdrawal.uid,
        case(
            (Withdrawal.merged_into.is_not(None), literal(ChangeKind.merged, what)),
            (Withdrawal.stem == "", literal(ChangeKind.purged, what)),
            else_=literal(ChangeKind.retired, what),
        ),
        literal(None),
        nothing,
    ).where(Withdrawal.release == number)
    _insert(session, Change, columns, gone)


# --- decks -----------------------------------------------------------------------------


def _change_decks(session: Session, number: int) -> None:
    """Write who is in each deck, and who was in it and is not."""
    was = _members.c
    columns = ["deck", "release", "uid", "what"]
    what = DeckChange.__table__.c.what.type
    before = exists().where(
        was.deck == PublishedDeckMember.deck, was.uid == Publication.uid, was.live.is_not(None)
    )
    live = (
        select(
            PublishedDeckMember.deck,
            literal(number),
            Publication.uid,
            case(
                (before, literal(DeckChangeKind.changed, what)),
                else_=literal(DeckChangeKind.added, what),
            ),
        )
        .join(Publication, Publication.id == PublishedDeckMember.publication_id)
        .order_by(PublishedDeckMember.deck, Publication.id)
    )
    _insert(session, DeckChange, columns, live)
    member = (
        exists()
        .where(
            PublishedDeckMember.publication_id == Publication.id,
            PublishedDeckMember.deck == was.deck,
            Publication.uid == was.uid,
        )
        .correlate(_members)
    )
    # It left in a release that both banks have: whoever is behind that one is told by it.
    same = exists().where(
        DeckChange.deck == was.deck,
        DeckChange.uid == was.uid,
        DeckChange.release == was.release,
        DeckChange.what == DeckChangeKind.withdrawn,
        Release.number == was.release,
        Release.at == was.at,
    )
    gone = select(
        was.deck, literal(number), was.uid, literal(DeckChangeKind.withdrawn, what)
    ).where(not_(member), not_(same.correlate(_members)))
    _insert(session, DeckChange, columns, gone)


# --- addresses -------------------------------------------------------------------------


def _redirect(session: Session) -> None:
    """Let each address that was public lead to what it named, unless something else has it."""
    was = _addresses.c
    question = and_(
        was.what == "question",
        or_(
            exists().where(Publication.uid == was.uid),
            exists().where(Withdrawal.uid == was.uid),
        ),
        not_(
            or_(
                exists().where(Publication.slug == was.slug),
                exists().where(Withdrawal.slug == was.slug),
                exists().where(Question.slug == was.slug, Question.uid != was.uid),
            )
        ),
    )
    tag = and_(
        was.what == "tag",
        exists().where(PublishedTag.uid == was.uid),
        not_(exists().where(PublishedTag.slug == was.slug)),
    )
    new = (
        select(was.what, was.slug, func.min(was.uid))
        .where(
            or_(question, tag),
            not_(exists().where(SlugRedirect.what == was.what, SlugRedirect.slug == was.slug)),
        )
        .group_by(was.what, was.slug)
    )
    _insert(session, SlugRedirect, ["what", "slug", "uid"], new)


def _insert(
    session: Session, table: type, columns: list[str], chosen: Select[*tuple[object, ...]]
) -> None:
    session.execute(insert(table).from_select(columns, chosen))
