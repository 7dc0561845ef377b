import torch
from tables import Table, column, on_the_last_axis

table = Table(18)


# 18.1: decoder_input(x, scaling, shift)


@table.right("18.1")
def as_in_diffusers(x, scaling, shift):
    return (x / scaling) + shift


@table.right("18.1")
def with_one_fraction(x, scaling, shift):
    return (x + scaling * shift) / scaling


table.wrong("18.1", "as it is", lambda x, scaling, shift: x)
table.wrong("18.1", "encoder's side", lambda x, scaling, shift: (x - shift) * scaling)
table.wrong("18.1", "divides by it", lambda x, scaling, shift: x * scaling + shift)
table.wrong("18.1", "comes back last", lambda x, scaling, shift: (x + shift) / scaling)
table.wrong("18.1", "Add it back", lambda x, scaling, shift: x / scaling - shift)
table.wrong("18.1", "shift is missing", lambda x, scaling, shift: x / scaling)
table.wrong("18.1", "scaling is missing", lambda x, scaling, shift: x + shift)
table.wrong("18.1", "at the end", lambda x, scaling, shift: (x - shift) / scaling)
table.wrong("18.1", "divides by it", lambda x, scaling, shift: (x + shift) * scaling)


# 18.2: the time at which the signal takes over

table.right("18.2", 0.154)
table.right("18.2", 0.18215 / 1.18215)
table.right("18.2", 0.15)
table.wrong("18.2", "standard deviation 1", 0.5)
table.wrong("18.2", "share of noise", 0.846)
table.wrong("18.2", "Solve for t", 0.182)
table.wrong("18.2", "between 0 and 1", 5.49)
table.wrong("18.2", "variance with width", 0.0321)
table.wrong("18.2", "percentage", 15.4)
table.wrong("18.2", "between 0 and 1", -0.154)
table.wrong("18.2", "two widths equal", 0.3)


# 18.3: to_unit(velocity, s, x, t)


@table.right("18.3")
def by_the_formula(velocity, s, x, t):
    c = column((1 - t) + t / s, x)
    told = t / (t + s * (1 - t))
    return ((1 / s - 1) * x + velocity(x / c, told) / s) / c


@table.right("18.3")
def multiplied_by_s(velocity, s, x, t):
    d = s * (1 - t) + t
    return ((1 - s) * x + velocity(x * column(s / d, x), t / d)) / column(d, x)


def wrong_unit(hint, way):
    def answer(velocity, s, x, t):
        c = 1 - t + t / s
        return way(velocity, s, x, t, column(c, x), t / s / c)

    table.wrong("18.3", hint, answer)


wrong_unit(
    "put 1 / s",
    lambda v, s, x, t, c, told: (
        ((s - 1) * x + s * v(x / column(1 - t + s * t, x), s * t / (1 - t + s * t)))
        / column(1 - t + s * t, x)
    ),
)
wrong_unit("Nothing has changed", lambda v, s, x, t, c, told: v(x, t))
wrong_unit("only at the end", lambda v, s, x, t, c, told: v(x, t) / s)
wrong_unit("The clock must be", lambda v, s, x, t, c, told: s * v(x, t))
wrong_unit("convert the time", lambda v, s, x, t, c, told: ((1 / s - 1) * x + v(x / c, t) / s) / c)
wrong_unit("divided by c", lambda v, s, x, t, c, told: ((1 / s - 1) * x + v(x, told) / s) / c)
wrong_unit("slope is missing", lambda v, s, x, t, c, told: v(x / c, told) / s / c)
wrong_unit("different speeds", lambda v, s, x, t, c, told: (1 / s - 1) * x / c + c * v(x / c, told))
wrong_unit("shape (batch,)", lambda v, s, x, t, c, told: v(x / c, told[:, None]))


wrong_unit(
    "wrong way",
    lambda v, s, x, t, c, told: ((1 / s - 1) * x + v(x / c, s * t / (1 - t + s * t)) / s) / c,
)
wrong_unit(
    "turned the wrong way: divide",
    lambda v, s, x, t, c, told: ((1 / s - 1) * x + v(x * c, told) / s) / c,
)
wrong_unit("All of it is divided", lambda v, s, x, t, c, told: (1 / s - 1) * x + v(x / c, told) / s)
wrong_unit("velocity term", lambda v, s, x, t, c, told: (1 / s - 1) * x / c + v(x / c, told) / s)
wrong_unit("not two", lambda v, s, x, t, c, told: ((1 / s - 1) * x / c + v(x / c, told) / s) / c)
wrong_unit(
    "factor of the velocity", lambda v, s, x, t, c, told: ((1 / s - 1) * x + v(x / c, told)) / c
)
wrong_unit(
    "factor of the velocity", lambda v, s, x, t, c, told: ((1 / s - 1) * x + s * v(x / c, told)) / c
)
wrong_unit(
    "sign of the slope", lambda v, s, x, t, c, told: ((1 - 1 / s) * x + v(x / c, told) / s) / c
)
wrong_unit("result must be converted", lambda v, s, x, t, c, told: v(x / c, told))
wrong_unit("neither 1 nor s", lambda v, s, x, t, c, told: v(s * x, t) / s)
wrong_unit(
    "Once is enough",
    lambda v, s, x, t, c, told: ((1 / s - 1) * x + (v(x / c, told) + v(x / c, told)) / 2 / s) / c,
)


wrong_unit("The clock is right", lambda v, s, x, t, c, told: v(x, told))
wrong_unit(
    "stands at c x there.",
    lambda v, s, x, t, c, told: (column(1 - told + s * told, x) * v(x, told) - (s - 1) * x) / s,
)
wrong_unit(
    "another time",
    lambda v, s, x, t, c, told: (column(1 - t + s * t, x) * v(x, t) - (s - 1) * x) / s,
)


@table.right("18.3")
def solved_backwards(velocity, s, x, t):
    own = t / (t + s * (1 - t))
    c = column(1 - own + s * own, x)
    return (c * velocity(c * x, own) - (s - 1) * c * x) / s


@table.wrong("18.3", "wrong axis")
def on_another_axis(velocity, s, x, t):
    told = t / s / (1 - t + t / s)
    c = on_the_last_axis(1 - t + t / s, x)
    return ((1 / s - 1) * x + velocity(x / c, told) / s) / c


# 18.4: best_error(variances, k, noise)


@table.right("18.4")
def sum_of_both(variances, k, noise):
    kept = variances[:k]
    return (kept * noise**2 / (kept + noise**2)).sum() + variances[k:].sum()


@table.right("18.4")
def all_but_what_is_explained(variances, k, noise):
    explained = [float(v) ** 2 / (float(v) + noise**2) for v in variances[:k]]
    return float(variances.sum()) - sum(explained)


def wrong_error(hint, way):
    table.wrong("18.4", hint, lambda v, k, noise: way(v[:k], v[k:].sum(), k, noise, noise**2))


wrong_error("plain decoder", lambda kept, left, k, noise, sq: k * sq + left)
wrong_error("without noise", lambda kept, left, k, noise, sq: left)
wrong_error("ignores all", lambda kept, left, k, noise, sq: kept.sum() + left)
wrong_error("Add them", lambda kept, left, k, noise, sq: (kept * sq / (kept + sq)).sum())
wrong_error("still explain", lambda kept, left, k, noise, sq: (kept**2 / (kept + sq)).sum() + left)
wrong_error(
    "Its square", lambda kept, left, k, noise, sq: (kept * noise / (kept + noise)).sum() + left
)
wrong_error(
    "not their mean", lambda kept, left, k, noise, sq: (kept * sq / (kept + sq)).mean() + left
)


wrong_error("shrinks each number", lambda kept, left, k, noise, sq: k * noise + left)
wrong_error(
    "noise that comes through",
    lambda kept, left, k, noise, sq: (kept / (kept + sq)).pow(2).sum() * sq + left,
)
wrong_error(
    "shrinking loses",
    lambda kept, left, k, noise, sq: ((sq / (kept + sq)) ** 2 * kept).sum() + left,
)
wrong_error(
    "not its root", lambda kept, left, k, noise, sq: ((kept * sq / (kept + sq)).sum() + left).sqrt()
)


def with_factor(kept, sq, factor):
    return ((1 - factor) ** 2 * kept + factor**2 * sq).sum()


wrong_error(
    "One factor for all",
    lambda kept, left, k, noise, sq: (
        with_factor(kept, sq, kept.sum() / (kept.sum() + k * sq)) + left
    ),
)
wrong_error(
    "not of widths",
    lambda kept, left, k, noise, sq: (
        with_factor(kept, sq, kept.sqrt() / (kept.sqrt() + noise)) + left
    ),
)
for top in (1, 2):
    wrong_error(
        "squares already",
        lambda kept, left, k, noise, sq, top=top: (
            with_factor(kept, sq, kept**top / (kept**2 + sq)) + left
        ),
    )
wrong_error(
    "squares already",
    lambda kept, left, k, noise, sq: (kept * sq / (kept**2 + sq)).sum() + left,
)


def of(variances, k, noise):
    kept, sq = variances[:k], noise**2
    return (kept * sq / (kept + sq)).sum() + variances[k:].sum()


table.wrong("18.4", "the first 2", lambda v, k, noise: of(v, k + 1, noise))
table.wrong("18.4", "Do not square them", lambda v, k, noise: of(v**2, k, noise))
table.wrong("18.4", "not their mean", lambda v, k, noise: of(v, k, noise) / len(v))
table.wrong("18.4", "not sent", lambda v, k, noise: of(v, k, noise) + (len(v) - k) * noise**2)


@table.wrong("18.4", "knows nothing")
def all_of_them(variances, k, noise):
    return torch.sum(variances * noise**2 / (variances + noise**2))


def by_both_ends(place, clock=lambda told, t, s: told, join=lambda noise, data: data - noise):
    """Make an answer to 18.3 that finds both ends of the other flow's line."""

    def answer(v, s, x, t, c, told):
        at = clock(told, t, s)
        u, time = v(place(x, t, s, c), at), column(at, x)
        start = place(x, t, s, c)
        return join(start - time * u, (start + (1 - time) * u) / s)

    return answer


wrong_unit("the mean of the data", by_both_ends(lambda x, t, s, c: x / c, join=lambda e, d: d))
wrong_unit("convert the time", by_both_ends(lambda x, t, s, c: x / c, lambda told, t, s: t))
wrong_unit("turned the wrong way: divide", by_both_ends(lambda x, t, s, c: x * c))
wrong_unit("by nothing else", by_both_ends(lambda x, t, s, c: x / s))
wrong_unit(
    "in c and in the clock",
    by_both_ends(
        lambda x, t, s, c: x / column(1 - t + s * t, x), lambda told, t, s: s * t / (1 - t + s * t)
    ),
)
wrong_unit("alone is right only", lambda v, s, x, t, c, told: v(x / c, told) / s)
wrong_error(
    "sum of the factors", lambda kept, left, k, noise, sq: (kept / (kept + sq)).sum() + left
)
table.wrong(
    "18.4",
    "`variances[k]`",
    lambda v, k, noise: of(v, k, noise) - (v[k] if k < len(v) else noise),
)


wrong_unit("Row", lambda v, s, x, t, c, told: by_one_time(v, s, x, t))


def by_one_time(velocity, s, x, t):
    c = 1 - t[0] + t[0] / s
    told = (t[0] / s / c).expand(len(x))
    return ((1 / s - 1) * x + velocity(x / c, told) / s) / c


wrong_error(
    "as it is or not at all", lambda kept, left, k, noise, sq: kept.clamp(max=sq).sum() + left
)


test_right, test_wrong, test_there_are_enough = table.tests()
