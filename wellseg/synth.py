"""Draw synthetic logs with exact masks, as a data set that train, evaluate and compare read.

    wellseg synth drawn --count 12                       # to look at: drawn/images, drawn/masks
    wellseg synth drawn --count 500 --preset train --workers 2

The same seed gives the same logs on any machine and for any number of workers; logs that are
already there are not drawn again, so an interrupted run goes on and a larger count adds to it.
"""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from wellseg.cli import WRONG_USAGE, fail, parse
from wellseg.training.options import Preset

RECIPE = "corpus.json"
VAL_EVERY = 10
"""One log in so many is kept for validation: number 1, 11, 21, ..."""


@dataclass
class SynthConfig:
    """A data set of drawn logs."""

    out: Path
    """Folder of the data set: new, empty, or with a corpus of the same seed and preset."""
    count: int = 64
    """Number of logs."""
    seed: int = 0
    """Log number i is a pure function of (seed, i)."""
    preset: Preset = "quick"
    """Sizes. quick: about 1,300 x 700 pixels; train: real widths, 1 to 1.6 Mpx; full: whole logs of
    3,200 x 480 and more; tiny: for tests."""
    workers: int = 1
    """Processes that draw."""


class CorpusError(ValueError):
    """The folder cannot take this corpus; the message says why and what to do."""


def write_corpus(
    out: Path, count: int = 64, seed: int = 0, preset: Preset = "quick", workers: int = 1
) -> int:
    """Draw what is not there yet of a corpus; returns how many logs that were.

    Leaves images/NAME.tif, masks/NAME.tif and split.csv. The options are those of SynthConfig.

    Raises:
        CorpusError: the folder holds something else, or a number is out of range.
    """
    from wellseg.corpus import fingerprint

    if count < 1 or workers < 1 or seed < 0:
        given = f"{count}, {workers} and {seed}"
        raise CorpusError(
            f"--count and --workers are at least 1 and --seed at least 0, not {given}"
        )
    _claim(out, {"preset": preset, "seed": seed, "corpus": fingerprint()})
    todo = []
    for index in range(count):
        name = f"{preset}{seed}-{index:06d}"
        if not all((out / part / f"{name}.tif").is_file() for part in ("images", "masks")):
            todo.append((out, name, seed, index, preset))
    if workers > 1 and len(todo) > 1:
        # Not forked: a child that inherits OpenCV's thread pool without its threads waits for ever.
        spawn = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(todo)), spawn, _one_thread) as pool:
            for _ in pool.map(_write_log, todo, chunksize=1):
                pass
    else:
        for task in todo:
            _write_log(task)
    _write_split(out)
    return len(todo)


def _claim(out: Path, recipe: dict[str, object]) -> None:
    """Make the folder this corpus's own, or say what stands in the way."""
    from wellseg.scan.atomic import atomic_file

    if out.exists() and not out.is_dir():
        raise CorpusError(f"{out}: is a file; name a folder for the corpus")
    note = out / RECIPE
    if note.is_file():
        try:
            found = json.loads(note.read_text("utf-8"))
        except ValueError:
            found = None
        if found != recipe:
            raise CorpusError(
                f"{out}: holds another corpus ({found}), not {recipe}; remove it or name a new one"
            )
    elif out.is_dir() and any(out.iterdir()):
        raise CorpusError(f"{out}: is not empty and holds no corpus; name a new folder")
    (out / "images").mkdir(parents=True, exist_ok=True)
    (out / "masks").mkdir(exist_ok=True)
    if not note.is_file():
        with atomic_file(note) as file:
            file.write(json.dumps(recipe, indent=1).encode())


def _write_log(task: tuple[Path, str, int, int, str]) -> None:
    from wellseg.corpus import draw_log
    from wellseg.scan.writer import write_picture

    out, name, seed, index, preset = task
    log = draw_log(seed, index, preset)
    dpi = round(float(log.about["dpi"]))  # type: ignore[arg-type]
    # The mask first: an image without a mask would make the data set unreadable.
    for part, pixels in (("masks", log.mask), ("images", log.image)):
        write_picture(out / part / f"{name}.tif", pixels, dpi=dpi, bilevel=part == "images")


def _write_split(out: Path) -> None:
    """split.csv of every log that is there: each is a well of its own."""
    from wellseg.corpus import kind_of
    from wellseg.scan.atomic import atomic_file

    names = sorted(p.stem for p in (out / "images").glob("*.tif"))
    recipe = json.loads((out / RECIPE).read_text("utf-8"))
    lines = ["name,split,well,kind"]
    for name in names:
        index = int(name.rsplit("-", 1)[1])
        split = "val" if index % VAL_EVERY == 1 else "train"
        lines.append(f"{name},{split},{name},{kind_of(recipe['seed'], index, recipe['preset'])}")
    with atomic_file(out / "split.csv") as file:
        file.write(("\n".join(lines) + "\n").encode())


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    config, _ = parse(SynthConfig, "synth", __doc__ or "", argv, positional="out")
    try:
        drawn = write_corpus(**vars(config))
        there = f", {config.count - drawn} were there" if drawn < config.count else ""
        print(f"drew {drawn} logs{there}: {config.out / 'images'} and {config.out / 'masks'}")
    except (CorpusError, OSError) as error:
        fail("synth", str(error), WRONG_USAGE)


if __name__ == "__main__":
    main()
