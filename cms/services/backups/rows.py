"""Rows between banks, table by table, as SQLite keeps them: numbers, texts, bytes.

Times are texts in UTC, JSON is its text, truth is 0 or 1. PostgreSQL reads all of
that by COPY, so that a row goes from one bank to the other as it is, and never more
than some of them are in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

Row = Sequence[Any]

_AT_ONCE = 100
"""Rows that PostgreSQL sends at once; where rows hold files, a single one."""
# How PostgreSQL says a column as SQLite keeps it, by the type that SQLite has for it.
_AS_KEPT = {
    "DATETIME": "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    "DATE": "to_char({}, 'YYYY-MM-DD')",
    "JSON": "CAST({} AS text)",
    "BOOLEAN": "CAST({} AS integer)",
}


def quoted(name: str) -> str:
    """Return the name of a table or a column as SQL takes it."""
    return '"{}"'.format(name.replace('"', '""'))


def tables_of(connection: Connection) -> list[str]:
    """Return the tables of an SQLite bank; what its full-text indexes are made of is none."""
    rows = connection.exec_driver_sql(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        " AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    )
    return [name for (name,) in rows]


def columns_of(connection: Connection, table: str) -> dict[str, str]:
    """Return the columns of an SQLite table with their types."""
    rows = connection.exec_driver_sql(f"PRAGMA table_info({quoted(table)})")
    return {row[1]: row[2] for row in rows}


def read_sqlite(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    instead: Mapping[str, str] | None = None,
) -> Iterator[Row]:
    """Yield the rows of a table; `instead` names what to select for some of the columns."""
    instead = instead or {}
    selected = ", ".join(instead.get(name, quoted(name)) for name in columns)
    statement = f"SELECT {selected} FROM {quoted(table)} ORDER BY rowid"  # noqa: S608
    yield from _driver(connection).execute(statement)


def read_postgresql(
    connection: Connection, table: str, columns: Mapping[str, str]
) -> Iterator[Row]:
    """Yield the rows of a table as SQLite would keep them; `columns` have its types."""
    selected = ", ".join(
        _AS_KEPT.get(kind, "{}").format(quoted(name)) for name, kind in columns.items()
    )
    first = quoted(next(iter(columns)))
    at_once = 1 if "BLOB" in columns.values() else _AT_ONCE
    statement = f"SELECT {selected} FROM {quoted(table)} ORDER BY {first}"  # noqa: S608
    rows = connection.exec_driver_sql(statement, execution_options={"yield_per": at_once})
    yield from map(tuple, rows)


def put(connection: Connection, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write rows into a table of either database."""
    names = ", ".join(map(quoted, columns))
    driver = _driver(connection)
    if connection.dialect.name == "sqlite":
        marks = ", ".join("?" * len(columns))
        driver.executemany(f"INSERT INTO {quoted(table)} ({names}) VALUES ({marks})", rows)  # noqa: S608
        return
    with driver.cursor() as cursor, cursor.copy(f"COPY {quoted(table)} ({names}) FROM STDIN") as to:
        for row in rows:
            to.write_row(row)


def clear(connection: Connection, table: str) -> None:
    """Delete every row of a table. TRUNCATE would empty it for those who began to read before."""
    connection.exec_driver_sql(f"DELETE FROM {quoted(table)}")  # noqa: S608


@contextmanager
def without_triggers(connection: Connection) -> Iterator[None]:
    """Let rows be replaced as they are, then put guards and full-text indexes back.

    On PostgreSQL that is the audit's guard alone; what else it keeps is no trigger of ours.
    """
    if connection.dialect.name != "sqlite":
        connection.exec_driver_sql("ALTER TABLE audit_event DISABLE TRIGGER USER")
        yield
        connection.exec_driver_sql("ALTER TABLE audit_event ENABLE TRIGGER USER")
        return
    triggers = connection.exec_driver_sql(
        "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'"
    ).all()
    for name, _ in triggers:
        connection.exec_driver_sql(f"DROP TRIGGER {quoted(name)}")
    yield
    indexes = connection.exec_driver_sql(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'virtual'"
    ).scalars()
    for name in map(quoted, indexes.all()):
        connection.exec_driver_sql(f"INSERT INTO {name} ({name}) VALUES ('rebuild')")  # noqa: S608
    for _, statement in triggers:
        connection.exec_driver_sql(statement)


# --- the numbers that rows are given -------------------------------------------------


def numbers_of(connection: Connection) -> dict[str, int]:
    """Return the highest id that each table ever gave, where its database remembers it."""
    if connection.dialect.name == "sqlite":
        return dict(connection.exec_driver_sql("SELECT name, seq FROM sqlite_sequence").all())
    given = {}
    for table, sequence in _sequences(connection):
        statement = f"SELECT last_value FROM {sequence} WHERE is_called"  # noqa: S608
        number = connection.exec_driver_sql(statement).scalar()
        if number is not None:
            given[table] = number
    return given


def go_on_from(connection: Connection, given: Mapping[str, int]) -> None:
    """See to it that no table gives an id that it has, ever gave, or that is among `given`.

    What a table gave is known although its rows are gone: deleting them does not reset it.
    """
    highest = numbers_of(connection)
    for table, number in given.items():
        highest[table] = max(number, highest.get(table, 0))
    if connection.dialect.name == "sqlite":
        for table in tables_of(connection):
            if table in highest and _never_reuses(connection, table):
                values = (table, highest[table])
                connection.exec_driver_sql("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
                connection.exec_driver_sql("INSERT INTO sqlite_sequence VALUES (?, ?)", values)
        return
    for table, sequence in _sequences(connection):
        newest = connection.exec_driver_sql(f"SELECT max(id) FROM {quoted(table)}").scalar()  # noqa: S608
        number = max(newest or 0, highest.get(table, 0))
        if number:
            connection.exec_driver_sql(f"SELECT setval('{sequence}', {number})")


def _never_reuses(connection: Connection, table: str) -> bool:
    statement = connection.exec_driver_sql(
        "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?", (table,)
    ).scalar()
    return "AUTOINCREMENT" in str(statement).upper()


def _sequences(connection: Connection) -> list[tuple[str, str]]:
    """Return the tables of PostgreSQL that give ids, each with its sequence."""
    rows = connection.exec_driver_sql(
        "SELECT table_name, pg_get_serial_sequence(quote_ident(table_name), 'id')"
        " FROM information_schema.columns"
        " WHERE table_schema = current_schema() AND column_name = 'id'"
    )
    return [(table, sequence) for table, sequence in rows if sequence is not None]


def _driver(connection: Connection) -> Any:
    return connection.connection.driver_connection
