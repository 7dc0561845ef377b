"""The playground as a widget: its traits, which the page and the kernel share.

Its program is `front/playground.js`; it runs in pages without a kernel as well.
"""

from __future__ import annotations

import copy
import math

import anywidget
import torch
import traitlets as t
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from rfteach import figures
from rfteach._networks.mlp import VelocityMLP
from rfteach._random_paths import euler_maruyama
from rfteach._solvers import Trajectory, euler, heun
from rfteach._widgets.front_end import css, esm
from rfteach._widgets.moment import Time, points_at
from rfteach._widgets.packing import cloud_rows, unpack_points
from rfteach._widgets.still import with_picture


class Playground(anywidget.AnyWidget):
    """Trained flows to play with; `rfteach.playground` makes it.

    All traits below can be read and set in the kernel, and linked to other ipywidgets.

    Attributes:
        data: name of the data set.
        model: name of the model in the first panel.
        beside: name of the model in the second panel; "" for none.
        solver: "Euler", "Heun" or "one step"; "Euler" where there is `noise`.
        steps: number N of steps, 1 to 100.
        seed: of the noise, 0 to 999; see `start`. It seeds the noise on the way, too.
        noise: strength gamma of the noise on the way, 0 to 4; only where `playground` was given
            one.
        fading: whether g(t) = gamma sqrt(1 - t), else g = gamma; see `euler_maruyama`.
        time: the time t that is shown, 0 to 1.
        selected: where the dropped particle starts, [x, y]; [] for none.
        paths, lines, arrows: whether to draw paths, the straight lines from start to end, the
            velocity.
        controls: "all", or "few": only N, new noise and play, and it plays once by itself. Read
            when the widget is shown.
        results: what the page measured, by model: "NFE", "S" (None for one step and with noise),
            "energy distance" to 1,000 data points, "ms per step" of the network. Written by the
            page, with None for what is not finite.
    """

    _esm = esm("playground.js")
    _css = css()
    _about = t.Dict().tag(sync=True)
    _weights = t.Bytes().tag(sync=True)
    _source = t.Bytes().tag(sync=True)
    _targets = t.Bytes().tag(sync=True)

    data = t.Unicode().tag(sync=True)
    model = t.Unicode().tag(sync=True)
    beside = t.Unicode().tag(sync=True)
    solver = t.Enum(["Euler", "Heun", "one step"], "Euler").tag(sync=True)
    steps = t.Int(20, min=1, max=100).tag(sync=True)
    seed = t.Int(0, min=0, max=999).tag(sync=True)
    noise = t.Float().tag(sync=True)
    fading = t.Bool(True).tag(sync=True)
    time = Time().tag(sync=True)
    selected = t.List(t.Float()).tag(sync=True)
    paths = t.Bool(True).tag(sync=True)
    lines = t.Bool(False).tag(sync=True)
    arrows = t.Bool(False).tag(sync=True)
    controls = t.Enum(["all", "few"], "all").tag(sync=True)
    results = t.Dict().tag(sync=True)

    def __init__(self, velocities: dict, **state):
        self._velocities = velocities  # {data: {model: network}}, for the picture
        super().__init__(**state)

    @t.validate("data", "model", "beside")
    def _is_known(self, proposal: dict) -> str:
        value, trait = proposal["value"], proposal["trait"].name
        known = list(self._velocities)
        if trait != "data":
            known = list(dict.fromkeys(name for each in self._velocities.values() for name in each))
        if value not in known and not (trait == "beside" and value == ""):
            raise t.TraitError(f"{trait} = {value!r}, but this playground has {', '.join(known)}")
        return value

    @t.validate("selected")
    def _is_a_point(self, proposal: dict) -> list[float]:
        point = proposal["value"]
        if len(point) not in (0, 2) or not all(math.isfinite(each) for each in point):
            raise t.TraitError(f"selected = {point}, but it must be [x, y] or []")
        return point

    @t.validate("noise")
    def _is_strength(self, proposal: dict) -> float:
        strength, most = proposal["value"], 4 if self._about["noisy"] else 0
        if not 0 <= strength <= most:
            raise t.TraitError(
                f"noise = {strength}, but here it is from 0 to {most}; rf.playground(..., "
                f"noise=2.0) makes a playground with noise from 0 to 4"
            )
        return strength

    @t.validate("solver")
    def _suits_the_noise(self, proposal: dict) -> str:
        if self._about["noisy"] and proposal["value"] != "Euler":
            raise t.TraitError(
                f'solver = {proposal["value"]!r}, but a playground with noise has "Euler" only'
            )
        return proposal["value"]

    @property
    def start(self) -> Float[Tensor, "particles 2"]:
        """The noise of the seed, shape (particles, 2): the page moves these very points."""
        return unpack_points(self._source)[cloud_rows(self.seed, self._about["particles"])]

    @property
    def target(self) -> Float[Tensor, "n 2"]:
        """The data points that the page compares with, shape (1000, 2)."""
        points = unpack_points(self._targets).reshape(len(self._velocities), -1, 2)
        return points[list(self._velocities).index(self.data)]

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        """Describe the widget to Jupyter, with a picture for pages without scripts."""
        return with_picture(super()._repr_mimebundle_(**kwargs), self, flow_picture)


def solved(widget: Playground, velocity: VelocityMLP) -> Trajectory:
    """Solve as the page does; noise on the way has the same law, but other numbers."""
    if not widget._about["noisy"]:
        solver = heun if widget.solver == "Heun" else euler
        return solver(velocity, widget.start, steps=steps_of(widget))
    gamma, kicks = widget.noise, torch.Generator("cpu").manual_seed(widget.seed)
    g = (lambda t: gamma * math.sqrt(1 - t)) if widget.fading else gamma
    return euler_maruyama(velocity, widget.start, steps=widget.steps, noise=g, generator=kicks)


def steps_of(widget: Playground) -> int:
    """Return the number of steps that are made."""
    return 1 if widget.solver == "one step" else widget.steps


def flow_picture(widget: Playground) -> tuple[Figure, str]:
    """Draw what a playground shows: the panels at its time t, and its alt text."""
    models = widget._velocities[widget.data]
    names = [name for name in (widget.model, widget.beside) if name in models]
    steps, shown = steps_of(widget), 6 if widget._about["noisy"] else 40
    figure, axes = figures.planes(names, limit=widget._about["limit"], size=2.8)
    for ax, name in zip(axes, names, strict=True):
        ax.title.set_parse_math(False)
        velocity = copy.deepcopy(models[name]).float().cpu()
        flow = solved(widget, velocity)
        figures.points(ax, widget.target, "target", size=1)
        color = next(m["color"] for m in widget._about["models"] if m["name"] == name)
        figures.points(ax, points_at(flow, widget.time), color, size=2)
        if widget.paths:
            figures.paths(ax, flow, color, count=shown, ends=False)
        if widget.lines:
            figures.lines(ax, flow.start[:shown], flow.end[:shown], ends=False)
        if widget.arrows:
            figures.arrows(ax, velocity, widget.time, limit=widget._about["limit"])
    alt = (
        f"The flow of {' and that of '.join(names)} from noise to the data ({widget.data}), at "
        f"t = {widget.time:g}, by {widget.solver} with {steps} step{'s' * (steps > 1)}"
        f"{f' and noise of strength {widget.noise:g}' if widget.noise else ''}."
    )
    return figure, alt
