import math

import numpy as np
import torch
from tables import Table

import rfteach as rf

table = Table(9)


# 9.1: to_points(pixels), to_pixels(x)


def as_in_the_package(pixels):
    return pixels[:, None].float() / 127.5 - 1


def by_clamp_and_round(x):
    return ((x[:, 0] + 1) * 127.5).clamp(0, 255).round().to(torch.uint8)


def by_two_steps(pixels):
    return 2 * (pixels.unsqueeze(1).to(torch.float32) / 255) - 1


def by_clamp_first(x):
    return torch.round(x.squeeze(1).clamp(-1, 1).add(1).div(2).mul(255)).byte()


def by_numpy(x):
    return torch.as_tensor(np.uint8(np.clip(127.5 * x.numpy()[:, 0] + 128.0, 0, 255)))


table.right("9.1", as_in_the_package, by_clamp_and_round)
table.right("9.1", by_two_steps, by_clamp_first)
table.right("9.1", lambda p: (p.float().unsqueeze(1) - 127.5) / 127.5, by_numpy)


def points(hint, to_points):
    table.wrong("9.1", hint, to_points, by_clamp_and_round)


def pixels(hint, to_pixels):
    table.wrong("9.1", hint, as_in_the_package, to_pixels)


points("from 0 to 255", lambda p: p[:, None].float())
points("Noise is around 0", lambda p: p[:, None].float() / 255)
points("[-1/2, 1/2]", lambda p: p[:, None].float() / 255 - 0.5)
points("White is 255", lambda p: p[:, None].float() / 128 - 1)
points("swapped", lambda p: 1 - p[:, None].float() / 127.5)
points(
    "brightest byte of this batch is 1",
    lambda p: (2 * p.float() / (255 if p.max() > 1 else 1) - 1)[:, None],
)
points("with `.float()`, once", lambda p: p[:, None].double() / 127.5 - 1)
points("run over", lambda p: (2 * p)[:, None] / 255 - 1)
points("know no minus", lambda p: (p - 128)[:, None] / 127.5)
points("still bytes", lambda p: p[:, None])
points("an axis for the channels", lambda p: p.float() / 127.5 - 1)
points("mean of the batch", lambda p: p[:, None].float() - p.float().mean())
points(
    "darkest and brightest",
    lambda p: ((p.float() - p.min()) / (p.max().float() - p.min()) * 2 - 1)[:, None],
)
points("its own brightest", lambda p: (p.float() / p.max() * 2 - 1)[:, None])
points("has dtype torch.float64", lambda p: p[:, None].double() / 127.5 - 1)
pixels("Round first", lambda x: ((x[:, 0] + 1) * 127.5).clamp(0, 255).to(torch.uint8))
pixels("wrap around", lambda x: ((x[:, 0] + 1) * 127.5).round().to(torch.int).to(torch.uint8))
pixels("Round first", lambda x: ((x[:, 0] + 1) * 127.5).to(torch.int).to(torch.uint8))
pixels("takes [0, 1]", lambda x: (255 * x[:, 0].clamp(0, 1)).round().byte())
pixels("torch.uint8", lambda x: ((x[:, 0] + 1) * 127.5).clamp(0, 255).round())
pixels("axis of the channels", lambda x: by_clamp_and_round(x)[:, None])
pixels("`.to(torch.uint8)` in the end", lambda x: by_clamp_and_round(x).long())
pixels("multiplies by 128", lambda x: ((x[:, 0] + 1) * 128).clamp(0, 255).round().byte())
pixels("rounds up", lambda x: ((x[:, 0] + 1) * 127.5).clamp(0, 255).ceil().byte())
pixels("swapped", lambda x: 255 - by_clamp_and_round(x))


@lambda answer: pixels("its own darkest", answer)
def stretched(x):
    unit = (x - x.min()) / (x.max() - x.min())
    return (255 * unit[:, 0]).round().byte()


# 9.2: a factor

for guess in (4, 4.0, torch.tensor(3.8), np.float32(4.2)):
    table.right("9.2", guess)
table.wrong("9.2", "What is the distance made of", 2)
table.wrong("9.2", "no unbiased estimate", 1)
table.wrong("9.2", "not twice", 16)
table.wrong("9.2", "inverse", 0.25)
table.wrong("9.2", "not nearer", 0.5)
table.wrong("9.2", "a factor of 2 already", 1.41)
table.wrong("9.2", "What does squaring make of 2", 8)
table.wrong("9.2", "the distance is their square", 3)
table.wrong("9.2", "finite number", "four")
table.wrong("9.2", "finite number", math.nan)


# 9.3: labeled_ends(velocity, z0, labels, steps, batch_size)


def chunks(n, size):
    return [slice(first, first + size) for first in range(0, n, size)]


def ends(velocity, z, labels, steps):
    return rf.euler(rf.with_condition(velocity, labels), z, steps=steps, keep="end").end


@table.right("9.3")
def with_the_package(velocity, z0, labels, steps, batch_size):
    rows = chunks(len(z0), batch_size)
    return torch.cat([ends(velocity, z0[r], labels[r], steps) for r in rows])


@table.right("9.3")
def by_split(velocity, z0, labels, steps, batch_size):
    parts = zip(z0.split(batch_size), labels.split(batch_size), strict=True)
    return torch.cat([ends(velocity, z, label, steps) for z, label in parts])


@table.right("9.3")
@torch.no_grad()
def by_hand(velocity, z0, labels, steps, batch_size):
    z1 = z0.clone()
    for rows in torch.arange(len(z0)).split(batch_size):
        for i in range(steps):
            t = torch.full((len(rows),), i / steps)
            z1[rows] += velocity(z1[rows], t, condition=labels[rows]) / steps
    return z1


@table.right("9.3")
def by_the_coupling(velocity, z0, labels, steps, batch_size):
    class Fixed:
        event_shape = z0.shape[1:]

        def sample(self, n, *, generator=None, device=None):
            return z0[:n]

    settings = {"solver": rf.euler, "steps": steps, "batch_size": batch_size, "progress": False}
    return rf.flow_coupling(velocity, Fixed(), size=len(z0), condition=labels, **settings).x1


@table.wrong("9.3", "by their name")
@torch.no_grad()
def in_the_third_place(velocity, z0, labels, steps, batch_size):
    done = []
    for z, c in zip(z0.split(batch_size), labels.split(batch_size), strict=True):
        for i in range(steps):
            z = z + velocity(z, torch.full((len(z),), i / steps), c) / steps
        done.append(z)
    return torch.cat(done)


def walked(clock=lambda i, n: i / n, dt=lambda n: 1 / n, told=lambda rows: rows):
    """Make an answer with another clock, other steps, or labels of other rows."""

    @torch.no_grad()
    def answer(velocity, z0, labels, steps, batch_size):
        z1 = z0.clone()
        for rows in torch.arange(len(z0)).split(batch_size):
            for i in range(steps):
                t = torch.full((len(rows),), float(clock(i, steps)))
                v = velocity(z1[rows], t, condition=labels[told(rows)])
                z1[rows] += dt(steps) * v
        return z1

    return answer


table.right("9.3", walked())
table.wrong("9.3", "time at its end", walked(lambda i, n: (i + 1) / n))
table.wrong("9.3", "stands still at 0", walked(lambda i, n: 0))
table.wrong("9.3", "with both ends", walked(lambda i, n: i / max(n - 1, 1)))
table.wrong("9.3", "runs backward", walked(lambda i, n: 1 - i / n))
table.wrong("9.3", "counts the steps", walked(lambda i, n: i))
table.wrong("9.3", "go backward", walked(dt=lambda n: -1 / n))
table.wrong("9.3", "has the length 1", walked(dt=lambda n: 1))
table.wrong("9.3", "was sent with the label", walked(told=lambda rows: rows.roll(1)))
table.wrong("9.3", "was sent with the label", walked(told=lambda rows: rows[:1].expand(len(rows))))


@table.wrong("9.3", "without labels")
def unlabeled(velocity, z0, labels, steps, batch_size):
    rows = chunks(len(z0), batch_size)
    return torch.cat([rf.euler(velocity, z0[r], steps=steps, keep="end").end for r in rows])


@table.wrong("9.3", "leave them integers")
def with_real_labels(velocity, z0, labels, steps, batch_size):
    return with_the_package(velocity, z0, labels.float(), steps, batch_size)


@table.wrong("9.3", "labels of its own rows")
def all_labels_at_once(velocity, z0, labels, steps, batch_size):
    rows = chunks(len(z0), batch_size)
    return torch.cat([ends(velocity, z0[r], labels, steps) for r in rows])


@table.wrong("9.3", "labels of the first one")
def labels_of_the_first_batch(velocity, z0, labels, steps, batch_size):
    rows = [(r, len(z0[r])) for r in chunks(len(z0), batch_size)]
    return torch.cat([ends(velocity, z0[r], labels[:n], steps) for r, n in rows])


@table.wrong("9.3", "same label")
def one_label_for_all(velocity, z0, labels, steps, batch_size):
    labels = labels[:1].expand(len(labels))
    return with_the_package(velocity, z0, labels, steps, batch_size)


@table.wrong("9.3", "other way around")
def labels_turned(velocity, z0, labels, steps, batch_size):
    return with_the_package(velocity, z0, labels.flip(0), steps, batch_size)


@table.wrong("9.3", "points at once")
def all_at_once(velocity, z0, labels, steps, batch_size):
    return ends(velocity, z0, labels, steps)


@table.wrong("9.3", "the last batch")
def whole_batches_alone(velocity, z0, labels, steps, batch_size):
    n = len(z0) // batch_size * batch_size or len(z0)
    return with_the_package(velocity, z0[:n], labels[:n], steps, batch_size)


@table.wrong("9.3", "those of one batch")
def the_last_batch_alone(velocity, z0, labels, steps, batch_size):
    for rows in chunks(len(z0), batch_size):
        z1 = ends(velocity, z0[rows], labels[rows], steps)
    return z1


@table.wrong("9.3", "a `return` missing")
def nothing_returned(velocity, z0, labels, steps, batch_size):
    with_the_package(velocity, z0, labels, steps, batch_size)


@table.wrong("9.3", "Euler steps for each")
def with_heun(velocity, z0, labels, steps, batch_size):
    parts = zip(z0.split(batch_size), labels.split(batch_size), strict=True)
    bound = [(rf.with_condition(velocity, label), z) for z, label in parts]
    return torch.cat([rf.heun(v, z, steps=steps, keep="end").end for v, z in bound])


@table.wrong("9.3", "what a gradient would need")
def with_gradients(velocity, z0, labels, steps, batch_size):
    z1 = []
    for rows in chunks(len(z0), batch_size):
        z = z0[rows]
        for i in range(steps):
            t = torch.full((len(z),), i / steps)
            z = z + velocity(z, t, condition=labels[rows]) / steps
        z1.append(z)
    return torch.cat(z1)


@table.wrong("9.3", "in another order")
def in_another_order(velocity, z0, labels, steps, batch_size):
    order = torch.arange(len(z0)).flip(0)
    return with_the_package(velocity, z0[order], labels[order], steps, batch_size)


@table.wrong("9.3", "the velocity was not used")
def never_called(velocity, z0, labels, steps, batch_size):
    return z0.clone()


@table.wrong("9.3", "in place")
@torch.no_grad()
def over_the_noise(velocity, z0, labels, steps, batch_size):
    for rows in chunks(len(z0), batch_size):
        for i in range(steps):
            z = z0[rows]
            z += velocity(z, torch.full((len(z),), i / steps), condition=labels[rows]) / steps
    return z0


# 9.4: euler_score(stds, steps)


def rate(s, t):
    return (t * s**2 - (1 - t)) / ((1 - t) ** 2 + t**2 * s**2)


def growth(s, steps, rate=rate, late=0):
    a = torch.ones_like(s)
    for i in range(steps):
        a = a * (1 + rate(s, (i + late) / steps) / steps)
    return a


@table.right("9.4")
def by_the_product(stds, steps):
    return (stds - growth(stds, steps)).square().sum()


@table.right("9.4")
def by_the_solver(stds, steps):
    def velocity(x, t):
        t = t[:, None]
        return (t * stds**2 - (1 - t)) / ((1 - t) ** 2 + (t * stds) ** 2) * x

    end = rf.euler(velocity, torch.eye(len(stds)).double(), steps=steps).end
    return float(((stds - end.diagonal()) ** 2).sum())


@table.right("9.4")
def by_the_matrices(stds, steps):
    mean = torch.zeros_like(stds)
    a = rf.FeatureMoments(mean, torch.diag(growth(stds, steps) ** 2))
    return rf.frechet_distance(a, rf.FeatureMoments(mean, torch.diag(stds**2)))


@table.right("9.4")
def in_plain_python(stds, steps):
    total = 0.0
    for s in stds.tolist():
        a = math.prod(1 + rate(s, k / steps) / steps for k in range(steps))
        total += (s - a) ** 2
    return total


def scored(reduce, **settings):
    return lambda stds, steps: reduce(stds, growth(stds, steps, **settings))


def squares(s, a):
    return (s - a).square().sum()


table.wrong("9.4", "is a squared distance", scored(lambda s, a: squares(s, a).sqrt()))
table.wrong("9.4", "mean over the features", scored(lambda s, a: (s - a).square().mean()))
table.wrong("9.4", "one number for each", scored(lambda s, a: (s - a).square()))
table.wrong("9.4", "differences of variances", scored(lambda s, a: (s**2 - a**2).square().sum()))
table.wrong("9.4", "mixed term is missing", scored(lambda s, a: (s**2 - a**2).sum()))
table.wrong("9.4", "mixed term -2", scored(lambda s, a: (s**2 + a**2).sum()))
table.wrong("9.4", "must be squared", scored(lambda s, a: (s - a).abs().sum()))
table.wrong("9.4", "before the sum", scored(lambda s, a: (s - a).sum().square()))
table.wrong("9.4", "at its end", scored(squares, late=1))
table.wrong(
    "9.4",
    "the noise X0 depends",
    scored(squares, rate=lambda s, t: t * s**2 / ((1 - t) ** 2 + t**2 * s**2)),
)
table.wrong(
    "9.4",
    "the way that is left",
    scored(squares, rate=lambda s, t: t * s**2 / ((1 - t) ** 2 + t**2 * s**2) - 1),
)
table.wrong("9.4", "Yours is s.", lambda stds, steps: squares(stds, growth(stds.sqrt(), steps)))
table.wrong("9.4", "score of one step", lambda stds, steps: stds.square().sum())
table.wrong("9.4", "N + 1 steps", lambda stds, steps: squares(stds, growth(stds, steps + 1)))
table.wrong(
    "9.4",
    "each of length dt = 1/N",
    lambda stds, steps: squares(stds, math.prod(1 + rate(stds, k / steps) for k in range(steps))),
)
table.wrong("9.4", "no step was made", lambda stds, steps: squares(stds, torch.ones_like(stds)))
table.wrong(
    "9.4",
    "do not add",
    lambda stds, steps: squares(stds, 1 + sum(rate(stds, k / steps) / steps for k in range(steps))),
)


def with_rate(g):
    return scored(squares, rate=g)


def spread(t, s2):
    return (1 - t) ** 2 + t**2 * s2


table.wrong("9.4", "Above, yours is s", with_rate(lambda s, t: (t * s - 1 + t) / spread(t, s**2)))
table.wrong("9.4", "Below, yours is s", with_rate(lambda s, t: (t * s**2 - 1 + t) / spread(t, s)))
table.wrong("9.4", "opposite sign", with_rate(lambda s, t: -rate(s, t)))
table.wrong(
    "9.4", "The noise goes off", with_rate(lambda s, t: (t * s**2 + 1 - t) / spread(t, s**2))
)
table.wrong(
    "9.4",
    "not by its standard",
    with_rate(lambda s, t: (t * s**2 - 1 + t) / spread(t, s**2) ** 0.5),
)
table.wrong("9.4", "Divide it by the variance", with_rate(lambda s, t: t * s**2 - 1 + t))
table.wrong("9.4", "is the clock turned", with_rate(lambda s, t: rate(s, 1 - t)))
table.wrong("9.4", "and not as s", scored(lambda s, a: squares(s, s * a)))
table.wrong("9.4", "g is 2 times", with_rate(lambda s, t: 2 * rate(s, t)))
table.wrong("9.4", "variance of the ends", scored(lambda s, a: (s - a**2).square().sum()))


@table.wrong("9.4", "with both ends")
def at_both_ends(stds, steps):
    times = torch.linspace(0, 1, steps).tolist()
    return squares(stds, math.prod(1 + rate(stds, t) / steps for t in times))


@table.wrong("9.4", "changes from call to call")
def by_a_sample(stds, steps):
    ends = growth(stds, steps) * torch.randn(10_000, len(stds))
    return squares(stds, ends.std(dim=0))


table.wrong("9.4", "a `return` missing", lambda stds, steps: None)
table.wrong("9.4", "should be", lambda stds, steps: 0.0)


pixels("which is gray", lambda x: by_clamp_and_round(x.clamp(min=0)))
pixels("add 1 before", lambda x: (x[:, 0].clamp(-1, 1) * 127.5).round().to(torch.uint8))
pixels("Half of 255", lambda x: ((x[:, 0].clamp(-1, 1) + 1) * 255).round().to(torch.uint8))

table.wrong("9.4", "without the weight t", with_rate(lambda s, t: (s**2 - 1 + t) / spread(t, s**2)))
table.wrong("9.4", "in place of 1 - t", with_rate(lambda s, t: (t * s**2 - 1) / spread(t, s**2)))
table.wrong(
    "9.4",
    "both weights are squared",
    with_rate(lambda s, t: (t * s**2 - 1 + t) / ((1 - t) ** 2 + t * s**2)),
)
table.wrong("9.4", "with the noise", scored(lambda s, a: squares(torch.ones_like(a), a)))

points("know no minus", lambda p: (p - 127)[:, None] / 127.5)
points("take off 127.5", lambda p: (p[:, None].float() - 127) / 128)
points("take off 127.5", lambda p: (p[:, None].float() - 127) / 127)
points("a little below", lambda p: (p[:, None].float() - 127.5) / 128)
table.wrong("9.4", "for variances", lambda stds, steps: by_the_product(stds.sqrt(), steps))


test_right, test_wrong, test_there_are_enough = table.tests()
