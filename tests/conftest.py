"""Shared by the tests: one thread, small data sets on disk, the shared folder where it is."""

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # two test runs on two cores would fight over threads

import numpy as np
import pytest
import tifffile

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real scans and oddities, beside the checkout on the developers' machines only."""
    if not SHARED.is_dir():
        pytest.skip("no ../shared here")
    return SHARED


def draw_waves(rows: int, columns: int, phase: float) -> tuple[np.ndarray, np.ndarray]:
    """A grid with one curve that any network learns within a few steps: gray and mask."""
    import cv2

    gray, mask = np.full((rows, columns), 255, np.uint8), np.zeros((rows, columns), np.uint8)
    gray[::16] = 0
    gray[:, ::16] = 0
    row = np.arange(rows)
    path = np.stack([columns / 2 + columns / 4 * np.sin(row / 17 + phase), row], 1).astype(np.int32)
    for picture, value in ((gray, 0), (mask, 255)):
        cv2.polylines(picture, [path[:, None]], False, value, 4)
    return gray, mask


@pytest.fixture
def data_set(tmp_path: Path) -> Path:
    """Six logs of six wells, each of another size."""
    root = tmp_path / "data"
    for part in ("images", "masks"):
        (root / part).mkdir(parents=True)
    for i in range(6):
        gray, mask = draw_waves(72 + 13 * i, 64 + 7 * i, phase=i)
        tifffile.imwrite(root / "images" / f"well{i}_a.tif", gray)
        tifffile.imwrite(root / "masks" / f"well{i}_a.tif", mask)
    lines = [f"well{i}_a,{'val' if i == 5 else 'train'},well{i}" for i in range(6)]
    (root / "split.csv").write_text("\n".join(["name,split,well", *lines]) + "\n")
    return root
