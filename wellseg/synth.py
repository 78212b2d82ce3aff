"""Draw synthetic logs with exact masks, as a data set that train, evaluate and compare read.

    wellseg synth drawn --count 12                       # to look at: drawn/images, drawn/masks
    wellseg synth drawn --count 500 --preset train --workers 2

The same seed gives the same logs on any machine and for any number of workers; logs that are
already there are not drawn again, so an interrupted run goes on and a larger count adds to it.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from wellseg.cli import run
from wellseg.net.options import at_least
from wellseg.training.options import Preset

NOTE = "corpus.json"
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

    def __post_init__(self) -> None:
        at_least(1, count=self.count, workers=self.workers)
        at_least(0, seed=self.seed)


def synth(config: SynthConfig) -> None:
    """Draw what is not there yet of images/NAME.tif and masks/NAME.tif, and list it in split.csv.

    Raises ValueError where the folder holds something else.
    """
    from wellseg.corpus import fingerprint, kind_of
    from wellseg.training.write_folder import claim, write_split

    out, seed, preset = config.out, config.seed, config.preset
    if out.is_dir() and any(out.iterdir()) and not (out / NOTE).exists():
        raise ValueError(f"{out}: is not empty and holds no corpus; name a new folder")
    claim(out, NOTE, {"preset": preset, "seed": seed, "corpus": fingerprint()})
    # By name: a run that was killed leaves hidden files beside them.
    there = {path.stem for path in (out / "images").glob(f"{preset}{seed}-*.tif")}
    names = {f"{preset}{seed}-{index:06d}": index for index in range(config.count)}
    todo = [(out, name, seed, index, preset) for name, index in names.items() if name not in there]
    # Not forked: a child that inherits OpenCV's thread pool without its threads waits for ever.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(config.workers, spawn) as pool:
        draw = map if min(config.workers, len(todo)) < 2 else pool.map
        list(draw(_draw, todo))
    lines = []
    for name in sorted(there | names.keys()):  # each is a well of its own
        index = int(name.rsplit("-", 1)[1])
        split = "val" if index % VAL_EVERY == 1 else "train"
        lines.append(f"{name},{split},{name},{kind_of(seed, index, preset)}")
    write_split(out, "name,split,well,kind", lines)
    print(f"drew {len(todo)} of {len(lines)} logs: {out / 'images'} and {out / 'masks'}")


def _draw(task: tuple[Path, str, int, int, str]) -> None:
    import cv2

    from wellseg.corpus import draw_log
    from wellseg.training.write_folder import write_log

    cv2.setNumThreads(1)
    out, name, seed, index, preset = task
    log = draw_log(seed, index, preset)
    write_log(out, name, log.image, log.mask, float(log.about["dpi"]))  # type: ignore[arg-type]


def main(argv: Sequence[str] | None = None) -> None:
    """The command."""
    run(synth, SynthConfig, "synth", __doc__ or "", argv, "out", "the same command goes on")


if __name__ == "__main__":
    main()
