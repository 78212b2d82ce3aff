"""A list of scans: what is done, who does the rest, progress."""
