"""Options of the commands that run a network, explained where they are defined.

Plain dataclasses and no heavy import, also not for type checking: --help is to be quick.
"""

from dataclasses import dataclass
from typing import Literal

from wellseg.curves.options import OF_ONE_SCAN, OF_VIEW, CurveOptions
from wellseg.net.options import at_least, parse_bytes


@dataclass(kw_only=True)
class MaskOptions:
    """What every command that masks whole scans asks for."""

    weights: str | None = None
    """A bundled name or a .safetensors file. Default: the bundled weights."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    """auto: bf16 where the machine multiplies it in hardware, else fp32."""
    threshold: float = 0.5
    """A pixel is curve where its probability is higher."""
    memory: str | int = "2GB"
    """Limit of the program, with ray for each scan. The rest goes to temporary files."""
    window_rows: int | None = None
    """Take the norms' statistics from windows of so many rows, sliding along the depth. 0: from the
    whole scan. Default: what the weights ask for (the bundled ones 2000)."""

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise ValueError(f"--threshold lies between 0 and 1, not {self.threshold}")
        parse_bytes(self.memory)
        if self.window_rows != 0:  # the whole scan; else several rows of the coarsest map, too
            at_least(256, window_rows=self.window_rows)


@dataclass
class PredictConfig(MaskOptions, CurveOptions):
    """Masks of scans."""

    scans: list[str]
    """Scans (TIFF, PNG, JPEG, BMP, JP2) or folders of them; also fsspec URLs (s3://...)."""
    out: str | None = None
    """Folder or URL for the results; folders keep their structure. Default: beside each scan."""
    engine: Literal["local", "ray"] = "local"
    """local: this machine. ray: a running Ray cluster (pip install 'wellseg[ray]')."""
    jobs: int | None = None
    """Scans side by side on this machine. Default: one for two cores and 1 GB of --memory."""
    threads: int | None = None
    """Cores that each scan computes on. Default: the machine's over --jobs; with ray 1."""
    probability: bool = False
    """Write NAME.probability.tif, too: 8 bits, 255 for certainty. --curves writes it anyway."""
    view: bool = False
    """Write NAME.html, too: the scan and its curves to look at in a browser (with NAME.view/)."""
    curves: bool = False
    """Write NAME.curves.csv and NAME.las, too: each curve by itself, in fractions of its track.
    From NAME.probability.tif wellseg curves makes both again with other options in seconds."""
    invert: bool = False
    """The scans show white ink on black."""
    overwrite: bool = False
    """Do scans again that are done already with these weights and options, and forget what was said
    of one alone (--depth, --step, --tracks, --rows)."""

    def __post_init__(self) -> None:
        MaskOptions.__post_init__(self)
        at_least(1, jobs=self.jobs, threads=self.threads)
        if self.engine == "ray" and self.jobs:
            raise ValueError("--jobs is of --engine local: with ray, --threads and --memory say it")
        if self.scratch is not None and not self.scratch.is_dir():
            raise ValueError(f"--scratch {self.scratch}: no such folder")
        self.probability |= self.curves
        self.asked = OF_ONE_SCAN if self.curves else OF_VIEW if self.view else ()
        for flag in OF_ONE_SCAN:
            if getattr(self, flag) and flag not in self.asked:
                needed = "--curves or --view" if flag in OF_VIEW else "--curves"
                raise ValueError(f"--{flag} is for what {needed} writes: give that, too")
        CurveOptions.__post_init__(self)
