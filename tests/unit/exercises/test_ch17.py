import math

import torch
from tables import Table, column

table = Table(17)


# 17.1: undo(velocity, x, t, h, sweeps)


def times(x, t):
    return x.new_full((len(x),), t)


@table.right("17.1")
def by_sweeps(velocity, x, t, h, sweeps):
    start = x
    for _ in range(sweeps):
        start = x - h * velocity(start, times(x, t))
    return start


@table.right("17.1")
def by_the_slope(velocity, x, t, h, sweeps):
    moments = torch.full(x.shape[:1], t, dtype=x.dtype, device=x.device)
    slope = velocity(x, moments)
    for _ in range(sweeps - 1):
        slope = velocity(x - h * slope, moments)
    return x - h * slope


def wrong_undo(hint, first):
    """Add sweeps that differ in one thing."""

    def undo(velocity, x, t, h, sweeps):
        start = x
        for _ in range(sweeps):
            start = first(velocity, x, start, t, h)
        return start

    table.wrong("17.1", hint, undo)


wrong_undo("has not moved", lambda v, x, z, t, h: x)
wrong_undo("the step added h v", lambda v, x, z, t, h: x + h * v(z, times(x, t)))
wrong_undo("at its start, t", lambda v, x, z, t, h: x - h * v(z, times(x, t + h)))
wrong_undo("asked at t - h", lambda v, x, z, t, h: x - h * v(z, times(x, t - h)))
wrong_undo("starts again from the end", lambda v, x, z, t, h: z - h * v(z, times(x, t)))
wrong_undo("one sweep", lambda v, x, z, t, h: x - h * v(x, times(x, t)))
wrong_undo("not turned around", lambda v, x, z, t, h: x - h * v(z, times(x, 1 - t)))
wrong_undo("Half of the last", lambda v, x, z, t, h: (z + x - h * v(z, times(x, t))) / 2)
table.wrong("17.1", "forward", lambda v, x, t, h, sweeps: x + h * v(x, times(x, t)))
table.wrong("17.1", "yours made 45", lambda v, x, t, h, sweeps: by_sweeps(v, x, t, h, sweeps + 5))
table.wrong("17.1", "is None", lambda v, x, t, h, sweeps: None)


# 17.2: the length of the middle of two noises

table.right("17.2", 0.5**0.5)
table.right("17.2", 0.7)
table.right("17.2", 0.71)
table.wrong("17.2", "same direction", 1)
table.wrong("17.2", "variance of a pixel", 0.5)
table.wrong("17.2", "opposite", 0)
table.wrong("17.2", "half of it", 1.414)
table.wrong("17.2", "Both halves", 0.25)
table.wrong("17.2", "right angles", 0.87)
table.wrong("17.2", "no mean of the cases", 0.75)
table.wrong("17.2", "length itself", 19.8)
table.wrong("17.2", "length of one noise", 28)
table.wrong("17.2", "percentage", 70.7)
table.wrong("17.2", "mean of two independent", 0.6)


# 17.3: left(strength, a, b)

table.right("17.3", lambda s, a, b: ((1 - b) / (1 - a)) ** s)
table.right("17.3", lambda s, a, b: math.exp(s * (math.log1p(-b) - math.log1p(-a))))


@table.right("17.3")
def by_many_small_steps(s, a, b, n=20_000):
    left, h = 1.0, (b - a) / n
    for k in range(n):
        left *= 1 - s * h / (1 - a - (k + 0.5) * h)
    return left


table.wrong("17.3", "is gone", lambda s, a, b: 1 - ((1 - b) / (1 - a)) ** s)
table.wrong("17.3", "straight line", lambda s, a, b: (1 - b) / (1 - a))
table.wrong("17.3", "not a line", lambda s, a, b: 1 - s * (b - a) / (1 - a))
table.wrong("17.3", "exponent", lambda s, a, b: s * (1 - b) / (1 - a))
table.wrong("17.3", "starts at a", lambda s, a, b: (1 - b) ** s if a else ((1 - b) / (1 - a)) ** s)
table.wrong("17.3", "Upside down", lambda s, a, b: ((1 - a) / (1 - b)) ** s)
table.wrong("17.3", "not one over it", lambda s, a, b: ((1 - b) / (1 - a)) ** (1 / s))
table.wrong("17.3", "not by b - a", lambda s, a, b: (1 - (b - a)) ** s)
table.wrong("17.3", "time that is left", lambda s, a, b: (b - a) ** s)
table.wrong("17.3", "divided by 1 - t", lambda s, a, b: math.exp(-s * (b - a)))
table.wrong("17.3", "changes on the way", lambda s, a, b: math.exp(-s * (b - a) / (1 - b)))
table.wrong("17.3", "logarithm", lambda s, a, b: s * math.log((1 - b) / (1 - a)))
table.wrong("17.3", "leaves to v", lambda s, a, b: ((1 - b) / (1 - a)) ** (1 - s))
table.wrong("17.3", "was left at a", lambda s, a, b: ((1 - b) * (1 - a)) ** s)


# 17.4: edit(source, target, x1, noises)


@table.right("17.4")
def step_by_step(source, target, x1, noises):
    z = x1
    for k, noise in enumerate(noises):
        t = times(x1, k / len(noises))
        x = column(1 - t, x1) * noise + column(t, x1) * x1
        z = z + (target(z + x - x1, t) - source(x, t)) / len(noises)
    return z


@table.right("17.4")
@torch.no_grad()
def by_the_difference_so_far(source, target, x1, noises):
    n, way = len(noises), torch.zeros_like(x1)
    for k in range(n):
        x = torch.lerp(noises[k], x1, k / n)
        t = torch.full((len(x1),), k / n, dtype=x1.dtype, device=x1.device)
        way += target(x + way, t).div(n) - source(x, t).div(n)
    return x1 + way


def wrong_edit(hint, slope, shift=0, length=None):
    """Add an edit that differs in one thing; `slope` gets the two velocities at the time."""

    def edit(source, target, x1, noises):
        z, n = x1, len(noises)
        for k, noise in enumerate(noises):
            t = (k + shift) / n
            moment = times(x1, t)
            x = (1 - t) * noise + t * x1
            change = slope(
                lambda p, m=moment: source(p, m),
                lambda p, m=moment: target(p, m),
                z,
                x,
                x1,
                noise,
                t,
            )
            z = z + (length or 1 / n) * change
        return z

    table.wrong("17.4", hint, edit)


wrong_edit("Nothing has changed", lambda a, b, z, x, x1, e, t: 0 * x)
wrong_edit("wrong sign", lambda a, b, z, x, x1, e, t: a(z + x - x1) - b(x))
wrong_edit("edited point would be", lambda a, b, z, x, x1, e, t: b(x) - a(x))
wrong_edit("source is asked", lambda a, b, z, x, x1, e, t: b(z + x - x1) - a(z + x - x1))
wrong_edit("not mixed", lambda a, b, z, x, x1, e, t: b((1 - t) * e + t * z) - a(x))
wrong_edit("without noise", lambda a, b, z, x, x1, e, t: b(z) - a(x))
wrong_edit("source is missing", lambda a, b, z, x, x1, e, t: b(z + x - x1))
wrong_edit("end of each step", lambda a, b, z, x, x1, e, t: b(z + x - x1) - a(x), shift=1)
wrong_edit("lasts 1 / N", lambda a, b, z, x, x1, e, t: b(z + x - x1) - a(x), length=1.0)


wrong_edit("yours by minus", lambda a, b, z, x, x1, e, t: a(x) - b(z + x - x1))
wrong_edit("asked at z + x_t", lambda a, b, z, x, x1, e, t: b(z + x) - a(x))
wrong_edit("points without noise", lambda a, b, z, x, x1, e, t: b(z) - a(x1))
wrong_edit(
    "added to x1",
    lambda a, b, z, x, x1, e, t: b(z + (1 - t) * e) - a(x1 + (1 - t) * e),
)
table.wrong("17.4", "first noise", lambda a, b, x, e: step_by_step(a, b, x, e[:1].expand_as(e)))
table.wrong("17.4", "in reverse", lambda a, b, x, e: step_by_step(a, b, x, e.flip(0)))


@table.wrong("17.4", "began at x1 again")
def each_anew(source, target, x1, noises):
    z, n = x1, len(noises)
    for k, noise in enumerate(noises):
        t = times(x1, k / n)
        x = column(1 - t, x1) * noise + column(t, x1) * x1
        z = x1 + (target(z + x - x1, t) - source(x, t)) / n
    return z


@table.wrong("17.4", "swapped")
def swapped(source, target, x1, noises):
    z, n = x1, len(noises)
    for k, noise in enumerate(noises):
        t = times(x1, k / n)
        x = column(t, x1) * noise + column(1 - t, x1) * x1
        z = z + (target(z + x - x1, t) - source(x, t)) / n
    return z


wrong_edit("source was asked at z", lambda a, b, z, x, x1, e, t: b(z + x - x1) - a(z))


@table.wrong("17.4", "made of the edited point")
def with_the_edited_point_in_the_mixture(source, target, x1, noises):
    z, n = x1, len(noises)
    for k, noise in enumerate(noises):
        x = (1 - k / n) * noise + k / n * z
        z = z + (target(z + x - x1, times(x1, k / n)) - source(x, times(x1, k / n))) / n
    return z


def with_clock(clock):
    """Make an answer whose points are right, and whose clock is not; `clock` gets t and N."""

    def edit(source, target, x1, noises):
        n = len(noises)
        return step_by_step(
            lambda x, t: source(x, clock(t, n)), lambda x, t: target(x, clock(t, n)), x1, noises
        )

    return edit


@table.wrong("17.4", "z begins as noise")
def from_the_noise(source, target, x1, noises):
    z, n = noises[0], len(noises)
    for k, noise in enumerate(noises):
        x = (1 - k / n) * noise + k / n * x1
        z = z + (target(z + x - x1, times(x1, k / n)) - source(x, times(x1, k / n))) / n
    return z


table.wrong("17.4", "shows the end", with_clock(lambda t, n: t + 1 / n))
table.wrong("17.4", "The clock is turned", with_clock(lambda t, n: 1 - t))
table.wrong("17.4", "shift alone", lambda a, b, x, e: step_by_step(a, b, x, e) - x)


table.wrong("17.3", "square of the distance", lambda s, a, b: ((1 - b) / (1 - a)) ** (2 * s))
table.wrong("17.3", "changes on the way", lambda s, a, b: math.exp(-s * (b - a) / (1 - a)))
table.wrong(
    "17.3",
    "`a` and `strength` are exchanged",
    lambda a, strength, b: ((1 - b) / (1 - a)) ** strength,
)
table.wrong("17.4", "stood still", with_clock(lambda t, n: 0 * t))
table.wrong(
    "17.4", "mean of the noises", lambda a, b, x, e: step_by_step(a, b, x, e.mean(0).expand_as(e))
)


def with_places(mixed, shifted, rows=lambda n: range(n), late=0.0):
    """Make an answer to 17.4 with another point with noise, target's point or list of steps."""

    def edit(source, target, x1, noises):
        z, n = x1, len(noises)
        for k in rows(n):
            t = (k + late) / n
            x = mixed(x1, noises[k], t)
            z = z + (target(shifted(z, x, x1), times(x1, t)) - source(x, times(x1, t))) / n
        return z

    return edit


def blend(x1, noise, t):
    return (1 - t) * noise + t * x1


def shift(z, x, x1):
    return z + x - x1


table.wrong("17.4", "added to the points as it is", with_places(lambda x, e, t: x + e, shift))
table.wrong("17.4", "shift has the wrong sign", with_places(blend, lambda z, x, x1: z - x + x1))
table.wrong("17.4", "middle of each step", with_places(blend, shift, late=0.5))
table.wrong("17.4", "first step is left out", with_places(blend, shift, lambda n: range(1, n)))
table.wrong("17.4", "last step is left out", with_places(blend, shift, lambda n: range(n - 1)))


test_right, test_wrong, test_there_are_enough = table.tests()
