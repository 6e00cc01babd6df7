"""The tables. `from cms.models import Question` is the way in; nothing here knows Flask."""

from cms.models.accounts import LoginAttempt, LoginSession, OneTimeLink, User
from cms.models.assets import Asset, PublicationAsset, QuestionAsset
from cms.models.audit import AuditEvent
from cms.models.base import Base, new_uid
from cms.models.bulk import BulkOperation, BulkRow
from cms.models.corrections import Correction
from cms.models.decks import Deck, DeckMember
from cms.models.desk import Figures, SavedView
from cms.models.duplicates import LikelyDuplicate, StemBand
from cms.models.imports import ImportBatch, ImportRow, ImportWarning, Provenance
from cms.models.jobs import Job
from cms.models.questions import (
    Answer,
    Option,
    Question,
    Revision,
    Source,
    Tag,
    TagAlias,
    question_tag,
)
from cms.models.samples import SampleRun
from cms.models.shelf import (
    Change,
    DeckChange,
    Publication,
    PublicationTag,
    PublishedCorrection,
    PublishedDeck,
    PublishedDeckMember,
    PublishedTag,
    Release,
    ReleaseCounter,
    SearchSpelling,
    SearchWord,
    SlugRedirect,
    Withdrawal,
)
from cms.models.teamwork import Autosave, Comment, Notification, Presence

__all__ = [
    "Answer",
    "Asset",
    "AuditEvent",
    "Autosave",
    "Base",
    "BulkOperation",
    "BulkRow",
    "Change",
    "Comment",
    "Correction",
    "Deck",
    "DeckChange",
    "DeckMember",
    "Figures",
    "ImportBatch",
    "ImportRow",
    "ImportWarning",
    "Job",
    "LikelyDuplicate",
    "LoginAttempt",
    "LoginSession",
    "Notification",
    "OneTimeLink",
    "Option",
    "Presence",
    "Provenance",
    "Publication",
    "PublicationAsset",
    "PublicationTag",
    "PublishedCorrection",
    "PublishedDeck",
    "PublishedDeckMember",
    "PublishedTag",
    "Question",
    "QuestionAsset",
    "Release",
    "ReleaseCounter",
    "Revision",
    "SampleRun",
    "SavedView",
    "SearchSpelling",
    "SearchWord",
    "SlugRedirect",
    "Source",
    "StemBand",
    "Tag",
    "TagAlias",
    "User",
    "Withdrawal",
    "new_uid",
    "question_tag",
]
