"""The network that the two-dimensional chapters train."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rfteach._checks import check_count


class VelocityMLP(nn.Module):
    """A plain multilayer perceptron v(x, t): the position and the time go in, a velocity comes out.

    Args:
        dim: dimension of the points.
        width: units in each hidden layer.
        depth: number of hidden layers.

    Raises:
        ValueError: one of them is below 1.
    """

    def __init__(self, dim: int, width: int = 64, depth: int = 4):
        super().__init__()
        for name, value in (("dim", dim), ("width", width), ("depth", depth)):
            check_count(name, value)
        self.dim = dim
        layers: list[nn.Module] = [nn.Linear(dim + 1, width), nn.SiLU()]  # + 1 for the time
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), nn.SiLU()]
        self.net = nn.Sequential(*layers, nn.Linear(width, dim))

    def forward(
        self, x: Float[Tensor, "batch dim"], t: Float[Tensor, " batch"]
    ) -> Float[Tensor, "batch dim"]:
        """Return the velocity at the points `x` (batch, dim) and the times `t` (batch,).

        Raises:
            ValueError: the shapes are not those.
        """
        if x.ndim != 2 or x.shape[1] != self.dim or t.shape != x.shape[:1]:
            raise ValueError(
                f"this network takes x of shape (batch, {self.dim}) and t of shape (batch,), "
                f"but got x {tuple(x.shape)} and t {tuple(t.shape)}"
            )
        return self.net(torch.cat([x, t[:, None]], dim=1))
