"""The optimal velocity in closed form: Gaussian source, mixture of Gaussians as target."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._checks import check_points, check_times
from rfteach._distributions import GaussianMixture
from rfteach._velocity import Velocity


def mixture_velocity(mixture: GaussianMixture) -> Velocity:
    """Return v*(x, t) = E[X1 - X0 | X_t = x] for X0 ~ N(0, I) independent of X1 ~ `mixture`.

    Given component k, X_t is N(t m_k, var_k I) with var_k = (1 - t)^2 + t^2 s_k^2, and X1 - X0 is
    jointly Gaussian with it, so that

        E[X1 - X0 | X_t = x, k] = m_k + (t s_k^2 - (1 - t)) / var_k * (x - t m_k).

    Bayes' rule gives the weight of each component. (Conditioning of jointly Gaussian variables;
    the minimizer is Liu et al. 2022, equation 2.)

    At t = 1 the answer is x itself, since X_1 = X1 and E[X0] = 0. This also settles the limit of a
    component with std 0, where the formula reads 0/0. Just below t = 1 such a component pulls with
    (m_k - x) / (1 - t), which has no bound.

    Args:
        mixture: the law of X1; standard deviations of 0 are allowed, so a finite data set is
            `GaussianMixture(points, torch.zeros(len(points)))`.

    Returns:
        A callable `velocity(x, t)` for x of shape (batch, dim) and t of shape (batch,). It needs
        memory for batch x k x dim numbers.

    Raises:
        TypeError: `mixture` is no mixture of Gaussians.
    """
    if not isinstance(mixture, GaussianMixture):
        raise TypeError(
            f"the mixture is of type {type(mixture).__name__}; pass a GaussianMixture, such as "
            f"EightGaussians(), or GaussianMixture(points, torch.zeros(len(points))) for points"
        )

    def velocity(
        x: Float[Tensor, "batch dim"], t: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch dim"]:
        check_points("x", x)
        check_times(t, x)
        if x.shape[1:] != mixture.event_shape:
            raise ValueError(
                f"x has shape {tuple(x.shape)}, but the points of this mixture have shape "
                f"{mixture.event_shape}; pass x of shape (batch, {mixture.event_shape[0]})"
            )
        means, stds, weights = (
            p.to(x) for p in (mixture.means, mixture.stds, mixture.weights)
        )  # (k, dim), (k,), (k,)
        time = t[:, None]  # (batch, 1)
        variance = (1 - time) ** 2 + (time * stds) ** 2  # (batch, k)
        variance = variance.clamp(min=torch.finfo(x.dtype).tiny)  # only t = 1 with std 0 needs it
        offset = x[:, None] - time[..., None] * means  # (batch, k, dim)
        log_density = -offset.square().sum(-1) / (2 * variance) - x.shape[1] / 2 * variance.log()
        responsibility = torch.softmax(weights.log() + log_density, dim=1)  # (batch, k)
        slope = (time * stds**2 - (1 - time)) / variance  # (batch, k)
        given_component = means + slope[..., None] * offset  # (batch, k, dim)
        v = (responsibility[..., None] * given_component).sum(dim=1)
        return torch.where(time == 1, x, v)

    return velocity
