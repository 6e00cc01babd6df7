"""Backups: a copy of the whole bank as one SQLite file, and a bank made of it again."""
