"""From a mask's probability to curves, tracks, CSV and LAS.

A *run* is ink of one row; a *chain*, runs that touch from row to row (strands.py); a *strand*, a
chain that can carry curves (linking.py); a *curve*, strands that go on in each other (window.py).

    with open_scan("scan.tif", colour=True) as scan:
        picture, dpi = scan.read(0, scan.rows), scan.likely_dpi
        follower = CurveFollower(dpi, tracks=find_tracks(scan.read, range(scan.rows), dpi))
    mask = np.where(probability > 0.5, np.uint8(255), np.uint8(0))
    follower.add(picture, mask, np.rint(255 * probability).astype(np.uint8))
    follower.finish()
    places = [curve.points() for curve in follower.curves]  # row by row: Points, in points.py"""

from collections.abc import Collection
from pathlib import Path

from wellseg.scan.files import MADE_OF_MASK, is_foreign


def endings_of(stem: Path) -> list[str]:
    """Of the curves' CSV and LAS files, also of those not there; none of a scan NAME.1."""
    csv, las, *numbered = MADE_OF_MASK["curves"]
    return [csv, las, *(it for it in numbered if not Path(f"{stem}{it[:-4]}{csv}").exists())]


def remove_curves(stem: Path, written: Collection[str] = ()) -> None:
    """Remove curves' files of an earlier run, except those of the endings ``written``."""
    for ending in endings_of(stem):
        if ending not in written and not is_foreign(path := Path(f"{stem}{ending}")):
            path.unlink(missing_ok=True)
