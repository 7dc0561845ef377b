"""The network that the two-dimensional chapters train."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from rfteach._checks import check_count
from rfteach._network_checks import check_labels, check_precision


class VelocityMLP(nn.Module):
    """A plain multilayer perceptron v(x, t): the position and the time go in, a velocity comes out.

    With `classes`, the label of each point goes in, too, as a row of zeros with a 1 in its place.

    Args:
        dim: dimension of the points.
        width: units in each hidden layer.
        depth: number of hidden layers.
        classes: number of labels, or None for a flow that knows of none.
        jumps: whether it is also told the end r of its step, as v(x, t, r). Without an r it is
            then asked for a step of length 0, so it is a velocity v(x, t) as well.

    Raises:
        ValueError: one of them is below 1.
    """

    def __init__(
        self,
        dim: int,
        width: int = 64,
        depth: int = 4,
        classes: int | None = None,
        *,
        jumps: bool = False,
    ):
        super().__init__()
        for name, value in (("dim", dim), ("width", width), ("depth", depth)):
            check_count(name, value)
        if classes is not None:
            check_count("classes", classes)
        self.dim, self.width, self.depth, self.classes = dim, width, depth, classes
        self.jumps = jumps
        inputs = dim + 1 + jumps + (classes or 0)  # 1 for the time, 1 for the length of a step
        layers: list[nn.Module] = [nn.Linear(inputs, width), nn.SiLU()]
        for _ in range(depth - 1):
            layers += [nn.Linear(width, width), nn.SiLU()]
        self.net = nn.Sequential(*layers, nn.Linear(width, dim))

    def forward(
        self,
        x: Float[Tensor, "batch dim"],
        t: Float[Tensor, " batch"],
        r: Float[Tensor, " batch"] | None = None,
        condition: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch dim"]:
        """Return the velocity at the points `x` and the times `t`, given their labels.

        With `jumps`: the mean velocity from there to the times `r` (batch,).

        Raises:
            ValueError: a shape is not as above, labels are missing or not wanted, or an `r` is
                given without `jumps`.
            TypeError: the weights have another precision, or the labels are no tensor of integers.
            IndexError: a label is out of range (on a CPU; on a GPU, CUDA fails).
        """
        if r is not None and not self.jumps:
            raise ValueError("this network takes no end r of a step; make it with jumps=True")
        r = t if r is None else r
        if x.ndim != 2 or x.shape[1] != self.dim or not t.shape == r.shape == x.shape[:1]:
            raise ValueError(
                f"this network takes x of shape (batch, {self.dim}) and t of shape (batch,), "
                f"but got x {tuple(x.shape)} and t {tuple(t.shape)}"
                f"{f' and r {tuple(r.shape)}' if r is not t else ''}"
            )
        check_labels(condition, self.classes, len(x))
        inputs = [x, t[:, None]]
        if self.jumps:
            inputs.append((r - t)[:, None])
        if condition is not None and self.classes is not None:
            inputs.append(F.one_hot(condition.long(), self.classes).to(x.dtype))
        joined = torch.cat(inputs, dim=1)  # in the finest of their precisions
        check_precision(self, joined.dtype, x=x, t=t, r=r)
        return self.net(joined)
