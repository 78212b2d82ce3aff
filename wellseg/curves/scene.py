"""The strands of a window of rows, and how curves go from one to another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from wellseg.curves.linking import Ends, candidates, costs, solve
from wellseg.curves.looks import Geometry, Look, geometry
from wellseg.curves.strands import Chain

STRAND_ROWS = 6
"""A shorter chain that touches others is part of a knot."""
LOOP, LOOP_ROWS, LOOP_PX = 0.4, 40, 100
"""A short strand at a knot beside a longer one may be a loop of its stroke: worth less."""
IN_INK = 2.0
"""A curve seldom begins or ends on another's ink: so many times the cost of an end on paper."""
AHEAD_ROWS = 80
"""What a strand looks like is taken over so many rows of where it goes on."""


@dataclass
class Scene:
    """The strands of a window and how curves go from one to another."""

    strands: list[Chain]
    looks: list[Geometry]
    cost: dict[tuple[int, int], float]
    """Of each possible link (upper strand, lower strand)."""
    flow: dict[tuple[int, int], int]
    """How many curves go along each that carries any."""
    into: dict[int, list[int]]
    out: dict[int, list[int]]
    """The same by strand: where its curves come from, and where they go on."""
    could_reach: dict[int, list[int]]
    """The strands that could go on in one."""
    births: list[int]
    """How many curves begin at each strand."""
    joined: set[tuple[int, int]]
    """Links on ink."""
    spurs: dict[int, list[Chain]]
    """What else is connected by ink with a strand's lower end, and lies on no curve."""

    def move(self, link: tuple[int, int], by: int) -> None:
        """Let one curve more, or less, go along a link."""
        count = self.flow.pop(link, 0) + by
        if count:
            self.flow[link] = count
        for ends, of, end in ((self.out, *link), (self.into, *link[::-1])):
            ends[of] = [other for other in ends.get(of, []) if other != end]
            ends[of] += [end] if count else []

    def rivals(self, upper: int, lower: int) -> list[tuple[int, int]]:
        """The links that curves go along which could change lower ends with this one."""
        others = [i for i in self.could_reach[lower] if i != upper]
        return [(i, j) for i in others for j in self.out.get(i, []) if (upper, j) in self.cost]

    def near(self, chain: Chain) -> list[int]:
        """The strands whose lower end a spur hangs on."""
        return [i for i, spurs in self.spurs.items() if chain in spurs]

    def ahead(self, number: int) -> Look:
        """How a strand looks together with those in which it goes on."""
        look = self.looks[number].look
        while look.rows < AHEAD_ROWS:
            to = self.out.get(number, [])
            if len(to) != 1 or len(self.into[to[0]]) != 1:
                break
            number = to[0]
            look = look.with_more(self.looks[number].look)
        return look


def is_strand(chain: Chain) -> bool:
    return chain.rows >= STRAND_ROWS or not (chain.above or chain.below)


def link(
    chains: list[Chain],
    strands: list[Chain],
    waiting: dict[Chain, int],
    end_cost: float,
    gap_rows: int,
    ink: NDArray[np.uint8],
    ink_row: int,
) -> Scene:
    """How curves go through a window. chains: all of it; strands: those of them that can carry
    curves, sorted by first row. waiting: how many curves are known to come out of a strand, for
    those that are decided. ink: probability of the rows from ``ink_row`` on."""
    knots_up, knots_down, short = _knots(chains, strands)
    looks = [geometry(chain) for chain in strands]
    layers = np.array([chain.layer for chain in strands])
    look = Look.together([one.look for one in looks])
    tops, bottoms = (
        Ends(x, y, dx, dy, firm, np.array(knots), layers, look)
        for (x, y, dx, dy, firm), knots in (
            (np.array([one.top for one in looks]).T, knots_up),
            (np.array([one.bottom for one in looks]).T, knots_down),
        )
    )
    closed = np.array([not chain.open for chain in strands])
    bottoms.knot[~closed] = -1
    new = np.array([chain not in waiting for chain in strands])
    a, s = candidates(bottoms, tops, gap_rows, 2.0 * gap_rows)
    possible = closed[a] & new[s] & (a < s)
    a, s = a[possible], s[possible]
    cost = costs(bottoms, tops, a, s, _ink_between(bottoms, tops, a, s, ink, ink_row))
    cheap = cost < 1.8 * end_cost
    a, s, cost = a[cheap], s[cheap], cost[cheap]
    given = [waiting.get(c, -1) for c in strands]
    rows = np.array([c.rows for c in strands], float)
    worth = np.array([one.worth for one in looks])
    worth *= _loops(tops, bottoms, worth)
    begin = end_cost * np.where(np.isin(tops.knot, bottoms.knot), IN_INK, 1)
    finish = end_cost * np.where(np.isin(bottoms.knot, tops.knot), IN_INK, 1)
    finish[~closed] = 0
    flow, births = solve(worth, rows, np.array(given, float), (a, s), cost, begin, finish)
    carried = np.zeros(len(strands), bool)
    carried[a[flow > 0]] = carried[s[flow > 0]] = True
    for i in np.flatnonzero(new & closed & ~carried & (worth < 2 * end_cost)).tolist():
        for knot in {knots_up[i], knots_down[i]}:  # a spike, a loop of a stroke
            short.setdefault(knot, []).append(strands[i])
    links = list(zip(a.tolist(), s.tolist(), strict=True))
    joined = (bottoms.knot[a] == tops.knot[s]).tolist()
    could_reach: dict[int, list[int]] = {}
    for i, j in links:
        could_reach.setdefault(j, []).append(i)
    scene = Scene(
        strands,
        looks,
        dict(zip(links, cost.tolist(), strict=True)),
        {},
        {},
        {},
        could_reach,
        births.tolist(),
        {link for link, one in zip(links, joined, strict=True) if one},
        {i: short[knot] for i, knot in enumerate(bottoms.knot.tolist()) if knot in short},
    )
    for pair in np.flatnonzero(flow).tolist():
        scene.move(links[pair], int(flow[pair]))
    return scene


def _knots(
    chains: list[Chain], strands: list[Chain]
) -> tuple[list[int], list[int], dict[int, list[Chain]]]:
    """The knot at the upper and at the lower end of each strand: ends that are connected by ink
    through short chains have the same. And these chains, of each knot."""
    place = {chain: number for number, chain in enumerate(chains)}
    ends: list[tuple[int, int]] = []
    for chain in chains:
        upper = 2 * place[chain]
        if not is_strand(chain):
            ends.append((upper, upper + 1))
        ends += [(upper + 1, 2 * place[other]) for other in chain.below if other in place]
    one, other_end = np.array(ends, int).reshape(-1, 2).T
    size = 2 * len(chains)
    graph = coo_array((np.ones(len(one)), (one, other_end)), shape=(size, size))
    _, knot = connected_components(graph, directed=False)
    upper, lower = knot[::2], knot[1::2]
    of = [place[chain] for chain in strands]
    short: dict[int, list[Chain]] = {}
    for chain in chains:
        if not is_strand(chain):
            short.setdefault(int(knot[2 * place[chain]]), []).append(chain)
    return upper[of].tolist(), lower[of].tolist(), short


def _ink_between(
    lower: Ends, upper: Ends, a: NDArray[np.int64], s: NDArray[np.int64],
    ink: NDArray[np.uint8], ink_row: int,
) -> NDArray[np.float64]:  # fmt: skip
    """Mean probability along the straight line of each pair."""
    share = (np.arange(8) + 0.5) / 8
    x = lower.x[a, None] + (upper.x[s] - lower.x[a])[:, None] * share
    y = lower.y[a, None] + (upper.y[s] - lower.y[a])[:, None] * share - ink_row
    rows = np.clip(np.rint(y).astype(int), 0, len(ink) - 1)
    columns = np.clip(np.rint(x).astype(int), 0, ink.shape[1] - 1)
    mean: NDArray[np.float64] = ink[rows, columns].mean(1) / 255
    return mean


def _loops(tops: Ends, bottoms: Ends, worth: NDArray[np.float64]) -> NDArray[np.float64]:
    """What share of its worth is left to each strand."""
    between = np.isin(tops.knot, bottoms.knot) | np.isin(bottoms.knot, tops.knot)
    short = np.flatnonzero(between & (bottoms.y - tops.y < LOOP_ROWS))
    top, bottom = tops.y[short, None], bottoms.y[short, None]
    both = np.minimum(bottom, bottoms.y) - np.maximum(top, tops.y)
    away = np.abs(tops.x[short, None] - tops.x), np.abs(bottoms.x[short, None] - bottoms.x)
    beside = (worth > worth[short, None]) & (2 * both > bottom - top)
    beside &= (np.minimum(*away) < LOOP_PX) & (tops.layer[short, None] == tops.layer)
    left = np.ones(len(worth))
    left[short[beside.any(1)]] = LOOP
    return left
