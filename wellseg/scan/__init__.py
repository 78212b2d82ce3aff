"""Reads rows of scans of many kinds; writes masks whole or not at all; finds scans and results."""

import re
from pathlib import Path

API_NUMBER = r"(?<!\d)(\d{2}[-_]\d{3}[-_]\d{5}(?:[-_]\d{2}(?!\d)){0,2}|\d{10}(?:\d{2}){0,2})(?!\d)"
"""State, county and well; sidetrack and event: 10, 12 or 14 digits (API Bulletin D12A)."""
SUFFIXES = frozenset(".tif .tiff .png .jpg .jpeg .bmp .jp2".split())
NOT_READ = frozenset(".pdf .webp .gif .djvu .djv .heic .avif .jxl .emf .cgm .svg .psd .xps".split())
NOT_OPENED = "System Volume Information", "lost+found", "@eaDir", "#recycle"  # of the system
MASK = ".mask.tif"
RESULTS = MASK, ".probability.tif", ".overlay.png", ".json", ".html", ".view", ".curves.csv", ".las"
"""Endings of the files and folders that predict writes for a scan."""
USUAL_DPI = 200.0  # of most scans; a scan that says none: Scan.likely_dpi


class ScanError(Exception):
    """One line saying what is wrong with which scan, and what to do."""


def one_line(error: BaseException) -> str:
    """The message of an exception, up to 2,000 characters; of an OSError: "file: reason"."""
    said = str(error)
    if isinstance(error, OSError) and error.strerror:
        is_file = isinstance(error, FileExistsError | NotADirectoryError)
        said = "a file is where a folder should be" if is_file else error.strerror
        said = f"{error.filename}: {said}" if error.filename else said
    return " ".join(said.split())[:2000] or type(error).__name__


def well_of(name: str) -> str:
    """A well by the name of a file: ten digits of its API number, or what stands before a _."""
    api = re.search(API_NUMBER, name)
    first = re.sub(r"\.p\d+$", "", name.split("_", 1)[0])  # of a file's further pages
    return re.sub(r"\D", "", api[0])[:10] if api else first or name


def is_scan_file(name: str) -> bool:
    """Tell by its name whether a file of a folder is to be opened (hidden ones are not)."""
    return Path(name).suffix.lower() in SUFFIXES and not Path(name).name.startswith(".")


def is_wanted(name: str, is_folder: bool) -> bool:
    if name.startswith((".", "$")) or name.endswith((".view", *NOT_OPENED)):
        return False
    is_picture = is_scan_file(name) or Path(name).suffix.lower() in NOT_READ
    return is_folder or (is_picture and not name.endswith(RESULTS))
