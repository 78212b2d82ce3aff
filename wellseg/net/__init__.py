"""The residual UNet and its options."""
