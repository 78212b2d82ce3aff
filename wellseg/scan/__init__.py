"""Files of many kinds to gray rows on demand; masks to TIFF, whole or not at all."""
