"""The image playground: several flows that draw small images from one noise, in the page itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rfteach._checks import check_count, check_distribution
from rfteach._distributions import Distribution
from rfteach._networks.mlp import VelocityMLP
from rfteach._optional import optional
from rfteach._widgets.packing import pack_networks, pack_points

if TYPE_CHECKING:
    from rfteach._widgets.image_playground_widget import ImagePlayground

POOL = 307  # noises that travel with the widget: a prime, see `cloud_rows`


def image_playground(
    velocities: dict[str, VelocityMLP],
    source: Distribution,
    *,
    size: tuple[int, int],
    names: Sequence[str] | None = None,
    one_step: Sequence[str] = (),
    images: int = 20,
    steps: int = 4,
    seed: int = 0,
    label: str = "each",
    time: float = 1.0,
) -> ImagePlayground:
    """Return a widget in which the reader draws images with several flows, from one noise.

    The reader chooses the number of steps and the label, draws new noise, and plays or scrubs the
    time. The browser computes it with the weights rounded to half precision, so it needs no kernel.
    What it shows are traits, which the kernel can read and set: see `ImagePlayground`.

    Args:
        velocities: networks of flattened images by name, each with the same number of labels.
        source: distribution of Z0, of points of shape (height * width,).
        size: height and width of an image in pixels.
        names: of the labels; their numbers when None.
        one_step: names of the networks that were trained for a single step, and always make one.
        images: how many images each network draws, 1 to 306. The noise of all seeds comes from 307
            points, so two seeds have some in common.
        steps: number N of Euler steps shown at first, 1 to 50.
        seed: of the noise, 0 to 99.
        label: one of the names, or "each" for one after another.
        time: the time t shown at first, 0 to 1.

    Raises:
        TypeError: a velocity is no `VelocityMLP`, or the source is no distribution.
        ValueError: `size` or `names` does not fit the networks, `images` is out of range, there is
            no such network, or weights do not fit into half precision.
        traitlets.TraitError: a state has a value that it cannot have.
        ImportError: anywidget is not installed.
    """
    optional("anywidget")
    from rfteach._widgets.image_playground_widget import ImagePlayground

    if not velocities:
        raise ValueError("there are no velocities; pass them by name, as in {'1-RF': velocity}")
    check_distribution("source", source)
    check_count("images", images)
    if images >= POOL:
        raise ValueError(f"images = {images}, but a playground draws at most {POOL - 1}")
    weights, networks = pack_networks(velocities)
    height, width = size
    if names is None:
        names = [str(k) for k in range(next(iter(velocities.values())).classes or 0)]
    known = len(names)
    for name, velocity in velocities.items():
        if velocity.classes is None:
            raise ValueError(f"velocity {name!r} knows of no labels; train one with classes=")
        if velocity.dim != height * width or velocity.classes != known:
            raise ValueError(
                f"velocity {name!r} has dim = {velocity.dim} and classes = {velocity.classes}, but "
                f"images of {height} x {width} pixels with {known} labels need dim = "
                f"{height * width} and classes = {known}"
            )
    unknown = set(one_step) - set(velocities)
    if unknown:
        raise ValueError(f"one_step names {min(unknown)!r}, but there are {', '.join(velocities)}")
    about = {
        "networks": networks,
        "names": list(names),
        "one_step": list(one_step),
        "images": images,
        "height": height,
        "width": width,
    }
    return ImagePlayground(
        velocities,
        _about=about,
        _weights=weights,
        _source=pack_points("source", source, POOL, seed=0, dim=height * width),
        steps=steps,
        seed=seed,
        label=label,
        time=time,
    )
