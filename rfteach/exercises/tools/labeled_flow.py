"""A class-conditional flow for the checkers: a probe that is told labels, and its Euler steps."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rfteach._interpolation import along
from rfteach.exercises.tools.answers import Wrong
from rfteach.exercises.tools.inputs import waves
from rfteach.exercises.tools.probe import Probe


class LabeledProbe(Probe):
    """A probe for class-conditional velocities, which notes the labels of each call."""

    def __init__(self, like: Tensor):
        super().__init__(waves, like)
        self.labels: list[Tensor] = []

    def forward(self, x: Any, t: Any, condition: Any = None) -> Tensor:
        """Return the field at points x (batch, *event), times t and labels (batch,)."""
        if not isinstance(condition, Tensor):
            raise Wrong(
                "The velocity was called without labels. It takes them as `condition=...`; bind "
                "them beforehand with `rf.with_condition(velocity, labels)`."
            )
        if isinstance(x, Tensor) and condition.shape != x.shape[:1]:
            raise Wrong(
                f"The velocity was called with {tuple(condition.shape)} labels for {len(x)} "
                f"points. Each batch of points takes the labels of its own rows."
            )
        if condition.is_floating_point():
            raise Wrong(
                f"The labels came as {condition.dtype}. They are names of classes, and a network "
                f"looks them up in a table: leave them integers."
            )
        self.labels.append(condition.detach().clone())
        return super().forward(x, t) + labeled(x, condition) * self.weight


def labeled(x: Tensor, labels: Tensor) -> Tensor:
    """Return what the labels (batch,) add to the field of a `LabeledProbe`."""
    return along(labels.to(x.dtype), x).expand(x.shape) / 5


def expect_all_rows(result: Tensor, n: int, batch_size: int) -> None:
    """Raise Wrong when whole batches are missing."""
    last = n % batch_size or batch_size
    if n > batch_size and len(result) == n - n % batch_size < n:
        raise Wrong(
            f"{len(result)} ends for {n} points: the last batch, which is smaller, is missing."
        )
    if n > batch_size and len(result) in (last, batch_size):
        raise Wrong(
            f"{len(result)} ends for {n} points: these are those of one batch. Join them all."
        )


def expect_batches(velocity: LabeledProbe, n: int, steps: int, size: int) -> None:
    """Raise Wrong when a batch is too large, or the number of calls is not that of Euler."""
    if velocity.points and max(map(len, velocity.points)) > size:
        raise Wrong(
            f"The velocity was called with {max(map(len, velocity.points))} points at once, but "
            f"batch_size = {size}. A large set of images does not fit into memory at once."
        )
    calls = steps * -(-n // size)
    if velocity.points and velocity.evaluations != calls:
        raise Wrong(
            f"The velocity was called {velocity.evaluations} times. {steps} Euler steps for each "
            f"of {calls // steps} batches make {calls} calls."
        )


def mistaken_labels(labels: Tensor, size: int) -> list[Tensor]:
    """Return labels (n,) in wrong places: those of the first batch, of the first point, turned."""
    n = len(labels)
    return [
        labels[torch.arange(n, device=labels.device) % size],
        labels[:1].expand(n),
        labels.flip(0),
    ]


def walk_labeled(z: Tensor, labels: Tensor, steps: int) -> Tensor:
    """Make Euler steps with the field of a `LabeledProbe`; z (n, *event), labels (n,)."""
    for i in range(steps):
        v = waves(z, z.new_full((len(z),), i / steps)) + labeled(z, labels)
        z = z + v / steps
    return z
