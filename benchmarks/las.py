"""How far a LAS made of a scan is from the log's own LAS, in shares of the printed scales.

    python benchmarks/las.py MADE.las OWN.las GR=0:150:GAPI RT=0.2:20:OHMM:log

Both call a curve by the same name. Counted are depths at which the log's own value is on the scale."""

import argparse

import lasio
import numpy as np

from wellseg.curves.options import Scale, parse_scale


def on_scale(values: np.ndarray, scale: Scale) -> np.ndarray:
    """From units to shares of the track, 0 to 1."""
    ends = np.array([scale.left, scale.right], float)
    if scale.is_log:
        values, ends = np.log(np.maximum(values, 1e-9)), np.log(ends)
    return (values - ends[0]) / (ends[1] - ends[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("made")
    parser.add_argument("own")
    parser.add_argument("scale", nargs="+", type=parse_scale)
    options = parser.parse_args()
    made, own = lasio.read(options.made), lasio.read(options.own)
    print("curve: depths, has a value, within 1 % of the scale, within 2 %, median error")
    for name, _, scale in options.scale:
        truth = on_scale(np.interp(made.index, own.index, own[name], np.nan, np.nan), scale)
        here = (truth > 0) & (truth < 1)
        error = 100 * abs(on_scale(made[name], scale) - truth)[here]
        known = error[~np.isnan(error)]
        shares = [len(known), *(np.count_nonzero(known < most) for most in (1, 2))]
        said = ", ".join(f"{share / len(error):.2f}" for share in shares)
        print(f"{name}: {len(error):,}, {said}, {np.median(known):.2f} %")


if __name__ == "__main__":
    main()
