"""Options of wellseg curves. No heavy import: they are checked before all is loaded."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from wellseg.curves.options import ENDING, OF_ONE_SCAN, RANGE, TABLE, CurveOptions, numbers_in
from wellseg.scan.files import DIGITS, REPORT, Size, settled_report

EDIT = rf"(\w+)(?::{RANGE})?(?:=(\w*)|([+-][1-8]))"
DRAWN = r"(\w+)((?::\d+@\d+){2,})"


class Edit(NamedTuple):
    """These rows become another curve's, or nobody's (""), or are so many tracks farther right."""

    curve: str
    first: float
    last: float
    becomes: str | int


class Stroke(NamedTuple):
    """A stretch of a curve that somebody drew along its ink, from point to point: row, column."""

    curve: str
    points: list[tuple[int, int]]


def parse_edits(given: Sequence[str]) -> tuple[list[Edit], list[Stroke]]:
    """["T1_C1_SOLID=GR", "T1_C2_SOLID:800-1599=", "GR:90-120+1"] are edits, ["GR:800@310:890@402"]
    is a stroke from row 800, column 310. Raises ValueError."""
    edits, strokes = [], []
    for word in given:
        if match := re.fullmatch(DRAWN, word.strip(), re.ASCII):
            points = [point.split("@") for point in match[2][1:].split(":")]
            strokes.append(Stroke(match[1], [(int(row), int(column)) for row, column in points]))
            rows = [row for row, _ in strokes[-1].points]
            if sorted(rows) not in (rows, rows[::-1]):
                raise ValueError(f"--edit {word!r}: its rows rise, or fall, from point to point")
            continue
        match = re.fullmatch(EDIT, word.strip(), re.ASCII)
        if not match or (match[5] and not match[2]):
            forms = "CURVE=NAME, CURVE=, CURVE:FROM-TO=NAME, ...+1 or CURVE:ROW@COLUMN:ROW@COLUMN"
            raise ValueError(f"--edit {word!r} is not {forms} (names of letters, digits, _)")
        curve, first, last, becomes, tracks = match.groups()
        low, high = (float(it.replace(",", "")) for it in (first or "0", last or "inf"))
        if low > high:
            raise ValueError(f"--edit {word!r}: its rows rise, as in 800-1600")
        edits.append(Edit(curve, low, high, int(tracks) if tracks else becomes))
    return edits, strokes


@dataclass
class CurvesConfig(CurveOptions):
    """Curve files again, without the network. Options not given are as they were the last time.
    name: NAME. report: NAME.json, or {}. size: the scan's rows and columns, or 0s."""

    file: str
    """NAME.probability.tif, as wellseg predict --curves writes it, or NAME.curves.csv."""
    scan: Path | None = None
    """The scan, for its colours, its grid, strokes and labels. Default: the file that predict read.
    Without a scan, there are no colours, and tracks only with --tracks."""
    threshold: float | None = None
    """A pixel is curve where its probability is higher."""
    step: float | Literal["none"] | None = field(default=None, kw_only=True)  # type: ignore
    bridged: int | Literal["none"] | None = field(default=None, kw_only=True)  # type: ignore
    edit: list[str] = field(default_factory=list)
    """CURVE=NAME ...: renames curves of NAME.curves.csv, or joins them under one name. CURVE=
    removes one; CURVE:FROM-TO=NAME and CURVE:FROM-TO= are for these rows of it; CURVE:FROM-TO+1 and
    -1: these are off its scale, beyond its right or left border. All at once: two
    that have changed places from row 800 on are A:800-1600=B B:800-1600=A. Before them strokes are
    drawn: CURVE:ROW@COLUMN:ROW@COLUMN... goes through these points, along the ink between them, in
    place of what CURVE had in these rows; CURVE may be new. The view writes all of them."""
    after: str | None = None
    """Written by the view: of which curves its --edit are, and after how many others."""
    label: Path | None = None
    """Folder of a data set to which the rows of --label_rows are added, as a scan to train on: with
    the curves as they are now, corrected. What is no curve there is background."""
    label_rows: str | None = None
    """FROM-TO: rows in which you looked at all curves."""
    out: Path | None = None
    """Folder for the files. Default: beside FILE."""

    def __post_init__(self) -> None:
        self.edits, self.strokes = parse_edits(self.edit)
        if (self.edit or self.after is not None) and not self.file.endswith(TABLE):
            raise ValueError(f"--edit is for NAME{TABLE}, which {self.file} is not")
        stem = self.file.removesuffix(ENDING).removesuffix(TABLE)
        self.name, self.report = Path(stem).name, settled_report(stem + REPORT)  # reads the file
        self.size: Size = self.report.get("rows", 0), self.report.get("columns", 0)
        if self.file.endswith(TABLE):
            scan = None if self.strokes or self.label else self.scan
            of_following = {"scan": scan, "threshold": self.threshold, "rows": self.rows}
            of_following["tracks none"] = self.tracks == ["none"] or None
            if used := [name for name, it in of_following.items() if it is not None]:
                raise ValueError(f"--{used[0]} is for NAME{ENDING}: {self.file} has curves already")
        if bool(self.label) != bool(self.label_rows):
            raise ValueError("--label FOLDER and --label_rows FROM-TO: the one needs the other")
        ends = self.label_rows and numbers_in("--label_rows", self.label_rows, RANGE, "FROM-TO")
        self.looked_at, self.told = tuple(map(int, ends or ())), list[str]()  # of a label; notes
        self.new_tracks = self.tracks not in ([], ["none"])
        self.new_scales = {re.split("[:=]", it)[0] for it in self.scale if re.search(r"=.", it)}
        self.scale = self._scales_of_both()
        if self.report.get("depth") and not self.depth and self.has_other_unit(self.report):
            self.told.append(f"the depths are in {self.depth_unit} now, with their former numbers")
        for name, said in self.left_to(self.report).items():
            setattr(self, name, said)
        for name in OF_ONE_SCAN:
            if getattr(self, name) in ("none", ["none"]):
                setattr(self, name, [] if name in ("depth", "tracks", "scale") else None)
        if self.threshold is None:
            self.threshold = self.report.get("curve_threshold") or self.report.get("threshold")
        try:
            super().__post_init__()
            if self.threshold is not None and not 0 < self.threshold < 1:
                raise ValueError(f"--threshold lies between 0 and 1, not {self.threshold}")
        except (TypeError, AttributeError) as error:  # the report was edited by hand
            raise ValueError(f"{stem}{REPORT}: give its options again: {error}") from None

    def _scales_of_both(self) -> list[str]:
        """Words of --scale that the report has of these curves, by their new names, and those given
        now. Of joined curves the one whose name stays keeps its scales; CURVE= ends all of one."""
        had = self.report.get("scale", [])
        digest = str(self.report.get("sha256", {}).get(TABLE, ""))
        own = len(digest) > DIGITS and re.search(r"\bT\d+_C\d+_", str(had))
        anew = self.threshold or self.tracks or self.rows or own
        if had and self.file.endswith(ENDING) and anew:
            self.told.append("curves are followed anew: the former --scale is forgotten")
            had = []
        if not isinstance(had, list) or self.scale == ["none"]:
            return self.scale
        new = {it.curve: str(it.becomes) for it in self.edits if it.last == float("inf")}
        found = (re.fullmatch(r"(\w+)([^=]*)=(.*)", str(word).strip()) for word in had)
        words = [(new.get(it[1], it[1]), *it.group(1, 2, 3, 0)) for it in found if it]
        heirs = {name: old for name, old, *_ in sorted(words, key=lambda word: word[1] not in new)}
        scales = dict[str, str]()  # words, by curves and rows
        for name, old, rows, scale, said in words:
            if name and heirs[name] == old and f"{name}=" not in self.scale:
                scales[f"{name}{rows.replace(',', '')}"] = f"{name}{rows}={scale}"
            elif name and name not in self.new_scales and f"{heirs[name]}{rows}={scale}" not in had:
                self.told.append(f"--scale {said} ended: give {name}:FROM-TO={scale} for its rows")
        now = {it.partition("=")[0].replace(",", ""): it for it in map(str.strip, self.scale)}
        for at in [it for it in scales if it not in now and it.split(":")[0] in now]:
            self.told.append(f"--scale {scales[at]} stays ({at}= takes it away)")
        every = dict.fromkeys([*(scales | now).values(), *map(str.strip, self.scale)])  # two: told
        return [it for it in every if not it.endswith("=")] or ["none"]
