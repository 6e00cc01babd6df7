"""A question's text as people read it, and whether a form says the same."""

from __future__ import annotations

from copy import deepcopy

from cms.errors import NotFound
from cms.extensions import db
from cms.formats.item import Content
from cms.models import Question
from cms.services import diff
from cms.services.aliases import current_paths, tag_slugs
from cms.services.content import revision_content, with_tag_slugs
from cms.web.admin.forms import QuestionForm


def readable(content: Content) -> Content:
    """Return content with tags as slugs, for people."""
    return with_tag_slugs(content, tag_slugs(db.session(), content.tags))


def follow_tags(form: QuestionForm) -> QuestionForm:
    """Return a form that may be older than a merge, with the survivors for merged tags."""
    current = current_paths(db.session(), form.tag_slugs)
    if any(path != typed for typed, path in current.items()):
        form.tags = ", ".join(dict.fromkeys(current.values()))
    return form


def revision_text(question: Question, number: int) -> Content | None:
    """Return a revision's content for people; None if there is no such revision."""
    try:
        return readable(revision_content(db.session(), question, number))
    except NotFound:
        return None


def says_the_same(content: Content, form: QuestionForm) -> bool:
    """Whether the form says what `content` says, whose tags are slugs."""
    return not diff.compare(content, deepcopy(form).comparable(content))
