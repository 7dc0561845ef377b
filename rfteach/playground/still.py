"""A still picture in place of a widget, for pages without scripts.

The output of a widget holds it as HTML. The static page shows that, and its script puts the widget
in its place; `data-widget` says which.
"""

from __future__ import annotations

import base64
import copy
import html
import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

from rfteach import figures
from rfteach.solvers import euler, heun

if TYPE_CHECKING:
    from rfteach.playground.playground_widget import Playground

Draw = Callable[..., tuple[Figure, str]]


def with_picture(bundle: tuple[dict, dict], widget: object, draw: Draw) -> tuple[dict, dict]:
    """Add the picture that `draw(widget)` returns, with its alt text, to a widget's output."""
    with torch.device("cpu"):
        figure, alt = draw(widget)
    picture = io.BytesIO()
    figure.savefig(picture, format="webp", dpi=150, pil_kwargs={"quality": 80})
    plt.close(figure)  # or the notebook would show it a second time
    source = base64.b64encode(picture.getvalue()).decode()
    data, metadata = bundle
    content = (
        f'<div class="rf-still" data-widget="{widget.model_id}">'
        f'<img alt="{html.escape(alt)}" src="data:image/webp;base64,{source}">'
        f"<p><em>A still picture. Where scripts run, you can play with it here.</em></p></div>"
    )
    return {**data, "text/html": content}, metadata


def flow_picture(widget: Playground) -> tuple[Figure, str]:
    """Draw what a playground shows: the panels at its time t, and its alt text."""
    models = widget._velocities[widget.data]
    names = [name for name in (widget.model, widget.beside) if name in models]
    steps = 1 if widget.solver == "one step" else widget.steps
    solver = heun if widget.solver == "Heun" else euler
    figure, axes = figures.planes(names, limit=widget._about["limit"], size=2.8)
    for ax, name in zip(axes, names, strict=True):
        ax.title.set_parse_math(False)
        velocity = copy.deepcopy(models[name]).float().cpu()
        flow = solver(velocity, widget.start, steps=steps)
        place = widget.time * steps
        k = min(int(place), steps - 1)
        figures.points(ax, widget.target, "target", size=1)
        color = next(m["color"] for m in widget._about["models"] if m["name"] == name)
        figures.points(ax, torch.lerp(flow.states[k], flow.states[k + 1], place - k), color, size=2)
        if widget.paths:
            figures.paths(ax, flow, color, count=40, ends=False)
        if widget.lines:
            figures.lines(ax, flow.start[:40], flow.end[:40], ends=False)
        if widget.arrows:
            figures.arrows(ax, velocity, widget.time, limit=widget._about["limit"])
    alt = (
        f"The flow of {' and that of '.join(names)} from noise to the data ({widget.data}), at "
        f"t = {widget.time:g}, by {widget.solver} with {steps} step{'s' * (steps > 1)}."
    )
    return figure, alt
