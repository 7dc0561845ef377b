"""The widget of chapter 2: its traits, the field that it shows, and its still picture."""

from __future__ import annotations

from typing import Any

import anywidget
import torch
import traitlets as t
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from rfteach import figures
from rfteach._checks import check_points, check_times
from rfteach._solvers import rk4
from rfteach._widgets.front_end import css, esm
from rfteach._widgets.still import with_picture

LIMIT = 1.8  # the plane shown is [-LIMIT, LIMIT]^2
RANGES = {"blur": (0.05, 0.5), "time": (0.0, 1.0)}


class Crossing(anywidget.AnyWidget):
    """Two kinds of pairs, A and B, whose ends can be dragged; `rfteach.crossing` makes it.

    Half of the pairs are of each kind. Kind k has X0 ~ N(starts[k], blur^2 I) and, independent of
    it, X1 ~ N(ends[k], blur^2 I). All traits below can be read and set in the kernel.

    Attributes:
        starts: where the lines of A and of B start, [[x, y], [x, y]].
        ends: where they end, in the same form.
        blur: standard deviation of each end in each coordinate, 0.05 to 0.5.
        time: the time t that is shown, 0 to 1.
        paths: whether to draw paths of the flow.
        results: what the page shows. "place", where the lines meet on paper; if they do not,
            midway between their points at the time t. "times", at which A and B are where the
            lines meet, or []. "weights" of A and B, and "velocity" v*, at the place at the time t.
            "rewired", how many of the 24 paths end with the other kind. Written by the page.
    """

    _esm = esm("crossing.js")
    _css = css()
    _colors = t.Dict().tag(sync=True)
    _limit = t.Float(LIMIT).tag(sync=True)
    _first = t.Dict().tag(sync=True)  # what Reset brings back

    starts = t.List(t.List(t.Float())).tag(sync=True)
    ends = t.List(t.List(t.Float())).tag(sync=True)
    blur: Any = t.Float(0.2).tag(sync=True)  # hides a method of ipywidgets that nobody needs
    time = t.Float(0.5).tag(sync=True)
    paths = t.Bool(True).tag(sync=True)
    results = t.Dict().tag(sync=True)

    def __init__(self, **state):
        names = ("source", "target", "line", "1-RF")
        super().__init__(_colors={name: figures.COLORS[name] for name in names}, **state)
        self._first = {name: getattr(self, name) for name in ("starts", "ends", "blur", "time")}

    @t.default("starts")
    def _first_starts(self) -> list[list[float]]:
        return [[-1.0, -1.0], [-1.0, 1.0]]

    @t.default("ends")
    def _first_ends(self) -> list[list[float]]:
        return [[1.0, 1.0], [1.0, -1.0]]

    @t.validate("starts", "ends")
    def _are_two_points(self, proposal: dict) -> list[list[float]]:
        value, trait = proposal["value"], proposal["trait"].name
        if len(value) != 2 or any(len(point) != 2 for point in value):
            raise t.TraitError(
                f"{trait} = {value}, but it must be two points [[x, y], [x, y]]: of A and of B"
            )
        for number in sum(value, []):
            if not abs(number) <= LIMIT:  # written so that NaN is refused
                raise t.TraitError(
                    f"{trait} = {value}, but {number} is not in the plane that is shown; choose "
                    f"numbers from -{LIMIT} to {LIMIT}"
                )
        return value

    @t.validate("blur", "time")
    def _is_in_range(self, proposal: dict) -> float:
        value, trait = proposal["value"], proposal["trait"].name
        low, high = RANGES[trait]
        if not low <= value <= high:
            raise t.TraitError(f"{trait} = {value}, but it must be from {low} to {high}")
        return value

    def velocity(
        self, x: Float[Tensor, "batch 2"], t: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch 2"]:
        """Return v*(x, t) = E[X1 - X0 | X_t = x], the field that the widget shows.

        Given its kind k, X_t is Gaussian around the line's point c_k(t), with the variance
        var = blur^2 ((1 - t)^2 + t^2) in each coordinate, and jointly Gaussian with X1 - X0, so

            E[X1 - X0 | X_t = x, k] = b_k - a_k + blur^2 (2t - 1) / var * (x - c_k(t)).

        Bayes' rule weighs the kinds. (Chapter 2; Liu et al. 2022, equation 2.)

        Args:
            x: places, shape (batch, 2).
            t: times in [0, 1], shape (batch,).

        Returns:
            Velocities, shape (batch, 2).

        Raises:
            TypeError: `x` or `t` is no tensor of real numbers.
            ValueError: a shape is another one, or a time is outside [0, 1].
        """
        check_points("x", x)
        check_times(t, x)
        if x.shape[1:] != (2,):
            raise ValueError(f"x has shape {tuple(x.shape)}, but it must be (batch, 2): the plane")
        starts, ends = (x.new_tensor(points) for points in (self.starts, self.ends))  # (2, 2)
        t = t[:, None, None]
        shrink = (1 - t) ** 2 + t**2  # the variance is this times blur^2
        offset = x[:, None] - ((1 - t) * starts + t * ends)  # (batch, kind, 2)
        distance = offset.square().sum(dim=-1, keepdim=True) / (shrink * self.blur**2)
        weight = torch.softmax(-distance / 2, dim=1)  # (batch, kind, 1)
        return (weight * (ends - starts + (2 * t - 1) / shrink * offset)).sum(dim=1)

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        """Describe the widget to Jupyter, with a picture for pages without scripts."""
        return with_picture(super()._repr_mimebundle_(**kwargs), self, crossing_picture)


def crossing_picture(widget: Crossing) -> tuple[Figure, str]:
    """Draw the lines, the paths of the flow, and the field where the widget shows it."""
    starts, ends = (torch.tensor(points, device="cpu") for points in (widget.starts, widget.ends))
    place = _place(starts, ends, widget.time)
    velocity = widget.velocity(place[None], place.new_tensor([widget.time]))[0]
    figure, (ax,) = figures.planes(["two kinds of pairs"], limit=LIMIT, size=3.5)
    if widget.paths:
        noise = torch.randn(24, 2, generator=torch.Generator().manual_seed(0), device="cpu")
        flow = rk4(widget.velocity, starts.repeat(12, 1) + widget.blur * noise, steps=60)
        figures.paths(ax, flow, "1-RF", ends=False)
    for k, (name, style) in enumerate([("A", "-"), ("B", "--")]):
        line = torch.stack([starts[k], ends[k]]).T.tolist()
        ax.plot(*line, style, color=figures.COLORS["line"], linewidth=2.5)
        ax.annotate(name, tuple(starts[k].tolist()), xytext=(-14, -4), textcoords="offset points")
    figures.points(ax, torch.lerp(starts, ends, widget.time), "line", size=40)
    figures.arrow(ax, place.tolist(), (0.4 * velocity).tolist())
    x, y, u, v = (f"{round(number, 2) + 0:.2f}" for number in (*place.tolist(), *velocity.tolist()))
    alt = (
        f"A solid gray line A and a dashed one B. A black arrow shows the mean velocity ({u}, {v}) "
        f"at ({x}, {y}) and t = {widget.time:g}, at 0.4 of its length."
    )
    return figure, alt + " Blue: paths of the flow." * widget.paths


def _place(
    starts: Float[Tensor, "2 2"], ends: Float[Tensor, "2 2"], time: float
) -> Float[Tensor, "2"]:
    """Return where the lines meet on paper; if they do not, midway between their points."""
    along = ends - starts
    sides = torch.stack([along[0], -along[1]], dim=1)
    if torch.linalg.det(sides).abs() > 1e-9:  # else they are parallel
        times = torch.linalg.solve(sides, starts[1] - starts[0])
        if ((times >= 0) & (times <= 1)).all():
            return torch.lerp(starts[0], ends[0], times[0])
    return torch.lerp(starts, ends, time).mean(dim=0)
