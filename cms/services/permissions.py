"""Who may do what: the one rule that the desk, the commands and direct requests share."""

from sqlalchemy.orm import Session

from cms.errors import NotAllowed
from cms.models import Question, User
from cms.models.engine import FOUR_EYES
from cms.vocabulary import Role


def may(by: User | None, role: Role) -> bool:
    """Whether the actor has the powers of `role`; the command line (None) has them all."""
    return by is None or (by.disabled_at is None and by.role.includes(role))


def require(by: User | None, role: Role, verb: str) -> None:
    """Let the actor pass, or say who may.

    :raises NotAllowed: with a message such as 'Only an editor may publish questions.'
    """
    if not may(by, role):
        article = "an" if role.value[0] in "aeiou" else "a"
        raise NotAllowed(f"Only {article} {role.value} may {verb}. Ask one to do it.")


def require_writer(by: User | None, question: Question) -> None:
    """Let pass who may change this question's text: a contributor only what is not public.

    :raises NotAllowed: with a message that says what to do instead
    """
    require(by, Role.contributor, "write questions")
    touched_public = question.published_number is not None or question.retired_at is not None
    if touched_public and not may(by, Role.editor):
        raise NotAllowed(
            "Only an editor may change a question that has been published. "
            "File a correction instead."
        )


def four_eyes(session: Session) -> bool:
    """Whether this bank demands that nobody publishes their own change alone.

    The engine says so, and with it every session of every entry point.
    """
    return bool(session.connection().get_execution_options().get(FOUR_EYES, False))


def needs_another(session: Session, by: User | None) -> bool:
    """Whether somebody else than the actor has to publish what the actor writes now."""
    return by is not None and four_eyes(session)
