import math

import numpy as np
import pytest
import scipy.integrate
import torch
from tables import Table
from torch.func import jacfwd, jacrev, jvp, vjp, vmap

import rfteach as rf

# The forward mode of PyTorch 2.13 uses a part that it calls deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")

table = Table(7)


# 7.1: the straightness of the flow to one blob

V = 0.4 * math.pi
table.right("7.1", 1.6 - V)
table.right("7.1", 0.35)
table.right("7.1", torch.tensor(0.3434))
table.right("7.1", np.float64(0.33))
table.wrong("7.1", "their speed changes", 0.0)
table.wrong("7.1", "That is V", V)
table.wrong("7.1", "S + V together", 1.6)
table.wrong("7.1", "cost of the flow's own pairs. ", 0.72)
table.wrong("7.1", "cost of the independent pairs", 2.32)
table.wrong("7.1", "must go off, too", 2.32 - V)
table.wrong("7.1", "not E||Z1||^2", 2.32 - 0.32 - V)
table.wrong("7.1", "V counts both coordinates", 1.6 - V / 2)
table.wrong("7.1", "not s^2", 1.6 - 0.16 * math.pi)
table.wrong("7.1", "one of the two coordinates", (1.6 - V) / 2)
table.wrong("7.1", "By Theorem 5", 1.39)  # the chapter's own figure
table.wrong("7.1", "should be a finite number", "1.6 - 0.4 pi")


# 7.2: other_field(x, t)

M, WIDTH = torch.tensor([1.0, -0.5]), 0.4


def best(x, t):
    """The field v* of the exercise."""
    t = t[:, None]
    slope = (t * WIDTH**2 - (1 - t)) / ((1 - t) ** 2 + t**2 * WIDTH**2)
    return M + slope * (x - t * M)


def quarter_turn(x):
    return torch.stack([-x[:, 1], x[:, 0]], dim=1)


def with_extra(extra):
    """Make an answer that adds `extra(offset, t, variance)` to v*, with t of shape (batch, 1)."""

    def other_field(x, t):
        clock = t[:, None]
        variance = (1 - clock) ** 2 + clock**2 * WIDTH**2
        return best(x, t) + extra(x - clock * M, clock, variance)

    return other_field


@table.right("7.2")
def turning(x, t):
    v = rf.mixture_velocity(rf.GaussianMixture(M[None], torch.tensor([WIDTH])))(x, t)
    return v + 0.5 * quarter_turn(x - t[:, None] * M)


@table.right("7.2")
def of_turned_pairs(x, t):
    # X1 = m + s J X0 with the quarter turn J is normal, and so is X_t, with the same variance.
    J = torch.tensor([[0.0, -1.0], [1.0, 0.0]]).to(x)
    eye, clock = torch.eye(2).to(x), t[:, None, None]
    start = torch.linalg.solve((1 - clock) * eye + clock * WIDTH * J, x - t[:, None] * M)
    return M + start @ (WIDTH * J - eye).T


table.right("7.2", with_extra(lambda d, t, var: torch.sin(3 * t) * quarter_turn(d)))
table.right("7.2", with_extra(lambda d, t, var: -quarter_turn(d) * (d**2).sum(dim=1, keepdim=True)))
table.right("7.2", with_extra(lambda d, t, var: quarter_turn(d) / (1 + d.norm(dim=1)[:, None])))
table.right("7.2", with_extra(lambda d, t, var: quarter_turn(d) * (d.norm(dim=1) < 0.7)[:, None]))


@table.right("7.2")
def along_other_lines_than_circles(x, t):
    # div(p h) = 0 for p h = J grad(p g) with any g, here with g = sin(2 x_1).
    def extra(d, clock, variance):
        g = torch.sin(2 * d[:, :1])
        slope = torch.cat([2 * torch.cos(2 * d[:, :1]), torch.zeros_like(g)], dim=1)
        return quarter_turn(slope - g * d / variance)

    return with_extra(extra)(x, t)


def once(x, t):
    return with_extra(lambda d, clock, variance: quarter_turn(d))(x, t)


@table.wrong("7.2", "run away to infinity")
def with_paths_that_run_away(x, t):
    # div(p h) = 0 for p h = J grad(p q); on the line b = 0, h = 0.3 a^2 outward.
    def extra(d, clock, variance):
        a, b = d[:, :1], d[:, 1:]
        q = 0.3 * a**2 * b
        return torch.cat([0.3 * a**2 - q * b / variance, -0.6 * a * b + q * a / variance], dim=1)

    return with_extra(extra)(x, t)


table.wrong("7.2", "this is v* itself", best)
table.wrong("7.2", "this is v* itself", with_extra(lambda d, t, var: 0.01 * quarter_turn(d)))
table.wrong("7.2", "at time t is t m", lambda x, t: best(x, t) + quarter_turn(x))
table.wrong("7.2", "at time t is t m", lambda x, t: best(x, t) + 2 * quarter_turn(x - M))
table.wrong(
    "7.2",
    "at time t is t m",
    lambda x, t: best(x, t) + quarter_turn(x - (1 - t)[:, None] * M),
)
table.wrong("7.2", "moves the mean", lambda x, t: 1.5 * best(x, t))
table.wrong("7.2", "moves the mean", lambda x, t: best(x, t) + 0.3)
table.wrong("7.2", "moves the mean", lambda x, t: best(x, t) - M)
table.wrong("7.2", "moves the mean", lambda x, t: -best(x, t))
table.wrong("7.2", "moves the mean", lambda x, t: M - x)
table.wrong(
    "7.2",
    "not at the same speed all around",
    with_extra(lambda d, t, var: d[:, :1] * quarter_turn(d)),
)
table.wrong(
    "7.2",
    "varies too quickly",
    with_extra(lambda d, t, var: torch.sin(200 * d.norm(dim=1))[:, None] * quarter_turn(d)),
)
table.right(
    "7.2", with_extra(lambda d, t, var: torch.sin(5 * d.norm(dim=1))[:, None] * quarter_turn(d))
)
table.wrong("7.2", "width of the cloud otherwise", with_extra(lambda d, t, var: 0.5 * d))
table.wrong("7.2", "width of the cloud otherwise", lambda x, t: M + x - t[:, None] * M)


@table.wrong("7.2", "width of the cloud otherwise")
def straight_to_the_blob(x, t):
    t = t[:, None]
    return M + (WIDTH - 1) * (x - t * M) / (1 - t + t * WIDTH)


@table.wrong("7.2", "width of the cloud otherwise")
def with_the_wrong_slope(x, t):
    t = t[:, None]
    variance = (1 - t) ** 2 + t**2 * WIDTH**2
    return M + (t * WIDTH - (1 - t)) / variance * (x - t * M) + quarter_turn(x - t * M)


table.wrong("7.2", "shape of the cloud", with_extra(lambda d, t, var: d.flip(1)))  # no quarter turn
table.wrong(
    "7.2", "shape of the cloud", with_extra(lambda d, t, var: d * torch.tensor([1.0, -1.0]))
)
table.wrong(
    "7.2",
    "shape of the cloud",
    with_extra(lambda d, t, var: torch.cat([d[:, 1:], torch.zeros_like(d[:, 1:])], dim=1)),
)
table.wrong(
    "7.2",
    "shape of the cloud",
    with_extra(lambda d, t, var: quarter_turn(d) * torch.tensor([2.0, 1.0])),
)
table.wrong(
    "7.2",
    "finer shape",
    with_extra(lambda d, t, var: d * (rf.squared_norm(d)[:, None] / var - 4)),
)
table.wrong(
    "7.2",
    "finer shape",
    with_extra(lambda d, t, var: quarter_turn(d) * torch.cos(4 * torch.atan2(*d.T))[:, None]),
)
table.wrong(
    "7.2",
    "finer shape",
    with_extra(lambda d, t, var: quarter_turn(d) * torch.sin(4 * torch.atan2(*d.T))[:, None]),
)
table.wrong("7.2", "moves the mean", lambda x, t: (M - x) / (1 - t[:, None]) + quarter_turn(x))
table.wrong("7.2", "RuntimeError", lambda x, t: best(x, t) + quarter_turn(x - t * M))
table.wrong("7.2", "has dtype torch.float32", lambda x, t: once(x, t).float())
table.wrong("7.2", "is on meta", lambda x, t: once(x, t).to("meta"))
table.wrong("7.2", "has shape (2,)", lambda x, t: once(x, t).mean(dim=0))


@table.wrong("7.2", "in place")
def over_the_points(x, t):
    v = best(x, t)
    x -= t[:, None] * M
    return v + quarter_turn(x)


# 7.3: acceleration(velocity, x, t)


def one_by_one(velocity):
    """Make the velocity of one point (2,) at one time ()."""
    return lambda place, time: velocity(place[None], time[None])[0]


@table.right("7.3")
def by_one_jvp(velocity, x, t):
    return jvp(velocity, (x, t), (velocity(x, t), torch.ones(len(t), dtype=t.dtype)))[1]


@table.right("7.3")
def by_jacobians(velocity, x, t):
    J = vmap(jacrev(one_by_one(velocity)))(x, t)
    in_time = vmap(jacfwd(one_by_one(velocity), argnums=1))(x, t)
    return in_time + torch.einsum("bij,bj->bi", J, velocity(x, t))


@table.right("7.3")
def by_autograd(velocity, x, t):
    x, t = (each.clone().requires_grad_() for each in (x, t))
    v = velocity(x, t)
    columns = []
    for k in range(2):
        gx, gt = torch.autograd.grad(
            v[:, k].sum(), (x, t), retain_graph=True, materialize_grads=True
        )
        columns.append((gx * v).sum(dim=1) + gt)
    return torch.stack(columns, dim=1)


def along_the_path(velocity, x, t, dt, moves=1.0, passes=1.0):
    """Return the velocity a moment later."""
    return velocity(x + moves * dt * velocity(x, t), t + passes * dt)


@table.right("7.3")
def by_a_forward_difference(velocity, x, t):
    return (along_the_path(velocity, x, t, 1e-3) - velocity(x, t)) / 1e-3


@table.right("7.3")
def by_a_central_difference(velocity, x, t):
    ahead, behind = (along_the_path(velocity, x.double(), t.double(), dt) for dt in (1e-4, -1e-4))
    return ((ahead - behind) / 2e-4).to(x)


def directed(direction):
    """Make an answer that differentiates in the direction `direction(v, x, t)`."""

    def acceleration(velocity, x, t):
        return jvp(velocity, (x, t), direction(velocity(x, t), x, t))[1]

    return acceleration


def parts(combine):
    """Make an answer from the velocity, its derivative in time, and its matrix of derivatives."""

    def acceleration(velocity, x, t):
        single = one_by_one(velocity)
        return combine(velocity(x, t), vmap(jacrev(single, 1))(x, t), vmap(jacrev(single))(x, t))

    return acceleration


ones, zeros = torch.ones_like, torch.zeros_like
table.wrong("7.3", "at a fixed place", directed(lambda v, x, t: (zeros(x), ones(t))))
table.wrong("7.3", "because it moves", directed(lambda v, x, t: (v, zeros(t))))
table.wrong("7.3", "add up", directed(lambda v, x, t: (-v, ones(t))))
table.wrong(
    "7.3", "takes the one in t off", parts(lambda v, dt, J: (J @ v[:, :, None])[:, :, 0] - dt)
)
table.wrong("7.3", "passes at the speed 1", directed(lambda v, x, t: (v, t)))
table.wrong("7.3", "moves by v", directed(lambda v, x, t: (x, ones(t))))
table.wrong("7.3", "moves by v", directed(lambda v, x, t: (ones(x), ones(t))))
table.wrong("7.3", "transposed", parts(lambda v, dt, J: dt + torch.einsum("bji,bj->bi", J, v)))
table.wrong(
    "7.3",
    "derivative in t is missing",
    lambda velocity, x, t: vjp(lambda z: velocity(z, t), x)[1](velocity(x, t))[0],
)
table.wrong("7.3", "This is the velocity.", lambda velocity, x, t: velocity(x, t))


@table.wrong("7.3", "multiply from the left")
def by_autograd_along_v(velocity, x, t):
    x, t = x.clone().requires_grad_(), t.clone().requires_grad_()
    v = velocity(x, t)
    in_place, in_time = torch.autograd.grad(v, (x, t), grad_outputs=v.detach())
    return in_place + in_time[:, None]


table.wrong("7.3", "opposite sign", directed(lambda v, x, t: (-v, -ones(t))))
table.wrong("7.3", "diagonal of J", parts(lambda v, dt, J: dt + J.diagonal(dim1=1, dim2=2) * v))
table.wrong("7.3", "has shape (200,)", lambda *given: by_one_jvp(*given).norm(dim=1))
table.wrong("7.3", "has shape ()", lambda *given: by_one_jvp(*given).square().sum(1).mean().sqrt())
table.wrong("7.3", "has shape (200, 2, 2)", parts(lambda v, dt, J: J))
table.wrong("7.3", "of type tuple", lambda velocity, x, t: jvp(velocity, (x, t), (x, ones(t))))
table.wrong("7.3", "has dtype torch.float32", lambda *given: by_one_jvp(*given).float())
table.wrong("7.3", "is on meta", lambda *given: by_one_jvp(*given).to("meta"))


@table.wrong("7.3", "mixes the components")
def by_the_gradient_of_the_sum(velocity, x, t):
    x, t = x.clone().requires_grad_(), t.clone().requires_grad_()
    v = velocity(x, t)
    gx, gt = torch.autograd.grad(v.sum(), (x, t))
    return gt[:, None] + gx * v


def difference(dt, over, **how):
    """Make an answer of the velocity's difference over `dt`, divided by `over`."""
    return lambda velocity, x, t: (
        (along_the_path(velocity, x, t, dt, **how) - velocity(x, t)) / over
    )


table.wrong("7.3", "at a fixed place", difference(1e-3, 1e-3, moves=0.0))
table.wrong("7.3", "because it moves", difference(1e-3, 1e-3, passes=0.0))
table.wrong("7.3", "divide the difference", difference(1e-4, 1))
table.wrong("7.3", "divide the difference", difference(1e-3, 1))
table.wrong("7.3", "divided by 2h", difference(1e-3, 2e-3))
table.wrong("7.3", "about 1e-3", difference(0.1, 0.1))
table.wrong("7.3", "about 1e-3", difference(3e-7, 3e-7))


@table.wrong("7.3", "divided by 2h")
def by_half_a_central_difference(velocity, x, t):
    sides = [along_the_path(velocity, x, t, step) for step in (1e-3, -1e-3)]
    return (sides[0] - sides[1]) / 1e-3


@table.wrong("7.3", "in place")
def by_moving_the_points(velocity, x, t):
    v = velocity(x, t)
    x += 1e-3 * v
    return (velocity(x, t + 1e-3) - v) / 1e-3


# 7.4: crossing(rho)


@table.right("7.4")
def by_an_arccosine(rho):
    return torch.sqrt(torch.tensor(1 - rho**2)) * torch.arccos(torch.tensor(rho))


@table.right("7.4")
def by_an_angle(rho):
    alpha = np.arccos(rho)
    return np.sin(alpha) * alpha


@table.right("7.4")
def by_an_arctangent(rho):
    return 2 * math.sqrt(1 - rho**2) * math.atan(math.sqrt((1 - rho) / (1 + rho)))


@table.right("7.4")
def by_quadrature(rho):
    width = lambda t: (1 - t) ** 2 + t**2 + 2 * t * (1 - t) * rho  # noqa: E731
    return scipy.integrate.quad(lambda t: (1 - rho**2) / width(t), 0, 1)[0]


def root(rho):
    return math.sqrt(1 - rho**2)


table.wrong("7.4", "the mean square of X1 - X0", lambda rho: 2 * (1 - rho))
table.wrong("7.4", "gives an arccosine", root)
table.wrong("7.4", "the root of 1 - rho^2", math.acos)
table.wrong("7.4", "the integral depends on rho", lambda rho: math.pi / 2 * root(rho))
table.wrong("7.4", "the conditional variance at t = 0.", lambda rho: 1 - rho**2)
table.wrong("7.4", "q runs from -1 to 1", lambda rho: root(rho) * math.acos(rho) / 2)
table.wrong("7.4", "dt is dq / 2", lambda rho: root(rho) * math.acos(rho) * 2)
table.wrong("7.4", "0 for independent pairs", lambda rho: root(rho) * math.asin(rho))
table.wrong("7.4", "sign of rho", lambda rho: root(rho) * math.acos(-rho))
table.wrong("7.4", "V of independent pairs", lambda rho: math.pi / 2)
table.wrong("7.4", "Right for rho = 0", lambda rho: math.pi / 2 * (1 - rho))
table.wrong("7.4", "Right for rho = 0", lambda rho: math.pi / 2 * (1 - rho**2))
table.wrong("7.4", "its root", lambda rho: (1 - rho**2) * math.acos(rho))
table.wrong("7.4", "not 1 - rho", lambda rho: (1 - rho) * math.acos(rho))
table.wrong("7.4", "in degrees", lambda rho: root(rho) * math.degrees(math.acos(rho)))
table.wrong("7.4", "should be a finite number", lambda rho: float("nan"))
table.wrong("7.4", "Is a `return` missing?", lambda rho: None)
table.wrong("7.4", "should be a finite number", lambda rho: f"{root(rho) * math.acos(rho):.3f}")
table.wrong("7.4", "must be Tensor, not float", lambda rho: torch.sqrt(1 - rho**2))
table.wrong("7.4", "crossing(0.3) should be", lambda rho: round(root(rho) * math.acos(rho), 2))


# What readers of the book answered


def outward(d, var):
    """Return the velocity of a source at the center: p h has no divergence elsewhere."""
    r2 = rf.squared_norm(d)[:, None]
    return 0.05 * d / r2 * torch.exp(r2 / 2 / var)


def stirring(d, var, k):
    """Return a velocity with p h = 0.3 J grad(p sin(k x_1)): the cloud stays as it is."""
    wave, slope = torch.sin(k * d[:, :1]), k * torch.cos(k * d[:, :1])
    along = torch.cat([slope, torch.zeros_like(slope)], dim=1) - wave * d / var
    return 0.3 * quarter_turn(along)


def sideways(d, var):
    """Return a velocity with p h constant along the first axis, which nothing holds back."""
    along = torch.exp(d[:, 1:] ** 2 / 2 / var)
    return torch.cat([torch.zeros_like(along), along], dim=1)


table.wrong("7.2", "without bounds", with_extra(lambda d, t, var: sideways(d, var)))
table.wrong("7.2", "without bounds", with_extra(lambda d, t, var: outward(d, var)))
table.wrong("7.2", "to v*, alone", lambda x, t: quarter_turn(x - t[:, None] * M))
table.wrong("7.2", "from call to call", lambda x, t: once(x, t) + torch.randn_like(x))
table.wrong("7.2", "varies too quickly", with_extra(lambda d, t, var: stirring(d, var, 16.0)))
table.right("7.2", with_extra(lambda d, t, var: stirring(d, var, 5.0)))
table.right("7.2", with_extra(lambda d, t, var: ((t > 0.31) & (t < 0.34)) * quarter_turn(d)))


@table.wrong("7.3", "requires_grad_")
def with_gradients_of_the_caller_on(velocity, x, t):
    x.requires_grad_()
    return by_one_jvp(velocity, x, t).detach()


@table.wrong("7.3", "`allow_unused=True, materialize_grads=True`")
def where_each_field_depends_on_both(velocity, x, t):
    x, t = (each.clone().requires_grad_() for each in (x, t))
    v = velocity(x, t)
    grads = [torch.autograd.grad(v[:, k].sum(), (x, t), retain_graph=True) for k in range(2)]
    return torch.stack([(gx * v).sum(dim=1) + gt for gx, gt in grads], dim=1)


@table.wrong("7.3", "close to the acceleration, but not equal")
def with_times_held_in_the_unit_interval(velocity, x, t, h=1e-2):
    v, late, early = velocity(x, t), (t + h).clamp(max=1), (t - h).clamp(min=0)
    return (velocity(x + h * v, late) - velocity(x - h * v, early)) / (2 * h)


table.wrong("7.3", "drowns in rounding", difference(1e-7, 1e-7))
table.wrong("7.3", "drowns in rounding", difference(1e-10, 1e-10))
table.wrong("7.3", "1.05 times what it should be", lambda *given: 1.05 * by_one_jvp(*given))
table.wrong("7.4", "positive rho only", lambda rho: root(rho) * math.acos(abs(rho)))
table.wrong("7.4", "does not divide", lambda rho: math.acos(rho) / root(rho))
table.wrong("7.4", "Here c is a root", lambda rho: 2 * root(rho) * math.atan((1 - rho) / (1 + rho)))
table.wrong("7.4", "The sign is wrong", lambda rho: -root(rho) * math.acos(rho))
table.right("7.4", lambda rho: float(f"{root(rho) * math.acos(rho):.4g}"))

table.wrong(
    "7.3",
    "one time, or one mean, taken for all",
    lambda v, x, t: jvp(v, (x, t), (v(x, t[0].expand(len(t))), ones(t)))[1],
)
table.wrong("7.1", "its root, s = 0.4", 0.137)
table.wrong("7.1", "never below 0", -0.343)
table.wrong("7.1", "V of one coordinate", 0.628)
table.wrong("7.1", "cost of the flow counts both", 0.703)
table.wrong("7.1", "root of S", 0.586)
table.wrong("7.4", "V is what remains", lambda rho: 2 * (1 - rho) - root(rho) * math.acos(rho))
table.wrong("7.4", "lines cross", lambda rho: 0)


test_right, test_wrong, test_there_are_enough = table.tests()
