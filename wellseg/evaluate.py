"""Score curve masks against a data set, per log and in all.

    wellseg evaluate mine/                          # the bundled weights
    wellseg evaluate mine/ --weights runs/a/model.safetensors --worst 5
    wellseg evaluate mine/ --weights new.safetensors --against old.safetensors
    wellseg evaluate mine/ --masks masks/           # masks that are there already
    wellseg evaluate mine/ --baseline               # threshold and morphology

Leaves scores.csv, and pictures of the worst logs (hits green, false red, missed blue), in --out;
with --against also against.csv, the scores of those other weights. Below the logs stand means,
means of the worst tenth, and the share of logs with F1@3px of 0.95 or more.
Exit status: 0 all done, 1 some logs failed (each with one line saying why), 2 wrong usage.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from wellseg.cli import SOME_FAILED, run
from wellseg.config import MaskOptions
from wellseg.net.options import at_least
from wellseg.scores import FALSE, SHARES
from wellseg.training.data_folder import DataError, LogFiles, list_logs, list_masks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from wellseg.scores.identity import IdentityScores
    from wellseg.scores.masks import Scores
    from wellseg.scores.tables import LogScores

    Predict = Callable[[LogFiles], NDArray[np.uint8]]


@dataclass
class EvaluateConfig(MaskOptions):
    """Scores of masks."""

    data: list[str]
    """Data set: images/NAME.tif, masks/NAME.tif."""
    split: Literal["all", "train", "val", "test"] = "all"
    """Which logs. With all, each split is averaged by itself, too."""
    masks: Path | None = None
    """Score the masks in this folder: NAME.mask.tif, NAME.tif or NAME.png."""
    baseline: bool = False
    """Score threshold and morphology: what a network has to beat."""
    against: str | None = None
    """Other weights (a bundled name or a .safetensors file) to score on the same logs: the
    differences, log by log, and how sure their mean is."""
    out: Path = Path("runs/evaluate")
    """Folder for scores.csv and pictures."""
    worst: int = 0
    """Draw that many logs with curves, and as many without, that score worst."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.data) != 1:
            raise ValueError(f"give one data set at a time, not {len(self.data)}")
        at_least(0, worst=self.worst)
        sources = {"--weights": self.weights, "--masks": self.masks, "--baseline": self.baseline}
        given = [flag for flag, value in sources.items() if value]
        if len(given) > 1:
            raise ValueError(f"give only one of {' and '.join(given)}: they are different masks")


def evaluate(config: EvaluateConfig) -> int:
    """Score every log, print the tables, write scores.csv and pictures; returns the exit status.

    Raises:
        ValueError: the data set, an option or the weights are unusable; nothing was scored.
        OSError: a result cannot be written.
    """
    from rich.console import Console

    from wellseg.scores.tables import curve_table, difference_tables, make_tables

    logs = choose_logs(config.data[0], config.split)
    predict = make_predictor(config, logs)
    others: list[LogScores] = []
    if config.against:
        other = replace(config, weights=config.against, masks=None, baseline=False)
        predict_others = make_predictor(other, logs)
    config.out.mkdir(parents=True, exist_ok=True)
    results = _score_logs(logs, predict)
    if config.against:
        scored = {result.name for result in results}
        others = _score_logs([log for log in logs if log.name in scored], predict_others)
        _write_csv(config.out / "against.csv", others)

    console = Console()
    if not console.is_terminal:
        console = Console(width=180)  # a file has no width; 80 columns would cut the names
    tables = [*make_tables(results), *curve_table(results), *difference_tables(results, others)]
    for table in tables:
        console.print(table)
    _write_csv(config.out / "scores.csv", results)
    print(f"scores of {len(results)} logs: {config.out / 'scores.csv'}")
    for picture in _draw_worst(config.out / "worst", results, predict, config.worst, logs):
        print(f"worst: {picture}")
    failed = len(results) < len(logs) or (config.against and len(others) < len(results))
    return SOME_FAILED if failed else 0


def choose_logs(root: str | Path, split: str) -> list[LogFiles]:
    """Logs of a data set, at least one, with masks of their images' sizes.

    Raises:
        DataError: else; see also `list_logs`.
    """
    from wellseg.training.masks import check_size

    logs = list_logs(root, split)
    if not logs:
        count = Counter(log.split for log in list_logs(root))
        there = ", ".join(f"{number} in {name}" for name, number in count.items())
        raise DataError(f"{root}: no logs in split {split} ({there}); choose another --split")
    for log in logs:
        check_size(log.mask, log.image)
    return logs


def make_predictor(config: EvaluateConfig, logs: Sequence[LogFiles]) -> Predict:
    """Give the function that makes, or reads, the mask of a log: uint8 (rows, columns), above 127
    curve and 255 certain.

    Raises:
        DataError: a mask of --masks is missing or has another size than its image.
        WeightsError: no such weights.
        ValueError: no such device.
    """
    from wellseg.training.masks import check_size, read_mask

    if config.masks is not None:
        masks = list_masks(config.masks)
        for log in logs:
            if log.name not in masks:
                raise DataError(
                    f"{config.masks}: no mask {log.name}.mask.tif, {log.name}.tif or"
                    f" {log.name}.png for {log.image}; make it with wellseg.predict"
                )
            check_size(masks[log.name], log.image)
        return lambda log: _as_bytes(read_mask(masks[log.name]) / 255.0, 0.99)

    if config.baseline:
        from wellseg.scores.baseline import baseline_mask

        return lambda log: _as_bytes(baseline_mask(_read_gray(log.image)), 0.5)

    from wellseg.device import pick_device
    from wellseg.rows.segment import segment
    from wellseg.weights import load_model, read_header, weights_path, window_rows_of

    pick_device(config.device)
    model = load_model(config.weights)
    window_rows = window_rows_of(read_header(weights_path(config.weights)), config.window_rows)
    options: dict[str, Any] = {
        "precision": config.precision,
        "device": config.device,
        "memory": config.memory,
        "window_rows": window_rows,
    }
    return lambda log: _as_bytes(segment(model, log.image, **options), config.threshold)


def _as_bytes(probability: NDArray[Any], threshold: float) -> NDArray[np.uint8]:
    """255 for certainty; above 127 what is above the threshold."""
    import numpy as np

    rounded = np.rint(255 * probability.astype(np.float32)).astype(np.uint8)
    above = probability > threshold
    return np.where(above, np.maximum(rounded, np.uint8(128)), np.minimum(rounded, np.uint8(127)))


def score_files(log: LogFiles, prediction: NDArray[np.bool_]) -> Scores:
    """Score a mask, bool (rows, columns), against a log's files."""
    from wellseg.scores.masks import read_label, score_log
    from wellseg.training.masks import read_mask

    truth = read_mask(log.mask)
    label = read_label(log.label, truth.shape) if log.label else None
    return score_log(prediction, truth, label=label)


def score_curves(log: LogFiles, probability: NDArray[np.uint8]) -> IdentityScores | None:
    """Follow the curves of a mask, uint8 (rows, columns), above 127 curve, and score which is
    which; None where the label does not say.

    Raises:
        ValueError: the label is not one; names it.
    """
    import numpy as np

    from wellseg.curves.curve import CurveFollower
    from wellseg.scan.reader import open_scan
    from wellseg.scores.identity import score_identity

    label = json.loads(log.label.read_text(encoding="utf-8")) if log.label else {}
    if not label.get("whole"):
        return None
    with open_scan(log.image) as scan:
        gray, dpi = scan.read(0, scan.rows), scan.dpi
        in_colour = scan.kind == "colour"
    colours = None
    if in_colour:
        with open_scan(log.image, colour=True) as scan:
            colours = scan.read(0, scan.rows)
    with CurveFollower.at(dpi) as follower:
        mask = np.where(probability > 127, np.uint8(255), np.uint8(0))
        follower.add(gray, mask, probability, colours)
        follower.finish()
        curves = [(curve.first_row, follower.points(curve).column) for curve in follower.curves]
    try:
        return score_identity(label, curves, dpi)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{log.label}: not a label file ({error!r})") from error


def _score_logs(logs: Sequence[LogFiles], predict: Predict) -> list[LogScores]:
    """Score logs; those that fail are told and left out."""
    from rich.console import Console
    from rich.progress import track

    from wellseg.scan.reader import ScanError
    from wellseg.scores.tables import LogScores

    results: list[LogScores] = []
    console = Console(stderr=True)
    for log in track(logs, "scoring", console=console, transient=True):
        try:
            probability = predict(log)
            scores = score_files(log, probability > 127)
            curves = score_curves(log, probability)
            results.append(LogScores(log.name, log.split, log.well, log.kind, scores, curves))
        except (ScanError, ValueError, OSError) as error:
            line = f"wellseg.evaluate: {log.name}: {error}"
            console.print(line, style="red", highlight=False, soft_wrap=True, markup=False)
    if failed := len(logs) - len(results):
        line = f"{failed} of {len(logs)} logs failed"
        console.print(line, style="red", highlight=False, soft_wrap=True)
    return results


def _draw_worst(
    folder: Path,
    results: Sequence[LogScores],
    predict: Predict,
    count: int,
    logs: Sequence[LogFiles],
) -> Iterator[Path]:
    """Write pictures of the worst logs, with curves and without; gives their paths."""
    from wellseg.scan.atomic import atomic_file
    from wellseg.scan.pictures import draw_errors, encode_png
    from wellseg.training.masks import read_mask

    files = {log.name: log for log in logs}
    for has_curves, kind in ((True, "curves"), (False, "no-curves")):
        bad = [r for r in results if r.scores.has_curves == has_curves and r.badness]
        bad.sort(key=lambda result: -result.badness)
        for number, result in enumerate(bad[:count], 1):
            log = files[result.name]
            picture = draw_errors(_read_gray(log.image), predict(log) > 127, read_mask(log.mask))
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{kind}-{number:02d}-{log.name}.png"
            with atomic_file(path) as file:
                file.write(encode_png(picture))
            yield path


def _write_csv(path: Path, results: Sequence[LogScores]) -> None:
    """One line per log; the shares of logs without curves are empty. Below them what is true of
    all, without a split: means, worst tenths and the share of good ones."""
    from wellseg.scan.atomic import atomic_file
    from wellseg.scores.masks import Scores
    from wellseg.scores.tables import summarise, with_and_without_curves

    rows = [{**asdict(r), **asdict(r.scores), **_rounded(r.columns)} for r in results]
    for title, chosen in with_and_without_curves(results):
        for what, values in summarise(chosen).items():
            rows.append({"name": f"{title}: {what}", **_rounded(values)})
    text = io.StringIO(newline="")
    columns = ["name", "split", "well", "kind", *SHARES, FALSE, *(f.name for f in fields(Scores))]
    writer = csv.DictWriter(text, columns, extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())


def _rounded(values: dict[str, float]) -> dict[str, str]:
    return {name: f"{value:.4f}" for name, value in values.items()}


def _read_gray(path: Path) -> NDArray[np.uint8]:
    from wellseg.scan.reader import open_scan

    with open_scan(path) as scan:
        return scan.read(0, scan.rows)


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    stopped = "no scores were written"
    run(evaluate, EvaluateConfig, "evaluate", __doc__ or "", argv, "data", stopped)


if __name__ == "__main__":
    main()
