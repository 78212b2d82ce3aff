"""The model card of weights, from their header: what they are, what they were trained on, how well
they do.

    wellseg card                                            # of the bundled weights
    wellseg card --weights runs/a/model.safetensors         # of your own
    wellseg card --weights a.safetensors --scores runs/evaluate/scores.csv --out b.safetensors

The last form keeps the scores in the header: what ``wellseg.evaluate`` left in scores.csv, averaged
for each kind of log. Exit status: 0 done, 2 wrong usage.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wellseg.cli import run
from wellseg.net.options import at_least
from wellseg.scores import F1, HEADINGS, Row

WITHOUT = " without curves"


@dataclass
class CardConfig:
    """The model card of weights."""

    weights: str | None = None
    """A bundled name or a .safetensors file. Default: the bundled weights."""
    scores: Path | None = None
    """Scores for the header: the scores.csv of wellseg.evaluate."""
    limits: Path | None = None
    """Limits for the header: a text file, one in a line."""
    window_rows: int | None = None
    """Rows of the windows that the norms' statistics are to come from, for the header: predict
    takes them by default."""
    out: Path | None = None
    """Write the weights with this header: a .safetensors file."""

    def __post_init__(self) -> None:
        at_least(0, window_rows=self.window_rows)
        if (self.scores or self.limits or self.window_rows is not None) and not self.out:
            raise ValueError("say with --out where to write the weights with this header")


def average(path: Path) -> dict[str, dict[str, float]]:
    """Means of ``evaluate``'s scores.csv: {"bilevel": {"logs": 15, "f1_at_3px": ..},
    "bilevel without curves": {"logs": 4, ..}}. Raises ValueError where it is no such table."""
    from wellseg.scores.tables import summarise

    kinds: dict[str, list[Row]] = defaultdict(list)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                scores = {name: float(row[name]) for name in HEADINGS if row[name]}
                kinds[row["kind"] + WITHOUT * (F1 not in scores)].append(scores)
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: not the scores.csv of wellseg.evaluate ({error!r})") from None
    means: dict[str, dict[str, float]] = {}
    for kind, rows in sorted(kinds.items()):
        scores = summarise(rows)["mean"]
        means[kind] = {"logs": len(rows)} | {name: round(it, 4) for name, it in scores.items()}
    return means


def card(name: str, header: dict[str, Any]) -> str:
    """The model card, Markdown, from nothing but the header."""
    from jinja2 import Environment, FileSystemLoader

    from wellseg.weights import BUNDLED

    files = FileSystemLoader(BUNDLED)
    templates = Environment(loader=files, trim_blocks=True, keep_trailing_newline=True)
    template = templates.get_template("card.md.jinja")
    return template.render(name=name, headings=HEADINGS, **header)


def show(config: CardConfig) -> None:
    """Print the card of weights, and write them with what is new in their header."""
    from wellseg.weights import change_header, read_header, weights_path

    path = weights_path(config.weights)
    header = read_header(path)
    if config.scores:
        header["scores"] = average(config.scores)
    if config.limits:
        header["limits"] = config.limits.read_text("utf-8").strip().splitlines()
    if config.window_rows is not None:
        header["window_rows"] = config.window_rows
    if config.out:
        change_header(path, header, config.out)
        path = config.out
    print(card(path.stem, header), end="")


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    run(show, CardConfig, "card", __doc__ or "", argv)


if __name__ == "__main__":
    main()
