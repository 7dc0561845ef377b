import functools
import math
import os

import numpy as np
import torch
from tables import Table, column

table = Table(12)


# 12.1: rows_of(rank, processes, batch)


@table.right("12.1")
def one_after_the_other(rank, processes, batch):
    share = batch // processes
    return range(rank * share, (rank + 1) * share)


@table.right("12.1")
def every_so_many(rank, processes, batch):
    return slice(rank, batch, processes)


@table.right("12.1")
def by_reshape(rank, processes, batch):
    return torch.arange(batch).reshape(processes, -1)[rank]


@table.right("12.1")
def by_numpy(rank, processes, batch):
    return np.array_split(np.arange(batch), processes)[rank]


table.right("12.1", lambda rank, P, batch: list(torch.arange(batch).chunk(P)[rank]))
table.right("12.1", lambda rank, P, batch: {row for row in range(batch) if row % P == rank})


def shifted(by):
    return lambda rank, processes, batch: [
        row + by * batch // processes for row in one_after_the_other(rank, processes, batch)
    ]


table.wrong("12.1", "takes all the rows", lambda rank, processes, batch: range(batch))
table.wrong("12.1", "takes the same rows", lambda r, p, batch: range(batch // p))
table.wrong("12.1", "count from 0", shifted(1))
table.wrong("12.1", "count from 0", shifted(-1))
table.wrong(
    "12.1", "read as two rows", lambda r, p, batch: (r * (batch // p), (r + 1) * (batch // p))
)
table.wrong(
    "12.1",
    "Its share is 4",
    lambda r, p, batch: range(r * (batch // p), (r + 1) * (batch // p) + 1),
)
table.wrong("12.1", "Process r begins at row r n", lambda r, p, batch: range(r, r + batch // p))
table.wrong("12.1", "The end of a range is not part", lambda r, p, batch: range(r * (batch // p), batch // p + r * (batch // p) - 1))  # noqa: E501 # fmt: skip
table.wrong("12.1", "must be equal", lambda r, p, batch: range(r, batch if r == p - 1 else r + 1))
table.wrong("12.1", "`//` belongs", lambda r, p, batch: torch.arange(batch)[:2] / p)
table.wrong("12.1", "`//` belongs", lambda r, p, batch: slice(r * batch / p, (r + 1) * batch / p))
table.wrong("12.1", "yes or no", lambda r, p, batch: torch.arange(batch) % p == r)
table.wrong("12.1", "nobody takes any", lambda r, p, batch: [])
table.wrong("12.1", "Its share is 4", lambda r, p, batch: range(r * p, (r + 1) * p))
table.wrong(
    "12.1",
    "by nobody",
    lambda r, p, batch: range(r * batch // p, (r + 1) * batch // p - (r == p - 1)),
)
table.wrong("12.1", "number of processes", lambda r, p, batch: range(r, batch, batch // p))
table.wrong("12.1", "a `return` missing", lambda r, p, batch: None)
table.wrong("12.1", "of type int", lambda r, p, batch: r * batch // p)
table.wrong("12.1", "on the device meta", lambda r, p, batch: torch.arange(2, device="meta"))


# 12.2: combine(gradients, sizes)


def weights(gradients, sizes):
    return column(sizes.to(gradients.dtype), gradients)


@table.right("12.2")
def weighted(gradients, sizes):
    return (weights(gradients, sizes) * gradients).sum(dim=0) / sizes.sum()


@table.right("12.2")
def by_einsum(gradients, sizes):
    shares = (sizes / sizes.sum()).to(gradients.dtype)
    return torch.einsum("k,k...->...", shares, gradients)


@table.right("12.2")
def row_by_row(gradients, sizes):
    return gradients.repeat_interleave(sizes, dim=0).mean(dim=0)


@table.right("12.2")
def in_a_loop(gradients, sizes):
    total = torch.zeros_like(gradients[0])
    for gradient, size in zip(gradients, sizes, strict=True):
        total += gradient * size / sizes.sum()
    return total


def of(formula):
    return lambda gradients, sizes: formula(gradients, weights(gradients, sizes))


table.wrong("12.2", "plain mean", lambda g, n: g.mean(dim=0))
table.wrong("12.2", "nothing divides it", lambda g, n: g.sum(dim=0))
table.wrong("12.2", "sum over all rows", of(lambda g, n: (n * g).sum(dim=0)))
table.wrong("12.2", "number of parts", of(lambda g, n: (n * g).mean(dim=0)))
table.wrong("12.2", "do not divide", of(lambda g, n: (g / n).sum(dim=0)))
table.wrong("12.2", "upside down", of(lambda g, n: (g / n).sum(dim=0) / (1 / n).sum()))
table.wrong("12.2", "by its own number first", of(lambda g, n: g.sum(dim=0) / n.sum()))
table.wrong("12.2", "come in twice", of(lambda g, n: (n**2 * g).sum(dim=0) / (n**2).sum()))
table.wrong("12.2", "not by their mean", of(lambda g, n: (n / n.mean() * g).sum(dim=0)))
table.wrong("12.2", "first part alone", lambda g, n: g[0])
table.wrong("12.2", "last part alone", lambda g, n: g[-1])
table.wrong("12.2", "along the last axis", lambda g, n: (n * g).sum(dim=0) / n.sum())
table.wrong(
    "12.2",
    "along an axis of the weights",
    lambda g, n: (
        (n.reshape(-1, *[1] * (g.ndim - 2)) * g).sum(dim=0) / n.sum()
        if g.ndim > 2
        else weighted(g, n)
    ),
)
table.wrong("12.2", "upside down", of(lambda g, n: ((n.sum() - n) * g).sum(dim=0) / n.sum()))
table.wrong("12.2", "half and half", lambda g, n: functools.reduce(lambda a, b: (a + b) / 2, g))
table.wrong("12.2", "sizes are integers", lambda g, n: weighted(g.double(), n).to(n.dtype))
table.wrong("12.2", "has shape (3, 3)", of(lambda g, n: n * g / n.sum()))
table.wrong("12.2", "in place", of(lambda g, n: g.mul_(n).sum(dim=0) / n.sum()))
table.wrong("12.2", "a `return` missing", lambda g, n: None)


# 12.3: shard_noise(seed, k, n)


def drawn(number, n):
    generator = torch.Generator().manual_seed(number)
    return torch.randn(n, 2, generator=generator)


@table.right("12.3")
def in_base_a_million(seed, k, n):
    return drawn(seed * 1_000_000 + k, n)


@table.right("12.3")
def by_a_seed_sequence(seed, k, n):
    state = np.random.SeedSequence([seed, k]).generate_state(2)
    return drawn(int(state[0]) << 32 | int(state[1]), n)


@table.right("12.3")
def by_numpy_alone(seed, k, n):
    values = np.random.default_rng([seed, k]).standard_normal((n, 2))
    return torch.from_numpy(values).float()


@table.right("12.3")
def by_hash_of_numbers(seed, k, n):
    return drawn(hash((seed, k)) % 2**63, n)


@table.right("12.3")
def the_seed_in_the_last_digits(seed, k, n):
    return drawn(1000 * k + seed, n)


table.right(
    "12.3",
    lambda seed, k, n: torch.randn(
        n, 2, generator=torch.Generator("cpu").manual_seed(10**6 * seed + k), device="cpu"
    ),
)
table.wrong(
    "12.3",
    "another rank",
    lambda seed, k, n: drawn((int(os.environ.get("RANK", 0)) * 1000 + seed) * 10**6 + k, n),
)
table.wrong("12.3", "another rank", lambda seed, k, n: drawn(seed * 10**6 + k + os.getpid(), n))
table.wrong(
    "12.3",
    "are not independent",
    lambda seed, k, n: (drawn(seed, n) + drawn(1000 + k * 1000 + seed * 7, n)) / math.sqrt(2),
)
table.wrong(
    "12.3", "number of points come into the seed", lambda seed, k, n: drawn(seed * 10**6 + k + n, n)
)
table.wrong(
    "12.3", "Leave it as `torch.randn`", lambda seed, k, n: drawn(seed * 10**6 + k, n).double()
)


@table.wrong("12.3", "global generator of numpy")
def by_the_generator_of_numpy(seed, k, n):
    np.random.seed(seed * 10**6 + k)  # noqa: NPY002
    return torch.from_numpy(np.random.randn(n, 2)).float()  # noqa: NPY002


table.wrong("12.3", "hashes a text", lambda seed, k, n: drawn(hash(f"{seed}-{k}") % 2**32, n))
table.wrong("12.3", "hashes a text", lambda seed, k, n: drawn(hash(("a", seed, k)) % 2**32, n))
table.wrong("12.3", "of seed 0 is shard 0 of seed 1", lambda seed, k, n: drawn(seed + k, n))
for base in (10, 31, 999, 1024, 2**16):
    table.wrong("12.3", "is shard 0 of", lambda seed, k, n, base=base: drawn(base * seed + k, n))
for base in (10, 31, 999):
    table.wrong("12.3", "is shard 0 of", lambda seed, k, n, base=base: drawn(seed + base * k, n))
table.wrong("12.3", "is shard 0 of seed 1", lambda seed, k, n: drawn(1000 * seed + k, n))
table.wrong("12.3", "is shard 0 of seed 1", lambda seed, k, n: drawn(100_000 * seed + k, n))
table.wrong("12.3", "is shard 0 of seed 1", lambda seed, k, n: drawn(seed ^ k, n))
table.wrong("12.3", "Shards 0 and 1", lambda seed, k, n: drawn(seed, n))
table.wrong("12.3", "Shards 0 and 1", lambda seed, k, n: drawn(seed * k, n))


@table.wrong("12.3", "Shards 0 and 1")
def in_another_order(seed, k, n):
    order = torch.randperm(n, generator=torch.Generator().manual_seed(k))
    return drawn(seed, n)[order]


table.wrong("12.3", "seeds 3 and 4", lambda seed, k, n: drawn(k, n))
table.wrong("12.3", "Shard 0 is the same", lambda seed, k, n: drawn(k * 10**6 * (seed + 1), n))
table.wrong("12.3", "when it was called again", lambda seed, k, n: torch.randn(n, 2))


@table.wrong("12.3", "when it was called again")
def from_one_generator(seed, k, n, generator=torch.Generator()):  # noqa: B008
    return torch.randn(n, 2, generator=generator)


@table.wrong("12.3", "global generator")
def seeding_for_all(seed, k, n):
    torch.manual_seed(seed * 1_000_000 + k)
    return torch.randn(n, 2)


@table.wrong("12.3", "standard normal")
def uniform(seed, k, n):
    return torch.rand(n, 2, generator=torch.Generator().manual_seed(seed * 1_000_000 + k))


@table.wrong("12.3", "not independent")
def one_coordinate_twice(seed, k, n):
    return drawn(seed * 1_000_000 + k, n)[:, :1].expand(n, 2).contiguous()


table.wrong("12.3", "has shape (2, 5)", lambda seed, k, n: drawn(seed * 1_000_000 + k, n).T)
table.wrong("12.3", "torch.float64", lambda seed, k, n: drawn(10**6 * seed + k, n).double())
table.wrong("12.3", "a `return` missing", lambda seed, k, n: None)


# 12.4: a factor

for guess in (52, 52.5, torch.tensor(50.0), np.float32(56)):
    table.right("12.4", guess)
table.wrong("12.4", "growth of the side", 4)
table.wrong("12.4", "convolutions alone", 16)
table.wrong("12.4", "attention alone", 256)
table.wrong("12.4", "cube of the side", 64)
table.wrong("12.4", "inverse", 1 / 52.5)
table.wrong("12.4", "does not repeat", 33.9)
table.wrong("12.4", "Fit a n + b n^2", 100)
table.wrong("12.4", "finite number", "fifty")
table.wrong("12.4", "finite number", math.nan)


@table.right("12.3")
def transposed(seed, k, n):
    return torch.randn(2, n, generator=torch.Generator().manual_seed(seed * 1_000_000 + k)).T


@table.wrong("12.3", "one stream of noise")
def out_of_one_stream(seed, k, n):
    return drawn(seed, (k + 1) * n)[k * n :]


@table.wrong("12.3", "one stream of noise")
def skipping_the_shards_before(seed, k, n):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(k):
        torch.randn(n, 2, generator=generator)
    return torch.randn(n, 2, generator=generator)


table.wrong("12.2", "of the largest part alone", lambda g, n: g[int(n.argmax())])
table.wrong(
    "12.3", "points of a shard are repeated", lambda s, k, n: drawn(s * 10**6 + k, 1).expand(n, 2)
)


test_right, test_wrong, test_there_are_enough = table.tests()
