"""The operations of a network, in order, each with a rule for computing it by rows.

The network runs once on an image of full size without data (PyTorch's "meta" device), and every
operation is recorded. One without a rule is refused, by name, before anything is computed."""

import copy
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map, tree_map_only

from wellseg.norms import Norm

Rows = tuple[int, int]  # first, past the last
Ints = tuple[int, ...] | list[int]
aten = torch.ops.aten
# In multiply-adds of a convolution that take as long. They decide what is kept, never a result.
VALUE_WORK, SHUFFLE_WORK = 20, 150  # to change a value in the cache; to move it, as pixel_shuffle


@dataclass(frozen=True)
class Rule:
    """How an operation on maps (1, C, H, W) is done for a range of rows.
    Output row r depends on the input rows from (r * down - offset - before) // up to
    (r * down - offset + after) // up. They may lie beyond the edges of the image: there, rows of
    ``fill`` are given to ``run``; if ``fill`` is None, the range is cut to the image instead."""

    run: Callable[..., Tensor]  # from the inputs' rows to output rows
    down: int = 1
    up: int = 1
    offset: int = 0
    after: int = 0
    fill: float | None = None
    work: float = VALUE_WORK  # for each output value, in multiply-adds of a convolution

    def rows_in(self, start: int, stop: int) -> Rows:
        """The input rows that ``run`` must be given for output rows [start, stop)."""
        first = (start * self.down - self.offset) // self.up
        return first, ((stop - 1) * self.down - self.offset + self.after) // self.up + 1

    def first_row(self, first_in: int) -> int:
        """The first output row of ``run`` on input rows from this one on."""
        return (first_in * self.up + self.offset) // self.down


@dataclass(eq=False)
class Step:
    """One operation of the network: its rule, its inputs, and the full size of its output."""

    rule: Rule
    inputs: list["Step"]
    meta: Tensor  # (1, channels, rows, columns) in the evaluation's dtype, without data
    norm: Norm | None = None  # that reads the image: then its scale and shift, not the rule
    users: list["Step"] = field(default_factory=list)

    @property
    def rows(self) -> int:
        return self.meta.shape[2]

    @property
    def work(self) -> float:
        """Work for the whole map, in multiply-adds."""
        return self.rule.work * self.meta.numel()


def steps_to(target: Step, steps: Sequence[Step], kept: Container[Step] = ()) -> list[Step]:
    """The steps, in order, that compute the target's map from kept ones; none for the input."""
    needed = {target} if target.inputs else set()
    for step in reversed(steps):
        if step in needed:
            needed.update(x for x in step.inputs if x not in kept)
    return [step for step in steps if step in needed]


def record(net: nn.Module, size: Ints, dtype: torch.dtype, device: torch.device) -> list[Step]:
    """The steps of that network, from an image of size (channels, rows, columns) to its output."""
    # bf16 maps meet float32 norms, as under autocast; float64 maps need float64 ones.
    wide = torch.promote_types(dtype, torch.float32)
    net, nothing = copy.deepcopy(net).to(device, wide), Rule(nn.Identity())
    ink = Step(nothing, [], torch.empty((1, *size), dtype=wide, device="meta"))
    recorder = _Recorder(ink, dtype)
    for module in net.modules():
        fixed = isinstance(module, nn.modules.batchnorm._BatchNorm) and not module.training
        if (fixed and module.track_running_stats) or isinstance(module, Norm):
            module.forward = partial(recorder.norm, module, module.forward)
    with torch.no_grad(), recorder:
        output = recorder.find(net(ink.meta))
    if output is None:
        raise NotImplementedError(f"{type(net).__name__} must return one map made from its input")
    last = Step(nothing, [output], output.meta)
    steps = [ink, *steps_to(last, [*recorder.steps, last])]
    for step in steps:
        step.meta = step.meta.to(dtype) if step.meta.is_floating_point() else step.meta
        for x in step.inputs:
            x.users.append(step)
    return steps


class _Recorder(TorchDispatchMode):
    """Records the operations on maps. A map is recognised by its memory on the meta device."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # else torch._dynamo is imported, which takes seconds

    def __init__(self, ink: Step, dtype: torch.dtype) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.dtype = dtype
        self.steps: list[Step] = []
        self.step_of = {_memory(ink.meta): ink}

    def find(self, value: Any) -> Step | None:
        return self.step_of.get(_memory(value)) if isinstance(value, Tensor) else None

    def _add(self, step: Step) -> Tensor:
        self.steps.append(step)
        self.step_of[_memory(step.meta)] = step
        return step.meta

    def norm(self, norm: nn.Module, forward: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Replaces the ``forward`` of a norm, which becomes one step."""
        meta = torch.empty(x.shape, dtype=x.dtype, device="meta")
        image_norm = norm if isinstance(norm, Norm) and norm.reads_image else None
        rule = Rule(lambda rows: forward(rows).to(rows.dtype))  # float32 weights lift bf16
        return self._add(Step(rule, [self.step_of[_memory(x)]], meta, image_norm))

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not (inputs := [step for step in map(self.find, tree_leaves(args)) if step]):
            return func(*args, **kwargs)
        name, overload = func._schema.name.removeprefix("aten::"), func._overloadname
        try:
            out = func(*tree_map_only(Tensor, lambda x: x.to("meta"), args), **kwargs)
            meta = out[0] if isinstance(out, tuple) else out
            if func._schema.is_mutable:
                if sum(place[0] == _memory(meta)[0] for place in self.step_of) > 1:
                    raise NotImplementedError("another map shares the memory that it changes")
                func = getattr(getattr(aten, name.rstrip("_"), None), overload, func)
            elif self.find(meta):
                return out  # the same map
            pointwise = partial(_pointwise, func) if torch.Tag.pointwise in func.tags else None
            if not (make_rule := RULES.get(func.overloadpacket, pointwise)):
                raise NotImplementedError("there is no rule for it (norms/__init__.py has those)")
            if meta.dim() != 4 or len(meta) != 1:
                raise NotImplementedError(f"it gives {tuple(meta.shape)}, not a map (1, C, H, W)")
            rule = make_rule(*tree_map(self._for_maps, args), **kwargs)
        except NotImplementedError as why:
            raise NotImplementedError(f"{name} cannot be evaluated by rows: {why}") from None
        self._add(Step(rule, inputs, meta))
        return out

    def _for_maps(self, value: Any) -> Any:
        """A map as its step, a weight in the dtype and memory order of the maps."""
        if not isinstance(value, Tensor) or value.is_meta:
            return self.find(value) or value
        value = value.detach().to(self.dtype if value.is_floating_point() else None)
        return value.contiguous(memory_format=torch.channels_last) if value.dim() == 4 else value


def _memory(x: Tensor) -> tuple[Any, ...]:
    return x.untyped_storage()._cdata, x.storage_offset(), x.shape, x.stride()


def _convolution(x: Step, weight: Tensor, bias: Tensor | None, *options: Any) -> Rule:
    stride, padding, dilation, is_transposed, output_padding, groups = options
    reach, top, ends = dilation[0] * (weight.shape[2] - 1), 0, output_padding
    if is_transposed:  # without the rows above and below to which others would add
        top, ends = reach, (stride[0] - 1, output_padding[1])
    how = stride, (top, padding[1]), dilation, is_transposed, ends, groups
    rule = Rule(lambda rows: aten.convolution(rows, weight, bias, *how), fill=0.0, after=reach)
    if is_transposed:
        work = VALUE_WORK + weight[:, 0].numel() / (stride[0] * stride[1])
        return replace(rule, up=stride[0], offset=reach - padding[0], work=work)
    return replace(rule, down=stride[0], offset=padding[0], work=VALUE_WORK + weight[0].numel())


def _max_pool(
    x: Step, kernel: Ints, stride: Ints = (), padding: Ints = (0, 0),
    dilation: Ints = (1, 1), ceil_mode: bool = False,
) -> Rule:  # fmt: skip
    stride = stride or kernel
    how = kernel, stride, (0, padding[1]), dilation, ceil_mode
    rule = Rule(lambda rows: torch.max_pool2d(rows, *how), fill=-torch.inf)
    return replace(rule, down=stride[0], offset=padding[0], after=dilation[0] * (kernel[0] - 1))


def _upsample_nearest(x: Step, size: Ints, *scales: float | None) -> Rule:
    up, rest = divmod(size[0], x.rows)
    if rest:
        raise NotImplementedError(f"{size[0]} rows of {x.rows} are not a whole number of times")
    rule = Rule(lambda rows: aten.upsample_nearest2d(rows, [rows.shape[2] * up, size[1]], *scales))
    return replace(rule, up=up)


def _pixel_shuffle(x: Step, factor: int) -> Rule:
    return Rule(partial(torch.pixel_shuffle, upscale_factor=factor), up=factor, work=SHUFFLE_WORK)


def _pixel_unshuffle(x: Step, factor: int) -> Rule:
    run = partial(torch.pixel_unshuffle, downscale_factor=factor)
    return Rule(run, down=factor, after=factor - 1, work=SHUFFLE_WORK)


def _pad(x: Step, pad: Ints, value: float = 0.0) -> Rule:
    columns, (top, _) = list(pad[:2]), pad[2:] or (0, 0)
    run = partial(nn.functional.pad, pad=columns, value=value) if any(columns) else nn.Identity()
    return Rule(run, offset=top, fill=value)


def _slice(x: Step, dim: int = 0, start: Any = None, stop: Any = None, step: int = 1) -> Rule:
    if dim % 4 != 2:
        return Rule(lambda rows: aten.slice(rows, dim, start, stop, step))
    if step != 1:
        raise NotImplementedError("it takes every n-th row")
    return Rule(nn.Identity(), offset=-slice(start, stop).indices(x.rows)[0])


def _cat(maps: Sequence[Step], dim: int = 0) -> Rule:
    if dim not in (1, -3):
        raise NotImplementedError(f"along dimension {dim}")
    return _pointwise(aten.cat.default, maps, dim=dim)


def _pointwise(func: Any, *args: Any, **kwargs: Any) -> Rule:
    """For a function whose output pixels each depend on the same pixel of its inputs."""
    if len({x.rows for x in tree_leaves(args) if isinstance(x, Step)}) > 1:
        raise NotImplementedError("its inputs differ in their numbers of rows")
    if any(isinstance(x, Tensor) and x.dim() > 1 and x.shape[-2] > 1 for x in tree_leaves(args)):
        raise NotImplementedError("a constant that varies from row to row")

    def run(*rows: Tensor) -> Tensor:
        left = iter(rows)
        return func(*tree_map_only(Step, lambda _: next(left), args), **kwargs)

    return Rule(run)


RULES: dict[Any, Callable[..., Rule]]
RULES = {aten.convolution: _convolution, aten.max_pool2d_with_indices: _max_pool, aten.cat: _cat}
RULES |= {aten.pixel_shuffle: _pixel_shuffle, aten.upsample_nearest2d: _upsample_nearest}
RULES |= {aten.pixel_unshuffle: _pixel_unshuffle, aten.constant_pad_nd: _pad, aten.slice: _slice}
"""Each takes what its operation takes, a Step for a map. `_pointwise`: for what PyTorch tags so."""
