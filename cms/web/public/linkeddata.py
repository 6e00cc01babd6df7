"""Public pages as linked data: nodes of the schema.org vocabulary (release 30.0).

A question page is a Quiz of one flashcard, or of one multiple-choice question:
the forms that the vocabulary and search engines have for a question whose
answers are the site's own. A QAPage
would say that readers answer, an FAQPage that the questions are about the site.
Addresses are permalinks: relative ones, where the site's own is not set, are
resolved against the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from flask import current_app

from cms.formats import Format
from cms.formats.item import ProvenanceItem, SourceItem
from cms.markup import plain_inline
from cms.services.listing import Listed
from cms.services.publicdecks import PublicDeck
from cms.services.reading import Bank, Counts, Erratum, PublicQuestion, PublicTag
from cms.services.rendered import RenderedAnswer, RenderedCorrection, RenderedOption
from cms.web.public.addresses import permalink
from cms.web.public.plaintext import shortened, visible_text

Node = dict[str, Any]

# Characters of an answer's text: a longer one would weigh more than its page.
TEXT_LIMIT = 5_000


class Facts(msgspec.Struct):
    """What a question's document says besides its text."""

    uid: str
    revision: int
    published_at: datetime
    provenance: ProvenanceItem | None = None


def facts_of(question: PublicQuestion) -> Facts:
    """Read the facts out of a question's document."""
    return msgspec.json.decode(question.document, type=Facts)


def w3c(at: datetime) -> str:
    """Return a time as linked data, feeds and sitemaps have it, in whole seconds."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


# --- the pages -------------------------------------------------------------------


def home_data(bank: Bank, description: str) -> list[Node]:
    """Describe the site, and how it is searched."""
    search = f"{permalink('public.questions')}?q={{search_term_string}}"
    site = _site() | {
        "description": description,
        "inLanguage": "en",
        "potentialAction": {
            "@type": "SearchAction",
            "target": {"@type": "EntryPoint", "urlTemplate": search},
            "query-input": "required name=search_term_string",
        },
    }
    return [site | _modified(bank)]


def question_data(question: PublicQuestion) -> list[Node]:
    """Describe a question, its answers and its errata, and its place under its first tag."""
    facts = facts_of(question)
    address = permalink("public.question", slug=question.slug)
    name = plain_inline(question.stem)
    rendered = question.rendered
    terms = [_term(tag) for tag in question.tags]
    others = [
        _answer(each, f"{address}#answer-{position}")
        for position, each in enumerate(rendered.answers, start=1)
    ]
    accepted = others.pop(rendered.short or 0)
    level: Node = {"educationalLevel": str(question.difficulty)} if question.difficulty else {}
    card: Node = {
        "@type": "Question",
        "@id": f"{address}#question",
        "url": address,
        "name": name,
        "text": "\n".join(filter(None, [name, visible_text(rendered.context)])),
        "eduQuestionType": "Flashcard",
        "identifier": f"urn:uuid:{facts.uid}",
        "version": facts.revision,
        "datePublished": w3c(facts.published_at),
        "dateModified": w3c(question.updated_at),
        "isPartOf": _site(),
        "answerCount": len(rendered.answers),
        "acceptedAnswer": accepted,
        **level,
    }
    if others:
        card["suggestedAnswer"] = others
    if terms:
        card["keywords"] = terms
    if rendered.corrections:
        card["correction"] = [_correction(each) for each in rendered.corrections]
    if rendered.options:
        card |= _multiple_choice(rendered.options, accepted, f"{address}#options")
    card |= _origin(facts.provenance)
    quiz = {"@type": "Quiz", "@id": f"{address}#card", "name": name, "url": address, **level}
    if terms:
        quiz["about"] = [{"@type": each["@type"], "@id": each["@id"]} for each in terms]
    path = question.tags[0] if question.tags else ""
    return [quiz | {"hasPart": [card]}, _crumbs([*_tag_path(path), (name, address)])]


def tag_data(tag: PublicTag, questions: Sequence[Listed]) -> list[Node]:
    """Describe a tag, and the page of its questions that is shown."""
    address = permalink("public.tag", path=tag.slug)
    items = [
        {"@type": "ListItem", "position": position, "url": url, "name": name}
        for position, (name, url) in enumerate(_named(questions), start=1)
    ]
    page: Node = {
        "@type": "CollectionPage",
        "@id": address,
        "url": address,
        "name": tag.name or tag.slug,
        "about": _term(tag.slug, tag.name),
        "isPartOf": _site(),
        "mainEntity": {
            "@type": "ItemList",
            "numberOfItems": tag.questions,
            "itemListElement": items,
        },
    }
    if tag.description:
        page["description"] = plain_inline(tag.description)
    return [page, _crumbs(_tag_path(tag.slug))]


def deck_data(deck: PublicDeck, questions: Sequence[Listed]) -> list[Node]:
    """Describe a deck, and the questions of it that are shown."""
    address = permalink("public.deck", slug=deck.slug)
    quiz: Node = {
        "@type": "Quiz",
        "@id": f"{address}#deck",
        "url": address,
        "name": deck.title,
        "dateModified": w3c(deck.changed_at),
        "isPartOf": _site(),
        "hasPart": [
            {"@type": "Question", "@id": f"{url}#question", "url": url, "name": name}
            for name, url in _named(questions)
        ],
    }
    if description := visible_text(deck.html):
        quiz["description"] = shortened(description, TEXT_LIMIT)
    return [quiz, _crumbs([("Decks", permalink("public.decks")), (deck.title, address)])]


def correction_data(erratum: Erratum) -> list[Node]:
    """Describe one correction, and the question that it is about."""
    node = _correction(erratum.correction)
    if erratum.slug:
        question = permalink("public.question", slug=erratum.slug)
        node["parentItem"] = {
            "@type": "Question",
            "@id": f"{question}#question",
            "url": question,
            "name": plain_inline(erratum.stem),
        }
    crumbs = [("Corrections", permalink("public.corrections")), (node["name"], node["url"])]
    return [node, _crumbs(crumbs)]


def export_data(bank: Bank, counts: Counts, formats: Iterable[Format]) -> list[Node]:
    """Describe the bank as a data set, with a download for each format."""
    name = current_app.config["SITE_NAME"]
    downloads = [
        {
            "@type": "DataDownload",
            "name": each.title,
            "encodingFormat": each.media_type,
            "contentUrl": permalink("public.export_bank", extension=each.extension),
        }
        for each in formats
    ]
    data = {
        "@type": "Dataset",
        "@id": f"{permalink('public.exports')}#bank",
        "url": permalink("public.exports"),
        "name": name,
        "description": f"All {counts.questions:,} questions of {name} with their answers, sources, "
        f"tags and corrections, as of release {bank.release}.",
        "version": bank.release,
        "isAccessibleForFree": True,
        "isPartOf": _site(),
        "distribution": downloads,
    }
    return [data | _modified(bank)]


# --- their parts -----------------------------------------------------------------


def _site() -> Node:
    home = permalink("public.home")
    return {
        "@type": "WebSite",
        "@id": f"{home}#site",
        "url": home,
        "name": current_app.config["SITE_NAME"],
    }


def _modified(bank: Bank) -> Node:
    return {} if bank.released_at is None else {"dateModified": w3c(bank.released_at)}


def _answer(answer: RenderedAnswer, address: str) -> Node:
    node: Node = {
        "@type": "Answer",
        "url": address,
        "text": shortened(visible_text(answer.html), TEXT_LIMIT),
    }
    if answer.label:
        node["name"] = answer.label
    return node | _citations(answer.sources)


def _multiple_choice(options: Sequence[RenderedOption], model: Node, address: str) -> Node:
    """Describe what can be chosen; the model answer explains the first one that is right."""
    nodes: dict[bool, list[Node]] = {True: [], False: []}
    for position, option in enumerate(options, start=1):
        node: Node = {
            "@type": "Answer",
            "position": position,
            "url": address,
            "text": shortened(visible_text(option.text), TEXT_LIMIT),
        }
        if option.feedback:
            feedback = shortened(visible_text(option.feedback), TEXT_LIMIT)
            node["comment"] = {"@type": "Comment", "text": feedback}
        nodes[option.correct].append(node)
    if nodes[True]:
        nodes[True][0]["answerExplanation"] = model | {"@type": "Comment"}
    return {
        "eduQuestionType": "Multiple choice",
        "answerCount": len(options),
        "acceptedAnswer": nodes[True],
        "suggestedAnswer": nodes[False],
    }


def _correction(correction: RenderedCorrection) -> Node:
    address = permalink("public.correction", number=correction.number)
    parts = (
        ("Was claimed", correction.claim),
        ("In fact", correction.explanation),
        ("Fixed", correction.fix),
    )
    node: Node = {
        "@type": "CorrectionComment",
        "@id": address,
        "url": address,
        "name": f"Correction {correction.number}",
        "text": shortened(
            "\n".join(f"{words}: {visible_text(html)}" for words, html in parts if html), TEXT_LIMIT
        ),
        "keywords": str(correction.kind),
    }
    if correction.decided_at:
        node["datePublished"] = w3c(correction.decided_at)
    if correction.credit:
        node["creditText"] = correction.credit
    return node | _citations(correction.sources)


def _citations(sources: Iterable[SourceItem]) -> Node:
    cited = [
        {"@type": "CreativeWork", "name": each.title or each.url, "url": each.url}
        for each in sources
    ]
    return {"citation": cited} if cited else {}


def _origin(provenance: ProvenanceItem | None) -> Node:
    """Describe where a question came from, and the licence that it is under for that."""
    if provenance is None:
        return {}
    work: Node = {"@type": "CreativeWork", "name": provenance.source}
    if provenance.url:
        work["url"] = provenance.url
    if provenance.attribution:
        work["creditText"] = provenance.attribution
    if not provenance.license:
        return {"isBasedOn": work}
    named = {"@type": "CreativeWork", "name": provenance.license}
    of_web = provenance.license.startswith(("https://", "http://"))
    license = provenance.license if of_web else named
    return {"isBasedOn": work | {"license": license}, "license": license}


def _term(path: str, name: str = "") -> Node:
    address = permalink("public.tag", path=path)
    return {
        "@type": "DefinedTerm",
        "@id": f"{address}#tag",
        "name": name or path,
        "termCode": path,
        "url": address,
        "inDefinedTermSet": permalink("public.tags"),
    }


def _named(questions: Iterable[Listed]) -> Iterator[tuple[str, str]]:
    for each in questions:
        yield plain_inline(each.stem), permalink("public.question", slug=each.slug)


def _tag_path(path: str) -> list[tuple[str, str]]:
    """Return the name and address of each page on the way to a tag, or to all questions."""
    if not path:
        return [("Questions", permalink("public.questions"))]
    parts = path.split("/")
    above = ["/".join(parts[:depth]) for depth in range(1, len(parts) + 1)]
    return [
        ("Tags", permalink("public.tags")),
        *((each.rpartition("/")[2], permalink("public.tag", path=each)) for each in above),
    ]


def _crumbs(path: Iterable[tuple[str, str]]) -> Node:
    return {
        "@type": "BreadcrumbList",
        "itemListElement": [
            {
                "@type": "ListItem",
                "position": position,
                "name": name,
                "item": {"@type": "WebPage", "@id": address, "name": name},
            }
            for position, (name, address) in enumerate(path, start=1)
        ],
    }
