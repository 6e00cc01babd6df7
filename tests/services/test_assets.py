"""Images of the bank: taken in, shown by what is public, kept by history, gone when unused."""

from __future__ import annotations

import base64
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cms.errors import InvalidInput, NotAllowed, NotFound, NotPublishable, WrongState
from cms.formats import FORMATS
from cms.formats.assets import asset_item
from cms.formats.incoming import Upload
from cms.models import Asset, AuditEvent, Publication, PublicationAsset, Question
from cms.services import assets, autosaves, publishing, purging, questions
from cms.services.draftexports import export_drafts
from cms.services.exporting import Head, Selection, export_shelf
from cms.services.imports.import_undo import undo_import
from cms.services.imports.importing import apply, plan_file
from cms.vocabulary import Role
from tests.conftest import add_user
from tests.factories import (
    AT,
    content,
    empty,
    make_asset,
    make_published,
    make_question,
    publication_of,
)
from tests.formats.pictures import DRAWING, picture_of

PNG = picture_of()
LATER = AT + assets.UNUSED_KEPT + timedelta(hours=1)


def showing(asset: Asset, words: str = "A red box") -> str:
    return f"Look: ![{words}](asset:{asset.name})"


def names(session: Session) -> list[str]:
    return list(session.scalars(select(Asset.name).order_by(Asset.id)))


def test_an_upload_is_kept_once_with_its_size_and_an_event(session: Session) -> None:
    by = add_user(session, "Conrad", Role.contributor)
    first = assets.upload(session, PNG, alt=" A  blue box ", by=by, at=AT)
    again = assets.upload(session, PNG, alt="Other words", by=None, at=AT)
    assert again is first
    assert (first.alt, first.media_type, first.size) == ("A blue box", "image/png", len(PNG))
    assert (first.width, first.height, first.uploaded_by) == (12, 8, by)
    [event] = session.scalars(select(AuditEvent).filter_by(action="asset.upload"))
    assert event.object == f"asset:{first.name}"
    assert event.actor_id == by.id


def test_what_is_no_image_is_refused(session: Session) -> None:
    with pytest.raises(InvalidInput, match="PNG, JPEG, GIF, WebP and SVG are"):
        assets.upload(session, b"%PDF", by=None, at=AT)
    with pytest.raises(InvalidInput, match="at most 500 characters"):
        assets.upload(session, PNG, alt="x" * 501, by=None, at=AT)


def test_a_published_question_shows_its_images_with_their_sizes(session: Session) -> None:
    asset = make_asset(session)
    question = make_published(session, body=showing(asset))
    publication = publication_of(session, question)
    assert publication is not None
    image = (
        f'<img src=\\"/assets/{asset.name}\\" alt=\\"A red box\\" width=\\"40\\" height=\\"20\\" '
        'loading=\\"lazy\\" decoding=\\"async\\">'
    )
    assert image in publication.html
    assert "A red box" in publication.summary
    assert "red box" in publication.search_text
    assert asset.name[:20] not in publication.search_text
    assert assets.find_asset(session, asset.name, public=True).data == DRAWING


def test_only_what_is_shown_in_public_is_public(session: Session) -> None:
    asset = make_asset(session)
    question = make_question(session, body=showing(asset))
    with pytest.raises(NotFound):
        assets.find_asset(session, asset.name, public=True)
    assert assets.find_asset(session, asset.name, public=False) is asset
    publishing.publish(session, [question], by=None, at=AT)
    assert assets.find_asset(session, asset.name, public=True)
    changed = content(question.stem, "No image.")
    questions.save(session, question, changed, seen_version=1, by=None, at=AT)
    publishing.publish(session, [question], by=None, at=AT)
    with pytest.raises(NotFound):
        assets.find_asset(session, asset.name, public=True)


def test_what_was_retired_shows_nothing_any_more(session: Session) -> None:
    asset = make_asset(session)
    question = make_published(session, body=showing(asset))
    publishing.retire(session, [question], by=None, at=AT)
    assert list(session.scalars(select(PublicationAsset))) == []


@pytest.mark.parametrize(
    ("alt", "words", "said"),
    [
        ("", "", [assets.UNDESCRIBED]),
        ("", " ", [assets.UNDESCRIBED]),
        ("A box", "", []),
        ("", "A box", []),
    ],
)
def test_an_image_without_words_keeps_a_question_from_going_public(
    session: Session, alt: str, words: str, said: list[str]
) -> None:
    asset = make_asset(session, alt=alt)
    question = make_question(session, body=showing(asset, words))
    assert publishing.blockers(session, question) == said


def test_an_unknown_image_keeps_a_question_from_going_public(session: Session) -> None:
    body = f"![A box](asset:{'0' * 64}.png) and `![](asset:{'1' * 64}.png)`"
    question = make_question(session, context=f"![x](asset:{'2' * 64}.gif)", body=body)
    assert publishing.blockers(session, question) == [
        "The image ‘2222222222222222…’ is not in the bank. Upload it, or take it out of the text.",
        "The image ‘0000000000000000…’ is not in the bank. Upload it, or take it out of the text.",
    ]
    with pytest.raises(NotPublishable):
        publishing.publish_seen(session, question, number=1, by=None, at=AT)
    changed = content(question.stem, "No image.")
    questions.save(session, question, changed, seen_version=1, by=None, at=AT)
    assert publishing.blockers(session, question) == []
    assert len(publishing.blockers(session, question, 1)) == 2


def test_an_image_that_history_shows_cannot_be_deleted(session: Session) -> None:
    asset = make_asset(session)
    question = make_question(session, body=showing(asset))
    changed = content(question.stem, "No image.")
    questions.save(session, question, changed, seen_version=1, by=None, at=AT)
    with pytest.raises(WrongState, match="or its history, still shows this image"):
        assets.remove(session, asset, by=None, at=AT)
    assert [each.id for each in assets.users_of(session, [asset.name])[asset.name]] == [question.id]


def test_an_editor_deletes_an_unused_image(session: Session) -> None:
    contributor, editor = (add_user(session, n, r) for n, r in WHO)
    asset = make_asset(session)
    with pytest.raises(NotAllowed):
        assets.remove(session, asset, by=contributor, at=AT)
    assets.remove(session, asset, by=editor, at=AT)
    assert names(session) == []
    assert session.scalar(select(AuditEvent.actor_id).filter_by(action="asset.delete")) == editor.id


WHO = (("Conrad", Role.contributor), ("Edith", Role.editor))


def test_unused_images_go_after_some_days_and_used_ones_stay(session: Session) -> None:
    used = make_asset(session)
    make_asset(session, PNG)
    question = make_question(session, body=showing(used))
    session.commit()
    assert assets.sweep(session, at=AT) == 0
    assert not assets.has_unused(session, at=AT + timedelta(days=1))
    assert assets.sweep(session, at=LATER) == 1
    assert names(session) == [used.name]
    # A draft that is deleted leaves its images for as long again.
    questions.delete_draft(session, question, by=None, at=LATER)
    assert assets.sweep(session, at=LATER) == 0
    assert assets.sweep(session, at=LATER + assets.UNUSED_KEPT) == 0
    assert assets.sweep(session, at=LATER + assets.UNUSED_KEPT + timedelta(seconds=1)) == 1


def test_an_image_that_somebody_is_writing_about_waits(session: Session) -> None:
    editor = add_user(session, "Edith", Role.editor)
    asset = make_asset(session)
    assets.sweep(session, at=AT)
    form = "01920000-0000-7000-8000-000000000001"
    autosaves.keep(
        session,
        editor,
        None,
        form_id=form,
        version=0,
        fields=[("context", showing(asset))],
        at=AT,
    )
    assert assets.sweep(session, at=LATER) == 0
    with pytest.raises(WrongState):
        assets.remove(session, asset, by=editor, at=LATER)
    autosaves.drop(session, editor, form)
    assert assets.sweep(session, at=LATER + assets.UNUSED_KEPT * 2) == 1


def test_a_purge_takes_the_images_that_nothing_else_shows(session: Session) -> None:
    own, shared = make_asset(session, alt="Secret words"), make_asset(session, PNG)
    question = make_published(session, body=showing(own) + showing(shared))
    make_published(session, "Another?", body=showing(shared))
    gone, kept = own.name, shared.name
    purging.purge(session, question, reason="A wish.", by=None, at=AT)
    assert names(session) == [kept]
    about = select(AuditEvent.data).filter_by(action="asset.upload", object=f"asset:{gone}")
    assert "Secret" not in str(session.scalars(about).one())


@pytest.mark.parametrize("format", ["json", "jsonl", "markdown"])
@pytest.mark.parametrize("export", [export_shelf, export_drafts])
def test_images_travel_from_bank_to_bank(session: Session, format: str, export: object) -> None:
    asset = make_asset(session, alt="A box")
    kept, unused = asset.name, make_asset(session, PNG).name
    make_published(session, body=showing(asset, ""))
    stream = export(session, FORMATS[format], Selection(), Head("A bank"))  # type: ignore[operator]
    upload = Upload("bank", b"".join(stream.chunks))
    assert unused not in str(upload.data)
    empty(session)
    plan = plan_file(session, upload, FORMATS[format])
    batch = apply(session, plan, upload, FORMATS[format], by=None, at=AT).batch
    assert plan.notes == []
    assert names(session) == [kept]
    found = assets.asset_of(session, kept)
    assert found == asset_item(DRAWING, "A box")
    publishing.publish(session, list(session.scalars(select(Question))), by=None, at=AT)
    assert kept in session.scalars(select(Publication.html)).one()
    assert batch is not None


def test_an_image_of_a_file_is_held_to_what_an_upload_is(session: Session) -> None:
    item = asset_item(PNG)
    body = f"![A box](asset:{item.name}) ![Other](asset:{'0' * 64}.svg)"
    make_question(session, body=body)
    export = export_drafts(session, FORMATS["jsonl"], Selection(), Head("A bank"))
    line = b"".join(export.chunks)
    script = base64.b64encode(b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>").decode()
    line += f'{{"asset":"{"0" * 64}.svg","data":"{script}"}}\n'.encode()
    line += f'{{"asset":"{item.name}","data":"{base64.b64encode(PNG).decode()}"}}\n'.encode()
    empty(session)
    upload = Upload("bank.jsonl", line)
    plan = plan_file(session, upload, FORMATS["jsonl"])
    batch = apply(session, plan, upload, FORMATS["jsonl"], by=None, at=AT).batch
    assert names(session) == [item.name]
    assert plan.notes == [
        f"The image {'0' * 64}.svg was left out, its words stay. Its name is not that of its "
        "bytes. Export it again, or upload it at the desk."
    ]
    assert batch is not None
    undo_import(session, batch, by=None, at=AT)
    assert names(session) == [item.name]
    assets.sweep(session, at=AT)
    assert assets.sweep(session, at=LATER) == 1
