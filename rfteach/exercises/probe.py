"""A velocity that watches how a sampler calls it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from rfteach.exercises.answers import Wrong


class Probe(nn.Module):
    """A velocity that notes when it is called, and insists on being called properly.

    Attributes:
        times: the time of each call.
        points: the points of each call.
    """

    def __init__(self, field: Callable[[Tensor, Tensor], Tensor]):
        super().__init__()
        self.field = field
        self.weight = nn.Parameter(torch.ones(()))  # so that gradients show
        self.times: list[float] = []
        self.points: list[Tensor] = []
        self._graphs: list[bool] = []

    def forward(self, x: Any, t: Any) -> Tensor:
        """Return the field at points x (batch, *event) and times t (batch,)."""
        if not isinstance(x, Tensor) or not isinstance(t, Tensor):
            wrong = "x" if not isinstance(x, Tensor) else "t"
            value = x if wrong == "x" else t
            raise Wrong(
                f"The velocity was called with {wrong} = {value!r}, but it takes tensors: points x "
                f"and one time for each, shape (batch,), such as `torch.full((len(x),), t)`."
            )
        if t.shape != x.shape[:1]:
            raise Wrong(
                f"The velocity was called with t of shape {tuple(t.shape)} for {len(x)} points. It "
                f"takes one time for each point, shape ({len(x)},)."
            )
        self._graphs.append(x.requires_grad)
        self.times.append(t.detach().double().mean().item())
        self.points.append(x.detach().clone())
        return self.field(x, t) * self.weight.to(x.dtype)

    @property
    def kept_gradients(self) -> bool:
        """Whether points came with the graph of earlier calls, further back than one step."""
        return any(one and next_one for one, next_one in pairwise(self._graphs))

    @property
    def evaluations(self) -> int:
        """The number of calls (NFE)."""
        return len(self.times)


def expect_steps(probe: Probe, evaluations: int) -> None:
    """Raise Wrong unless the velocity was looked at as many times as the sampler should."""
    made = probe.evaluations
    if made == evaluations:
        return
    hint = "Is the velocity not used at all, or kept from an earlier call?"
    if 0 < abs(made - evaluations) <= 2 and made:
        hint = "Count the steps as the gaps between posts, not the posts."
    elif made % evaluations == 0 and made:
        hint = f"That is {made // evaluations} for each one that is needed."
    raise Wrong(
        f"Evaluations of the velocity: {evaluations} are needed, but yours made {made}. {hint}"
    )


def expect_without_gradient(result: Any, probe: Probe) -> None:
    """Raise Wrong if a sampler kept the graph for gradients, though it may cut it in the end."""
    if probe.kept_gradients or (isinstance(result, Tensor) and result.requires_grad):
        raise Wrong(
            "The samples are right, but they still carry gradients from step to step: the memory "
            "of every step is kept. Sample under `torch.no_grad()`."
        )
