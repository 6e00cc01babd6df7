"""Locking a row that was read before: it may be gone by now."""

from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

from cms.errors import NotFound
from cms.models import Base


def lock_row(session: Session, row: Base, noun: str) -> None:
    """Read a row anew and keep others from changing it until the transaction ends.

    :raises NotFound: when somebody deleted it meanwhile
    """
    session.flush()
    try:
        session.refresh(row, with_for_update=True)
    except InvalidRequestError as error:
        raise NotFound(f"Somebody deleted this {noun} meanwhile.") from error
