"""Every drawing the book uses, in one style, and its tables.

Colors keep their meaning through the whole book and come from the palette of Okabe and Ito (2008),
which readers with any kind of color vision can tell apart. Tensors may live on any device.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from rfteach._sharp import show_sharp_figures
from rfteach._solvers import Trajectory
from rfteach._table import Table as Table
from rfteach._velocity import Velocity

COLORS = {
    "source": "#56B4E9",  # sky blue
    "target": "#E69F00",  # orange
    "1-RF": "#0072B2",  # blue
    "2-RF": "#009E73",  # green
    "3-RF": "#CC79A7",  # purple
    "distilled": "#D55E00",  # vermilion
    "DDPM": "#4D4D4D",  # dark gray
    "MeanFlow": "#882255",  # wine: flow maps
    # Solvers, from Paul Tol's high-contrast scheme, and a green of his bright one:
    "Euler": "#004488",
    "Adams-Bashforth": "#228833",
    "Heun": "#BB5566",
    "RK4": "#DDAA33",
    "dopri5": "#777777",
    "line": "#8C8C8C",  # gray: straight lines between pairs
    "exact": "#000000",  # black: what theory says
}


def use_style() -> None:
    """Set the book's matplotlib style; called once at the top of a chapter."""
    show_sharp_figures()
    plt.rcParams.update(
        {
            "figure.dpi": 150,
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.titlesize": 10,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#E6E6E6",
            "grid.linewidth": 0.6,
            "legend.frameon": False,
            "lines.linewidth": 1.6,
            # The figure's own size, not that of what happens to be drawn:
            "savefig.bbox": "standard",
        }
    )


def planes(
    titles: list[str], *, limit: float = 3.0, columns: int | None = None, size: float = 2.3
) -> tuple[Figure, list[Axes]]:
    """Return a figure with one square plane per title, all on the same scale.

    Args:
        titles: a title per panel.
        limit: each plane shows [-limit, limit]^2.
        columns: panels per row; all in one row when None.
        size: side of a panel in inches.
    """
    columns = columns or len(titles)
    rows = -(-len(titles) // columns)
    figure, grid = plt.subplots(
        rows, columns, figsize=(size * columns, (size + 0.25) * rows), squeeze=False
    )
    axes = list(grid.flat)
    for ax, title in zip(axes, titles, strict=False):
        ax.set(title=title, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
        ax.set(xticks=[-2, 0, 2] if limit >= 2 else [-1, 0, 1])
        ax.set(yticks=ax.get_xticks())
        ax.label_outer()
    for row in grid:
        row[0].set_ylabel("second coordinate", fontsize="small")
    shown, rest = axes[: len(titles)], axes[len(titles) :]
    for ax in shown[-columns:]:  # the lowest of each column
        ax.tick_params(labelbottom=True)
        ax.set_xlabel("first coordinate", fontsize="small")
    for ax in rest:
        ax.set_visible(False)
    return figure, shown


def points(ax: Axes, x: Float[Tensor, "n 2"], color: str, *, size: float = 3.0) -> None:
    """Scatter points; `color` is a name in COLORS or any color of matplotlib."""
    ax.scatter(*_numpy(x).T, s=size, color=_color(color), alpha=0.5, linewidths=0)


def lines(
    ax: Axes,
    x0: Float[Tensor, "n 2"],
    x1: Float[Tensor, "n 2"],
    *,
    color: str = "line",
    style: str = "-",
    ends: bool = True,
) -> None:
    """Draw the straight line of each pair, with its two ends; `style` as in matplotlib."""
    a, b = _numpy(x0), _numpy(x1)
    ax.plot(*np.stack([a, b]).transpose(2, 0, 1), style, color=_color(color), lw=0.8, zorder=1)
    if ends:
        _ends(ax, a, b)


def paths(
    ax: Axes, trajectory: Trajectory, color: str, *, count: int | None = None, ends: bool = True
) -> None:
    """Draw the paths of the first `count` points of a trajectory, with their two ends."""
    states = _numpy(trajectory.states)[:, :count]
    ax.plot(*states.transpose(2, 0, 1), color=_color(color), linewidth=0.9, zorder=1)
    if ends:
        _ends(ax, states[0], states[-1])


def arrows(
    ax: Axes,
    velocity: Velocity,
    t: float,
    *,
    limit: float = 3.0,
    count: int = 13,
    color: str = "exact",
) -> None:
    """Draw a velocity field at time t on a grid; arrow lengths compare within one panel."""
    side = torch.linspace(-limit, limit, count) * (1 - 1 / count)
    grid = torch.cartesian_prod(side, side).to(torch.get_default_device())
    with torch.no_grad():
        v = _numpy(velocity(grid, grid.new_full((len(grid),), t)))
    x = _numpy(grid)
    longest = np.quantile(np.linalg.norm(v, axis=1), 0.95) or 1.0
    spacing = x[1, 1] - x[0, 1]
    ax.quiver(
        *x.T, *v.T, color=_color(color), angles="xy", scale_units="xy", scale=longest / spacing,
        width=0.005, headwidth=4, headlength=4.5, pivot="mid", alpha=0.75, zorder=2,
    )  # fmt: skip


def arrow(ax: Axes, start: Sequence[float], step: Sequence[float], *, color: str = "exact") -> None:
    """Draw one arrow from `start` to `start + step`, both pairs of numbers."""
    x, y, dx, dy = (float(value) for value in (*start, *step))
    ax.quiver(
        x, y, dx, dy, color=_color(color), angles="xy", scale_units="xy", scale=1, width=0.014,
        zorder=4,
    )  # fmt: skip


def image_grid(ax: Axes, images: Float[Tensor, "n colors height width"], *, columns: int) -> None:
    """Draw gray or color images row by row, `columns` to a row; -1 is black and 1 is white."""
    pixels = _numpy(images.float()).transpose(0, 2, 3, 1).clip(-1, 1) / 2 + 0.5
    count, height, width, colors = pixels.shape
    rows = -(-count // columns)
    sheet = np.ones((rows * columns, height + 1, width + 1, colors))  # white between two images
    sheet[:count, :-1, :-1] = pixels
    sheet = sheet.reshape(rows, columns, height + 1, width + 1, colors).swapaxes(1, 2)
    sheet = sheet.reshape(rows * (height + 1), columns * (width + 1), colors)[:-1, :-1]
    ax.imshow(sheet, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    ax.set_axis_off()


def training_curve(ax: Axes, losses: Float[Tensor, " steps"], *, window: int = 50) -> None:
    """Draw the loss of every step faintly and its moving average over `window` steps on top."""
    y = _numpy(losses)
    ax.plot(np.arange(len(y)), y, color=_color("1-RF"), alpha=0.2, linewidth=0.6)
    ax.plot(*moving_average(losses, window), color=_color("1-RF"), label="training loss")
    ax.set(xlabel="step", ylabel="loss")


def moving_average(losses: Float[Tensor, " steps"], window: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the step after each window, and the mean loss in it: two arrays of one length.

    A window is no longer than the run.
    """
    window = min(window, len(losses))
    smooth = np.convolve(_numpy(losses), np.full(window, 1 / window), mode="valid")
    return np.arange(len(smooth)) + window, smooth


def log_log(ax: Axes, xlabel: str, ylabel: str, ticks: list[int]) -> None:
    """Turn an axis into a log-log plot whose x ticks are the given numbers."""
    ax.set(xscale="log", yscale="log", xlabel=xlabel, ylabel=ylabel)
    ax.set_xticks(ticks, [str(tick) for tick in ticks])
    ax.minorticks_off()


def histogram_1d(
    ax: Axes,
    x: Float[Tensor, "n 1"],
    density: Callable[[Tensor], Tensor],
    *,
    color: str,
    limit: float = 4.0,
) -> None:
    """Draw particles on a line as a histogram, with the density that theory gives as a curve."""
    grid = torch.linspace(-limit, limit, 400)
    ax.hist(_numpy(x)[:, 0], bins=60, range=(-limit, limit), density=True, color=_color(color))
    ax.plot(_numpy(grid), _numpy(density(grid)), color=_color("exact"), linewidth=1.2)
    ax.set(xlim=(-limit, limit), xlabel="$x$")


def _ends(ax: Axes, a: np.ndarray, b: np.ndarray) -> None:
    ax.scatter(*a.T, s=14, color=COLORS["source"], linewidths=0, zorder=3)
    ax.scatter(*b.T, s=14, color=COLORS["target"], linewidths=0, zorder=3)


def _color(name: str) -> str:
    return COLORS.get(name, name)


def _numpy(x: Tensor) -> np.ndarray:
    return x.detach().cpu().numpy()
