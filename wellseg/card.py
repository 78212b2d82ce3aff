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
from statistics import mean
from typing import Any

from wellseg.cli import run
from wellseg.net.options import at_least
from wellseg.scores import F1, FALSE, HEADINGS, SHARES

WITHOUT = " without curves"
Scores = dict[str, dict[str, float]]


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
            raise ValueError(
                "--scores, --limits and --window_rows go into a header: say with --out where to"
                " write the weights"
            )


def summarise(path: Path) -> Scores:
    """Means of ``evaluate``'s scores.csv for each kind of log, with and without curves.

    Returns {"bilevel": {"logs": 15, "f1_at_3px": ..}, "bilevel without curves": {"logs": 4, ..}}.
    Raises ValueError where the file is no such table.
    """
    kinds: dict[str, list[dict[str, str]]] = defaultdict(list)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row["split"]:  # below the logs stand their means
                    kinds[row["kind"] + ("" if row[F1] else WITHOUT)].append(row)
        return {
            kind: {
                "logs": len(rows),
                **{
                    name: round(mean(float(row[name]) for row in rows), 4)
                    for name in ((FALSE,) if kind.endswith(WITHOUT) else (*SHARES, FALSE))
                },
            }
            for kind, rows in sorted(kinds.items())
        }
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"{path}: not the scores.csv of wellseg.evaluate ({error!r})") from None


def card(name: str, header: dict[str, Any]) -> str:
    """The model card, Markdown, from nothing but the header."""
    from jinja2 import Environment, FileSystemLoader

    from wellseg.weights import BUNDLED

    scores: Scores = header.get("scores", {})
    tables = []
    for title, without in (("mean over labelled logs", False), ("logs without curves", True)):
        chosen = {kind: of for kind, of in scores.items() if kind.endswith(WITHOUT) == without}
        shown = [name for name in HEADINGS if all(name in of for of in chosen.values())]
        rows = [[kind, of["logs"], *(f"{of[n]:.3f}" for n in shown)] for kind, of in chosen.items()]
        if rows:
            tables.append(([title, "logs", *(HEADINGS[name] for name in shown)], rows))
    files = Environment(
        loader=FileSystemLoader(BUNDLED), trim_blocks=True, keep_trailing_newline=True
    )
    return files.get_template("card.md.jinja").render(name=name, tables=tables, **header)


def show(config: CardConfig) -> None:
    """Print the card of weights, and write them with what is new in their header."""
    from wellseg.weights import change_header, read_header, weights_path

    path = weights_path(config.weights)
    header = read_header(path)
    if config.scores:
        header["scores"] = summarise(config.scores)
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
