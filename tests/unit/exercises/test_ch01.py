import math

import torch
from tables import Table

from rfteach import _solvers as solvers

table = Table(1)


def times(x, t):
    return torch.full((len(x),), t, dtype=x.dtype)


# 1.1: backward(velocity, x1, steps)


@table.right("1.1")
def with_a_falling_clock(velocity, x1, steps):
    for i in range(steps, 0, -1):
        x1 = x1 - velocity(x1, torch.full((len(x1),), i / steps)) / steps
    return x1


@table.right("1.1")
def as_a_forward_flow_of_the_mirrored_field(velocity, x1, steps):
    return solvers.euler(lambda x, s: -velocity(x, 1 - s), x1, steps=steps).end


def sweep(sign, clock):
    """Make an answer that steps by `sign` with the clock `clock(i, steps)`."""

    def backward(velocity, x1, steps):
        x = x1
        for i in range(steps):
            x = x + sign * velocity(x, times(x, clock(i, steps))) / steps
        return x

    return backward


table.wrong("1.1", "forward flow", sweep(1, lambda i, n: i / n))
table.wrong("1.1", "clock runs up from 0", sweep(-1, lambda i, n: i / n))
table.wrong("1.1", "dt is negative", sweep(1, lambda i, n: 1 - i / n))
table.wrong("1.1", "takes the time at its end", sweep(-1, lambda i, n: 1 - (i + 1) / n))
table.wrong("1.1", "with both ends", sweep(-1, lambda i, n: 1 - i / max(n - 1, 1)))
table.wrong("1.1", "not used at all", lambda velocity, x1, steps: x1)
table.wrong("1.1", "stands still at 1", sweep(-1, lambda i, n: 1.0))


@table.wrong("1.1", "Count the steps")
def one_step_missing(velocity, x1, steps):
    x = x1
    for i in range(steps, 1, -1):
        x = x - velocity(x, times(x, i / steps)) / steps
    return x


@table.wrong("1.1", "in place")
def in_place(velocity, x1, steps):
    for i in range(steps, 0, -1):
        x1 -= velocity(x1.clone(), times(x1, i / steps)).detach() / steps
    return x1


@table.wrong("1.1", "one time for each point")
def time_as_a_column(velocity, x1, steps):
    return x1 - velocity(x1, torch.ones(len(x1), 1))


@table.wrong("1.1", "takes tensors")
def time_as_a_float(velocity, x1, steps):
    return x1 - velocity(x1, 1.0) / steps


@table.wrong("1.1", "is on meta")
def on_another_device(velocity, x1, steps):
    for i in range(steps, 0, -1):
        x1 = x1 - velocity(x1, times(x1, i / steps)) / steps
    return x1.detach().to("meta")


@table.wrong("1.1", "has dtype torch.float32")
def in_single_precision(velocity, x1, steps):
    return with_a_falling_clock(velocity, x1, steps).float()


# 1.2: the distance from the center

growth = math.hypot(1, math.pi / 8)
table.right("1.2", growth**4)
table.right("1.2", torch.tensor(1.33))
table.wrong("1.2", "leaves it", 1.0)
table.wrong("1.2", "one of the four steps", growth)
table.wrong("1.2", "one step for the whole quarter turn", math.hypot(1, math.pi / 2))
table.wrong("1.2", "square of the distance", growth**8)
table.wrong("1.2", "does not add", 1 + 4 * (growth - 1))
table.wrong("1.2", "never inward", 0.8)
table.wrong("1.2", "should be a finite number", "1.33")


table.wrong("1.2", "how far the point is from the true end", 0.343)


# 1.3: straight_field(x, t, a, b)


@table.right("1.3")
def by_solving_for_the_start(x, t, a, b):
    t = t[:, None]
    return (a - 1) * (x - t * b) / (1 - t + t * a) + b


@table.right("1.3")
def simplified(x, t, a, b):
    return ((a - 1) * x + b) / (1 + (a - 1) * t).unsqueeze(1)


def start_of_line(x, t, a, b):
    return (x - t[:, None] * b) / (1 + (a - 1) * t[:, None])


table.wrong("1.3", "as if it were the start", lambda x, t, a, b: a * x + b - x)
table.wrong(
    "1.3", "the shift must go", lambda x, t, a, b: (a - 1) * x / (1 + (a - 1) * t[:, None]) + b
)
table.wrong("1.3", "This is the start z0", start_of_line)
table.wrong("1.3", "This is where the line", lambda x, t, a, b: a * start_of_line(x, t, a, b) + b)
table.wrong(
    "1.3", "the speed changes", lambda x, t, a, b: math.log(a) * x + math.log(a) / (a - 1) * b
)
table.wrong("1.3", "part of the velocity", lambda x, t, a, b: (a - 1) * start_of_line(x, t, a, b))
table.wrong(
    "1.3",
    "Check the sign",
    lambda x, t, a, b: (a - 1) * (x - t[:, None] * b) / (1 - (a - 1) * t[:, None]) + b,
)
table.wrong("1.3", "opposite sign", lambda x, t, a, b: -simplified(x, t, a, b))
table.wrong("1.3", "trailing axes", lambda x, t, a, b: ((a - 1) * x + b) / (1 + (a - 1) * t))
table.wrong(
    "1.3",
    "on average over the batch",
    lambda x, t, a, b: simplified(x, t, a, b).mean(dim=0).expand_as(x),
)


@table.wrong("1.3", "a = 1.0")
def by_a_minus_one(x, t, a, b):
    c = 1 / (a - 1)
    return (x + c * b) / (t[:, None] + c)


@table.wrong("1.3", "depends on the other rows")
def at_one_time(x, t, a, b):
    return (a - 1) * (x - t[0] * b) / (1 + (a - 1) * t[0]) + b


# 1.4: log_density(velocity, z0, steps)


def log_normal(z):
    return -z.square().sum(dim=1) / 2 - math.log(2 * math.pi)


def follow(velocity, z0, steps, divergence):
    """Return the ends and the summed divergences of an Euler run."""
    z, total = z0, 0
    for i in range(steps):
        z = z.detach().requires_grad_()
        v = velocity(z, times(z, i / steps))
        total = total + divergence(v, z) / steps
        z = z + v / steps
    return z.detach(), total


def by_autograd(v, z):
    return sum(torch.autograd.grad(v[:, k].sum(), z, retain_graph=True)[0][:, k] for k in range(2))


def of_the_sum(v, z):
    return torch.autograd.grad(v.sum(), z, retain_graph=True)[0].sum(dim=1)


def first_alone(v, z):
    return torch.autograd.grad(v[:, 0].sum(), z, retain_graph=True)[0][:, 0]


@table.right("1.4")
def with_autograd(velocity, z0, steps):
    z1, total = follow(velocity, z0, steps, by_autograd)
    return z1, log_normal(z0) - total


@table.right("1.4")
def with_jacobians(velocity, z0, steps):
    z, log_p = z0, torch.distributions.Normal(0, 1).log_prob(z0).sum(dim=1)
    for i in range(steps):
        t = times(z, i / steps)
        single = lambda x, s: velocity(x[None], s[None])[0]  # noqa: E731
        jacobian = torch.func.vmap(torch.func.jacrev(single))(z, t)
        log_p = log_p - jacobian.diagonal(dim1=1, dim2=2).sum(dim=1) / steps
        z = z + velocity(z, t) / steps
    return z, log_p


def changed(change, divergence=by_autograd):
    """Make an answer whose density is `change(z0, z1, total, steps)`."""

    def log_density(velocity, z0, steps):
        z1, total = follow(velocity, z0, steps, divergence)
        return z1, change(z0, z1, total, steps)

    return log_density


table.wrong("1.4", "sign of the divergence", changed(lambda z0, z1, d, n: log_normal(z0) + d))
table.wrong(
    "1.4",
    "in its own direction",
    changed(lambda z0, z1, d, n: log_normal(z0) - d, of_the_sum),
)
table.wrong(
    "1.4",
    "-log(2 pi)",
    changed(lambda z0, z1, d, n: -z0.square().sum(dim=1) / 2 - d),
)
table.wrong(
    "1.4",
    "is taken twice",
    changed(lambda z0, z1, d, n: log_normal(z0) - d, lambda v, z: 2 * first_alone(v, z)),
)
table.wrong("1.4", "of v_1 alone", changed(lambda z0, z1, d, n: log_normal(z0) - d, first_alone))
table.wrong("1.4", "lasts 1/N", changed(lambda z0, z1, d, n: log_normal(z0) - n * d))
table.wrong("1.4", "Add log p_0", changed(lambda z0, z1, d, n: -d))
table.wrong("1.4", "changes along the way", changed(lambda z0, z1, d, n: log_normal(z0)))
table.wrong("1.4", "p_1 is another one", changed(lambda z0, z1, d, n: log_normal(z1)))
table.wrong("1.4", "not at z1", changed(lambda z0, z1, d, n: log_normal(z1) - d))
table.wrong("1.4", "Return two things", lambda velocity, z0, steps: z0)
table.wrong("1.4", "has shape ()", changed(lambda z0, z1, d, n: (log_normal(z0) - d).mean()))

# What readers of the book answered


def keeps(answer, key):
    """Make an answer that returns its old result when `key(arguments)` comes again."""
    known = {}
    return lambda *arguments: known.setdefault(key(arguments), answer(*arguments))


def flat(answer):
    """Make an answer that feeds flattened images to the velocity."""
    return lambda velocity, x, n: answer(velocity, x.flatten(1), n).reshape(x.shape)


@table.wrong("1.1", "in whole numbers")
def with_a_clock_of_floats(velocity, x1, steps):
    t = 1.0
    while t > 0:
        x1 = x1 - velocity(x1, times(x1, t)) / steps
        t -= 1 / steps
    return x1


table.wrong("1.1", "stands still at 0", sweep(-1, lambda i, n: 0.0))
table.wrong("1.1", "the steps must subtract", sweep(1, lambda i, n: 1 - (i + 1) / n))
table.wrong(
    "1.1", "have another length", lambda v, x, n: sweep(-n, lambda i, n: 1 - i / n)(v, x, n)
)
table.wrong("1.1", "number of steps ignored", lambda v, x, n: x - v(x, times(x, 1.0)))
table.wrong("1.1", "number of steps ignored", lambda v, x, n: with_a_falling_clock(v, x, 10))
table.wrong("1.1", "the times first", lambda v, x, n: x - v(times(x, 1.0), x) / n)
table.wrong("1.1", "Feed points as they are", flat(with_a_falling_clock))
table.wrong("1.1", "is off by", keeps(with_a_falling_clock, lambda given: given[1].shape))
table.wrong("1.2", "does not add", 1 + 2 * (math.pi / 8) ** 2)
table.wrong("1.3", "shift b is lost", lambda x, t, a, b: (a - 1) * x / (1 + (a - 1) * t[:, None]))
table.wrong(
    "1.3", "to t b, not to b", lambda x, t, a, b: (a - 1) * (x - b) / (1 + (a - 1) * t[:, None]) + b
)
table.wrong("1.3", "that is left at x", lambda x, t, a, b: a * start_of_line(x, t, a, b) + b - x)
table.wrong("1.3", "time is flipped", lambda x, t, a, b: simplified(x, 1 - t, a, b))
table.wrong("1.3", "may be 0", lambda x, t, a, b: (x - start_of_line(x, t, a, b)) / t[:, None])
table.wrong(
    "1.3",
    "is off by",
    lambda x, t, a, b: ((a - 1) * x + b) / (1 + (a - 1) * t[:, None]).clamp(min=0.3),
)


def of_the_mean(v, z):
    return len(z) ** -1 * by_autograd(v, z)


@table.wrong("1.4", "divergence at its end")
def with_the_divergence_at_the_end(velocity, z0, steps):
    z, total = z0, 0
    for i in range(steps):
        z = z + velocity(z, times(z, i / steps)) / steps
        end = z.detach().requires_grad_()
        total = total + by_autograd(velocity(end, times(z, (i + 1) / steps)), end) / steps
    return z, log_normal(z0) - total


@table.wrong("1.4", "change of its logarithm")
def with_the_density_itself(velocity, z0, steps):
    z, p = z0, log_normal(z0).exp()
    for i in range(steps):
        z = z.detach().requires_grad_()
        v = velocity(z, times(z, i / steps))
        p = p * (1 - by_autograd(v, z) / steps)
        z = z + v / steps
    return z.detach(), p.log()


@table.wrong("1.4", "requires_grad_")
def with_gradients_of_the_caller_on(velocity, z0, steps):
    z0.requires_grad_()
    return with_autograd(velocity, z0, steps)


table.wrong(
    "1.4", "number of points", changed(lambda z0, z1, d, n: log_normal(z0) - d, of_the_mean)
)
table.wrong(
    "1.4",
    "of one dimension",
    changed(lambda z0, z1, d, n: log_normal(z0) + math.log(2 * math.pi) / 2 - d),
)
table.wrong(
    "1.4",
    "factor 1/2 in its exponent",
    changed(lambda z0, z1, d, n: 2 * log_normal(z0) + math.log(2 * math.pi) - d),
)


@table.wrong("1.1", "in place")
def in_place_with_gradients_on(velocity, x1, steps):
    x = x1
    for i in range(steps, 0, -1):
        x -= velocity(x, times(x, i / steps)) / steps
    return x


table.wrong("1.2", "the speed pi / 2", (1 + 1 / 16) ** 2)


def with_start(start):
    """Make an answer to 1.3 that takes `start(x, t, a, b)` for z0; the times have two axes."""
    return lambda x, t, a, b: (a - 1) * start(x, t[:, None], a, b) + b


table.wrong("1.3", "not 1 + a t", with_start(lambda x, t, a, b: (x - t * b) / (1 + a * t)))
table.wrong("1.3", "taken off", with_start(lambda x, t, a, b: (x + t * b) / (1 + (a - 1) * t)))
table.wrong("1.3", "Divide it", with_start(lambda x, t, a, b: x - t * b))


def across(v, z):
    return of_the_sum(v, z) - by_autograd(v, z)


table.wrong(
    "1.4", "in the other direction", changed(lambda z0, z1, d, n: log_normal(z0) - d, across)
)
table.wrong(
    "1.4",
    "the *square* of the norm",
    changed(lambda z0, z1, d, n: -z0.norm(dim=1) / 2 - math.log(2 * math.pi) - d),
)


@table.wrong("1.4", "takes the time at its end")
def with_a_late_clock(velocity, z0, steps):
    late = lambda z, t: velocity(z, t + 1 / steps)  # noqa: E731
    return with_autograd(late, z0, steps)


def with_a_clock(clock, count=lambda n: n):
    """Make an answer to 1.4 whose steps take the times `clock(i, steps)`."""

    def log_density(velocity, z0, steps):
        z, log_p = z0, log_normal(z0)
        for i in range(count(steps)):
            z = z.detach().requires_grad_()
            v = velocity(z, times(z, clock(i, steps)))
            log_p = log_p - by_autograd(v, z) / steps
            z = z + v / steps
        return z.detach(), log_p

    return log_density


table.wrong("1.4", "time in its middle", with_a_clock(lambda i, n: (i + 0.5) / n))
table.wrong("1.4", "The clock is turned", with_a_clock(lambda i, n: 1 - i / n))
table.wrong("1.4", "The clock is turned", with_a_clock(lambda i, n: 1 - (i + 1) / n))
table.wrong("1.4", "stands still", with_a_clock(lambda i, n: 0))
table.wrong("1.4", "shows both ends", with_a_clock(lambda i, n: i / max(n - 1, 1)))
table.wrong("1.4", "counts the steps", with_a_clock(lambda i, n: i))
table.wrong("1.4", "N + 1 steps", with_a_clock(lambda i, n: i / n, lambda n: n + 1))
table.wrong("1.4", "N - 1 steps", with_a_clock(lambda i, n: i / n, lambda n: n - 1))
table.wrong(
    "1.4",
    "it falls outward",
    changed(lambda z0, z1, d, n: z0.square().sum(dim=1) / 2 - math.log(2 * math.pi) - d),
)
table.wrong("1.2", "after 3 of these steps", math.hypot(1, math.pi / 8) ** 3)
table.wrong("1.2", "after 5 of these steps", math.hypot(1, math.pi / 8) ** 5)
table.wrong("1.2", "for 3 steps of 1/3", math.hypot(1, math.pi / 6) ** 3)
table.wrong("1.2", "for 5 steps of 1/5", math.hypot(1, math.pi / 10) ** 5)


test_right, test_wrong, test_there_are_enough = table.tests()
