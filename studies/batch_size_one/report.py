"""report.html of a comparison: one self-contained page, drawn from the files in the study's folder."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from studies.batch_size_one import plots
from studies.batch_size_one.arms import ARMS, HEADLINE
from studies.batch_size_one.findings import (
    MODE_TITLES,
    SET_TITLES,
    Findings,
    Scored,
    answer,
    interval,
    with_minus,
)
from studies.batch_size_one.results import COLUMNS, KEY, LAYER_COLUMNS, LAYER_KEY, Table
from studies.batch_size_one.scores import EVALUATION, TRAINING
from studies.batch_size_one.statistics import verdict
from wellseg.scan.atomic import atomic_file

Cells = Sequence[str]


def write_report(out: Path) -> Path:
    """Draw report.html from results.csv, layers.csv, activations and strips in `out`; returns it.

    Beside it summary.md: the answer and the tables, to be read where no browser is.
    """
    results = Table(out / "results.csv", COLUMNS, KEY)
    layers = Table(out / "layers.csv", LAYER_COLUMNS, LAYER_KEY).rows
    findings = Findings(results.rows)
    if not findings.arms:
        raise ValueError(f"{out}: no results to report; run the comparison first")
    parts = {
        "ANSWER": "".join(f"<p>{escape(sentence)}</p>" for sentence in answer(findings)),
        "STUDY": _study(out, findings),
        "SCORES": _scores_tables(findings),
        "FOREST": "".join(plots.forest(findings, name) for name in findings.test_sets),
        "MODES": _modes_table(findings).html(),
        "TRAINING": "".join(plots.over_training(findings, name) for name in ("like", "renders")),
        "LONG": _long(findings).html(),
        "DIVERGENCE": _divergence(findings, layers),
        "LAYERS": _layers_table(layers, findings.arms).html(),
        "SENSITIVITY": _sensitivity_table(findings).html(),
        "COSTS": _costs_table(findings).html() or "<p>Not measured yet: that is done last.</p>",
        "STRIPS": _strips(out, findings),
        "ACTIVATIONS": _activations(out),
    }
    page = files("studies.batch_size_one").joinpath("compare.html").read_text(encoding="utf-8")
    for name, part in parts.items():
        page = page.replace(f"<!--{name}-->", part)
    ways = findings.main_ways()
    grids = [
        _scores_table(findings, ways), _differences_table(findings, ways), _modes_table(findings), _long(findings),
        _layers_table(layers, findings.arms), _sensitivity_table(findings), _costs_table(findings),
    ]  # fmt: skip
    summary = [
        *answer(findings),
        re.sub("<[^>]+>", "", parts["STUDY"]),
        *(grid.markdown() for grid in grids),
    ]
    with atomic_file(out / "summary.md") as file:
        file.write("\n\n".join(part for part in summary if part).encode())
    path = out / "report.html"
    with atomic_file(path) as file:
        file.write(page.encode())
    return path


class Grid(NamedTuple):
    """A table; cells are HTML."""

    caption: str
    head: Cells
    rows: Sequence[Cells]

    def html(self) -> str:
        """First column headings; a wide table scrolls by itself, also by keys."""
        if not self.rows:
            return ""
        header = "".join(f'<th scope="col">{cell}</th>' for cell in self.head)
        body = "".join(
            f'<tr><th scope="row">{row[0]}</th>'
            + "".join(f"<td>{cell}</td>" for cell in row[1:])
            + "</tr>"
            for row in self.rows
        )
        return (
            f'<div class="wide" role="region" tabindex="0" aria-label="{escape(self.caption)}"><table>'
            f"<caption><span>{self.caption}</span></caption><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def markdown(self) -> str:
        if not self.rows:
            return ""
        lines = [self.head, ["---"] * len(self.head), *self.rows]
        table = "\n".join(
            f"| {' | '.join(cell.replace('<small>', '<br><small>') for cell in line)} |"
            for line in lines
        )
        return f"**{self.caption}**\n\n{table}\n"


def _study(out: Path, findings: Findings) -> str:
    note = out / "study.json"
    if not note.exists():
        return ""
    about = json.loads(note.read_text())
    failed = sum(findings.failed(arm) for arm in findings.arms)
    widths = "-".join(str(width) for width in about["widths"])
    return (
        f"<p>Preset <code>{about['preset']}</code>: a residual UNet (2 × 2 patches, widths {widths}), "
        f"{about['steps']} steps of one log of {about['rows'] // 2} to {about['rows'] * 3 // 2} rows, up to "
        f"{findings.seeds} seeds, {about['test_logs']} logs in each drawn test set, corpus {about['corpus']}. "
        f"Failed runs: {failed}. Learning rate of every arm: the best of three on validation logs and a seed "
        f"of their own.</p>"
    )


def _scores_tables(findings: Findings) -> str:
    """The main ways in sight, every mode of every arm folded away."""
    main, every = findings.main_ways(), findings.all_ways()
    tables = _scores_table(findings, main).html() + _differences_table(findings, main).html()
    if every != main:
        tables += (
            "<details><summary>Every arm in every mode</summary>"
            + _scores_table(findings, every).html()
            + _differences_table(findings, every).html()
            + "</details>"
        )
    return tables


def _scores_table(findings: Findings, ways: Sequence[Scored]) -> Grid:
    head = ["", "seeds", "failed", "rate"]
    for name in findings.test_sets:
        head += [f"F1@3px, {SET_TITLES[name]}", "Dice"]
    rows = []
    for way in ways:
        row = [_title(way), str(len(findings.select(way, "like"))), str(findings.failed(way.arm))]
        row.append(f"{findings.rate(way.arm):g}")
        for name in findings.test_sets:
            for score in ("f1", "dice"):
                found = findings.estimate(way, name, score)
                row.append(
                    "–"
                    if found is None
                    else interval(found)
                    if score == "f1"
                    else f"{found.mean:.3f}"
                )
        rows.append(row)
    return Grid("Scores after annealing, mean and 95 % interval over (seed, log)", head, rows)


def _differences_table(findings: Findings, ways: Sequence[Scored]) -> Grid:
    head = ["less GroupNorm"]
    for name in findings.test_sets:
        head += [SET_TITLES[name], "sign-flip p", ""]
    rows = []
    for way in ways:
        if way.arm == "group":
            continue
        row = [_title(way)]
        for name in findings.test_sets:
            found = findings.difference(way, Scored("group"), name)
            row += (
                ["–", "", ""]
                if found is None
                else [interval(found, True), f"{found.p:.3f}", verdict(found)]
            )
        rows.append(row)
    return Grid("Difference of F1@3px to GroupNorm, paired by seed and log", head, rows)


def _title(way: Scored) -> str:
    mode = "" if way.mode == EVALUATION else f"<small>{escape(MODE_TITLES[way.mode])}</small>"
    return escape(ARMS[way.arm].title) + mode


def _modes_table(findings: Findings) -> Grid:
    """The four scores of BatchNorm v1's checkpoint, by schedule."""
    head = ["BatchNorm v1"]
    ways = [("constant", "before"), ("constant", "end"), ("annealed", "end")]
    titles = ["before annealing", "end, constant rate", "end, annealed"]
    names = [name for name in ("like", "renders") if name in findings.test_sets]
    for name in names:
        head += [f"{SET_TITLES[name]}: {title}" for title in titles]
    rows = []
    for mode in findings.modes("batch") if "batch" in findings.arms else ():
        row = [escape(MODE_TITLES[mode])]
        for name in names:
            for schedule, moment in ways:
                found = findings.estimate(Scored("batch", mode, schedule, moment), name)
                row.append(interval(found) if found else "–")
        rows.append(row)
    return Grid("The same checkpoints of BatchNorm v1, scored in four ways: F1@3px", head, rows)


def _long(findings: Findings) -> Grid:
    rows = []
    for arm in HEADLINE:
        for mode in findings.modes(arm):
            cells = []
            for name in ("like", "renders"):
                for schedule in ("constant", "annealed"):
                    scores = findings.scores(Scored(arm, mode, schedule, "end", "long"), name)
                    cells.append(f"{scores.mean():.3f}" if len(scores) else "–")
            if cells != ["–"] * 4:
                rows.append([escape(Scored(arm, mode).title), *cells])
    steps = max((int(row["steps"]) for row in findings.rows if row["run"] == "long"), default=0)
    head = ["", "like, constant", "like, annealed", "renders, constant", "renders, annealed"]
    return Grid(
        f"One longer run of the pair, {steps} steps, one seed: F1@3px. Too few seeds to say more",
        head,
        rows,
    )


def _divergence(findings: Findings, layers: list[dict[str, str]]) -> str:
    arms = [arm for arm in (*HEADLINE, "renorm", "online") if arm in findings.arms]
    shown = [plots.divergence_over_training(layers, arms, name) for name in ("like", "renders")]
    if "batch" in findings.arms:
        shown += [plots.divergence_by_layer(layers, "batch", name) for name in ("like", "renders")]
    return "".join(shown)


def _layers_table(layers: list[dict[str, str]], arms: Sequence[str]) -> Grid:
    rows = []
    for arm in arms:
        row = [escape(ARMS[arm].title)]
        for name in ("like", "renders"):
            _, parts = plots.by_layer(layers, arm, name)
            gaps = [
                float(each["gap"])
                for each in layers
                if (each["arm"], each["schedule"], each["moment"], each["test_set"])
                == (arm, "annealed", "end", name)
            ]
            row += [_number(float(part.mean())) if part.size else "–" for part in parts]
            row.append(_number(sum(gaps) / len(gaps)) if gaps else "–")
        rows.append(row)
    head = [""]
    for name in ("like", "renders"):
        head += [f"KL, mean part: {SET_TITLES[name]}", "KL, variance part", "gap of the two modes"]
    return Grid(
        "Annealed end, means over layers: divergence of an image's statistics from the running ones, and how far "
        "a layer's output in training mode lies from that in evaluation mode (relative)",
        head,
        rows,
    )


def _number(value: float) -> str:
    """Of any size, never negative, as people write it."""
    if 0 < value < 5e-4:
        return "< 0.001"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _sensitivity_table(findings: Findings) -> Grid:
    rows = []
    for way in findings.main_ways():
        values = [
            findings.mean(way, column) for column in ("tile_mismatch", "size_f1", "white_rows")
        ]
        cells = ["–" if value is None else with_minus(f"{value:.3f}") for value in values]
        for name in ("like", "renders"):
            gap = (
                findings.difference(Scored(way.arm, TRAINING), way, name)
                if way.mode == EVALUATION
                else None
            )
            cells.append(
                with_minus(f"{gap.mean:+.3f}")
                if gap
                else "–"
                if TRAINING in findings.modes(way.arm)
                else "0"
            )
        rows.append([_title(way), *cells])
    head = [
        "", "tile mismatch", "F1 on the whole less in tiles", "256 white rows appended",
        "training less evaluation mode, F1: like", "the same: renders",
    ]  # fmt: skip
    return Grid(
        "What else changes the answer, on tall drawn logs. Mismatch and white rows: 1 − Dice of the two masks",
        head,
        rows,
    )


def _costs_table(findings: Findings) -> Grid:
    rows = []
    for arm in findings.arms:
        if findings.cost(arm, "seconds_per_step") is None:
            continue
        cells = [
            findings.cost(arm, column)
            for column in ("seconds_per_step", "peak_mb", "mpx_per_second")
        ]
        formats = ("{:.3f}", "{:.0f}", "{:.2f}")
        shown = [
            "–" if cell is None else form.format(cell)
            for form, cell in zip(formats, cells, strict=True)
        ]
        rows.append([escape(ARMS[arm].title), *shown])
    head = ["", "seconds a step", "peak memory of the process, MB", "inference, Mpx/s"]
    return Grid("Cost on one thread, each arm in a process of its own", head, rows)


def _strips(out: Path, findings: Findings) -> str:
    blocks = []
    for arm in findings.arms:
        figures = []
        for moment, when in (("constant-before", "before annealing"), ("annealed-end", "annealed")):
            for kind in ("like", "renders"):
                for mode in (EVALUATION, TRAINING):
                    path = out / "strips" / f"{arm}.{moment}.{mode}.{kind}.png"
                    if path.exists():
                        data = base64.b64encode(path.read_bytes()).decode()
                        what = f"{ARMS[arm].title}, {mode} mode, {when}, {SET_TITLES[kind]}"
                        figures.append(
                            f'<figure><img alt="{escape(what)}" src="data:image/png;base64,{data}">'
                            f"<figcaption>{mode} mode, {when}, {SET_TITLES[kind]}</figcaption></figure>"
                        )
        if figures:
            state = " open" if arm in HEADLINE else ""
            blocks.append(
                f"<details{state}><summary>{escape(ARMS[arm].title)}</summary>"
                f'<div class="strips">{"".join(figures)}</div></details>'
            )
    return "".join(blocks)


def _activations(out: Path) -> str:
    """JSON for the instrument; "<" is escaped, for it stands inside a script element."""
    found = {}
    for arm in HEADLINE:
        path = out / f"activations-{arm}.json"
        if path.exists():
            found[arm] = json.loads(path.read_text())
    return json.dumps(found).replace("<", "\\u003c")
