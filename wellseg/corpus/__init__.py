"""Seeded synthetic logs with exact masks: the training set.

``draw_log(seed, index, preset)`` is a pure function: the same bytes in any process. Realism is the
accuracy of everything trained on it; benchmarks/realism compares it with real scans.
"""

from __future__ import annotations

from .page import Log, draw_log, kind_of
from .recipe import PRESETS, Preset

__all__ = ["PRESETS", "Log", "Preset", "draw_log", "kind_of"]
