"""Normalisation layers, each of them a word of ``--model.norm``.

A norm is one file: a ``Norm`` that is registered by its word.

    @register("mine")
    def mine(channels: int, momentum: Momentum) -> Norm:
        return MyNorm(channels)

Every file of this folder is imported here. Norms from elsewhere
(``studies/batch_size_one/norms.py``) register themselves when they are imported, before the
options are read.
"""

import importlib
import pkgutil

from wellseg.norms.base import NORMS, Momentum, Norm, make_norm, observing_nothing, register
from wellseg.norms.moments import Moments, block_moments, channel_statistics, merge_moments

__all__ = [
    "NORMS",
    "Moments",
    "Momentum",
    "Norm",
    "block_moments",
    "channel_statistics",
    "make_norm",
    "merge_moments",
    "observing_nothing",
    "register",
]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
