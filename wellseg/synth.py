"""Draw synthetic logs with exact masks and the paths of their curves: a data set.

    wellseg synth drawn --count 12                 # drawn/images, masks, labels
    wellseg synth drawn --count 500 --preset train

The same seed gives the same logs on any machine. Logs already in the folder are not drawn again:
an interrupted run goes on, and a larger count adds logs."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wellseg.cli import program
from wellseg.net.options import at_least
from wellseg.scan.atomic import encoding_of, separator_of, write_file
from wellseg.scan.files import read_report
from wellseg.training.options import Preset

NOTE = "corpus.json"


@dataclass
class SynthConfig:
    out: Path
    """Folder of the data set: new, empty, or with a corpus of the same seed and preset."""
    count: int = 64
    """Number of logs."""
    seed: int = 0
    """Log number i depends on the preset, the seed and i alone."""
    preset: Preset = "quick"
    """quick: about 1,300 x 700 px; train: to 1.6 Mpx; full: 3,200 x 480 and more; tiny: tests."""

    def __post_init__(self) -> None:
        at_least(1, count=self.count)
        at_least(0, seed=self.seed)


def synth(config: SynthConfig) -> None:
    """Draw the missing logs of a data set. Raises ValueError: the folder holds another one."""
    out, seed, preset = config.out, config.seed, config.preset
    if out.is_dir() and any(out.iterdir()) and not (out / NOTE).exists():
        raise ValueError(f"{out}: is not empty and holds no corpus; name a new folder")
    splits = {n: {1: "val", 2: "test"}.get(n % 10, "train") for n in range(config.count)}
    drawn = draw_logs(out, seed, preset, splits)
    print(f"drew {drawn} of {config.count} logs: images, masks and labels in {out}")


def draw_logs(out: Path, seed: int, preset: Preset, splits: Mapping[int, str]) -> int:
    """Draw the logs of these numbers that are not there yet, list those that split.csv has not,
    with their splits, and give how many were drawn. Raises ValueError: it holds another corpus."""
    from wellseg.corpus import draw_log, fingerprint, kind_of
    from wellseg.scan.writer import write_picture

    take_folder(out, NOTE, {"preset": preset, "seed": seed, "corpus": fingerprint()})
    drawn, table, listed = 0, out / "split.csv", "name,split,well,kind"
    if table.exists():
        listed = table.read_text(encoding_of(table), "surrogateescape").rstrip() or listed
    between = separator_of(listed)  # a spreadsheet may have saved it
    for number, split in splits.items():  # each is a well of its own
        name = f"{preset}{seed}-{number:06d}"
        if f"\n{name}{between}" not in listed.replace('"', ""):
            listed += "\n" + between.join((name, split, name, kind_of(seed, number, preset)))
        mask, image = (out / part / f"{name}.tif" for part in ("masks", "images"))
        label = out / "labels" / f"{name}.json"
        if not (label.exists() and mask.exists() and image.exists()):
            log = draw_log(seed, number, preset)
            write_file(label, json.dumps(log.about, default=lambda path: path.tolist()).encode())
            write_picture(mask, log.mask, dpi=log.about["dpi"])
            write_picture(image, log.image, dpi=log.about["dpi"], kind="1-bit")  # last: it is a log
            drawn += 1
    write_file(table, f"{listed}\n".encode(errors="surrogateescape"))
    return drawn


def take_folder(folder: Path, note: str, about: Mapping[str, object]) -> None:
    """Write a note of what a folder is for, or find the same note in it.
    Raises ValueError where the note differs: logs or runs of two kinds must not mix."""
    path, asked = folder / note, json.loads(json.dumps(about))
    if not path.exists():
        write_file(path, json.dumps(about, indent=1).encode())
    elif not (found := read_report(str(path))):
        raise ValueError(f"{path} is damaged: put back what it was, or name another folder")
    elif found != asked:
        other = [name for name in found | asked if found.get(name) != asked.get(name)]
        was, now = (", ".join(f"{name} {of.get(name)}" for name in other) for of in (found, asked))
        raise ValueError(f"{folder} has {was}, not {now}; remove it or name another folder")


main = program(synth, SynthConfig, "the same command goes on")
