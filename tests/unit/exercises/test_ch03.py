import math

import numpy as np
import torch
from tables import Table, column, on_the_last_axis

import rfteach as rf
from rfteach import _interpolation as interpolation

table = Table(3)


def between(x0, x1, t):
    """Return the points at times t on the lines from x0 to x1."""
    return x0 + column(t, x0) * (x1 - x0)


# 3.1: my_loss(velocity, x0, x1, t)


@table.right("3.1")
def with_axes_counted(velocity, x0, x1, t):
    error = velocity(between(x0, x1, t), t) + x0 - x1
    return error.pow(2).sum(dim=tuple(range(1, x0.ndim))).mean()


@table.right("3.1")
def with_mse_loss(velocity, x0, x1, t):
    v = velocity(rf.interpolate(x0, x1, t), t)
    return torch.nn.functional.mse_loss(v, x1 - x0, reduction="sum") / len(x0)


@table.right("3.1")
def with_a_mean_over_the_batch_first(velocity, x0, x1, t):
    v = velocity(torch.func.vmap(torch.lerp)(x0, x1, t), t)
    return (x1 - x0 - v).square().mean(dim=0).sum()


@table.right("3.1")
def with_norms_in_a_loop(velocity, x0, x1, t):
    xt = torch.stack([(1 - s) * a + s * b for a, b, s in zip(x0, x1, t, strict=True)])
    rows = (x1 - x0 - velocity(xt, t)).reshape(len(t), -1)
    return sum(torch.linalg.vector_norm(row) ** 2 for row in rows) / len(t)


table.right("3.1", rf.velocity_matching_loss)


def usual(error):
    return error.square().flatten(1).sum(dim=1).mean()


def loss(
    norm=usual,
    place=lambda x0, x1, t: (1 - t) * x0 + t * x1,
    target=lambda x0, x1, t: x1 - x0,
    clock=lambda t: t,
):
    """Make a loss from its parts; the times of place and target have all the axes."""

    def answer(velocity, x0, x1, t):
        time = column(t, x0)
        return norm(target(x0, x1, time) - velocity(place(x0, x1, time), clock(t)))

    return answer


table.wrong("3.1", "*sum* over the event", loss(lambda e: e.square().mean()))
table.wrong("3.1", "*sum* over the event", loss(lambda e: e.square().flatten(1).mean(1).mean()))
table.wrong("3.1", "sum over the batch", loss(lambda e: e.square().sum()))
table.wrong("3.1", "sum over the batch", loss(lambda e: e.norm() ** 2))
table.wrong("3.1", "mean of the norms", loss(lambda e: e.flatten(1).norm(dim=1).mean()))
table.wrong("3.1", "absolute values", loss(lambda e: e.abs().flatten(1).sum(dim=1).mean()))
table.wrong("3.1", "first axis of the event", loss(lambda e: e.square().sum(dim=1).mean()))
table.wrong("3.1", "last axis of the event", loss(lambda e: e.square().sum(dim=-1).mean()))
table.wrong("3.1", "factor 1/2", loss(lambda e: usual(e) / 2))
table.wrong("3.1", "errors cancel", loss(lambda e: e.mean(dim=0).square().sum()))
table.wrong("3.1", "one loss for each point", loss(lambda e: e.square().flatten(1).sum(dim=1)))
table.wrong("3.1", "has shape (1,)", loss(lambda e: usual(e).reshape(1)))
table.wrong("3.1", "without `.item()`", loss(lambda e: usual(e).item()))
table.wrong("3.1", "no gradient", loss(lambda e: usual(e).detach()))
table.wrong("3.1", "no gradient", torch.no_grad()(loss()))
table.right("3.1", loss(lambda e: usual(e.double())))
table.right("3.1", loss(lambda e: usual(e.float())))
table.wrong("3.1", "summed and then squared", loss(lambda e: e.flatten(1).sum(1).square().mean()))
for row in (lambda t: t[0], lambda t: t[-1], lambda t: t.mean()):
    table.wrong(
        "3.1",
        "one time for all rows",
        loss(place=lambda x0, x1, t, row=row: (1 - row(t)) * x0 + row(t) * x1),
    )
table.wrong("3.1", "is on meta", loss(lambda e: usual(e).to("meta")))
table.wrong("3.1", "fed x1", loss(place=lambda x0, x1, t: x1))
table.wrong("3.1", "fed x0", loss(place=lambda x0, x1, t: x0))
table.wrong("3.1", "the clock is flipped", loss(place=lambda x0, x1, t: t * x0 + (1 - t) * x1))
table.wrong(
    "3.1",
    "points of the lines, at other times",
    loss(place=lambda x0, x1, t: between(x0, x1, torch.rand(len(x0)))),
)
table.wrong(
    "3.1", "points of the lines, at other times", loss(place=lambda x0, x1, t: (x0 + x1) / 2)
)
table.wrong("3.1", "fed the target", loss(place=lambda x0, x1, t: x1 - x0))
table.wrong("3.1", "(1 - t) x0", loss(place=lambda x0, x1, t: x0 + t * x1))
table.wrong("3.1", "points back", loss(target=lambda x0, x1, t: x0 - x1))
table.wrong("3.1", "not the place x1", loss(target=lambda x0, x1, t: x1))
table.wrong("3.1", "not the place x0", loss(target=lambda x0, x1, t: x0))
table.wrong("3.1", "do not scale", loss(target=lambda x0, x1, t: t * (x1 - x0)))
table.wrong(
    "3.1",
    "not the way that is left",
    loss(target=lambda x0, x1, t: x1 - between(x0, x1, t.flatten())),
)
table.wrong("3.1", "1 - t", loss(clock=lambda t: 1 - t))
table.wrong("3.1", "other times", loss(clock=torch.zeros_like))
table.wrong("3.1", "one time for each point", loss(clock=lambda t: t[:, None]))
table.wrong("3.1", "takes tensors", loss(clock=lambda t: t[0].item()))


@table.wrong("3.1", "trailing axes")
def without_axes(velocity, x0, x1, t):
    return usual(x1 - x0 - velocity((1 - t) * x0 + t * x1, t))


@table.wrong("3.1", "trailing axes")
def with_one_axis_for_images_too(velocity, x0, x1, t):
    return usual(x1 - x0 - velocity((1 - t[:, None]) * x0 + t[:, None] * x1, t))


@table.wrong("3.1", "along the wrong axis")
def with_times_on_the_last_axis(velocity, x0, x1, t):
    return usual(x1 - x0 - velocity(x0 + on_the_last_axis(t, x0) * (x1 - x0), t))


@table.wrong("3.1", "Call it once")
def with_a_call_for_each_point(velocity, x0, x1, t):
    xt = between(x0, x1, t)
    v = torch.cat([velocity(xt[i : i + 1], t[i : i + 1]) for i in range(len(t))])
    return usual(x1 - x0 - v)


@table.wrong("3.1", "in place")
def interpolating_in_place(velocity, x0, x1, t):
    target = x1 - x0
    return usual(target - velocity(x0.add_(column(t, x0) * target), t))


@table.wrong("3.1", "called with the times first")
def with_place_and_time_swapped(velocity, x0, x1, t):
    return usual(x1 - x0 - velocity(t, between(x0, x1, t)))


# 3.2: reversed_loss(w, x0, x1, s) and reversed_sampler(w, x0, steps)


def reversed_by_the_package(w, x0, x1, s):
    return rf.velocity_matching_loss(w, x1, x0, s)


def sweep(sign=-1, clock=lambda i, n: 1 - i / n, count=lambda n: n, dt=lambda n: 1 / n):
    """Make a sampler that steps by `sign * dt(steps)` with the clock `clock(i, steps)`."""

    @torch.no_grad()
    def reversed_sampler(w, x0, steps):
        x = x0
        for i in range(count(steps)):
            s = torch.full((len(x),), float(clock(i, steps)))
            x = x + sign * dt(steps) * w(x, s)
        return x

    return reversed_sampler


def reversed_by_hand(w, x0, x1, s):
    xs = torch.einsum("b,b...->b...", s, x0) + torch.einsum("b,b...->b...", 1 - s, x1)
    return torch.linalg.vector_norm((w(xs, s) - (x0 - x1)).flatten(1), dim=1).square().mean()


def with_the_books_sampler(w, x0, steps):
    return rf.euler(lambda x, t: -w(x, 1 - t), x0, steps=steps).end


@torch.inference_mode()
def with_times_from_linspace(w, x0, steps):
    times = torch.linspace(1, 0, steps + 1, dtype=x0.dtype)
    x = x0.clone()
    for s, later in zip(times[:-1], times[1:], strict=True):
        x += (later - s) * w(x, s.expand(len(x)))
    return x


def detaching_each_step(w, x0, steps):
    s = torch.ones(len(x0))
    for _ in range(steps):
        x0 = (x0 - w(x0, s) / steps).detach()
        s = s - 1 / steps
    return x0


table.right("3.2", reversed_by_the_package, with_the_books_sampler)
table.right("3.2", reversed_by_hand, with_times_from_linspace)
table.right("3.2", reversed_by_hand, detaching_each_step)
table.right("3.2", reversed_by_the_package, sweep())


def wrong_loss(hint, **parts):
    parts = {
        "place": lambda x0, x1, s: s * x0 + (1 - s) * x1,
        "target": lambda x0, x1, s: x0 - x1,
    } | parts
    table.wrong("3.2", hint, loss(**parts), sweep())


wrong_loss("the clock is flipped", place=lambda x0, x1, s: (1 - s) * x0 + s * x1)
wrong_loss("the derivative in s; yours points back", target=lambda x0, x1, s: x1 - x0)
wrong_loss("fed x1", place=lambda x0, x1, s: x1)
wrong_loss("fed x0", place=lambda x0, x1, s: x0)
wrong_loss(
    "points of the lines, at other times",
    place=lambda x0, x1, s: between(x0, x1, torch.rand(len(x0))),
)
wrong_loss("It expects s", clock=lambda s: 1 - s)
wrong_loss("*sum* over the event", norm=lambda e: e.square().mean())
wrong_loss("no gradient", norm=lambda e: usual(e).detach())
wrong_loss("one loss for each point", norm=lambda e: e.square().flatten(1).sum(dim=1))
wrong_loss("has dtype torch.int64", norm=lambda e: usual(e).long())
wrong_loss("not the place x0", target=lambda x0, x1, s: x0)
wrong_loss("not the place x1", target=lambda x0, x1, s: x1)
wrong_loss("do not scale", target=lambda x0, x1, s: s * (x0 - x1))
table.wrong("3.2", "the clock is flipped", rf.velocity_matching_loss, sweep())
table.wrong(
    "3.2",
    "along the wrong axis",
    lambda w, x0, x1, s: usual(x0 - x1 - w(x1 + on_the_last_axis(s, x0) * (x0 - x1), s)),
    sweep(),
)


def wrong_sampler(hint, sampler):
    table.wrong("3.2", hint, reversed_by_hand, sampler)


wrong_sampler("dt is negative: subtract", sweep(sign=1))
wrong_sampler("The clock runs up from 0", sweep(clock=lambda i, n: i / n))
wrong_sampler("the forward flow", sweep(sign=1, clock=lambda i, n: i / n))
wrong_sampler("the forward flow", lambda w, x0, steps: rf.euler(w, x0, steps=steps).end)
wrong_sampler("time at its end", sweep(clock=lambda i, n: 1 - (i + 1) / n))
wrong_sampler("stands still", sweep(clock=lambda i, n: 1))
wrong_sampler("from 1 to 0 with both ends", sweep(clock=lambda i, n: torch.linspace(1, 0, n)[i]))
wrong_sampler("lasts 1/N", sweep(dt=lambda n: 1))
wrong_sampler("lasts 1/N", sweep(dt=lambda n: 1 / (n + 1)))
wrong_sampler("Count the steps", sweep(count=lambda n: n - 1))
wrong_sampler("Count the steps", sweep(count=lambda n: n + 1))
wrong_sampler("Sample under `torch.no_grad()`", sweep().__wrapped__)
wrong_sampler("takes tensors", lambda w, x0, steps: x0 - w(x0, 1.0))
wrong_sampler("one time for each point", lambda w, x0, steps: x0 - w(x0, torch.tensor(1.0)))
wrong_sampler("one time for each point", lambda w, x0, steps: x0 - w(x0, torch.ones(len(x0), 1)))
wrong_sampler("is on meta", lambda w, x0, steps: sweep()(w, x0, steps).to("meta"))
wrong_sampler(
    "points whose dtype is torch.float32", lambda w, x0, steps: sweep()(w, x0.float(), steps)
)
wrong_sampler("noise that it was given", lambda w, x0, n: sweep()(w, torch.randn_like(x0), n))
wrong_sampler("signature", lambda w, x0: x0)


@torch.no_grad()
def in_place(w, x0, steps):
    for i in range(steps):
        x0 -= w(x0, torch.full((len(x0),), 1 - i / steps)) / steps
    return x0


@torch.no_grad()
def always_asking_at_the_start(w, x0, steps):
    x = x0
    for i in range(steps):
        x = x - w(x0, torch.full((len(x),), 1 - i / steps)) / steps
    return x


wrong_sampler("in place", in_place)
wrong_sampler("where the points were at first", always_asking_at_the_start)


# 3.3: floor(delta, dim)


@table.right("3.3")
def in_closed_form(delta, dim):
    return delta * dim * np.arctan(delta)


@table.right("3.3")
def by_the_trapezoid_rule(delta, dim):
    t = torch.linspace(0, 1, 20_001, dtype=torch.float64)
    variance = 1 / (1 / delta**2 + t**2)
    return dim * torch.trapezoid(variance, t)


@table.right("3.3")
def from_the_angle(delta, dim):
    return torch.tensor(dim * delta) * torch.atan2(torch.tensor(delta), torch.tensor(1.0))


@table.right("3.3")
def by_gauss_quadrature_of_the_joint_covariance(delta, dim):
    nodes, weights = np.polynomial.legendre.leggauss(60)
    total = 0.0
    for t, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        along_and_at = np.array([[delta**2, t * delta**2], [t * delta**2, 1 + (t * delta) ** 2]])
        total += weight * np.linalg.det(along_and_at) / along_and_at[1, 1]
    return dim * total


table.wrong("3.3", "the mean square of X1 - X0", lambda delta, dim: dim * delta**2)
table.wrong("3.3", "not tan u", lambda delta, dim: dim * delta * math.tan(delta))
table.wrong("3.3", "V for one coordinate", lambda delta, dim: delta * math.atan(delta))
table.wrong("3.3", "A factor delta is missing", lambda delta, dim: dim * math.atan(delta))
table.wrong("3.3", "factor of it is missing", lambda delta, dim: dim * math.atan(delta) / delta)
table.wrong("3.3", "grows like for large delta", lambda delta, dim: dim * delta * math.pi / 2)
table.wrong(
    "3.3",
    "drawn independently",
    lambda delta, dim: dim * math.sqrt(1 + delta**2) * math.pi / 2,
)
table.wrong("3.3", "at t = 1.", lambda delta, dim: dim * delta**2 / (1 + delta**2))
table.wrong("3.3", "at t = 1/2.", lambda delta, dim: dim * delta**2 / (1 + delta**2 / 4))
table.wrong("3.3", "not a logarithm", lambda delta, dim: dim * math.log(1 + delta**2) / 2)
table.wrong(
    "3.3", "the place explains", lambda delta, dim: dim * (delta**2 - delta * math.atan(delta))
)
table.wrong(
    "3.3",
    "*square* of the covariance",
    lambda delta, dim: dim * (delta**2 - math.log(1 + delta**2) / 2),
)
table.wrong("3.3", "variance of X_t", lambda delta, dim: dim * (delta**2 - delta**4 / 3))
table.wrong(
    "3.3", "the *squared* norm", lambda delta, dim: math.sqrt(dim) * delta * math.atan(delta)
)
table.wrong("3.3", "the inverse", lambda delta, dim: dim * delta / math.tan(delta))
table.wrong("3.3", "yours is -1.28", lambda delta, dim: -dim * delta * math.atan(delta))
table.wrong("3.3", "Is a `return` missing", lambda delta, dim: print(end=""))
table.wrong("3.3", "finite number", lambda delta, dim: torch.full((dim,), delta * math.atan(delta)))
table.wrong("3.3", "has the signature", lambda delta: delta * math.atan(delta))


table.wrong("3.3", "Or is this a series", lambda delta, dim: dim * (delta**2 - delta**4 / 3))
table.wrong("3.3", "(degrees)", lambda delta, dim: dim * delta * math.degrees(math.atan(delta)))


# 3.4: the letters of the changes that move the field

for letters in ("BE", "eb", "B, E", "B E", ["B", "E"], {"E", "B"}, ("b", "e"), ["BE"]):
    table.right("3.4", letters)
table.wrong("3.4", "E: weighting each pair", "B")
table.wrong("3.4", "B: absolute values are least at a median", "E")
table.wrong("3.4", "A: a weight that depends on the time alone", "ABE")
table.wrong("3.4", "C: a mean over the coordinates", "BCE")
table.wrong("3.4", "D: other times only change how often", "ABDE")
table.wrong("3.4", "F: noise with mean zero", ["B", "E", "F"])
table.wrong("3.4", "B: absolute values", "ACDF")
table.wrong("3.4", "E: weighting each pair", "")
table.wrong("3.4", "yours are 'BEG'", "BEG")
table.wrong("3.4", "Give the letters", 25)


def loss_of(predicted, target):
    return (target - predicted).square().flatten(1).sum(dim=1).mean()


@table.wrong("3.1", "gradient does not reach the network")
def with_the_prediction_cut_off(velocity, x0, x1, t):
    xt = interpolation.interpolate(x0, x1, t)
    return loss_of(velocity(xt, t).detach(), x1 - x0).requires_grad_()


@table.wrong("3.1", "gradient does not reach the network")
def with_half_of_the_prediction_cut_off(velocity, x0, x1, t):
    predicted = velocity(interpolation.interpolate(x0, x1, t), t)
    return loss_of((predicted + predicted.detach()) / 2, x1 - x0)


@table.wrong("3.1", "Leave `backward`")
def with_backward_inside(velocity, x0, x1, t):
    loss = loss_of(velocity(interpolation.interpolate(x0, x1, t), t), x1 - x0)
    loss.backward()
    return loss


# What readers of the book answered

table.wrong("3.1", "do not shuffle", loss(place=lambda x0, x1, t: x0 + t * (x1.roll(1, 0) - x0)))
table.wrong("3.1", "swapped", loss(lambda e: e.square().flatten(1).mean(1).sum()))
table.wrong("3.1", "in the plane only", loss(lambda e: 2 * e.square().mean()))
table.wrong("3.1", "one norm over the whole batch", loss(lambda e: e.norm() / len(e)))
table.wrong("3.1", "root of the loss", loss(lambda e: usual(e).sqrt()))
table.wrong("3.1", "norms of the last axis", loss(lambda e: e.norm(dim=-1).mean()))
table.wrong("3.1", "divides by n - 1", loss(lambda e: usual(e) * len(e) / (len(e) - 1)))
table.wrong("3.1", "not the place between", loss(target=lambda x0, x1, t: x0 + t * (x1 - x0)))
table.wrong("3.1", "take the sum", loss(lambda e: e.square().mean(), target=lambda x0, x1, t: x1))
table.wrong("3.1", "no gradient", loss(lambda e: torch.tensor(usual(e).item())))


@table.wrong("3.1", "count twice")
def with_backward_inside_and_kept(velocity, x0, x1, t):
    error = usual(x1 - x0 - velocity(between(x0, x1, t), t))
    error.backward(retain_graph=True)
    return error


class Remembers:
    """A sampler that goes on from its last samples when the shape is the same."""

    x = None

    @torch.no_grad()
    def __call__(self, w, x0, steps):
        if self.x is None or self.x.shape != x0.shape:
            self.x = x0
        self.x = sweep()(w, self.x, steps)
        return self.x


def leaving_gradients_off(w, x0, steps):
    torch.set_grad_enabled(False)
    return sweep()(w, x0, steps)


def freezing_the_network(w, x0, steps):
    for p in w.parameters():
        p.requires_grad_(False)
    return sweep()(w, x0, steps)


wrong_sampler("noise that it was given", Remembers())
wrong_sampler("leaves them off", leaving_gradients_off)
wrong_sampler("freezes the weights", freezing_the_network)
wrong_sampler(
    "Feed points as they are", lambda w, x0, n: sweep()(w, x0.flatten(1), n).view(x0.shape)
)
wrong_sampler("stands still at 0", sweep(clock=lambda i, n: 0))
wrong_sampler("number of steps ignored", lambda w, x0, steps: sweep()(w, x0, 50))
for factor in (0.5, 2):
    table.wrong("3.3", "too much", lambda delta, dim, f=factor: f * dim * delta * math.atan(delta))
table.wrong("3.3", "not a logarithm", lambda delta, dim: dim * math.log(1 + delta**2))
table.wrong("3.3", "du / delta", lambda delta, dim: dim * delta**2 * math.atan(delta))
table.wrong("3.3", "not d^2", lambda delta, dim: dim**2 * delta * math.atan(delta))
table.right("3.3", lambda delta, dim: float(f"{dim * delta * math.atan(delta):.5g}"))
table.wrong("3.4", "yours are 'none'", "none")

table.wrong(
    "3.3",
    "not to four digits",
    lambda delta, dim: sum(dim * delta**2 / (1 + (i * delta / 100) ** 2) for i in range(100)) / 100,
)


test_right, test_wrong, test_there_are_enough = table.tests()
