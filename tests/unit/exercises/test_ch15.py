import math

import torch
from tables import Table, column, on_the_last_axis

import rfteach as rf

table = Table(15)


# 15.1: jump(velocity, x, t0, t1)


@table.right("15.1")
def as_in_the_chapter(velocity, x, t0, t1):
    return x + column(t1 - t0, x) * velocity(x, t0, t1)


@table.right("15.1")
def flattened(velocity, x, t0, t1):
    way = (t1 - t0)[:, None] * velocity(x, t0, t1).flatten(1)
    return x + way.reshape(x.shape)


table.right("15.1", rf.jump)


def wrong_jump(hint, way):
    table.wrong("15.1", hint, lambda u, x, a, b: way(u, x, a, b))


wrong_jump("has not moved", lambda u, x, a, b: x)
wrong_jump("the mean velocity", lambda u, x, a, b: u(x, a, b))
wrong_jump("not for the time 1", lambda u, x, a, b: x + u(x, a, b))
wrong_jump("backward", lambda u, x, a, b: x - column(b - a, x) * u(x, a, b))
wrong_jump("Add it to the point", lambda u, x, a, b: column(b - a, x) * u(x, a, b))
wrong_jump("Yours lasts t1", lambda u, x, a, b: x + column(b, x) * u(x, a, b))
wrong_jump("got t0 twice", lambda u, x, a, b: x + column(b - a, x) * u(x, a, a))
wrong_jump("should end at t1", lambda u, x, a, b: x + column(1 - a, x) * u(x, a, b))
wrong_jump("do not divide", lambda u, x, a, b: x + u(x, a, b) / column(b - a, x))
wrong_jump("the end 1", lambda u, x, a, b: x + column(b - a, x) * u(x, a, b / b))
wrong_jump("the start 0", lambda u, x, a, b: x + column(b - a, x) * u(x, 0 * a, b))
wrong_jump("wrong order", lambda u, x, a, b: x + column(b - a, x) * u(x, b, a))
wrong_jump("not its length", lambda u, x, a, b: x + column(b - a, x) * u(x, a, b - a))
wrong_jump("wrong axis", lambda u, x, a, b: x + on_the_last_axis(b - a, x) * u(x, a, b))
wrong_jump("three tensors", lambda u, x, a, b: x + column(b - a, x) * u(x, a))
wrong_jump("times of shape (batch,)", lambda u, x, a, b: x + u(x, column(a, x), column(b, x)))
wrong_jump("yours made 2", lambda u, x, a, b: x + column(b - a, x) * (u(x, a, b) + u(x, a, b)) / 2)


@table.wrong("15.1", "two jumps")
def by_way_of_the_middle(velocity, x, t0, t1):
    middle = (t0 + t1) / 2
    half = x + column(middle - t0, x) * velocity(x, t0, middle)
    return half + column(t1 - middle, x) * velocity(half, middle, t1)


# 15.2: the length of the mean velocity of a quarter turn

table.right("15.2", 2**0.5)
table.right("15.2", 1.41)
table.right("15.2", 1.4)
table.wrong("15.2", "But the arrows turn", math.pi / 2)
table.wrong("15.2", "radius", 1)
table.wrong("15.2", "square of the distance", 2)
table.wrong("15.2", "both coordinates", 0.707)
table.wrong("15.2", "Divide by the time", 0.9)
table.wrong("15.2", "full turn", 0)
table.wrong("15.2", "where does it end", 1.2)


# 15.3: mean_flow_target(line, slope, t, r)


@table.right("15.3")
def detached_in_the_end(line, slope, t, r):
    return (line + column(r - t, line) * slope).detach()


@table.right("15.3")
@torch.no_grad()
def without_gradients(line, slope, t, r):
    return torch.addcmul(line, column(r - t, line), slope)


def wrong_target(hint, f):
    table.wrong("15.3", hint, lambda v, d, t, r: f(v, d.detach(), column(t, v), column(r, v)))


wrong_target("that of the papers", lambda v, d, t, r: v - (r - t) * d)
wrong_target("plain flow matching", lambda v, d, t, r: v.clone())
wrong_target("How long is the step", lambda v, d, t, r: v + d)
wrong_target("line is missing", lambda v, d, t, r: (r - t) * d)
wrong_target("belongs to the slope.", lambda v, d, t, r: (r - t) * v + d)
wrong_target("slope alone", lambda v, d, t, r: (r - t) * (v + d))
wrong_target("not r", lambda v, d, t, r: v + r * d)
wrong_target("end at r", lambda v, d, t, r: v + (1 - t) * d)
wrong_target("Multiply the slope", lambda v, d, t, r: v + d / (r - t))
wrong_target("no half", lambda v, d, t, r: v + (r - t) / 2 * d)
wrong_target("not t", lambda v, d, t, r: v + t * d)
wrong_target("not squared", lambda v, d, t, r: v + (r - t) ** 2 * d)
table.wrong("15.3", "Detach it", lambda v, d, t, r: v + column(r - t, v) * d)
table.wrong("15.3", "wrong axis", lambda v, d, t, r: (v + on_the_last_axis(r - t, v) * d).detach())
table.wrong("15.3", "is None", lambda v, d, t, r: None)


# 15.4: bell_mean_velocity(x, t, r, m, s)


def width(t, s):
    return math.hypot(1 - t, t * s)


@table.right("15.4")
def by_the_two_ends(x, t, r, m, s):
    end = r * m + width(r, s) / width(t, s) * (x - t * m)
    return (end - x) / (r - t)


@table.right("15.4")
def in_closed_form(x, t, r, m, s):
    return m + (width(r, s) - width(t, s)) / (width(t, s) * (r - t)) * (x - t * m)


@table.right("15.4")
def by_the_mean_of_many_velocities(x, t, r, m, s):
    z, n = x, 2000
    for k in range(n):
        start = t + (r - t) * (k + 0.5) / n
        slope = (start * s**2 - (1 - start)) / width(start, s) ** 2
        h = (r - t) / n
        middle = (m + slope * (z - (start - h / 2) * m)) * h
        z = z + h * (m + slope * (z + middle / 2 - start * m))
    return (z - x) / (r - t)


def wrong_bell(hint, f):
    table.wrong("15.4", hint, lambda x, t, r, m, s: f(x, t, r, m, width(t, s), width(r, s)))


wrong_bell("where the jump ends", lambda x, t, r, m, a, b: r * m + b / a * (x - t * m))
wrong_bell("This is the way", lambda x, t, r, m, a, b: r * m + b / a * (x - t * m) - x)
wrong_bell("too: from t m", lambda x, t, r, m, a, b: (b / a - 1) / (r - t) * (x - t * m))
wrong_bell("which is t m", lambda x, t, r, m, a, b: m + (b / a - 1) / (r - t) * x)
wrong_bell("m only in the end", lambda x, t, r, m, a, b: m + (b / a - 1) / (r - t) * (x - m))
wrong_bell("Upside down", lambda x, t, r, m, a, b: m + (a / b - 1) / (r - t) * (x - t * m))
wrong_bell("variances", lambda x, t, r, m, a, b: m + (b**2 / a**2 - 1) / (r - t) * (x - t * m))
wrong_bell("divide by s_t", lambda x, t, r, m, a, b: m + (b - a) / (r - t) * (x - t * m))
table.wrong(
    "15.4",
    "depends on r",
    lambda x, t, r, m, s: m + (t * s**2 - (1 - t)) / width(t, s) ** 2 * (x - t * m),
)
table.wrong(
    "15.4",
    "add as squares",
    lambda x, t, r, m, s: m + ((1 - r + r * s) / (1 - t + t * s) - 1) / (r - t) * (x - t * m),
)


def wrong_end(hint, f):
    table.wrong("15.4", hint, lambda x, t, r, m, s: f(x, t, r, m, s, (x - t * m) / width(t, s)))


wrong_end("ends at 1", lambda x, t, r, m, s, far: (m + s * far - x) / (1 - t))
wrong_end("not at m", lambda x, t, r, m, s, far: (m + s * far - x) / (r - t))
wrong_end("not yet at m", lambda x, t, r, m, s, far: (m + width(r, s) * far - x) / (r - t))
wrong_end("starts at time 0", lambda x, t, r, m, s, far: (r * m + width(r, s) * x - x) / (r - t))


@table.wrong("15.4", "middle of the step")
def at_the_middle(x, t, r, m, s):
    middle = (t + r) / 2
    slope = (middle * s**2 - (1 - middle)) / width(middle, s) ** 2
    return m + slope * (x - middle * m)


wrong_bell("at m only", lambda x, t, r, m, a, b: (r * m + b / a * (x - m) - x) / (r - t))
wrong_bell("and not r m", lambda x, t, r, m, a, b: (r * m + b / a * (x - r * m) - x) / (r - t))
wrong_bell("the step lasts", lambda x, t, r, m, a, b: (r * m + b / a * (x - t * m) - x) / r)
wrong_bell("the step lasts", lambda x, t, r, m, a, b: (r * m + b / a * (x - t * m) - x) / (1 - t))
wrong_bell("divide by s_t", lambda x, t, r, m, a, b: (r * m + b * (x - t * m) - x) / (r - t))


@table.wrong("15.4", "at single moments")
def at_both_ends(x, t, r, m, s):
    slopes = [(time * s**2 - (1 - time)) / width(time, s) ** 2 for time in (t, r)]
    return m + sum(slopes) / 2 * (x - t * m)


@table.wrong("15.4", "s is a width")
def with_a_variance_for_a_width(x, t, r, m, s):
    a, b = ((1 - time) ** 2 + time**2 * s for time in (t, r))
    return m + ((b / a) ** 0.5 - 1) / (r - t) * (x - t * m)


wrong_jump("also lead back", lambda u, x, a, b: x + column((b - a).abs(), x) * u(x, a, b))


def slope_at(time, place, m, s):
    return m + (time * s**2 - (1 - time)) / width(time, s) ** 2 * (place - time * m)


table.wrong("15.4", "at single moments", lambda x, t, r, m, s: slope_at(r, x, m, s))
table.wrong(
    "15.4",
    "at single moments",
    lambda x, t, r, m, s: slope_at(r, x + (r - t) * by_the_two_ends(x, t, r, m, s), m, s),
)


test_right, test_wrong, test_there_are_enough = table.tests()
