import torch
from tables import Table, column, on_the_last_axis

import rfteach as rf

table = Table(2)


# 2.1: other_convention(x0, x1, s)


@table.right("2.1")
def with_the_package(x0, x1, s):
    return rf.interpolate(x1, x0, s), rf.velocity_target(x1, x0)


@table.right("2.1")
def with_a_derivative_by_machine(x0, x1, s):
    def point(time, a, b):
        return b + time * (a - b)

    derivative = torch.func.jacrev(point)
    return point(column(s, x0), x0, x1), torch.func.vmap(derivative)(s, x0, x1)


@table.right("2.1")
def point_by_point(x0, x1, s):
    return torch.func.vmap(lambda a, b, time: (time * a + (1 - time) * b, a - b))(x0, x1, s)


@table.right("2.1")
def as_a_list_with_lerp(x0, x1, s):
    return [torch.lerp(x1, x0, column(s, x0)), -(x1 - x0)]


def other(place=lambda x0, x1, s: s * x0 + (1 - s) * x1, target=lambda x0, x1, s: x0 - x1):
    """Make an answer to 2.1 from a place and a target; the times have all the axes."""

    def other_convention(x0, x1, s):
        return place(x0, x1, column(s, x0)), target(x0, x1, column(s, x0))

    return other_convention


table.wrong("2.1", "book's own interpolation", other(lambda x0, x1, s: (1 - s) * x0 + s * x1))
table.wrong("2.1", "the book's convention", other(target=lambda x0, x1, s: x1 - x0))
table.wrong("2.1", "has the weight s", other(lambda x0, x1, s: (1 - s) * (x0 + x1)))
table.wrong("2.1", "has the weight s", other(lambda x0, x1, s: s * (x0 + x1)))
table.wrong("2.1", "has the weight s", other(lambda x0, x1, s: x1 + s * (x1 - x0)))
table.wrong("2.1", "has the weight s", other(lambda x0, x1, s: x1 + s * x0))
table.wrong("2.1", "falls as s grows", other(target=lambda x0, x1, s: x0 + x1))
table.wrong("2.1", "do not scale", other(target=lambda x0, x1, s: s * (x0 - x1)))
table.wrong("2.1", "This is the noise", other(target=lambda x0, x1, s: x0))
table.wrong("2.1", "These are the data", other(target=lambda x0, x1, s: x1))
table.wrong(
    "2.1", "from the point to the noise", other(target=lambda x0, x1, s: (1 - s) * (x0 - x1))
)
table.wrong(
    "2.1",
    "the point once more",
    other(target=lambda x0, x1, s: rf.interpolate(x1, x0, s.flatten())),
)
table.wrong("2.1", "the other order", lambda x0, x1, s: with_the_package(x0, x1, s)[::-1])
table.wrong("2.1", "Return two things", lambda x0, x1, s: rf.interpolate(x1, x0, s))
table.wrong("2.1", "trailing axes", lambda x0, x1, s: (s * x0 + (1 - s) * x1, x0 - x1))
table.wrong(
    "2.1",
    "trailing axes",
    lambda x0, x1, s: (s[:, None] * x0 + (1 - s[:, None]) * x1, x0 - x1),
)
table.wrong(
    "2.1", "has shape", lambda x0, x1, s: (s[:, None, None, None] * (x0 - x1) + x1, x0 - x1)
)
table.wrong(
    "2.1",
    "along the wrong axis",
    lambda x0, x1, s: (x1 + on_the_last_axis(s, x0) * (x0 - x1), x0 - x1),
)
table.wrong(
    "2.1", "is on meta", lambda x0, x1, s: (rf.interpolate(x1, x0, s), (x0 - x1).to("meta"))
)
table.wrong(
    "2.1",
    "has dtype torch.float32",
    lambda x0, x1, s: with_the_package(x0.float(), x1.float(), s.float()),
)
table.wrong(
    "2.1",
    "on average over the batch",
    other(target=lambda x0, x1, s: (x0 - x1).mean(dim=0).expand_as(x0)),
)


@table.wrong("2.1", "in place")
def weighing_in_place(x0, x1, s):
    target = x0 - x1
    x0 *= column(s, x0)
    x1 *= 1 - column(s, x1)
    return x0 + x1, target


# 2.2: two_points(x, t)


def velocity_to(data, x, t):
    """Return the velocity of the lines from x to the mean of the data."""
    return (data - x) / (1 - t[:, None])


@table.right("2.2")
def with_a_sigmoid(x, t):
    t = t.unsqueeze(1)
    up = torch.sigmoid(2 * t * x / (1 - t) ** 2)
    return (up * (1 - x) + (1 - up) * (-1 - x)) / (1 - t)


@table.right("2.2")
def with_a_softmax_over_the_data(x, t):
    data = torch.tensor([-1.0, 1.0], dtype=x.dtype, device=x.device)
    width = (1 - t)[:, None]
    weight = torch.softmax(-(((x - t[:, None] * data) / width) ** 2) / 2, dim=1)
    noise = (x - t[:, None] * data) / width
    return (weight * (data - noise)).sum(dim=1, keepdim=True)


@table.right("2.2")
def from_the_log_densities(x, t):
    t = t[:, None]
    up, down = (torch.distributions.Normal(c * t, 1 - t).log_prob(x) for c in (1, -1))
    chance = (up - torch.logaddexp(up, down)).exp()
    return (2 * chance - 1 - x) / (1 - t)


@table.right("2.2")
def with_one_exponential_that_may_overflow(x, t):
    ratio = torch.exp(2 * t[:, None] * x / (1 - t[:, None]) ** 2)
    return velocity_to(1 - 2 / (1 + ratio), x, t)


@table.right("2.2")
def with_the_package_and_blobs_of_width_0(x, t):
    means = torch.tensor([[-1.0], [1.0]], dtype=x.dtype)
    return rf.mixture_velocity(rf.GaussianMixture(means, torch.zeros(2)))(x, t)


def mean_of_data(x, t):
    """Return E[X1 | X_t = x]."""
    t = t[:, None]
    return torch.tanh(t * x / (1 - t) ** 2)


table.wrong(
    "2.2",
    "variance (1 - t)^2",
    lambda x, t: velocity_to(torch.tanh(t[:, None] * x / (1 - t[:, None])), x, t),
)
table.wrong(
    "2.2", "centers t and -t", lambda x, t: velocity_to(torch.tanh(x / (1 - t[:, None]) ** 2), x, t)
)
table.wrong("2.2", "nearer of the two", lambda x, t: velocity_to(torch.sign(x), x, t))
table.wrong(
    "2.2", "nearer of the two", lambda x, t: velocity_to(torch.where(x > 0, 1.0, -1.0), x, t)
)
table.wrong("2.2", "v* at t = 0", lambda x, t: -x)
table.wrong("2.2", "mean of all data", lambda x, t: -x / (1 - t[:, None]))
table.wrong("2.2", "a place. The velocity", mean_of_data)
table.wrong("2.2", "the way that is left", lambda x, t: mean_of_data(x, t) - x)
table.wrong("2.2", "not x alone", lambda x, t: mean_of_data(x, t) - x / (1 - t[:, None]))
table.wrong(
    "2.2", "Solve for the noise again", lambda x, t: (1 + t[:, None]) * mean_of_data(x, t) - x
)
table.wrong("2.2", "the sign is wrong", lambda x, t: -velocity_to(mean_of_data(x, t), x, t))
table.wrong(
    "2.2",
    "p - (1 - p)",
    lambda x, t: velocity_to(torch.sigmoid(2 * t[:, None] * x / (1 - t[:, None]) ** 2), x, t),
)
table.wrong(
    "2.2",
    "root of that",
    lambda x, t: velocity_to(2 * torch.sigmoid(t[:, None] * x / (1 - t[:, None]) ** 2) - 1, x, t),
)
table.wrong(
    "2.2",
    "square of that",
    lambda x, t: velocity_to(torch.tanh(2 * t[:, None] * x / (1 - t[:, None]) ** 2), x, t),
)
table.wrong(
    "2.2",
    "Time is flipped",
    lambda x, t: (torch.tanh((1 - t[:, None]) * x / t[:, None] ** 2) - x) / t[:, None],
)
table.wrong(
    "2.2", "along the wrong axis", lambda x, t: (torch.tanh(t * x / (1 - t) ** 2) - x) / (1 - t)
)
table.wrong("2.2", "has shape (100,)", lambda x, t: with_a_sigmoid(x, t).flatten())
table.wrong("2.2", "has dtype torch.float32", lambda x, t: with_a_sigmoid(x, t).float())
table.wrong("2.2", "is on meta", lambda x, t: with_a_sigmoid(x, t).to("meta"))
table.wrong("2.2", "in place", lambda x, t: with_a_sigmoid(x, t.clamp_(max=0.9)))
table.wrong(
    "2.2", "on average", lambda x, t: with_a_sigmoid(x, t).mean(dim=0, keepdim=True).expand_as(x)
)


@table.wrong("2.2", "`torch.tanh`")
def with_two_exponentials(x, t):
    t = t[:, None]
    a = t * x / (1 - t) ** 2
    return ((a.exp() - (-a).exp()) / (a.exp() + (-a).exp()) - x) / (1 - t)


@table.wrong("2.2", "`torch.tanh`")
def with_two_exponentials_in_double_precision(x, t):
    return with_two_exponentials(x.double(), t.double()).to(x.dtype)


@table.wrong("2.2", "`torch.tanh`")
def with_two_densities(x, t):
    t = t[:, None]
    up, down = (torch.exp(-((x - c * t) ** 2) / (2 * (1 - t) ** 2)) for c in (1, -1))
    return ((up - down) / (up + down) - x) / (1 - t)


@table.wrong("2.2", "divides by t")
def from_the_mean_of_the_noise(x, t):
    time = t[:, None]
    noise = (x - time * mean_of_data(x, t)) / (1 - time)
    return (x - noise) / time


# 2.3: the share of paths

for value in (2 / 3, 0.66, 0.69, torch.tensor(0.667), torch.tensor([2 / 3]).double()):
    table.right("2.3", value)
table.wrong("2.3", "as many pairs of each kind", 0.0)
table.wrong("2.3", "as many pairs of each kind", 0.02)
table.wrong("2.3", "does not keep to one line", 1)
table.wrong("2.3", "wherever they started", 0.75)
table.wrong("2.3", "of *all* points that start below", 0.5)
table.wrong("2.3", "stays below", 1 / 3)
table.wrong("2.3", "stays below", 0.33)
table.wrong("2.3", "points that end below", 0.25)
table.wrong("2.3", "not percent", 66.7)
table.wrong("2.3", "between 0 and 1", 1.5)
table.wrong("2.3", "between 0 and 1", -0.2)
table.wrong("2.3", "should be a finite number", "two thirds")
table.wrong("2.3", "keep their order", 0.6)


# 2.4: velocity_from_data(denoiser, x, t)


@table.right("2.4")
def point_by_point_from_one_prediction(denoiser, x, t):
    return torch.func.vmap(lambda data, x, t: (data - x) / (1 - t))(denoiser(x, t), x, t)


@table.right("2.4")
def from_the_mean_noise(denoiser, x, t):
    data, time = denoiser(x, t), column(t, x)
    return data - (x - time * data) / (1 - time)


@table.right("2.4")
def with_axes_moved_and_a_small_number(denoiser, x, t):
    left = (1 - t).clamp(min=1e-5)
    return ((denoiser(x, t) - x).movedim(0, -1) / left).movedim(-1, 0)


@table.right("2.4")
@torch.inference_mode()
def without_gradients(denoiser, x, t):
    return torch.einsum("b...,b->b...", denoiser(x, t) - x, 1 / (1 - t))


def converted(formula):
    """Make an answer to 2.4 from `formula(data, x, t)`; the times have all the axes."""
    return lambda denoiser, x, t: formula(denoiser(x, t), x, column(t, x))


table.wrong("2.4", "the way that is left", converted(lambda data, x, t: data - x))
table.wrong("2.4", "time that is *left*", converted(lambda data, x, t: (data - x) / t))
table.wrong("2.4", "the sign is wrong", converted(lambda data, x, t: (x - data) / (1 - t)))
table.wrong("2.4", "not x alone", converted(lambda data, x, t: data - x / (1 - t)))
table.wrong("2.4", "not the data alone", converted(lambda data, x, t: data / (1 - t) - x))
table.wrong("2.4", "a place. The velocity", lambda denoiser, x, t: denoiser(x, t))
table.wrong("2.4", "divides", converted(lambda data, x, t: (data - x) * (1 - t)))
table.wrong("2.4", "take x off", converted(lambda data, x, t: data / (1 - t)))
table.wrong("2.4", "not at t x", converted(lambda data, x, t: (data - t * x) / (1 - t)))
table.wrong("2.4", "predicted the noise", converted(lambda data, x, t: (x - data) / t))
table.wrong("2.4", "mean of the noise", converted(lambda data, x, t: (x - t * data) / (1 - t)))
table.wrong("2.4", "Solve for the noise again", converted(lambda data, x, t: data - (x - t * data)))
table.wrong("2.4", "trailing axes", lambda denoiser, x, t: (denoiser(x, t) - x) / (1 - t))
table.wrong("2.4", "trailing axes", lambda denoiser, x, t: (denoiser(x, t) - x) / (1 - t)[:, None])
table.wrong(
    "2.4",
    "along the wrong axis",
    lambda denoiser, x, t: (denoiser(x, t) - x) / (1 - on_the_last_axis(t, x)),
)
table.wrong(
    "2.4",
    "at the times 1 - t",
    lambda denoiser, x, t: (denoiser(x, 1 - t) - x) / (1 - column(t, x)),
)
table.wrong(
    "2.4",
    "at other times",
    lambda denoiser, x, t: (denoiser(x, torch.ones_like(t)) - x) / (1 - column(t, x)),
)
table.wrong(
    "2.4",
    "point that the denoiser was fed",
    lambda denoiser, x, t: (denoiser(column(t, x) * x, t) - x) / (1 - column(t, x)),
)
table.wrong(
    "2.4",
    "one time for each point",
    lambda denoiser, x, t: (denoiser(x, column(t, x)) - x) / (1 - column(t, x)),
)
table.wrong(
    "2.4", "takes tensors", lambda denoiser, x, t: (denoiser(x, 0.5) - x) / (1 - column(t, x))
)
table.wrong(
    "2.4",
    "Call it once",
    lambda denoiser, x, t: (
        denoiser(x, t) - (x - column(t, x) * denoiser(x, t)) / (1 - column(t, x))
    ),
)
table.wrong("2.4", "is on meta", lambda denoiser, x, t: denoiser(x, t).to("meta"))
table.wrong(
    "2.4",
    "has dtype torch.float32",
    lambda denoiser, x, t: ((denoiser(x, t) - x) / (1 - column(t, x))).float(),
)
table.wrong(
    "2.4",
    "on average over the batch",
    lambda denoiser, x, t: from_the_mean_noise(denoiser, x, t).mean(dim=0).expand_as(x),
)


@table.wrong("2.4", "in place")
def dividing_in_place(denoiser, x, t):
    way = denoiser(x, t) - x
    return way / column(t.neg_().add_(1), x)


# What readers of the book answered


def flat(denoiser, x, t):
    data = denoiser(x.flatten(1), t).reshape(x.shape)
    return (data - x) / (1 - column(t, x))


table.wrong("2.1", "Yours returned 3", lambda x0, x1, s: (*with_the_package(x0, x1, s), s))
table.wrong(
    "2.1", "do not shuffle", other(lambda x0, x1, s: s * x0 + (1 - s) * x1[torch.randperm(len(x1))])
)
table.wrong("2.1", "left to the data", other(target=lambda x0, x1, s: s * (x1 - x0)))
table.wrong("2.1", "may be 0", other(target=lambda x0, x1, s: (s * x0 + (1 - s) * x1 - x1) / s))
table.wrong(
    "2.2",
    "flipped in the weights",
    lambda x, t: velocity_to(torch.tanh((1 - t[:, None]) * x / t[:, None] ** 2), x, t),
)
table.wrong(
    "2.2",
    "without t^2",
    lambda x, t: velocity_to(
        torch.tanh(t[:, None] * x / ((1 - t[:, None]) ** 2 + t[:, None] ** 2)), x, t
    ),
)
table.wrong(
    "2.2",
    "Only times from 0.999 on are off",
    lambda x, t: velocity_to(mean_of_data(x, t), x, t.clamp(max=0.99)),
)
table.wrong("2.3", "keep their order", 0.7)
table.wrong("2.4", "Feed points as they are", flat)
table.wrong("2.4", "The denoiser was called with the times first", lambda d, x, t: d(t, x))
table.wrong("2.4", "is off by", converted(lambda data, x, t: (data - x) / (1 - t).clamp(min=0.03)))
table.wrong("2.4", "may be 0", converted(lambda data, x, t: (x - (x - t * data) / (1 - t)) / t))

line = "weights of the straight line"
table.wrong("2.1", "has the weight s", other(lambda x0, x1, s: x0 + s * (x0 - x1)))
table.wrong("2.1", line, other(lambda x0, x1, s: s.sqrt() * x0 + (1 - s).sqrt() * x1))
table.wrong("2.1", line, other(lambda x0, x1, s: s**2 * x0 + (1 - s) ** 2 * x1))
table.wrong(
    "2.1",
    line,
    other(lambda x0, x1, s: torch.sin(torch.pi / 2 * s) * x0 + torch.cos(torch.pi / 2 * s) * x1),
)
table.wrong("2.2", "a sign is wrong in tanh", lambda x, t: velocity_to(-mean_of_data(x, t), x, t))
table.wrong(
    "2.2",
    "and not t^2",
    lambda x, t: velocity_to(torch.tanh((t[:, None] / (1 - t[:, None])) ** 2 * x), x, t),
)
table.wrong("2.2", "not 1.", lambda x, t: velocity_to(torch.tanh(t[:, None] * x), x, t))
table.wrong(
    "2.2",
    "p - (1 - p)",
    lambda x, t: velocity_to(torch.sigmoid(t[:, None] * x / (1 - t[:, None]) ** 2), x, t),
)
table.wrong(
    "2.2", "Only times from 0.9999 on are off", lambda x, t: with_a_sigmoid(x, t.clamp(max=0.999))
)
for least in (1e-2, 1e-3):
    table.wrong(
        "2.2",
        "Only times from",
        lambda x, t, e=least: (mean_of_data(x, t) - x) / (1 - t[:, None]).clamp_min(e),
    )
for small in (1e-3, 1e-4, 1e-5):
    table.wrong(
        "2.2",
        "1 - t is not 0 here",
        lambda x, t, e=small: (mean_of_data(x, t) - x) / (1 - t[:, None] + e),
    )
for small in (1e-2, 1e-3):
    table.wrong(
        "2.2",
        "small constant",
        lambda x, t, e=small: (
            (torch.tanh(t[:, None] * x / (1 - t[:, None] + e) ** 2) - x) / (1 - t[:, None] + e)
        ),
    )
for small in (1e-2, 1e-3, 1e-4):
    table.wrong(
        "2.4", "divided by 1 - t +", converted(lambda data, x, t, e=small: (data - x) / (1 - t + e))
    )


test_right, test_wrong, test_there_are_enough = table.tests()
