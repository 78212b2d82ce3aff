"""From a mask's probability to curves, tracks, CSV and LAS."""
