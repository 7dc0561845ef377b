"""A still picture in place of a widget, for pages without scripts.

The output of a widget holds it as HTML. The static page shows that, and its script puts the widget
in its place; `data-widget` says which.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import torch
from matplotlib.figure import Figure

Draw = Callable[..., tuple[Figure, str]]


def with_picture(bundle: Any, widget: Any, draw: Draw) -> tuple[dict, dict]:
    """Add the picture that `draw(widget)` returns, with its alt text, to a widget's output."""
    with torch.device("cpu"):
        figure, alt = draw(widget)
    picture = io.BytesIO()
    figure.savefig(picture, format="webp", dpi=150, pil_kwargs={"quality": 80})
    plt.close(figure)  # or the notebook would show it a second time
    source = base64.b64encode(picture.getvalue()).decode()
    data, metadata = bundle
    content = (
        f'<div class="rf-still" data-widget="{widget.model_id}">'
        f'<img alt="{html.escape(alt)}" src="data:image/webp;base64,{source}">'
        f"<p><em>A still picture. Where scripts run, you can play with it here.</em></p></div>"
    )
    return {**data, "text/html": content}, metadata
