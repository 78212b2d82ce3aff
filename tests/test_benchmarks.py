"""What benchmarks/README.md names and no other test runs."""

import subprocess
import sys
from pathlib import Path

import lasio
import numpy as np
import pytest

from benchmarks.las import main


def test_a_las_is_as_far_from_the_logs_own_as_its_values_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a gamma ray 3 units too high on a scale of 150, off by two percent of it."""
    depth = np.arange(1000, 1100, 0.5)
    own = 60 + 40 * np.sin(depth)
    for name, values in (("own.las", own), ("made.las", own + 3)):
        las = lasio.LASFile()
        las.append_curve("DEPT", depth, unit="FT")
        las.append_curve("GR", values, unit="GAPI")
        las.write(str(tmp_path / name), version=2.0)
    paths = [str(tmp_path / name) for name in ("made.las", "own.las")]
    monkeypatch.setattr(sys, "argv", ["las.py", *paths, "GR=0:150:GAPI"])
    main()
    assert "GR: 200, 1.00, 0.00, " in (told := capsys.readouterr().out) and "2.00 %" in told, told


@pytest.mark.slow
def test_a_script_without_its_folders_says_how_it_is_called() -> None:
    script = Path(__file__).parents[1] / "benchmarks" / "plots.py"
    run = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True)
    assert "python benchmarks/plots.py" in run.stderr and "Traceback" not in run.stderr
