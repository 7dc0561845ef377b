"""What the control of chapter 3 shows: a figure and, in words, a table of what was trained.

The figure is drawn in the thread that trains. So pyplot, which belongs to the main thread, has no
part in it, and neither has mathtext, whose parser is shared between threads.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from torch import Tensor

from rfteach import figures
from rfteach._training import TrainingRun

WINDOW = 50  # steps that a curve is averaged over


@dataclass(frozen=True)
class Attempt:
    """A training that the control ran to its end, or until Stop was pressed.

    Attributes:
        settings: the learning rate, batch size, width, depth, steps and seed that were chosen.
        run: the losses, shape (steps,), and the time taken; after Stop, those until then.
        test_loss: the loss of the trained network on pairs that are the same for all attempts.
    """

    settings: dict[str, int | float]
    run: TrainingRun
    test_loss: float


def draw(
    losses: Sequence[float],
    earlier: Sequence[Attempt],
    data: Float[Tensor, "n 2"],
    samples: Float[Tensor, "m 2"] | None,
    *,
    steps: int,
    top: float,
    floor: float | None,
) -> bytes:
    """Return the figure, as a PNG: the loss curve, data, and samples.

    Args:
        losses: of the training that is shown, up to now.
        earlier: what was trained before, for comparison.
        data: points of the target.
        samples: end points of the flow; None while there are none.
        steps: number of steps that the training will have.
        top: upper end of the axis of the loss.
        floor: the least loss that any field can reach; None when it is not known.
    """
    figure = Figure(figsize=(8.4, 2.8), dpi=150, facecolor="white", layout="constrained")
    curve, left, right = figure.subplots(1, 3, width_ratios=[1.9, 1, 1])
    for ax in (curve, left, right):  # the book's look, also without figures.use_style
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_axisbelow(True)
        ax.grid(True, color="#E6E6E6", linewidth=0.6)

    least = [top / 2] if floor is None else [floor]
    for old in earlier:
        x, y = figures.moving_average(old.run.losses, min(WINDOW, old.run.steps))
        curve.plot(x, y, color=figures.COLORS["line"], linewidth=0.9, alpha=0.8)
        least.append(y.min())
    if earlier:
        curve.lines[-1].set_label("earlier runs")
    if losses:
        now = torch.tensor(losses)
        window = min(WINDOW, len(now))
        figures.training_curve(curve, now, window=window)
        least.append(figures.moving_average(now, window)[1].min())
    if floor is not None:
        curve.axhline(floor, color=figures.COLORS["exact"], linestyle="--", label="floor V")
    curve.set(xlim=(0, max([steps, *(old.run.steps for old in earlier)])))
    curve.set(xlabel="step", ylabel="loss", ylim=(0.8 * min(least), top))
    if curve.get_legend_handles_labels()[0]:
        curve.legend(loc="upper right", frameon=True, edgecolor="none", framealpha=0.85)

    limit = 1.6 * float(np.quantile(data.abs().cpu().numpy(), 0.99))
    for ax, name, points, color in (
        (left, "data", data, "target"),
        (right, "samples", samples, "1-RF"),
    ):
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
        ax.set_xlabel("first coordinate", fontsize="small")
        ax.set_title(name, fontsize=10)
        if points is None:
            ax.text(0, 0, "none yet", ha="center", va="center", color=figures.COLORS["DDPM"])
        else:
            figures.points(ax, points, color, size=3)
    left.set_ylabel("second coordinate", fontsize="small")

    png = io.BytesIO()
    FigureCanvasAgg(figure).print_png(png)
    return png.getvalue()


def table(attempts: Sequence[Attempt], floor: float | None) -> str:
    """Return HTML that says in words what the figure shows and lists the attempts, oldest first."""
    line = "" if floor is None else f"; a dashed line at the floor, {floor:.3f}"
    words = (
        f"<p>The figure, from left to right: the loss of each step and its average over {WINDOW} "
        f"steps, earlier runs in gray{line}; data; samples, made in 50 Euler steps.</p>"
    )
    if not attempts:
        return words
    names = [name.replace("_", " ") for name in attempts[0].settings]
    rows = [
        [f"{number}", *(f"{value:g}" for value in attempt.settings.values())]
        + [f"{attempt.run.steps}", f"{attempt.test_loss:.3f}"]
        for number, attempt in enumerate(attempts, start=1)
    ]
    head = "".join(f'<th scope="col">{n}</th>' for n in ["run", *names, "steps made", "test loss"])
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return (
        f"{words}<p>Test loss: that of the trained network, on the same pairs for all runs.</p>"
        f'<table style="text-align: right; border-collapse: separate; border-spacing: 1em 0">'
        f"<tr>{head}</tr>{body}</table>"
    )
