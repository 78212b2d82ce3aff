"""The page of a folder: every scan with its picture, what became of it, and the way to its view."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from wellseg.results.page import fill, link
from wellseg.scan.files import is_url, join, write_whole

INDEX, OTHER = "index.html", "index of scans.html"
"""The page's name, and the one where a scan is called index and has its view there."""


def write_index(out: str, rows: list[dict[str, str]]) -> None:
    """Write ``out``/index.html (or OTHER), whole or not at all; out is a folder's path or its URL (s3://...).

    rows: one for each scan, as in summary.csv: scan (its path below the folder that was given), status
        ("done", "failed", or "waiting": not reached), rows, columns, seconds, ink_share, reason. A value
        that is not known is an empty string. A scan's results lie at the same path below ``out``.
    Raises OSError if the page cannot be written.
    """
    entries = [_entry(out, row) for row in rows]
    name = out.rstrip("/").rpartition("/")[2] if is_url(out) else Path(out).resolve().name
    page = fill("index.html", name or "Scans", {"scans": entries})
    taken = any(Path(row["scan"]).with_suffix(".html") == Path(INDEX) for row in rows)
    write_whole(join(out, OTHER if taken else INDEX), page)


def _entry(out: str, row: dict[str, str]) -> dict[str, Any]:
    scan = Path(row["scan"])
    stem = (Path(scan.name) if scan.is_absolute() else scan).with_suffix("")
    view, thumb = (
        stem.with_name(f"{stem.name}.html"),
        stem.with_name(f"{stem.name}.view") / "thumb.jpg",
    )
    # A half-written or missing view has no page: the page is written last. That of a failed scan is an old one.
    shown = row["status"] == "done" and _is_there(out, view)
    return {
        "scan": row["scan"],
        "status": row["status"],
        "rows": _number(row.get("rows")),
        "columns": _number(row.get("columns")),
        "seconds": _number(row.get("seconds")),
        "ink": _number(row.get("ink_share")),
        "reason": row.get("reason") or "",
        "view": link(view.as_posix()) if shown else None,
        "thumb": link(thumb.as_posix()) if shown and _is_there(out, thumb) else None,
    }


def _is_there(out: str, result: Path) -> bool:
    # Behind a URL nobody is asked, twice for each of 140,000 scans: a scan is done when its view was put there.
    return is_url(out) or Path(out, result).is_file()


def _number(text: str | None) -> float | None:
    with contextlib.suppress(ValueError, TypeError):
        return float(text)  # type: ignore[arg-type]
    return None
