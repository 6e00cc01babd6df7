"""Freezing: the whole public site as static files, made by asking the site for every page.

Nothing here knows a template or a view. The site is asked as a browser asks it, through its WSGI
callable, with two keys in the environment that only this process can set: `FROZEN` says that the
answer is to stand in a file, so that pages leave out what needs a server, and `SNAPSHOT` is the
connection whose one transaction all answers are read in.
"""

FROZEN = "cms.frozen"
SNAPSHOT = "cms.snapshot"
