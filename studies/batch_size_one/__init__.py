"""The study behind ``python -m wellseg.compare``: what is trained, on what, how it is scored and judged.

arms -> train (one run) -> scores and layers (what is measured of it) -> results (a CSV) -> statistics.
"""
