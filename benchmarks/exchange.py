"""Import, publish and export a generated bank; each step in a process of its own."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]


def measured(step: str, folder: Path) -> float:
    """Run one step and print its seconds and its peak memory."""
    child = subprocess.run(
        [sys.executable, __file__, step, str(folder)], capture_output=True, text=True, check=True
    )
    seconds, busy, peak = child.stdout.split()
    print(
        f"{step:14} {float(seconds):8.2f} s {float(busy):8.2f} s of processor time"
        f" {int(peak) / 1024:8.0f} MB",
        flush=True,
    )
    return float(busy)


def run(step: str, folder: Path) -> None:
    """Do one step of the benchmark and print what it took."""
    from datetime import UTC, datetime

    import flask_migrate
    from sqlalchemy import select

    from cms import create_app
    from cms.extensions import db
    from cms.formats import FORMATS
    from cms.formats.incoming import Upload
    from cms.models import Question
    from cms.services.exporting import Head, Selection, export_shelf
    from cms.services.imports.importing import apply, plan_file
    from cms.services.publishing import publish

    app = create_app({"DATABASE_URL": f"sqlite:///{folder / 'bank.db'}"})
    at = datetime.now(UTC)
    with app.app_context():
        if step == "import":
            flask_migrate.upgrade()
        start, busy = time.perf_counter(), time.process_time()
        if step in {"import", "import again"}:
            upload = Upload("bank.json", (folder / "bank.json").read_bytes())
            plan = plan_file(db.session, upload, FORMATS["json"])
            apply(db.session, plan, upload, FORMATS["json"], by=None, at=at)
            db.session.commit()
        elif step == "publish":
            questions = db.session.scalars(select(Question)).all()
            publish(db.session, questions, by=None, at=at)
            db.session.commit()
        elif step.startswith("read "):
            name = step.removeprefix("read ")
            read = FORMATS[name].read
            assert read is not None
            upload = Upload(f"out.{name}", (folder / f"out.{name}").read_bytes())
            assert all(row.item for row in read(upload).rows)
        else:
            stream = export_shelf(db.session, FORMATS[step], Selection(), Head("Generated"))
            with (folder / f"out.{step}").open("wb") as file:
                file.writelines(stream.chunks)
        seconds, busy = time.perf_counter() - start, time.process_time() - busy
    print(seconds, busy, peak_memory())


def peak_memory() -> int:
    """Return this process's peak resident memory in kB (Linux); exec sets it back to nothing."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0])


def raw(folder: Path) -> float:
    """Return the processor time of inserting the questions by `executemany`, with full text."""
    import json

    from cms.models.engine import sqlite

    questions = json.loads((folder / "bank.json").read_bytes())["questions"]
    connection = sqlite.connect(folder / "raw.db", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(
        """CREATE TABLE q (id INTEGER PRIMARY KEY, uid UNIQUE, slug UNIQUE, stem, search_text);
        CREATE TABLE a (id INTEGER PRIMARY KEY, uid UNIQUE, question_id, body);
        CREATE INDEX a_question ON a (question_id);
        CREATE TABLE r (id INTEGER PRIMARY KEY, question_id, number, content);
        CREATE INDEX r_question ON r (question_id, number);
        CREATE VIRTUAL TABLE f USING fts5(search_text, content='q', content_rowid='id');
        CREATE TRIGGER t AFTER INSERT ON q BEGIN
        INSERT INTO f(rowid, search_text) VALUES (new.id, new.search_text); END;"""
    )
    start = time.process_time()
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany(
        "INSERT INTO q VALUES (?, ?, ?, ?, ?)",
        [
            (n, q["uid"], q["slug"], q["stem"], q["stem"] + q["answers"][0]["body"])
            for n, q in enumerate(questions)
        ],
    )
    connection.executemany(
        "INSERT INTO a (uid, question_id, body) VALUES (?, ?, ?)",
        [(a["uid"], n, a["body"]) for n, q in enumerate(questions) for a in q["answers"]],
    )
    connection.executemany(
        "INSERT INTO r (question_id, number, content) VALUES (?, 1, ?)",
        [(n, json.dumps(q)) for n, q in enumerate(questions)],
    )
    connection.execute("COMMIT")
    return time.process_time() - start


def main(count: int) -> None:
    from generated import bank

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bank.json").write_bytes(bank(count))
        print(f"{count:,} questions, {(folder / 'bank.json').stat().st_size / 1e6:.1f} MB of JSON")
        seconds = measured("import", folder)
        rate = f"{count / seconds:,.0f} questions a second of processor time"
        print(f"{'':14} {rate}, {raw(folder) / seconds:.2f} x raw")
        for step in ("import again", "publish"):
            measured(step, folder)
        for name in ("json", "jsonl", "csv", "markdown", "apkg", "gift", "moodle.xml", "qti.zip"):
            measured(name, folder)
            measured(f"read {name}", folder)


if __name__ == "__main__":
    if len(sys.argv) == 3:
        run(sys.argv[1], Path(sys.argv[2]))
    else:
        main(int(sys.argv[1]) if len(sys.argv) == 2 else 10_000)
