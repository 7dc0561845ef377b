import math

import torch
from tables import Table

import rfteach as rf
from rfteach.exercises.checking import check

table = Table(14)


# 14.1: with_error(velocity, x, t, signs)


def looks(velocity, x, t, signs, before=True, after=True, scale=lambda x: 1.0):
    """Return one estimate for each probe, (probes, batch)."""
    x = x.detach().clone().requires_grad_()
    v = velocity(x, t)
    rows = []
    for e in signs:
        value = (v * e if before else v).sum() / scale(x)
        (slopes,) = torch.autograd.grad(value, x, retain_graph=True)
        rows.append((slopes * e if after else slopes).flatten(1).sum(dim=1))
    return torch.stack(rows)


def told(rows, correction=1, power=0.5):
    return rows.mean(dim=0), rows.std(dim=0, correction=correction) / len(rows) ** power


@table.right("14.1")
def as_in_the_chapter(velocity, x, t, signs):
    return told(looks(velocity, x, t, signs))


@table.right("14.1")
def by_the_forward_mode(velocity, x, t, signs):
    total, squares, n = 0, 0, len(signs)
    for e in signs.double():
        _, product = torch.func.jvp(lambda y: velocity(y, t), (x,), (e.to(x),))
        one = (e * product).flatten(1).sum(dim=1).detach()
        total, squares = total + one, squares + one**2
    variance = (squares - total**2 / n) / (n - 1)
    return (total / n).to(x), (variance / n).sqrt().to(x)


@table.right("14.1")
def all_at_once(velocity, x, t, signs):
    _, back = torch.func.vjp(lambda y: velocity(y, t), x)
    rows = torch.stack([(back(e)[0] * e).flatten(1).sum(dim=1) for e in signs])
    return [rows.mean(dim=0), (rows.var(dim=0) / len(rows)).sqrt()]


def changed(after):
    """Make an answer that makes other numbers of the right looks."""
    return lambda velocity, x, t, signs: after(looks(velocity, x, t, signs))


table.wrong(
    "14.1",
    "The signs are used once",
    lambda velocity, x, t, signs: told(looks(velocity, x, t, signs, after=False)),
)
table.wrong(
    "14.1",
    "without their signs",
    lambda velocity, x, t, signs: told(looks(velocity, x, t, signs, before=False)),
)
table.wrong(
    "14.1",
    "divided by the number of points",
    lambda velocity, x, t, signs: told(looks(velocity, x, t, signs, scale=len)),
)
table.wrong("14.1", "root of the number of probes", changed(lambda rows: told(rows, power=0)))
table.wrong("14.1", "by the root, not", changed(lambda rows: told(rows, power=1)))
table.wrong("14.1", "divide by the root of n", changed(lambda rows: told(rows, power=-0.5)))
table.wrong("14.1", "Divide by n - 1", changed(lambda rows: told(rows, correction=0)))
table.wrong("14.1", "variance", changed(lambda rows: (rows.mean(dim=0), rows.var(dim=0))))
table.wrong("14.1", "dim=0 of looks", changed(lambda rows: (rows.mean(dim=0), rows.std(dim=1))))
table.wrong(
    "14.1", "a single one for the whole batch", changed(lambda rows: (rows.mean(), rows.std()))
)
table.wrong("14.1", "Return two things", changed(lambda rows: rows.mean(dim=0)))
table.wrong("14.1", "one of the probes", changed(lambda rows: (rows[0], rows.std(dim=0))))
table.wrong(
    "14.1", "a sum over the probes", changed(lambda rows: (rows.sum(dim=0), rows.std(dim=0)))
)


table.wrong("14.1", "error comes first", changed(lambda rows: told(rows)[::-1]))
table.wrong(
    "14.1",
    "belongs into the spread",
    changed(lambda rows: (rows.mean(dim=0), rows.std(dim=0) / (len(rows) - 1) ** 0.5)),
)
table.wrong("14.1", "number for each probe", changed(lambda rows: (rows, rows.std(dim=0))))
table.wrong(
    "14.1",
    "the signs are missing",
    lambda velocity, x, t, signs: told(looks(velocity, x, t, signs, before=False, after=False)),
)
table.wrong(
    "14.1",
    "throw none of its own",
    lambda velocity, x, t, signs: told(
        looks(velocity, x, t, torch.randint(2, signs.shape).to(x) * 2 - 1)
    ),
)


def summed_by(total):
    """Make an answer that adds up each look in its own way."""

    def answer(velocity, x, t, signs):
        x = x.detach().clone().requires_grad_()
        v = velocity(x, t)
        slopes = [torch.autograd.grad((v * e).sum(), x, retain_graph=True)[0] for e in signs]
        return told(torch.stack([total(s * e) for s, e in zip(slopes, signs, strict=True)]))

    return answer


table.wrong("14.1", "leaves the others", summed_by(lambda each: each.sum(dim=1)))
table.wrong("14.1", "Sum over all axes of a point before", summed_by(lambda each: each))


@table.wrong("14.1", "exact divergence")
def one_by_one(velocity, x, t, signs):
    x = x.detach().clone().requires_grad_()
    v = velocity(x, t).flatten(1)
    slopes = [
        torch.autograd.grad(v[:, k].sum(), x, retain_graph=True)[0].flatten(1)[:, k]
        for k in range(v.shape[1])
    ]
    exact = torch.stack(slopes).sum(dim=0)
    return exact, 0 * exact


@table.wrong("14.1", "switches on the gradients")
def on_the_callers_points(velocity, x, t, signs):
    x.requires_grad_()
    v = velocity(x, t)
    rows = [
        (torch.autograd.grad((v * e).sum(), x, retain_graph=True)[0] * e).flatten(1).sum(dim=1)
        for e in signs
    ]
    return told(torch.stack(rows))


# 14.2: a dictionary of three numbers


DOUBLED = 64 * math.log(2)


def guess(nats=DOUBLED, bits=1, probes=144):
    return {"nats": nats, "bits": bits, "probes": probes}


table.right("14.2", guess())
table.right("14.2", guess(44, torch.tensor(1.0), 144.0))
table.wrong("14.2", "logarithms add up", guess(nats=0.69))
table.wrong("14.2", "That is in bits", guess(nats=64))
table.wrong("14.2", "Take its logarithm", guess(nats=128))
table.wrong("14.2", "a positive number", guess(nats=-44.4))
table.wrong("14.2", "for the plane", guess(nats=1.386))
table.wrong("14.2", "base 10", guess(nats=19.3))
table.wrong("14.2", "nats per dimension", guess(bits=0.693))
table.wrong("14.2", "12 squared", guess(probes=12))
table.wrong("14.2", "More are needed", guess(probes=50))
table.wrong("14.2", "12 squared", guess(probes=72))
table.wrong("14.2", "Fewer are needed", guess(probes=500))
table.wrong("14.2", "Fewer are needed", guess(probes=145))
table.wrong("14.2", "More are needed", guess(probes=143.9))
table.wrong("14.2", "2^64", guess(nats=45))
table.wrong("14.2", "a dictionary with the keys", 44.4)
table.wrong("14.2", "a finite number", guess(probes=math.inf))


def test_the_answer_is_not_told_before_it_is_found():
    message = check("14.2", guess(nats=64, probes=12), record=False).message
    assert "44" not in message and "144" not in message


# 14.3: log_densities(velocity, path)


def log_normal(z):
    return -z.square().sum(dim=-1) / 2 - math.log(2 * math.pi)


def divergences(velocity, path, rule=lambda first, last: first + last):
    """Return the divergence at each state, (k + 1, n), or what `rule` makes of its two parts."""
    rows = []
    for z, t in zip(path.states, path.times, strict=True):
        z = z.detach().clone().requires_grad_()
        v = velocity(z, t.expand(len(z)))
        slopes = [torch.autograd.grad(v[:, k].sum(), z, retain_graph=True)[0] for k in (0, 1)]
        rows.append(rule(slopes[0][:, 0], slopes[1][:, 1]))
    return torch.stack(rows)


@table.right("14.3")
def by_a_loop(velocity, path):
    div, log_p = divergences(velocity, path), [log_normal(path.start)]
    for i in range(len(path.times) - 1):
        dt = path.times[i + 1] - path.times[i]
        log_p.append(log_p[-1] - dt * (div[i] + div[i + 1]) / 2)
    return torch.stack(log_p)


@table.right("14.3")
def by_a_cumulative_trapezoid(velocity, path):
    def single(x, s):
        return velocity(x[None], s[None])[0]

    jacobian = torch.func.vmap(torch.func.vmap(torch.func.jacrev(single)))
    clocks = path.times[:, None].expand(path.states.shape[:2])
    trace = jacobian(path.states, clocks).diagonal(dim1=-2, dim2=-1).sum(dim=-1)
    lost = torch.cumulative_trapezoid(trace, path.times, dim=0)
    return (log_normal(path.start) - torch.cat([torch.zeros_like(lost[:1]), lost])).detach()


def along_path(step, start=lambda path: log_normal(path.start), sign=-1, **parts):
    """Make an answer from what a step adds: `step(div, dt)`, shape (k, n)."""

    def answer(velocity, path):
        rates = step(divergences(velocity, path, **parts), path.times.diff()[:, None])
        total = torch.cat([0 * rates[:1], rates.cumsum(dim=0)])
        return start(path) + sign * total

    return answer


def trapezoid(div, dt):
    return (div[1:] + div[:-1]) / 2 * dt


table.wrong("14.3", "sign of the divergence", along_path(trapezoid, sign=1))
table.wrong("14.3", "divergence at its start", along_path(lambda div, dt: div[:-1] * dt))
table.wrong("14.3", "divergence at its end", along_path(lambda div, dt: div[1:] * dt))
table.wrong("14.3", "not 1/N", along_path(lambda div, dt: (div[1:] + div[:-1]) / 2 / len(dt)))
table.wrong("14.3", "Take their mean", along_path(lambda div, dt: (div[1:] + div[:-1]) * dt))
table.wrong("14.3", "counts for its length", along_path(lambda div, dt: (div[1:] + div[:-1]) / 2))
table.wrong(
    "14.3", "belongs to the start of", along_path(trapezoid, lambda path: log_normal(path.end))
)
table.wrong(
    "14.3",
    "not times[i + 1]",
    along_path(lambda div, dt: (div[1:] + div[:-1]) / 2 * dt.cumsum(dim=0)),
)
table.wrong(
    "14.3",
    "factor 1/2 in its exponent",
    along_path(trapezoid, lambda path: 2 * log_normal(path.start) + math.log(2 * math.pi)),
)
table.wrong(
    "14.3",
    "asked at another time",
    lambda velocity, path: by_a_loop(lambda x, t: velocity(x, 1 - t), path),
)
table.wrong("14.3", "at every state", along_path(trapezoid, lambda path: log_normal(path.states)))
table.wrong("14.3", "every state into", lambda velocity, path: log_normal(path.states))
table.wrong("14.3", "Add log p_0", along_path(trapezoid, lambda path: 0))
table.wrong("14.3", "has shape (6,)", lambda velocity, path: by_a_loop(velocity, path)[-1])
table.wrong(
    "14.3",
    "All rows hold",
    lambda velocity, path: by_a_loop(velocity, path)[-1].expand(path.states.shape[:2]),
)
table.wrong(
    "14.3",
    "-log(2 pi)",
    along_path(trapezoid, lambda path: -path.start.square().sum(dim=1) / 2),
)
table.wrong(
    "14.3",
    "that of one coordinate",
    along_path(trapezoid, lambda path: log_normal(path.start) + math.log(2 * math.pi) / 2),
)
table.wrong("14.3", "the density itself", lambda velocity, path: by_a_loop(velocity, path).exp())
table.wrong("14.3", "list of rows", lambda velocity, path: list(by_a_loop(velocity, path)))
table.wrong(
    "14.3",
    "takes each state for an end",
    lambda velocity, path: torch.stack(
        [rf.log_density(velocity, rf.Gaussian(2), z, steps=30) for z in path.states]
    ),
)


@table.wrong("14.3", "All four derivatives")
def with_those_across(velocity, path):
    rows = []
    for z, t in zip(path.states, path.times, strict=True):
        z = z.detach().clone().requires_grad_()
        v = velocity(z, t.expand(len(z)))
        rows.append(torch.autograd.grad(v.sum(), z)[0].sum(dim=1))
    lost = torch.cumulative_trapezoid(torch.stack(rows), path.times, dim=0)
    return log_normal(path.start) - torch.cat([torch.zeros_like(lost[:1]), lost])


@table.wrong("14.3", "half way")
def by_midpoints(velocity, path):
    middle = rf.Trajectory(
        (path.times[1:] + path.times[:-1]) / 2,
        (path.states[1:] + path.states[:-1]) / 2,
        evaluations=0,
    )
    lost = (divergences(velocity, middle) * path.times.diff()[:, None]).cumsum(dim=0)
    return log_normal(path.start) - torch.cat([torch.zeros_like(lost[:1]), lost])


# 14.4: bell_log_density(x, t, m, s)


def at_time(t, s):
    return (1 - t) ** 2 + t**2 * s**2


@table.right("14.4")
def as_derived(x, t, m, s):
    width = at_time(t, s).sqrt()
    start = (x - t[:, None] * m) / width[:, None]
    at_start = -start.square().sum(dim=1) / 2 - x.shape[1] / 2 * math.log(2 * math.pi)
    return at_start - x.shape[1] * width.log()


@table.right("14.4")
def by_torch(x, t, m, s):
    width = at_time(t, s).sqrt()[:, None]
    return torch.distributions.Normal(t[:, None] * m, width).log_prob(x).sum(dim=1)


def bell(
    center=lambda t, m: t[:, None] * m, variance=at_time, change=lambda d, v: -d / 2 * v.log()
):
    """Make an answer with another center, variance or change along the path."""

    def answer(x, t, m, s):
        v, dim = variance(t, s), x.shape[1]
        at_start = -(x - center(t, m)).square().sum(dim=1) / v / 2
        return at_start - dim / 2 * math.log(2 * math.pi) + change(dim, v)

    return answer


table.wrong("14.4", "where the flow widens", bell(change=lambda d, v: d / 2 * v.log()))
table.wrong("14.4", "integral of the divergence is missing", bell(change=lambda d, v: 0))
table.wrong("14.4", "for each dimension", bell(change=lambda d, v: -v.log() / 2))
table.wrong("14.4", "variances add up", bell(variance=lambda t, s: (1 - t + t * s) ** 2))
table.wrong("14.4", "the center has come to t m", bell(center=lambda t, m: m))
table.wrong("14.4", "the center moves", bell(center=lambda t, m: 0 * m))
table.wrong("14.4", "has half of it", bell(change=lambda d, v: -d / 4 * v.log()))
table.wrong("14.4", "not its variance", bell(variance=lambda t, s: (1 - t) ** 2 + t**2 * s))
table.wrong("14.4", "in the place of s_t", bell(variance=lambda t, s: at_time(t, s) ** 2))
table.wrong(
    "14.4",
    "Divide by the width s_t",
    bell(variance=lambda t, s: at_time(t, s) ** 2, change=lambda d, v: -d / 4 * v.log()),
)
table.wrong("14.4", "half of log of the variance", bell(change=lambda d, v: -d * v.log()))
table.wrong(
    "14.4",
    "that of the data",
    bell(center=lambda t, m: m, variance=lambda t, s: torch.full_like(t, s**2)),
)
table.wrong(
    "14.4",
    "that of the plane",
    lambda x, t, m, s: as_derived(x, t, m, s) + (x.shape[1] / 2 - 1) * math.log(2 * math.pi),
)
table.wrong("14.4", "Take its logarithm", lambda x, t, m, s: as_derived(x, t, m, s).exp())
table.wrong("14.4", "has shape", lambda x, t, m, s: as_derived(x, t, m, s).mean())


def squares(x, t, m, s):
    return (x - t[:, None] * m).square().sum(dim=1) / at_time(t, s)


@table.wrong("14.1", "This is e . v")
def without_autograd(velocity, x, t, signs):
    return told(torch.stack([(e * velocity(x, t)).flatten(1).sum(dim=1).detach() for e in signs]))


table.wrong(
    "14.4",
    "that of one coordinate",
    lambda *a: as_derived(*a) + (a[0].shape[1] - 1) / 2 * math.log(2 * math.pi),
)
table.wrong("14.4", "factor 1/2 in its exponent", lambda *a: as_derived(*a) - squares(*a) / 2)
table.wrong("14.4", "is negative", lambda *a: as_derived(*a) + squares(*a))
table.wrong(
    "14.4",
    "The norm is their sum",
    lambda *a: as_derived(*a) + (1 - 1 / a[0].shape[1]) * squares(*a) / 2,
)
table.wrong("14.4", "are exchanged", bell(variance=lambda t, s: at_time(1 - t, s)))
table.wrong("14.4", "s only at t = 1", bell(variance=lambda t, s: torch.full_like(t, s**2)))


table.wrong("14.3", "first component alone", along_path(trapezoid, rule=lambda a, b: a))
table.wrong("14.3", "last component alone", along_path(trapezoid, rule=lambda a, b: b))
table.wrong("14.3", "This takes their mean", along_path(trapezoid, rule=lambda a, b: (a + b) / 2))
table.wrong(
    "14.3",
    "square of the norm",
    along_path(trapezoid, lambda path: -path.start.norm(dim=1) / 2 - math.log(2 * math.pi)),
)
table.wrong(
    "14.4",
    "This has s_t once",
    lambda *a: as_derived(*a) + squares(*a) / 2 * (1 - at_time(a[1], a[3]).sqrt()),
)


def with_the_divergence(factor):
    """Make an answer to 14.4 with a divergence in the place of its integral."""

    def answer(x, t, m, s):
        variance, d = at_time(t, s), x.shape[1]
        rate = d * (t * s**2 - (1 - t)) / variance
        return as_derived(x, t, m, s) + d / 2 * variance.log() - factor(t) * rate

    return answer


table.wrong("14.4", "integrate it", with_the_divergence(lambda t: t))
table.wrong("14.4", "integrate it", with_the_divergence(lambda t: 1))
table.wrong(
    "14.4",
    "This is for the plane",
    lambda x, t, m, s: -squares(x, t, m, s) / 2 - math.log(2 * math.pi) - at_time(t, s).log(),
)
table.wrong(
    "14.4",
    "puts x itself",
    lambda x, t, m, s: as_derived(x, t, m, s) + squares(x, t, m, s) / 2 - x.square().sum(dim=1) / 2,
)
table.wrong("14.2", 'missing: that of "bits"', {"nats": 44.4, "bits": None, "probes": 144})


@table.wrong("14.1", "requires_grad_()")
def without_asking_for_gradients(velocity, x, t, signs):
    return told(torch.autograd.grad(velocity(x, t).sum(), x)[0].flatten(1).sum(dim=1)[None])


test_right, test_wrong, test_there_are_enough = table.tests()
