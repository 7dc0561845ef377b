import numpy as np
import torch
import torch.nn.functional as F
from tables import Table

import rfteach as rf

table = Table(6)


def times(x, t):
    return x.new_full((len(x),), t)


# 6.1: one_step(velocity, z0)


@table.right("6.1")
@torch.no_grad()
def as_in_the_chapter(velocity, z0):
    return z0 + velocity(z0, torch.zeros(len(z0)))


@table.right("6.1")
def by_the_solver(velocity, z0):
    return rf.euler(velocity, z0, steps=1, keep="end").end


@table.right("6.1")
@torch.inference_mode()
def as_a_loop_of_one(velocity, z0):
    z, steps = z0.clone(), 1
    for i in range(steps):
        z += velocity(z, times(z, i / steps)) / steps
    return z


@table.right("6.1")
def detached_in_the_end(velocity, z0):
    return torch.add(z0, velocity(z0, z0.flatten(1)[:, 0] * 0)).detach()


def step_at(t):
    """Make an answer that takes the velocity at another time."""
    return torch.no_grad()(lambda velocity, z0: z0 + velocity(z0, times(z0, t)))


def by(solver, steps):
    return lambda velocity, z0: solver(velocity, z0, steps=steps).end


@table.wrong("6.1", "velocity was not used")
@torch.no_grad()
def loop_without_a_step(velocity, z0):
    for t in torch.linspace(0, 1, 1)[:-1]:
        z0 = z0 + velocity(z0, t.expand(len(z0)))
    return z0


@table.wrong("6.1", "two steps")
@torch.no_grad()
def both_posts_as_steps(velocity, z0):
    for t in (0.0, 0.5):
        z0 = z0 + velocity(z0, times(z0, t)) / 2
    return z0


@table.wrong("6.1", "midpoint")
@torch.no_grad()
def by_the_midpoint(velocity, z0):
    half = z0 + velocity(z0, times(z0, 0.0)) / 2
    return z0 + velocity(half, times(z0, 0.5))


@table.wrong("6.1", "looked at the velocity 2 times")
@torch.no_grad()
def with_a_call_to_look_at_the_shape(velocity, z0):
    t = torch.zeros(len(z0))
    step = torch.empty_like(velocity(z0, t))
    step.copy_(velocity(z0, t))
    return z0 + step


@table.wrong("6.1", "looked at the velocity 2 times")
@torch.no_grad()
def as_two_whole_steps(velocity, z0):
    for t in (0.0, 1.0):
        z0 = z0 + velocity(z0, times(z0, t))
    return z0


@table.wrong("6.1", "in place")
@torch.no_grad()
def over_the_noise(velocity, z0):
    z0 += velocity(z0, torch.zeros(len(z0)))
    return z0


@table.wrong("6.1", "points of shape (4, 30)")
@torch.no_grad()
def of_flat_images(velocity, z0):
    flat = z0.flatten(1)
    return (flat + velocity(flat, torch.zeros(len(z0)))).reshape(z0.shape)


table.wrong("6.1", "t = 1", step_at(1.0))
table.wrong("6.1", "t = 1/2", step_at(0.5))
table.wrong("6.1", "The velocity was taken at t = 0.001", step_at(1e-3))
table.wrong(
    "6.1",
    "The velocity was taken at t = 0.",
    torch.no_grad()(lambda velocity, z0: z0 + velocity(z0, torch.rand(len(z0)))),
)
table.wrong("6.1", "Heun's method", by(rf.heun, 1))
table.wrong("6.1", "looked at the velocity 4 times", by(rf.rk4, 1))
table.wrong("6.1", "looked at the velocity 100 times", by(rf.euler, 100))
table.wrong(
    "6.1", "This is the velocity", lambda velocity, z0: velocity(z0, times(z0, 0.0)).detach()
)
table.wrong("6.1", "backward", lambda velocity, z0: z0 - velocity(z0, times(z0, 0.0)))
table.wrong("6.1", "backward", lambda velocity, z0: z0 - velocity(z0, times(z0, 1.0)))
table.wrong(
    "6.1", "what a gradient would need", lambda velocity, z0: z0 + velocity(z0, times(z0, 0.0))
)
table.wrong("6.1", "takes tensors", lambda velocity, z0: z0 + velocity(z0, 0.0))
table.wrong(
    "6.1", "one time for each point", lambda velocity, z0: z0 + velocity(z0, torch.zeros(1))
)
table.wrong(
    "6.1",
    "one time for each point",
    lambda velocity, z0: z0 + velocity(z0, z0.new_zeros(len(z0), 1)),
)
table.wrong(
    "6.1",
    "has dtype torch.float32",
    lambda velocity, z0: as_in_the_chapter(velocity, z0).float(),
)
table.wrong("6.1", "on meta", lambda velocity, z0: as_in_the_chapter(velocity, z0).to("meta"))
table.wrong(
    "6.1",
    "has shape (2,)",
    lambda velocity, z0: as_in_the_chapter(velocity, z0).mean(dim=0),
)


@table.wrong("6.1", "Times need not be whole")
@torch.no_grad()
def with_whole_times(velocity, z0):
    return z0 + velocity(z0, torch.zeros(len(z0), dtype=torch.long))


# 6.2: jump_loss(student, z0, z1)


@table.right("6.2")
def as_the_loss_of_chapter_3(student, z0, z1):
    return rf.velocity_matching_loss(student, z0, z1, z0.new_zeros(len(z0)))


@table.right("6.2")
def by_a_norm(student, z0, z1):
    miss = z0 + student(z0, torch.zeros(len(z0))) - z1
    return torch.linalg.vector_norm(miss.reshape(len(z0), -1), dim=1).pow(2).mean()


@table.right("6.2")
def by_the_library(student, z0, z1):
    landed = z0 + student(z0, times(z0, 0.0))
    return F.mse_loss(landed, z1, reduction="sum") / len(z0)


@table.right("6.2")
def by_one_point_at_a_time(student, z0, z1):
    jump = z0 + student(z0, times(z0, 0.0))
    return sum((a - b).square().sum() for a, b in zip(jump, z1, strict=True)) / len(z0)


def miss(student, z0, z1, t=0.0):
    return z1 - z0 - student(z0, times(z0, t))


def squares(x):
    return x.flatten(1).square().sum(dim=1)


def reduced(reduce):
    return lambda student, z0, z1: reduce(miss(student, z0, z1))


table.wrong("6.2", "mean over all entries", reduced(lambda d: d.square().mean()))
table.wrong(
    "6.2",
    "mean over all entries",
    lambda student, z0, z1: F.mse_loss(z0 + student(z0, times(z0, 0.0)), z1),
)
table.wrong("6.2", "sum over the batch", reduced(lambda d: d.square().sum()))
table.wrong("6.2", "mean of the norms", reduced(lambda d: squares(d).sqrt().mean()))
table.wrong("6.2", "absolute values", reduced(lambda d: d.abs().flatten(1).sum(dim=1).mean()))
table.wrong("6.2", "first axis of the event", reduced(lambda d: d.square().sum(dim=1).mean()))
table.wrong("6.2", "last axis of the event", reduced(lambda d: d.square().sum(dim=-1).mean()))
table.wrong("6.2", "factor 1/2", reduced(lambda d: squares(d).mean() / 2))
table.wrong("6.2", "mean error", reduced(lambda d: d.mean(dim=0).square().sum()))
table.wrong("6.2", "one loss for each point", reduced(squares))
table.wrong("6.2", "it must train", reduced(lambda d: squares(d).mean().item()))
table.wrong("6.2", "no gradient", torch.no_grad()(reduced(lambda d: squares(d).mean())))
table.wrong("6.2", "no gradient", reduced(lambda d: squares(d.detach()).mean()))
table.wrong("6.2", "opposite sign", reduced(lambda d: -squares(d).mean()))
table.wrong("6.2", "The loss is None", reduced(lambda d: None))
table.right("6.2", reduced(lambda d: squares(d).mean().float()))
table.wrong("6.2", "has dtype torch.int64", reduced(lambda d: squares(d).mean().long()))
table.wrong(
    "6.2", "summed and then squared", reduced(lambda d: d.flatten(1).sum(1).square().mean())
)
table.wrong("6.2", "on meta", reduced(lambda d: squares(d).mean().to("meta")))


def against(target):
    """Make an answer that holds the student's velocity against `target(z0, z1)`."""
    return lambda student, z0, z1: squares(student(z0, times(z0, 0.0)) - target(z0, z1)).mean()


table.wrong("6.2", "a place. It is added", against(lambda z0, z1: z1))
table.wrong("6.2", "A sign is wrong", against(lambda z0, z1: z0 - z1))
table.wrong("6.2", "sign of z0", against(lambda z0, z1: z0 + z1))
table.wrong(
    "6.2",
    "at t = 1 on average",
    lambda student, z0, z1: squares(miss(student, z0, z1, 1.0)).mean(),
)
table.wrong(
    "6.2", "fed z1", lambda student, z0, z1: squares(z1 - z0 - student(z1, times(z0, 0.0))).mean()
)
table.wrong(
    "6.2",
    "takes tensors",
    lambda student, z0, z1: squares(z1 - z0 - student(z0, 0.0)).mean(),
)


@table.wrong("6.2", "will only ever be asked at t = 0")
def the_loss_of_reflow(student, z0, z1):
    t = torch.rand(len(z0))
    between = t.reshape(-1, *[1] * (z0.ndim - 1))
    xt = (1 - between) * z0 + between * z1
    return squares(z1 - z0 - student(xt, t)).mean()


@table.wrong("6.2", "called 2 times")
def with_two_calls(student, z0, z1):
    t = torch.zeros(len(z0))
    assert student(z0, t).shape == z1.shape
    return squares(z1 - z0 - student(z0, t)).mean()


@table.wrong("6.2", "called 2 times")
def over_two_steps(student, z0, z1):
    half = z0 + student(z0, times(z0, 0.0)) / 2
    return squares(z1 - half - student(half, times(z0, 0.5)) / 2).mean()


@table.wrong("6.2", "called 0 times")
def without_the_student(student, z0, z1):
    return squares(z1 - z0).mean()


@table.wrong("6.2", "points of shape (7, 60)")
def of_flat_pairs(student, z0, z1):
    z0, z1 = z0.flatten(1), z1.flatten(1)
    return squares(miss(student, z0, z1)).mean()


@table.wrong("6.2", "in place")
def over_the_ends(student, z0, z1):
    z1 -= z0
    return squares(z1 - student(z0, times(z0, 0.0))).mean()


# 6.3: a model and a number of steps

table.right("6.3", ("2-RF", 1))
table.right("6.3", ["2-RF", 1.0])
table.right("6.3", ("2-RF", torch.tensor(1)))
table.right("6.3", (np.str_("2-RF"), np.int64(1)))
table.wrong("6.3", "1-RF with 32 steps takes 41.2", ("1-RF", 32))
table.wrong("6.3", "1-RF with 32 steps takes 41.2", ("1-RF", torch.tensor(32)))
table.wrong("6.3", "1-RF with 16 steps is at 0.157", ("1-RF", 16))
table.wrong("6.3", "1-RF with 1 step is at 0.94", ("1-RF", 1))
table.wrong("6.3", "3-RF with 1 step takes 36.6", ("3-RF", 1))
table.wrong("6.3", "2-RF with 2 steps takes 24.4", ("2-RF", 2))
table.wrong("6.3", "cannot be run backward", ("1-RF, distilled", 1))
table.wrong("6.3", "cannot be run backward", ("2-RF, distilled", 1))
table.wrong("6.3", "one of '1-RF'; '1-RF, distilled'", ("2-RF", 3))
table.wrong("6.3", "one of '1-RF'; '1-RF, distilled'", ("2-RF", "1"))
table.wrong("6.3", "one of '1-RF'; '1-RF, distilled'", ("4-RF", 1))
table.wrong("6.3", "Give the model first", (1, "2-RF"))
table.wrong("6.3", "Give a model and a number", "2-RF")
table.wrong("6.3", "Give a model and a number", ("2-RF", 1, 0.15))


# 6.4: halving_target(teacher, x, t, h)


@table.right("6.4")
def by_both_steps(teacher, x, t, h):
    assert (t + 2 * h <= 1).all()
    end = x
    for i in range(2):
        end = end + h * teacher(end, t + i * h)
    return (end - x) / (2 * h)


@table.right("6.4")
@torch.no_grad()
def by_the_mean(teacher, x, t, h):
    first = teacher(x, t)
    return torch.stack([first, teacher(torch.add(x, first, alpha=h), t.add(h))]).mean(dim=0)


@table.right("6.4")
def with_three_calls(teacher, x, t, h):
    return 0.5 * teacher(x, t) + 0.5 * teacher(x + h * teacher(x, t), t + h)


def from_velocities(combine, place=1, time=1):
    """Make an answer from both velocities; the second is taken `place`, `time` steps ahead."""

    def halving_target(teacher, x, t, h):
        first = teacher(x, t)
        return combine(first, teacher(x + place * h * first, t + time * h), h, x)

    return halving_target


def mean(first, second, h, x):
    return (first + second) / 2


table.wrong("6.4", "Divide the whole way by 2h", from_velocities(lambda a, b, h, x: a + b))
table.wrong("6.4", "This is the way that", from_velocities(lambda a, b, h, x: h * (a + b)))
table.wrong("6.4", "Divide by 2h", from_velocities(lambda a, b, h, x: h * (a + b) / 2))
table.wrong("6.4", "Yours starts at x.", from_velocities(mean, place=0))
table.wrong("6.4", "starts at time t + h", from_velocities(mean, time=0))
table.wrong("6.4", "Heun's method", from_velocities(mean, place=2, time=2))
table.wrong("6.4", "at time t + h, not t + 2h", from_velocities(mean, time=2))
table.wrong("6.4", "x + h v, not x + 2h v", from_velocities(mean, place=2))
table.wrong("6.4", "not x - h v", from_velocities(mean, place=-1))
table.wrong("6.4", "it cancels", from_velocities(lambda a, b, h, x: (a + b) / (2 * h)))
table.wrong("6.4", "second velocity alone", from_velocities(lambda a, b, h, x: b))
table.wrong("6.4", "first velocity alone", lambda teacher, x, t, h: teacher(x, t))
table.wrong("6.4", "a place", from_velocities(lambda a, b, h, x: x + h * (a + b)))
table.wrong("6.4", "opposite sign", from_velocities(lambda a, b, h, x: -mean(a, b, h, x)))
table.wrong(
    "6.4",
    "on average over the batch",
    from_velocities(lambda a, b, h, x: mean(a, b, h, x).mean(dim=0).expand_as(x)),
)
table.wrong("6.4", "has dtype torch.float32", from_velocities(lambda *a: mean(*a).float()))
table.wrong("6.4", "on meta", from_velocities(lambda *a: mean(*a).to("meta")))
table.wrong("6.4", "takes tensors", lambda teacher, x, t, h: teacher(x, 0.5 + h))
table.wrong("6.4", "one time for each point", lambda teacher, x, t, h: teacher(x, t[:, None] + h))
table.wrong(
    "6.4",
    "Yours starts at v, a velocity.",
    lambda teacher, x, t, h: (teacher(x, t) + teacher(teacher(x, t), t + h)) / 2,
)
table.wrong(
    "6.4",
    "Yours starts at x + v.",
    lambda teacher, x, t, h: (teacher(x, t) + teacher(x + teacher(x, t), t + h)) / 2,
)


@table.wrong("6.4", "from x to x'', not from x'")
def from_the_overwritten_start(teacher, x, t, h):
    x = x + h * teacher(x, t)
    end = x + h * teacher(x, t + h)
    return (end - x) / (2 * h)


@table.wrong("6.4", "in place")
def over_the_start(teacher, x, t, h):
    start = x.clone()
    for i in range(2):
        x += h * teacher(x, t + i * h).detach()
    return (x - start) / (2 * h)


@table.wrong("6.4", "in place")
def over_the_times(teacher, x, t, h):
    first = teacher(x, t)
    t += h
    return (first + teacher(x + h * first, t)) / 2


@table.wrong("6.4", "has shape (4,)")
def of_one_point(teacher, x, t, h):
    return by_both_steps(teacher, x, t, h)[0] if len(x) == 4 else by_both_steps(teacher, x, t, h)


# What readers of the book answered

table.wrong("6.1", "stops half way", lambda v, z: (z + 0.5 * v(z, times(z, 0.0))).detach())
table.wrong("6.1", "twice as far", lambda v, z: (z + 2 * v(z, times(z, 0.0))).detach())
table.wrong("6.1", "other points than z0", lambda v, z: (z + v(-z, times(z, 0.0))).detach())
table.wrong("6.1", "t = 1e-05", step_at(1e-5))
table.wrong("6.2", "take the sum", lambda s, z0, z1: F.mse_loss(s(z0, times(z0, 0.0)), z1))
table.wrong("6.2", "root of the loss", reduced(lambda d: squares(d).mean().sqrt()))


@table.wrong("6.2", "Call it once")
def of_one_point_at_a_time(student, z0, z1):
    rows = zip(z0.split(1), z1.split(1), strict=True)
    return torch.cat([squares(miss(student, a, b)) for a, b in rows]).mean()


table.wrong("6.4", "not t + h/2", from_velocities(mean, time=0.5))
table.wrong("6.4", "whole first one", from_velocities(mean, place=0.5, time=0.5))
table.wrong("6.4", "where the first one ended, and", from_velocities(mean, place=0, time=2))
table.wrong("6.4", "A sign is wrong", from_velocities(lambda a, b, h, x: (a - b) / 2))
table.wrong(
    "6.4", "Take off the start", from_velocities(lambda a, b, h, x: (x + h * (a + b)) / 2 / h)
)
table.wrong("6.4", "second velocity alone", lambda teacher, x, t, h: teacher(x, t + h))
table.wrong("6.4", "Divide the whole way", from_velocities(lambda a, b, h, x: 2 * mean(a, b, h, x)))

table.wrong("6.4", "not t - h", from_velocities(mean, time=-1))
table.wrong("6.4", "a place. The student", from_velocities(lambda a, b, h, x: x + 2 * h * b))
table.wrong("6.4", "how fast", from_velocities(lambda a, b, h, x: (b - a) / h))
table.wrong(
    "6.4",
    "x is forgotten",
    lambda teacher, x, t, h: (teacher(x, t) + teacher(h * teacher(x, t), t + h)) / 2,
)


def with_a_turned_clock(way):
    """Make an answer that asks the teacher at 1 - t, and then at a time h further or back."""

    def halving_target(teacher, x, t, h):
        first = teacher(x, 1 - t)
        return (first + teacher(x + h * first, 1 - t + way * h)) / 2

    return halving_target


table.wrong("6.4", "The clock is turned", with_a_turned_clock(1))
table.wrong("6.4", "The clock is turned", with_a_turned_clock(-1))


test_right, test_wrong, test_there_are_enough = table.tests()
