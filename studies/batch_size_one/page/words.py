"""Words for what the code calls by short names."""

READS, FIXED = "reads", "fixed"
ARMS = {
    "batch_momenta m0.01": ("BatchNorm v1: momentum 0.01, running statistics", FIXED),
    "batch_momenta m0.01 corrected": ("BatchNorm, momentum 0.01, start corrected", FIXED),
    "batch_momenta m0.1": ("BatchNorm, momentum 0.1, running statistics", FIXED),
    "batch_momenta own": ("The log’s own statistics (= InstanceNorm)", READS),
    "group evaluation": ("GroupNorm, half_or_16", READS),
    "group16 evaluation": ("GroupNorm, groups of 16", READS),
    "group8 evaluation": ("GroupNorm, groups of 8", READS),
    "group4 evaluation": ("GroupNorm, groups of 4", READS),
    "groups8 evaluation": ("GroupNorm, always 8 groups", READS),
    "layer evaluation": ("LayerNorm", READS),
    "renorm evaluation": ("Batch Renorm", FIXED),
    "group_ws evaluation": ("GroupNorm and weight standardisation", READS),
    "online evaluation": ("Online Normalization", FIXED),
    "hybrid m0.1": ("InstanceNorm first, BatchNorm behind", FIXED),
    "instance evaluation": ("InstanceNorm", READS),
}
"""Of a norm and a way to ask it for a mask: words, and whether it reads statistics of the very log."""
PARTS = {
    "A": "Every rate, momentum and step, against GroupNorm",
    "B": "Eight other norms over the rates",
    "C": "One to eight logs a step",
    "D": "Without training: other statistics for the same weights",
    "E": "Logs of the article’s size",
    "F": "Both kinds of logs in the training",
}
