"""Couplings: joint laws of a source point and a target point that can be sampled in pairs.

The coupling is the only thing that changes between 1-Rectified Flow, Reflow, distillation and
domain transfer (Liu et al. 2022, Section 2.1).
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from rfteach._checks import (
    check_condition,
    check_count,
    check_data,
    check_distribution,
    check_pair,
    finite_squares,
)
from rfteach._distributions import Distribution, Empirical
from rfteach._optional import optional
from rfteach._rows import Rows
from rfteach._runs.tensors import CheckpointError, held, load_tensors, save_tensors

PAIRS_FORMAT = "rfteach.pairs/1"


@runtime_checkable
class Coupling(Protocol):
    """What training needs to know of a coupling."""

    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> tuple[Shaped[Tensor, "n ..."], ...]:
        """Draw `n` pairs (x0, x1), each of shape (n, *event).

        A third tensor may follow: what the velocity is told of each pair, its condition.
        """
        ...


class IndependentCoupling:
    """X0 from the source and X1 from the target, drawn without looking at each other.

    This is the coupling of 1-Rectified Flow: nothing pairs the two ends but chance.

    Args:
        source: distribution of X0.
        target: distribution of X1, of the same event shape.

    Raises:
        ValueError: the event shapes differ.
        TypeError: one of them is not a distribution.
    """

    def __init__(self, source: Distribution, target: Distribution):
        check_distribution("source", source)
        check_distribution("target", target)
        if tuple(source.event_shape) != tuple(target.event_shape):
            raise ValueError(
                f"the source has points of shape {tuple(source.event_shape)} and the target of "
                f"shape {tuple(target.event_shape)}; a straight line needs both in one space"
            )
        self.source = source
        self.target = target

    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> tuple[Float[Tensor, "n *event"], Float[Tensor, "n *event"]]:
        """Draw `n` pairs (x0, x1), each of shape (n, *event)."""
        x0 = self.source.sample(n, generator=generator, device=device)
        x1 = self.target.sample(n, generator=generator, device=device)
        return x0, x1


class ConditionalCoupling:
    """X0 from the source, X1 from a list of points, and what the velocity is told of X1.

    The velocity then learns one flow for each condition, for each class of image for example.

    Args:
        source: distribution of X0.
        points: the data, shape (n, *event).
        condition: a row for each of them, such as its label, shape (n, ...).

    Raises:
        ValueError: the event shapes or the numbers of rows differ, or a value is not finite.
        TypeError: the source is no distribution, or the points are not floating-point.
    """

    def __init__(
        self,
        source: Distribution,
        points: Float[Tensor, "n *event"],
        condition: Shaped[Tensor, "n *condition"],
    ):
        IndependentCoupling(source, Empirical(points))  # which checks that both fit
        check_condition(condition, points)
        self.source = source
        self._rows = Rows(points.detach(), condition)

    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> tuple[Float[Tensor, "n *event"], Float[Tensor, "n *event"], Shaped[Tensor, "n ..."]]:
        """Draw `n` triples (x0, x1, condition)."""
        x0 = self.source.sample(n, generator=generator, device=device)
        x1, condition = self._rows.sample(n, generator=generator, device=device)
        return x0, x1, condition


class MinibatchOTCoupling(IndependentCoupling):
    """Pairs that optimal transport makes within small groups of independent points.

    Draw `group` points from each end, and match them so that the sum of the squared distances is
    least (Pooladian et al. 2023; Tong et al. 2024, Section 3.3). Both ends keep their laws. With
    groups of 1 this is the independent coupling; as the groups grow it nears the optimal one.

    Args:
        source: distribution of X0.
        target: distribution of X1, of the same event shape.
        group: points matched at a time. Time per point grows roughly as its square.

    Raises:
        ValueError: the event shapes differ, or `group` is below 1.
        TypeError: one of them is not a distribution, or `group` is not an integer.
    """

    def __init__(self, source: Distribution, target: Distribution, *, group: int = 256):
        super().__init__(source, target)
        check_count("group", group)
        self.group = group

    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> tuple[Float[Tensor, "n *event"], Float[Tensor, "n *event"]]:
        """Draw `n` pairs (x0, x1), each of shape (n, *event).

        Whole groups are drawn and matched, so the last may give more pairs than are used.

        Raises:
            ImportError: POT is not installed.
        """
        check_count("n", n)
        groups = -(-n // self.group)
        x0, x1 = super().sample(groups * self.group, generator=generator, device=device)
        a, b = (x.flatten(1).double().cpu().split(self.group) for x in (x0, x1))
        matched = torch.cat(
            [i * self.group + _best_match(*ends) for i, ends in enumerate(zip(a, b, strict=True))]
        )
        return x0[:n], x1[matched.to(x1.device)][:n]


def _best_match(a: Float[Tensor, "n dim"], b: Float[Tensor, "n dim"]) -> Tensor:
    """Return for each row of `a` the row of `b` that the least total squared distance gives it."""
    ot = optional("ot")
    squared = finite_squares(torch.cdist(a, b))
    plan = ot.emd([], [], squared.numpy(), numItermax=10_000_000)
    return torch.as_tensor(plan).argmax(dim=1)  # the plan is a permutation, divided by n


class PairedCoupling(Rows):
    """A finite list of pairs, drawn with replacement: row i of `x0` comes with row i of `x1`.

    Args:
        x0: source points, shape (n, *event).
        x1: target points, shape (n, *event).
        condition: what the velocity is told of each pair, such as its label, shape (n, ...).

    Raises:
        ValueError: shapes or devices differ, or a value is NaN or infinite.
        TypeError: a tensor is not floating-point.
    """

    def __init__(
        self,
        x0: Float[Tensor, "n *event"],
        x1: Float[Tensor, "n *event"],
        condition: Shaped[Tensor, "n *condition"] | None = None,
    ):
        check_pair(x0, x1)
        check_data("x0", x0)
        check_data("x1", x1)
        check_condition(condition, x1)
        self.x0 = x0.detach()  # training must not go on into the network that made them
        self.x1 = x1.detach()
        self.condition = None if condition is None else condition.detach()
        super().__init__(self.x0, self.x1, self.condition)

    def save(self, path: Path | str) -> None:
        """Write the pairs to a safetensors file.

        Raises:
            CheckpointError: another process is writing it, or its folder cannot be written.
            OSError: the file cannot be written; the message says why.
        """
        header = {"format": PAIRS_FORMAT}
        tensors = {"x0": self.x0, "x1": self.x1.clone()}  # the file may hold no shared memory
        if self.condition is not None:
            tensors["condition"] = self.condition.clone()
        with held(Path(path), "pass another path"):
            save_tensors(Path(path), tensors, header)

    @classmethod
    def load(cls, path: Path | str) -> PairedCoupling:
        """Read pairs that `save` wrote, or a shard of `sharded_flow_coupling`, onto the CPU.

        Raises:
            CheckpointError: the file is missing, damaged, or holds something else.
        """
        way_out = "make the pairs again with flow_coupling(...) and .save(path)"
        tensors, _ = load_tensors(Path(path), PAIRS_FORMAT, way_out)
        tensors = {k: v for k, v in tensors.items() if not k.startswith("probe.")}  # a shard's
        if tensors.keys() - {"condition"} != {"x0", "x1"}:
            raise CheckpointError(f"{path} holds {sorted(tensors)}, not x0 and x1; {way_out}")
        try:
            return cls(**tensors)
        except (ValueError, TypeError) as error:
            raise CheckpointError(f"{path} holds no pairs: {error}; {way_out}") from error
