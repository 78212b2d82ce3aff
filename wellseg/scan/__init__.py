"""Files of many kinds to gray rows on demand; masks to TIFF, whole or not at all."""

USUAL_DPI = 200.0  # of a scan that does not say: most of the archive is


class ScanError(Exception):
    """One line saying what is wrong with which scan, and what to do."""


def in_words(error: BaseException) -> str:
    """What an exception says; the system's as "file: reason", without their number."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


def one_line(error: BaseException) -> str:
    """What an exception of a library says, in one line, not too long."""
    return " ".join(in_words(error).split())[:500] or type(error).__name__
