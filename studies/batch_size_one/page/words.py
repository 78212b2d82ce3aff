"""Words for what the code calls by short names, beyond those of `figures`."""

from studies.batch_size_one.figures import TITLES
from studies.batch_size_one.findings import CORRECTED, FASTER, OWN, V1
from studies.batch_size_one.table import Way

NORMS = {
    "group16": "GroupNorm, groups of 16",
    "group8": "GroupNorm, groups of 8",
    "group4": "GroupNorm, groups of 4",
    "groups8": "GroupNorm, always 8 groups",
    "layer": "LayerNorm",
    "renorm": "Batch Renorm",
    "group_ws": "GroupNorm and weight standardisation",
    "online": "Online Normalization (over 1,000 logs; a run has 400)",
}
"""Of part B."""
TRAINED = NORMS | {
    "group": "GroupNorm",
    "pooled": "pooled BatchNorm",
    "pooled_constant": "pooled BatchNorm, its statistics constant to the gradient",
    "batch_momenta": "BatchNorm",
    "batch_frozen": "BatchNorm, frozen",
    "instance": "InstanceNorm",
    "hybrid": "the hybrid",
}
"""What the norm of a training is called in the list of those that diverged."""
MIXED = {
    Way("batch_momenta", "m0.01", "F"): TITLES[V1],
    Way("batch_momenta", "m0.1", "F"): TITLES[FASTER],
    Way("batch_momenta", "own", "F"): TITLES[OWN],
    Way("hybrid", "m0.1", "F"): "InstanceNorm in the first stage, BatchNorm 0.1 behind",
}
FIXED = {V1, CORRECTED, FASTER, Way("renorm", "evaluation", "B"), Way("online", "evaluation", "B")}
"""Ways that read no statistics of the very log."""
PARTS = {
    "A": "every rate, momentum and step, against GroupNorm",
    "B": "eight other norms over the rates",
    "C": "one to eight logs a step",
    "D": "other statistics for the same weights",
    "E": "logs of the article’s size",
    "F": "both kinds of logs in the training",
    "G": "four times the steps",
    "H": "sixteen times the steps",
    "I": "the same at the other norm’s rate",
}


def title(way: Way) -> str:
    return TITLES.get(way) or NORMS.get(way.norm) or MIXED[way]
