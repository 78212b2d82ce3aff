"""Curve shapes, in the value's own space: an array over depth samples, 0 left and 1 right border.

A log's curves measure the same beds, so they share bed boundaries. Values may leave [0, 1]: what
happens then (wrap, clip, run into the next track) is decided when they are laid on a track.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .recipe import Array, Rng, between, chance, log_between, pick


@dataclass(frozen=True)
class Beds:
    """Layers of rock: bed index of every depth sample, and a sandiness of every bed in [0, 1]."""

    index: Array  # (samples,) int
    sand: Array  # (beds,) float

    @property
    def samples(self) -> int:
        return len(self.index)


def draw_beds(rng: Rng, samples: int, thickness: float) -> Beds:
    """Beds of lognormal thickness (median ``thickness`` samples), two rocks that alternate."""
    count = int(samples / thickness * 2) + 8
    sizes = np.maximum(1, np.exp(rng.normal(np.log(thickness), 0.9, count)))
    edges = np.cumsum(sizes)
    index = np.searchsorted(edges, np.arange(samples), side="right")
    base = smooth(rng.standard_normal(count + 1), 3.0)
    sand = 0.5 + 0.35 * np.sign(rng.standard_normal(count + 1)) * rng.random(count + 1) + 0.3 * base
    return Beds(np.minimum(index, count), np.clip(sand, 0, 1))


def smooth(values: Array, sigma: float) -> Array:
    """Gaussian smoothing of a vector; sigma in samples, ends replicated."""
    if sigma < 0.3:
        return values
    row = np.ascontiguousarray(values, np.float32).reshape(1, -1)
    size = int(sigma * 3) * 2 + 1
    return (
        cv2.GaussianBlur(row, (size, 1), sigma, borderType=cv2.BORDER_REPLICATE)
        .ravel()
        .astype(np.float64)
    )


def drift(rng: Rng, samples: int, length: float) -> Array:
    """Slow wander of unit standard deviation and the given correlation length in samples."""
    knots = max(4, int(samples / max(length, 1.0)) + 4)
    line = np.interp(
        np.linspace(0, knots - 1, samples), np.arange(knots), rng.standard_normal(knots)
    )
    return smooth(line, length * 0.35)


def chatter(rng: Rng, samples: int) -> Array:
    """Noise that switches between quiet and busy intervals."""
    busy = np.exp(0.8 * drift(rng, samples, samples / 6 + 8))
    return smooth(rng.standard_normal(samples), log_between(rng, (0.4, 3))) * busy


def read(
    rng: Rng,
    beds: Beds,
    level: Array,
    sharpness: tuple[float, float],
    contrast: tuple[float, float],
) -> Array:
    """What a tool reads of a level for each bed, around 0: blurred over some samples, stronger or weaker.

    Rock also changes slowly, over many beds. sharpness: ranges of the blur's sigma and of the contrast.
    """
    slow = 0.5 * float(np.std(level)) * drift(rng, beds.samples, log_between(rng, (60, 400)))
    return log_between(rng, contrast) * (
        smooth(level[beds.index] - level.mean(), log_between(rng, sharpness)) + slow
    )


def gamma_ray(rng: Rng, beds: Beds) -> Array:
    level = np.where(rng.random(len(beds.sand)) < 0.06, 1.2, 0.75 - 0.55 * beds.sand)
    level = level + 0.08 * rng.standard_normal(len(level))
    counts = smooth(rng.standard_normal(beds.samples), log_between(rng, (0.8, 5)))
    return (
        0.5
        + read(rng, beds, level, (1.0, 5.0), (0.3, 1.1))
        + log_between(rng, (0.012, 0.08)) * counts
    )


def spontaneous_potential(rng: Rng, beds: Beds) -> Array:
    x = 0.5 + read(rng, beds, 0.8 - 0.6 * beds.sand, (1.2, 15.0), (0.4, 2.5))
    noise = between(rng, (0.02, 0.08)) if chance(rng, 0.1) else log_between(rng, (0.0005, 0.012))
    return x + 0.05 * drift(rng, beds.samples, 200) + noise * rng.standard_normal(beds.samples)


def resistivity(rng: Rng, beds: Beds) -> Array:
    """Log-scaled: a quiet base with spikes that may cross the whole track in 10-20 rows."""
    logs = 0.25 + 0.25 * beds.sand + 0.12 * rng.standard_normal(len(beds.sand))
    tight = rng.random(len(logs)) < between(rng, (0.05, 0.3))
    logs = logs + tight * rng.gamma(1.2, 0.35, len(logs))
    x = 0.35 + read(rng, beds, logs, (0.8, 8.0), (0.2, 1.1))
    return x + log_between(rng, (0.0005, 0.015)) * chatter(rng, beds.samples)


def laterolog_linear(rng: Rng, beds: Beds) -> Array:
    """The same on a linear scale: mostly low, with sudden excursions far off scale."""
    logs = resistivity(rng, beds)
    return between(rng, (0.01, 0.1)) * np.exp(between(rng, (2.0, 4.0)) * logs)


def sonic(rng: Rng, beds: Beds) -> Array:
    x = 0.5 + read(rng, beds, streaked(rng, 0.65 - 0.35 * beds.sand), (0.8, 4.0), (0.3, 1.8))
    x = x + log_between(rng, (0.004, 0.03)) * smooth(rng.standard_normal(beds.samples), 1.5)
    skips = rng.random(beds.samples) < max(
        0.0, between(rng, (-0.01, 0.02))
    )  # a missed cycle: one-sided spike
    return x + smooth(skips * rng.uniform(-0.5, 1.2, beds.samples), 0.6)


def streaked(rng: Rng, level: Array) -> Array:
    """With beds of another rock here and there: coal, a tight streak."""
    there = rng.random(len(level)) < between(rng, (0, 0.15))
    return level + there * rng.normal(0, 0.2, len(level))


def porosity(rng: Rng, beds: Beds) -> Array:
    x = 0.5 + read(rng, beds, streaked(rng, 0.35 + 0.35 * beds.sand), (0.8, 4.0), (0.3, 1.8))
    return x + log_between(rng, (0.008, 0.06)) * smooth(rng.standard_normal(beds.samples), 1.2)


def caliper(rng: Rng, beds: Beds) -> Array:
    """The bit's size, with washouts in the shales and a step where casing ends."""
    hole = (
        np.maximum(0, 0.5 - beds.sand) * between(rng, (0, 1.2)) * (rng.random(len(beds.sand)) < 0.5)
    )
    x = between(rng, (0.15, 0.5)) + smooth(hole[beds.index], log_between(rng, (0.7, 10)))
    x = x + log_between(rng, (0.0004, 0.012)) * rng.standard_normal(beds.samples)
    if chance(rng, 0.3):
        x[rng.integers(beds.samples) :] += between(rng, (-0.2, 0.2))
    return x


def straight(rng: Rng, beds: Beds) -> Array:
    """Tension, collar locator, a dead channel: nearly a ruled line, perhaps with regular pips."""
    # Never quite ruled: nobody could tell a perfect line from the grid.
    x = between(rng, (0.03, 0.97)) + between(rng, (0.003, 0.02)) * drift(rng, beds.samples, 120)
    x = x + 0.003 * smooth(rng.standard_normal(beds.samples), 1.5)
    if chance(rng, 0.4):
        pips(rng, x)
    elif chance(rng, 0.4):
        x = x + between(rng, (0.002, 0.01)) * chatter(rng, beds.samples)
    return x


def pips(rng: Rng, values: Array) -> None:
    """Of a collar locator, in place: to one side and to the other, at even distances."""
    every = int(log_between(rng, (25, 150)))
    at = np.arange(int(rng.integers(every)), len(values) - 3, every)
    size = between(rng, (0.02, 0.12))
    values[at] += size
    values[at + 1] -= size


def ramp(rng: Rng, beds: Beds) -> Array:
    """Temperature, integrated volume, depth-driven drift across the track."""
    t = np.linspace(0, 1, beds.samples)
    x = between(rng, (-0.2, 1.2)) + between(rng, (-1, 1)) * t
    return x + 0.05 * drift(rng, beds.samples, beds.samples / 3 + 4)


def azimuth(rng: Rng, beds: Beds) -> Array:
    """The bearing of a turning sonde: runs out of the track again and again, to wrap."""
    turns = beds.samples / log_between(rng, (40, 600)) * rng.choice((-1, 1))
    return np.linspace(0, turns, beds.samples) + 0.5 * drift(rng, beds.samples, 80)


def noisy(rng: Rng, beds: Beds) -> Array:
    """A channel that mostly chatters: neutron at high speed, rate of penetration, gas."""
    x = porosity(rng, beds) + between(rng, (0.03, 0.12)) * chatter(rng, beds.samples)
    return x


def wavy(rng: Rng, beds: Beds) -> Array:
    """Smooth swings from one side to the other, as old galvanometers draw them."""
    length = log_between(rng, (6, 40))
    return 0.5 + between(rng, (0.08, 0.3)) * drift(rng, beds.samples, length)


def spikes(rng: Rng, beds: Beds) -> Array:
    """A quiet base line with a train of sharp one-sided peaks, single or in bunches."""
    n = beds.samples
    bunch = np.exp(1.2 * drift(rng, n, log_between(rng, (20, 200))))
    rate = log_between(rng, (0.01, 0.12))
    heights = (rng.random(n) < rate * bunch / bunch.mean()) * rng.gamma(
        1.3, between(rng, (0.1, 0.4)), n
    )
    x = between(rng, (0.05, 0.6)) + heights + 0.05 * drift(rng, n, 100)
    return smooth(x, between(rng, (0.4, 1.5))) + 0.006 * rng.standard_normal(n)


def base_line(rng: Rng, beds: Beds) -> Array:
    """Total gas, tension, a bit's weight: a smooth line that hugs one value, with a few rounded humps."""
    n = beds.samples
    x = np.zeros(n)
    for _ in range(rng.poisson(n * log_between(rng, (0.002, 0.03)))):
        wide = log_between(rng, (1, 12))
        at, high = int(rng.integers(n)), rng.gamma(1.2, 0.12)
        part = np.arange(max(0, at - int(4 * wide)), min(n, at + int(4 * wide)))
        x[part] += high * np.exp(-0.5 * ((part - at) / wide) ** 2)
    x *= rng.choice((-1, 1, 1))
    return x + between(rng, (0.03, 0.9)) + 0.01 * drift(rng, n, 60)


def polygon(rng: Rng, beds: Beds) -> Array:
    """A few readings joined by straight lines: drilling rate, gas, charted by hand or program."""
    every = int(log_between(rng, (3, 14)))
    knots = beds.samples // every + 2
    x = 0.25 + 0.12 * rng.standard_normal(knots) + 0.2 * drift(rng, knots, 8)
    x = x + (rng.random(knots) < 0.08) * rng.gamma(1.5, 0.3, knots)
    return np.interp(np.arange(beds.samples) / every, np.arange(knots), x)


def stepped(rng: Rng, beds: Beds) -> Array:
    """Blocky: one value per bed, square corners (zoned results, drilling parameters)."""
    return (0.2 + 0.6 * rng.random(len(beds.sand)))[beds.index]


SHAPES = {
    gamma_ray: 0.20,
    spontaneous_potential: 0.07,
    resistivity: 0.13,
    laterolog_linear: 0.11,
    sonic: 0.07,
    porosity: 0.10,
    caliper: 0.06,
    straight: 0.07,
    base_line: 0.08,
    ramp: 0.02,
    azimuth: 0.02,
    noisy: 0.07,
    wavy: 0.07,
    spikes: 0.10,
    polygon: 0.04,
    stepped: 0.01,
}


def draw_values(rng: Rng, beds: Beds, liveliness: float) -> Array:
    """One curve: (samples,) float, mostly within [0, 1], placed somewhere across the track.

    liveliness: scales all swings; about 1.
    """
    weights = np.array(list(SHAPES.values()))
    shape = list(SHAPES)[int(rng.choice(len(SHAPES), p=weights / weights.sum()))]
    x = shape(rng, beds)
    gain = {"as it is": 1.0, "quiet": between(rng, (0.25, 0.8)), "wild": between(rng, (1.2, 2.5))}[
        pick(rng, {"as it is": 0.62, "quiet": 0.18, "wild": 0.2})
    ]
    centre = float(np.median(x))
    x = centre + (x - centre) * gain * liveliness
    if chance(rng, 0.2):  # thin laminae that every tool sees a little of
        fine = rng.standard_normal(beds.samples)
        x = x + between(rng, (0.01, 0.07)) * liveliness * smooth(fine, 1.5) * np.exp(
            0.5 * drift(rng, beds.samples, 60)
        )
    if chance(rng, 0.55):  # the scale an engineer chose puts it anywhere
        x = x - centre + between(rng, (0.08, 0.92))
    elif (
        chance(rng, 0.15) and np.std(x) > 0.03
    ):  # about a line of the grid; on it, nobody could tell them apart
        x = x - centre + rng.integers(1, 10) / 10
    if chance(rng, 0.15):
        x = 1 - x
    if chance(rng, 0.05):  # the tool is stuck, or moved: for a stretch the pen only thrashes
        a = int(rng.integers(beds.samples))
        b = a + int(log_between(rng, (10, 150)))
        x[a:b] += between(rng, (0.03, 0.3)) * rng.standard_normal(len(x[a:b]))
    return x


def companion(rng: Rng, values: Array) -> Array:
    """A second reading of the same thing (medium and deep, density and neutron): it shares the
    path for a while, parts, crosses and comes back."""
    away = np.maximum(0, np.abs(drift(rng, len(values), between(rng, (20, 120)))) - 0.5)
    sign = np.sign(drift(rng, len(values), 200) + 0.3)
    out = smooth(values, between(rng, (0, 5))) + between(rng, (0.02, 0.15)) * away * sign
    return out + between(rng, (0, 0.02)) * smooth(rng.standard_normal(len(values)), 1.0)


def ride(rng: Rng, run: Array, lines: Array, reach_px: float) -> Array:
    """A run (n, 2) with spikes, and steps to another value, along lines of the grid and just beside them.

    lines: rows of grid lines, px. On a line one stroke covers both; beside it the flanks of a spike leave the
    line at a small angle, and where the spike ends the line alone goes on.
    """
    out = run
    for y in rng.choice(lines, min(len(lines), 1 + rng.poisson(3)), replace=False):
        off = rng.normal(0, 1.5 if chance(rng, 0.5) else 7)
        half = log_between(rng, (0.3, 14))
        first, last = (
            int(at) for at in np.searchsorted(out[:, 1], (y + off - half, y + off + half))
        )
        if not 0 < first <= last < len(out):
            continue
        x = float(np.interp(y, out[:, 1], out[:, 0]))
        long = log_between(rng, (0.05, 0.7)) * reach_px * rng.choice((-1, 1))
        if chance(rng, 0.3):  # steps over, and later comes back
            back = min(len(out), last + int(log_between(rng, (3, 60))))
            rise = np.array([[x, y + off], [x + long, y + off + rng.normal(0, 0.5)]])
            moved = out[last:back] + np.array([long, 0.0])
            out = np.concatenate([out[:first], rise, moved, out[back:]])
            continue
        t = np.linspace(-1, 1, 9)
        height = (1 - np.abs(t)) ** log_between(rng, (0.6, 3))  # a blunt tip, or a needle's
        spike = np.stack([x + long * height, y + off + half * t], axis=1)
        out = np.concatenate([out[:first], spike, out[last:]])
    return out


def hug(rng: Rng, run: Array, columns: Array, width_px: float) -> Array:
    """A run (n, 2) that goes down beside a line of the grid for a while, near enough to touch it.

    columns: where the lines stand, px. width_px: of the pen.
    """
    out = run.copy()
    for _ in range(1 + rng.poisson(1)):
        a = int(rng.integers(len(run)))
        part = slice(a, a + int(log_between(rng, (8, 200))))
        x = run[part, 0]
        line = float(columns[np.abs(columns - x.mean()).argmin()])
        beside = (0.5 + between(rng, (0.3, 2.2)) * width_px) * rng.choice((-1, 1))
        out[part, 0] = line + beside + between(rng, (0, 0.3)) * np.clip(x - x.mean(), -9, 9)
    return out


def lay(values: Array, rows: Array, left: float, right: float, overflow: str) -> list[Array]:
    """Put values on a track: runs of (n, 2) points x, y.

    overflow: "free" draws on over the border, "clip" runs flat along it, "wrap" leaves at one
    border and comes back at the other, "drop" is not drawn off scale.
    """
    if overflow == "clip":
        values = np.clip(values, 0.0, 1.0)
    if overflow in ("free", "clip"):
        values = np.clip(values, -0.25, 1.25)
        return [np.stack([left + values * (right - left), rows], axis=1)]
    turn = np.floor(values)
    runs = np.split(np.arange(len(values)), np.flatnonzero(np.diff(turn)) + 1)
    if overflow == "drop":
        runs = [p for p in runs if turn[p[0]] == 0]
        return [np.stack([left + values[p] * (right - left), rows[p]], axis=1) for p in runs]
    out = []
    for n, p in enumerate(runs):
        x = np.clip(values[p] - turn[p[0]], 0, 1)
        y = rows[p]
        # The stroke goes on to the border it leaves by, and starts from the one it comes in by.
        if n:
            x = np.concatenate([[0.0 if turn[p[0]] > turn[p[0] - 1] else 1.0], x])
            y = np.concatenate([[rows[p[0]] - 0.5 * (rows[1] - rows[0])], y])
        if n + 1 < len(runs):
            x = np.concatenate([x, [1.0 if turn[p[-1] + 1] > turn[p[-1]] else 0.0]])
            y = np.concatenate([y, [rows[p[-1]] + 0.5 * (rows[1] - rows[0])]])
        out.append(np.stack([left + x * (right - left), y], axis=1))
    return out
