"""Score curve masks against a data set, per log and in all.

    wellseg evaluate mine/                          # the bundled weights
    wellseg evaluate mine/ --weights runs/a/model.safetensors --worst 5
    wellseg evaluate mine/ --masks masks/           # masks that are there already
    wellseg evaluate mine/ --baseline               # threshold and morphology

Leaves scores.csv, and pictures of the worst logs (hits green, false red, missed blue), in --out.
Exit status: 0 all done, 1 some logs failed (each with one line saying why), 2 wrong usage.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wellseg.cli import INTERRUPTED, SOME_FAILED, WRONG_USAGE, fail, parse
from wellseg.config import EvaluateConfig
from wellseg.training.data_folder import DataError, LogFiles, list_logs, list_masks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.table import Table

    from wellseg.scores.masks import Scores

    Mask = NDArray[np.bool_]
    Predict = Callable[[LogFiles], Mask]

SHARES = {
    "precision": "precision",
    "recall": "recall",
    "f1_at_3px": "F1@3px",
    "dice": "Dice",
    "iou": "IoU",
    "cldice": "clDice",
}
"""Scores of logs with curves and their headings."""
FALSE = "false_centreline_px_per_row"
"""The score of logs without curves."""
MARGIN_PX = 40
"""Of paper around the scored pixels, in pictures."""
PICTURE_PIXELS = 40_000_000


@dataclass(frozen=True)
class LogScores:
    """One log and its scores."""

    log: LogFiles
    scores: Scores


def evaluate(config: EvaluateConfig) -> int:
    """Score every log, print the tables, write scores.csv and pictures; returns the exit status.

    Raises:
        DataError, ValueError, WeightsError: the data set, an option or the weights are unusable;
            nothing was scored.
        OSError: a result cannot be written.
    """
    from rich.console import Console

    logs = choose_logs(config.data[0], config.split)
    predict = make_predictor(config, logs)
    config.out.mkdir(parents=True, exist_ok=True)
    results, worst, failed = _score_logs(logs, predict, config.worst)

    console = Console()
    if not console.is_terminal:
        console = Console(width=160)  # a file has no width; 80 columns would cut the names
    for table in make_tables(results):
        console.print(table)
    _write_csv(config.out / "scores.csv", results)
    print(f"scores of {len(results)} logs: {config.out / 'scores.csv'}")
    for picture in _draw_worst(config.out / "worst", worst):
        print(f"worst: {picture}")
    return SOME_FAILED if failed else 0


def choose_logs(root: str | Path, split: str) -> list[LogFiles]:
    """Logs of a data set, at least one, with masks of their images' sizes.

    Raises:
        DataError: else; see also `list_logs`.
    """
    from wellseg.training.masks import check_size

    logs = list_logs(root, split)
    if not logs:
        count: dict[str, int] = {}
        for log in list_logs(root):
            count[log.split] = count.get(log.split, 0) + 1
        there = ", ".join(f"{number} in {name}" for name, number in count.items())
        raise DataError(f"{root}: no logs in split {split} ({there}); choose another --split")
    for log in logs:
        check_size(log.mask, log.image)
    return logs


def make_predictor(config: EvaluateConfig, logs: Sequence[LogFiles]) -> Predict:
    """Give the function that makes, or reads, the mask of a log: bool (rows, columns).

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
        return lambda log: read_mask(masks[log.name]) == 255

    if config.baseline:
        from wellseg.scores.masks import baseline_mask

        return lambda log: baseline_mask(_read_gray(log.image))

    from wellseg.device import pick_device
    from wellseg.rows.segment import segment
    from wellseg.weights import load_model, read_header, weights_path, window_rows_of

    pick_device(config.device)
    model = load_model(config.weights)
    options: dict[str, Any] = {
        "precision": config.precision,
        "device": config.device,
        "memory": config.memory,
        "window_rows": window_rows_of(
            read_header(weights_path(config.weights)), config.window_rows
        ),
    }
    return lambda log: segment(model, log.image, **options) > config.threshold


def score_files(log: LogFiles, prediction: Mask) -> Scores:
    """Score a mask, bool (rows, columns), against a log's files."""
    from wellseg.scores.masks import draw_centrelines, score_log
    from wellseg.training.masks import read_mask

    truth = read_mask(log.mask)
    centreline = draw_centrelines(log.label, truth.shape) if log.label else None
    return score_log(prediction, truth, centreline=centreline)


def mean_scores(results: Iterable[LogScores]) -> dict[str, float]:
    """Means over logs: of `SHARES` over logs with curves, of `FALSE` over those without.

    Scores that no log has are left out.
    """
    values: dict[str, list[float]] = {}
    for result in results:
        for name in SHARES if result.scores.has_curves else (FALSE,):
            values.setdefault(name, []).append(getattr(result.scores, name))
    return {name: math.fsum(numbers) / len(numbers) for name, numbers in values.items()}


def make_tables(results: Sequence[LogScores]) -> list[Table]:
    """One table of the logs with curves and one of those without, each with its means below."""
    from rich.table import Table

    tables = []
    for has_curves, title, columns in (
        (True, "Logs with curves", SHARES),
        (False, "Logs without curves", {FALSE: "false centreline px per row"}),
    ):
        chosen = [result for result in results if result.scores.has_curves == has_curves]
        if not chosen:
            continue
        table = Table("log", "split", "kind", title=title, title_justify="left")
        for heading in columns.values():
            table.add_column(heading, justify="right")
        for result in chosen:
            cells = [f"{getattr(result.scores, name):.3f}" for name in columns]
            table.add_row(result.log.name, result.log.split, result.log.kind, *cells)
        table.add_section()
        for (split, kind), group in _group(chosen).items():
            means = mean_scores(group)
            cells = [f"{means[name]:.3f}" for name in columns]
            what = "mean of 1 log" if len(group) == 1 else f"mean of {len(group)} logs"
            table.add_row(what, split, kind, *cells, style="bold")
        tables.append(table)
    return tables


def _group(results: Sequence[LogScores]) -> dict[tuple[str, str], list[LogScores]]:
    """By split and kind, by split, by kind, and all: each set of logs once."""
    groups: dict[tuple[str, str], list[LogScores]] = {}
    for split in ("train", "val", "test", "all"):
        kinds = sorted({result.log.kind for result in results})
        for kind in [*kinds, "all"]:
            group = [
                result
                for result in results
                if split in (result.log.split, "all") and kind in (result.log.kind, "all")
            ]
            if group:
                groups[split, kind] = group
    # Of equal sets the last one is the most general: "all, all" always stays.
    last = {tuple(result.log.name for result in group): key for key, group in groups.items()}
    return {key: group for key, group in groups.items() if key in last.values()}


def _score_logs(
    logs: Sequence[LogFiles], predict: Predict, keep: int
) -> tuple[list[LogScores], list[tuple[LogScores, Mask]], int]:
    """Score logs; gives the results, the worst `keep` with their masks, how many failed."""
    from rich.console import Console
    from rich.progress import Progress

    from wellseg.scan.reader import ScanError

    results: list[LogScores] = []
    worst = _Worst(keep)
    console = Console(stderr=True)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("scoring", total=len(logs))
        for log in logs:
            bar.update(task, description=log.name)
            try:
                prediction = predict(log)
                result = LogScores(log, score_files(log, prediction))
            except (ScanError, DataError, ValueError, OSError) as error:
                line = f"wellseg.evaluate: {log.name}: {error}"
                console.print(line, style="red", highlight=False, soft_wrap=True, markup=False)
            else:
                results.append(result)
                worst.offer(result, prediction)
            bar.advance(task)
    failed = len(logs) - len(results)
    if failed:
        line = f"{failed} of {len(logs)} logs failed"
        console.print(line, style="red", highlight=False, soft_wrap=True)
    return results, worst.masks(), failed


class _Worst:
    """The worst logs with curves, and the worst without; holds their masks, one bit per pixel."""

    def __init__(self, keep: int) -> None:
        self.keep = keep
        self._kept: dict[bool, list[tuple[LogScores, tuple[int, ...], NDArray[np.uint8]]]] = {
            True: [],
            False: [],
        }

    def offer(self, result: LogScores, prediction: Mask) -> None:
        import numpy as np

        if not self.keep or not badness(result.scores):
            return
        kept = self._kept[result.scores.has_curves]
        if len(kept) == self.keep and badness(result.scores) <= badness(kept[-1][0].scores):
            return
        kept.append((result, prediction.shape, np.packbits(prediction)))
        kept.sort(key=lambda entry: -badness(entry[0].scores))
        del kept[self.keep :]

    def masks(self) -> list[tuple[LogScores, Mask]]:
        import numpy as np

        return [
            (result, np.unpackbits(bits, count=math.prod(shape)).reshape(shape).view(np.bool_))
            for kept in (self._kept[True], self._kept[False])
            for result, shape, bits in kept
        ]


def badness(scores: Scores) -> float:
    """What logs are ranked by, 0 best: 1 - F1, or without curves false px per row."""
    return 1 - scores.f1_at_3px if scores.has_curves else scores.false_centreline_px_per_row


def draw_errors(
    gray: NDArray[np.uint8], prediction: Mask, truth: NDArray[np.uint8], tolerance_px: int = 3
) -> NDArray[np.uint8]:
    """Paint what was right and wrong by more than tolerance_px: RGB uint8 (rows, columns, 3).

    Predicted curve is green near a true one, else red; true curve without a predicted one near it
    is blue; what is not scored is pale. Cut to the scored part and some paper around.
    """
    import cv2
    import numpy as np

    from wellseg.scan import pictures
    from wellseg.scores.masks import widen

    left, top, width, height = cv2.boundingRect((truth != 128).view(np.uint8))
    box = np.s_[
        max(0, top - MARGIN_PX) : top + height + MARGIN_PX,
        max(0, left - MARGIN_PX) : left + width + MARGIN_PX,
    ]
    gray, prediction, truth = gray[box], prediction[box], truth[box]
    scored, true = truth != 128, truth == 255
    near = widen(true, tolerance_px)
    pale = np.where(scored, 120 + gray * (135 / 255), 200 + gray * (55 / 255))
    picture = cv2.cvtColor(pale.astype(np.uint8), cv2.COLOR_GRAY2RGB)
    picture[prediction & scored & ~near] = pictures.FALSE
    picture[prediction & scored & near] = pictures.HIT
    picture[true & ~widen(prediction, tolerance_px)] = pictures.MISSED
    reduction = math.ceil(math.sqrt(gray.size / PICTURE_PIXELS))
    if reduction > 1:
        size = (picture.shape[1] // reduction, picture.shape[0] // reduction)
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(picture, np.uint8)


def _draw_worst(folder: Path, worst: Sequence[tuple[LogScores, Mask]]) -> list[Path]:
    """Write a picture of each, numbered from the worst; gives their paths."""
    from wellseg.scan.atomic import atomic_file
    from wellseg.training.masks import read_mask

    if not worst:
        return []
    from wellseg.scan.pictures import encode_png

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    count = {True: 0, False: 0}
    for result, prediction in worst:
        has_curves = result.scores.has_curves
        count[has_curves] += 1
        kind = "curves" if has_curves else "no-curves"
        path = folder / f"{kind}-{count[has_curves]:02d}-{result.log.name}.png"
        picture = draw_errors(_read_gray(result.log.image), prediction, read_mask(result.log.mask))
        with atomic_file(path) as file:
            file.write(encode_png(picture))
        paths.append(path)
    return paths


def _write_csv(path: Path, results: Sequence[LogScores]) -> None:
    """One line per log. The shares of logs without curves are empty, and so is FALSE of others:
    then the mean of a column is the mean in the table."""
    from dataclasses import fields

    from wellseg.scan.atomic import atomic_file
    from wellseg.scores.masks import Scores

    counts = [count.name for count in fields(Scores)]
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, ["name", "split", "well", "kind", *SHARES, FALSE, *counts])
    writer.writeheader()
    for result in results:
        log, scores = result.log, result.scores
        shown = SHARES if scores.has_curves else (FALSE,)
        writer.writerow(
            {"name": log.name, "split": log.split, "well": log.well, "kind": log.kind}
            | {name: f"{getattr(scores, name):.4f}" for name in shown}
            | asdict(scores)
        )
    with atomic_file(path) as file:
        file.write(text.getvalue().encode())


def _read_gray(path: Path) -> NDArray[np.uint8]:
    from wellseg.scan.reader import open_scan

    with open_scan(path) as scan:
        return scan.read(0, scan.rows)


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    config, _ = parse(EvaluateConfig, "evaluate", __doc__ or "", argv, positional="data")
    from wellseg.weights import WeightsError

    try:
        status = evaluate(config)
    except (DataError, ValueError, WeightsError, OSError) as error:
        fail("evaluate", str(error), WRONG_USAGE)
    except KeyboardInterrupt:
        fail("evaluate", "stopped; no scores were written", INTERRUPTED)
    raise SystemExit(status)


if __name__ == "__main__":
    main()
