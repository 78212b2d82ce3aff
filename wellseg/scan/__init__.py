"""Files of many kinds to gray rows on demand; masks to TIFF, whole or not at all."""

USUAL_DPI = 200.0  # of a scan that does not say: most of the archive is


class ScanError(Exception):
    """One line saying what is wrong with which scan, and what to do."""


def one_line(error: BaseException) -> str:
    """What an exception of a library says, in one line, not too long."""
    return " ".join(str(error).split())[:500] or type(error).__name__
