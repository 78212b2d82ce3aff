"""One self-contained file from the template, the numbers and the network."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SCRIPTS = (
    "network.js",
    "charts.js",
    "engine.js",
    "strip.js",
    "figures.js",
    "others.js",
    "live.js",
    "page.js",
)


def build(data: dict[str, Any]) -> str:
    """The page. data: `numbers.numbers`, with `live.live` or None under "live"."""
    # In a script element only "</" can end it.
    block = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    script = "\n".join((HERE / name).read_text("utf-8") for name in SCRIPTS)
    parts = {
        "/*PREREGISTRATION*/": html.escape((HERE.parent / "PREREGISTRATION.md").read_text("utf-8")),
        "/*STYLE*/": (HERE / "page.css").read_text("utf-8"),
        "/*DATA*/": block.replace("</", "<\\/"),
        "/*NETWORK*/": (HERE / "network.js").read_text("utf-8"),
        "/*SCRIPT*/": script,
    }
    page = (HERE / "page.html").read_text("utf-8")
    for mark, text in parts.items():
        before, after = page.split(mark, 1)
        page = before + text + after
    return page


def block_of(page: Path) -> dict[str, Any]:
    """The data that a page was built from."""
    _, after = page.read_text("utf-8").split('<script type="application/json" id="data">', 1)
    found: dict[str, Any] = json.loads(after.split("</script>", 1)[0])
    return found
