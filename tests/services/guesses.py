"""A process that guesses a password whenever it is told to: `guesses.py DATABASE NAME ADDRESS`.

Each line of its input is a time; it answers with the seconds to wait, 0 for a guess that counted.
"""

from __future__ import annotations

import sys
from datetime import datetime

from sqlalchemy import create_engine
from sqlalchemy.orm import Session

from cms.errors import TooManyAttempts
from cms.models.engine import configure_engine, engine_options
from cms.services import logins


def main(database: str, name: str, address: str) -> None:
    engine = create_engine(database, **engine_options(database))
    configure_engine(engine)
    for line in sys.stdin:
        at = datetime.fromisoformat(line.strip())
        with Session(engine) as session:
            try:
                logins.open_attempt(session, name, address, at=at)
                session.commit()
                wait = 0
            except TooManyAttempts as error:
                wait = error.wait
        sys.stdout.write(f"{wait}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
