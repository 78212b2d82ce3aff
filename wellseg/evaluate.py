"""Score curve masks against a data set, per log and in all.

    wellseg evaluate mine/                          # the bundled weights
    wellseg evaluate mine/ --weights runs/a/model.safetensors --worst 5
    wellseg evaluate mine/ --masks masks/           # masks that are there already

Writes scores.csv and curves.csv (docs/files.md) and pictures of the worst logs (hits green, false
red, missed blue) to --out. Prints the scores, their means, and means of the worst tenth."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

from wellseg.cli import SOME_FAILED, program
from wellseg.config import MaskOptions
from wellseg.net.options import at_least
from wellseg.scan import ScanError, one_line
from wellseg.scan.atomic import refuse_open, write_csv, write_file
from wellseg.scan.files import refuse_foreign
from wellseg.scores import F1, FALSE, HEADINGS, ON, Row
from wellseg.training.data_folder import LogFiles, list_logs, list_masks
from wellseg.weights import load_model


@dataclass
class EvaluateConfig(MaskOptions):
    data: Path
    """Data set: images/NAME.tif, masks/NAME.tif."""
    split: Literal["all", "train", "val", "test"] = "all"
    """Which logs. With all, each split is averaged by itself, too."""
    masks: Path | None = None
    """Score masks of this folder: NAME.mask.tif, NAME.tif or NAME.png; curves of these."""
    out: Path = Path("runs/evaluate")
    """Folder for scores.csv, curves.csv (of labels' whole curves) and pictures: docs/files.md."""
    worst: int = 0
    """Draw pictures of the worst logs: that many with curves, and as many without."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.data, self.out = Path(self.data), Path(self.out)  # Python's callers give words, too
        at_least(0, worst=self.worst)
        if self.masks and any(getattr(self, it.name) != it.default for it in fields(MaskOptions)):
            raise ValueError("--masks are made already: give no --weights, --threshold and so on")


def evaluate(config: EvaluateConfig) -> int:
    """Score every log, print the tables, write scores.csv and pictures; returns the exit status.
    Raises ValueError: the data set, an option or the weights are unusable; nothing was scored."""
    from rich.console import Console
    from rich.progress import track

    from wellseg.scan.pictures import draw_errors, encode_png
    from wellseg.scan.reader import open_scan
    from wellseg.scores.identity import IDENTITY_HEADINGS, identity_line
    from wellseg.scores.tables import make_tables
    from wellseg.training.masks import check_size, read_mask

    if not (logs := list_logs(config.data, config.split)):
        raise ValueError(f"{config.data}: no logs in split {config.split}; choose another --split")
    for log in logs:
        check_size(log.mask, log.image)
    of_masks, of_curves = config.out / "scores.csv", config.out / "curves.csv"
    refuse_foreign(of_masks, of_curves)
    refuse_open(of_masks, of_curves)  # now, not when all is scored
    predict = make_predictor(config, logs)
    config.out.mkdir(parents=True, exist_ok=True)
    rows, followed = dict[LogFiles, Row](), dict[str, Any]()  # scores: of masks; of curves, by name
    columns = ["name", "split", "well", "kind", "curves", *HEADINGS]
    errors = Console(stderr=True, soft_wrap=True, highlight=False, style="red")
    for log in track(logs, "scoring", console=errors, transient=True):
        try:
            probability = predict(log)
            scores, identity = score_files(log, probability > config.threshold, probability)
            if identity:
                followed[log.name] = identity
            rows[log] = {it: getattr(log, it) for it in columns[:4]} | scores.by_name
        except (ScanError, ValueError, TypeError, OSError, MemoryError, RuntimeError) as error:
            errors.print(f"wellseg.evaluate: {log.name}: {one_line(error)}", markup=False)
    lines = [identity_line(name, [identity]) for name, identity in followed.items()]
    curves = [dict(zip(IDENTITY_HEADINGS, line, strict=True)) for line in lines]
    # A file has no width; 80 columns would cut the names.
    console = Console() if sys.stdout and sys.stdout.isatty() else Console(width=180)
    try:
        columns += sorted({name for row in rows.values() for name in row if name.startswith(ON)})
        write_csv(of_masks, columns, rows.values())
        write_csv(of_curves, IDENTITY_HEADINGS, curves)
    finally:  # scores of hours are printed where they cannot be written
        console.print(*make_tables(list(rows.values()), followed))
    print(f"scores of {len(rows)} logs: {of_masks}")
    for earlier in (config.out / "worst").glob("*curves-*.png"):
        earlier.unlink()
    with_curves = {log: 1 - row[F1] for log, row in rows.items() if F1 in row}
    without = {log: row[FALSE] for log, row in rows.items() if F1 not in row}
    for kind, bad in (("curves", with_curves), ("no-curves", without)):
        worst = sorted(filter(bad.get, bad), key=bad.__getitem__, reverse=True)
        for number, log in enumerate(worst[: config.worst], 1):
            picture = config.out / "worst" / f"{kind}-{number:02d}-{log.name[-50:]}.png"
            mask, truth = predict(log) > config.threshold, read_mask(log.mask)
            with open_scan(log.image) as scan:
                write_file(picture, encode_png(draw_errors(scan.read(0, scan.rows), mask, truth)))
            print(f"worst: {picture}")
    if failed := len(logs) - len(rows):
        errors.print(f"{failed} of {len(logs)} logs failed")
    return SOME_FAILED if failed else 0


def make_predictor(config: EvaluateConfig, logs: list[LogFiles]) -> Callable[[LogFiles], Any]:
    """The function from a log to its mask (rows, columns): float32 probability of curve in [0, 1]
    of the network, or bool from --masks. Raises ValueError: no usable weights, device or mask."""
    if config.masks is not None:
        from wellseg.training.masks import check_size, read_mask

        masks = list_masks(config.masks)
        for log in logs:
            if log.name not in masks:
                said = f"no mask {log.name}.mask.tif, {log.name}.tif or {log.name}.png"
                raise ValueError(f"{config.masks}: {said}; make it with wellseg predict")
            check_size(masks[log.name], log.image)
        return lambda log: read_mask(masks[log.name]) == 255

    from wellseg.device import pick_device
    from wellseg.rows.segment import segment

    pick_device(config.device)
    model = load_model(config.weights)
    options = {it: getattr(config, it) for it in ("precision", "device", "memory", "window_rows")}
    return lambda log: segment(model, log.image, **options)


def score_files(log: LogFiles, mask: Any, probability: Any = None) -> tuple[Any, Any]:
    """`Scores` of a mask, bool (rows, columns), against a log's files, and `IdentityScores` of the
    curves followed in it: None without probability, or where the label has no whole curves."""
    from wellseg.curves.curve import CurveFollower
    from wellseg.curves.track_finder import find_tracks
    from wellseg.scan.reader import open_scan
    from wellseg.scores.identity import score_identity
    from wellseg.scores.masks import score_log
    from wellseg.training.masks import read_label, read_mask

    label = read_label(log.label, mask.shape) if log.label else None
    scores = score_log(mask, read_mask(log.mask), label=label)
    if probability is None or not label or not label.curves:
        return scores, None
    with open_scan(log.image, colour=True) as scan:
        dpi, picture = scan.likely_dpi, scan.read(0, scan.rows)
        tracks = find_tracks(scan.read, range(scan.rows), dpi)
    sure, pixels = ((255 * part).round().astype("uint8") for part in (probability, mask))
    follower = CurveFollower(dpi, tracks=tracks)
    follower.add(picture, pixels, sure)
    follower.finish()
    curves = [(curve.first_row, curve.points().column) for curve in follower.curves]
    return scores, score_identity(label.about, mask.shape, curves, dpi)


main = program(evaluate, EvaluateConfig, "scores.csv is written when all logs are scored")
