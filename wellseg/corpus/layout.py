"""Which tracks a page has and where they stand."""

from __future__ import annotations

from .grid import Track
from .recipe import Paper, Rng, between, chance, pick

# Widths in inches. API paper: 2.5 | 0.75 | 2.5 | 2.5; older and foreign sheets vary around it.
LAYOUTS: dict[str, list[tuple[str, float]]] = {
    "api": [("curves", 2.5), ("depth", 0.7), ("curves", 2.5), ("curves", 2.5)],
    "api wide": [("curves", 2.5), ("depth", 0.75), ("curves", 5.0)],
    "single": [("depth", 0.7), ("curves", 5.5)],
    "depth left": [("depth", 0.6), ("curves", 3.0), ("curves", 3.0)],
    "bond": [("curves", 1.6), ("depth", 0.55), ("curves", 1.8), ("density", 2.0)],
    "dips": [("curves", 1.8), ("depth", 0.6), ("tadpoles", 3.2), ("empty", 0.6)],
    "mud": [("curves", 2.2), ("depth", 0.4), ("lithology", 0.6), ("text", 2.5), ("curves", 2.0)],
    "photos": [("curves", 1.8), ("depth", 0.5), ("lithology", 0.5), ("photo", 1.3), ("curves", 1.8),
               ("text", 1.8)],
    "four": [("curves", 1.6), ("depth", 0.5), ("curves", 1.6), ("curves", 1.6), ("curves", 1.6)],
}  # fmt: skip
DIVISIONS = {"4": 0.70, "2": 0.04, "8": 0.16, "5": 0.10}  # an inch; 4 on API paper
SCAN_LAYOUTS = {"api": 30, "api wide": 36, "single": 8, "depth left": 8, "bond": 6, "dips": 3,
                "mud": 3, "four": 4}  # fmt: skip
RENDER_LAYOUTS = {"api": 18, "api wide": 16, "single": 5, "depth left": 6, "bond": 12, "dips": 1,
                  "mud": 22, "photos": 14, "four": 8}  # fmt: skip


def draw_tracks(rng: Rng, paper: Paper, columns: int) -> list[Track]:
    """Tracks left to right; a page wider than the image is cut, a narrower one gets margins."""
    name = pick(rng, RENDER_LAYOUTS if paper.kind == "render" else SCAN_LAYOUTS)
    if paper.coarse and chance(rng, 0.4):
        name = "bond"
    zoom = between(rng, (0.85, 1.15))
    if paper.kind == "scan" and paper.dpi > 350 and chance(rng, 0.75):
        zoom *= 0.57  # measured: 400-dpi scans are of reduced copies, 57 px a column
    widths = [(k, w * paper.dpi * zoom * between(rng, (0.9, 1.1))) for k, w in LAYOUTS[name]]
    page = sum(w for _, w in widths)
    if paper.kind == "render" and page < 0.8 * columns:  # an export leaves little margin
        fill = min(1.7, columns * between(rng, (0.82, 1.0)) / page)
        widths = [(k, w * fill) for k, w in widths]
        page *= fill
    if page * 1.1 < columns:
        x = between(rng, (0.02, 0.98)) * (columns - page)
    else:
        # Keep a track in the window: half the time its left or right edge with some margin.
        x = -between(rng, (0, 1)) * (page - columns) + between(rng, (-0.05, 0.1)) * columns
        if chance(rng, 0.4):
            x = between(rng, (0.0, 0.15)) * columns
    joined = chance(rng, 0.75)  # tracks share their borders, or a strip of paper lies between
    tracks = []
    for kind, width in widths:
        if kind == "curves" and chance(rng, 0.16):
            kind = "empty"
        scale = "log" if kind in ("curves", "empty") and chance(rng, 0.25) else "linear"
        tracks.append(
            Track(
                x, x + width, kind, scale,
                decades=int(pick(rng, {"1": 0.2, "2": 0.35, "3": 0.25, "4": 0.2})),
                first=float(pick(rng, {"0.2": 0.5, "1": 0.4, "2": 0.1})),
                divisions=max(2, round(width / paper.dpi * float(pick(rng, DIVISIONS)))),
            )
        )  # fmt: skip
        x += width + (0 if joined else between(rng, (4, 20)))
    return tracks
