"""Checks of what a caller passes in: each error names the bad value and the way out."""

from __future__ import annotations

import math
from numbers import Real

import torch
from torch import Tensor, nn


def check_tensor(name: str, values: Tensor, dtype: torch.dtype | None = None) -> None:
    """Raise unless `values` is a tensor; the way out makes one of the dtype, if one is given."""
    if not isinstance(values, Tensor):
        if hasattr(values, "event_shape"):
            way_out = "pass what its .sample(n) returns"
        elif callable(values):
            way_out = f"a function or a network stands where {name} belongs: check their order"
        else:
            wanted = name if dtype is None else f"{name}, dtype={dtype}"
            way_out = f"convert it with torch.as_tensor({wanted})"
        raise TypeError(f"{name} must be a torch.Tensor, not {type(values).__name__}; {way_out}")


def check_real(name: str, values: Tensor) -> None:
    """Raise unless `values` is a floating-point tensor."""
    check_tensor(name, values, torch.float32)
    if not values.is_floating_point():
        raise TypeError(
            f"{name} has dtype {values.dtype}, but it must hold real numbers; pass {name}.float()"
        )


def check_points(name: str, points: Tensor) -> None:
    """Raise unless `points` is a floating-point tensor of shape (batch, *event), not empty."""
    check_real(name, points)
    if points.ndim < 2:
        raise ValueError(
            f"{name} has shape {tuple(points.shape)}, but points are (batch, *event); "
            f"for numbers on a line pass {name}.reshape(-1, 1)"
        )
    if points.numel() == 0:
        raise ValueError(f"{name} is empty (shape {tuple(points.shape)}); pass at least one point")


def check_event(name: str, points: Tensor, event_shape: tuple[int, ...]) -> None:
    """Raise unless `points` holds points of the shape `event_shape`."""
    check_points(name, points)
    if tuple(points.shape[1:]) != tuple(event_shape):
        raise ValueError(
            f"{name} has shape {tuple(points.shape)}, but points of this distribution have shape "
            f"{tuple(event_shape)}; pass {name} of shape (n, {', '.join(map(str, event_shape))})"
        )


def check_data(name: str, points: Tensor) -> None:
    """Raise unless `points` is also finite, so that it can serve as data."""
    check_points(name, points)
    bad = ~torch.isfinite(points).flatten(1).all(dim=1)
    if bad.any():
        raise ValueError(
            f"{name} holds NaN or infinity in {int(bad.sum())} of {len(points)} rows, the first "
            f"of them row {int(bad.nonzero()[0])}; drop those rows or repair the data"
        )


def check_pair(x0: Tensor, x1: Tensor) -> None:
    """Raise unless `x0` and `x1` can be paired row by row."""
    check_points("x0", x0)
    check_points("x1", x1)
    if x0.shape != x1.shape:
        raise ValueError(
            f"x0 has shape {tuple(x0.shape)} and x1 has shape {tuple(x1.shape)}; "
            f"a pair needs one row of each, of the same event shape"
        )
    check_same_dtype("x0", x0, "x1", x1)
    check_same_device("x0", x0, "x1", x1)


def check_condition(condition: Tensor | None, points: Tensor) -> None:
    """Raise unless the condition is None or has a row for each of the points."""
    if condition is None:
        return
    check_tensor("condition", condition)
    if condition.shape[:1] != points.shape[:1]:
        raise ValueError(
            f"the condition has shape {tuple(condition.shape)}, but {len(points)} points need one "
            f"row each; for one label everywhere pass torch.full(({len(points)},), label)"
        )
    check_same_device("condition", condition, "x1", points)


def check_times(t: Tensor, x: Tensor) -> None:
    """Raise unless `t` holds one time in [0, 1] for each row of `x`."""
    if not isinstance(t, Tensor) or not t.is_floating_point():
        kind = t.dtype if isinstance(t, Tensor) else type(t).__name__
        raise TypeError(
            f"t must be a floating-point tensor, not {kind}; "
            f"for one time everywhere pass torch.full((len(x),), t)"
        )
    if t.shape != (n := len(x),):
        ways: dict[tuple[int, ...], str] = {
            (n, 1): "reshape it with t.flatten()",
            (n, 2): "rf.time_pairs goes with loss=rf.mean_flow_loss",
        }
        way_out = ways.get(tuple(t.shape), f"for one time everywhere pass torch.full(({n},), time)")
        raise ValueError(
            f"t has shape {tuple(t.shape)}, but a batch of {n} points needs shape ({n},): one time "
            f"per point; {way_out}"
        )
    check_same_device("t", t, "x", x)
    check_unit_interval(t)


def check_unit_interval(t: Tensor) -> None:
    """Raise unless all times lie in [0, 1]."""
    ends = t.detach().aminmax() if t.numel() else ()  # NaN, if any, is both of them
    if not all(0 <= end.item() <= 1 for end in ends):
        outside = ~((t >= 0) & (t <= 1))
        raise ValueError(
            f"t = {t[outside][0].item()} lies outside [0, 1]; "
            f"here t = 0 is the source and t = 1 the data"
        )


def check_same_device(first_name: str, first: Tensor, second_name: str, second: Tensor) -> None:
    """Raise when the two tensors live on different devices."""
    if first.device != second.device:
        raise ValueError(
            f"{first_name} is on {first.device} and {second_name} is on {second.device}; "
            f"move one with .to({str(second.device)!r})"
        )


def check_same_dtype(first_name: str, first: Tensor, second_name: str, second: Tensor) -> None:
    """Raise when the two tensors have different precision."""
    if first.dtype != second.dtype:
        raise TypeError(
            f"{first_name} has dtype {first.dtype} and {second_name} has dtype {second.dtype}; "
            f"convert one with .to({first.dtype})"
        )


def check_velocity_output(v: Tensor, x: Tensor) -> None:
    """Raise unless a velocity returned one vector of the shape of `x` per point."""
    if not isinstance(v, Tensor):
        raise TypeError(f"the velocity returned {type(v).__name__}, not a torch.Tensor")
    if v.shape != x.shape:
        raise ValueError(
            f"the velocity returned shape {tuple(v.shape)} for points of shape "
            f"{tuple(x.shape)}; it must return one velocity per point, of the same shape"
        )


def check_distribution(name: str, source: object) -> None:
    """Raise unless `source` can be sampled and says what shape its points have."""
    if isinstance(source, type):
        raise TypeError(
            f"the {name} is the class {source.__name__}; make one of it, such as Gaussian(2) or "
            f"Moons()"
        )
    if not hasattr(source, "event_shape"):
        raise TypeError(
            f"the {name} is of type {type(source).__name__}, which is no distribution; "
            f"wrap a tensor of points in Empirical(points)"
        )


def check_coupling(coupling: object) -> None:
    """Raise unless pairs can be drawn from `coupling`."""
    if isinstance(coupling, type):
        raise TypeError(f"the coupling is the class {coupling.__name__}; make one of it")
    if not hasattr(coupling, "sample") or hasattr(coupling, "event_shape"):  # or a distribution
        raise TypeError(
            f"the coupling is of type {type(coupling).__name__}, which gives no pairs; pass "
            f"IndependentCoupling(source, target), or PairedCoupling(x0, x1) for two tensors"
        )


def check_trainable(velocity: nn.Module) -> None:
    """Raise unless `velocity` is a module with weights to train."""
    if not isinstance(velocity, nn.Module):
        raise TypeError(
            f"the velocity is of type {type(velocity).__name__}, which has no weights to train; "
            f"pass a torch.nn.Module such as VelocityMLP(dim)"
        )
    kinds = {p.dtype for p in velocity.parameters() if p.requires_grad}
    if torch.float16 in kinds or torch.bfloat16 in kinds:
        raise TypeError(
            "the weights have 16 bits, which lose small steps; pass velocity.float(), and for "
            "products in bf16 an accelerator with mixed_precision='bf16'"
        )
    if not any(p.requires_grad for p in velocity.parameters()):
        raise ValueError("the velocity has no trainable weights; try velocity.requires_grad_(True)")


def check_conditions(condition: Tensor | None, size: int) -> None:
    """Raise unless there is one condition for each of `size` pairs, or none at all."""
    if condition is not None and len(condition) != size:
        raise ValueError(f"{len(condition)} conditions for size = {size} pairs; pass one for each")


def check_count(name: str, value: int) -> None:
    """Raise unless `value` is an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer, not {value!r}; pass an int")
    if value < 1:
        raise ValueError(f"{name} = {value}, but it must be at least 1")


def check_number(
    name: str, value: float, *, low: float = -math.inf, high: float = math.inf, above: bool = False
) -> None:
    """Raise unless `value` is a finite number from `low` to `high`, and with `above` not `low`."""
    if isinstance(value, Tensor) and value.ndim == 0:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} = {value!r}, but it must be a number; pass a float")
    if not math.isfinite(value) or not low <= value <= high or (above and value == low):
        wanted = [f"{'above' if above else 'at least'} {low}"] if low > -math.inf else []
        wanted += ["finite"] if high == math.inf else [f"at most {high}"]
        raise ValueError(f"{name} = {value}, but it must be {' and '.join(wanted)}")


def check_draw(n: int, generator: torch.Generator | None) -> None:
    """Raise unless `n` is a count, and `generator` a source of randomness or None."""
    check_count("n", n)
    check_generator(generator)


def check_generator(generator: torch.Generator | None) -> None:
    """Raise unless `generator` is a generator of PyTorch's, or None."""
    if generator is not None and not isinstance(generator, torch.Generator):
        way_out = "pass torch.Generator().manual_seed(0)"
        raise TypeError(f"generator must be a torch.Generator, not {generator!r}; {way_out}")


def check_seed(seed: int) -> None:
    """Raise unless `seed` is an integer that a generator takes."""
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise TypeError(f"seed = {seed!r}, but it must be an integer from 0 to 2**63 - 1")


def finite_squares(distances: Tensor) -> Tensor:
    """Return the squares of distances, or raise when one is beyond the range of its numbers."""
    squares = distances.square()
    if not torch.isfinite(squares).all():
        raise ValueError(
            "some points are so far apart that the square of their distance is not finite; divide "
            "all points by one number"
        )
    return squares
