import math

import torch
from tables import Table, column

import rfteach as rf

table = Table(16)


# 16.1: pull(velocity, goal, x, t)


@table.right("16.1")
def as_in_the_chapter(velocity, goal, x, t):
    time = column(t, x)
    with torch.enable_grad():
        place = x.clone().requires_grad_()
        value = goal(place + (1 - time) * velocity(place, t))
        (slope,) = torch.autograd.grad(value.sum(), place)
    return (1 - time) / time * slope


@table.right("16.1")
def by_backward(velocity, goal, x, t):
    place = x.detach().clone().requires_grad_()
    goal(place + (1 - column(t, x)) * velocity(place, t)).sum().backward()
    return place.grad * (1 / column(t, x) - 1)


@table.right("16.1")
def by_the_package(velocity, goal, x, t):
    return rf.steered(velocity, goal)(x, t) - velocity(x, t).detach()


@table.right("16.1")
def by_functions(velocity, goal, x, t):
    def value(place):
        return goal(place + (1 - column(t, place)) * velocity(place, t)).sum()

    return (1 - column(t, x)) / column(t, x) * torch.func.grad(value)(x)


@table.right("16.1")
def by_minus_a_loss(velocity, goal, x, t):
    place = torch.nn.Parameter(x.detach().clone())
    loss = -goal(place + (1 - column(t, x)) * velocity(place, t)).sum()
    loss.backward()
    return -place.grad * column((1 - t) / t, x)


def variant(hint, factor=lambda t: (1 - t) / t, end=None, by_end=False, mean=False, detach=False):
    def answer(velocity, goal, x, t):
        time = column(t, x)
        place = x.clone().requires_grad_()
        v = velocity(place, t)
        v = v.detach() if detach else v
        last = place + (1 - time) * v if end is None else end(place, time, v)
        value = goal(last)
        value = value.mean() if mean else value.sum()
        (slope,) = torch.autograd.grad(value, last if by_end else place)
        return factor(time) * slope

    table.wrong("16.1", hint, answer)


variant("This is the slope", factor=lambda t: 1)
variant("upside down", factor=lambda t: t / (1 - t))
variant("1 - t is left out", factor=lambda t: 1 / t)
variant("stops at the predicted end", by_end=True)
variant("stops at the predicted end", detach=True)
variant("by the predicted end", by_end=True, factor=lambda t: 1)
variant("mean over the batch", mean=True)
variant("1 - t, is missing", end=lambda x, t, v: x + v)
variant("asked at x", end=lambda x, t, v: x)
variant("division by t is missing", factor=lambda t: 1 - t)
variant("once", factor=lambda t: ((1 - t) / t) ** 2)
variant("not that gone by", end=lambda x, t, v: x + t * v)
variant("lies ahead", end=lambda x, t, v: x - (1 - t) * v)
variant("where the path began", end=lambda x, t, v: x - t * v)
variant("opposite sign", factor=lambda t: -(1 - t) / t)
table.wrong(
    "16.1",
    "steered velocity",
    lambda velocity, goal, x, t: rf.steered(velocity, goal)(x, t),
)
table.wrong(
    "16.1",
    "mean over the coordinates",
    lambda velocity, goal, x, t: by_backward(velocity, goal, x, t) / x[0].numel(),
)
table.wrong("16.1", "is None", lambda velocity, goal, x, t: None)


# 16.2: effective_size(log_weights)


@table.right("16.2")
def by_softmax(log_weights):
    return 1 / torch.softmax(log_weights, dim=0).square().sum()


@table.right("16.2")
def by_logarithms(log_weights):
    first = 2 * torch.logsumexp(log_weights, dim=0)
    return torch.exp(first - torch.logsumexp(2 * log_weights, dim=0))


@table.right("16.2")
def by_the_largest(log_weights):
    w = (log_weights - log_weights.max()).exp()
    return (w.sum() ** 2 / (w**2).sum()).item()


def softmax(log_weights):
    return torch.softmax(log_weights, dim=0)


def shifted(log_weights):
    return (log_weights - log_weights.max()).exp()


def by_logs_alone(a):
    return a.sum() ** 2 / a.square().sum()


table.wrong("16.2", "largest first", lambda a: a.exp().sum() ** 2 / a.exp().square().sum())
table.wrong("16.2", "Upside down", lambda a: softmax(a).square().sum())
table.wrong("16.2", "share of the draws", lambda a: by_softmax(a) / len(a))
table.wrong("16.2", "are two things", lambda a: softmax(a).sum() ** 2)
table.wrong("16.2", "do not sum to 1", lambda a: 1 / a.exp().square().sum())
table.wrong("16.2", "is squared", lambda a: a.exp().sum() / a.exp().square().sum())
table.wrong("16.2", "entropy", lambda a: torch.exp(-(softmax(a) * torch.log_softmax(a, 0)).sum()))
table.wrong("16.2", "Take exp first", lambda a: a.sum() ** 2 / a.square().sum())
table.wrong("16.2", "largest weight alone", lambda a: 1 / softmax(a).max())
table.wrong("16.2", "root too many", lambda a: by_softmax(a).sqrt())
table.wrong("16.2", "Take sums", lambda a: 1 / softmax(a).square().mean())
table.wrong("16.2", "is squared", lambda a: shifted(a).sum() / shifted(a).square().sum())
table.wrong("16.2", "no root", lambda a: by_softmax(a / 2))
table.wrong("16.2", "sign is turned", lambda a: by_softmax(-a))
table.wrong("16.2", "Take exp first", lambda a: by_logs_alone(a - a.max()))
table.wrong("16.2", "is None", lambda a: None)


# 16.3: a number of draws

share = 0.1 * 2.01**0.5 / 1.01
table.right("16.3", 10_000 * share**3)
table.right("16.3", 28)
table.right("16.3", torch.tensor(27.0))
table.right("16.3", 36)  # one run of 10,000 draws
table.wrong("16.3", "what one coordinate leaves", 1404)
table.wrong("16.3", "two coordinates", 197)
table.wrong("16.3", "four coordinates", 3.9)
table.wrong("16.3", "what a sum would leave", 468)
table.wrong("16.3", "with a square", 156)
table.wrong("16.3", "not the share", 1000)
table.wrong("16.3", "This is the share", 0.00277)
table.wrong("16.3", "three times", 4212)
table.wrong("16.3", "no draw would be lost", 10_000)
table.wrong("16.3", "Fewer are left", 100)
table.wrong("16.3", "More are left", 15)
table.wrong("16.3", "finite number", "few")


# 16.4: posterior_velocity(x, t, s, y, s_y)


@table.right("16.4")
def by_precisions(x, t, s, y, s_y):
    c = 1 / (1 / s**2 + (t / (1 - t)) ** 2 + 1 / s_y**2)
    return (c * (t * x / (1 - t) ** 2 + y / s_y**2) - x) / (1 - t)


def parts(x, t, s):
    s_t2 = (1 - t) ** 2 + (t * s) ** 2
    return t * s**2 / s_t2 * x, s**2 * (1 - t) ** 2 / s_t2


@table.right("16.4")
def by_the_pull(x, t, s, y, s_y):
    mean, c = parts(x, t, s)
    v = (mean - x) / (1 - t)
    return v + c / (1 - t) * (y - mean) / (s_y**2 + c)


@table.right("16.4")
def by_a_matrix(x, t, s, y, s_y):
    cov = torch.tensor([[(1 - t) ** 2 + (t * s) ** 2, t * s**2], [t * s**2, s**2 + s_y**2]])
    seen = torch.tensor([x, y])
    with_end = torch.tensor([t * s**2, s**2])
    return (((with_end @ torch.linalg.solve(cov, seen)) - x) / (1 - t)).item()


@table.right("16.4")
def by_the_flow_of_the_posterior(x, t, s, y, s_y):
    variance = 1 / (1 / s**2 + 1 / s_y**2)
    center = variance * y / s_y**2
    slope = (t * variance - (1 - t)) / ((1 - t) ** 2 + t**2 * variance)
    return center + slope * (x - t * center)


def wrong_bell(hint, f):
    def answer(x, t, s, y, s_y):
        mean, c = parts(x, t, s)
        return f(x, t, s, y, s_y, mean, c, by_precisions(x, t, s, y, s_y))

    table.wrong("16.4", hint, answer)


wrong_bell("without the measurement", lambda x, t, s, y, s_y, m, c, v: (m - x) / (1 - t))
wrong_bell(
    "the naive pull", lambda x, t, s, y, s_y, m, c, v: (m + c / s_y**2 * (y - m) - x) / (1 - t)
)
wrong_bell(
    "not s_y^2 over it",
    lambda x, t, s, y, s_y, m, c, v: (m + s_y**2 / (c + s_y**2) * (y - m) - x) / (1 - t),
)
wrong_bell(
    "that of the end is smaller",
    lambda x, t, s, y, s_y, m, c, v: (m + s**2 / (s**2 + s_y**2) * (y - m) - x) / (1 - t),
)
wrong_bell(
    "its square is the variance",
    lambda x, t, s, y, s_y, m, c, v: (m + c / (c + s_y) * (y - m) - x) / (1 - t),
)
wrong_bell("mean of the end", lambda x, t, s, y, s_y, m, c, v: v * (1 - t) + x)
wrong_bell("time that is left, 1 - t", lambda x, t, s, y, s_y, m, c, v: v * (1 - t))
wrong_bell("away from y", lambda x, t, s, y, s_y, m, c, v: 2 * (m - x) / (1 - t) - v)
wrong_bell("pull alone", lambda x, t, s, y, s_y, m, c, v: v - (m - x) / (1 - t))
wrong_bell("has an error", lambda x, t, s, y, s_y, m, c, v: (y - x) / (1 - t))
wrong_bell(
    "not y less x",
    lambda x, t, s, y, s_y, m, c, v: (m + c / (c + s_y**2) * (y - x) - x) / (1 - t),
)
wrong_bell(
    "what x says of the end",
    lambda x, t, s, y, s_y, m, c, v: (s**2 / (s**2 + s_y**2) * y - x) / (1 - t),
)
wrong_bell(
    "a share of the surprise",
    lambda x, t, s, y, s_y, m, c, v: (m + c / (c + s_y**2) * y - x) / (1 - t),
)
wrong_bell(
    "not of widths",
    lambda x, t, s, y, s_y, m, c, v: (m + c**0.5 / (c**0.5 + s_y) * (y - m) - x) / (1 - t),
)
wrong_bell("less x, over 1 - t", lambda x, t, s, y, s_y, m, c, v: v + x / (1 - t))
table.wrong("16.4", "is None", lambda x, t, s, y, s_y: None)
table.wrong("16.4", "finite number", lambda x, t, s, y, s_y: math.nan)


table.wrong("16.2", "n - 1 below", lambda a: len(a) / (1 + (softmax(a) * len(a)).var()))


def moved(end=None, c=None):
    """Make an answer to 16.4 with another predicted end or variance; both get x, t, s and s_t^2."""

    def answer(x, t, s, y, s_y):
        mean, variance = parts(x, t, s)
        given = x, t, s, (1 - t) ** 2 + (t * s) ** 2
        mean, variance = end(*given) if end else mean, c(*given) if c else variance
        return (mean + variance / (variance + s_y**2) * (y - mean) - x) / (1 - t)

    return answer


table.wrong("16.4", "Check C_t", moved(c=lambda x, t, s, v: s**2 * (1 - t) / v))
table.wrong("16.4", "Check C_t", moved(c=lambda x, t, s, v: s**2 * (1 - t) ** 2))
table.wrong("16.4", "Check C_t", moved(c=lambda x, t, s, v: v))
table.wrong("16.4", "predicted end without y", moved(end=lambda x, t, s, v: t * s / v * x))
table.wrong("16.4", "predicted end without y", moved(end=lambda x, t, s, v: s**2 / v * x))


table.wrong("16.4", "Check C_t", moved(c=lambda x, t, s, v: s**2 / v))
table.wrong("16.4", "Check C_t", moved(c=lambda x, t, s, v: (1 - t) ** 2 / v))
table.wrong("16.4", "predicted end without y", moved(end=lambda x, t, s, v: t / v * x))


@table.wrong("16.4", "`s` and `s_y` are exchanged")
def with_two_names_exchanged(x, t, s, y, s_y):
    return moved()(x, t, s_y, y, s)


test_right, test_wrong, test_there_are_enough = table.tests()
