"""The playground: trained flows that the reader can touch, in a page without a kernel as well."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

from rfteach._checks import check_count, check_distribution
from rfteach._distributions import Distribution, Gaussian
from rfteach._networks.mlp import VelocityMLP
from rfteach._optional import optional
from rfteach._widgets.packing import POOL, TARGET, pack_networks, pack_points

if TYPE_CHECKING:
    from rfteach._widgets.playground_widget import Playground

Models = dict[str, VelocityMLP]
STATE = {
    "data", "model", "beside", "solver", "steps", "seed",
    "time", "selected", "paths", "lines", "arrows", "controls", "noise", "fading",
}  # fmt: skip


def playground(
    velocities: VelocityMLP | Models | dict[str, Models],
    source: Distribution,
    target: Distribution | dict[str, Distribution],
    *,
    particles: int = 2000,
    limit: float = 3.0,
    **state,
) -> Playground:
    """Return a widget in which the reader plays with trained flows of the plane.

    The reader chooses model, data set, solver and number of steps, plays or scrubs the time, and
    drops particles. The browser computes it with the weights rounded to half precision, so it
    needs no kernel. What it shows are traits, which the kernel can read and set: see `Playground`.

    With `noise=2.0`, or another number from 0 to 4, the reader can turn up the noise on the way:
    the page then makes the steps of `euler_maruyama` (with their conditions), in place of a choice
    of solvers. Few paths are drawn, and a particle is dropped as five copies, which part.

    Args:
        velocities: a network, or networks by name ("1-RF", "2-RF", ...), or those by data set.
        source: distribution of Z0.
        target: the data, for comparison; by name if there are several data sets.
        particles: number of particles, 2 to 4,998. The noise of all seeds comes from 4,999 points,
            so the clouds of two seeds have points in common.
        limit: the plane shown is [-limit, limit]^2.
        state: what to show at first, such as `model="2-RF"`, `beside="1-RF"`, `steps=1`,
            `time=0.5` or `arrows=True`. The words are those of `Playground`.

    Raises:
        TypeError: a velocity is no `VelocityMLP`, a distribution none, or a state has another name.
        ValueError: points or networks are not of the plane, `particles` or `limit` is out of range,
            weights do not fit into half precision, the data sets of `velocities` and `target`
            differ, or there is to be noise but the source is not `Gaussian`.
        traitlets.TraitError: a state has a value that it cannot have.
        ImportError: anywidget is not installed.
    """
    optional("anywidget")
    from rfteach._widgets.playground_widget import Playground
    from rfteach.figures import COLORS

    by_data, targets = _by_data(velocities, target)
    check_count("particles", particles)
    if not 2 <= particles < POOL:
        raise ValueError(f"particles = {particles}, but a playground has 2 to {POOL - 1}")
    if not (math.isfinite(limit) and limit > 0):
        raise ValueError(f"limit = {limit}, but it must be positive; shown is [-limit, limit]^2")
    unknown = set(state) - STATE
    if unknown:
        raise TypeError(
            f"{min(unknown)!r} is no state of a playground; choose from {', '.join(sorted(STATE))}"
        )
    check_distribution("source", source)
    for data, distribution in targets.items():
        check_distribution(f"target {data!r}", distribution)
    if "noise" in state and not isinstance(source, Gaussian):
        raise ValueError(
            f"source is {type(source).__name__}, but noise needs the score, which follows from "
            f"the velocity only for rf.Gaussian; leave out noise="
        )

    networks, weights = [], b""
    for data, models in by_data.items():
        content, entries = pack_networks(models)
        _check_plane(models)
        for entry in entries:
            networks.append({**entry, "data": data, "offset": len(weights) + entry["offset"]})
        weights += content
    about = {
        # lists, because the keys of a stored notebook come back sorted
        "data": list(by_data),
        "models": _colored(by_data, COLORS),
        "networks": networks,
        "colors": {part: COLORS[part] for part in ("source", "target", "line")},
        "particles": particles,
        "limit": limit,
        "noisy": "noise" in state,
    }
    shown = state.setdefault("data", next(iter(by_data)))
    if shown in by_data:
        state.setdefault("model", next(iter(by_data[shown])))
    return Playground(
        by_data,
        _about=about,
        _weights=weights,
        _source=pack_points("source", source, POOL, seed=0),
        _targets=b"".join(pack_points("target", d, TARGET, seed=1) for d in targets.values()),
        **state,
    )


def _check_plane(models: Models) -> None:
    """Raise unless all networks are of the plane, and know of no labels."""
    for name, velocity in models.items():
        if velocity.dim != 2 or velocity.classes is not None:
            raise ValueError(
                f"velocity {name!r} has dim = {velocity.dim} and classes = {velocity.classes}, but "
                f"a playground shows the plane: dim = 2, without labels"
            )


def _by_data(velocities: Any, target: Any) -> tuple[dict[str, Models], dict]:
    """Bring all forms of the first arguments to {data: {model: network}} and {data: points}."""
    if not isinstance(target, dict):
        target = {"data": target}
        velocities = {"data": velocities}
    if not isinstance(velocities, dict) or set(velocities) != set(target):
        known = sorted(velocities) if isinstance(velocities, dict) else "none"
        raise ValueError(
            f"target has the data sets {sorted(target)} and velocities has {known}; both must "
            f"have the same, as in velocities={{'moons': {{'1-RF': v}}}}, target={{'moons': moons}}"
        )
    named = {
        data: velocities[data] if isinstance(velocities[data], dict) else {"flow": velocities[data]}
        for data in target
    }
    for data, models in named.items():
        if not models:
            raise ValueError(f"there are no velocities for {data!r}; give one or more")
        for name in (data, *models):
            if not isinstance(name, str) or not name:
                raise TypeError(
                    f"{name!r} is no name; data sets and models have names such as '1-RF'"
                )
    return named, target


def _colored(by_data: dict[str, Models], book: dict[str, str]) -> list[dict[str, str]]:
    """Give each model the book's color of its name, and other names a color in turn."""
    kinds = ["1-RF", "2-RF", "3-RF", "distilled", "DDPM"]
    turns = itertools.cycle(kinds[:4])
    names = dict.fromkeys(name for models in by_data.values() for name in models)
    return [{"name": name, "color": book[name if name in kinds else next(turns)]} for name in names]
