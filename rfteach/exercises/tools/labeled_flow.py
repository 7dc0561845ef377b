"""A class-conditional flow for the checkers: a probe that is told labels, and its Euler steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from rfteach._interpolation import along
from rfteach.exercises.tools.answers import Mistake, Wrong
from rfteach.exercises.tools.inputs import waves
from rfteach.exercises.tools.probe import Probe


class LabeledProbe(Probe):
    """A probe for class-conditional velocities, which notes the labels of each call."""

    def __init__(self, like: Tensor):
        super().__init__(waves, like)
        self.labels: list[Tensor] = []

    def forward(self, x: Any, t: Any, *others: Any, condition: Any = None) -> Tensor:
        """Return the field at points x (batch, *event), times t and labels (batch,)."""
        if others:
            raise Wrong(
                "The labels came in the third place. Pass them by their name, `condition=labels`: "
                "what stands third differs from network to network."
            )
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
            f"The velocity was called {velocity.evaluations} times. {_many(steps, 'Euler step')} "
            f"for each of {_many(calls // steps, 'batch', 'es')} make {_many(calls, 'call')}."
        )


def _many(n: int, what: str, ending: str = "s") -> str:
    return f"{n} {what}{ending * (n != 1)}"


def expect_own_labels(velocity: LabeledProbe, z0: Tensor, labels: Tensor) -> None:
    """Raise Wrong when a point of the noise z0 (n, *event) was sent with a label not its own."""
    for points, told in zip(velocity.points, velocity.labels, strict=True):
        gap = (points[:, None] - z0[None]).abs().flatten(2).amax(dim=2)
        least, row = gap.min(dim=1)
        wrong = (least < 1e-6) & (told != labels[row])
        if wrong.any():
            i = int(wrong.int().argmax())
            raise Wrong(
                f"Row {int(row[i])} of the noise was sent with the label {int(told[i])}, but its "
                f"own is {int(labels[row[i]])}. Take the labels of the same rows as the points."
            )


def labeled_walks(z: Tensor, labels: Tensor, steps: int, size: int) -> tuple[Tensor, list[Mistake]]:
    """Return the ends of Euler steps from z (n, *event), and those of mistakes with their hints."""
    n, last = len(z), max(steps - 1, 1)
    first = labels[torch.arange(n, device=labels.device) % size]
    even = [i / steps for i in range(steps)]

    def walk(labels: Tensor = labels, clock: Sequence[float] = even, dt: float = 1 / steps):
        x = z
        for t in clock:
            x = x + dt * (waves(x, x.new_full((len(x),), t)) + labeled(x, labels))
        return x

    posts = "The times run from 0 to 1 with both ends. The last of N steps starts at 1 - 1/N."
    late = "Each step takes the time at its end. Euler's method takes that at its start."
    mistakes = [
        (walk(first), "Each batch got the labels of the first one."),
        (walk(labels[:1].expand(n)), "All points got the same label. Each has its own."),
        (walk(labels.flip(0)), "The labels go the other way around."),
        (walk(clock=[(i + 1) / steps for i in range(steps)]), late),
        (walk(clock=[(i + 0.5) / steps for i in range(steps)]), "Each step takes the time in its "
         "middle. Euler's method takes that at its start."),
        (walk(clock=[i / last for i in range(steps)]), posts),
        (walk(clock=[0.0] * steps), "The clock stands still at 0. Step i starts at i / N."),
        (walk(clock=[1.0] * steps), "The clock stands still at 1. Step i starts at i / N."),
        (walk(clock=[1 - t for t in even]), "The clock runs backward: t = 0 is noise."),
        (walk(clock=range(steps)), "The clock counts the steps. Its times are i / N."),
        (walk(dt=-1 / steps), "The steps go backward: add the velocity, and do not subtract it."),
        (walk(dt=1), "Each step has the length 1. Multiply the velocity by 1/N."),
        (walk(dt=1 / last), "The steps have the length 1 / (N - 1). Each of N lasts 1/N."),
        (walk(dt=1 / (steps + 1)), "The steps have the length 1 / (N + 1). Each of N lasts 1/N."),
        (walk(clock=even[:-1]), "The last step is missing."),
        (walk(clock=even[:1]), "This is the first step alone. Is z0 taken in each step anew?"),
        (z + walk(), "The start is added once more: what the steps make of z0 is the end."),
        (walk() - z, "This is the way from start to end. The end itself is asked for."),
        (z, "These are the starts: the velocity was not used."),
    ]  # fmt: skip
    return walk(), mistakes
