import math

import numpy as np
import torch
from tables import Table

import rfteach as rf

table = Table(5)


# 5.1: pairs_of_flow(velocity, noise, size)


@table.wrong("5.1", "calls `rf.flow_coupling`")
def from_the_package(velocity, noise, size):
    return rf.flow_coupling(velocity, noise, size=size, steps=20, progress=False)


@table.right("5.1")
def in_one_batch(velocity, noise, size):
    x0 = noise.sample(size)
    return rf.PairedCoupling(x0, rf.heun(velocity, x0, steps=20, keep="end").end)


@table.right("5.1")
def with_both_ends_of_each_batch_kept(velocity, noise, size):
    starts, ends = [], []
    while sum(map(len, starts)) < size:
        z0 = noise.sample(min(700, size - sum(map(len, starts))))
        path = rf.heun(velocity, z0, steps=20, keep="end")
        starts.append(path.start)
        ends.append(path.end)
    return rf.PairedCoupling(torch.cat(starts), torch.cat(ends))


def heun(velocity, x, steps, stop=None):
    """Make `stop` of the steps of Heun's method, by hand."""
    dt = 1 / steps
    for i in range(steps if stop is None else stop):
        t = torch.full((len(x),), i / steps)
        k0 = velocity(x, t)
        x = x + dt / 2 * (k0 + velocity(x + dt * k0, t + dt))
    return x


@table.right("5.1")
def by_hand_into_one_tensor(velocity, noise, size):
    z0 = noise.sample(size)
    z1 = torch.empty_like(z0)
    for i in range(0, size, 1000):
        z1[i : i + 1000] = heun(velocity, z0[i : i + 1000], 20)
    return rf.PairedCoupling(z0, z1)


@table.right("5.1")
def by_a_finer_solver(velocity, noise, size):
    path = rf.rk4(velocity, noise.sample(size), steps=20)
    return rf.PairedCoupling(path.states[0], path.states[-1])


@table.wrong("5.1", "other noise")
def as_the_colleague_wrote_it(velocity, noise, size):
    ends = []
    for n in torch.arange(size).split(1000):
        ends.append(rf.heun(velocity, noise.sample(len(n)), steps=20, keep="end").end)
    return rf.PairedCoupling(noise.sample(size), torch.cat(ends))


@table.wrong("5.1", "other noise")
def with_ends_of_a_few_euler_steps_from_other_noise(velocity, noise, size):
    ends = rf.euler(velocity, noise.sample(size), steps=4).end
    return rf.PairedCoupling(noise.sample(size), ends)


def changed(change, solve=lambda velocity, z0: heun(velocity, z0, 20)):
    """Make an answer that returns `change(starts, ends)`."""

    def pairs_of_flow(velocity, noise, size):
        z0 = noise.sample(size)
        return change(z0, solve(velocity, z0))

    return pairs_of_flow


def by_hand(steps, stop=None):
    return changed(rf.PairedCoupling, lambda velocity, z0: heun(velocity, z0, steps, stop))


def by_euler(steps):
    return changed(rf.PairedCoupling, lambda velocity, z0: rf.euler(velocity, z0, steps=steps).end)


def shuffled_in_batches(z0, z1):
    mixed = [batch[torch.randperm(len(batch))] for batch in z1.split(500)]
    return rf.PairedCoupling(z0, torch.cat(mixed))


table.wrong("5.1", "ends are swapped", changed(lambda z0, z1: rf.PairedCoupling(z1, z0)))
table.wrong(
    "5.1",
    "those of other rows",
    changed(lambda z0, z1: rf.PairedCoupling(z0, z1[torch.randperm(len(z1))])),
)
table.wrong("5.1", "those of other rows", changed(shuffled_in_batches))
table.wrong(
    "5.1",
    "those of other rows",
    changed(lambda z0, z1: rf.PairedCoupling(z0, torch.cat(z1.split(1000)[::-1]))),
)
table.wrong("5.1", "20 steps of Heun", by_euler(1))
table.wrong("5.1", "20 steps of Heun", by_euler(4))
table.wrong("5.1", "20 steps of Euler's method", by_euler(20))
table.wrong("5.1", "20 steps of Heun", by_hand(5))
table.wrong("5.1", "20 steps of Heun", by_hand(10))
table.wrong("5.1", "up to t = 1", by_hand(20, stop=19))
table.wrong("5.1", "up to t = 1", by_hand(20, stop=10))
table.wrong("5.1", "noise with itself", changed(lambda z0, z1: rf.PairedCoupling(z0, z0)))
table.wrong("5.1", "type tuple", changed(lambda z0, z1: (z0, z1)))
table.wrong(
    "5.1",
    "type IndependentCoupling",
    lambda velocity, noise, size: rf.IndependentCoupling(noise, noise),
)
table.wrong(
    "5.1",
    "1000 pairs in place of 1500",
    lambda velocity, noise, size: in_one_batch(velocity, noise, max(size // 1000, 1) * 1000),
)
table.wrong(
    "5.1",
    "500 pairs in place of 1500",
    changed(lambda z0, z1: rf.PairedCoupling(z0[1000:], z1[1000:])),
)
table.wrong(
    "5.1",
    "1000 pairs in place of 1.",
    changed(
        lambda z0, z1: rf.PairedCoupling(
            *(z.expand(1000, 2) if len(z) == 1 else z for z in (z0, z1))
        )
    ),
)
table.wrong(
    "5.1",
    "not what `noise.sample` returned",
    changed(lambda z0, z1: rf.PairedCoupling(*(z[:100].repeat(30, 1)[: len(z)] for z in (z0, z1)))),
)
table.wrong(
    "5.1",
    "not what `noise.sample` returned",
    lambda velocity, noise, size: in_one_batch(velocity, rf.Gaussian(2), size),
)


# 5.2: my_coupling(n)


def turn(x, angle):
    """Turn points (n, 2) by an angle, one for all or one for each, shape (n,)."""
    c, s = (f(torch.as_tensor(angle)) for f in (torch.cos, torch.sin))
    return torch.stack([c * x[:, 0] - s * x[:, 1], s * x[:, 0] + c * x[:, 1]], dim=1)


def turned(angle):
    """Make an answer that turns noise by an angle, or by one for each radius, `angle(r)`."""

    def my_coupling(n):
        x0 = torch.randn(n, 2)
        return x0, turn(x0, angle(x0.norm(dim=1)) if callable(angle) else angle)

    return my_coupling


def where_it_is_one(cost, low, high):
    """Return the x between low and high with cost(x) = 1; the cost rises."""
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if cost(middle) < 1 else (low, middle)
    return low


# r^2 / 2 is exponential, and its quantiles at equal steps stand for it
RADIUS = (-2 * torch.log1p(-(torch.arange(100_000).double() + 0.5) / 100_000)).sqrt()


def cost_of(angle):
    return (2 * RADIUS**2 * (1 - torch.cos(angle))).mean()


table.right("5.2", turned(math.acos(0.75)))
table.right("5.2", turned(-math.acos(0.75)))


@table.right("5.2")
def by_a_complex_number(n):
    z = np.random.default_rng().standard_normal((n, 2)) @ [1, 1j]
    w = z * np.exp(2j * math.asin(1 / math.sqrt(8)))
    return [torch.tensor(np.stack([u.real, u.imag], axis=1)) for u in (z, w)]


@table.right("5.2")
def by_a_swirl_that_weakens_outward(n):
    # Both the chord's nearest point and the angle leave the order of the radii alone.
    most = where_it_is_one(lambda a: cost_of(a * torch.exp(-(RADIUS**2) / 8)), 0, 3)
    return turned(lambda r: most * torch.exp(-(r**2) / 8))(n)


@table.right("5.2")
def by_a_vortex(n):
    most = where_it_is_one(lambda a: cost_of(a / (1 + RADIUS)), 0, 3)
    return turned(lambda r: -most / (1 + r))(n)


@table.right("5.2")
def by_the_disc_alone(n):
    # The chords of the disc stay inside of it, and what is outside stands still.
    edge = where_it_is_one(lambda a: cost_of(2 * math.pi / 3 * RADIUS.lt(a)), 0, 3)
    return turned(lambda r: 2 * math.pi / 3 * (r < edge))(n)


def from_noise(change):
    """Make an answer that pairs noise x0 with `change(x0)`."""

    def my_coupling(n):
        x0 = torch.randn(n, 2)
        return x0, change(x0)

    return my_coupling


table.wrong("5.2", "not 1", turned(2 * math.pi / 3))
table.wrong("5.2", "E||X0||^2 is 2", turned(math.pi / 3))
table.wrong("5.2", "not 1", turned(math.pi / 4))
table.wrong("5.2", "not 1", turned(math.degrees(math.acos(0.75))))
table.wrong("5.2", "stays where it is", turned(0.0))
table.wrong("5.2", "A half turn sends all lines", turned(math.pi))
table.wrong("5.2", "reflection", from_noise(lambda x: x * torch.tensor([1.0, -1.0])))
table.wrong("5.2", "reflection", from_noise(lambda x: x.flip(1)))
table.wrong("5.2", "x1 is not N(0, I)", from_noise(lambda x: x + 0.5**0.5))
table.wrong("5.2", "x1 is not N(0, I)", from_noise(lambda x: x * (1 + 0.5**0.5)))
table.wrong("5.2", "x1 is not N(0, I)", from_noise(lambda x: x * torch.tensor([2.0, 1.0])))
table.wrong(
    "5.2",
    "has to be a function of x0",
    from_noise(lambda x: 0.75 * x + (1 - 0.75**2) ** 0.5 * torch.randn_like(x)),
)
table.wrong("5.2", "has to be a function of x0", from_noise(torch.randn_like))
table.wrong(
    "5.2", "V = ", lambda n: rf.MinibatchOTCoupling(*[rf.Gaussian(2)] * 2, group=16).sample(n)
)
table.wrong(
    "5.2",
    "not straight",
    from_noise(lambda x: turn(x, math.acos(0.75) * torch.randn(len(x)).sign())),
)
table.wrong("5.2", "not straight", turned(lambda r: 2 * math.pi / 3 * (r > 1.2)))
table.wrong("5.2", "not straight", turned(lambda r: 5 * r))
table.wrong(
    "5.2",
    "must not run through each other",
    from_noise(lambda x: torch.special.ndtri((torch.special.ndtr(x.double()) + 0.1) % 1)),
)
table.wrong(  # a strip around the second axis, mirrored in it; of cost 1
    "5.2",
    "reflection",
    from_noise(lambda x: torch.where(x.abs() < torch.tensor([1.1, 0.0]), -x, x)),
)


def uniform(n):
    x0 = math.sqrt(12) * (torch.rand(n, 2) - 0.5)  # mean 0, variance 1
    return x0, turn(x0, math.pi / 2)


def ring(n):
    angle = 2 * math.pi * torch.rand(n)
    x0 = 2**0.5 * torch.stack([angle.cos(), angle.sin()], dim=1)
    return x0, turn(x0, math.acos(0.75))


@table.wrong("5.2", "the same pairs at each call")
def seeded(n):
    torch.manual_seed(0)
    return turned(math.acos(0.75))(n)


@table.wrong("5.2", "the same pairs at each call")
def with_a_generator_of_its_own(n):
    x0 = rf.Gaussian(2).sample(n, generator=torch.Generator().manual_seed(1))
    return x0, turn(x0, -math.acos(0.75))


@table.wrong("5.2", "are repeated")
def from_a_small_pool(n):
    x0 = torch.randn(1000, 2)[torch.randint(1000, (n,))]
    return x0, turn(x0, math.acos(0.75))


@table.wrong("5.2", "x0 has shape (2, 8000)")
def one_column_a_point(n):
    x0, x1 = turned(math.acos(0.75))(n)
    return x0.T, x1.T


table.wrong("5.2", "the form of the cloud", uniform)
table.wrong("5.2", "the form of the cloud", ring)
table.wrong("5.2", "x0 is not N(0, I)", lambda n: [turn(torch.rand(n, 2), a) for a in (0.0, 1.0)])
table.wrong("5.2", "Return two things", lambda n: torch.stack(turned(math.acos(0.75))(n)))
table.wrong(
    "5.2",
    "Return two things",
    lambda n: rf.PairedCoupling(*turned(math.acos(0.75))(n)),
)


# 5.3: the number of samples

million = 1e6
table.right("5.3", 9.2 * million / 15)
table.right("5.3", 613_333)
table.right("5.3", torch.tensor(610_000))
table.wrong("5.3", "not free", 9.2 * million / 16)
table.wrong("5.3", "the *difference* of the two prices", 9.2 * million / 17)
table.wrong("5.3", "Heun's method makes two", round(9.2 * million / 7))
table.wrong("5.3", "Heun's method makes two", 9.2 * million / 8)
table.wrong("5.3", "The backward pass counts two more", 4.4 * million / 15)
table.wrong("5.3", "The backward pass counts as two", 6.8 * million / 15)
table.wrong("5.3", "*each* point of its batch", (3 * 6000 + 2 * million) / 15)
table.wrong("5.3", "The pairs cost", 7.2 * million / 15)
table.wrong("5.3", "RK4 makes four evaluations", 7.7 * million / 15)
table.wrong("5.3", "RK4 makes four evaluations", 8.2 * million / 15)
table.wrong("5.3", "The training counts", 2 * million / 15)
table.wrong("5.3", "A step is not an evaluation", 7.7 * million / 7)
table.wrong("5.3", "The first flow is trained already", (2 * 7.2 + 2) * million / 15)
table.wrong("5.3", "not in thousands", 613)
table.wrong("5.3", "not in thousands", 0.613)
# with the numbers of the chapter in place of the exercise's: its batches, its price of a pair
table.wrong("5.3", "it pays after 613,333 samples", (3 * 6000 * 512 + 2 * million) / 15)
table.wrong("5.3", "it pays after 613,333 samples", 213_000)
table.wrong("5.3", "should be a finite number", "613,333")


# 5.4: pair_on_the_line(x0, data)


@table.right("5.4")
def by_counting(x0, data):
    rank = (x0.flatten() < x0).sum(dim=1)
    return torch.sort(data, dim=0)[0][rank]


@table.right("5.4")
def by_writing_to_sorted_places(x0, data):
    paired = torch.empty_like(data)
    paired[torch.argsort(x0[:, 0])] = torch.sort(data, dim=0).values
    return paired


@table.right("5.4")
def by_search(x0, data):
    ordered = x0.flatten().sort().values
    rank = torch.searchsorted(ordered, x0.flatten().contiguous())
    return data.flatten().sort().values[rank].reshape(-1, 1)


@table.right("5.4")
def by_a_list(x0, data):
    rows = sorted(range(len(x0)), key=lambda i: x0[i].item())
    ends, result = sorted(data.flatten().tolist()), x0.clone()
    for row, end in zip(rows, ends, strict=True):
        result[row, 0] = end
    return result


def ranks(x):
    return x.flatten().argsort().argsort()


def ordered(x):
    return x.sort(dim=0).values


table.wrong("5.4", "as they came", lambda x0, data: data)
table.wrong("5.4", "the starts are not", lambda x0, data: ordered(data))
table.wrong("5.4", "its inverse", lambda x0, data: ordered(data)[x0.flatten().argsort()])
table.wrong("5.4", "The order is reversed", lambda x0, data: ordered(data)[ranks(-x0)])
table.wrong("5.4", "should hold data points", lambda x0, data: ordered(x0))
table.wrong("5.4", "Sort points of shape (n, 1)", lambda x0, data: data[ranks(x0)])
table.wrong("5.4", "Sort points of shape (n, 1)", lambda x0, data: data[x0[:, 0].argsort()])
table.wrong("5.4", "dim=0", lambda x0, data: data.sort().values[ranks(x0)])
table.wrong(
    "5.4", "dim=0", lambda x0, data: ordered(data)[x0.argsort().argsort()[:, 0]]
)  # along the axis of length 1
table.wrong(
    "5.4",
    "nearest data point",
    lambda x0, data: data[(x0 - data.T).abs().argmin(dim=1)],
)
table.wrong(
    "5.4",
    "belongs to just one start",
    lambda x0, data: (x0 - x0.mean()) * (data.std() / x0.std()).nan_to_num(1) + data.mean(),
)
table.wrong(
    "5.4",
    "belongs to just one start",
    lambda x0, data: torch.quantile(data, torch.special.ndtr(x0).flatten())[:, None],
)
table.wrong(
    "5.4",
    "belongs to just one start",
    lambda x0, data: ordered(data)[(ranks(x0) + 1).clamp(max=len(x0) - 1)],
)
table.wrong("5.4", "of type tuple", lambda x0, data: (ordered(x0), ordered(data)))
table.wrong("5.4", "has shape (9,)", lambda x0, data: ordered(data)[ranks(x0)].flatten())
table.wrong("5.4", "has shape (9, 1, 1)", lambda x0, data: ordered(data)[ranks(x0)[:, None]])
table.wrong(
    "5.4", "has shape (1,)", lambda x0, data: ordered(data)[x0.squeeze().argsort().argsort()]
)
table.wrong("5.4", "such as ranks or rows", lambda x0, data: ranks(x0)[:, None])


@table.wrong("5.4", "takes the nearest data point that is left")
def to_the_nearest_that_is_left(x0, data):
    left, ends = list(range(len(data))), []
    for x in x0[:, 0].tolist():
        ends.append(min(left, key=lambda j: abs(data[j].item() - x)))
        left.remove(ends[-1])
    return data[ends]


table.wrong("5.4", "has dtype torch.float32", lambda x0, data: ordered(data)[ranks(x0)].float())
table.wrong("5.4", "is on meta", lambda x0, data: ordered(data)[ranks(x0)].to("meta"))


@table.wrong("5.4", "in place")
def over_the_data(x0, data):
    data[:] = ordered(data)
    return data[ranks(x0)]


@table.wrong("5.4", "in place")
def over_the_starts(x0, data):
    x0[x0[:, 0].argsort()] = ordered(data)
    return x0


# What readers of the book answered


def from_starts(starts):
    """Make an answer whose starts are made by `starts(noise, size)`."""

    def pairs_of_flow(velocity, noise, size):
        z0 = starts(noise, size)
        return rf.PairedCoupling(z0, heun(velocity, z0, 20))

    return pairs_of_flow


def with_mirror_images(noise, size):
    half = noise.sample((size + 1) // 2)
    return torch.cat([half, -half])[:size]


for starts in (
    with_mirror_images,
    lambda noise, size: noise.sample(size).sort(dim=0).values,
    lambda noise, size: torch.cat([noise.sample(1), torch.randn(size - 1, 2)]),
    lambda noise, size: (noise.sample(size) + noise.sample(size)) / 2**0.5,
    lambda noise, size: 0.95 * noise.sample(size),
    lambda noise, size: torch.randn(size, 2),
):
    table.wrong("5.1", "not what `noise.sample` returned", from_starts(starts))


class FirstVelocity:
    """Makes the pairs of the velocity that it saw first, in every round."""

    velocity = None

    def __call__(self, velocity, noise, size):
        self.velocity = self.velocity or velocity
        return in_one_batch(self.velocity, noise, size)


@table.wrong("5.1", "Is there a seed")
def with_a_seed(velocity, noise, size):
    torch.manual_seed(0)
    return in_one_batch(velocity, noise, size)


@table.wrong("5.1", "How do you make the last batch?")
def with_a_last_batch_that_never_moves(velocity, noise, size):
    z0 = noise.sample(size)
    whole = size // 1000 * 1000 or size
    return rf.PairedCoupling(z0, torch.cat([heun(velocity, z0[:whole], 20), z0[whole:]]))


@table.wrong("5.1", "How do you make the last batch?")
def with_a_last_batch_in_few_steps(velocity, noise, size):
    z0 = noise.sample(size)
    ends = [heun(velocity, z, 20 if len(z) != 500 else 4) for z in z0.split(1000)]
    return rf.PairedCoupling(z0, torch.cat(ends))


table.wrong("5.1", "of an earlier call", FirstVelocity())
table.wrong(
    "5.1", "the way from start to end", changed(lambda z0, z1: rf.PairedCoupling(z0, z1 - z0))
)
table.wrong("5.1", "20 steps of Heun", by_hand(19))
table.wrong(
    "5.1", "a rounding", changed(lambda z0, z1: rf.PairedCoupling(z0, z1.round(decimals=2)))
)
table.wrong(
    "5.1", "a rounding", changed(lambda z0, z1: rf.PairedCoupling(z0, z1.bfloat16().float()))
)


def half_and_half(first, second):
    """Make a coupling whose first rows come from one map and the others from another."""
    return from_noise(lambda x: torch.cat([first(x[: len(x) // 2]), second(x[len(x) // 2 :])]))


def blurred(x, s=0.1):
    angle = math.acos(0.75 / math.sqrt(1 - s**2))
    return math.sqrt(1 - s**2) * turn(x, angle) + s * torch.randn_like(x)


def heavy_tails(n):
    x0 = torch.distributions.StudentT(6.0).sample((n, 2)) / 1.5**0.5
    return x0, turn(x0, math.acos(0.75))


def triangular(n):
    x0 = (torch.rand(n, 2, 2).sum(dim=2) - 1) * 6**0.5
    return x0, turn(x0, math.acos(0.75))


angle = math.acos(0.75)
table.wrong("5.2", "V = ", half_and_half(lambda x: turn(x, angle), lambda x: turn(x, -angle)))
table.wrong("5.2", "V = ", from_noise(blurred))
table.wrong("5.2", "V = ", turned(lambda r: 0.95 * (r > 1.0)))
table.wrong("5.2", "the form of the cloud", heavy_tails)
table.wrong("5.2", "the form of the cloud", triangular)


def in_chunks(size):
    """Make an answer that pairs by rank within chunks only."""
    return lambda x0, data: torch.cat(
        [ordered(b)[ranks(a)] for a, b in zip(x0.split(size), data.split(size), strict=True)]
    )


table.wrong("5.4", "once, but not in order", in_chunks(1000))
table.wrong("5.4", "once, but not in order", lambda x0, data: ordered(data)[ranks(x0.abs())])
table.wrong("5.4", "IndexError", lambda x0, data: torch.unique(data)[ranks(x0)][:, None])

table.wrong("5.3", "Divide it by what a sample saves", 9.2 * million)
table.wrong("5.3", "RK4 makes four evaluations", 11.2 * million / 15)
table.wrong("5.3", "RK4 makes four evaluations", 8.7 * million / 15)
table.wrong("5.3", "two more, not four", 14 * million / 15)


@table.wrong("5.1", "x0 and x1 hold the ends")
def moving_the_starts(velocity, noise, size):
    z0 = noise.sample(size)
    x = z0
    for i in range(20):
        x += velocity(x, torch.full((size,), i / 20)) / 20
    return rf.PairedCoupling(z0, x)


@table.wrong("5.1", "Is the last batch left out")
def of_whole_batches_alone(velocity, noise, size):
    starts = [noise.sample(1000).double() for _ in range(size // 1000)]
    return rf.PairedCoupling(
        torch.cat(starts), torch.cat([rf.heun(velocity, z, steps=20).end for z in starts])
    )


test_right, test_wrong, test_there_are_enough = table.tests()
