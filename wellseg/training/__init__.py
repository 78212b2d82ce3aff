"""What a training run is made of: data, samples, the LightningModule, callbacks."""
