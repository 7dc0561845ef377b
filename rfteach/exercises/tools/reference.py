"""The right samplers, and wrong ones, on the field that the checkers use."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from rfteach._interpolation import along
from rfteach.exercises.tools.answers import Mistake
from rfteach.exercises.tools.inputs import waves


def at(x: Tensor, t: float) -> Tensor:
    """Return the field at points x (batch, *event), all at time t."""
    return waves(x, x.new_full((len(x),), t))


def walk(x: Tensor, n: int, *, sign: float = 1, first: float = 0, clock: float = 1) -> Tensor:
    """Make n Euler steps of 1/n: `sign` is their direction, `first` and `clock` their times."""
    for i in range(n):
        x = x + sign * at(x, first + clock * i / n) / n
    return x


def falling(x: Tensor, n: int) -> tuple[Tensor, Iterator[Mistake]]:
    """Make n Euler steps from t = 1 to t = 0; return the end, and those of likely mistakes.

    The mistakes are made when they are asked for: for a right answer, never.
    """
    last = max(n - 1, 1)
    forward = "This is the forward flow, whose clock runs up from 0 and whose steps add."
    up = "The clock runs up from 0. You are at time 1, so ask for the velocity at time 1 first."
    adds = "The clock falls from 1, but the steps add. Back in time dt is negative: subtract."
    late = "Each step takes the time at its end. Euler's method takes that at its start."
    posts = "The times run from 1 to 0 with both ends. The last of N steps starts at 1/N, not at 0."
    still = "It starts at 1, and each step takes 1/N off."
    length = "The clock is right, but the steps have another length. Each lasts 1/N."
    moved = "Each step asks for the velocity where the points were at first. Ask where they are."
    walks = [  # sign and length of the steps in 1/n, the first time, how far the clock goes
        (1, 0, 1, forward),
        (-1, 0, 1, up),
        (1, 1, -1, adds),
        (-1, 1 - 1 / n, -1, late),
        (1, 1 - 1 / n, -1, f"{late} And back in time the steps must subtract."),
        (-1, 1, -n / last, posts),
        (-1, 1, 0, f"The clock stands still at 1. {still}"),
        (-1, 0, 0, f"The clock stands still at 0. {still}"),
        *((-n / m, 1, -1, length) for m in (1, n + 1, last)),
    ]

    def mistakes() -> Iterator[Mistake]:
        for sign, first, clock, hint in walks:
            yield walk(x, n, sign=sign, first=first, clock=clock), hint
        yield x - sum(at(x, 1 - i / n) for i in range(n)) / n, moved

    return walk(x, n, sign=-1, first=1, clock=-1), mistakes()


def is_shuffled(fed: Tensor, start: Tensor, end: Tensor, t: Tensor) -> bool:
    """Say whether points are on lines between an end of their own and one of another row.

    All points have the shape (batch, *event), the times (batch,).
    """
    first, second = (1 - along(t, start)) * start, along(t, end) * end
    for own, others, weight in ((first, end, along(t, end)), (second, start, 1 - along(t, start))):
        gap = (own - fed)[:, None] + weight[:, None] * others
        gap = gap.flatten(2).norm(dim=2)
        if gap.min(dim=1).values.max() < 1e-4 < gap.diagonal().max():
            return True
    return False


# Weights of the two arrows of a step; the place and the time of the second one, in steps.
TWO_LOOKS = [
    (1, 0, 0, 0, "This is Euler's method: it takes the arrow at the start of the step."),
    (0, 1, 0.5, 0, "The place is in the middle, but the clock still shows the start of the step."),
    (0, 1, 0, 0.5, "The clock is in the middle, but the place is still the start of the step."),
    (0, 1, 1, 0.5, "The trial goes a whole step, but the middle is half a step away."),
    (0, 1, 0.5, 1, "The place is in the middle, but the clock shows the end of the step."),
    (0, 1, 1, 1, "This takes the arrow at the end of the step, not in the middle."),
    (0, 1, -0.5, 0.5, "The trial goes in the opposite direction."),
    (0.5, 1, 0.5, 0.5, "The whole step starts from the middle. Go back first, as it was a trial."),
    (0.5, 0.5, 0.5, 0.5, "This averages the arrows of start and middle, or makes two half steps."),
    (0.5, 0.5, 1, 1, "This is Heun's method: it takes the mean of the arrows at both ends."),
    (0, 0.5, 0.5, 0.5, "The step stops after half of it. Only the trial is half a step."),
    (0, -1, 0.5, 0.5, "The step goes against the arrow of the middle. It must add."),
]


def midpoint_steps(x: Tensor, n: int) -> tuple[Tensor, Iterator[Mistake]]:
    """Make n steps of the midpoint method; return the end, and those of likely mistakes.

    The mistakes are made when they are asked for: for a right answer, never.
    """

    def made(a: float, b: float, place: float, time: float) -> Tensor:
        z = x
        for i in range(n):
            k = at(z, i / n)
            z = z + (a * k + b * at(z + place * k / n, (i + time) / n)) / n
        return z

    no_dt = "is forgotten: a step lasts dt = 1/N."
    looks = [
        *TWO_LOOKS,
        (0, 1, n / 2, 0.5, f"The trial goes along k / 2. There dt {no_dt}"),
        (0, n, 0.5, 0.5, f"The whole step goes along the arrow. There dt {no_dt}"),
        (0, n, n / 2, 0.5, f"In both steps dt {no_dt}"),
    ]
    return made(0, 1, 0.5, 0.5), ((made(*numbers), hint) for *numbers, hint in looks)


def on_grid(x: Tensor, times: Tensor, looks: Tensor) -> Tensor:
    """Make Euler steps from each of the `times` to the next, with the arrows of time `looks`."""
    for dt, look in zip(times.diff(), looks, strict=True):
        x = x + dt * at(x, float(look))
    return x


def from_data(data: Tensor, x: Tensor, t: Tensor) -> list[Mistake]:
    """Return what mistakes make of the mean of the data at x; the times t have all the axes."""
    left = 1 - t
    return [
        (data, "This is the mean of the data X1 at x, a place. The velocity is X1 - X0."),
        (data - x, "This is the way that is left to the data. It takes the time 1 - t: divide."),
        ((data - x) * left, "Way = velocity times time, so the time that is left divides."),
        ((data - x) / t, "The way to the data takes the time that is *left*, 1 - t, and not t."),
        ((x - data) / left, "The velocity points to the data, from x: the sign is wrong."),
        (data - x / left, "Divide the whole way from x to the data by 1 - t, not x alone."),
        (data / left - x, "Divide the whole way from x to the data by 1 - t, not the data alone."),
        (data / left, "The way to the data starts at x: take x off before you divide."),
        ((data - t * x) / left, "The way to the data starts at x, not at t x."),
        ((x - t * data) / left, "This is the mean of the noise X0 at x. The velocity is X1 - X0."),
        (
            (1 + t) * data - x,
            "Solve for the noise again: X0 = (x - t X1) / (1 - t), all of it divided.",
        ),
    ]
