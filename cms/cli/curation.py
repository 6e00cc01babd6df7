"""`publish` and `retire`: what stands on the shelf."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime

import click
from sqlalchemy import select

from cms.cli.output import print_refused
from cms.errors import InvalidInput, NotFound
from cms.extensions import db
from cms.models import Question
from cms.services.publishing import publish, retire


@click.command("publish")
@click.argument("uids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All that differs from the shelf.")
@click.option("--force", is_flag=True, help="Acknowledge open import warnings (audited).")
def publish_command(uids: Sequence[str], everything: bool, force: bool) -> None:
    """Publish questions in one release; list what cannot be published (exit 1)."""
    if everything == bool(uids):
        raise InvalidInput("Name the questions by their uids, or say --all.")
    questions = _unpublished() if everything else _named(uids)
    result = publish(db.session(), questions, by=None, at=datetime.now(UTC), force=force)
    db.session.commit()
    if result.release is None:
        click.echo("Nothing to publish.")
    else:
        click.echo(f"Published {len(result.published)} questions as release {result.release}.")
    print_refused(result.refused)
    if result.refused:
        sys.exit(1)


@click.command("retire")
@click.argument("uids", nargs=-1, required=True)
@click.option("--reason", default="", help="What readers are told at the old address.")
def retire_command(uids: Sequence[str], reason: str) -> None:
    """Take published questions off the shelf, in one release."""
    release = retire(db.session(), _named(uids), by=None, at=datetime.now(UTC), reason=reason)
    db.session.commit()
    click.echo(f"Retired {len(uids)} questions as release {release}.")


def _unpublished() -> list[Question]:
    return list(
        db.session.scalars(
            select(Question)
            .where(
                Question.retired_at.is_(None),
                Question.merged_into_id.is_(None),
                Question.published_number.is_distinct_from(Question.latest_number),
            )
            .order_by(Question.id)
        )
    )


def _named(uids: Sequence[str]) -> list[Question]:
    found = {q.uid: q for q in db.session.scalars(select(Question).where(Question.uid.in_(uids)))}
    missing = [uid for uid in uids if uid not in found]
    if missing:
        raise NotFound(f"There is no question with the uid {', '.join(missing)}.")
    return [found[uid] for uid in dict.fromkeys(uids)]
