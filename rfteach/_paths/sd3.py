"""The map between this book's convention and that of Stable Diffusion 3 in the library diffusers.

| here | there |
| --- | --- |
| time t, from 0 (noise) to 1 (data) | sigma = 1 - t, from 1 down to 0; timestep = 1000 sigma |
| velocity v = data - noise, on average | model output = noise - data, on average: -v |
| Z_{t + dt} = Z_t + v dt | sample + (next sigma - sigma) output |

(Esser et al. 2024, equation 13; there t is sigma, and z_t = (1 - t) x0 + t noise.)
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from rfteach._velocity import Velocity

SD3Model = Callable[[Tensor, Tensor], Tensor]
"""Any callable `model(sample, timestep)`: sample (batch, *event), timestep (batch,) or a scalar."""


def velocity_from_sd3(model: SD3Model) -> Velocity:
    """Return the velocity v(x, t) = -model(x, 1000 (1 - t)).

    Args:
        model: returns noise minus data for a sample and its timesteps; bind texts and unwrap the
            output beforehand: `lambda x, s: transformer(x, words, pooled, s).sample`.
    """

    def velocity(x: Float[Tensor, "batch *event"], t: Float[Tensor, " batch"]) -> Tensor:
        return -model(x, 1000 * (1 - t))

    return velocity


def sd3_from_velocity(velocity: Velocity) -> SD3Model:
    """Return the model(sample, timestep) = -velocity(sample, 1 - timestep / 1000).

    Its outputs are what `step` of diffusers' `FlowMatchEulerDiscreteScheduler` takes.
    """

    def model(sample: Float[Tensor, "batch *event"], timestep: Tensor | float) -> Tensor:
        sigma = torch.as_tensor(timestep, device=sample.device, dtype=sample.dtype) / 1000
        return -velocity(sample, (1 - sigma).expand(len(sample)))

    return model
