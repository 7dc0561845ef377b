"""The steering playground: a measurement to drag, and the flow that is steered to it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from rfteach._checks import check_count
from rfteach._distributions import EightGaussians, GaussianMixture
from rfteach._optional import optional

if TYPE_CHECKING:
    from rfteach._widgets.steering_playground_widget import SteeringPlayground

MOST_KINDS, MOST_PARTICLES = 64, 5000  # the page visits all of one for each of the other
STATE = {
    "measured", "angle", "error", "pull", "scale", "steps", "seed", "time", "paths", "posterior",
}  # fmt: skip


def steering_playground(
    mixture: GaussianMixture | None = None,
    *,
    particles: int = 1000,
    **state,
) -> SteeringPlayground:
    """Return a widget in which the reader drags a measurement, and the flow is steered to it.

    The data are round Gaussians in the plane, and the flow is their exact one. What is measured is
    the coordinate along a direction, with a Gaussian error. The page steers as `steered` does, by
    the naive pull or by one that is widened by a spread, and shows the ends over the exact
    posterior. It computes all this by itself, so it needs no kernel. What it shows are traits,
    which the kernel can read and set: see `SteeringPlayground`.

    Args:
        mixture: the data, at most 64 Gaussians of the plane; `EightGaussians()` when None.
        particles: how many particles there are, and points of the posterior, 2 to 5,000.
        state: what to show at first, such as `pull="jacobian"`, `measured=0.7`, `angle=90` or
            `steps=10`. The words are those of `SteeringPlayground`.

    Raises:
        TypeError: the mixture is none, or a state has another name.
        ValueError: the mixture is not of the plane or has too many components, or `particles` is
            out of range.
        traitlets.TraitError: a state has a value that it cannot have.
        ImportError: anywidget is not installed.
    """
    optional("anywidget")
    from rfteach._widgets.steering_playground_widget import SteeringPlayground

    mixture = EightGaussians() if mixture is None else mixture
    if not isinstance(mixture, GaussianMixture):
        raise TypeError(
            f"mixture must be a GaussianMixture, not {type(mixture).__name__}: the page knows its "
            "exact flow in closed form"
        )
    if mixture.event_shape != (2,) or len(mixture.means) > MOST_KINDS:
        raise ValueError(
            f"mixture has means of shape {tuple(mixture.means.shape)}, but it must be (k, 2), for "
            f"points of the plane, with k at most {MOST_KINDS}"
        )
    check_count("particles", particles)
    if not 2 <= particles <= MOST_PARTICLES:
        raise ValueError(f"particles = {particles}, but there can be 2 to {MOST_PARTICLES}")
    unknown = set(state) - STATE
    if unknown:
        raise TypeError(
            f"{min(unknown)!r} is no state of a steering playground; choose from "
            f"{', '.join(sorted(STATE))}"
        )
    names = ("means", "stds", "weights")
    reach = (mixture.means.abs().amax(dim=1) + 3 * mixture.stds).max().item()
    return SteeringPlayground(
        _mixture={name: getattr(mixture, name).tolist() for name in names},
        _particles=particles,
        _limit=max(3.0, math.ceil(10 * reach) / 10),  # noise reaches as far as 3
        **state,
    )
