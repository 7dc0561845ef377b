"""The widget of chapter 16: its traits, the steered flow that it shows, and its still picture."""

from __future__ import annotations

import math
from typing import Any

import anywidget
import torch
import traitlets as t
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from rfteach import figures
from rfteach._distributions import GaussianMixture
from rfteach._exact import mixture_velocity
from rfteach._solvers import euler
from rfteach._steering import steered
from rfteach._velocity import Velocity
from rfteach._widgets.front_end import css, esm
from rfteach._widgets.moment import Time, points_at
from rfteach._widgets.still import with_picture

PULLS = ["naive", "by time", "jacobian"]
RANGES = {"angle": (0.0, 180.0), "error": (0.05, 0.5), "scale": (0.0, 1.0)}
FIRST = ("measured", "angle", "error", "pull", "scale", "steps", "time")  # what Reset brings back


class SteeringPlayground(anywidget.AnyWidget):
    """A flow that is steered to a measurement; `rfteach.steering_playground` makes it.

    All traits below can be read and set in the kernel, and linked to other ipywidgets.

    Attributes:
        measured: the measured value, of the coordinate along the direction; at most as far from 0
            as the plane that is shown reaches.
        angle: the direction, in degrees, 0 to 180: that of the first coordinate is 0, that of the
            second one 90.
        error: standard deviation of the error of the measurement, 0.05 to 0.5.
        pull: "naive", "by time" (`steered` with the spread of data that are N(0, I)), or
            "jacobian".
        scale: what the pull is multiplied by, 0 to 1.
        steps: number N of Euler steps, 1 to 100.
        seed: of the noise, 0 to 999.
        time: the time t that is shown, 0 to 1.
        paths, posterior: whether to draw paths of 12 particles, and points of the posterior.
        results: what the page measured: "energy distance" from the ends to the posterior, and the
            mean and width of the measured coordinate, of the "ends" and of the "posterior". Written
            by the page, with None for what is not finite.
    """

    _esm = esm("steering.js")
    _css = css()
    _mixture = t.Dict().tag(sync=True)
    _particles = t.Int(1000).tag(sync=True)
    _limit = t.Float(3.0).tag(sync=True)
    _colors = t.Dict().tag(sync=True)
    _first = t.Dict().tag(sync=True)

    measured = t.Float(1.2).tag(sync=True)
    angle = t.Float(0.0).tag(sync=True)
    error = t.Float(0.2).tag(sync=True)
    pull = t.Enum(PULLS, "naive").tag(sync=True)
    scale = t.Float(1.0).tag(sync=True)
    steps = t.Int(50, min=1, max=100).tag(sync=True)
    seed = t.Int(0, min=0, max=999).tag(sync=True)
    time = Time().tag(sync=True)
    paths = t.Bool(False).tag(sync=True)
    posterior = t.Bool(True).tag(sync=True)
    results = t.Dict().tag(sync=True)

    def __init__(self, **state):
        names = ("source", "target", "line", "1-RF")
        super().__init__(_colors={name: figures.COLORS[name] for name in names}, **state)
        self._first = {name: getattr(self, name) for name in FIRST}

    @t.validate("measured", "angle", "error", "scale")
    def _is_in_range(self, proposal: dict) -> float:
        value, trait = proposal["value"], proposal["trait"].name
        low, high = RANGES.get(trait, (-self._limit, self._limit))
        if not low <= value <= high:  # written so that NaN is refused
            raise t.TraitError(f"{trait} = {value}, but it must be from {low} to {high}")
        return value

    @property
    def mixture(self) -> GaussianMixture:
        """The data, in double precision on the CPU."""
        return GaussianMixture(**{name: _exactly(part) for name, part in self._mixture.items()})

    @property
    def direction(self) -> Float[Tensor, "2"]:
        """The unit vector along which is measured."""
        angle = math.radians(self.angle)
        return _exactly([math.cos(angle), math.sin(angle)])

    @property
    def velocity(self) -> Velocity:
        """The steered velocity that the page follows: `steered` with the exact velocity."""
        spread: Any = {"naive": None, "by time": _by_time, "jacobian": "jacobian"}[self.pull]
        measured, error, h = self.measured, self.error, self.direction

        def guide(end, apply=lambda u: 0 * u):
            along = h.to(end)
            variance = error**2 + apply(along.expand_as(end)) @ along
            return -((measured - end @ along) ** 2) / (2 * variance)

        return steered(mixture_velocity(self.mixture), guide, scale=self.scale, spread=spread)

    def sample_posterior(
        self, n: int, *, generator: torch.Generator | None = None
    ) -> Float[Tensor, "n 2"]:
        """Draw from the exact law of the data given the measurement, shape (n, 2), on the CPU.

        The weight of a Gaussian is multiplied by the bell of its measurement. Within it, a point
        and a pretended measurement of it are drawn, and the point is moved by the share
        s^2 / (s^2 + error^2) of what was misread.
        """
        mixture, h = self.mixture, self.direction
        how: Any = {"generator": generator, "dtype": torch.float64, "device": "cpu"}
        variance = mixture.stds**2 + self.error**2
        fit = (self.measured - mixture.means @ h) ** 2 / variance + variance.log()
        weights = torch.softmax(mixture.weights.log() - fit / 2, dim=0)
        kind = torch.multinomial(weights, n, replacement=True, generator=generator)
        x = mixture.means[kind] + mixture.stds[kind, None] * torch.randn(n, 2, **how)
        misread = self.measured - (x @ h + self.error * torch.randn(n, **how))
        return x + (mixture.stds[kind] ** 2 / variance[kind] * misread)[:, None] * h

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        """Describe the widget to Jupyter, with a picture for pages without scripts."""
        return with_picture(super()._repr_mimebundle_(**kwargs), self, steering_picture)


def _exactly(values: list) -> Tensor:
    """Return numbers as the page has them: in double precision."""
    return torch.tensor(values, dtype=torch.float64, device="cpu")


def _by_time(time: Float[Tensor, " batch"]) -> Float[Tensor, " batch"]:
    """Return the width of an end given X_t, were the data N(0, I)."""
    return (1 - time) / ((1 - time) ** 2 + time**2).sqrt()


def steering_picture(widget: SteeringPlayground) -> tuple[Figure, str]:
    """Draw the band of the measurement, the posterior, and the particles over it."""
    generator = torch.Generator("cpu").manual_seed(widget.seed)
    start = torch.randn(widget._particles, 2, generator=generator, dtype=torch.float64)
    flow = euler(widget.velocity, start, steps=widget.steps)
    name = f"{widget.pull}: the flow, steered"
    figure, (ax,) = figures.planes([name], limit=widget._limit, size=3.5)
    h = widget.direction
    across, reach = torch.stack([-h[1], h[0]]), 3 * widget._limit
    edges = [widget.measured * h + k * 2 * widget.error * h for k in (-1, 1)]
    corners = [edges[0] - reach * across, edges[0] + reach * across]
    corners += [edges[1] + reach * across, edges[1] - reach * across]
    ax.fill(*torch.stack(corners).T.tolist(), color=figures.COLORS["line"], alpha=0.2)
    if widget.posterior:
        points = widget.sample_posterior(widget._particles, generator=generator)
        figures.points(ax, points, "target", size=6)
    figures.points(ax, points_at(flow, widget.time), "1-RF", size=2)
    if widget.paths:
        figures.paths(ax, flow, "1-RF", count=12, ends=False)
    alt = (
        f"A gray band where the coordinate along {widget.angle:g} degrees is {widget.measured:g}, "
        f"give or take {2 * widget.error:g}. Blue: particles of the flow at t = {widget.time:g}, "
        f"steered to it ({widget.pull}, scale {widget.scale:g}, {widget.steps} "
        f"step{'s' * (widget.steps > 1)})."
    )
    return figure, alt + " Orange: the posterior." * widget.posterior
