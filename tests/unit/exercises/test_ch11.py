import math

import torch
from tables import Table, column, on_the_last_axis

import rfteach as rf

table = Table(11)


# 11.1: density(t, a)


def bent(t, a):
    return t**a / (t**a + (1 - t) ** a)


@table.right("11.1")
def by_the_logits(t, a):
    u = bent(t, 1 / a)
    return u * (1 - u) / (a * t * (1 - t))


@table.right("11.1")
def by_the_quotient(t, a):
    b = 1 / a
    top = b * (t * (1 - t)) ** (b - 1)
    return top / (t**b + (1 - t) ** b) ** 2


@table.right("11.1")
def by_autograd(t, a):
    t = t.clone().requires_grad_()
    return torch.autograd.grad(bent(t, 1 / a).sum(), t)[0]


@table.right("11.1")
def by_the_logistic_density(t, a):
    y = torch.logit(t) / a
    return torch.sigmoid(y) * torch.sigmoid(-y) / a / (t - t**2)


table.wrong("11.1", "distribution function", lambda t, a: bent(t, 1 / a))
table.wrong("11.1", "the sampler itself", bent)
table.wrong("11.1", "This is dt/du", lambda t, a: 1 / by_the_logits(t, a))
table.wrong("11.1", "of the way back", lambda t, a: by_the_logits(t, 1 / a))
table.wrong("11.1", "that leads to t", lambda t, a: 1 / by_the_logits(t, 1 / a))
table.wrong("11.1", "A factor is missing", lambda t, a: a * by_the_logits(t, a))
table.wrong("11.1", "stands below", lambda t, a: a**2 * by_the_logits(t, a))
table.wrong("11.1", "slope of logit(t)", lambda t, a: a * t * (1 - t) * by_the_logits(t, a) / a)
table.wrong("11.1", "are exchanged", lambda t, a: 1 / by_the_logits(t, a) / a**2)
table.wrong("11.1", "slope of logit(u)", lambda t, a: 1 / (a * t * (1 - t)))
table.wrong("11.1", "logarithm", lambda t, a: by_the_logits(t, a).log())
table.wrong("11.1", "at the time t = 0.001", lambda t, a: by_the_logits(t, a).clamp(max=2))
table.wrong(
    "11.1", "a clamp, or a small constant", lambda t, a: by_the_logits(t.clamp(min=0.01), a)
)
table.wrong(
    "11.1",
    "uniform, so its logit",
    lambda t, a: (
        torch.exp(-torch.logit(t).square() / 2 / a**2) / (2 * math.pi) ** 0.5 / (a * t * (1 - t))
    ),
)
table.wrong(
    "11.1", "divides by the mean", lambda t, a: by_the_logits(t, a) / by_the_logits(t, a).mean()
)
table.wrong("11.1", "density of u", lambda t, a: torch.ones_like(t))
table.wrong("11.1", "has shape ()", lambda t, a: by_the_logits(t, a).mean())
table.wrong("11.1", "a `return` missing", lambda t, a: None)
table.wrong("11.1", "off by up to", lambda t, a: torch.ones_like(t) / a + t / 7)


# 11.2: flux_times(steps, patches)


def line(patches):
    return 0.5 + 0.65 * (patches - 256) / 3840


@table.right("11.2")
def with_the_package(steps, patches):
    return rf.shift_times(torch.linspace(0, 1, steps + 1), math.exp(line(patches)))


@table.right("11.2")
def as_in_their_code(steps, patches):
    sigma = torch.linspace(1, 0, steps + 1)
    slope = (1.15 - 0.5) / (4096 - 256)
    mu = slope * patches + 0.5 - slope * 256
    return 1 - math.exp(mu) / (math.exp(mu) + (1 / sigma - 1))


@table.right("11.2")
def in_the_logit(steps, patches):
    t = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    return torch.sigmoid(torch.logit(t) - line(patches))


@table.right("11.2")
def in_plain_python(steps, patches):
    alpha = math.exp(line(patches))
    levels = [1 - i / steps for i in range(steps + 1)]
    return torch.tensor([1 - alpha * s / (1 + (alpha - 1) * s) for s in levels])


def shifted(shift):
    return lambda steps, n: rf.shift_times(torch.linspace(0, 1, steps + 1), shift(n))


def clamped(n):
    return line(min(max(n, 256), 4096))


table.wrong("11.2", "wrong way", shifted(lambda n: math.exp(-line(n))))
table.wrong("11.2", "noise levels sigma", lambda steps, n: 1 - with_the_package(steps, n))
table.wrong("11.2", "wrong way", lambda steps, n: (1 - with_the_package(steps, n)).flip(0))
table.wrong("11.2", "not shifted", shifted(lambda n: 1))
table.wrong("11.2", "takes mu as the shift", shifted(line))
table.wrong("11.2", "shifted twice", shifted(lambda n: math.exp(2 * line(n))))
table.wrong("11.2", "ends are exchanged", shifted(lambda n: math.exp(1.65 - line(n))))
table.wrong("11.2", "straight line beyond", shifted(lambda n: math.exp(clamped(n))))
table.wrong(
    "11.2", "its logarithm", shifted(lambda n: math.exp(0.5 + 0.65 * math.log(n / 256, 16)))
)
table.wrong("11.2", "its root", shifted(lambda n: math.exp(0.5 + 0.65 * (n**0.5 - 16) / 48)))
table.wrong("11.2", "not 0", shifted(lambda n: math.exp(line(n) - 0.5)))
table.wrong("11.2", "the last 1", lambda steps, n: with_the_package(steps, n)[:-1])
table.wrong("11.2", "type list", lambda steps, n: with_the_package(steps, n).tolist())
table.wrong("11.2", "shift = inf", shifted(lambda n: torch.tensor(line(n**2)).exp().item()))
table.wrong("11.2", "This takes 10 to the power", shifted(lambda n: 10 ** line(n)))
table.wrong("11.2", "not the side of the image", shifted(lambda n: math.exp(line(n**0.5))))
table.wrong("11.2", "fixed shift 3", shifted(lambda n: 3.0))
table.wrong("11.2", "Check the straight line", shifted(lambda n: math.exp(0.5 + 0.65 * n / 4096)))
table.wrong("11.2", "off by up to", shifted(lambda n: (n / 256) ** 0.5))


# 11.3: guided_between(velocity, condition, nothing, scale, start, stop)


def both_of(velocity, condition, nothing, x, t):
    two = torch.cat([condition, nothing])
    return velocity(torch.cat([x, x]), torch.cat([t, t]), condition=two).chunk(2)


def between(combine, inside=lambda t, a, b: (a <= t) & (t < b), shape=column):
    """Make an answer of how to combine the velocities told and free, and where."""

    def answer(velocity, condition, nothing, scale, start, stop):
        def v(x, t):
            told, free = both_of(velocity, condition, nothing, x, t)
            where = shape(inside(t, start, stop), x)
            return torch.where(where, *combine(told, free, scale))

        return v

    return answer


def guide(told, free, w):
    return free + w * (told - free)


table.right("11.3", between(lambda told, free, w: (guide(told, free, w), told)))


@table.right("11.3")
def by_the_scale(velocity, condition, nothing, scale, start, stop):
    def v(x, t):
        told, free = both_of(velocity, condition, nothing, x, t)
        w = torch.ones_like(t)
        w[(t >= start) & (t < stop)] = scale
        return (1 - column(w, x)) * free + column(w, x) * told

    return v


@table.right("11.3")
def half_of_it_outside(velocity, condition, nothing, scale, start, stop):
    guided = rf.guided(velocity, condition, nothing, scale=scale)

    def v(x, t):
        inside = (start <= t) & (t < stop)
        if not inside.any():
            return velocity(x, t, condition=condition)
        if inside.all():
            return guided(x, t)
        free, told = both_of(velocity, nothing, condition, x, t)
        return torch.where(column(inside, x), free + scale * (told - free), told)

    return v


def wrong_mix(hint, combine, **settings):
    table.wrong("11.3", hint, between(combine, **settings))


def sound(told, free, w):
    return guide(told, free, w), told


wrong_mix("Inside and outside", lambda told, free, w: (told, guide(told, free, w)))
wrong_mix("condition still holds", lambda told, free, w: (guide(told, free, w), free))
wrong_mix("not 0", lambda told, free, w: (guide(told, free, w), 0 * told))
wrong_mix("are guided. Guide in", lambda told, free, w: (guide(told, free, w),) * 2)
wrong_mix("No row of this batch", lambda told, free, w: (told, told))
wrong_mix("does not look", lambda told, free, w: (free, free))
wrong_mix("first half of the batch", lambda told, free, w: (guide(free, told, w), free))
wrong_mix("toward the condition", lambda told, free, w: (guide(free, told, w), told))
wrong_mix("scale + 1", lambda told, free, w: (told + w * (told - free), told))
wrong_mix("missing in the sum", lambda told, free, w: (w * (told - free), told))
wrong_mix("scales the velocity", lambda told, free, w: (w * told, told))
wrong_mix("start <= t < stop", sound, inside=lambda t, a, b: (a < t) & (t <= b))
wrong_mix("t < stop", sound, inside=lambda t, a, b: (a <= t) & (t <= b))
wrong_mix("1 - t, the noise level", sound, inside=lambda t, a, b: (a <= 1 - t) & (1 - t < b))
wrong_mix("should end at `stop`", sound, inside=lambda t, a, b: a <= t)
wrong_mix("should begin at `start`", sound, inside=lambda t, a, b: t < b)


@table.wrong("11.3", "in each call anew")
def with_the_mask_of_the_first_call(velocity, condition, nothing, scale, start, stop):
    memory = {}

    def v(x, t):
        told, free = both_of(velocity, condition, nothing, x, t)
        w = memory.setdefault("w", torch.where((start <= t) & (t < stop), scale, 1.0).to(x))
        return free + column(w, x) * (told - free)

    return v


wrong_mix("start <= t", sound, inside=lambda t, a, b: (a < t) & (t < b))
wrong_mix(
    "row by its own time", sound, inside=lambda t, a, b: ((a <= t) & (t < b))[:1].expand(len(t))
)
wrong_mix(
    "row by its own time", sound, inside=lambda t, a, b: ((a <= t) & (t < b)).any().expand(len(t))
)
wrong_mix("wrong axis", sound, shape=on_the_last_axis)


@table.wrong("11.3", "calls the network 2 times")
def in_two_calls(velocity, condition, nothing, scale, start, stop):
    def v(x, t):
        told, free = velocity(x, t, condition=condition), velocity(x, t, condition=nothing)
        return torch.where(column((start <= t) & (t < stop), x), guide(told, free, scale), told)

    return v


@table.wrong("11.3", "Return a velocity")
def evaluated_at_once(velocity, condition, nothing, scale, start, stop):
    return scale


@table.wrong("11.3", "one time for")
def times_once(velocity, condition, nothing, scale, start, stop):
    two = torch.cat([condition, nothing])
    return lambda x, t: velocity(torch.cat([x, x]), t, condition=two).chunk(2)[0]


@table.wrong("11.3", "without labels")
def unconditional(velocity, condition, nothing, scale, start, stop):
    return lambda x, t: velocity(x, t)


@table.wrong("11.3", "leave them integers")
def mean_of_the_conditions(velocity, condition, nothing, scale, start, stop):
    mixed = nothing + scale * (condition - nothing)
    return lambda x, t: velocity(x, t, condition=mixed)


# 11.4: edit(model, image, noise, strength, steps)


def walk(model, z, levels, length, clock=lambda s: 1000 * s, sign=-1):
    with torch.no_grad():
        for s in levels:
            z = z + sign * length * model(z, z.new_full((len(z),), clock(s)))
    return z


def down(strength, steps):
    return [strength * (1 - i / steps) for i in range(steps)]


def mixed(image, noise, strength):
    return (1 - strength) * image + strength * noise


@table.right("11.4")
def by_hand(model, image, noise, strength, steps):
    return walk(model, mixed(image, noise, strength), down(strength, steps), strength / steps)


@table.right("11.4")
@torch.no_grad()
def by_levels(model, image, noise, strength, steps):
    sigmas = torch.linspace(strength, 0, steps + 1, dtype=image.dtype)
    z = torch.lerp(image, noise, strength)
    for sigma, after in zip(sigmas[:-1], sigmas[1:], strict=True):
        z = z + (after - sigma) * model(z, 1000 * sigma.expand(len(z)))
    return z


@table.right("11.4")
def by_our_solver(model, image, noise, strength, steps):
    t0 = 1 - strength
    velocity = rf.velocity_from_sd3(model)

    def rest(x, s):  # the rest of the way, told as a way of its own from 0 to 1
        return strength * velocity(x, t0 + strength * s)

    return rf.euler(rest, mixed(image, noise, strength), steps=steps, keep="end").end


def wrong_walk(hint, **settings):
    def answer(model, image, noise, strength, steps):
        start, levels, length = mixed(image, noise, strength), down(strength, steps), None
        length = strength / steps
        return walk(model, start, levels, length, **settings)

    table.wrong("11.4", hint, answer)


wrong_walk("points from data to noise", sign=1)
wrong_walk("clock is turned", clock=lambda s: 1000 * (1 - s))
wrong_walk("both those of our velocity", clock=lambda s: 1000 * (1 - s), sign=1)
wrong_walk("was told sigma", clock=lambda s: s)
wrong_walk("was told t", clock=lambda s: 1 - s)


@table.wrong("11.4", "from pure noise, so")
def nothing_of_the_image(model, image, noise, strength, steps):
    return walk(model, noise, down(1, steps), 1 / steps)


@table.wrong("11.4", "Mix it with the image")
def noise_alone(model, image, noise, strength, steps):
    return walk(model, noise, down(strength, steps), strength / steps)


@table.wrong("11.4", "without noise")
def image_alone(model, image, noise, strength, steps):
    return walk(model, image, down(strength, steps), strength / steps)


@table.wrong("11.4", "share of the *noise*")
def weights_exchanged(model, image, noise, strength, steps):
    return walk(model, mixed(noise, image, strength), down(strength, steps), strength / steps)


@table.wrong("11.4", "its full weight")
def noise_on_top(model, image, noise, strength, steps):
    return walk(model, image + strength * noise, down(strength, steps), strength / steps)


@table.wrong("11.4", "too long")
def long_steps(model, image, noise, strength, steps):
    return walk(model, mixed(image, noise, strength), down(strength, steps), 1 / steps)


@table.wrong("11.4", "from 1 down")
def clock_from_one(model, image, noise, strength, steps):
    return walk(model, mixed(image, noise, strength), down(1, steps), strength / steps)


@table.wrong("11.4", "level at its end")
def late(model, image, noise, strength, steps):
    levels = [s - strength / steps for s in down(strength, steps)]
    return walk(model, mixed(image, noise, strength), levels, strength / steps)


@table.wrong("11.4", "stands still")
def one_level(model, image, noise, strength, steps):
    return walk(model, mixed(image, noise, strength), [strength] * steps, strength / steps)


@table.wrong("11.4", "fewer of them")
def as_their_pipeline(model, image, noise, strength, steps):
    fewer = int(strength * steps)
    level = fewer / steps
    return walk(model, mixed(image, noise, level), down(1, steps)[steps - fewer :], 1 / steps)


@table.wrong("11.4", "A step is missing")
def one_step_short(model, image, noise, strength, steps):
    levels = down(strength, steps)[:-1]
    return walk(model, mixed(image, noise, strength), levels, strength / steps)


@table.wrong("11.4", "model was not used")
def only_mixed(model, image, noise, strength, steps):
    return mixed(image, noise, strength)


@table.wrong("11.4", "one time for each")
def with_a_number(model, image, noise, strength, steps):
    return model(mixed(image, noise, strength), 1000 * strength)


@table.wrong("11.4", "what a gradient would need")
def with_gradients(model, image, noise, strength, steps):
    z = mixed(image, noise, strength)
    for s in down(strength, steps):
        z = z - strength / steps * model(z, z.new_full((len(z),), 1000 * s))
    return z


@table.wrong("11.4", "in place")
@torch.no_grad()
def over_the_image(model, image, noise, strength, steps):
    image.lerp_(noise, strength)
    return walk(model, image, down(strength, steps), strength / steps)


table.wrong("11.1", "denominator of the map is lost", lambda t, a: t ** (1 / a - 1) / a)
table.wrong("11.1", "factor 1 - u is missing", lambda t, a: bent(t, 1 / a) / (a * t * (1 - t)))


def from_levels(shift):
    """Make an answer to 11.2 from what it makes of the levels sigma and of alpha."""
    return lambda steps, n: 1 - shift(torch.linspace(1, 0, steps + 1), math.exp(line(n)))


table.wrong("11.2", "a - 1, not a", from_levels(lambda s, a: a * s / (1 + a * s)))
table.wrong("11.2", "takes a power", from_levels(lambda s, a: s ** (1 / a)))

wrong_mix("the other way", lambda told, free, w: (free - w * (told - free), told))
wrong_mix("multiplies the difference", lambda told, free, w: (free + w * told, told))
wrong_mix("scale - 1", lambda told, free, w: (guide(told, free, w - 1), told))
wrong_mix("how long it lasts", sound, inside=lambda t, a, b: (a <= t) & (t < a + b))


@table.wrong("11.3", "not those of its rows")
def with_each_time_twice_in_a_row(velocity, condition, nothing, scale, start, stop):
    def v(x, t):
        two, times = torch.cat([condition, nothing]), t.repeat_interleave(2)
        told, free = velocity(torch.cat([x, x]), times, condition=two).chunk(2)
        where = column((start <= t) & (t < stop), x)
        return torch.where(where, guide(told, free, scale), told)

    return v


wrong_walk("are rounded", clock=lambda s: round(1000 * s))


@table.wrong("11.4", "run upward")
def from_zero_up(model, image, noise, strength, steps):
    levels = [strength * i / steps for i in range(steps)]
    return walk(model, mixed(image, noise, strength), levels, strength / steps)


@table.wrong("11.4", "Ask where they are")
def always_asked_at_the_start(model, image, noise, strength, steps):
    start = mixed(image, noise, strength)
    return walk(lambda z, s: model(start, s), start, down(strength, steps), strength / steps)


@table.wrong("11.4", "need not be whole")
def with_whole_timesteps(model, image, noise, strength, steps):
    told = lambda z, s: model(z, s.long())  # noqa: E731
    return walk(told, mixed(image, noise, strength), down(strength, steps), strength / steps)


test_right, test_wrong, test_there_are_enough = table.tests()
