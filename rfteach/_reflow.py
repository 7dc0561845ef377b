"""Reflow: train again, on the pairs that the flow itself makes (Liu et al. 2022, Algorithm 1)."""

from __future__ import annotations

import copy
from typing import Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from rfteach._adaptive import dopri5
from rfteach._checks import (
    check_conditions,
    check_count,
    check_distribution,
    check_seed,
    check_trainable,
)
from rfteach._couplings import PairedCoupling
from rfteach._distributions import Distribution
from rfteach._runs.progress import progress_bar
from rfteach._solvers import Trajectory, heun
from rfteach._training import train
from rfteach._velocity import Velocity, with_condition


@runtime_checkable
class FixedStepSolver(Protocol):
    """A solver that is told its steps: `euler`, `heun`, `rk4` or `adams_bashforth`."""

    def __call__(
        self, velocity: Velocity, x0: Tensor, *, steps: int | Tensor, keep: Literal["path", "end"]
    ) -> Trajectory:
        """Solve from t = 0 to t = 1."""
        ...


def flow_coupling(
    velocity: Velocity,
    source: Distribution,
    *,
    size: int = 50_000,
    solver: FixedStepSolver = heun,
    steps: int | Float[Tensor, " times"] = 20,
    batch_size: int = 2048,
    condition: Shaped[Tensor, "size *condition"] | None = None,
    generator: torch.Generator | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> PairedCoupling:
    """Return the flow's own pairs (Z0, Z1): noise, and where the flow carries it.

    All noise is drawn first and then solved in batches, so the pairs do not depend on `batch_size`
    (but for rounding), and no more than one batch is held besides the pairs themselves. Row i of
    the one end belongs to row i of the other: never shuffle one of them alone.

    Args:
        velocity: callable `velocity(x, t)`.
        source: distribution of Z0.
        size: number of pairs.
        solver: `euler`, `heun`, `rk4` or `adams_bashforth`.
        steps: number of solver steps, or their times, rising from 0 to 1. An error made here is
            learned by the next round.
        batch_size: points solved at a time.
        condition: what the velocity is told of each point, such as a label, as
            `velocity(x, t, condition=...)`; it goes with the pairs.
        generator: source of randomness; PyTorch's global one when None.
        device: where the flow is solved and the pairs are kept; PyTorch's default device when None.
        progress: show a progress bar.

    Raises:
        ValueError: `size`, `steps` or `batch_size` is below 1, there is not one condition for each
            pair, or the velocity or the source returns a wrong shape.
        TypeError: one of them is not an integer, the source is not a distribution, or the solver
            is no function or `dopri5`.
        ArithmeticError: some end points are NaN or infinite; nothing can be learned from those.
    """
    check_distribution("source", source)
    check_count("size", size)
    check_count("batch_size", batch_size)
    check_conditions(condition, size)
    if not callable(solver):
        raise TypeError(f"solver = {solver!r}, but it must be a function; pass solver=rf.heun, say")
    if getattr(solver, "func", solver) is dopri5:  # or a partial of it
        raise TypeError("dopri5 chooses its own steps; pass solver=rf.euler, rf.heun or rf.rk4")
    number = len(steps) - 1 if isinstance(steps, Tensor) else steps
    z0 = source.sample(size, generator=generator, device=device)
    if len(z0) != size:
        raise ValueError(
            f"the source gave {len(z0)} points for size = {size}; its sample(n) must return n"
        )
    z1 = torch.empty_like(z0)
    with progress_bar(size, shown=progress, desc="solving for pairs", unit="pair") as bar:
        for done in range(0, size, batch_size):
            start, end = (z[done : done + batch_size] for z in (z0, z1))
            bound = velocity
            if condition is not None:
                bound = with_condition(velocity, condition[done : done + batch_size])
            end.copy_(solver(bound, start, steps=steps, keep="end").end)
            bad = ~torch.isfinite(end).flatten(1).all(dim=1)
            if bad.any():
                raise ArithmeticError(
                    f"{int(bad.sum())} of {len(end)} end points are NaN or infinite after "
                    f"{number} steps, the first of them that of source point "
                    f"{done + int(bad.nonzero()[0])}; look for a velocity that is not finite, or "
                    f"take more steps"
                )
            bar.update(len(end))
    return PairedCoupling(z0, z1, condition)


def reflow(
    velocity: nn.Module,
    source: Distribution,
    *,
    rounds: int = 1,
    size: int = 50_000,
    solver: FixedStepSolver = heun,
    pair_steps: int = 20,
    seed: int = 0,
    progress: bool = True,
    **training,
) -> list[nn.Module]:
    """Return the velocities of the next rounds: from 1-RF, those of 2-RF, 3-RF and so on.

    Each round solves the last flow for new pairs and trains a copy of its network on them
    (Liu et al. 2022, Algorithm 1). The network that is passed in stays as it is. Several
    processes each make all the pairs; `sharded_flow_coupling` shares them out.

    Args:
        velocity: a trained velocity, on the device where the pairs are to be made.
        source: distribution of Z0.
        rounds: how often to make pairs and train.
        size: number of pairs in each round.
        solver: `euler`, `heun`, `rk4` or `adams_bashforth`, for the pairs.
        pair_steps: number of solver steps for the pairs.
        seed: of all the randomness: the noise of the pairs, and the training.
        progress: show progress bars.
        training: further settings of `train`, such as `steps`, `batch_size` or `learning_rate`.

    Returns:
        One trained velocity per round.

    Raises:
        ValueError: a setting is out of range, the velocity has no weights to train, or there is
            one `checkpoint` for several rounds.
        TypeError: the velocity is not a module, or as for `flow_coupling` and `train`.
        ArithmeticError: a flow or a loss became NaN or infinite.
    """
    check_count("rounds", rounds)
    check_seed(seed)
    check_trainable(velocity)
    if rounds > 1 and training.get("checkpoint") is not None:
        raise ValueError(
            f"a checkpoint holds one training run, but rounds = {rounds}; call reflow once for "
            f"each round, with a file of its own"
        )
    noise = torch.Generator().manual_seed(seed)
    velocities = []
    for round in range(rounds):
        pairs = flow_coupling(
            velocity,
            source,
            size=size,
            solver=solver,
            steps=pair_steps,
            generator=noise,
            device=next(velocity.parameters()).device,
            progress=progress,
        )
        velocity = copy.deepcopy(velocity)
        train(velocity, pairs, seed=seed + round + 1, progress=progress, **training)
        velocities.append(velocity)
    return velocities
