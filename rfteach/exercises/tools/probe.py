"""A velocity that watches how a sampler calls it."""

from __future__ import annotations

import reprlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from rfteach.exercises.tools.answers import DTYPE, Mistake, Wrong
from rfteach.exercises.tools.expect import close, expect_close, expect_tensor


class Probe(nn.Module):
    """A velocity that notes when it is called, and insists on being called properly.

    Attributes:
        points: the points of each call, shape (batch, *event).
        clocks: the times of each call, shape (batch,).
    """

    whole_times = False  # whether times may come as integers, as for a clock that counts to 1000

    def __init__(self, field: Callable[[Tensor, Tensor], Tensor], like: Tensor, name="velocity"):
        super().__init__()
        self.field, self.name = field, name
        self.weight = nn.Parameter(torch.ones((), dtype=like.dtype))  # so that gradients show
        self.points: list[Tensor] = []
        self.clocks: list[Tensor] = []
        self._event = like.shape[1:]
        self._graphs: list[bool] = []

    def forward(self, x: Any, t: Any) -> Tensor:
        """Return the field at points x (batch, *event) and times t (batch,)."""
        called = f"The {self.name} was called with"
        if not isinstance(x, Tensor) or not isinstance(t, Tensor):
            wrong, value = ("t", t) if isinstance(x, Tensor) else ("x", x)
            raise Wrong(
                f"{called} {wrong} = {reprlib.repr(value)}, but it takes tensors: points x and one "
                f"time for each, shape (batch,), such as `torch.full((len(x),), t)`."
            )
        if x.ndim == 1 and t.shape[1:] == self._event:
            raise Wrong(f"{called} the times first. It takes the points, and then the times.")
        if x.shape[1:] != self._event:
            raise Wrong(
                f"{called} points of shape {tuple(x.shape)}, but they should be (batch, "
                f"{', '.join(map(str, self._event))}). Feed points as they are: a network for "
                f"images needs their shape."
            )
        if t.shape != x.shape[:1]:
            raise Wrong(
                f"{called} t of shape {tuple(t.shape)} for {len(x)} points. It takes one time for "
                f"each point, shape ({len(x)},)."
            )
        if not t.is_floating_point() and not self.whole_times:
            raise Wrong(
                f"{called} times whose dtype is {t.dtype}. Times need not be whole, so they are "
                f"floating-point numbers, as the points are: `torch.zeros(len(x), dtype=x.dtype)`."
            )
        if x.dtype != self.weight.dtype:
            raise Wrong(
                f"{called} points whose dtype is {x.dtype}, but its weights have "
                f"{self.weight.dtype}, as the points that go in. {DTYPE}"
            )
        self._graphs.append(x.requires_grad)
        self.clocks.append(t.detach().clone())
        self.points.append(x.detach().clone())
        return self.field(x, t) * self.weight

    @property
    def times(self) -> list[float]:
        """The mean time of each call."""
        return [t.double().mean().item() for t in self.clocks]

    @property
    def kept_gradients(self) -> bool:
        """Whether points came with the graph of earlier calls, further back than one step."""
        return any(one and next_one for one, next_one in pairwise(self._graphs))

    @property
    def evaluations(self) -> int:
        """The number of calls (NFE)."""
        return len(self.times)


def expect_one_call(probe: Probe, place: Tensor, t: Tensor, places: Sequence[Mistake] = ()) -> None:
    """Raise Wrong unless the velocity was called once, at points `place` (batch, *event), times t.

    `places` are wrong places, each with its hint.
    """
    called = f"The {probe.name} was called"
    if probe.evaluations != 1:
        raise Wrong(
            f"{called} {probe.evaluations} times. Call it once, for the whole batch together."
        )
    name = f"The point that the {probe.name} was fed"
    expect_close(expect_tensor(probe.points[0], place, name), place, places, name=name)
    clock = probe.clocks[0].to(t)
    if close(clock, 1 - t) and not close(clock, t):
        raise Wrong(f"{called} at the right points, but at the times 1 - t. It expects t.")
    (mean,), right = probe.times, t.double().mean().item()
    if abs(mean - right) > 1e-4:
        raise Wrong(
            f"{called} at the right points but at other times: mean {mean:.3f} in place of "
            f"{right:.3f}."
        )
    if not close(clock, t):
        raise Wrong(f"{called} at the right points, but the times are not those of their rows.")


def expect_steps(probe: Probe, evaluations: int, runs: str = "") -> None:
    """Raise Wrong unless the velocity was looked at as many times as the sampler should.

    `runs` is what to say in place of guesses, for an answer that makes several runs.
    """
    made = probe.evaluations
    if made == evaluations:
        return
    if made == 0:
        hint = "The velocity is not used at all."
    elif made == 1:
        hint = "Is the number of steps ignored, or the velocity of the first call kept?"
    elif abs(made - evaluations) <= max(1, evaluations // 8):  # about a step
        hint = (
            "Count the steps as the gaps between posts, not the posts, and in whole numbers: a "
            "loop over times that are added up may make one too many or too few."
        )
    elif runs:
        hint = runs
    elif made % evaluations == 0:
        hint = f"That is {made // evaluations} for each one that is needed."
    elif 2 * made == evaluations:
        hint = "That is half of them. Are half as many steps made, or one look in place of two?"
    elif made < evaluations:
        hint = "Is the number of steps ignored, or a velocity kept from an earlier call?"
    else:
        hint = "Is the number of steps ignored?"
    raise Wrong(
        f"Evaluations of the velocity: {evaluations} are needed, but yours made {made}. {hint}"
    )


def expect_looks(probe: Probe, times: Sequence[float], looks: int = 1) -> None:
    """Raise Wrong unless the velocity was looked at at these times, in any order.

    `times` are those of one run after the other, each from the same time on, with as many `looks`
    in each step.
    """
    made = probe.times
    if _same(made, times):
        return
    clocks = [
        (lambda s: [*s[1:], 1 - s[0]], "The clock is a step ahead: it shows the end of each."),
        (
            lambda s: [(a + b) / 2 for a, b in pairwise([*s, 1 - s[0]])],
            "The clock is half a step ahead: it shows the middle of each.",
        ),
        (
            lambda s: _even(s[0], 1 - s[0], len(s) - 1),
            "The clock includes the end, as a `linspace` of N times does. The last of N steps "
            "starts a step before it.",
        ),
        (
            lambda s: _even(s[0], 1 - s[0], len(s))[:-1],
            "This is the clock of equal steps. Take the times of the grid.",
        ),
        (lambda s: s[:1] * len(s), "The clock stands still at the start."),
    ]
    hints = [hint for clock, hint in clocks if _same(made, _told(clock, times, looks))]
    opposite = (made[0] - made[-1]) * (times[0] - times[-1]) < 0
    turned = ([1 - t for t in times], _told(lambda s: [1 - t for t in s], times, looks))
    if opposite and any(_same(made, each) for each in turned):
        hints = ["The clock is turned: yours shows 1 - t where it should show t."]
    shown = (made, times)
    if len(set(times)) < len(times):  # several runs, whose order is free
        shown = (sorted(made), sorted(times))
    yours, right = (", ".join(f"{t:.3g}" for t in each[:8]) for each in shown)
    said = f"Your sampler looks at the times {yours}, but it should at {right}."
    raise Wrong(" ".join([said, *hints[:1]]))


def _same(a: Sequence[float], b: Sequence[float]) -> bool:
    """Say whether two lists hold the same times, in any order."""
    return len(a) == len(b) and close(torch.tensor(sorted(a)), torch.tensor(sorted(b)))


def _even(start: float, end: float, steps: int) -> list[float]:
    """Return the times of equal steps, with both ends."""
    return [start + (end - start) * i / max(steps, 1) for i in range(steps + 1)]


def _told(
    clock: Callable[[list[float]], list[float]], times: Sequence[float], looks: int
) -> list[float]:
    """Return the times of runs whose steps start as a clock makes it of the right starts."""
    made: list[float] = []
    first = [i for i, t in enumerate(times) if t == times[0]]
    for begin, end in pairwise([*first, len(times)]):
        starts = list(times[begin:end:looks])
        offsets = (t - starts[i // looks] for i, t in enumerate(times[begin:end]))
        wrong = clock(starts)
        made += [wrong[i // looks] + offset for i, offset in enumerate(offsets)]
    return made


def expect_without_gradient(result: Any, probe: Probe) -> None:
    """Raise Wrong if a sampler kept the graph for gradients, though it may cut it in the end."""
    if not probe.weight.requires_grad:
        raise Wrong(
            "Your sampler freezes the weights of the velocity, so that no training works after it. "
            "Sample under `torch.no_grad()`, which leaves them as they are."
        )
    if probe.kept_gradients or (isinstance(result, Tensor) and result.requires_grad):
        raise Wrong(
            "The samples are right, but the run recorded what a gradient would need, and the "
            "memory for that grows with each step. Sample under `torch.no_grad()`."
        )
