"""Train again with other settings and watch the loss curve: the control of chapter 3."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rfteach._checks import check_number
from rfteach._couplings import IndependentCoupling
from rfteach._distributions import Distribution
from rfteach._optional import optional

if TYPE_CHECKING:
    from rfteach._widgets.retrain_widget import Retrain


def retrain(source: Distribution, target: Distribution, *, floor: float | None = None) -> Retrain:
    """Return a control that trains a network with settings of the reader's choice.

    It shows the loss while the network learns, and its samples afterward. Earlier curves stay, in
    gray, for comparison. It runs in the background, on PyTorch's default device, and leaves the
    global randomness as it is.

    Args:
        source: distribution of X0, with points of shape (n, 2).
        target: distribution of X1, with points of shape (n, 2).
        floor: the least loss that any field can reach, drawn as a line; none when None.

    Raises:
        ValueError: the points are not in the plane or not finite, or `floor` is not finite.
        TypeError: an end is not a distribution, or `floor` is not a number.
        ImportError: ipywidgets is not installed.
    """
    optional("ipywidgets")
    from rfteach._widgets.retrain_widget import Retrain

    coupling = IndependentCoupling(source, target)
    if tuple(source.event_shape) != (2,):
        raise ValueError(
            f"the points have shape {tuple(source.event_shape)}, but the control draws points "
            f"in the plane; pass distributions whose event_shape is (2,)"
        )
    if floor is not None:
        check_number("floor", floor)
    return Retrain(coupling, floor)
