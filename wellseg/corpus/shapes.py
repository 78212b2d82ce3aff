"""Curve shapes in the value's own space: float (samples,), 0 the left border and 1 the right one.

The curves of a log measure the same beds, so they share bed boundaries. Values may leave [0, 1]:
what happens then (wrap, clip, run into the next track) is decided when they are laid on a track.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .draws import Array, Draws, Shares, Span, Table

BEDS = Table(thickness_log_sd=0.9, middle=0.5, rock=0.35, trend=0.3, trend_beds=3.0)
SPREAD = Table(gain_log_sd=0.45, moved=0.55, place=(0.08, 0.92), mirrored=0.15)
COMPANION = Table(length=(20, 120), side_length=200, parted=(0.02, 0.15), fine=(0, 0.02),
                  blur=(0.3, 5))  # fmt: skip
KICKS = Table(every=(25, 150), uneven=(0.9, 1.1), samples=(2, 5), size=(0.02, 0.18))


@dataclass(frozen=True)
class Shape:
    """One kind of curve: the sum of what it names. Values in widths of a track, lengths in samples.

    Of a Span that starts above 0 a value is drawn in the logarithm.
    """

    at: Span = (0.5, 0.5)
    contrast: Span = (0, 0)  # of what a tool reads of the beds
    sand: float = -0.55  # sand's level over shale's
    odd: Span = (0, 0)  # share of beds that stand out: coal, a tight streak
    odd_size: float = 0.3
    blur: Span = (0.8, 5)  # of beds
    peaks: Span = (0, 0)  # share of samples where a peak stands
    peak_size: Span = (0.1, 0.3)
    peak_wide: Span = (0.3, 1.5)
    both_sides: bool = False
    knots: Span = (0, 0)  # samples between readings that are joined by straight lines
    knot_swing: float = 0.12
    shows: Span = (0, 0)  # share of readings that stand out, to the right
    held: bool = False  # a reading stays until the next: square corners
    slope: Span = (0, 0)  # in 1,000 samples
    wander: Span = (0, 0)
    wander_length: Span = (60, 200)
    noise: Span = (0, 0)
    noise_blur: Span = (0.4, 3)
    linear: bool = False  # a logarithmic reading on a linear scale


SHAPES = {
    "gamma_ray": Shape(contrast=(0.3, 1.1), odd=(0, 0.1), blur=(1, 5), noise=(0.012, 0.08),
                       noise_blur=(0.8, 5)),
    "spontaneous_potential": Shape(contrast=(0.4, 2.5), blur=(1.2, 15), wander=(0.02, 0.05),
                                   noise=(0.0005, 0.02), noise_blur=(0.2, 1)),
    # A quiet base with spikes that may cross the whole track in 10-20 rows.
    "resistivity": Shape(at=(0.2, 0.5), contrast=(0.2, 1.1), sand=0.25, odd=(0.05, 0.3),
                         odd_size=0.5, blur=(0.8, 8), noise=(0.0005, 0.015)),
    # Mostly low, with sudden excursions far off scale.
    "laterolog_linear": Shape(at=(0.2, 0.5), contrast=(0.2, 1.1), sand=0.25, odd=(0.05, 0.3),
                              odd_size=0.5, noise=(0.0005, 0.01), linear=True),
    "sonic": Shape(contrast=(0.3, 1.8), sand=0.35, odd=(0, 0.15), odd_size=0.15,
                   peaks=(0, 0.02), both_sides=True, noise=(0.006, 0.06)),  # missed cycles
    "porosity": Shape(contrast=(0.3, 1.8), sand=0.35, odd=(0, 0.15), odd_size=0.15,
                      blur=(0.8, 4), noise=(0.006, 0.06)),
    "caliper": Shape(at=(0.15, 0.5), contrast=(0.2, 1), sand=-0.1, odd=(0.1, 0.5), odd_size=0.3,
                     blur=(0.7, 10), noise=(0.0004, 0.012)),
    "nearly_straight": Shape(at=(0.03, 0.97), wander=(0.003, 0.02), noise=(0.001, 0.006)),
    "ramp": Shape(at=(-0.2, 1.2), slope=(-3, 3), wander=(0.02, 0.06)),  # temperature, volume
    "azimuth": Shape(slope=(2, 25), wander=(0.3, 0.6)),  # a turning sonde: wraps again and again
    "noisy": Shape(contrast=(0.3, 1.5), sand=0.35, noise=(0.04, 0.14)),
    "wavy": Shape(wander=(0.08, 0.3), wander_length=(6, 40)),  # swings of an old galvanometer
    "spikes": Shape(at=(0.05, 0.6), peaks=(0.01, 0.12), peak_size=(0.1, 0.5), wander=(0.02, 0.05),
                    noise=(0.003, 0.01)),
    # Total gas, tension, weight on bit: smooth, at one value, with rounded humps.
    "base_line": Shape(at=(0.03, 0.9), peaks=(0.002, 0.03), peak_wide=(1, 12), both_sides=True,
                       wander=(0.005, 0.015)),
    # Gas of a mud log: at rest near the left border, with shows that end in straight lines.
    "gas": Shape(at=(0, 0.12), knots=(2, 12), knot_swing=0, shows=(0.02, 0.3),
                 noise=(0.0005, 0.005)),
    "polygon": Shape(at=(0.1, 0.5), knots=(3, 14), shows=(0.04, 0.12)),  # drilling rate
    "stepped": Shape(at=(0.1, 0.7), knots=(3, 20), knot_swing=0.16, shows=(0, 0.1), held=True),
}  # fmt: skip


@dataclass(frozen=True)
class Beds:
    """Layers of rock: bed index of every depth sample, and a sandiness of every bed in [0, 1]."""

    index: Array  # (samples,) int
    sand: Array  # (beds,) float

    @property
    def samples(self) -> int:
        return len(self.index)


def draw_beds(draws: Draws, samples: int, thickness: float) -> Beds:
    """Beds of lognormal thickness (median ``thickness`` samples), two rocks that alternate."""
    count = int(samples / thickness * 2) + 8
    sizes = draws.rng.lognormal(np.log(thickness), BEDS.thickness_log_sd, count)
    index = np.searchsorted(np.cumsum(np.maximum(1, sizes)), np.arange(samples), side="right")
    rock = np.sign(draws.noise(count + 1)) * draws.rng.random(count + 1)
    trend = smooth(draws.noise(count + 1), BEDS.trend_beds)
    sand = np.clip(BEDS.middle + BEDS.rock * rock + BEDS.trend * trend, 0, 1)
    return Beds(np.minimum(index, count), sand)


def smooth(values: Array, sigma: float) -> Array:
    """Gaussian smoothing of a vector; sigma in samples, ends replicated."""
    if sigma < 0.3:
        return values
    row = np.ascontiguousarray(values, np.float32).reshape(1, -1)
    size = int(sigma * 3) * 2 + 1
    blurred = cv2.GaussianBlur(row, (size, 1), sigma, borderType=cv2.BORDER_REPLICATE)
    return blurred.ravel().astype(np.float64)


def drift(draws: Draws, samples: int, length: float) -> Array:
    """Slow wander of unit standard deviation and the given correlation length in samples."""
    knots = max(4, int(samples / max(length, 1.0)) + 4)
    at = np.linspace(0, knots - 1, samples)
    return smooth(np.interp(at, np.arange(knots), draws.noise(knots)), length * 0.35)


def draw_shape(draws: Draws, beds: Beds, shape: Shape) -> Array:
    """One curve of that kind: float (samples,)."""
    n = beds.samples
    x = draws.between(shape.at) + draws.span(shape.slope) * np.linspace(0, n / 1000, n)
    if shape.contrast[1]:
        count = len(beds.sand)
        odd = draws.rng.random(count) < draws.between(shape.odd)
        level = shape.sand * beds.sand + 0.08 * draws.noise(count)
        level = level + odd * draws.rng.gamma(1.2, shape.odd_size, count)
        read = smooth((level - level.mean())[beds.index], draws.span(shape.blur))
        slow = 0.5 * np.std(level) * drift(draws, n, draws.log_between((60, 400)))
        x = x + draws.span(shape.contrast) * (read + slow)
    if shape.peaks[1]:
        bunch = np.exp(1.2 * drift(draws, n, draws.log_between((20, 200))))
        there = draws.rng.random(n) < draws.span(shape.peaks) * bunch / bunch.mean()
        heights = there * draws.rng.gamma(1.3, draws.between(shape.peak_size), n)
        wide = draws.span(shape.peak_wide)
        side = draws.sign() if shape.both_sides else 1
        x = x + side * max(1.0, 2.5 * wide) * smooth(heights, wide)
    if shape.knots[1]:
        every = draws.span(shape.knots)
        count = int(2 * n / every) + 9
        uneven = draws.between((0, 0.6))
        at = np.cumsum(every * draws.rng.lognormal(0, uneven, count)) - every
        heights = shape.knot_swing * (draws.noise(count) + 1.5 * drift(draws, count, 8))
        shows = draws.rng.random(count) < draws.between(shape.shows)
        heights = heights + shows * draws.rng.gamma(1.4, 0.3, count)
        last = np.searchsorted(at, np.arange(n), side="right") - 1
        x = x + (heights[last] if shape.held else np.interp(np.arange(n), at, heights))
    length = draws.span(shape.wander_length)
    x = x + draws.span(shape.wander) * drift(draws, n, length)
    busy = np.exp(0.8 * drift(draws, n, n / 6 + 8))  # noise switches between quiet and busy
    x = x + draws.span(shape.noise) * busy * smooth(draws.noise(n), draws.span(shape.noise_blur))
    if shape.linear:
        x = draws.between((0.01, 0.1)) * np.exp(draws.between((2, 4)) * x)
    return x


def draw_values(draws: Draws, beds: Beds, shapes: Shares, liveliness: float) -> Array:
    """One curve: float (samples,), mostly within [0, 1], placed somewhere across the track.

    shapes: names in SHAPES with their shares. liveliness: scales all swings; about 1.
    """
    name = draws.pick(shapes)
    x = draw_shape(draws, beds, SHAPES[name])
    centre = float(np.median(x))
    x = centre + (x - centre) * liveliness * float(np.exp(draws.normal(SPREAD.gain_log_sd)))
    if name == "gas":
        return x
    if draws.chance(SPREAD.moved):  # the scale an engineer chose puts it anywhere
        x = x - centre + draws.between(SPREAD.place)
    return 1 - x if draws.chance(SPREAD.mirrored) else x


def companion(draws: Draws, values: Array) -> Array:
    """A second reading of the same thing (medium and deep, density and neutron).

    It shares the path for a while, parts, crosses and comes back.
    """
    n = len(values)
    away = np.abs(drift(draws, n, draws.between(COMPANION.length)))
    side = np.sign(drift(draws, n, COMPANION.side_length) + 0.3)
    parted = draws.between(COMPANION.parted) * np.maximum(0, away - 0.5) * side
    fine = draws.between(COMPANION.fine) * smooth(draws.noise(n), 1.0)
    return smooth(values, draws.between(COMPANION.blur)) + parted + fine


def kick(draws: Draws, values: Array) -> None:
    """A collar locator's kicks at each collar of the casing, in place: short, to both sides.

    Measured on two renders of 70 dpi: kicks of 5-8 rows to both sides, 15-40 px wide in all.
    """
    every = draws.log_between(KICKS.every)
    at = draws.between((0, every))
    while at < len(values) - KICKS.samples[1]:
        part = values[int(at) : int(at) + draws.whole(KICKS.samples)]
        part += draws.between(KICKS.size) * draws.noise(len(part))
        at += every * draws.between(KICKS.uneven)
