"""The model card of weights, from their header: what they are, learnt from, and how well they do.

    wellseg card                                            # of the bundled weights
    wellseg card --weights runs/a/model.safetensors         # of your own
    wellseg card --weights a.safetensors --scores runs/evaluate/scores.csv --out b.safetensors

The last form keeps the scores in the header: what ``wellseg.evaluate`` left in scores.csv, averaged
for each kind of log. Exit status: 0 done, 2 wrong usage.
"""

import csv
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wellseg.cli import program
from wellseg.scores import F1, HEADINGS, Row
from wellseg.weights import BUNDLED, load_model, read_header, save_weights, weights_path


@dataclass
class CardConfig:
    """The model card of weights."""

    weights: str | None = None
    """A bundled name or a .safetensors file. Default: the bundled weights."""
    scores: Path | None = None
    """Keep these in the header: the scores.csv of wellseg evaluate."""
    out: Path | None = None
    """Write the weights with these scores in their header: a .safetensors file."""

    def __post_init__(self) -> None:
        if bool(self.scores) != bool(self.out):
            raise ValueError("--scores and --out go together: what to keep, and in which file")


def average(path: Path) -> dict[str, dict[str, float]]:
    """Means of ``evaluate``'s scores.csv: {"bilevel": {"logs": 15, "f1_at_3px": ..},
    "bilevel without curves": {"logs": 4, ..}}. Raises ValueError for another table, and OSError."""
    from wellseg.scores.tables import summarise

    kinds: dict[str, list[Row]] = defaultdict(list)
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                scores = {name: float(row[name]) for name in HEADINGS if row[name]}
                kinds[row["kind"] + " without curves" * (F1 not in scores)].append(scores)
    except (KeyError, ValueError) as error:
        raise ValueError(f"{path}: not the scores.csv of wellseg.evaluate ({error!r})") from None
    return {
        kind: {"logs": len(rows)}
        | {name: round(it, 4) for name, it in summarise(rows)["mean"].items()}
        for kind, rows in sorted(kinds.items())
    }


def card(name: str, header: dict[str, Any]) -> str:
    """The model card, Markdown, from nothing but the header."""
    from jinja2 import Template

    text = (BUNDLED / "card.md.jinja").read_text("utf-8")
    template = Template(text, trim_blocks=True, keep_trailing_newline=True)
    return str(template.render(name=name, headings=HEADINGS, **header))


def show(config: CardConfig) -> None:
    """Print the card of weights, and write them with scores in their header."""
    path = weights_path(config.weights)
    header = read_header(path)
    if config.scores and config.out:
        header["scores"] = average(config.scores)
        save_weights(config.out, load_model(path), header)
        path = config.out
    print(card(path.stem, header), end="")


main = program(show, CardConfig, "card", __doc__)
