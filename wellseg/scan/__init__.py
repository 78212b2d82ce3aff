"""Scans as files: TIFF, PNG and JPEG to gray rows on demand, masks to TIFF, whole or not at all. No torch."""
