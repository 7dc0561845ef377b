import math

import numpy as np
import torch
from tables import Table, column

import rfteach as rf

table = Table(8)


# 8.1: levels(beta) -> signal, noise


@table.right("8.1")
def by_the_product(beta):
    kept = torch.cumprod(1 - beta, dim=0)
    return kept.sqrt(), (1 - kept).sqrt()


@table.right("8.1")
def step_by_step(beta):
    s, variance, signal, noise = 1.0, 0.0, [], []
    for b in beta.tolist():
        s, variance = math.sqrt(1 - b) * s, (1 - b) * variance + b
        signal.append(s)
        noise.append(math.sqrt(variance))
    return [torch.tensor(w, dtype=beta.dtype, device=beta.device) for w in (signal, noise)]


@table.wrong("8.1", "run the wrong way")
def from_the_other_end(beta):
    s, n = by_the_product(beta)
    return s.flip(0), n.flip(0)


@table.wrong("8.1", "is 1.01 times what")
def nearly(beta):
    return tuple(1.01 * w for w in by_the_product(beta))


@table.right("8.1")
def by_logarithms(beta):
    signal = torch.exp(torch.cumsum(torch.log1p(-beta), 0) / 2)
    return signal, (1 - signal**2).sqrt()


def kept(beta):
    return torch.cumprod(1 - beta, dim=0)


def with_signal(signal):
    return lambda beta: (signal(beta), (1 - kept(beta)).sqrt())


def with_noise(noise):
    return lambda beta: (kept(beta).sqrt(), noise(beta))


table.wrong("8.1", "are exchanged", lambda beta: by_the_product(beta)[::-1])
table.wrong("8.1", "This is alpha-bar", with_signal(kept))
table.wrong("8.1", "one step alone", with_signal(lambda b: (1 - b).sqrt()))
table.wrong("8.1", "one step alone, and squared", with_signal(lambda b: 1 - b))
table.wrong("8.1", "keeps 1 - beta", with_signal(lambda b: b.cumprod(0).sqrt()))
table.wrong("8.1", "keeps 1 - beta", with_signal(lambda b: (1 - b.cumprod(0)).sqrt()))
table.wrong("8.1", "more than 1", with_signal(lambda b: (1 - b.cumsum(0)).sqrt()))
table.wrong("8.1", "infinitely small steps", with_signal(lambda b: (-b.cumsum(0) / 2).exp()))
table.wrong("8.1", "multiplies, and does not", with_signal(lambda b: (1 - b).sqrt().cumsum(0)))
table.wrong("8.1", "includes it", with_signal(lambda b: (kept(b) / (1 - b)).sqrt()))
table.wrong("8.1", "Their *squares* do", with_noise(lambda b: 1 - kept(b).sqrt()))
table.wrong("8.1", "the *square* of the signal", with_noise(lambda b: (1 - kept(b).sqrt()).sqrt()))
table.wrong("8.1", "no square", with_signal(lambda b: (1 - b**2).cumprod(0).sqrt()))
table.wrong("8.1", "This is the variance", with_noise(lambda b: 1 - kept(b)))
table.wrong("8.1", "of the last step", with_noise(lambda b: b.sqrt()))
table.wrong("8.1", "do not simply add", with_noise(lambda b: b.cumsum(0).sqrt()))
table.wrong("8.1", "variances add, shrunk", with_noise(lambda b: b.sqrt().cumsum(0)))
table.wrong("8.1", "Return two things", lambda beta: kept(beta).sqrt())
table.wrong("8.1", "has dtype torch.float64", with_signal(lambda b: kept(b.double()).sqrt()))
table.wrong("8.1", "has shape ()", with_signal(lambda b: (1 - b).prod().sqrt()))


@table.wrong("8.1", "every step")
def with_one_beta(beta):
    power = torch.arange(1, len(beta) + 1)
    return (1 - beta[-1]) ** (power / 2), (1 - kept(beta)).sqrt()


@table.wrong("8.1", "in place")
def over_the_betas(beta):
    beta.neg_().add_(1)
    product = beta.cumprod(0)
    return product.sqrt(), (1 - product).sqrt()


# 8.2: ddim_step(x, x0, here, there)


@table.right("8.2")
def as_in_the_chapter(x, x0, here, there):
    x1 = (x - here[1] * x0) / here[0]
    return there[0] * x1 + there[1] * x0


@table.right("8.2")
def as_a_step_of_euler(x, x0, here, there):
    y = x / here[0] - here[1] / here[0] * x0
    return there[0] * y + there[1] * x0


@table.right("8.2")
def in_one_line(x, x0, here, there):
    ratio = there[0] / here[0]
    return ratio * x + (there[1] - ratio * here[1]) * x0


def mixed(mix):
    """Make an answer from the data, the noise and all the weights."""

    def ddim_step(x, x0, here, there):
        return mix(x, x0, (x - here[1] * x0) / here[0], *here, *there)

    return ddim_step


table.wrong("8.2", "are exchanged", mixed(lambda x, x0, x1, s, n, s2, n2: n2 * x1 + s2 * x0))
table.wrong("8.2", "Mix it anew", mixed(lambda x, x0, x1, s, n, s2, n2: x1))
table.wrong("8.2", "added to x itself", mixed(lambda x, x0, x1, s, n, s2, n2: s2 * x + n2 * x0))
table.wrong(
    "8.2",
    "division is missing",
    mixed(lambda x, x0, x1, s, n, s2, n2: s2 * (x - n * x0) + n2 * x0),
)
table.wrong("8.2", "sign of the noise", mixed(lambda x, x0, x1, s, n, s2, n2: s2 * x1 - n2 * x0))
table.wrong(
    "8.2",
    "has not moved",
    lambda x, x0, here, there: there[0] * (x - there[1] * x0) / there[0] + there[1] * x0,
)
table.wrong(
    "8.2",
    "has the weight of `here`",
    mixed(lambda x, x0, x1, s, n, s2, n2: s2 * (x - n2 * x0) / s + n2 * x0),
)
table.wrong(
    "8.2",
    "in order",
    mixed(lambda x, x0, x1, s, n, s2, n2: s2 * (x - s * x0) / n + n2 * x0),
)
table.wrong(
    "8.2",
    "*off* x",
    mixed(lambda x, x0, x1, s, n, s2, n2: s2 * (x + n * x0) / s + n2 * x0),
)
table.wrong(
    "8.2",
    "taken for the data",
    mixed(lambda x, x0, x1, s, n, s2, n2: s2 * x0 + n2 * (x - s * x0) / n),
)
table.wrong(
    "8.2",
    "by the *signal* of `here`",
    mixed(lambda x, x0, x1, s, n, s2, n2: s2 * (x - n * x0) / n + n2 * x0),
)
table.wrong("8.2", "gone at once", mixed(lambda x, x0, x1, s, n, s2, n2: s2 * x1))
table.wrong(
    "8.2",
    "take off noise * x0",
    mixed(lambda x, x0, x1, s, n, s2, n2: s2 * (x - x0) / s + n2 * x0),
)
table.wrong("8.2", "noise keeps", mixed(lambda x, x0, x1, s, n, s2, n2: s2 * x1 + n * x0))
table.wrong("8.2", "signal keeps", mixed(lambda x, x0, x1, s, n, s2, n2: s * x1 + n2 * x0))
table.wrong("8.2", "has not moved", lambda x, x0, here, there: x.clone())
table.wrong("8.2", "has dtype torch.float32", lambda *a: as_in_the_chapter(*a).float())
table.wrong("8.2", "Is a `return` missing", lambda x, x0, here, there: None)
table.wrong("8.2", "signature", lambda x, x0, here: x)


@table.wrong("8.2", "in each step is DDPM")
def with_fresh_noise(x, x0, here, there):
    x1 = (x - here[1] * x0) / here[0]
    return there[0] * x1 + there[1] * torch.randn_like(x)


@table.wrong("8.2", "there = (0.0, 1.0)")
def by_the_signal_of_there(x, x0, here, there):
    y = x / here[0] + (there[1] / there[0] - here[1] / here[0]) * x0
    return there[0] * y


def as_pairs(answer):
    """Make an answer that takes the weights for (noise, signal)."""
    return lambda x, x0, here, there: answer(x, x0, here[::-1], there[::-1])


def circular(w):
    return (w[0], max(0.0, 1 - w[0] ** 2) ** 0.5)


table.wrong("8.2", "Or the weights are exchanged", as_pairs(as_in_the_chapter))
table.wrong(
    "8.2",
    "`here` and `there` are exchanged",
    lambda x, x0, here, there: as_in_the_chapter(x, x0, there, here),
)
table.wrong(
    "8.2", "are clipped", mixed(lambda x, x0, x1, s, n, s2, n2: s2 * x1.clamp(-1, 1) + n2 * x0)
)
table.wrong(
    "8.2",
    "on a circle",
    lambda x, x0, here, there: as_in_the_chapter(x, x0, here, circular(there)),
)
table.wrong(
    "8.2",
    "on a circle",
    lambda x, x0, here, there: as_in_the_chapter(x, x0, circular(here), circular(there)),
)
table.wrong(
    "8.2", "a step along X1 - X0", mixed(lambda x, x0, x1, s, n, s2, n2: x + (s2 - s) * (x1 - x0))
)
table.wrong(
    "8.2", "the noise alone changes", lambda x, x0, here, there: x + (there[1] - here[1]) * x0
)


@table.wrong("8.2", "in place")
def over_the_point(x, x0, here, there):
    x -= here[1] * x0
    return there[0] * x / here[0] + there[1] * x0


# 8.3: line_velocity(predict_noise, x, t)


def clock(t):
    return 2 / math.pi * torch.atan2(t, 1 - t)


def size(t, x):
    return torch.hypot(column(t, x), column(1 - t, x))


@table.right("8.3")
def by_the_short_formula(predict_noise, x, t):
    x0 = predict_noise(x / size(t, x), clock(t))
    return (x - x0) / column(t, x)


@table.right("8.3")
def by_both_ends(predict_noise, x, t):
    t_, u = column(t, x), 2 / math.pi * torch.atan(t / (1 - t))
    x0 = predict_noise(x / (t_**2 + (1 - t_) ** 2).sqrt(), u)
    x1 = (x - (1 - t_) * x0) / t_
    return x1 - x0


@table.right("8.3")
def by_the_package(predict_noise, x, t):
    circle = rf.velocity_from_noise(predict_noise, rf.TRIGONOMETRIC)
    return rf.convert_velocity(circle, rf.TRIGONOMETRIC, rf.STRAIGHT)(x, t)


@table.wrong("8.3", "at the time t = 0.02")
def kept_away_from_the_ends(predict_noise, x, t):
    return by_the_short_formula(predict_noise, x, t.clamp(0.1, 0.9))


def asked(place, time, velocity=lambda x, x0, t: (x - x0) / t):
    """Make an answer that asks the network at a place and time of its own."""

    def line_velocity(predict_noise, x, t):
        return velocity(x, predict_noise(place(x, t), time(t)), column(t, x))

    return line_velocity


def scaled(x, t):
    return x / size(t, x)


table.wrong("8.3", "at x and t of the line", asked(lambda x, t: x, lambda t: t))
table.wrong("8.3", "the place is not", asked(lambda x, t: x, clock))
table.wrong("8.3", "the clock is not", asked(scaled, lambda t: t))
table.wrong("8.3", "upside down", asked(lambda x, t: x * size(t, x), clock))
table.wrong("8.3", "a root is missing", asked(lambda x, t: x / size(t, x) ** 2, clock))
table.wrong("8.3", "takes t for the sine", asked(scaled, lambda t: 2 / math.pi * torch.asin(t)))
table.wrong("8.3", "runs backward", asked(scaled, lambda t: 1 - clock(t)))
table.wrong("8.3", "This is the angle", asked(scaled, lambda t: torch.atan2(t, 1 - t)))
table.wrong(
    "8.3", "over pi/2, not times", asked(scaled, lambda t: math.pi / 2 * torch.atan2(t, 1 - t))
)
table.wrong(
    "8.3", "mean of the data", asked(scaled, clock, lambda x, x0, t: (x - (1 - t) * x0) / t)
)
table.wrong("8.3", "Divide by t", asked(scaled, clock, lambda x, x0, t: x - x0))
table.wrong("8.3", "not 1 - t", asked(scaled, clock, lambda x, x0, t: (x - x0) / (1 - t)))
table.wrong("8.3", "noise that the network", asked(scaled, clock, lambda x, x0, t: x0))
table.wrong("8.3", "opposite sign", asked(scaled, clock, lambda x, x0, t: (x0 - x) / t))
table.wrong(
    "8.3",
    "for the network alone",
    lambda predict, x, t: (scaled(x, t) - predict(scaled(x, t), clock(t))) / column(t, x),
)
table.wrong(
    "8.3",
    "velocity of the circle",
    lambda predict, x, t: rf.velocity_from_noise(predict, rf.TRIGONOMETRIC)(scaled(x, t), clock(t)),
)
table.wrong(
    "8.3",
    "depends on the other rows",
    lambda predict, x, t: by_the_short_formula(predict, x, t.mean().expand(len(t))),
)
table.wrong("8.3", "takes tensors", asked(scaled, lambda t: 0.5))
table.wrong("8.3", "has dtype torch.float32", lambda *a: by_the_short_formula(*a).float())


@table.wrong("8.3", "asks the network 2 times")
def with_two_calls(predict_noise, x, t):
    x1 = (x - column(1 - t, x) * predict_noise(scaled(x, t), clock(t))) / column(t, x)
    return x1 - predict_noise(scaled(x, t), clock(t))


# 8.4: a number of steps

table.right("8.4", 8)
table.right("8.4", torch.tensor(8))
table.right("8.4", np.int64(8))
table.right("8.4", 16 / 2)
table.wrong("8.4", "errors on the way", 16)
table.wrong("8.4", "does not make the flow straight", 32)
table.wrong("8.4", "does not make the flow straight", 64)
table.wrong("8.4", "not by that much", 4)
table.wrong("8.4", "not by that much", 2)
table.wrong("8.4", "not by that much", 1)
table.wrong("8.4", "Give one of the numbers", 12)
table.wrong("8.4", "Give one of the numbers", "8")
table.wrong("8.4", "Give one of the numbers", 8.5)
table.wrong("8.4", "Give one of the numbers", True)

for small in (1e-3, 1e-4):
    table.wrong(
        "8.3",
        "divided by t +",
        asked(scaled, clock, lambda x, x0, t, small=small: (x - x0) / (t + small)),
    )


test_right, test_wrong, test_there_are_enough = table.tests()
