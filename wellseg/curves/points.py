"""A curve, its place in every row, what its strokes look like, and what the files say of it."""

from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

BRIDGED, WRAPPED, UNCERTAIN, BY_HAND = 1, 2, 4, 8 | 16
"""Flags of a row: in a bridged gap; off its scale, set back by a track; maybe of another curve; by
--edit: 8 off its scale, 16 drawn, or another curve's before."""
SOLID = 0.93  # share of ink from which on a curve is solid: it has gaps, too, under lettering
DOT, LONGEST_DASH = 4.0, 4.5  # in widths; in tenths of an inch, chosen on labelled regions
TOUCH_PX = 4  # strokes so near touch
SPIKE_PX = 4  # least height of a spike
Style = Literal["solid", "dashed", "dotted"]
Floats = NDArray[np.floating[Any]]
Indices = NDArray[np.int64]
Flags = NDArray[np.bool_]
# What a piece of a curve looks like is an array (9,), its *look*. The entries are
LOOKED_ROWS, HALF_WIDTH, INK_SHARE = 0, 1, 2  # rows seen; pixels; share of the stroke with ink
PAINT, HOME = slice(3, 6), 6  # red, green, blue; middle of its usual track, inches from the left
ROUGH, ENDS = 7, 8  # pixels it moves aside from row to row; dashes and gaps begun for each pixel
NO_LOOK: Floats = np.array([0.0, 1, 1, 0, 0, 0, 0, 0, 0])  # home 0: in no track
SURE_ROWS, REMEMBERED_ROWS = 30, 400.0  # enough to be sure; most that count
# Costs of `unlike`, of one look that goes on as another; see benchmarks/arms.md.
WIDTH, STYLE, COLOUR = 8.0, 22.0, 25.0  # e times as wide; ink or none; a channel 255 off
ROUGHER, DASHES = 1.5, 3.0  # e times as ROUGH; e times as many ENDS
ROUGH_ROWS, LEAST_ENDS = 100, 0.02  # rows of both, for these two in full; added to ENDS first


class Points(NamedTuple):
    """A curve row by row, from its first row on: arrays; NaN in rows without values."""

    row: Indices  # of the scan
    column: Floats  # centre of the stroke, of a spike its tip; 0.0: middle of the leftmost pixel
    left: Floats  # leftmost pixel of the stroke in this row: a spike is a span
    right: Floats  # rightmost pixel
    confidence: Floats  # mean probability of the pixels, in [0, 1]; 0 where it is bridged
    flags: NDArray[np.uint8]  # sums of those above
    inked: Flags  # whether there is ink on the scan


@dataclass(eq=False)
class Curve:
    """One printed curve from its first row to its last."""

    first_row: int
    rows: int = 0
    style: Style | None = "solid"  # None: nobody knows, it was named in a CSV
    uncertain: list[int] = field(default_factory=list)  # rows where it may become another curve
    look: Floats = field(default_factory=NO_LOOK.copy)
    records: list[Floats] = field(default_factory=list)
    """(n, 6) each: row, column, left, right, confidence, inked, in the order found."""
    hidden: list[tuple[int, int]] = field(default_factory=list)  # rows without values: from, before
    wraps: list[tuple[int, float]] = field(default_factory=list)
    """Where it comes back at its track's other border: first row, and pixels it is set back by."""
    off_scale: list[tuple[int, int, float]] = field(default_factory=list)
    """Where it is printed a track aside: first row, past the last, pixels it is set back (left)."""
    strands: list[tuple[int, int, Floats]] = field(default_factory=list)
    """Of its strands that are of no other curve: first row, past the last, look."""

    @property
    def width_px(self) -> float:
        """Usual width of its stroke."""
        return 2 * float(self.look[HALF_WIDTH]) - 1

    @property
    def colour(self) -> tuple[int, int, int] | None:
        """Red, green, blue, 0 to 255; None for black and gray."""
        red, green, blue = (round(value) for value in self.look[PAINT].tolist())
        return (red, green, blue) if np.ptp((red, green, blue)) >= 40 else None

    def points(self) -> Points:
        """The curve row by row. The first record of a row that has a column gives all values but
        the span, left to right, which all widen. Rows without records are bridged, or hidden."""
        records = np.concatenate(self.records)
        place = records[:, 0].astype(int) - self.first_row
        inside = (place >= 0) & (place < self.rows)
        place, records = place[inside], records[inside, 1:]
        table = np.full((self.rows, 5), np.nan, np.float32)
        main = np.flatnonzero(~np.isnan(records[:, 0]))[::-1]
        table[place[main]] = records[main]
        column, left, right, confidence, inked = table.T
        np.fmin.at(left, place, records[:, 1])
        np.fmax.at(right, place, records[:, 2])
        gap, rows, back = np.isnan(column), np.arange(self.rows), self.set_back()
        half = max(self.look[HALF_WIDTH] - 1, 0.5)
        column[gap] = np.interp(rows[gap], rows[~gap], (column + back)[~gap]) - back[gap]
        left[gap] = np.fmin(left, column - half)[gap]
        right[gap] = np.fmax(right, column + half)[gap]
        confidence[gap] = inked[gap] = 0
        to_tips(column, left + half, right - half, 2 * half, gap)
        for start, stop in self.hidden:
            table[start - self.first_row : stop - self.first_row, :3] = np.nan
        seen = np.flatnonzero(~np.isnan(column))
        for i in np.flatnonzero(np.diff(back[seen])):  # a line over the border of a track: no spike
            for at, far in (seen[i], back[seen[i + 1]]), (seen[i + 1], back[seen[i]]):
                if right[at] - left[at] > abs(far - back[at]) / 2:
                    column[at] = right[at] - half if far > back[at] else left[at] + half
        flags = np.where(gap & ~np.isnan(column), np.uint8(BRIDGED), np.uint8(0))
        flags[back != 0] |= WRAPPED
        flags[np.isin(self.first_row + rows, self.uncertain)] |= UNCERTAIN
        return Points(self.first_row + rows, column, left, right, confidence, flags, inked > 0)

    def leave_scale(self, longest: float) -> list["Curve"]:
        """Set ``off_scale`` of a curve with wraps: stretches from a way out to the way back, of
        ``longest`` rows at most, and then its ends, if they are as short. A straight stretch, of a
        border or hatching, has no values or is cut off. So is what lies below a wrap with no way
        back; of a coloured curve only a short end. Returns the pieces cut off."""
        records, wraps, last = np.concatenate(self.records), self.wraps, len(self.wraps)
        # Stretch i is from rows[i] to rows[i + 1], and its wrap sets it back by pixels[i].
        rows = [self.first_row, *(row for row, _ in wraps), self.first_row + self.rows]
        pixels = [-wraps[0][1], *(pixels for _, pixels in wraps)]  # first: if it begins off scale
        # How each is entered: 1 by a way out, -1 by a way back. Long ones are left by ways out.
        length, entered, ends = np.diff(rows), np.sign(pixels), [0, last]
        entered *= np.sign(length @ np.diff([0, *entered[1:], 0])) or 1
        inner, above, below = np.s_[1:-1], np.s_[:-2], np.s_[2:]  # between two wraps; beside these
        goes_and_comes = (length[inner] <= longest) & (entered[inner] * entered[below] < 0)
        off = np.pad(goes_and_comes & (entered[inner] > 0), 1)
        may_end_off = off.any() & (length[ends] <= longest) & (entered[ends] > 0)
        is_shorter = 2 * length[inner] < length[above] + length[below]
        off[inner] |= goes_and_comes & ~off[above] & ~off[below] & is_shorter  # the other border
        off[ends] = may_end_off & ~off[[1, last - 1]]
        stretch = np.searchsorted(rows[1:-1], records[:, 0], "right")  # of each record
        for i in np.flatnonzero(off).tolist():
            start, stop, column = rows[i], rows[i + 1], records[stretch == i, 1]
            is_long = stop - start > longest / 15 and not np.isnan(column).all()
            if not is_long or np.nanmedian(abs(column - np.nanmedian(column))) > longest / 720:
                self.off_scale.append((start, stop, pixels[i]))
            elif not np.isin([i - 1, i + 1], stretch).all():  # an end, or beside one of no rows
                off[i] = False
            else:
                self.hidden.append((start, stop))
                self.uncertain.append(int(records[stretch < i, 0].max()))
                records[stretch == i, 1:4] = np.nan
        self.records = [records]
        lone = np.flatnonzero(~off[:-1] & ~off[1:])[::-1].tolist()
        self.uncertain = [*(wraps[i][0] for i in lone), *self.uncertain]
        few = np.where(length[ends] <= longest / 10, [0, last - 1], -1)  # rows at an end
        return [self.cut(wraps[i][0]) for i in lone if not self.colour or i in few]

    def cut(self, row: int) -> "Curve":
        """End above a row; returns what begins there."""
        records = np.concatenate(self.records)
        above = records[:, 0] < min(row, self.first_row + self.rows)
        rest = replace(self, first_row=row, rows=self.first_row + self.rows - row)
        self.records, rest.records = [records[above]], [records[~above]]
        self.rows = int(records[above, 0].max(initial=self.first_row - 1)) + 1 - self.first_row
        for part in self, rest:  # one of spikes' tips alone is none
            if np.isnan(part.records[0][:, 1]).all():
                part.rows = 0
        rest.uncertain = [at for at in self.uncertain if at >= row]
        self.uncertain = [at for at in self.uncertain if at < row]
        rest.wraps = [it for it in self.wraps if it[0] > row]
        self.wraps = [it for it in self.wraps if it[0] < row]
        for name in ("hidden", "off_scale", "strands"):  # one that goes on below is of both
            stretches = getattr(self, name)
            setattr(rest, name, [(max(a, row), b, *more) for a, b, *more in stretches if b > row])
            setattr(self, name, [(a, min(b, row), *more) for a, b, *more in stretches if a < row])
        return rest

    def extend(self, piece: "Curve") -> None:
        """Go on in a piece that begins below."""
        self.rows = piece.first_row + piece.rows - self.first_row
        for has in ("hidden", "wraps", "off_scale", "uncertain", "records", "strands"):
            getattr(self, has).extend(getattr(piece, has))

    def looks(self, its: Points, touches: Indices) -> Floats:
        """Its looks above, between, below touches (`touch`), summed by rows: (touches + 1, 9)."""
        sums = np.zeros((len(its.row) + 1, 9))  # up to each row
        for start, stop, look in self.strands:
            sums[start + 1 - its.row[0] : stop + 1 - its.row[0]] = look
        sums[:, LOOKED_ROWS] = sums.any(1)
        ends = [0, *(touches - its.row[0]).ravel(), len(its.row)]
        return np.diff(sums.cumsum(0)[ends], axis=0)[::2]

    def set_back(self) -> Floats:
        """By how many pixels its stroke is set back to the left in each row."""
        back = np.zeros(self.rows, np.float32)
        for start, stop, pixels in self.off_scale:
            back[start - self.first_row : stop - self.first_row] = pixels
        return back

    def style_of(self, points: Points, tenth_rows: float) -> Style:
        """How its stroke is drawn. tenth_rows: of a tenth of an inch."""
        ink = points.inked[~np.isnan(points.column)]
        dashes = np.diff(ranges(ink)).ravel()
        usual = np.median(np.repeat(dashes, dashes)) if len(dashes) else np.inf  # of rows with ink
        if ink.mean() >= SOLID or usual > LONGEST_DASH * tenth_rows:
            return "solid"
        return "dotted" if dashes.mean() < DOT * max(1.0, self.width_px) else "dashed"


def ranges(flags: ArrayLike) -> Indices:
    """Of bool (rows,): first row, and past the last, of each stretch of True, (stretches, 2)."""
    return np.flatnonzero(np.diff(np.pad(flags, 1))).reshape(-1, 2)


def to_tips(column: Floats, low: Floats, high: Floats, width: float, gap: Flags) -> None:
    """Move the columns of spikes from the middle of the stroke's span, low to high, to its tip: it
    reaches farther to one side than the rows beside it; a fat stroke, or a fill, to both. Of rows
    side by side the farthest is moved, and all of a bridged gap. Chosen on validation pages."""
    pairs = sliding_window_view(np.pad(column, 2, mode="edge"), 2, axis=0)  # two above, two below
    above, below = pairs[:-3], pairs[3:]
    least, most = np.minimum(above.max(1), below.max(1)), np.maximum(above.min(1), below.min(1))
    over, under = high - most, least - low
    beyond = np.maximum(over, under) - np.minimum(over, under).clip(0)
    is_tip = beyond > np.clip(0.3 * abs(most - least), SPIKE_PX, SPIKE_PX + width)  # else a step
    for ends, sign in (high, 1), (low, -1):
        for start, stop in ranges(is_tip & (sign * over > sign * under)).tolist():
            moved = gap[start:stop].copy()
            moved[(sign * ends[start:stop]).argmax()] = True
            column[start:stop][moved] = ends[start:stop][moved]


class PlacedCurve(NamedTuple):
    """A curve as the files have it. track: from 1; 0 for none. middle: its median column. sides:
    float32 (rows, 2), left and right border of its track, or of the scan. values: float32 (rows,),
    fractions of the track. entry: what report and view say of it."""

    curve: Curve
    points: Points
    track: int
    middle: float
    sides: Floats
    values: Floats
    entry: dict[str, Any]


def place_curve(curve: Curve, points: Points, track: int, sides: Floats, name: str) -> PlacedCurve:
    """What the files say of a curve. sides: borders of its track in each row. name: "" for one from
    its track, order and style. All is rounded as in the CSV: from it come the same values."""
    column, sides = points.column.round(1), sides.astype(np.float32).round(1)
    wide = sides[:, 1] - sides[:, 0]
    share = (column + np.float32(0.5) - sides[:, 0]) / wide
    turns = np.nan_to_num(np.rint(curve.set_back() / wide))  # a CSV has no sides in gaps
    seen, rows = ~np.isnan(column), points.row
    beyond = round(float((abs(share[seen] - 0.5) > 0.52).mean()), 2)
    bends = pairwise(np.flatnonzero(np.diff(np.pad(turns, 1))).tolist())
    off = [[int(rows[i]), int(rows[k - 1]), int(turns[i])] for i, k in bends if turns[i]]
    path = np.stack([column, rows - rows[0]], 1).astype(np.float32)[seen]
    bridged = points.flags[seen] & BRIDGED > 0
    sure = 0.0 if bridged.all() else float(points.confidence[seen][~bridged].mean())
    width, middle = round(curve.width_px, 1), float(np.median(path[:, 0]))
    colour = ", #{:02x}{:02x}{:02x}".format(*curve.colour) if curve.colour else ""
    about = f"{width:.0f} px{colour}, confidence {sure:.2f}, {100 * bridged.mean():.0f} % bridged"
    if hand := np.count_nonzero(points.flags[seen] & BY_HAND):
        about += f", {hand:,} rows by hand"
    apart = np.isin(rows[seen][1:], [row for row, _ in curve.wraps])
    parts = np.split(path[:, None], np.flatnonzero(apart | (np.diff(path[:, 1]) > 1)) + 1)
    edges = np.stack(np.broadcast_arrays(sides.T - 0.5, rows - rows[0]), 2).astype(np.float32, "C")
    few = [cv2.approxPolyDP(it, 0.8, False) + np.array([0.5, rows[0]]) for it in [*parts, *edges]]
    lines = [np.rint(line).astype(int).ravel().tolist() for line in few]  # within a pixel
    entry = {"name": name, "track": track, "style": curve.style, "width_px": width}
    entry |= {"about": f"{curve.style}, {about}" if curve.style else about, "colour": curve.colour}
    entry |= {"uncertain": rows[seen & (points.flags & UNCERTAIN > 0)].tolist()}  # as in the CSV
    entry |= {"confidence": round(sure, 2), "lines": lines[:-2], "borders": lines[-2:]}
    entry |= {"rows": rows[[0, -1]].tolist(), "beyond": beyond, "off": off}
    return PlacedCurve(curve, points, track, middle, sides, (share + turns).astype("f4"), entry)


def both(one: Floats, other: Floats) -> Floats:
    """The look of two pieces: a mean by rows, of ``one``, the upper, REMEMBERED_ROWS at most."""
    rows, more = one[LOOKED_ROWS], other[LOOKED_ROWS]
    look: Floats = one + more / (min(rows, REMEMBERED_ROWS) + more) * (other - one)
    look[LOOKED_ROWS] = rows + more
    return look


def touch(one: Points, other: Points) -> tuple[Indices, Floats]:
    """Where two curves touch: first row, and past the last, (touches, 2). And on which side ``one``
    is above, between and below: -1, 1, or 0 where they are not side by side."""
    first = max(one.row[0], other.row[0])
    rows = max(0, min(one.row[-1], other.row[-1]) + 1 - first)
    ends = ((it, first - it.row[0]) for it in (one, other))
    a, b = ([side[at : at + rows] for side in it[1:4]] for it, at in ends)  # column, left, right
    touches = ranges(np.maximum(a[1], b[1]) - np.minimum(a[2], b[2]) <= TOUCH_PX)
    touches = touches[touches.sum(1) > 1]  # there are rows above the middle
    aside = [it[~np.isnan(it)] for it in np.split(a[0] - b[0], touches.ravel())[::2]]
    return touches + first, np.array([np.sign(np.median(it)) if len(it) else 0 for it in aside])


def mean_look(sums: Floats) -> Floats:
    """The looks, (curves, 9), of which rows were summed."""
    return np.hstack([sums[:, :1], sums[:, 1:] / np.maximum(sums[:, :1], 1)]).clip(1e-9)


def unlike(one: Floats, other: Floats) -> Floats:
    """Cost of one look, (..., 9), going on as the other; less where few rows of them are known."""
    rows, other_rows = one[..., LOOKED_ROWS], other[..., LOOKED_ROWS]
    known = np.minimum(rows / SURE_ROWS, 1) * np.minimum(other_rows / SURE_ROWS, 1)
    wider = np.minimum(1, np.abs(np.log(one[..., HALF_WIDTH] / other[..., HALF_WIDTH])))
    style = np.abs(one[..., INK_SHARE] - other[..., INK_SHARE])
    paint = np.abs(one[..., PAINT] - other[..., PAINT]).max(-1) / 255
    added = 0.1, LEAST_ENDS  # to ROUGH and ENDS, which may be 0
    more = np.abs(np.log((one[..., ROUGH:] + added) / (other[..., ROUGH:] + added)))
    often = np.minimum(rows / ROUGH_ROWS, 1) * np.minimum(other_rows / ROUGH_ROWS, 1)
    looks = WIDTH * wider + STYLE * style + COLOUR * paint
    return np.sqrt(known) * looks + np.sqrt(often) * (np.minimum(1.5, more) @ (ROUGHER, DASHES))
