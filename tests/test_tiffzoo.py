"""Oddities from other projects' test suites, and real scans; both lie beside the repository."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wellseg.scan.reader import ScanError, open_scan

REPOSITORY = Path(__file__).parent.parent
ZOO = REPOSITORY.parent / "shared" / "tiffzoo"
SCANS = REPOSITORY.parent / "shared" / "real" / "scans"


def zoo() -> list[Any]:
    manifest = ZOO / "manifest.json"
    entries = json.loads(manifest.read_text())["files"] if manifest.exists() else []
    return [pytest.param(entry, id=entry["file"]) for entry in entries]


@pytest.mark.parametrize("entry", zoo())
def test_zoo(entry: dict[str, Any]) -> None:
    path = ZOO / entry["file"]
    if entry["expect"] == "must_error":
        with pytest.raises(ScanError, match=entry["file"]), open_scan(path) as scan:
            scan.read(0, scan.rows)
        return
    with open_scan(path, page=0) as scan:
        if entry["expect"] == "reads_but_damaged":
            # Corrupt G4, which no library reports.
            assert len(scan.read(0, 1)) == 1
            with pytest.raises(ScanError, match=r"damaged from row \d+ on"):
                scan.read(0, scan.rows)
            return
        upright = (scan.columns, scan.rows)
        size = upright if scan.orientation < 5 else upright[::-1]
        if entry["pillow_size"]:
            assert size == tuple(entry["pillow_size"])
        if entry["width"]:
            assert upright == (entry["width"], entry["height"])
        if entry["pages"]:
            assert scan.pages == entry["pages"]
        gray = scan.read(0, scan.rows)
        if entry["pillow_mean_luma"] is not None:
            assert gray.mean() == pytest.approx(entry["pillow_mean_luma"], abs=0.05)
        else:
            assert 10 < gray.mean() < 245


@pytest.mark.parametrize("path", [
    pytest.param(path, id=path.name) for path in sorted(SCANS.glob("*.tif"))
])  # fmt: skip
def test_real_scans_open(path: Path) -> None:
    with open_scan(path) as scan:
        assert scan.rows > 5000 and 400 < scan.columns < 4000
        assert scan.dpi is not None and 50 < scan.dpi < 500
        if path.name == "AHB57.tif":  # takes two seconds: see below
            return
        places = [0, scan.rows // 2, scan.rows - 400]
        bands = [scan.read(start, start + 400) for start in places]
        assert all(band.shape == (400, scan.columns) for band in bands)
        gray = np.concatenate(bands)
        assert np.median(gray) > 127  # mostly paper
        assert gray.min() < 80  # and some ink


READ_ALL = """
import resource, sys
from wellseg.scan.reader import open_scan

def peak_kb():
    return int(next(l for l in open("/proc/self/status") if l.startswith("VmHWM")).split()[1])

before = peak_kb()
with open_scan(sys.argv[1]) as scan:
    for row in range(0, scan.rows, 1024):
        scan.read(row, min(row + 1024, scan.rows))
print(peak_kb() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux")
@pytest.mark.parametrize("name, limit_mb", [("AHB57.tif", 350), ("30-025-12481_0809.tif", 60)])
def test_memory_is_bounded_on_the_tallest_scans(name: str, limit_mb: int) -> None:
    """578 Mpx in one G4 strip, and 628 Mpx in 6,528."""
    if not (SCANS / name).exists():
        pytest.skip("needs the real scans")
    command = [sys.executable, "-c", READ_ALL, str(SCANS / name)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert int(done.stdout) / 1024 < limit_mb
