"""Any such network on a scan of any height, strip by strip, with the whole scan's answer."""
