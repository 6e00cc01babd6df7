"""The question bank CMS: `create_app` is the way in.

Importing this package imports nothing else of it: a command, a process that renders, a
check of the settings pay for what they use alone.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flask import Flask


def create_app(config: Mapping[str, Any] | None = None) -> Flask:
    """Return the application: settings, databases, accounts, the desk, the public site.

    `config` overrides settings by name (`DATABASE_URL`, `SECRET_KEY` …).

    :raises Misconfigured: when a setting cannot work
    """
    app: Flask = imported("cms.composition").compose(config)
    return app


def imported(name: str) -> ModuleType:
    """Import the module called `name`, with all that it stands on, and return it.

    What is imported stays: to look for garbage in it again and again takes a third of a start.
    """
    if name in sys.modules or not gc.isenabled():
        return import_module(name)
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.freeze()
        gc.enable()
