"""The sitemap (sitemaps.org 0.9): one file of a small bank, else an index of its parts.

A part is much smaller than the protocol's 50,000 addresses: so it is made in a
moment, and short enough for the cache to keep.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from xml.etree import ElementTree as ET

from flask import Response, g
from sqlalchemy.orm import Session

from cms.errors import NotFound
from cms.services import publicdecks, sitemaps
from cms.services.sitemaps import ListedAddress
from cms.web.public import page
from cms.web.public.addresses import absolute
from cms.web.public.atom import xml_response
from cms.web.public.linkeddata import w3c

NAMESPACE = "http://www.sitemaps.org/schemas/sitemap/0.9"
PART_SIZE = 2_500  # questions, or corrections
# Addresses in one file, by the protocol: of tags, beside the decks and the lists.
TAGS_LIMIT = 40_000

Address = tuple[str, datetime | None]


@page("/sitemap.xml")
def sitemap(session: Session) -> Response:
    """List every public page, or the parts that do."""
    questions = sitemaps.question_parts(session, PART_SIZE)
    corrections = sitemaps.correction_parts(session, PART_SIZE)
    if questions in ([], [1]) and corrections in ([], [1]):
        everything = [*_pages(session), *_questions(session, 1), *_corrections(session, 1)]
        return _document("urlset", "url", everything)
    names = ["pages", *(f"questions-{part}" for part in questions)]
    names += [f"corrections-{part}" for part in corrections]
    parts: list[Address] = [(absolute("public.sitemap_part", name=each), None) for each in names]
    return _document("sitemapindex", "sitemap", parts)


@page("/sitemap-<name>.xml")
def sitemap_part(session: Session, name: str) -> Response:
    """List a part: the `pages`, or the questions or corrections of a range of numbers."""
    if name == "pages":
        return _document("urlset", "url", list(_pages(session)))
    kind, _, number = name.partition("-")
    if kind in {"questions", "corrections"} and number.isascii() and number.isdigit():
        # No integer column holds more.
        part = int(number[:10])
        listed = _questions if kind == "questions" else _corrections
        if 0 < part * PART_SIZE < 2**31 and (found := list(listed(session, part))):
            return _document("urlset", "url", found)
    raise NotFound("The sitemap has no such part. Its index is at /sitemap.xml.")


def _pages(session: Session) -> Iterator[Address]:
    """Yield the pages that are lists, and those of tags and decks."""
    released = g.bank.released_at
    for endpoint in ("home", "questions", "tags", "decks", "study", "corrections", "exports"):
        yield absolute(f"public.{endpoint}"), released
    for tag in sitemaps.tags(session, TAGS_LIMIT):
        yield absolute("public.tag", path=tag.name), None
    for deck in publicdecks.all_decks(session):
        yield absolute("public.deck", slug=deck.slug), deck.changed_at


def _questions(session: Session, part: int) -> Iterator[Address]:
    return _below("question", "slug", sitemaps.questions_of(session, part, PART_SIZE))


def _corrections(session: Session, part: int) -> Iterator[Address]:
    return _below("correction", "number", sitemaps.corrections_of(session, part, PART_SIZE))


def _below(endpoint: str, argument: str, listed: list[ListedAddress]) -> Iterator[Address]:
    for each in listed:
        yield absolute(f"public.{endpoint}", **{argument: each.name}), each.changed_at


def _document(root_name: str, name: str, addresses: list[Address]) -> Response:
    root = ET.Element(root_name, {"xmlns": NAMESPACE})
    for address, changed_at in addresses:
        element = ET.SubElement(root, name)
        ET.SubElement(element, "loc").text = address
        if changed_at is not None:
            ET.SubElement(element, "lastmod").text = w3c(changed_at)
    return xml_response(root, "application/xml")
