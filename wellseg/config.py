"""Options of commands that mask scans. No heavy import, not even for types: --help is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from wellseg.curves.options import OF_ONE_SCAN, OF_VIEW, CurveOptions
from wellseg.net.options import at_least, parse_bytes


@dataclass(kw_only=True)
class MaskOptions:
    weights: str | None = None
    """A bundled name or a .safetensors file. Default: the bundled weights."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bf16 where the machine multiplies it in hardware, else fp32."""
    threshold: float = 0.5
    """A pixel is curve where its probability is higher."""
    memory: str | int = "2GB"
    """Limit for the program, or with ray for each scan. More goes to temporary files."""
    window_rows: int | None = None
    """Rows of the window that slides along the depth and gives norms their statistics. 0: the
    statistics of the whole scan. Default: as the weights say (the bundled ones: 2000)."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ValueError(f"--threshold lies between 0 and 1, not {self.threshold}")
        parse_bytes(self.memory)
        if self.window_rows != 0:  # 256 rows are still several rows of the coarsest map
            at_least(256, window_rows=self.window_rows)


@dataclass
class PredictConfig(MaskOptions, CurveOptions):
    scans: list[str]
    """Scans (TIFF, PNG, JPEG, BMP, JP2), folders, patterns (*.tif); also fsspec URLs (s3://...)."""
    out: str | None = None
    """Folder or URL for the results; folders keep their structure. Default: beside each scan."""
    engine: Literal["local", "ray"] = "local"
    """local: this machine. ray: a running Ray cluster (pip install 'wellseg[ray]')."""
    jobs: int | None = None
    """Scans masked at once here. Default: one for each 2 cores and 1 GB of --memory; on a GPU 1."""
    threads: int | None = None
    """Cores for each scan. Default: the machine's cores divided by --jobs; with ray 1."""
    probability: bool = False
    """Write NAME.probability.tif, too: 8 bits, 255 is probability 1. --curves implies it."""
    view: bool = False
    """Write NAME.html and NAME.view/, too: the scan and its curves to look at in a browser."""
    curves: bool = False
    """Write NAME.curves.csv and NAME.las, too: each curve by itself. wellseg curves writes both
    again with other options, scales and corrections, in seconds, without the network."""
    invert: bool = False
    """The scans show white ink on black."""
    overwrite: bool = False
    """Mask all scans, also those done; forget their former --depth, --tracks, --scale and so on."""
    scratch: Path | None = None
    """Folder for temporary data. Default: the system's."""

    def __post_init__(self) -> None:
        MaskOptions.__post_init__(self)
        at_least(1, jobs=self.jobs, threads=self.threads)
        if self.out == "" or (self.out or "").endswith("://"):  # of a shell's variable, not set
            raise ValueError("--out is empty: name a folder, or leave it out")
        if self.scratch is not None and not self.scratch.is_dir():
            raise ValueError(f"--scratch {self.scratch}: no such folder")
        if self.engine == "ray" and self.jobs:
            raise ValueError("--jobs is for --engine local: with ray use --threads and --memory")
        self.probability |= self.curves
        self.asked = OF_ONE_SCAN if self.curves else OF_VIEW if self.view else ()
        for flag in OF_ONE_SCAN:
            if self.has(flag) and flag not in self.asked:
                needed = "--curves or --view" if flag in OF_VIEW else "--curves"
                raise ValueError(f"--{flag} is for the files that {needed} writes: give that, too")
        CurveOptions.__post_init__(self)
