"""The tables. `from cms.models import Question` is the way in; nothing here knows Flask."""

from cms.models.accounts import LoginAttempt, LoginSession, OneTimeLink, User
from cms.models.audit import AuditEvent
from cms.models.base import Base, new_uid
from cms.models.corrections import Correction
from cms.models.decks import Deck, DeckMember
from cms.models.imports import ImportBatch, ImportRow, ImportWarning, Provenance
from cms.models.questions import Answer, Question, Revision, Source, Tag, question_tag
from cms.models.shelf import (
    Change,
    Publication,
    PublicationTag,
    PublishedCorrection,
    PublishedDeck,
    PublishedTag,
    Release,
    ReleaseCounter,
    SlugRedirect,
    Withdrawal,
)

__all__ = [
    "Answer",
    "AuditEvent",
    "Base",
    "Change",
    "Correction",
    "Deck",
    "DeckMember",
    "ImportBatch",
    "ImportRow",
    "ImportWarning",
    "LoginAttempt",
    "LoginSession",
    "OneTimeLink",
    "Provenance",
    "Publication",
    "PublicationTag",
    "PublishedCorrection",
    "PublishedDeck",
    "PublishedTag",
    "Question",
    "Release",
    "ReleaseCounter",
    "Revision",
    "SlugRedirect",
    "Source",
    "Tag",
    "User",
    "Withdrawal",
    "new_uid",
    "question_tag",
]
