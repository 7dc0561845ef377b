"""Checks of what goes into a network: shapes, precision, labels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from rfteach._checks import check_tensor


def check_precision(
    network: nn.Module, joined: torch.dtype | None = None, **inputs: Tensor | None
) -> None:
    """Raise unless all inputs have the precision of a network's weights, or autocast sees to it.

    Inputs that are joined, and then have that of the weights, are right in any precision.
    """
    weight = next(network.parameters(), None)
    if weight is None or joined == weight.dtype:
        return
    for name, values in inputs.items():
        if values is None or values.dtype == weight.dtype:
            continue
        if not torch.is_autocast_enabled(values.device.type):
            ways = {torch.float32: ".float()", torch.float64: ".double()"}
            points = ", or convert the points of the coupling that it is trained on"
            raise TypeError(
                f"{name} has dtype {values.dtype}, but the weights of this network have "
                f"{weight.dtype}; pass {name}{ways.get(weight.dtype, f'.to({weight.dtype})')}"
                f"{points if name == 'x' else ''}"
            )


def check_images(x: Tensor, t: Tensor, colors: int, size: int) -> None:
    """Raise unless `x` holds images that a network takes, and `t` a time for each."""
    if x.shape[1:] != (colors, size, size) or t.shape != x.shape[:1]:
        raise ValueError(
            f"this network takes x of shape (batch, {colors}, {size}, {size}) and t of shape "
            f"(batch,), but got x {tuple(x.shape)} and t {tuple(t.shape)}"
        )


def check_labels(labels: Tensor | None, classes: int | None, count: int) -> None:
    """Raise unless there are `count` labels, and in range, just where a network takes them.

    The range is looked at on a CPU only; a GPU would have to wait for the answer.
    """
    if classes is None:
        if labels is not None:
            raise ValueError(
                "this network takes no labels; make one that does with classes=..., or leave them "
                "out"
            )
        return
    if labels is None:
        raise ValueError(
            f"this network takes labels from 0 to {classes - 1}; bind the labels beforehand with "
            f"rfteach.with_condition(velocity, labels), or train with a coupling that gives them, "
            f"such as rfteach.ConditionalCoupling"
        )
    check_tensor("condition", labels, torch.int64)
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(
            f"condition has dtype {labels.dtype}, but labels are integers; pass condition.long()"
        )
    if labels.shape != (count,):
        raise ValueError(
            f"condition has shape {tuple(labels.shape)}, but {count} points need labels of shape "
            f"({count},); reshape (batch, 1) with condition.flatten(), and for one label "
            f"everywhere pass torch.full(({count},), label)"
        )
    if labels.device.type == "cpu":
        outside = labels[(labels < 0) | (labels >= classes)]
        if len(outside):
            raise IndexError(f"{int(outside[0])} is no label; they go from 0 to {classes - 1}")
