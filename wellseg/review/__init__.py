"""Results that are there: curves made again without the network, and corrected by a person."""
