"""What the pages of one question share: a step of its life, told in a message."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import flash, redirect, request
from flask.typing import ResponseReturnValue

from cms.errors import CmsError, NotFound
from cms.models import Question
from cms.web.admin.base import GuardedView, actor, now, transaction, way_back


class Steps(GuardedView):
    """A view that takes questions, and what belongs to them, a step further."""

    def attempt(self, verb: Callable[..., Any], thing: Any, done: str, **given: Any) -> bool:
        """Run a service's verb in a transaction of its own; say what came of it.

        :raises NotFound: when the thing was deleted meanwhile: there is no page to say so on
        """
        try:
            with transaction() as session:
                verb(session, thing, by=actor(), at=now(), **given)
        except NotFound:
            raise
        except CmsError as error:
            flash(str(error), "error")
            return False
        flash(done, "success")
        return True

    def back_to(self, question: Question) -> ResponseReturnValue:
        return redirect(self.get_url(".edit_view", id=question.id, **self.opened_from()), 303)

    def opened_from(self) -> dict[str, str | None]:
        """Return what addresses of a question carry on: the list it was opened from, and where."""
        url = way_back()
        return {"url": url, "at": request.values.get("at") if url else None}


def published(release: int | None) -> tuple[str, str]:
    """Return what to flash of a publishing: words, category."""
    if release is None:
        return "Readers see this text already; there was nothing to publish.", "info"
    return f"Published in release {release}.", "success"


def number_of(written: str) -> int:
    """Return a number from an address or a form; 0, which nothing has, for anything else."""
    return int(written) if written.isdecimal() and len(written) < 10 else 0
