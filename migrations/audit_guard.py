"""The audit is append-only, and the database itself sees to that.

No event is ever deleted. All that can be changed of one is its `data`, and only
into the mark that a purge leaves there: `{"purged": true}`. A batch rebuild of
the table on SQLite drops the triggers silently: call `create` afterwards.
"""

from alembic import op

REFUSAL = "the audit is append-only"
_KEPT = ("id", "at", "actor_id", "action", "object")


def create() -> None:
    """Close the table to every change but the mark of a purge."""
    if op.get_bind().dialect.name == "sqlite":
        same = " AND ".join(f"new.{column} IS old.{column}" for column in _KEPT)
        marked = "json(new.data) = json('{\"purged\": true}')"
        for event, condition in (
            ("update", f" WHEN NOT ({same} AND {marked})"),
            ("delete", ""),
        ):
            op.execute(
                f"CREATE TRIGGER audit_event_no_{event} BEFORE {event.upper()} ON audit_event"
                f"{condition} BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        return
    op.execute(
        "CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
    )
    same = " AND ".join(f"NEW.{column} IS NOT DISTINCT FROM OLD.{column}" for column in _KEPT)
    marked = "NEW.data::jsonb = '{\"purged\": true}'::jsonb"
    op.execute(
        "CREATE TRIGGER audit_event_no_update BEFORE UPDATE ON audit_event FOR EACH ROW"
        f" WHEN (NOT ({same} AND {marked})) EXECUTE FUNCTION refuse_audit_change()"
    )
    op.execute(
        "CREATE TRIGGER audit_event_no_delete BEFORE DELETE ON audit_event FOR EACH ROW"
        " EXECUTE FUNCTION refuse_audit_change()"
    )


def drop() -> None:
    """Open the table again."""
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for event in ("update", "delete"):
        table = "" if on_sqlite else " ON audit_event"
        op.execute(f"DROP TRIGGER audit_event_no_{event}{table}")
    if not on_sqlite:
        op.execute("DROP FUNCTION refuse_audit_change()")
