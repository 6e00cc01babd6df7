"""The verbs of the bank. Session, actor and time are passed in; they flush and never commit.

`by` is the acting User, or None for the command line, which may do everything.
"""
