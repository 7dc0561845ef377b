import math

import numpy as np
import torch
from tables import Table, column, on_the_last_axis

import rfteach as rf

table = Table(13)


# 13.1: score_from_velocity(v, x, t)


@table.right("13.1")
def as_in_the_chapter(v, x, t):
    time = column(t, x)
    return (time * v - x) / (1 - time)


@table.right("13.1")
def by_the_mean_of_the_noise(v, x, t):
    flat = x.flatten(1)
    mean = flat - t[:, None] * v.flatten(1)
    return (-mean / (1 - t)[:, None]).reshape(x.shape)


@table.right("13.1")
def by_the_package(v, x, t):
    return rf.score(lambda x, t: v)(x, t)


@table.right("13.1")
def by_a_map_over_the_batch(v, x, t):
    return torch.vmap(lambda v, x, t: (t * v - x) / (1 - t))(v, x, t)


def formula(f):
    """Make an answer of a formula in v, x and the times with all their axes."""
    return lambda v, x, t: f(v, x, column(t, x))


def wrong_formula(hint, f):
    table.wrong("13.1", hint, formula(f))


wrong_formula("points uphill", lambda v, x, t: (x - t * v) / (1 - t))
wrong_formula("A sign was lost", lambda v, x, t: -(x + t * v) / (1 - t))
wrong_formula("the width 1 - t: divide by it", lambda v, x, t: t * v - x)
wrong_formula("Divided once too often", lambda v, x, t: (t * v - x) / (1 - t) ** 2)
wrong_formula("acts for the time t", lambda v, x, t: (v - x) / (1 - t))
wrong_formula("1 - t, not t", lambda v, x, t: (t * v - x) / t)
wrong_formula("minus that, over 1 - t", lambda v, x, t: x - t * v)
wrong_formula("the mean of the data", lambda v, x, t: x + (1 - t) * v)
wrong_formula("The score needs that of X0", lambda v, x, t: -(x + (1 - t) * v) / (1 - t))
wrong_formula("noise at t = 1", lambda v, x, t: -(x + (1 - t) * v) / t)
wrong_formula("is not the score", lambda v, x, t: v)
wrong_formula("sign of x", lambda v, x, t: (t * v + x) / (1 - t))
wrong_formula("multiplies v, not x", lambda v, x, t: (v - t * x) / (1 - t))
wrong_formula("not 1 - t: x", lambda v, x, t: ((1 - t) * v - x) / (1 - t))
wrong_formula("Set parentheses", lambda v, x, t: t * v / (1 - t) - x)
wrong_formula("Set parentheses", lambda v, x, t: t * v - x / (1 - t))
wrong_formula("Where is the velocity", lambda v, x, t: -x / (1 - t))
wrong_formula("1.01 times what it should be", lambda v, x, t: 1.01 * (t * v - x) / (1 - t))
table.wrong(
    "13.1",
    "wrong axis",
    lambda v, x, t: (on_the_last_axis(t, x) * v - x) / (1 - on_the_last_axis(t, x)),
)
table.wrong("13.1", "must match the size", lambda v, x, t: (t * v - x) / (1 - t))
table.wrong("13.1", "is None", lambda v, x, t: None)
table.wrong("13.1", "has dtype", lambda v, x, t: as_in_the_chapter(v, x, t).half())


# 13.2: noisy_step(velocity, x, t, dt, g)


def now(x, t):
    return x.new_full((len(x),), t)


def step(drift=lambda v, x, s, t, g: v + g**2 / 2 * s, kick=lambda x, dt, g: None, score=None):
    """Make an answer with another drift, kick or score."""

    def answer(velocity, x, t, dt, g):
        v = velocity(x, now(x, t))
        s = (t * v - x) / (1 - t) if score is None else score(v, x, t)
        noise = kick(x, dt, g)
        noise = g * dt**0.5 * torch.randn_like(x) if noise is None else noise
        return x + dt * drift(v, x, s, t, g) + noise

    return answer


table.right("13.2", step())


@table.right("13.2")
def with_torch_normal(velocity, x, t, dt, g):
    v = velocity(x, torch.full((len(x),), t, dtype=x.dtype))
    mean_noise = x - t * v
    kick = torch.normal(torch.zeros_like(x), math.sqrt(dt))
    return x + v * dt - mean_noise / (1 - t) * g * g * dt / 2 + g * kick


@table.right("13.2")
@torch.no_grad()
def with_numpy(velocity, x, t, dt, g):
    v = velocity(x, now(x, t))
    kick = torch.from_numpy(np.random.default_rng().standard_normal(x.shape)).to(x)
    return x + dt * (v + 0.5 * g**2 * rf.score(lambda *_: v)(x, now(x, t))) + g * np.sqrt(dt) * kick


def wrong_step(hint, **parts):
    table.wrong("13.2", hint, step(**parts))


def random(x):
    return torch.randn_like(x)


wrong_step("the score points uphill", drift=lambda v, x, s, t, g: v - g**2 / 2 * s)
wrong_step("half is forgotten", drift=lambda v, x, s, t, g: v + g**2 * s)


@table.wrong("13.2", "minus `x`")
def the_change_alone(velocity, x, t, dt, g):
    return step()(velocity, x, t, dt, g) - x


wrong_step("score is left out", drift=lambda v, x, s, t, g: v)
wrong_step("in place of its square", drift=lambda v, x, s, t, g: v + g / 2 * s)
wrong_step("once too often", score=lambda v, x, t: (t * v - x) / (1 - t) ** 2)
wrong_step("A sign was lost", score=lambda v, x, t: -(x + t * v) / (1 - t))
wrong_step("acts for the time t", score=lambda v, x, t: (v - x) / (1 - t))
wrong_step("Where is the velocity", score=lambda v, x, t: -x / (1 - t))
wrong_step("and it is not", score=lambda v, x, t: 1.3 * (t * v - x) / (1 - t))
wrong_step("dt is forgotten beside it", drift=lambda v, x, s, t, g: v + g**2 / 2 * s / 0.1)
wrong_step("divided by 1 - t", score=lambda v, x, t: t * v - x)
wrong_step("goes against the velocity", drift=lambda v, x, s, t, g: -v + g**2 / 2 * s)
wrong_step("its *variance* is g^2 dt", kick=lambda x, dt, g: g * dt * random(x))
wrong_step("Is dt forgotten", kick=lambda x, dt, g: g * random(x))
wrong_step("which is for its variance", kick=lambda x, dt, g: g**2 * dt**0.5 * random(x))
wrong_step("The half belongs to the score", kick=lambda x, dt, g: g / 2 * dt**0.5 * random(x))
wrong_step("variance 2 g^2 dt", kick=lambda x, dt, g: g * (2 * dt) ** 0.5 * random(x))
wrong_step("all points get the same", kick=lambda x, dt, g: g * dt**0.5 * random(x[:1]))
wrong_step("there is none", kick=lambda x, dt, g: 0 * x)
wrong_step(
    "coordinates of a point all get the same",
    kick=lambda x, dt, g: g * dt**0.5 * column(torch.randn(len(x), dtype=x.dtype), x),
)


def wrong_noise(hint, draw):
    """Add an answer whose noise has another shape, of the right width or not."""
    wrong_step(hint, kick=lambda x, dt, g: g * dt**0.5 * draw(x))


wrong_noise("uniform numbers from 0 to 1", lambda x: 12**0.5 * torch.rand_like(x))
wrong_noise("uniform numbers from 0 to 1", torch.rand_like)
wrong_noise("as from `torch.rand`", lambda x: 12**0.5 * (torch.rand_like(x) - 0.5))
wrong_noise("absolute value", lambda x: random(x).abs())
wrong_noise("two values only", lambda x: random(x).sign())
wrong_noise("product of two Gaussians", lambda x: random(x) * random(x))
wrong_noise("not Gaussian", lambda x: 3**0.5 * random(x) * torch.rand_like(x))
wrong_noise(
    "not Gaussian", lambda x: x.new_tensor(np.random.default_rng().laplace(size=x.shape)) / 2**0.5
)
wrong_step("for dt alone", kick=lambda x, dt, g: (g * dt) ** 0.5 * random(x))
wrong_step("fades within the step", kick=lambda x, dt, g: g * (0.6 * dt) ** 0.5 * random(x))


@table.wrong("13.2", "fades within the step")
def with_a_g_of_its_own(velocity, x, t, dt, g):
    return step()(velocity, x, t, dt, g * (1 - t) ** 0.5)


@table.wrong("13.2", "looks at its start only")
def the_score_at_the_end(velocity, x, t, dt, g):
    end = t + dt
    return step(score=lambda v, x, t: (end * v - x) / (1 - end))(velocity, x, t, dt, g)


@table.wrong("13.2", "half is forgotten")
def without_the_half_and_wrong_noise(velocity, x, t, dt, g):
    drift, kick = lambda v, x, s, t, g: v + g**2 * s, lambda x, dt, g: g * dt * random(x)
    return step(drift, kick)(velocity, x, t, dt, g)


@table.wrong("13.2", "fresh in each step")
def seeded_within(velocity, x, t, dt, g):
    torch.manual_seed(0)
    return step()(velocity, x, t, dt, g)


@table.wrong("13.2", "2 times. Call it once")
def asks_twice(velocity, x, t, dt, g):
    v, again = velocity(x, now(x, t)), velocity(x, now(x, t))
    return x + dt * (v + g**2 / 2 * (t * again - x) / (1 - t)) + g * dt**0.5 * torch.randn_like(x)


@table.wrong("13.2", "at other times")
def at_the_end_of_the_step(velocity, x, t, dt, g):
    v = velocity(x, now(x, t + dt))
    return x + dt * (v + g**2 / 2 * (t * v - x) / (1 - t)) + g * dt**0.5 * torch.randn_like(x)


@table.wrong("13.2", "lasts 1 in place of dt")
def without_dt(velocity, x, t, dt, g):
    v = velocity(x, now(x, t))
    return x + v + dt * g**2 / 2 * (t * v - x) / (1 - t) + g * dt**0.5 * torch.randn_like(x)


@table.wrong("13.2", "The root is for the noise alone")
def a_root_for_the_score(velocity, x, t, dt, g):
    v = velocity(x, now(x, t))
    return x + dt * v + dt**0.5 * (g**2 / 2 * (t * v - x) / (1 - t) + g * torch.randn_like(x))


# 13.3: a number of steps

table.right("13.3", 10_000)
table.right("13.3", 100.0**2)
table.right("13.3", np.float64(10_000))
table.wrong("13.3", "ten times the noise", 100)
table.wrong("13.3", "the root of ten", 1000)
table.wrong("13.3", "the root of two", 200)
table.wrong("13.3", "That is for g = 1", 2500)
table.wrong("13.3", "found exactly", 9900)
table.wrong("13.3", "found exactly", 10_050)
table.wrong("13.3", "halve it only", 400)
table.wrong("13.3", "starts at t = 0.99, not at 0.98", 5000)
table.wrong("13.3", "not of its middle", 20_000)
table.wrong("13.3", "leaves more in the end", 10)
table.wrong("13.3", "Too few", 7000)
table.wrong("13.3", "More than needed", 40_000)
table.wrong("13.3", "from 2 to", 0)
table.wrong("13.3", "finite number", "many")


# 13.4: circle_noise(t)


@table.right("13.4")
def by_the_tangent(t):
    return math.sqrt(math.pi / math.tan(math.pi / 2 * t))


@table.right("13.4")
def by_ratio_and_speed(t):
    a = torch.tensor(math.pi / 2 * t, dtype=torch.float64)
    return (2 * math.pi / 2 * a.cos() / a.sin()).sqrt()


@table.right("13.4")
def by_a_small_step(t):
    h = 1e-6
    a, b = math.pi / 2 * t, math.pi / 2 * (t - h)
    return ((math.cos(b) ** 2 - (math.sin(b) / math.sin(a) * math.cos(a)) ** 2) / h) ** 0.5


def tangent(t):
    return math.tan(math.pi / 2 * t)


table.wrong("13.4", "Take the root", lambda t: math.pi / tangent(t))
table.wrong("13.4", "of the straight line", lambda t: (2 * (1 - t) / t) ** 0.5)
table.wrong("13.4", "grows by pi / 2", lambda t: (2 / tangent(t)) ** 0.5)
table.wrong("13.4", "That is g^2, for an angle", lambda t: 2 / tangent(t))
table.wrong("13.4", "Upside down", lambda t: (math.pi * tangent(t)) ** 0.5)
table.wrong("13.4", "A factor 2 is lost", lambda t: (math.pi / 2 / tangent(t)) ** 0.5)
table.wrong("13.4", "of t alone", lambda t: (math.pi / math.tan(t)) ** 0.5)
table.wrong("13.4", "for the angle a = t", lambda t: (2 / math.tan(t)) ** 0.5)
table.wrong("13.4", "A factor 2 too many", lambda t: (2 * math.pi / tangent(t)) ** 0.5)
table.wrong("13.4", "not g", lambda t: math.pi / 2 * (2 / tangent(t)) ** 0.5)
table.wrong("13.4", "shrinking", lambda t: (math.pi / 2 * math.sin(math.pi * t)) ** 0.5)
table.wrong("13.4", "not squared", lambda t: math.pi**0.5 / tangent(t))
table.wrong("13.4", "factor pi is missing", lambda t: tangent(t) ** -0.5)
table.wrong("13.4", "one sin a cancels", lambda t: math.sqrt(math.pi * math.cos(math.pi / 2 * t)))
table.wrong("13.4", "is None", lambda t: None)


@table.wrong("13.2", "Take it at x")
def with_the_score_after_the_drift(velocity, x, t, dt, g):
    v = velocity(x, now(x, t))
    x = x + dt * v
    score = (t * v - x) / (1 - t)
    return x + g**2 / 2 * dt * score + g * dt**0.5 * torch.randn_like(x)


test_right, test_wrong, test_there_are_enough = table.tests()
