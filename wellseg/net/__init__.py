"""The residual UNet and its losses."""
