"""Pictures for verdicts: the target beside what the answer gives."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping

import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from rfteach import figures
from rfteach.exercises.verdict import Picture

Draw = Callable[[], Picture]


def rendered(figure: Figure, alt: str) -> Picture:
    """Turn a figure into a picture, and close it."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=100)
    plt.close(figure)
    return Picture(file.getvalue(), alt)


def clouds(target: Tensor, yours: Tensor, *, limit: float = 3.0) -> Draw:
    """Draw two clouds in the plane, side by side on one scale; both (n, 2)."""

    def draw() -> Picture:
        with plt.rc_context():
            figures.use_style()
            figure, axes = figures.planes(["target", "yours"], limit=limit)
            figures.points(axes[0], target, "target", size=8)
            figures.points(axes[1], yours, "1-RF", size=8)
            return rendered(figure, "Two clouds of points: on the left the target, right yours.")

    return draw


def curves(x: Tensor, lines: Mapping[str, Tensor], xlabel: str, ylabel: str) -> Draw:
    """Draw curves over the same x (n,), the first of them as the target."""

    def draw() -> Picture:
        with plt.rc_context():
            figures.use_style()
            figure, ax = plt.subplots(figsize=(4.5, 2.8))
            styles = [("exact", "-"), ("distilled", "--"), ("line", ":")]
            for (name, y), (color, style) in zip(lines.items(), styles, strict=False):
                ax.plot(x.cpu(), y.cpu(), style, color=figures.COLORS[color], label=name)
            ax.set(xlabel=xlabel, ylabel=ylabel)
            ax.legend()
            return rendered(figure, f"Curves of {ylabel} over {xlabel}: {', '.join(lines)}.")

    return draw


def numbers(yours: Mapping[str, float], right: Mapping[str, float], ylabel: str) -> Draw:
    """Draw predicted values beside the measured ones, as bars."""

    def draw() -> Picture:
        with plt.rc_context():
            figures.use_style()
            figure, ax = plt.subplots(figsize=(4.5, 2.6))
            places = range(len(right))
            ax.bar([i - 0.2 for i in places], list(right.values()), 0.38, label="measured",
                   color=figures.COLORS["exact"])  # fmt: skip
            ax.bar([i + 0.2 for i in places], list(yours.values()), 0.38, label="your prediction",
                   color=figures.COLORS["distilled"])  # fmt: skip
            ax.set_xticks(list(places), list(right))
            ax.set_ylabel(ylabel)
            ax.legend()
            pairs = [
                f"{name} {value:.3g}, yours {yours[name]:.3g}" for name, value in right.items()
            ]
            return rendered(figure, f"Bars of {ylabel}: {'; '.join(pairs)}.")

    return draw
