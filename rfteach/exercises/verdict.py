"""What `check` says of an answer, as text and as a box in the notebook."""

from __future__ import annotations

import base64
import html
import re
from dataclasses import dataclass
from typing import NamedTuple

MARGIN = 'style="margin: 0.3rem 0"'


class Picture(NamedTuple):
    """A drawing that says more than words, with a text for readers who cannot see it."""

    png: bytes
    alt: str


@dataclass(frozen=True)
class Verdict:
    """The outcome of one check.

    Attributes:
        exercise: the number of the exercise, such as "3.2".
        attempted: False for a stub that was left as it is.
        passed: whether the answer is right.
        message: what is wrong and where to look, or what a right answer shows.
        picture: the target beside yours, where that helps.
    """

    exercise: str
    attempted: bool
    passed: bool
    message: str
    picture: Picture | None = None

    @property
    def headline(self) -> str:
        """The outcome in a few words."""
        if not self.attempted:
            return f"Exercise {self.exercise}: not attempted yet"
        return f"Exercise {self.exercise}: {'passed' if self.passed else 'not right yet'}"

    def __repr__(self) -> str:
        return f"{self.headline}\n{self.message}" if self.message else self.headline

    def _repr_html_(self) -> str:
        mark, color = ("○", "#8C8C8C") if not self.attempted else ("✗", "#D55E00")
        if self.passed:
            mark, color = "✓", "#009E73"
        paragraphs = "".join(
            f"<p {MARGIN}>{_code(each)}</p>" for each in self.message.split("\n") if each
        )
        image = ""
        if self.picture:
            data = base64.b64encode(self.picture.png).decode()
            alt = html.escape(self.picture.alt, quote=True)
            image = f'<img src="data:image/png;base64,{data}" alt="{alt}" style="max-width: 100%">'
        headline = f"<p {MARGIN}><strong>{mark} {html.escape(self.headline)}</strong></p>"
        style = f"border-left: 0.25rem solid {color}; padding: 0.1rem 0 0.1rem 0.8rem"
        return f'<div style="{style}">{headline}{paragraphs}{image}</div>'


def _code(text: str) -> str:
    """Escape a text for HTML; set what stands in backticks as code, a *word* in italics."""
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(text))
    return re.sub(r"(?<= )\*(\w+)\*(?=[ ,.])", r"<em>\1</em>", text)
