"""Which rows of its inputs an operation needs to give some rows of its output: one rule for each.

To teach ``rowwise`` another operation, write its rule here. ``rowgraph`` refuses what has none.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

Rows = tuple[int, int]  # first, past the last

VALUE_WORK = 20
"""To read, change and write a value in the cache takes as long as so many multiply-adds."""
SHUFFLE_WORK = 150
"""And to move it about (pixel_shuffle)."""


def _same(start: int, stop: int) -> Rows:
    return start, stop


@dataclass(frozen=True)
class Rule:
    """How an operation on maps (1, C, H, W) is done for a range of rows.

    run: from the inputs' rows to output rows.
    rows_in: from the wanted output rows to the input rows that ``run`` must be given. They may reach
        over the edges of the image, where rows of ``fill`` stand, unless ``fill`` is None: then they
        are cut to the image.
    first_row: which output row comes first when ``run`` is given rows from this one on.
    view: the output may be the memory of an input.
    run_over_first: as ``run``, but writes the output over the first input.
    work: for each output value, in multiply-adds of a convolution (measured, where it is not one).
    """

    run: Callable[..., Tensor]
    rows_in: Callable[[int, int], Rows] = _same
    first_row: Callable[[int], int] = lambda start: start
    fill: float | None = None
    view: bool = False
    run_over_first: Callable[..., Tensor] | None = None
    work: float = VALUE_WORK


NOTHING = Rule(run=lambda rows: rows, view=True)


@dataclass(eq=False)
class Step:
    """One operation of the network: its rule, its inputs, and the full size of its output."""

    name: str
    rule: Rule
    inputs: list[Step]
    meta: Tensor  # (1, channels, rows, columns) in the evaluation's dtype, without data
    barrier: nn.Module | None = None  # a norm that must have seen all rows of its input first
    users: list[Step] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.meta.shape[2]

    @property
    def work(self) -> float:
        """Of the whole map, in multiply-adds."""
        return self.rule.work * self.meta.numel()

    def __repr__(self) -> str:
        return f"{self.name} {tuple(self.meta.shape[1:])}"


def method_call(name: str) -> Callable[..., Any]:
    """That method, as a function."""
    return lambda x, *args, **kwargs: getattr(x, name)(*args, **kwargs)


class Refused(Exception):
    """A rule does not cover these arguments of its operation."""


def _refuse_unless(condition: bool, what: str) -> None:
    if not condition:
        raise Refused(what)


# --- The rules. Each has the signature of the PyTorch function it stands for. ---------------------

SIZES = {getattr, "size", "dim"}
"""What may be asked of a map besides its pixels; the answers are constants."""

RULES: dict[Any, Callable[..., Rule]] = {}


def _rule(*targets: Any) -> Callable[[Callable[..., Rule]], Callable[..., Rule]]:
    def register(make: Callable[..., Rule]) -> Callable[..., Rule]:
        RULES.update(dict.fromkeys(targets, make))
        return make

    return register


def _pair(value: Any) -> tuple[int, int]:
    if isinstance(value, int):
        return value, value
    return (value[0], value[-1]) if len(value) else (0, 0)


@_rule(F.conv2d, torch.conv2d)
def _conv2d(
    x: Step, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
    groups: int = 1,
) -> Rule:  # fmt: skip
    if isinstance(padding, str):
        reach = [d * (k - 1) for d, k in zip(_pair(dilation), weight.shape[2:], strict=True)]
        _refuse_unless(
            padding == "valid" or not any(r % 2 for r in reach), "padding='same' of an even kernel"
        )
        padding = [r // 2 if padding == "same" else 0 for r in reach]
    (row_padding, column_padding), (row_stride, _) = _pair(padding), _pair(stride)

    def run(rows: Tensor) -> Tensor:
        return F.conv2d(rows, weight, bias, stride, (0, column_padding), dilation, groups)

    return Rule(
        run,
        rows_in=_window(weight.shape[2], row_stride, row_padding, _pair(dilation)[0]),
        first_row=lambda start: (start + row_padding) // row_stride,
        fill=0.0,
        work=VALUE_WORK + weight[0].numel(),
    )


def _window(
    kernel: int, stride: int, padding: int, dilation: int = 1
) -> Callable[[int, int], Rows]:
    """rows_in of an operation that looks at the rows under a kernel."""

    def rows_in(start: int, stop: int) -> Rows:
        return start * stride - padding, (stop - 1) * stride - padding + dilation * (kernel - 1) + 1

    return rows_in


@_rule(F.max_pool2d, torch.max_pool2d)
def _max_pool2d(
    x: Step, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False,
) -> Rule:  # fmt: skip
    (kernel, _), (row_stride, _), (row_dilation, _) = (
        _pair(kernel_size),
        _pair(stride or kernel_size),
        _pair(dilation),
    )
    row_padding, column_padding = _pair(padding)

    def run(rows: Tensor) -> Tensor:
        return F.max_pool2d(rows, kernel_size, stride, (0, column_padding), dilation, ceil_mode)

    return Rule(
        run,
        rows_in=_window(kernel, row_stride, row_padding, row_dilation),
        first_row=lambda start: (start + row_padding) // row_stride,
        fill=-torch.inf,
    )


@_rule(F.avg_pool2d)
def _avg_pool2d(
    x: Step, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None,
) -> Rule:  # fmt: skip
    _refuse_unless(
        not ceil_mode and (count_include_pad or not any(_pair(padding))),
        "an average over part of a window",
    )
    (kernel, _), (row_stride, _), (row_padding, column_padding) = map(
        _pair, (kernel_size, stride or kernel_size, padding)
    )

    def run(rows: Tensor) -> Tensor:
        return F.avg_pool2d(
            rows, kernel_size, stride, (0, column_padding), divisor_override=divisor_override
        )

    return Rule(
        run,
        rows_in=_window(kernel, row_stride, row_padding),
        first_row=lambda start: (start + row_padding) // row_stride,
        fill=0.0,
    )


@_rule(F.conv_transpose2d, torch.conv_transpose2d)
def _conv_transpose2d(
    x: Step, weight: Tensor, bias: Tensor | None = None, stride: Any = 1, padding: Any = 0, output_padding: Any = 0,
    groups: int = 1, dilation: Any = 1,
) -> Rule:  # fmt: skip
    (row_stride, _), (row_dilation, _) = _pair(stride), _pair(dilation)
    (row_padding, column_padding), (_, more_columns) = _pair(padding), _pair(output_padding)
    reach = row_dilation * (
        weight.shape[2] - 1
    )  # input row j adds to output rows j * stride - padding + 0 ... reach

    def run(rows: Tensor) -> Tensor:
        ends = (row_stride - 1, more_columns)  # a few rows too many, cut off again
        return F.conv_transpose2d(
            rows, weight, bias, stride, (0, column_padding), ends, groups, dilation
        )

    return Rule(
        run,
        rows_in=lambda start, stop: (
            (start + row_padding - reach) // row_stride,
            (stop - 1 + row_padding) // row_stride + 1,
        ),
        first_row=lambda start: start * row_stride - row_padding,
        fill=0.0,
        work=VALUE_WORK + weight.numel() / weight.shape[1] / (row_stride * _pair(stride)[1]),
    )


@_rule(F.interpolate)
def _interpolate(
    x: Step, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None, antialias: bool = False,
) -> Rule:  # fmt: skip
    if size is not None:
        scale_factor = [
            wanted / had for wanted, had in zip(_pair(size), x.meta.shape[2:], strict=True)
        ]
    elif isinstance(scale_factor, (int, float)):
        scale_factor = (scale_factor, scale_factor)
    times = int(scale_factor[0])
    _refuse_unless(all(factor == int(factor) for factor in scale_factor), "only by a whole number")
    _refuse_unless(
        mode in ("nearest", "nearest-exact", "bilinear") and not align_corners,
        f"mode {mode!r}, {align_corners=}",
    )
    beside = (
        1 if mode == "bilinear" else 0
    )  # beyond the edges of the image, the outermost row counts as repeated

    def rows_in(start: int, stop: int) -> Rows:
        return start // times - beside, -(-stop // times) + beside

    def run(rows: Tensor) -> Tensor:
        return F.interpolate(rows, scale_factor=tuple(map(float, scale_factor)), mode=mode)

    return Rule(run, rows_in, first_row=lambda start: start * times)


@_rule(F.pixel_shuffle, torch.pixel_shuffle)
def _pixel_shuffle(x: Step, upscale_factor: int) -> Rule:
    def rows_in(start: int, stop: int) -> Rows:
        return start // upscale_factor, -(-stop // upscale_factor)

    return Rule(
        lambda rows: F.pixel_shuffle(rows, upscale_factor),
        rows_in,
        first_row=lambda start: start * upscale_factor,
        view=True,
        work=SHUFFLE_WORK,
    )


@_rule(F.pixel_unshuffle, torch.pixel_unshuffle)
def _pixel_unshuffle(x: Step, downscale_factor: int) -> Rule:
    return Rule(
        lambda rows: F.pixel_unshuffle(rows, downscale_factor),
        rows_in=lambda start, stop: (start * downscale_factor, stop * downscale_factor),
        first_row=lambda start: start // downscale_factor,
        view=True,
        work=SHUFFLE_WORK,
    )


@_rule(F.pad)
def _pad(x: Step, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Rule:
    left, right, top, bottom, *others = *pad, *[0] * (4 - len(pad))
    _refuse_unless(
        not any(others) and (mode == "constant" or (not top and not bottom)),
        f"mode {mode!r} of {tuple(pad)}",
    )
    return Rule(
        lambda rows: F.pad(rows, (left, right, 0, 0), mode, value) if left or right else rows,
        rows_in=lambda start, stop: (start - top, stop - top),
        first_row=lambda start: start + top,
        fill=value or 0.0,
        view=True,
    )


@_rule(operator.getitem)
def _getitem(x: Step, given: Any) -> Rule:
    index = list(given) if isinstance(given, tuple) else [given]
    _refuse_unless(all(isinstance(part, slice) for part in index), "an index that is no slice")
    whole, channels, rows, columns = index + [slice(None)] * (4 - len(index))
    top, _, step = rows.indices(x.rows)
    _refuse_unless(step == 1, "every other row")
    return Rule(
        lambda part: part[whole, channels, :, columns],
        rows_in=lambda start, stop: (start + top, stop + top),
        first_row=lambda start: start - top,
        view=True,
    )


def _pointwise(
    function: Callable[..., Tensor], over_first: Callable[..., Tensor] | None = None
) -> Callable[..., Rule]:
    """The rule maker of a function whose every output pixel depends on the same pixel of its inputs."""

    def make_rule(*args: Any, **kwargs: Any) -> Rule:
        given: list[Any] = []
        fx.node.map_aggregate((args, kwargs), given.append)
        steps = [a for a in given if isinstance(a, Step)]
        constants = [a for a in given if isinstance(a, Tensor)]
        _refuse_unless(
            len({step.rows for step in steps}) == 1,
            "rows of different maps do not stand side by side",
        )
        _refuse_unless(
            all(c.dim() < 2 or c.shape[-2] == 1 for c in constants),
            "a constant that varies from row to row",
        )
        kwargs.pop("inplace", None)
        if list(args) == steps and not kwargs:
            return Rule(function, run_over_first=over_first)

        def run(*rows: Tensor) -> Tensor:
            left = iter(rows)
            filled = fx.node.map_aggregate(
                (args, kwargs), lambda a: next(left) if isinstance(a, Step) else a
            )
            return function(*filled[0], **filled[1])

        return Rule(run)

    return make_rule


@_rule(torch.cat, torch.concat)
def _cat(tensors: Any, dim: int = 0) -> Rule:
    _refuse_unless(dim in (1, 3, -1, -3), f"along dimension {dim}")
    return _pointwise(torch.cat)(tensors, dim=dim)


@_rule(F.dropout, F.dropout2d)
def _dropout(x: Step, p: float = 0.5, training: bool = True, inplace: bool = False) -> Rule:
    _refuse_unless(not training, "in training mode")
    return NOTHING


IN_PLACE: dict[Any, Any] = {
    operator.iadd: operator.add, operator.isub: operator.sub, operator.imul: operator.mul,
    "relu_": torch.relu, "add_": torch.add, "mul_": torch.mul,
}  # fmt: skip
"""What writes over its first argument, and the same without."""

POINTWISE: tuple[Any, ...] = (
    F.leaky_relu, F.elu, F.selu, F.gelu, F.silu, F.mish, F.softplus, F.hardswish, F.hardtanh, F.relu6, F.hardsigmoid,
    torch.sigmoid, torch.tanh, torch.exp, torch.abs, torch.square, torch.neg, torch.maximum, torch.minimum, torch.clamp,
    operator.sub, torch.sub, operator.mul, torch.mul, operator.truediv, operator.neg,
)  # fmt: skip

RULES.update({function: _pointwise(function) for function in POINTWISE})
RULES.update(
    {
        name: _pointwise(method_call(name))
        for name in ("sigmoid", "tanh", "clamp", "sub", "mul", "clone")
    }
)
RULES.update(dict.fromkeys((F.relu, torch.relu, "relu"), _pointwise(torch.relu, torch.relu_)))
RULES.update(dict.fromkeys((operator.add, torch.add, "add"), _pointwise(torch.add, operator.iadd)))
RULES.update({in_place: RULES[plain] for in_place, plain in IN_PLACE.items()})
RULES["contiguous"] = lambda x: NOTHING
