"""The list of questions, a question, and what is left of one that moved or was withdrawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import msgspec
from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session
from werkzeug.exceptions import Gone

from cms.errors import InvalidInput, NotFound
from cms.formats.item import Item
from cms.formats.markdown import question_text
from cms.markup import plain_inline
from cms.services import finding, neighbours, reading
from cms.services.facets import FACETED, facets_of
from cms.services.listing import SORTS, Selection, Sort
from cms.services.publichistory import question_changes
from cms.services.reading import Moved, Withdrawn
from cms.services.related import related
from cms.services.rendered import errata_by_answer
from cms.vocabulary import Difficulty
from cms.web.public import page
from cms.web.public.addresses import images_place, permalink
from cms.web.public.exports import writable
from cms.web.public.filters import asked_difficulty, asked_number, asked_query, asked_tags
from cms.web.public.heads import Alternate, describe
from cms.web.public.linkeddata import facts_of, question_data, w3c
from cms.web.public.plaintext import visible_text

CHANGES = 50  # releases on a page of a question's history
RELATED = 5  # questions beside one
SUGGESTED = 8  # questions while a search is typed


@page("/questions/")
def questions(session: Session) -> ResponseReturnValue:
    """List questions by `q`, `tag` (all of them), `difficulty` and `sort`, from `after` on."""
    selection = _selection()
    unknown: list[str] = []
    for tag in selection.tags:
        try:
            there = reading.find_tag(session, tag)
        except NotFound:
            unknown.append(tag)
            continue
        if isinstance(there, Moved):
            current = tuple(there.slug if each == tag else each for each in selection.tags)
            return redirect(address(replace(selection, tags=current)), 301)
    describe("Questions with their answers and sources.", canonical=_canonical(selection, unknown))
    after = request.args.get("after")
    found = finding.find(session, selection, after)

    def changed(**changes: Any) -> str:
        return address(replace(found.selection, **changes))

    return render_template(
        "public/questions.html",
        selection=selection,
        chips=list(_chips(selection)),
        unknown=unknown,
        found=found,
        facets=facets_of(session, found.selection),
        trials=None if found.listing.questions else finding.what_to_try(session, found.selection),
        bounds={"facets": FACETED, "trials": finding.COUNTED},
        address=address,
        changed=changed,
        difficulties=Difficulty,
        formats=writable(),
        narrowed=_narrowed(found.selection),
        sorts=[sort for sort in SORTS if sort != "relevance" or selection.query],
    )


@page("/questions/suggest")
def suggest(session: Session) -> str:
    """Return the questions for `q`, which is being typed, as a fragment: options of a list box."""
    query = asked_query()
    suggested, terms = finding.suggest(session, query, SUGGESTED)
    return render_template(
        "public/suggest.html",
        suggested=suggested,
        terms=terms,
        query=query,
        everything=address(Selection(query=query, sort="relevance")),
    )


@page("/questions/<slug>")
def question(session: Session, slug: str) -> ResponseReturnValue:
    """Show a question, or what became of it."""
    try:
        found = reading.find_question(session, slug)
    except NotFound:
        meant = finding.meant_by(session, slug)
        return render_template("public/question_not_found.html", suggestions=meant), 404
    if isinstance(found, Moved):
        return redirect(url_for("public.question", slug=found.slug), 301)
    if isinstance(found, Withdrawn):
        return render_template("public/question_withdrawn.html", question=found), 410
    rendered, changes = found.rendered, question_changes(session, found.uid, limit=1)
    cited_as = permalink("public.question", slug=found.slug)
    first = visible_text(rendered.answers[rendered.short or 0].html)
    times = [
        ("article:published_time", w3c(facts_of(found).published_at)),
        ("article:modified_time", w3c(found.updated_at)),
        *(("article:tag", tag) for tag in found.tags),
    ]
    describe(
        first or plain_inline(found.stem),
        canonical=cited_as,
        kind="article",
        times=times,
        alternates=[
            Alternate(url_for("public.question_json", slug=found.slug), "application/json"),
            Alternate(url_for("public.question_markdown", slug=found.slug), "text/markdown"),
        ],
        data=question_data(found),
    )
    return render_template(
        "public/question.html",
        question=found,
        rendered=rendered,
        errata=errata_by_answer(rendered),
        changed=changes[0] if changes else None,
        way=neighbours.way_through(
            session,
            found.id,
            found.release,
            deck=request.args.get("deck"),
            tag=request.args.get("tag"),
            tags=found.tags,
        ),
        related=related(session, found.id, found.stem, found.tags, RELATED),
        permalink=cited_as,
    )


@page("/questions/<slug>/history")
def question_history(session: Session, slug: str) -> ResponseReturnValue:
    """List the releases below `before` that changed a question, the newest first."""
    found = reading.find_question(session, slug)
    if isinstance(found, Moved):
        return redirect(url_for("public.question_history", slug=found.slug), 301)
    if isinstance(found, Withdrawn):
        return render_template("public/question_withdrawn.html", question=found), 410
    before = asked_number("before", "the number of a release")
    changes = question_changes(session, found.uid, before=before, limit=CHANGES + 1)
    return render_template(
        "public/question_history.html",
        question=found,
        changes=changes[:CHANGES],
        corrections={each.number: each for each in found.rendered.corrections},
        newest=before is None,
        older=changes[CHANGES - 1].release if len(changes) > CHANGES else None,
    )


@page("/questions/<slug>.json")
def question_json(session: Session, slug: str) -> ResponseReturnValue:
    """Return a question as data: the Item that exports hold."""
    return _data(session, slug, "public.question_json", "application/json", str)


@page("/questions/<slug>.md")
def question_markdown(session: Session, slug: str) -> ResponseReturnValue:
    """Return a question as Markdown: the file that exports hold."""
    return _data(session, slug, "public.question_markdown", "text/markdown", _markdown)


def _data(
    session: Session, slug: str, endpoint: str, media_type: str, content: Callable[[str], str]
) -> ResponseReturnValue:
    """Return what `content` makes of a question's document, or lead to where it is now."""
    found = reading.find_question(session, slug)
    if isinstance(found, Moved):
        return redirect(url_for(endpoint, slug=found.slug), 301)
    if isinstance(found, Withdrawn):
        raise Gone("This question was withdrawn.")
    response = Response(content(found.document), mimetype=media_type)
    page_address = permalink("public.question", slug=found.slug)
    response.headers["Link"] = f'<{page_address}>; rel="canonical"'
    return response


def _markdown(document: str) -> str:
    """Return the file of a question. It will stand alone, so its images are the site's."""
    item = msgspec.json.decode(document, type=Item)
    return question_text(item, item.slug, images_place())


def _canonical(selection: Selection, unknown: list[str]) -> str | None:
    """Return the one address of a list; None of a search, a filter or a later page.

    In another order it is the same list, and that of one tag is the tag's page.
    """
    if selection.query or selection.difficulty or unknown or request.args.get("after"):
        return None
    if not selection.tags:
        return permalink("public.questions")
    return permalink("public.tag", path=selection.tags[0]) if len(selection.tags) == 1 else None


def address(selection: Selection, after: str | None = None) -> str:
    """Return the address of a list; what is default is left out."""
    return url_for(
        "public.questions",
        q=selection.query or None,
        tag=list(selection.tags) or None,
        difficulty=selection.difficulty,
        sort=None if selection.sort == _default_sort(selection.query) else selection.sort,
        after=after,
    )


def _narrowed(selection: Selection) -> dict[str, Any]:
    """Return what an export's address has to say to mean the same questions."""
    said = {
        "q": selection.query,
        "tag": list(selection.tags),
        "difficulty": selection.difficulty,
    }
    return {name: value for name, value in said.items() if value}


def _chips(selection: Selection) -> Iterator[tuple[str, str]]:
    """Yield each filter in effect, with the address of the list without it."""
    if selection.query:
        sort: Sort = "recent" if selection.sort == "relevance" else selection.sort
        yield f"“{selection.query}”", address(replace(selection, query="", sort=sort))
    for tag in selection.tags:
        others = tuple(each for each in selection.tags if each != tag)
        yield tag, address(replace(selection, tags=others))
    if selection.difficulty:
        yield selection.difficulty, address(replace(selection, difficulty=None))


def _selection() -> Selection:
    """Read the selection from the address.

    :raises InvalidInput: when a filter has a value that does not exist
    """
    query = asked_query()
    sort = request.args.get("sort") or _default_sort(query)
    if sort not in SORTS:
        raise InvalidInput(
            f"There is no order “{sort[:40]}”. Choose {', '.join(SORTS)}.", field="sort"
        )
    return Selection(
        query=query,
        tags=asked_tags(),
        difficulty=asked_difficulty(),
        sort=sort,
    )


def _default_sort(query: str) -> Sort:
    return "relevance" if query else "recent"
