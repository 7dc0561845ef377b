"""Lines that cross: the widget of chapter 2, in which the reader drags the ends of two lines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from torch import Tensor

from rfteach._optional import optional

if TYPE_CHECKING:
    from rfteach._widgets.crossing_widget import Crossing

Points = Sequence[Sequence[float]] | Tensor


def crossing(
    *,
    starts: Points = ((-1.0, -1.0), (-1.0, 1.0)),
    ends: Points = ((1.0, 1.0), (1.0, -1.0)),
    blur: float = 0.2,
    time: float = 0.5,
) -> Crossing:
    """Return a widget in which the reader drags two kinds of pairs, A and B, that may cross.

    It shows v*(x, t) = E[X1 - X0 | X_t = x] where the two lines meet on paper, and the flow of v*
    (chapter 2; Liu et al. 2022, equation 2). The browser computes it, so it needs no kernel. What
    it shows are traits, which the kernel can read and set: see `Crossing`.

    Args:
        starts: where the lines of A and of B start, two points [x, y] within [-1.8, 1.8]^2.
        ends: where they end, in the same form.
        blur: standard deviation of the Gaussian at each end, 0.05 to 0.5.
        time: the time t shown at first, 0 to 1.

    Raises:
        traitlets.TraitError: `starts` or `ends` are not two points of the plane that is shown, or
            `blur` or `time` is out of range.
        ImportError: anywidget is not installed.
    """
    optional("anywidget")
    from rfteach._widgets.crossing_widget import Crossing

    return Crossing(starts=_as_list(starts), ends=_as_list(ends), blur=blur, time=time)


def _as_list(points: Any) -> Any:
    """Turn tensors, arrays and tuples into lists; the widget looks at the result."""
    if hasattr(points, "tolist"):
        return points.tolist()
    if isinstance(points, (list, tuple)):
        return [_as_list(point) for point in points]
    return points
