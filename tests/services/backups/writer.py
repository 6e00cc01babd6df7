"""A process that saves and publishes until its input ends: `writer.py NAME`."""

from __future__ import annotations

import select
import sys
from datetime import UTC, datetime

from sqlalchemy.orm import Session

from cms import create_app
from cms.extensions import db
from cms.services.publishing import publish
from cms.services.questions import create
from tests.factories import content


def main(name: str) -> None:
    app, written = create_app(), 0
    with app.app_context():
        while not select.select([sys.stdin], [], [], 0)[0]:
            with Session(db.engine) as session, session.begin():
                at = datetime.now(UTC)
                item = content(f"Question {written} of {name}?")
                question = create(session, item, by=None, at=at)
                publish(session, [question], by=None, at=at)
            written += 1
            if written == 1:
                sys.stdout.write("writing\n")
                sys.stdout.flush()
    sys.stdout.write(f"{written}\n")


if __name__ == "__main__":
    main(sys.argv[1])
