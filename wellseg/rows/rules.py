"""Which rows of its inputs an operation needs to give some rows of its output: one rule for each.

The rules cover what wellseg's networks do, and what a plain UNet does. Another operation needs one
more rule here; ``graph`` refuses by name what has none.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

Rows = tuple[int, int]  # first, past the last

VALUE_WORK, SHUFFLE_WORK = 20, 150
"""Changing a value in the cache takes as long as so many multiply-adds of a convolution; moving it
to another place, as pixel_shuffle does, takes longer. Rough figures, from a profile of the bundled
network on two cores (AVX2, float32): they decide what is kept (``evaluation``), never a result."""


@dataclass(frozen=True)
class Rule:
    """How an operation on maps (1, C, H, W) is done for a range of rows.

    Output row r depends on the input rows from (r * down - offset - before) // up to
    (r * down - offset + after) // up. They may lie beyond the edges of the image: there, rows of
    ``fill`` are given to ``run``; if ``fill`` is None, the range is cut to the image instead.

    run: from the inputs' rows to output rows.
    run_over_first: the same, but writes the output over the first input.
    is_view: the output may be the memory of an input.
    work: for each output value, in multiply-adds of a convolution.
    """

    run: Callable[..., Tensor]
    down: int = 1
    up: int = 1
    offset: int = 0
    before: int = 0
    after: int = 0
    fill: float | None = None
    run_over_first: Callable[..., Tensor] | None = None
    is_view: bool = False
    work: float = VALUE_WORK

    def rows_in(self, start: int, stop: int) -> Rows:
        """The input rows that ``run`` must be given for output rows [start, stop)."""
        first = (start * self.down - self.offset - self.before) // self.up
        return first, ((stop - 1) * self.down - self.offset + self.after) // self.up + 1

    def first_row(self, first_in: int) -> int:
        """Which output row comes first when ``run`` is given input rows from this one on."""
        return (first_in * self.up + self.offset) // self.down


NOTHING = Rule(run=lambda rows: rows, is_view=True)


@dataclass(eq=False)
class Step:
    """One operation of the network: its rule, its inputs, and the full size of its output."""

    name: str
    rule: Rule
    inputs: list[Step]
    meta: Tensor  # (1, channels, rows, columns) in the evaluation's dtype, without data
    norm: nn.Module | None = None  # of a norm that must have seen all rows of its input first

    def __post_init__(self) -> None:
        self.users: list[Step] = []

    @property
    def rows(self) -> int:
        return self.meta.shape[2]

    @property
    def work(self) -> float:
        """Of the whole map, in multiply-adds."""
        return self.rule.work * self.meta.numel()


def steps_to(target: Step, steps: Sequence[Step], kept: Container[Step] = ()) -> list[Step]:
    """Those of the steps, which are in order, that must be done for that one's map from kept maps;
    none if it depends on none."""
    needed = {target} if target.inputs else set()
    for step in reversed(steps):
        if step in needed:
            needed.update(x for x in step.inputs if x not in kept)
    return [step for step in steps if step in needed]


class Refused(Exception):
    """A rule does not cover these arguments of its operation."""


def _refuse_unless(condition: bool, what: str) -> None:
    if not condition:
        raise Refused(what)


# --- The rules. Each has the signature of the PyTorch function it stands for. ---------------------

SIZES = {getattr, "size", "dim"}
"""What may be asked of a map besides its pixels; the answers are constants."""


def _pair(value: Any) -> tuple[Any, Any]:
    """Of rows and of columns."""
    return (value, value) if isinstance(value, int | float) else (value[0], value[-1])


def _conv2d(
    x: Step, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Rule:  # fmt: skip
    _refuse_unless(not isinstance(padding, str), f"padding={padding!r}")
    (down, _), (offset, columns), (row_dilation, _) = map(_pair, (stride, padding, dilation))

    def run(rows: Tensor) -> Tensor:
        return F.conv2d(rows, weight, bias, stride, (0, columns), dilation, groups)

    after = row_dilation * (weight.shape[2] - 1)
    work = VALUE_WORK + weight[0].numel()
    return Rule(run, down=down, offset=offset, after=after, fill=0.0, work=work)


def _conv_transpose2d(
    x: Step, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0,
    output_padding: Any = 0, groups: int = 1, dilation: Any = 1,
) -> Rule:  # fmt: skip
    (up, up_columns), (row_padding, columns) = _pair(stride), _pair(padding)
    ends = up - 1, _pair(output_padding)[1]  # a few rows too many, cut off again

    def run(rows: Tensor) -> Tensor:
        return F.conv_transpose2d(rows, weight, bias, stride, (0, columns), ends, groups, dilation)

    before = _pair(dilation)[0] * (weight.shape[2] - 1)
    work = VALUE_WORK + weight[:, 0].numel() / (up * up_columns)
    return Rule(run, up=up, offset=-row_padding, before=before, fill=0.0, work=work)


def _max_pool2d(
    x: Step, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
    ceil_mode: bool = False, return_indices: bool = False,
) -> Rule:  # fmt: skip
    (offset, columns), (down, _) = _pair(padding), _pair(stride or kernel_size)

    def run(rows: Tensor) -> Tensor:
        return F.max_pool2d(rows, kernel_size, stride, (0, columns), dilation, ceil_mode)

    after = _pair(dilation)[0] * (_pair(kernel_size)[0] - 1)
    return Rule(run, down=down, offset=offset, after=after, fill=-torch.inf)


def _interpolate(
    x: Step, size: Any = None, scale_factor: Any = None, mode: str = "nearest", *_: Any, **__: Any
) -> Rule:
    _refuse_unless(mode == "nearest" and size is None, f"mode {mode!r}, {size=}")
    up = _pair(scale_factor)[0]
    _refuse_unless(up == int(up), "only by a whole number")
    return Rule(lambda rows: F.interpolate(rows, scale_factor=scale_factor), up=int(up))


def _pixel_shuffle(x: Step, factor: int) -> Rule:
    shuffle = partial(F.pixel_shuffle, upscale_factor=factor)
    return Rule(shuffle, up=factor, is_view=True, work=SHUFFLE_WORK)


def _pixel_unshuffle(x: Step, factor: int) -> Rule:
    shuffle = partial(F.pixel_unshuffle, downscale_factor=factor)
    return Rule(shuffle, down=factor, after=factor - 1, is_view=True, work=SHUFFLE_WORK)


def _pad(x: Step, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Rule:
    left, right, top, _, *others = *pad, *[0] * (4 - len(pad))
    _refuse_unless(not any(others) and mode == "constant", f"mode {mode!r} of {tuple(pad)}")

    def run(rows: Tensor) -> Tensor:
        return F.pad(rows, (left, right, 0, 0), value=value) if left or right else rows

    return Rule(run, offset=top, fill=value or 0.0, is_view=True)


def _getitem(x: Step, given: Any) -> Rule:
    index = list(given) if isinstance(given, tuple) else [given]
    _refuse_unless(all(isinstance(part, slice) for part in index), "an index that is no slice")
    image, channels, rows, columns = index + [slice(None)] * (4 - len(index))
    top, _, step = rows.indices(x.rows)
    _refuse_unless(step == 1, "every other row")
    return Rule(lambda part: part[image, channels, :, columns], offset=-top, is_view=True)


def _cat(tensors: Any, dim: int = 0) -> Rule:
    _refuse_unless(dim in (1, -3), f"along dimension {dim}")
    return _pointwise(torch.cat)(tensors, dim=dim)


def _pointwise(
    function: Callable[..., Tensor], over_first: Callable[..., Tensor] | None = None
) -> Callable[..., Rule]:
    """Rules of a function whose output pixels each depend on the same pixel of its inputs."""

    def make_rule(*args: Any, **kwargs: Any) -> Rule:
        given: list[Any] = []
        fx.node.map_aggregate((args, kwargs), given.append)
        steps = [a for a in given if isinstance(a, Step)]
        constants = [a for a in given if isinstance(a, Tensor)]
        one_height = len({step.rows for step in steps}) == 1
        _refuse_unless(one_height, "rows of different maps do not stand side by side")
        same_in_rows = all(c.dim() < 2 or c.shape[-2] == 1 for c in constants)
        _refuse_unless(same_in_rows, "a constant that varies from row to row")
        kwargs.pop("inplace", None)
        if list(args) == steps and not kwargs:
            return Rule(function, run_over_first=over_first)

        def run(*rows: Tensor) -> Tensor:
            left = iter(rows)
            filled_args, filled_kwargs = fx.node.map_aggregate(
                (args, kwargs), lambda a: next(left) if isinstance(a, Step) else a
            )
            return function(*filled_args, **filled_kwargs)

        return Rule(run)

    return make_rule


def method_call(name: str) -> Callable[..., Any]:
    """That method, as a function."""
    return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)


POINTWISE: tuple[Any, ...] = (
    F.leaky_relu, F.elu, F.gelu, F.silu, torch.sigmoid, torch.tanh, torch.clamp,
    operator.sub, operator.mul, operator.truediv, operator.neg,
)  # fmt: skip
METHODS = "sigmoid", "tanh", "clamp", "sub", "mul", "clone"
IN_PLACE: dict[Any, Any] = {
    operator.iadd: operator.add, operator.isub: operator.sub, operator.imul: operator.mul,
    "relu_": torch.relu, "add_": torch.add, "mul_": operator.mul,
}  # fmt: skip
"""What writes over its first argument, and the same without."""

_RELU, _ADD = _pointwise(torch.relu, torch.relu_), _pointwise(torch.add, operator.iadd)
RULES: dict[Any, Callable[..., Rule]] = {
    F.conv2d: _conv2d, F.conv_transpose2d: _conv_transpose2d, F.max_pool2d: _max_pool2d,
    F.interpolate: _interpolate, F.pixel_shuffle: _pixel_shuffle,
    F.pixel_unshuffle: _pixel_unshuffle, F.pad: _pad, operator.getitem: _getitem, torch.cat: _cat,
    "contiguous": lambda x: NOTHING,
    **{function: _pointwise(function) for function in POINTWISE},
    **{name: _pointwise(method_call(name)) for name in METHODS},
    **dict.fromkeys((F.relu, torch.relu, "relu"), _RELU),
    **dict.fromkeys((operator.add, torch.add, "add"), _ADD),
}  # fmt: skip
RULES.update({in_place: RULES[plain] for in_place, plain in IN_PLACE.items()})
