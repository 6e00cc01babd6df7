"""Bulk operations over a generated bank that is all published; each step in its own process."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

STEPS = {
    "add a tag": ("add_tag", {"tag": "topic/new"}),
    "undo it": (None, {}),
    "difficulty": ("difficulty", {"difficulty": "hard"}),
    "review date": ("review_by", {"review_by": "2027-01-31"}),
    "retire": ("retire", {}),
    "undo this": (None, {}),
}


def run(step: str, folder: Path) -> None:
    """Do one step of the benchmark and print what it took."""
    from datetime import UTC, datetime

    import flask_migrate
    from exchange import peak_memory
    from sqlalchemy import select

    from cms import create_app
    from cms.extensions import db
    from cms.formats import FORMATS
    from cms.formats.incoming import Upload
    from cms.models import BulkOperation, Question
    from cms.services.imports.importing import apply, plan_file
    from cms.services.operations import bulk
    from cms.services.operations.undoing import undo_bulk
    from cms.services.publishing import publish

    app = create_app({"DATABASE_URL": f"sqlite:///{folder / 'bank.db'}"})
    at = datetime.now(UTC)
    with app.app_context():
        session = db.session()
        start, busy = time.perf_counter(), time.process_time()
        if step == "set up":
            flask_migrate.upgrade()
            upload = Upload("bank.json", (folder / "bank.json").read_bytes())
            plan = plan_file(session, upload, FORMATS["json"])
            apply(session, plan, upload, FORMATS["json"], by=None, at=at)
            publish(session, session.scalars(select(Question)).all(), by=None, at=at)
        else:
            verb, arguments = STEPS[step]
            if verb is None:
                newest = select(BulkOperation).order_by(BulkOperation.id.desc()).limit(1)
                undo_bulk(session, session.scalars(newest).one(), by=None, at=at)
            else:
                ids = session.scalars(select(Question.id)).all()
                operation = bulk.begin(session, verb, ids, arguments, by=None, at=at)
                bulk.perform(session, operation, at=at)
        session.commit()
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
    print(seconds, busy, peak_memory())


def main(count: int) -> None:
    from generated import bank

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bank.json").write_bytes(bank(count))
        print(f"{count:,} published questions")
        for step in ("set up", *STEPS):
            child = subprocess.run(
                [sys.executable, __file__, step, str(folder)],
                capture_output=True,
                text=True,
                check=True,
            )
            seconds, busy, peak = child.stdout.split()
            print(
                f"{step:14} {float(seconds):8.2f} s {float(busy):8.2f} s of processor time"
                f" {int(peak) / 1024:8.0f} MB",
                flush=True,
            )


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run(sys.argv[1], Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else 10_000)
