"""Which strand continues which: the cheapest set of curves that explains all strands of a window.

A strand is a chain that can carry curves. Curves are a minimum-cost flow through the strands. It
costs something to leave a strand out, to begin and to end a curve, to leap over a gap, to turn, to
change width or colour, and to lie on a strand with another curve. Leaving out a row costs 1.

Places are complex numbers, column + 1j * row. The course of an end is the direction downwards along
the curve, complex; its length, 0 to 1, is how sure it is."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates, median
from scipy.optimize import linprog
from scipy.sparse import block_array, coo_array, diags_array, eye_array
from scipy.sparse.csgraph import connected_components, dijkstra

from wellseg.curves.points import HALF_WIDTH, Flags, Floats, Indices, both, unlike
from wellseg.curves.strands import STOP, Chain, pairs_between
from wellseg.curves.tracks import Tracks
from wellseg.scan.pictures import Gray

Places = NDArray[np.complexfloating[Any]]
SIDEWAYS = 0.25  # so many rows a column counts that a strand moves sideways
COURSE_ROWS, COURSE_PX = 10, 14  # of so many rows an end's course is taken; sure if so long
LEAP = 0.38  # cost of a pixel of a gap without ink; with ink it is a fifth
SHORT = 20.0  # a gap of so many pixels costs half of that, a shorter one less: dots and dashes
WRAP = 3.5  # cost of leaving a track at one border and coming back at the other: on a region
ASTRAY = 1.2  # tenths of an inch that a wrap may be off, in rows and in columns
TURN = 9.0  # cost of a turn by 90 degrees
SHARE = 0.03  # cost of each row of a strand on which a second curve lies
MERGED = 0.2  # share that another look costs where strands meet or part
LEVEL, HANGS, CLEAR = 2.0, 0.7, 0.9  # a spike's piece: columns a row; tenths to a gap; confidence
UP_ROWS, TIP = 24, 0.4  # a stroke may run back up so far; tips reach past knots, tenths of an inch
DEAREST = 1.8  # costs of an end. At 2 two curves are cheaper; 1.8 is that of the first decoder
LOOP, LOOP_ROWS = 0.6, 40  # times LOOP is the worth of shorter strands at knots: loops of another


class Strands(NamedTuple):
    """What is known of the strands of a window, an entry for each of them."""

    top: Places
    course_up: Places
    bottom: Places
    course_down: Places
    rows: Indices
    layer: Indices
    worth: Floats  # what it costs to leave it out
    look: Floats
    closed: Flags  # it does not go on below the window
    given: Indices  # how many curves are known to come out of it; -1: not decided yet
    knot_up: Indices  # number of the knot at its upper end: see `_knots`
    knot_down: Indices
    ends: Floats  # first and last column of its last and of its first run, (strands, 2, 2)


class Scene(NamedTuple):
    """The strands of a window, by number, and how curves go from one to another."""

    strands: list[Chain]
    table: Strands
    cost: dict[tuple[int, int], float]  # of each possible link (upper strand, lower strand)
    set_back: dict[tuple[int, int], float]  # of each: see `_set_back`; 0: between no borders
    out: list[list[int]]  # strands in which the curves of each go on; two curves: it may be twice
    reach: list[list[int]]  # strands that could go on in each
    births: Indices  # how many curves begin at each
    spurs: dict[tuple[int, int], list[Floats]]  # of a link: records of tips of spikes, loops there
    ahead: Floats  # look of each together with the strands in which it goes on


class Pairs(NamedTuple):
    """Pairs of strands that one curve may go through, an entry for each of them."""

    upper: Indices
    lower: Indices
    joined: Flags  # by a knot
    gap: Places  # from the end of the one to the beginning of the other
    set_back: Floats  # see `_set_back`; 0: not between a track's borders

    def only(self, which: Flags) -> "Pairs":
        return Pairs._make(of[which] for of in self)


def link(
    chains: list[Chain], strands: list[Chain], end_cost: float, gap_rows: int, tenth_rows: int,
    ink: Gray, ink_row: int, tracks: Tracks | None,
) -> Scene:  # fmt: skip
    """How curves go through a window. chains: all in it; strands: those that can carry curves, by
    first row. tenth_rows: of 0.1 inch. ink: probability, uint8, of rows from ``ink_row`` on."""
    knot_up, knot_down, short = _knots(chains, strands)
    table = _table(strands, knot_up, knot_down, short, tracks, tenth_rows)
    pairs = _possible(table, gap_rows, ASTRAY * tenth_rows, tracks)
    cost = _costs(table, pairs, ink, ink_row)
    is_cheap = cost < DEAREST * end_cost
    pairs, cost = pairs.only(is_cheap), cost[is_cheap]
    flow, births = solve(table, pairs, cost, end_cost)
    into = np.bincount(pairs.lower, flow, len(strands))
    left_out = np.flatnonzero((table.given < 0) & table.closed & (into + births == 0)).tolist()
    spurs = _spurs(strands, table, pairs.only(flow > 0), short, left_out, tenth_rows)
    links = list(zip(pairs.upper.tolist(), pairs.lower.tolist(), strict=True))
    costs, set_back = (dict(zip(links, of.tolist(), strict=True)) for of in (cost, pairs.set_back))
    out, reach = [list[int]() for _ in strands], [list[int]() for _ in strands]
    for (i, j), count in zip(links, flow.tolist(), strict=True):
        out[i] += count * [j]
        reach[j].append(i)
    ahead = table.look.copy()
    for i in range(len(strands) - 1, -1, -1):  # upwards: what lies below is known
        if len(out[i]) == 1 and into[j := out[i][0]] == 1:
            ahead[i] = both(ahead[i], ahead[j])
    return Scene(strands, table, costs, set_back, out, reach, births, spurs, ahead)


def _table(
    strands: list[Chain], knot_up: Indices, knot_down: Indices, short: dict[int, list[Chain]],
    tracks: Tracks | None, tenth_rows: int,
) -> Strands:  # fmt: skip
    """What is known of strands. All at once: many have a single row. short: chains of each knot."""
    counts, rows, first_row = np.array([(len(it.runs), it.rows, it.first_row) for it in strands]).T
    runs = np.concatenate([strand.runs for strand in strands], dtype=float)
    start, stop, confidence, duty, half, *paint, _, row = runs.T  # see START in strands.py
    first, last, each = counts.cumsum() - counts, counts.cumsum() - 1, np.arange(len(counts))
    column, lead = (start + stop) / 2, np.minimum(counts, COURSE_ROWS) - 1
    up = column[first + lead] - column[first] + 1j * lead
    down = column[last] - column[last - lead] + 1j * lead
    up, down = (course / np.maximum(abs(course), COURSE_PX) for course in (up, down))
    # At the end of a level stroke its thinned line goes up and down: short chains of a knot, too.
    ends, knots = runs[np.stack([last, first], 1), : STOP + 1], np.stack([knot_down, knot_up], 1)
    for knot in short.keys() & {*knots.ravel().tolist()}:
        low, high = np.concatenate([it.runs[:, : STOP + 1] for it in short[knot]]).T
        left, right = ends[knots == knot].T
        ends[knots == knot] = np.stack([left.clip(max=low.min()), right.clip(high.max())], 1)
    # What they look like. Between dots lies paper: the paint is that of rows with ink, if any.
    owner, inked = np.repeat(each, counts), duty > 0.5
    moves = np.minimum(abs(np.diff(column, append=0)), 10)  # from row to row: of a spike no more
    changes = np.diff(inked, append=False)
    moves[last], changes[last] = 0, False  # to the next strand
    home = tracks.homes(row, column) if tracks else 0 * column
    planes = np.stack([moves, inked, changes, home, confidence])
    moved, dark, changed, home, sure = np.add.reduceat(planes, first, axis=1)
    shown = inked | (dark == 0)[owner]
    paint = [median(channel[shown], owner[shown], each) for channel in paint]
    half = median(half, owner, each).clip(0.7)
    look = [counts, half, dark / counts, *paint, home / counts / (10 * tenth_rows)]
    look += [moved / np.maximum(counts - 1, 1), changed / (counts + moved)]
    wide = np.maximum.reduceat(stop, first) - np.minimum.reduceat(start, first)
    worth = (rows + SIDEWAYS * wide) * sure / counts
    is_loop = np.isin(knot_up, knot_down) | np.isin(knot_down, knot_up)
    worth[is_loop & (rows < LOOP_ROWS)] *= LOOP
    return Strands(
        top=column[first] + 1j * first_row, bottom=column[last] + 1j * (first_row + rows - 1),
        course_up=up, course_down=down, rows=rows, worth=worth, look=np.stack(look, 1), ends=ends,
        knot_up=knot_up, knot_down=knot_down, layer=np.array([it.layer for it in strands]),
        closed=np.array([not it.open for it in strands]),
        given=np.array([len(it.waiting) if it.curves else -1 for it in strands]),
    )  # fmt: skip


def _spurs(
    strands: list[Chain], table: Strands, used: Pairs, short: dict[int, list[Chain]],
    left_out: list[int], tenth_rows: int,
) -> dict[tuple[int, int], list[Floats]]:  # fmt: skip
    """Of pairs that curves go through: records of tips of spikes and of loops there. short: short
    chains of each knot; the strands ``left_out``, which carry no curve, are added to them."""
    for i in left_out:
        for knot in {table.knot_up[i], table.knot_down[i]}:  # a spike, a loop of a stroke
            short.setdefault(knot, []).append(strands[i])
    spurs: dict[tuple[int, int], list[Floats]] = {}
    start, stop, slack = table.bottom[used.upper], table.top[used.lower], TIP * tenth_rows
    knots = np.append(table.knot_down[used.upper], table.knot_up[used.lower])
    at_knots = np.append(start, stop)
    for knot in short.keys() & {*knots.tolist()}:
        ends = np.flatnonzero(knots == knot)  # of pairs: a spur is of that with the nearest end
        for spur in (chain.records(0) for chain in short[knot]):
            away = np.abs(at_knots[ends, None] - spur[:, 1] - 1j * spur[:, 0]).min(1)
            i = ends[away.argmin()] % len(start)  # upper ends come first, then the lower ones
            if start[i].imag - slack <= spur[0, 0] and spur[-1, 0] <= stop[i].imag + slack:
                spurs.setdefault((used.upper[i], used.lower[i]), []).append(spur)
    for i in left_out:  # a level piece that hangs on nothing is of the nearest straight gap
        rows, _, left, right, sure, _ = strands[i].records(0).T
        if np.ptp([left, right]) < LEVEL * len(rows) or sure.mean() <= CLEAR:
            continue
        share = (rows.mean() - start.imag) / np.maximum(1, (stop - start).imag)
        column = (start + (stop - start) * share.clip(0, 1)).real
        fits = ~used.joined & (used.set_back == 0) & (table.layer[used.upper] == table.layer[i])
        fits &= (start.imag - slack / 2 <= rows[0]) & (rows[-1] <= stop.imag + slack / 2)
        off = np.where(fits, np.maximum(left.min() - column, column - right.max()), np.inf)
        if off.min(initial=np.inf) <= HANGS * tenth_rows:
            at = used.upper[off.argmin()], used.lower[off.argmin()]
            pieces = short[table.knot_up[i]] + short[table.knot_down[i]]
            spurs.setdefault(at, []).extend(chain.records(0) for chain in pieces)
    for spur in (spur for of_pair in spurs.values() for spur in of_pair):
        spur[:, 1] = np.nan  # it has no column of its own, see `Curve.points`
    return spurs


def _possible(table: Strands, gap_rows: int, astray: float, tracks: Tracks | None) -> Pairs:
    """The pairs that are near enough. astray: pixels that a wrap may be off."""
    top, bottom = table.top, table.bottom
    upper, lower = pairs_between(top.imag, top.imag, bottom.imag - UP_ROWS, bottom.imag + gap_rows)
    joined = table.knot_up[lower] == table.knot_down[upper]
    # Or up a bridge, no longer than a stroke is wide, on which another curve comes down.
    bridges = (table.knot_up + 1j * table.knot_down)[table.rows <= 2 * table.look[:, HALF_WIDTH]]
    is_long = np.minimum(table.worth[upper], table.worth[lower]) > LOOP_ROWS  # else it is a hatch
    over = table.knot_up[lower[is_long]] + 1j * table.knot_down[upper[is_long]]
    joined[is_long] |= np.isin(over, bridges)
    new, alike = table.given[lower] < 0, table.layer[lower] == table.layer[upper]
    possible = (joined | alike) & table.closed[upper] & new & (upper < lower)
    pairs = Pairs(upper, lower, joined, top[lower] - bottom[upper], 0.0 * upper).only(possible)
    upper, lower, joined, gap, set_back = pairs  # the last two are filled in
    if tracks:
        at = np.flatnonzero(~joined & (np.abs(gap.imag) <= astray))
        out, back = table.ends[upper[at], 0], table.ends[lower[at], 1]
        set_back[at], beside = _set_back(out, back, tracks.at(bottom[upper[at]].imag), astray)
        gap.real[at] = np.where(set_back[at], beside, gap.real[at])
    below = (gap.imag > -3) | (set_back != 0)
    return pairs.only(joined | (np.abs(gap.real) <= 2 * gap_rows) & below)


def _costs(table: Strands, pairs: Pairs, ink: Gray, ink_row: int) -> Floats:
    """What it costs a curve to go from one strand of each pair to the other."""
    upper, lower, joined, gap, set_back = pairs
    far = np.abs(gap)
    between = table.bottom[upper, None] + gap[:, None] * (np.arange(8) + 0.5) / 8
    at = between.imag - ink_row, between.real
    inked = map_coordinates(ink, at, np.float32, order=0, mode="nearest").mean(1) / 255
    strokes = coo_array((joined[joined], (upper[joined], lower[joined])), [len(table.top)] * 2)
    inked[np.isfinite(dijkstra(strokes)[upper, lower]) | (set_back != 0)] = 0  # maybe others' ink
    empty = LEAP * far * far / (far + SHORT) * (1 - 0.8 * inked)
    leap = np.where(joined, np.minimum(0.05 * far, 12), empty)
    turn = _angle(table.course_down[upper], gap) + _angle(gap, table.course_up[lower])
    looks, knot = unlike(table.look[upper], table.look[lower]), table.knot_down[upper]
    # Where strands meet, or part, the common one looks like all curves on it, and unlike each.
    ends = table.knot_down, table.knot_up
    come, leave = (np.bincount(each, minlength=knot.max(initial=0) + 1)[knot] for each in ends)
    looks[joined & (come != leave)] *= MERGED
    return leap + TURN * turn / 2 * far / (far + 5) + WRAP * (set_back != 0) + looks


def _set_back(out: Floats, back: Floats, borders: Floats, astray: float) -> tuple[Floats, Floats]:
    """For pairs of runs, (pairs, 2), where ``out`` leaves a track at a border, (pairs, tracks, 2),
    and ``back`` begins at its other border: by how many columns ``back`` is printed too far to the
    left, and by how many it is beside the place where ``out`` would go on. Else 0 and 0."""
    leaves, begins = (np.clip(borders, *runs.T[..., None, None]) - borders for runs in (out, back))
    begins = begins[..., ::-1]  # columns from the other border to the run's nearest
    wraps = np.maximum(abs(leaves), abs(begins)) <= astray
    return (wraps * [-1, 1] * np.diff(borders)).sum((1, 2)), (wraps * (begins - leaves)).sum((1, 2))


def _angle(one: Places, other: Places) -> Floats:
    """Angles between directions, in right angles; less where one of the two is not sure."""
    sure = np.minimum(1, np.minimum(np.abs(one), np.abs(other)))
    return sure * np.abs(np.angle(other * one.conj())) / (np.pi / 2)


def _knots(chains: list[Chain], strands: list[Chain]) -> tuple[Indices, Indices, Any]:
    """Of each strand its upper and lower knot (ends that short chains join); each knot's chains."""
    place = {chain: number for number, chain in enumerate(chains)}
    loose = [chain for chain in chains if not chain.is_strand]
    ends = [(2 * place[c], 2 * place[c] + 1) for c in loose]
    ends += [(2 * place[c] + 1, 2 * place[to]) for c in chains for to in c.below if to in place]
    one, other = np.array(ends, int).reshape(-1, 2).T
    graph = coo_array((np.ones(len(one)), (one, other)), shape=(2 * len(chains),) * 2)
    _, knot = connected_components(graph, directed=False)
    of = np.array([place[chain] for chain in strands])
    short: dict[int, list[Chain]] = {}
    for chain in loose:
        short.setdefault(int(knot[2 * place[chain]]), []).append(chain)
    return knot[2 * of], knot[2 * of + 1], short


def solve(table: Strands, pairs: Pairs, cost: Floats, to_end: float) -> tuple[Indices, Indices]:
    """How many curves go from strand to strand, for each pair; and how many begin at each strand.
    A curve may end for nothing in a strand that goes on below the window."""
    count, links = len(table.worth), len(cost)
    free = (table.given < 0).astype(float)
    ends_of_links = (pairs.lower, np.arange(links)), (pairs.upper, np.arange(links))
    into, out = (coo_array((np.ones(links), at), (count, links)) for at in ends_of_links)
    begins, each = diags_array(free), eye_array(count)
    # Columns: each link; of each strand a curve that begins, that ends; left out; one too many.
    # Rows: what comes in goes out; a strand carries one curve, or none at a cost, or more.
    in_is_out, carried = [into - out, begins, -each, None, None], [into, begins, None, each, -each]
    matrix = block_array([in_is_out, carried], format="csr")
    matrix.eliminate_zeros()
    ends, second = np.full(count, to_end), SHARE * table.rows + 1e-3
    price = np.concatenate([cost, ends, ends * table.closed, table.worth, second])
    wanted = np.concatenate([-np.maximum(table.given, 0), free])
    found = linprog(price, A_eq=matrix, b_eq=wanted, method="highs-ds", options={"presolve": False})
    if found.x is None:  # HiGHS gave up: there is always a solution
        raise RuntimeError(f"curves cannot be linked: {found.message}")
    curves: Indices = np.rint(found.x).astype(np.int64)
    return curves[:links], curves[links : links + count]
