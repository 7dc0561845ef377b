"""A step of DDIM, right and with likely mistakes, for the checker of 8.2."""

from __future__ import annotations

from torch import Tensor

from rfteach.exercises.tools.answers import Mistake

Weights = tuple[float, float]
"""Signal and noise."""


def ddim(x: Tensor, x0: Tensor, here: Weights, there: Weights) -> tuple[Tensor, list[Mistake]]:
    """Return the points (batch, *event) with the weights of `there`, and wrong ones with hints."""
    (s, n), (s2, n2) = here, there
    x1 = (x - n * x0) / s
    before = s2 * x0 + n2 * (x - s * x0) / n if n else x
    swapped = "`here` is (signal, noise), in order."
    circle = "The weights need not lie on a circle: take both as they are given."
    size = (s2**2 + n2**2) ** 0.5
    off_circle = max(0.0, 1 - s**2) ** 0.5
    mistakes = [
        (n2 * x1 + s2 * x0, "The weights of the new level are exchanged: signal goes with X1."),
        (x1, "This is the data that the noise leaves. Mix it anew, with the next weights."),
        (s2 * x + n2 * x0, "Noise is added to x itself. First solve x for the data in it."),
        (
            s2 * (x - n * x0) + n2 * x0,
            "The data are (x - noise * x0) / signal: the division is missing.",
        ),
        (
            s2 * x1 - n2 * x0,
            "The sign of the noise is wrong: both ends are mixed with positive weights.",
        ),
        (
            s2 * (x - x0) / s + n2 * x0,
            "The noise in x has a weight, too: take off noise * x0, not x0.",
        ),
        (s2 * (x - n2 * x0) / s + n2 * x0, "The noise in x has the weight of `here`."),
        (s2 * (x - s * x0) / n + n2 * x0 if n else x, swapped),
        (
            s2 * (x - n * x0) / n + n2 * x0 if n else x,
            "Divide by the *signal* of `here`: that is what the data in x are multiplied by.",
        ),
        (
            s2 * s * (x - n * x0) + n2 * x0,
            "Divide by the signal of `here`, in place of multiplying by it.",
        ),
        (
            s2 * x / s - n * x0 + n2 * x0,
            "Divide the whole of x - noise * x0 by the signal, not x alone.",
        ),
        (
            s2 * (x - n * x0 / s) + n2 * x0,
            "Divide the whole of x - noise * x0 by the signal, not the noise alone.",
        ),
        (
            s2 * (x / s - n * x0) + n2 * x0,
            "Divide the whole of x - noise * x0 by the signal, not x alone.",
        ),
        (n2 * x0, "The data are gone: mix them in with the signal of `there`."),
        (s2 * (x + n * x0) / s + n2 * x0, "Take the noise *off* x to find the data."),
        (
            before,
            "Here x0 has the weight of the data, and the data that of the noise. Either x0 is "
            "taken for the data, but the network predicts the *noise*. Or the weights are "
            "exchanged: each pair is (signal, noise), in order.",
        ),
        (s2 * x1, "The noise is gone at once. At the next level, some of it is still there."),
        (s2 * x1 + n * x0, "The noise keeps its old weight. The next level has its own."),
        (
            s * x1 + n2 * x0,
            "The signal keeps its old weight, and the noise alone changes. Divide by the signal of "
            "`here`, and mix with that of `there`.",
        ),
        (
            x,
            "The point has not moved. Solve for the data with the weights of `here`, and mix with "
            "those of `there`.",
        ),
        *(
            (
                s2 * x1.clamp(-most, most) + n2 * x0,
                "The data are clipped on the way. Image models do that; here the points may lie "
                "anywhere.",
            )
            for most in (1, 3, 5)
        ),
        (s2 * x1 + max(0.0, 1 - s2**2) ** 0.5 * x0, circle),
        (s2 * (x - off_circle * x0) / s + n2 * x0, circle),
        (s2 * (x - off_circle * x0) / s + max(0.0, 1 - s2**2) ** 0.5 * x0, circle),
        ((s2 * x1 + n2 * x0) / size if size else x, circle),
        (
            x / s + ((n2 / s2 if s2 else 0) - n / s) * x0,
            "This is the point over its signal, as in the plot where DDIM goes straight. Multiply "
            "by the signal of `there` in the end.",
        ),
        (
            x + (n2 / n - 1) * x0 if n else x,
            "This changes the noise alone. The weight of the data changes, too: solve for them.",
        ),
        (
            s2 * (x - n**2 * x0) / s + n2 * x0,
            "The weights are those of the points, not of their variances: take none squared.",
        ),
        (
            s2**0.5 * (x - n**0.5 * x0) / s**0.5 + n2**0.5 * x0,
            "The weights are taken for variances. They multiply the points as they are: no root.",
        ),
        (
            s2**0.5 * (x - max(0.0, 1 - s) ** 0.5 * x0) / s**0.5 + max(0.0, 1 - s2) ** 0.5 * x0,
            "The signal is taken for alpha-bar, its square. It multiplies the data as it is.",
        ),
        (
            x + (s2 - s) * (x1 - x0),
            "This is a step along X1 - X0, the velocity of the line. It is right for weights (t, 1 "
            "- t) alone; here they may be any. Mix both ends anew.",
        ),
        (
            s2 / s * (x - n * x0) + n2 * x,
            "The noise at the next level is x0, and not x.",
        ),
        (
            s2**2 * (x - n**2 * x0) / s**2 + n2**2 * x0,
            "The weights are squared. They multiply the points as they are.",
        ),
        (x1 + n2 * x0, "The signal of `there` is missing: the data have a weight, too."),
        (s2 * x1 + x0, "The noise of `there` is missing: the noise has a weight, too."),
    ]
    return s2 * x1 + n2 * x0, mistakes
