"""Runs a network on a scan of any height, strip by strip, with the result of the whole scan."""
