"""The progress bar that training and the making of pairs share."""

from __future__ import annotations

import os

from tqdm import std


def progress_bar(total: int, *, shown: bool, **settings) -> std.tqdm:
    """Return a bar of tqdm: a widget in a notebook, text in a terminal.

    `TQDM_DISABLE=1` in the environment hides it; read here, because tqdm's widget does not look.
    """
    from tqdm.auto import tqdm

    hidden = not shown or os.environ.get("TQDM_DISABLE", "0") not in ("", "0")
    return tqdm(total=total, disable=hidden, **settings)
