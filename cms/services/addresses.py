"""The addresses of questions: which one is free, and whose one is or was."""

from collections import defaultdict
from collections.abc import Iterable

from slugify import slugify
from sqlalchemy import BindParameter, bindparam, select, union_all
from sqlalchemy.orm import Session

from cms.formats.item import SLUG_LIMIT
from cms.models import Publication, Question, SlugRedirect, Withdrawal
from cms.services.chunks import chunks
from cms.text import unique_name

# Pages of the site stand where questions of these addresses would.
RESERVED = frozenset({"study", "suggest"})
THE_SITE = "the site"

_SLUGS: BindParameter[str] = bindparam("slugs", expanding=True)
# Every question that is saved asks this: building it anew would take longer than running it.
_OWNERS = union_all(
    *(
        select(each.slug, each.uid).where(each.slug.in_(_SLUGS))
        for each in (Question, Publication, Withdrawal)
    ),
    select(SlugRedirect.slug, SlugRedirect.uid).where(
        SlugRedirect.what == "question", SlugRedirect.slug.in_(_SLUGS)
    ),
)


def free_slug(session: Session, stem: str, uid: str) -> str:
    """Return an address for a stem that nothing else has or had."""
    wanted = slugify(stem, max_length=SLUG_LIMIT - 8, word_boundary=True) or f"question-{uid[-12:]}"
    return unique_name(wanted, lambda slug: slug_taken(session, slug, uid), SLUG_LIMIT)


def slug_taken(session: Session, slug: str, uid: str) -> bool:
    """Whether another question than `uid` has the address, or had it in public."""
    return bool(slug_owners(session, [slug]).get(slug, set()) - {uid})


def slug_owners(session: Session, slugs: Iterable[str | None]) -> dict[str, set[str]]:
    """Return the uids of the questions that have, or had in public, each of these addresses.

    One that the site needs for a page of its own has `THE_SITE` as its owner.
    """
    wanted = [slug for slug in slugs if slug is not None]
    owners: dict[str, set[str]] = defaultdict(set)
    for some in chunks(wanted):
        for slug, uid in session.execute(_OWNERS, {"slugs": some}):
            owners[slug].add(uid)
    for slug in RESERVED.intersection(wanted):
        owners[slug].add(THE_SITE)
    return owners
