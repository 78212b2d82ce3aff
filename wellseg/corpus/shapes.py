"""Curve shapes in the value's own space: float (samples,), 0 the left border and 1 the right one.

The curves of a log measure the same beds, so they share bed boundaries. Values may leave [0, 1]:
what happens then (wrap, clip, run into the next track) is decided when they are laid on a track.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .draws import Array, Draws, Shares, Table

SPREAD = Table(
    gain={"as it is": 0.62, "quiet": 0.18, "wild": 0.2}, quiet=(0.25, 0.8), wild=(1.2, 2.5),
    laminated=0.2, laminae=(0.01, 0.07), moved=0.55, place=(0.08, 0.92), on_a_line=0.15,
    mirrored=0.15, stuck=0.05, stuck_samples=(10, 150), thrash=(0.03, 0.3),
)  # fmt: skip


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
    sizes = np.maximum(1, np.exp(draws.rng.normal(np.log(thickness), 0.9, count)))
    index = np.searchsorted(np.cumsum(sizes), np.arange(samples), side="right")
    slow = smooth(draws.noise(count + 1), 3.0)
    rock = np.sign(draws.noise(count + 1)) * draws.rng.random(count + 1)
    return Beds(np.minimum(index, count), np.clip(0.5 + 0.35 * rock + 0.3 * slow, 0, 1))


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


def chatter(draws: Draws, samples: int) -> Array:
    """Noise that switches between quiet and busy intervals."""
    busy = np.exp(0.8 * drift(draws, samples, samples / 6 + 8))
    return smooth(draws.noise(samples), draws.log_between((0.4, 3))) * busy


def read(draws: Draws, beds: Beds, level: Array, blur: tuple[float, float],
         contrast: tuple[float, float]) -> Array:  # fmt: skip
    """What a tool reads of a level for each bed, around 0: blurred over samples, more or less."""
    sharp = smooth(level[beds.index] - level.mean(), draws.log_between(blur))
    slow = drift(draws, beds.samples, draws.log_between((60, 400)))  # rock also changes slowly
    signal: Array = draws.log_between(contrast) * (sharp + 0.5 * float(np.std(level)) * slow)
    return signal


def streaked(draws: Draws, level: Array) -> Array:
    """With beds of another rock here and there: coal, a tight streak."""
    there = draws.rng.random(len(level)) < draws.between((0, 0.15))
    streaks: Array = there * 0.2 * draws.noise(len(level))
    return level + streaks


def gamma_ray(draws: Draws, beds: Beds) -> Array:
    hot = draws.rng.random(len(beds.sand)) < 0.06
    level = np.where(hot, 1.2, 0.75 - 0.55 * beds.sand) + 0.08 * draws.noise(len(beds.sand))
    counts = smooth(draws.noise(beds.samples), draws.log_between((0.8, 5)))
    signal = read(draws, beds, level, (1.0, 5.0), (0.3, 1.1))
    return 0.5 + signal + draws.log_between((0.012, 0.08)) * counts


def spontaneous_potential(draws: Draws, beds: Beds) -> Array:
    signal = read(draws, beds, 0.8 - 0.6 * beds.sand, (1.2, 15.0), (0.4, 2.5))
    noise = draws.log_between((0.0005, 0.012) if draws.chance(0.9) else (0.02, 0.08))
    slow = 0.05 * drift(draws, beds.samples, 200)
    return 0.5 + signal + slow + noise * draws.noise(beds.samples)


def resistivity(draws: Draws, beds: Beds) -> Array:
    """Log-scaled: a quiet base with spikes that may cross the whole track in 10-20 rows."""
    logs = 0.25 + 0.25 * beds.sand + 0.12 * draws.noise(len(beds.sand))
    tight = draws.rng.random(len(logs)) < draws.between((0.05, 0.3))
    logs = logs + tight * draws.rng.gamma(1.2, 0.35, len(logs))
    signal = read(draws, beds, logs, (0.8, 8.0), (0.2, 1.1))
    return 0.35 + signal + draws.log_between((0.0005, 0.015)) * chatter(draws, beds.samples)


def laterolog_linear(draws: Draws, beds: Beds) -> Array:
    """The same on a linear scale: mostly low, with sudden excursions far off scale."""
    logs = resistivity(draws, beds)
    return draws.between((0.01, 0.1)) * np.exp(draws.between((2.0, 4.0)) * logs)


def sonic(draws: Draws, beds: Beds) -> Array:
    x = porosity(draws, beds)
    # A missed cycle is a one-sided spike.
    skips = draws.rng.random(beds.samples) < max(0.0, draws.between((-0.01, 0.02)))
    return x + smooth(skips * draws.rng.uniform(-0.5, 1.2, beds.samples), 0.6)


def porosity(draws: Draws, beds: Beds) -> Array:
    level = streaked(draws, 0.35 + 0.35 * beds.sand)
    noise = draws.log_between((0.006, 0.06)) * smooth(draws.noise(beds.samples), 1.2)
    return 0.5 + read(draws, beds, level, (0.8, 4.0), (0.3, 1.8)) + noise


def caliper(draws: Draws, beds: Beds) -> Array:
    """The bit's size, with washouts in the shales and a step where casing ends."""
    washed = draws.rng.random(len(beds.sand)) < 0.5
    hole = np.maximum(0, 0.5 - beds.sand) * draws.between((0, 1.2)) * washed
    x = draws.between((0.15, 0.5)) + smooth(hole[beds.index], draws.log_between((0.7, 10)))
    x = x + draws.log_between((0.0004, 0.012)) * draws.noise(beds.samples)
    if draws.chance(0.3):
        x[draws.whole((0, beds.samples - 1)) :] += draws.between((-0.2, 0.2))
    return x


def nearly_straight(draws: Draws, beds: Beds) -> Array:
    """Tension, a dead channel: nearly a ruled line, perhaps with regular pips."""
    wander = draws.between((0.003, 0.02)) * drift(draws, beds.samples, 120)
    x = draws.between((0.03, 0.97)) + wander + 0.003 * smooth(draws.noise(beds.samples), 1.5)
    if draws.chance(0.4):
        pips(draws, x)
    elif draws.chance(0.4):
        x = x + draws.between((0.002, 0.01)) * chatter(draws, beds.samples)
    return x


def pips(draws: Draws, values: Array) -> None:
    """Of a collar locator, in place: to one side and to the other, at even distances."""
    every = int(draws.log_between((25, 150)))
    at = np.arange(draws.whole((0, every - 1)), len(values) - 3, every)
    size = draws.between((0.02, 0.12))
    values[at] += size
    values[at + 1] -= size


def ramp(draws: Draws, beds: Beds) -> Array:
    """Temperature, integrated volume: a drift across the track with depth."""
    t = np.linspace(0, 1, beds.samples)
    line = draws.between((-0.2, 1.2)) + draws.between((-1, 1)) * t
    return line + 0.05 * drift(draws, beds.samples, beds.samples / 3 + 4)


def azimuth(draws: Draws, beds: Beds) -> Array:
    """The bearing of a turning sonde: runs out of the track again and again, to wrap."""
    turns = draws.sign() * beds.samples / draws.log_between((40, 600))
    return np.linspace(0, turns, beds.samples) + 0.5 * drift(draws, beds.samples, 80)


def noisy(draws: Draws, beds: Beds) -> Array:
    """A channel that mostly chatters: neutron at high speed, rate of penetration, gas."""
    return porosity(draws, beds) + draws.between((0.03, 0.12)) * chatter(draws, beds.samples)


def wavy(draws: Draws, beds: Beds) -> Array:
    """Smooth swings from one side to the other, as old galvanometers draw them."""
    return 0.5 + draws.between((0.08, 0.3)) * drift(draws, beds.samples, draws.log_between((6, 40)))


def spikes(draws: Draws, beds: Beds) -> Array:
    """A quiet base line with a train of sharp one-sided peaks, single or in bunches."""
    n = beds.samples
    bunch = np.exp(1.2 * drift(draws, n, draws.log_between((20, 200))))
    there = draws.rng.random(n) < draws.log_between((0.01, 0.12)) * bunch / bunch.mean()
    heights = there * draws.rng.gamma(1.3, draws.between((0.1, 0.4)), n)
    x = draws.between((0.05, 0.6)) + heights + 0.05 * drift(draws, n, 100)
    return smooth(x, draws.between((0.4, 1.5))) + 0.006 * draws.noise(n)


def base_line(draws: Draws, beds: Beds) -> Array:
    """Total gas, tension, weight on bit: a smooth line at one value, with rounded humps."""
    n = beds.samples
    x = np.zeros(n)
    for _ in range(draws.count(n * draws.log_between((0.002, 0.03)))):
        wide, high = draws.log_between((1, 12)), draws.rng.gamma(1.2, 0.12)
        at = draws.whole((0, n - 1))
        part = np.arange(max(0, at - int(4 * wide)), min(n, at + int(4 * wide)))
        x[part] += high * np.exp(-0.5 * ((part - at) / wide) ** 2)
    x *= draws.one_of((-1, 1, 1))
    return x + draws.between((0.03, 0.9)) + 0.01 * drift(draws, n, 60)


def gas(draws: Draws, beds: Beds) -> Array:
    """Gas of a mud log: at rest near the left border, with shows that end in straight lines."""
    n = beds.samples
    x = np.full(n, draws.between((0.0, 0.12)))
    for _ in range(draws.count(n * draws.log_between((0.002, 0.02)))):
        a, long = draws.whole((0, n - 1)), draws.log_between((3, 60))
        knots = draws.rng.gamma(1.2, 0.25, 5) * np.array([0.2, 1, 0.8, 0.5, 0.1])
        part = np.arange(a, min(n, a + int(long)))
        x[part] += np.interp(part, np.linspace(a, a + long, 5), knots)
    return x + draws.log_between((0.0005, 0.01)) * draws.noise(n)


def polygon(draws: Draws, beds: Beds) -> Array:
    """A few readings joined by straight lines: drilling rate, gas, charted by hand or program."""
    every = draws.log_between((3, 14))
    knots = int(beds.samples / every) + 2
    x = 0.25 + 0.12 * draws.noise(knots) + 0.2 * drift(draws, knots, 8)
    x = x + (draws.rng.random(knots) < 0.08) * draws.rng.gamma(1.5, 0.3, knots)
    return np.interp(np.arange(beds.samples) / every, np.arange(knots), x)


def stepped(draws: Draws, beds: Beds) -> Array:
    """Blocks with square corners: one value a bed, or one for each few feet drilled."""
    if draws.chance(0.5):
        values: Array = (0.2 + 0.6 * draws.rng.random(len(beds.sand)))[beds.index]
        return values
    every = draws.log_between((3, 14))
    held: Array = polygon(draws, beds)[(np.arange(beds.samples) // every * every).astype(int)]
    return held


SHAPES = {
    shape.__name__: shape
    for shape in (
        gamma_ray, spontaneous_potential, resistivity, laterolog_linear, sonic, porosity, caliper,
        nearly_straight, ramp, azimuth, noisy, wavy, spikes, base_line, gas, polygon, stepped,
    )
}  # fmt: skip


def draw_values(draws: Draws, beds: Beds, shapes: Shares, liveliness: float) -> Array:
    """One curve: float (samples,), mostly within [0, 1], placed somewhere across the track.

    shapes: names in SHAPES with their shares. liveliness: scales all swings; about 1.
    """
    name = draws.pick(shapes)
    x = SHAPES[name](draws, beds)
    centre = float(np.median(x))
    gain = draws.pick(SPREAD.gain)
    if gain != "as it is":
        liveliness = liveliness * draws.between(SPREAD.quiet if gain == "quiet" else SPREAD.wild)
    x = centre + (x - centre) * liveliness
    if draws.chance(SPREAD.laminated):  # thin laminae that every tool sees a little of
        fine = smooth(draws.noise(beds.samples), 1.5) * liveliness * draws.between(SPREAD.laminae)
        x = x + fine * np.exp(0.5 * drift(draws, beds.samples, 60))
    if name == "gas":
        return x
    if draws.chance(SPREAD.moved):  # the scale an engineer chose puts it anywhere
        x = x - centre + draws.between(SPREAD.place)
    elif draws.chance(SPREAD.on_a_line) and np.std(x) > 0.03:
        x = x - centre + draws.whole((1, 9)) / 10
    if draws.chance(SPREAD.mirrored):
        x = 1 - x
    if draws.chance(SPREAD.stuck):  # the tool is stuck, or moved: the pen only thrashes
        a = draws.whole((0, beds.samples - 1))
        part = x[a : a + int(draws.log_between(SPREAD.stuck_samples))]
        part += draws.between(SPREAD.thrash) * draws.noise(len(part))
    return x


def companion(draws: Draws, values: Array) -> Array:
    """A second reading of the same thing (medium and deep, density and neutron).

    It shares the path for a while, parts, crosses and comes back.
    """
    away = np.abs(drift(draws, len(values), draws.between((20, 120))))
    side = np.sign(drift(draws, len(values), 200) + 0.3)
    parted = draws.between((0.02, 0.15)) * np.maximum(0, away - 0.5) * side
    fine = draws.between((0, 0.02)) * smooth(draws.noise(len(values)), 1.0)
    return smooth(values, draws.between((0, 5))) + parted + fine


def collar_locator(draws: Draws, samples: int, track_px: float) -> Array:
    """Straight down, trembling by a pixel or not at all; at each collar of the casing it kicks.

    Measured on two renders of 70 dpi: kicks of 5-8 rows to both sides, 15-40 px wide in all.
    """
    tremor = draws.between((0, 0.6)) / track_px if draws.chance(0.6) else 0.0
    values = draws.between((0.04, 0.96)) + tremor * draws.noise(samples)
    every = draws.log_between((25, 150))
    at = draws.between((0, every))
    while at < samples - 6:
        kick = draws.between((0.02, 0.18)) * draws.noise(draws.whole((2, 5)))
        values[int(at) : int(at) + len(kick)] += kick
        at += every * draws.between((0.9, 1.1))
    return values
