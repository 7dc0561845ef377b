"""The image playground as a widget: its traits, which the page and the kernel share.

Its program is `front/images.js`; it runs in pages without a kernel as well.
"""

from __future__ import annotations

import copy

import anywidget
import matplotlib.pyplot as plt
import torch
import traitlets as t
from jaxtyping import Float, Int
from matplotlib.figure import Figure
from torch import Tensor

from rfteach import figures
from rfteach._solvers import euler
from rfteach._velocity import with_condition
from rfteach._widgets.front_end import css, esm
from rfteach._widgets.moment import Time, points_at
from rfteach._widgets.packing import cloud_rows, unpack_points
from rfteach._widgets.still import with_picture


class ImagePlayground(anywidget.AnyWidget):
    """Flows that draw images; `rfteach.image_playground` makes it.

    All traits below can be read and set in the kernel, and linked to other ipywidgets.

    Attributes:
        steps: number N of Euler steps, 1 to 50.
        seed: of the noise, 0 to 99; see `start`.
        label: what to draw: the name of a label, or "each".
        time: the time t that is shown, 0 to 1.
        results: what the page measured, by model: "NFE" and "ms per step". Written by the page.
    """

    _esm = esm("images.js")
    _css = css()
    _about = t.Dict().tag(sync=True)
    _weights = t.Bytes().tag(sync=True)
    _source = t.Bytes().tag(sync=True)

    steps = t.Int(4, min=1, max=50).tag(sync=True)
    seed = t.Int(0, min=0, max=99).tag(sync=True)
    label = t.Unicode("each").tag(sync=True)
    time = Time().tag(sync=True)
    results = t.Dict().tag(sync=True)

    def __init__(self, velocities: dict, **state):
        self._velocities = velocities  # for the picture
        super().__init__(**state)

    @t.validate("label")
    def _is_known(self, proposal: dict) -> str:
        names = self._about["names"]
        if proposal["value"] not in ("each", *names):
            raise t.TraitError(
                f"label = {proposal['value']!r}, but it must be 'each' or one of {', '.join(names)}"
            )
        return proposal["value"]

    @property
    def start(self) -> Float[Tensor, "images pixels"]:
        """The noise of the seed, shape (images, height * width): the page uses this very one."""
        about = self._about
        pool = unpack_points(self._source, dim=about["height"] * about["width"])
        return pool[cloud_rows(self.seed, about["images"], len(pool))]

    @property
    def labels(self) -> Int[Tensor, " images"]:
        """The labels that are drawn, shape (images,)."""
        names, images = self._about["names"], self._about["images"]
        if self.label in names:
            return torch.full((images,), names.index(self.label))
        return torch.arange(images) % len(names)

    def _repr_mimebundle_(self, **kwargs) -> tuple[dict, dict]:
        """Describe the widget to Jupyter, with a picture for pages without scripts."""
        return with_picture(super()._repr_mimebundle_(**kwargs), self, sheet_picture)


def sheet_picture(widget: ImagePlayground) -> tuple[Figure, str]:
    """Draw what an image playground shows: a sheet for each model at time t, and its alt text."""
    about, sheets = widget._about, {}
    for name, velocity in widget._velocities.items():
        steps = 1 if name in about["one_step"] else widget.steps
        bound = with_condition(copy.deepcopy(velocity).float().cpu(), widget.labels)
        flow = euler(bound, widget.start, steps=steps)
        title = f"{name}, {steps} step{'s' * (steps > 1)}"
        sheets[title] = points_at(flow, widget.time)
    figure, axes = plt.subplots(len(sheets), 1, figsize=(6.4, 1.8 * len(sheets)), squeeze=False)
    for ax, (title, images) in zip(axes.flat, sheets.items(), strict=True):
        shaped = images.reshape(-1, 1, about["height"], about["width"])
        figures.image_grid(ax, shaped, columns=10)
        ax.set_title(title, fontsize=10, parse_math=False)
    what = "each label" if widget.label == "each" else f"the label {widget.label}"
    alt = f"Images of {what}, drawn from one noise: {'; '.join(sheets)}; at t = {widget.time:g}."
    return figure, alt
