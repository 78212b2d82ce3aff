"""Options of the commands that run a network, explained where they are defined.

Plain dataclasses and no heavy import, also not for type checking: jsonargparse resolves the types
here, and --help has to answer within a second.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from wellseg.curves.options import CurveOptions
from wellseg.net.options import at_least

MIN_WINDOW_ROWS = 256
"""A window for statistics holds several rows of the network's coarsest map, too."""


@dataclass(kw_only=True)
class InferenceOptions:
    """What every command that runs a network asks for."""

    weights: str | None = None
    """A bundled name or a .safetensors file. Default: the bundled weights."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bf16 where the machine multiplies it in hardware, else fp32."""


@dataclass(kw_only=True)
class MaskOptions(InferenceOptions):
    """What every command that masks whole scans asks for, too."""

    threshold: float = 0.5
    """A pixel is curve where its probability is higher."""
    memory: str | int = "2GB"
    """What the program may take, with ray what each scan may take; what does not fit goes to
    temporary files."""
    window_rows: int | None = None
    """Take the norms' statistics from windows of so many rows, sliding along the depth. 0: from the
    whole scan. Default: what the weights ask for in their header (the bundled ones 2000), or 0."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ValueError(f"--threshold lies between 0 and 1, not {self.threshold}")
        parse_bytes(self.memory)
        if self.window_rows and self.window_rows < MIN_WINDOW_ROWS:
            raise ValueError(
                f"--window_rows is 0, the whole scan, or at least {MIN_WINDOW_ROWS}, "
                f"not {self.window_rows}"
            )


@dataclass
class PredictConfig(MaskOptions):
    """Masks of scans."""

    scans: list[str]
    """Scans (TIFF, PNG, JPEG, BMP, JP2) or folders of them; also fsspec URLs (s3://...)."""
    out: str | None = None
    """Folder (or s3://... URL) for the results; folders of scans keep their structure in it.
    Default: beside each scan."""
    engine: Literal["local", "ray"] = "local"
    """local: this machine. ray: a running Ray cluster (pip install 'wellseg[ray]')."""
    jobs: int | None = None
    """Scans side by side on this machine. Default: one for two cores, as many as have 1 GB of
    --memory each."""
    threads: int | None = None
    """Cores that each scan computes on. Default: the machine's over --jobs; with ray 2."""
    scratch: Path | None = None
    """Folder for temporary data. Default: the system's."""
    probability: bool = False
    """Write NAME.probability.tif, too: 8 bits, 255 for certainty."""
    view: bool = False
    """Write NAME.html, too: the scan and its curves to look at in a browser, with its pictures in
    NAME.view/."""
    traces: bool = False
    """Write NAME.traces.csv and NAME.las, too: each trace's centre in every row."""
    depth: list[str] = field(default_factory=list)
    """ROW=DEPTH ROW=DEPTH ...: depths of two or more rows of one scan, for --traces and --view.
    They hold between these rows and a tenth of that beyond."""
    depth_unit: Literal["ft", "m"] = "ft"
    """Of --depth."""
    tracks: list[str] = field(default_factory=list)
    """LEFT-RIGHT LEFT-RIGHT ...: columns of one scan between which its tracks lie, for the LAS
    file of --traces. Default: they are looked for."""
    rows: str | None = None
    """FROM-TO: rows of one scan in which --traces looks for traces, one of two logs on it, say. The
    mask has all rows."""
    invert: bool = False
    """The scans show white ink on black."""
    overwrite: bool = False
    """Do scans again that are done already with these weights and options."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, jobs=self.jobs, threads=self.threads)
        if self.engine == "ray" and self.jobs:
            raise ValueError(
                "--jobs is of --engine local: "
                "with ray, --threads and --memory say what fits on a machine"
            )
        if self.scratch is not None and not self.scratch.is_dir():
            raise ValueError(f"--scratch {self.scratch}: no such folder")
        if self.depth and not (self.traces or self.view):
            raise ValueError("--depth is for what --traces and --view write: give one of them, too")
        for flag, given in (("--tracks", self.tracks), ("--rows", self.rows)):
            if given and not self.traces:
                raise ValueError(f"{flag} is for the files that --traces writes: give both")
        self.curve_options()

    def curve_options(self) -> CurveOptions:
        """What was said of the scan's curves. Raises ValueError."""
        return CurveOptions.parse(self.depth, self.depth_unit, self.tracks, self.rows)


def parse_bytes(size: str | int) -> int:
    """ "2GB", "500 MB", "1.5GiB" or a number of bytes -> bytes. Raises ValueError."""
    if isinstance(size, int):
        return size
    match = re.fullmatch(r"\s*([\d.]+)\s*([KMGT]?)(i?)B?\s*", size, re.IGNORECASE)
    try:
        number = float(match[1]) if match else 0.0
    except ValueError:
        number = 0.0
    if not match or number <= 0:
        raise ValueError(f"--memory {size!r} is not a size: write for example 2GB or 500MB")
    base = 1024 if match[3] else 1000
    return int(number * base ** " KMGT".index(match[2].upper() or " "))
