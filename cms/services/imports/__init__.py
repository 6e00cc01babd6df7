"""Imports: what a file says, compared with the bank, decided on, written, undone."""
