"""Some rows of one map, computed from rows of the maps that are kept."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

import torch.nn.functional as F
from torch import Tensor

from wellseg.rows.rules import Rows, Step, steps_to
from wellseg.rows.statistics import ScaleShift


class Path:
    """The operations between kept maps, its ``sources``, and one map, its ``target``."""

    def __init__(self, target: Step, steps: Sequence[Step], kept: Container[Step]) -> None:
        self.target = target
        self.steps = steps_to(target, steps, kept)
        inputs = dict.fromkeys(x for step in self.steps for x in step.inputs)
        self.sources = [x for x in inputs if x in kept]
        self.work = sum(step.work for step in self.steps)
        last_user = {x: step for step in self.steps for x in step.inputs}
        self._done_with = {step: [x for x in inputs if last_user[x] is step] for step in self.steps}
        self._overwritten = {step for step in self.steps if self._may_overwrite(step)}

    def _may_overwrite(self, step: Step) -> bool:
        """Whether nobody else sees the memory of its first input, and the output fits there."""
        first = step.inputs[0]
        own = first in self.steps and not first.rule.is_view and len(first.users) == 1
        return own and first.meta.shape == step.meta.shape

    def ranges(self, start: int, stop: int) -> dict[Step, Rows]:
        """The rows that each step and source must give for rows [start, stop) of the target."""
        ranges = {self.target: (start, stop)}
        for step in reversed(self.steps):
            first, last = step.rule.rows_in(*ranges[step])
            for x in step.inputs:
                # At least one row, though some operations need none but those beyond the edge.
                begin = max(0, min(first, x.rows - 1))
                end = max(begin + 1, min(last, x.rows))
                others_begin, others_end = ranges.get(x, (begin, end))
                ranges[x] = min(begin, others_begin), max(end, others_end)
        return ranges

    def compute(
        self,
        ranges: dict[Step, Rows],
        rows_of_source: Callable[[Step, int, int], Tensor],
        scale_shift_of: Callable[[Step], ScaleShift],
    ) -> Tensor:
        """Those rows of the target, (1, C, rows, W)."""
        values = {source: rows_of_source(source, *ranges[source]) for source in self.sources}
        for step in self.steps:
            rule, (start, stop) = step.rule, ranges[step]
            first, last = rule.rows_in(start, stop)
            if rule.fill is None:
                first, last = max(0, first), min(last, step.inputs[0].rows)
            rows = [
                select_rows(values[x], ranges[x][0], x.rows, first, last, rule.fill)
                for x in step.inputs
            ]
            over = step in self._overwritten
            if step.norm:
                given = scale_shift_of(step).apply(rows[0], first, over)
            elif over and rule.run_over_first:
                given = rule.run_over_first(*rows)
            else:
                given = rule.run(*rows)
            values[step] = given.narrow(2, start - rule.first_row(first), stop - start)
            for x in self._done_with[step]:
                del values[x]
        return values[self.target]


def select_rows(
    x: Tensor, x_first: int, height: int, first: int, last: int, fill: float | None
) -> Tensor:
    """Rows [first, last) of a map of that height, from a tensor that begins with its row x_first.

    Beyond the map's edges, which are the image's, rows are filled in; there alone.
    """
    inside = x[:, :, max(0, first) - x_first : max(0, min(last, height) - x_first)]
    above, below = (min(max(0, beyond), last - first) for beyond in (-first, last - height))
    return F.pad(inside, (0, 0, above, below), value=fill or 0.0) if above or below else inside
