"""Pictures for verdicts: the target beside what the answer gives."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from rfteach import figures
from rfteach._solvers import Trajectory
from rfteach.exercises.tools.answers import Draw
from rfteach.exercises.verdict import Picture


def picture(make: Callable[[], Figure], alt: str) -> Draw:
    """Turn a function that makes a figure into one that draws it in the book's style."""

    def draw() -> Picture:
        with plt.rc_context():
            figures.use_style()
            file, before = io.BytesIO(), plt.get_fignums()
            try:
                make().savefig(file, format="png", dpi=100, bbox_inches="tight")
            finally:  # leave no figure for the notebook to show
                for number in set(plt.get_fignums()) - set(before):
                    plt.close(number)
            return Picture(file.getvalue(), alt)

    return draw


def clouds(target: Tensor, yours: Tensor) -> Draw | None:
    """Draw two clouds side by side on one scale, if they are in the plane: both (n, 2)."""
    if target.shape[1:] != (2,):
        return None

    def make() -> Figure:
        limit = 1.2 * target.abs().max().item()
        figure, axes = figures.planes(["target", "yours"], limit=limit)
        figures.points(axes[0], target, "target", size=8)
        figures.points(axes[1], yours, "1-RF", size=8)
        return figure

    return picture(make, "Two clouds of points: on the left the target, on the right yours.")


def curves(x: Tensor, lines: Mapping[str, Tensor], xlabel: str, ylabel: str) -> Draw:
    """Draw two curves over the same x (n,), the target or truth first; each y is (n,)."""

    def make() -> Figure:
        figure, ax = plt.subplots(figsize=(4.5, 2.8))
        for (name, y), color, style in zip(
            lines.items(), ("exact", "distilled"), "-:", strict=True
        ):
            ax.plot(x.cpu(), y.cpu(), style, color=figures.COLORS[color], label=name)
        ax.set(xlabel=xlabel, ylabel=ylabel)
        ax.legend()
        return figure

    return picture(make, f"Two curves of {ylabel} over {xlabel}: {' and '.join(lines)}.")


def paths(flow: Trajectory, title: str) -> Draw:
    """Draw the first 40 paths of a flow in the plane."""

    def make() -> Figure:
        figure, (ax,) = figures.planes([title], limit=1.7)
        figures.paths(ax, flow, "1-RF", count=40)
        return figure

    return picture(make, f"{title}: 40 paths in the plane, with their ends.")


def bars(values: Mapping[str, float], ylabel: str) -> Draw:
    """Draw one bar for each name."""

    def make() -> Figure:
        figure, ax = plt.subplots(figsize=(4.5, 2.4))
        ax.bar(list(values), list(values.values()), 0.5, color=figures.COLORS["1-RF"])
        ax.set_ylabel(ylabel)
        return figure

    listed = "; ".join(f"{name} {value:.2f}" for name, value in values.items())
    return picture(make, f"Bars of {ylabel}: {listed}.")
