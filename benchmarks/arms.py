"""What groups of the corpus' ingredients are worth, what shapes of the network, and what windows.

    python benchmarks/arms.py corpus OUT PAGES REGIONS [--steps 1200] [--seeds 0 1]
    python benchmarks/arms.py network OUT PAGES REGIONS
    python benchmarks/arms.py windows SCANS REGIONS --only BWN18 RCB    # or PAGES --only YM127

Short trainings from nothing, scored on pages and regions of real scans that were labelled by hand.
corpus: on drawn logs alone, each training without a group of ingredients. network: on the training
split of PAGES and as many drawn logs, each training with another network. windows: the bundled
weights, with statistics from windows or from whole scans.
PAGES is made by data/pages/pages.py, of which the validation split is scored; REGIONS is another
labelled data set. What is done stays done: the same command goes on, and prints the table.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from wellseg.evaluate import score_files
from wellseg.rows.segment import segment
from wellseg.scores import F1, FALSE
from wellseg.training.data_folder import list_logs
from wellseg.weights import load_model, read_header

PACKAGE = Path(__file__).parents[1] / "wellseg"
LABELS = PACKAGE.parent / "data" / "pages"
PAGE_CONTEXT = 650  # rows that a page of the validation or test split has above and below
NOT = '"0%"'
WITHOUT = {
    "nothing": [],
    "notes over the log": [
        (r'^(paper|render|drilling|"mud log"|geosteering|stray) = \{.*\bname = .*\}$', r"\1 = {}")
    ],
    "columns of rock, images, intervals, text": [
        (r"^(paper|render) = \{api.*\}$", r'\1 = {api = 4, "api wide" = 4, single = 1, four = 1}'),
        (r"^layouts = \{.*\}$", 'layouts = "render"'),
    ],
    "straight curves, steps along rows, fills": [
        (r'^(still|at_border|collars|along_rows|filled) = "\d+%"', rf"\1 = {NOT}")
    ],
    "dashes and dots": [
        (r"^(paper|render) = \{solid.*\}$", r"\1 = {solid = 1}"),
        (r"^styles = \{.*\}$", "styles = {solid = 1}"),
        (r'^(coarse_points|faint) = "\d+%"', rf"\1 = {NOT}"),
    ],
    "wear, blots, specks, bends": [
        (r"^(wear|grain) = \[.*\]$", r"\1 = 0.0"),
        (r'^blotted = "40%"', f"blotted = {NOT}"),
        (r"^broken = \{.*\}", "broken = 0.0"),
        (r"^deg = \[.*\]", "deg = 0.0"),
        (r"^wander_px = \{.*\}", "wander_px = 0"),
        (r"^splices = .*$", "splices = 0.0"),
        (r"^ink = \{1 = .*\}", "ink = 1"),
    ],
}
"""Edits of recipe.toml, line by line."""

RELEASE = 32, 64, 128, 192, 256, 256
NETWORKS: dict[str, dict[str, object]] = {
    "the bundled weights'": {},
    "GroupNorm": {"norm": "group"},
    "one stage less": {"widths": RELEASE[:-1]},
    "one stage more": {"widths": (*RELEASE, 256)},
    "half as wide": {"widths": tuple(width // 2 for width in RELEASE)},
    "without colours": {"colour": False},
    "twice as wide": {"widths": tuple(width * 2 for width in RELEASE)},
}
"""What differs in the network."""


def copy_without(edits: list[tuple[str, str]], folder: Path) -> None:
    """The package, its corpus without what the edits take out."""
    if folder.exists():
        return
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.copytree(PACKAGE, part / "wellseg", ignore=shutil.ignore_patterns("__pycache__"))
    recipe = part / "wellseg" / "corpus" / "recipe.toml"
    text = recipe.read_text("utf-8")
    for pattern, instead in edits:
        text, count = re.subn(pattern, instead, text, flags=re.MULTILINE)
        if not count:
            raise SystemExit(f"recipe.toml has no {pattern}")
    recipe.write_text(text, "utf-8")
    part.rename(folder)


def run(package: Path, *words: object) -> None:
    """A command of the copy, run in its folder: Python looks there before PYTHONPATH."""
    words = tuple(w.resolve() if isinstance(w, Path) else w for w in words)
    environment = os.environ | {"PYTHONPATH": str(package.resolve())}
    command = [sys.executable, "-m", "wellseg", *map(str, words)]
    subprocess.run(command, cwd=package, env=environment, check=True, stdout=subprocess.DEVNULL)


def scores(table: Path) -> dict[str, float]:
    """Mean F1@3px of 1-bit and of colour logs; false px a row of logs without curves."""
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kinds = {"1-bit": ("1-bit", "bilevel"), "colour": ("colour",)}
    f1 = {k: [float(r["f1_at_3px"]) for r in rows if r["kind"] in of and r["f1_at_3px"]]
          for k, of in kinds.items()}  # fmt: skip
    false = [float(r["false_centreline_px_per_row"]) for r in rows if not r["f1_at_3px"]]
    return {kind: fmean(of) for kind, of in f1.items()} | ({"false": fmean(false)} if false else {})


def slug(name: str) -> str:
    return re.sub(r"\W+", "-", name).strip("-")


Arm = tuple[str, Path, str, dict[str, object]]


def corpus_arms(options: argparse.Namespace) -> Iterator[Arm]:
    """Name, package, where the training goes, its options."""
    for name, edits in WITHOUT.items():
        package = options.out / slug(name)
        copy_without(edits, package)
        yield name, package, ".", {"data.val_count": 2}


def network_arms(options: argparse.Namespace) -> Iterator[Arm]:
    package = options.out / "package"
    copy_without([], package)
    for name, network in NETWORKS.items():
        words = {f"model.{option}": value for option, value in network.items()}
        data = {"data.root": options.pages, "data.drawn_share": 0.5, "model.widths": RELEASE}
        yield name, package, slug(str(network)), data | words


def as_words(options: dict[str, object]) -> Iterator[object]:
    for name, value in options.items():
        yield f"--{name}"
        yield list(value) if isinstance(value, tuple) else value


def trainings(options: argparse.Namespace) -> None:
    shared: dict[str, object] = {
        "data.preset": "train", "data.crop_rows": 512,
        "model.colour": True, "model.norm": "instance",
        "optim.lr": 2e-3, "keep": "last", "steps": options.steps, "val_every": options.steps,
    }  # fmt: skip
    arms = corpus_arms if options.arms == "corpus" else network_arms
    print("| arm | pages, 1-bit | pages, colour | regions, 1-bit | regions, colour | false |")
    print("|---|---|---|---|---|---|")
    for name, package, where, training in arms(options):
        found = []
        for seed, data in product(options.seeds, (options.pages, options.regions)):
            trained = package / where / f"seed-{seed}"
            weights, table = trained / "model.safetensors", trained / data.name
            if (
                not weights.exists()
                or read_header(weights)["training"]["kept_step"] < options.steps
            ):
                words = as_words(shared | training | {"seed": seed, "out": trained})
                run(package, "train", *words, "--resume", "true")
            if not (table / "scores.csv").exists():
                split = ["--split", "val"] if data == options.pages else []
                run(package, "evaluate", data, *split, "--weights", weights, "--out", table)
            found.append(scores(table / "scores.csv"))
        pages, regions = found[::2], found[1::2]
        means = [fmean(one[kind] for one in of) for of in (pages, regions) for kind in found[0]
                 if kind != "false"]  # fmt: skip
        means.append(fmean(one["false"] for one in regions))
        print(f"| {name} | {' | '.join(f'{mean:.3f}' for mean in means)} |", flush=True)


def windows(options: argparse.Namespace) -> None:
    """Regions of tall scans, masked within their whole scans: F1@3px, or false px a row."""
    model = load_model()

    @lru_cache(2)  # a scan may have several regions
    def masked(scan: Path, window_rows: int | None) -> NDArray[np.bool_]:
        return np.asarray(segment(model, scan, window_rows=window_rows)) > 0.5

    print("| region of | windows of 2,000 rows | whole scan |\n|---|---|---|")
    for log in list_logs(options.regions):
        page = LABELS / f"{log.name}.json"
        around = PAGE_CONTEXT if page.exists() else 0
        label = page if page.exists() else log.label
        about = json.loads(label.read_text("utf-8")) if label else {}
        if not any(log.name.startswith(name) for name in options.only) or "scan" not in about:
            continue
        cells = []
        for window_rows in (None, 0):
            start, stop = about["rows"]
            whole = masked(options.scans / about["scan"], window_rows)
            scores, _ = score_files(log, whole[max(0, start - around) : stop + around])
            of = scores.by_name
            cells.append(f"{of[F1]:.3f}" if F1 in of else f"{of[FALSE]:.2f} false px a row")
        print(f"| {log.name} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    kinds = parser.add_subparsers(dest="arms", required=True)
    for kind in ("corpus", "network"):
        one = kinds.add_parser(kind)
        for name in ("out", "pages", "regions"):
            one.add_argument(name, type=Path)
        one.add_argument("--steps", type=int, default=1200)
        one.add_argument("--seeds", type=int, nargs="+", default=[0])
    one = kinds.add_parser("windows")
    for name in ("scans", "regions"):
        one.add_argument(name, type=Path)
    one.add_argument("--only", nargs="+", required=True, help="how names of regions begin")
    options = parser.parse_args()
    (windows if options.arms == "windows" else trainings)(options)


if __name__ == "__main__":
    main()
