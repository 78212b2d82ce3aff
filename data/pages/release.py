"""The bundled weights from nothing: pages labelled by hand, changed copies of them, and drawn logs.

    python data/pages/release.py SCANS OUT [--regions DATA] [--steps N]    # make release SCANS=folder

1. The pages of data/pages are cut from SCANS, and copies of those to train on are made (copies.py).
2. Two networks are trained from nothing, one for black and gray, one for colours, each on the pages
   and copies of its kind and on logs drawn by `wellseg.corpus`.
3. The threshold is calibrated on the validation split: the last layer's bias is shifted so that 0.5
   gives the fewest clear errors there, of each of the two networks on what it sees. By F1
   alone the threshold is too low on paper: grid lines beside spikes come in, few pixels each.
4. The test split is scored, and a labelled data set of other logs with --regions; the scores go
   into the header of OUT/release.safetensors, and the model card is OUT/release.md.

Pages and copies are made once, and a training goes on where it was stopped: start the same command
again.
"""

from __future__ import annotations

import argparse
import csv
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import copies
import numpy as np
import pages
import torch
from jinja2 import Template

from wellseg.evaluate import score_files
from wellseg.rows.segment import segment
from wellseg.scan.reader import open_scan
from wellseg.scores import F1, HEADINGS
from wellseg.scores.tables import summarise
from wellseg.training.data_folder import list_logs
from wellseg.weights import load_model, read_header, save_weights

CONFIG = Path(__file__).parents[2] / "configs" / "release.yaml"
MEDIA, DRAWN = {"1-bit": "bilevel", "colour": "colour"}, 0.4
LIMITS = (  # of the weights that were looked at last
    "Ultrasonic and bond images are marked in part; bundles of caliper or sensor traces are found, "
    "one of them from the next where ink parts them.",
    "A collar locator's base line and gas at rest that lie on a track's border are missed as often "
    "as found.",
    "Grid lines that are worn to dashes, and the black of blotched photocopies, are marked here "
    "and there.",
    "Leader lines, labels and repeated scale captions within tracks are marked in part.",
    "Dense tadpoles of dipmeters, and hatching of what is off the scale, are marked in part.",
    "Headers: folded edges of paper, hand-drawn lines, some marker writing, and lettering of single "
    "strokes that stands on its side are marked.",
)
THRESHOLDS = (0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)


def is_made(data: Path) -> bool:
    """Its split.csv is written last; `pages.build` begins with an empty one."""
    return (data / "split.csv").exists() and (data / "split.csv").stat().st_size > 0


def check_splits(data: Path) -> None:
    """That there are pages for each step: what is missing would be told after hours of training."""
    with (data / "split.csv").open(newline="", encoding="utf-8") as file:
        there = {(row["split"], row["kind"]) for row in csv.DictReader(file)}
    needed = [(split, kind) for kind in MEDIA for split in ("train", "val")]
    missing = [f"{kind} {split}" for split, kind in needed if (split, kind) not in there]
    missing += ["test"] * ("test" not in dict(there))
    if missing:
        sys.exit(f"{data}: no page of {', of '.join(missing)}; it takes more of the scans")


def run(command: str, *words: object) -> None:
    print(">", "wellseg", command, *words, flush=True)
    done = subprocess.run([sys.executable, "-m", "wellseg", command, *map(str, words)])
    if done.returncode:
        sys.exit(done.returncode)  # below 0: killed by a signal


def calibrate(weights: Path, data: Path, out: Path) -> dict[str, float]:
    """Copy the weights with the biases at which 0.5 gives the fewest clear errors on the validation
    split; returns the thresholds that did, of logs seen in their colours and of others."""
    model = load_model(str(weights))
    heads = {"ink": model.head, "colour": model.of_colour.head} if model.channels > 1 else {}
    logs = list_logs(data, "val")
    found: dict[str, dict[float, list[tuple[float, float]]]] = {}
    for log in logs:
        with open_scan(log.image, colour=True) as scan:
            seen = "colour" if heads and scan.kind == "colour" else "ink"
        here = found.setdefault(seen, {threshold: [] for threshold in THRESHOLDS})
        probability = np.asarray(segment(model, log.image))
        for threshold in THRESHOLDS:
            scores, _ = score_files(log, probability > threshold)
            here[threshold].append((scores.clear_errors, -scores.f1_at_3px))
    best = {}
    for seen, here in found.items():
        means = {threshold: np.mean(of, axis=0).tolist() for threshold, of in here.items()}
        print(f"clear errors and F1 of {seen} by threshold:")
        print(*(f"  {it}: {errors:.2f}, {-f1:.4f}" for it, (errors, f1) in means.items()))
        best[seen] = min(THRESHOLDS, key=means.__getitem__)
    with torch.no_grad():
        for seen, threshold in best.items():
            heads.get(seen, model.head).bias -= math.log(threshold / (1 - threshold))
    save_weights(out, model, read_header(weights))
    return best


def put_together(ends: dict[str, Path], out: Path) -> None:
    """One file of the weights for black and gray of one training, and those for colours of another."""
    states = {kind: load_model(str(path)).state_dict() for kind, path in ends.items()}
    model, header = load_model(str(ends["colour"])), read_header(ends["1-bit"])
    kinds = {
        name: "colour" if name.startswith("of_colour.") else "1-bit" for name in states["1-bit"]
    }
    model.load_state_dict({name: states[kind][name] for name, kind in kinds.items()})
    header["training"] = {kind: read_header(path)["training"] for kind, path in ends.items()}
    save_weights(out, model, header)


def average(title: str, table: Path) -> dict[str, dict[str, float]]:
    """Means of evaluate's scores.csv: {"pages, 1-bit": {"logs": 15, "f1_at_3px": ..},
    "pages, 1-bit without curves": {"logs": 4, ..}}."""
    kinds: dict[str, list[dict[str, float]]] = {}
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            scores = {name: float(row[name]) for name in HEADINGS if row[name]}
            kind = f"{title}, {row['kind'].replace('bilevel', '1-bit')}"
            kinds.setdefault(kind + " without curves" * (F1 not in scores), []).append(scores)
    return {
        kind: {"logs": len(rows)}
        | {name: round(it, 4) for name, it in summarise(rows)["mean"].items()}
        for kind, rows in sorted(kinds.items())
    }


def keep_scores(weights: Path, tables: dict[str, Path], out: Path) -> None:
    """Copy the weights with the means of these scores.csv, by title, and their limits in the
    header, and leave the model card beside them."""
    header = {"limits": LIMITS} | read_header(weights) | {"scores": {}}
    for title, table in tables.items():
        header["scores"] |= average(title, table)
    save_weights(out, load_model(weights), header)
    out.with_suffix(".md").write_text(card(out.stem, read_header(out)), "utf-8")


def card(name: str, header: dict[str, Any]) -> str:
    """The model card as Markdown. name: of the weights. header: what `read_header` returns."""
    text = Path(__file__).with_name("card.md.jinja").read_text("utf-8")
    template = Template(text, trim_blocks=True, keep_trailing_newline=True)
    return template.render(name=name, headings=HEADINGS, **header)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("scans", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--regions", type=Path, help="a labelled data set that is scored, too")
    parser.add_argument("--steps", type=int, help="of the training, for a try")
    options = parser.parse_args()
    out: Path = options.out
    data, both, weights = out / "pages", out / "both.safetensors", out / "calibrated.safetensors"
    short = ["--steps", options.steps, "--val_every", options.steps] if options.steps else []
    if not is_made(data):
        pages.build(options.scans, data)
    check_splits(data)
    if not is_made(out / "copies" / "colour"):
        copies.make(data, out / "copies", [*copies.KINDS])
    for kind, medium in MEDIA.items():
        own = ["--data.root", out / "copies" / kind, "--data.drawn_share", DRAWN, *short]
        own += ["--data.medium", medium, "--out", out / f"training_{kind}"]
        run("train", "--config", CONFIG, *own, "--resume")
    put_together({kind: out / f"training_{kind}" / "model.safetensors" for kind in MEDIA}, both)
    print("thresholds:", calibrate(both, data, weights))
    tables = {"pages": out / "scores" / "scores.csv"}
    run("evaluate", data, "--split", "test", "--weights", weights, "--out", out / "scores")
    if options.regions:
        tables["regions"] = out / "regions" / "scores.csv"
        run("evaluate", options.regions, "--weights", weights, "--out", out / "regions")
    keep_scores(weights, tables, out / "release.safetensors")


if __name__ == "__main__":
    main()
