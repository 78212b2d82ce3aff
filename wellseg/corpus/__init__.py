"""Seeded synthetic logs with exact masks: the training set.

``draw_log(seed, index, preset)`` is a pure function: the same bytes in any process. What is drawn,
and how often, stands in recipe.toml; page -> grid, panels, notes, curves -> damage is the way of
one log. Opens no file but its recipe and typefaces."""

import hashlib
from pathlib import Path

from .page import Log, draw_log, kind_of
from .sheet import KINDS, PRESETS

__all__ = ["KINDS", "PRESETS", "Log", "draw_log", "fingerprint", "kind_of"]


def fingerprint() -> str:
    """Twelve hex digits that change with the code that draws: other code, another corpus."""
    here = Path(__file__).parent  # an editor or Finder leaves other files in it
    sources = sorted([*here.glob("*.py"), *here.glob("*.toml")])
    code = b"".join(source.read_bytes() for source in sources)
    return hashlib.sha1(code, usedforsecurity=False).hexdigest()[:12]
