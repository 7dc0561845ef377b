import numpy as np
import torch
from tables import Table

table = Table(10)


def nearest(a, b):
    return torch.cdist(a.flatten(1), b.flatten(1)).min(dim=1).values


# 10.1: nearness(outputs, training, unseen)


@table.right("10.1")
def by_cdist(outputs, training, unseen):
    return nearest(outputs, training) / nearest(unseen, training).median()


@table.right("10.1")
def in_a_loop(outputs, training, unseen):
    def distances(images):
        found = [(training - image).flatten(1).square().sum(dim=1).min() for image in images]
        return torch.stack(found).sqrt()

    return distances(outputs).div(distances(unseen).quantile(0.5, interpolation="lower"))


@table.right("10.1")
def in_a_loop_with_the_usual_median(outputs, training, unseen):
    def nearest_of(images):
        rows = [(training - x).flatten(1).norm(dim=1).min() for x in images]
        return torch.stack(rows)

    return nearest_of(outputs) / torch.quantile(nearest_of(unseen), 0.5)


@table.right("10.1")
def by_the_median_of_numpy(outputs, training, unseen):
    return nearest(outputs, training) / float(np.median(nearest(unseen, training).numpy()))


@table.wrong("10.1", "clamp it at 0")
def by_products_without_a_guard(outputs, training, unseen):
    def near(images):
        a, b = images.flatten(1), training.flatten(1)
        gaps = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * a @ b.T
        return gaps.sqrt().min(dim=1).values

    return near(outputs) / near(unseen).median()


@table.wrong("10.1", "`x.flatten(1)`")
def not_flattened(outputs, training, unseen):
    gaps = [torch.cdist(a, training).min(dim=1).values for a in (outputs, unseen)]
    return gaps[0] / gaps[1].median()


@table.wrong("10.1", "the numbers of rows differ: 6, 9, 7".capitalize())
def over_the_unseen_image_of_the_same_row(outputs, training, unseen):
    return nearest(outputs, training) / nearest(unseen, training)


@table.wrong("10.1", "has shape (9,)")
def from_the_training_set(outputs, training, unseen):
    return nearest(training, outputs) / nearest(unseen, training).median()


@table.wrong("10.1", "has shape ()")
def only_the_nearest(outputs, training, unseen):
    return (nearest(outputs, training) / nearest(unseen, training).median()).min()


@table.wrong("10.1", "Your answer raised")
def of_matching_rows(outputs, training, unseen):
    return (outputs - training).flatten(1).norm(dim=1) / nearest(unseen, training).median()


def ratio(above, below):
    return lambda outputs, training, unseen: (
        above(outputs, training, unseen) / below(outputs, training, unseen)
    )


def own(outputs, training, unseen):
    return nearest(outputs, training)


def unit(outputs, training, unseen):
    return nearest(unseen, training).median()


table.wrong("10.1", "distances themselves", own)
table.wrong(
    "10.1",
    "farthest training image",
    lambda o, t, u: (
        torch.cdist(o.flatten(1), t.flatten(1)).amax(dim=1)
        / torch.cdist(u.flatten(1), t.flatten(1)).amax(dim=1).median()
    ),
)
table.wrong(
    "10.1",
    "mean distance to all",
    lambda o, t, u: (
        torch.cdist(o.flatten(1), t.flatten(1)).mean(dim=1)
        / torch.cdist(u.flatten(1), t.flatten(1)).mean(dim=1).median()
    ),
)
table.wrong("10.1", "upside down", ratio(unit, own))
table.wrong("10.1", "among the unseen", ratio(lambda o, t, u: nearest(o, u), unit))
table.wrong("10.1", "squared", lambda o, t, u: ratio(own, unit)(o, t, u) ** 2)
table.wrong(
    "10.1",
    "to all the training images",
    ratio(lambda o, t, u: torch.cdist(o.flatten(1), t.flatten(1)).mean(dim=1), unit),
)
table.wrong("10.1", "is a mean. Take the median", ratio(own, lambda o, t, u: nearest(u, t).mean()))
table.wrong("10.1", "outputs themselves", ratio(own, lambda o, t, u: own(o, t, u).median()))
table.wrong(
    "10.1", "starts from the training images", ratio(own, lambda o, t, u: nearest(t, u).median())
)
table.wrong("10.1", "dtype", lambda o, t, u: by_cdist(o, t, u).half())


table.wrong("10.1", "largest of the distances", ratio(own, lambda o, t, u: nearest(u, t).max()))
table.wrong(
    "10.1",
    "second nearest",
    lambda o, t, u: (
        torch.cdist(o.flatten(1), t.flatten(1)).kthvalue(2, dim=1).values / unit(o, t, u)
    ),
)
table.wrong("10.1", "This is the difference", lambda o, t, u: own(o, t, u) - unit(o, t, u))


# 10.2: the correlation of Z0 and Z1, from N(0, diag(4, 1)) to the same cloud, turned

table.right("10.2", 0.8)
table.right("10.2", 4 / 5)
table.right("10.2", torch.tensor(0.79))
table.wrong("10.2", "with the true partner. ", 0.0)
table.wrong("10.2", "each coordinate alone", 1)
table.wrong("10.2", "square of it", 0.64)
table.wrong("10.2", "first coordinate is scaled", 0.5)
table.wrong("10.2", "at most 1", 1.25)
table.wrong("10.2", "for both coordinates", 0.4)
table.wrong("10.2", "turned over", -1)
table.wrong("10.2", "Divide it by the scale", 4.0)
table.wrong("10.2", "The run: 0.8", 0.3)
table.wrong("10.2", "finite number", float("nan"))
table.wrong("10.2", "finite number", "0.8")


# 10.3: best_velocity(d, A)


@table.right("10.3")
def by_the_normal_equation(d, A):
    return torch.linalg.solve(A.sum(dim=0), torch.einsum("kij,kj->i", A, d))


@table.right("10.3")
def by_the_inverse(d, A):
    return torch.linalg.inv(A.mean(dim=0)) @ (A @ d.unsqueeze(-1)).squeeze(-1).mean(dim=0)


@table.right("10.3")
def by_least_squares(d, A):
    roots = torch.linalg.cholesky(A.double()).mT  # A = R^T R
    right = (roots @ d.double()[:, :, None]).flatten()
    return torch.linalg.lstsq(roots.flatten(0, 1), right[:, None]).solution[:, 0].to(d.dtype)


def weighted(d, A):
    return torch.einsum("kij,kj->ki", A, d)


table.wrong("10.3", "plain mean", lambda d, A: d.mean(dim=0))
table.wrong("10.3", "mean of A d", lambda d, A: weighted(d, A).mean(dim=0))
table.wrong("10.3", "sum of A d", lambda d, A: weighted(d, A).sum(dim=0))
table.wrong(
    "10.3",
    "the same for both",
    lambda d, A: torch.linalg.solve(A.sum(dim=0), weighted(d, A).mean(dim=0)),
)
table.wrong(
    "10.3",
    "mean of A^-1 d",
    lambda d, A: torch.linalg.solve(A, d[:, :, None]).mean(dim=0)[:, 0],
)
table.wrong(
    "10.3",
    "mean of the inverses",
    lambda d, A: torch.linalg.inv(A).mean(dim=0) @ weighted(d, A).mean(dim=0),
)
table.wrong(
    "10.3",
    "of the first line",
    lambda d, A: torch.linalg.solve(A[0], weighted(d, A).mean(dim=0)),
)


@table.wrong("10.3", "the trace")
def by_one_number_each(d, A):
    weights = torch.einsum("kii->k", A)
    return (weights[:, None] * d).sum(dim=0) / weights.sum()


@table.wrong("10.3", "diagonals")
def by_the_diagonals(d, A):
    weights = torch.einsum("kii->ki", A)
    return (weights * d).sum(dim=0) / weights.sum(dim=0)


def solved(weigh):
    return lambda d, A: torch.linalg.solve(weigh(A).sum(dim=0), weighted(d, weigh(A)).sum(dim=0))


table.wrong("10.3", "by the inverses", solved(torch.linalg.inv))
table.wrong("10.3", "*roots*", solved(lambda A: A @ A))
table.wrong("10.3", "roots of the matrices as weights", solved(torch.linalg.cholesky))
table.wrong("10.3", "the mean of A times the mean", lambda d, A: A.mean(dim=0) @ d.mean(dim=0))
table.wrong(
    "10.3", "entry by entry", lambda d, A: (A * d[:, None]).sum(dim=(0, 1)) / A.sum(dim=(0, 1))
)


@table.wrong("10.3", "the determinant")
def by_the_determinants(d, A):
    weights = torch.linalg.det(A)
    return (weights[:, None] * d).sum(dim=0) / weights.sum()


@table.wrong("10.3", "make more of them")
def by_a_descent_that_stops_early(d, A):
    v, best = torch.zeros_like(d[0]), by_the_inverse(d, A)
    return v + 0.95 * (best - v)  # as after some steps


table.wrong("10.3", "for one line, k = 1", lambda d, A: by_the_inverse(d, A) + weighted(d, A)[0])
table.wrong("10.3", "has shape (3, 2)", lambda d, A: weighted(d, A))
table.wrong("10.3", "opposite sign", lambda d, A: -by_the_inverse(d, A))


# 10.4: pair_by_rank(x0, x1, score)


@table.right("10.4")
def by_two_argsorts(x0, x1, score):
    return x0, x1[score(x1).argsort()][score(x0).argsort().argsort()]


@table.right("10.4")
def by_writing_into_place(x0, x1, score):
    ends = torch.empty_like(x1)
    ends[score(x0).sort().indices] = x1[score(x1).sort().indices]
    return x0, ends


@table.right("10.4")
def by_counting(x0, x1, score):
    a, b = score(x0), score(x1)
    ranks = [(s[:, None] > s[None]).sum(dim=1) for s in (a, b)]
    rows = (ranks[0][:, None] == ranks[1][None]).int().argmax(dim=1)
    return x0.clone(), x1[rows]


@table.wrong("10.4", "both batches are sorted")
def both_sorted(x0, x1, score):
    return x0[score(x0).argsort()], x1[score(x1).argsort()]


@table.wrong("10.4", "Some ends come twice")
def by_the_nearest_score(x0, x1, score):
    return x0, x1[(score(x0)[:, None] - score(x1)).abs().argmin(dim=1)]


@table.wrong("10.4", "run opposite")
def upside_down(x0, x1, score):
    return x0, x1[score(x1).argsort(descending=True)][score(x0).argsort().argsort()]


def dealt(rows):
    return lambda x0, x1, score: (x0, x1[rows(score(x0).argsort(), score(x1).argsort())])


table.wrong("10.4", "in which they came", lambda x0, x1, score: (x0, x1))
table.wrong("10.4", "The ends are sorted, but", dealt(lambda a, b: b))
table.wrong("10.4", "sorts the *starts*", dealt(lambda a, b: a))
table.wrong("10.4", "argsort gives an order", dealt(lambda a, b: b[a]))
table.wrong("10.4", "wrong way round", dealt(lambda a, b: a[b]))
table.wrong("10.4", "Sort the ends", dealt(lambda a, b: a.argsort()))
table.wrong("10.4", "two ends are swapped", lambda x0, x1, score: (x1, x0))
table.wrong("10.4", "Return two things", lambda x0, x1, score: x1)
table.wrong("10.4", "has rank", dealt(lambda a, b: b.roll(1)))
table.wrong("10.4", "the starts come second", lambda *a: by_two_argsorts(*a)[::-1])
table.wrong(
    "10.4", "change from call to call", lambda x0, x1, score: (x0, x1[torch.randperm(len(x1))])
)
table.wrong(
    "10.4",
    "by the first coordinate",
    lambda x0, x1, score: by_two_argsorts(x0, x1, lambda x: x.flatten(1)[:, 0]),
)
table.wrong(
    "10.4",
    "the score is not looked at",
    lambda x0, x1, score: by_two_argsorts(x0, x1, lambda x: x.flatten(1).abs().amax(dim=1)),
)
table.wrong(
    "10.4", "order of the ends", lambda x0, x1, score: (by_two_argsorts(x1, x0, score)[1], x1)
)


@table.wrong("10.4", "in turn took the end with the nearest score")
def greedily(x0, x1, score):
    gap = (score(x0)[:, None] - score(x1)).abs()
    rows = []
    for i in range(len(x0)):
        rows.append(int(gap[i].argmin()))
        gap[:, rows[-1]] = torch.inf
    return x0, x1[rows]


@table.wrong("10.1", "These are whole numbers")
def with_indices(outputs, training, unseen):
    return torch.cdist(outputs.flatten(1), training.flatten(1)).argmin(dim=1)


test_right, test_wrong, test_there_are_enough = table.tests()
