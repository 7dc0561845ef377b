"""The density of bent times, right and with likely mistakes, for the checker of 11.1."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from rfteach.exercises.tools.answers import Mistake


def density_of_bent(t: Tensor, a: float) -> tuple[Tensor, list[Mistake]]:
    """Return the density of u^a / (u^a + (1 - u)^a), u uniform, at times of any shape."""
    u, there = _bent(t, 1 / a), _bent(t, a)
    wanted = u * (1 - u) / (a * t * (1 - t))
    at_t = there * (1 - there) * a / (t * (1 - t))  # dt/du with t in the place of u
    mistakes = [
        (
            u,
            "This is the share of draws below t, the distribution function. The density is its "
            "slope.",
        ),
        (there, "This is the sampler itself. Find u for a given t, and differentiate it."),
        (
            1 / wanted,
            "This is dt/du. Where t rises quickly with u, few draws fall: take one over it.",
        ),
        (at_t, "This is the slope of the map itself. The density is that of the way back."),
        (
            1 / at_t,
            "This is one over the slope of the map at u = t. Take it at the u that leads to t.",
        ),
        (
            wanted * a,
            "A factor is missing. The logit of u is 1/a times that of t, so its slope is, too.",
        ),
        (wanted * a * a, "The factor a stands below, not above: divide by it."),
        (
            u * (1 - u) / a,
            "The slope of logit(t) is missing: it is 1 / (t (1 - t)), not 1.",
        ),
        (
            t * (1 - t) / (a * u * (1 - u)),
            "u (1 - u) and t (1 - t) are exchanged.",
        ),
        (
            1 / (a * t * (1 - t)),
            "This is the slope of logit(u). Multiply by u (1 - u) to get that of u.",
        ),
        (wanted.log(), "This is the logarithm of the density."),
        (wanted / 2, "The density is spread over both ends, but by half: leave out the 1/2."),
        (
            u * (1 - u) / (t * (1 - t)),
            "A factor is missing. The logit of u is 1/a times that of t, so its slope is, too.",
        ),
        (
            a * (t * (1 - t)) ** (a - 1) / (t**a + (1 - t) ** a) ** 2,
            "The density is that of the way back: put 1/a in place of a.",
        ),
        (
            (t * (1 - t)) ** (1 / a - 1) / (t ** (1 / a) + (1 - t) ** (1 / a)) ** 2,
            "A factor is missing: the power 1/a comes down when it is differentiated.",
        ),
        (
            (t * (1 - t)) ** (1 / a - 1) / a / (t ** (1 / a) + (1 - t) ** (1 / a)),
            "In the slope of the quotient the denominator comes squared.",
        ),
        (
            t ** (1 / a - 1) / a / (t ** (1 / a) + (1 - t) ** (1 / a)),
            "The denominator depends on t, too: differentiate the quotient.",
        ),
        *(
            (each, "The denominator of the map is lost: divide by u^a + (1 - u)^a.")
            for p in [t ** (1 / a)]
            for each in (p / (a * t), a * t ** (a - 1), p * (1 - p) / (a * t * (1 - t)))
        ),
        (
            u / (a * t * (1 - t)),
            "The slope of logit(u) is 1 / (u (1 - u)). The factor 1 - u is missing.",
        ),
        (
            _normal_of_logit(t, a),
            "This is the logit-normal density. Here u is uniform, so its logit is logistic.",
        ),
        *(
            (
                wanted / each,
                f"This divides by the {what} over the times that come in. A "
                f"density needs no such number: its integral is 1 by itself.",
            )
            for each, what in (
                (wanted.mean(), "mean"),
                (wanted.sum(), "sum"),
                (wanted.max(), "maximum"),
            )
            if t.numel() > 1
        ),
        (torch.ones_like(t), "This is the density of u. t is bent, unless a = 1."),
    ]
    return wanted, mistakes


def _normal_of_logit(t: Tensor, a: float) -> Tensor:
    y = torch.logit(t) / a
    return torch.exp(-y.square() / 2) / math.sqrt(2 * math.pi) / (a * t * (1 - t))


def _bent(t: Tensor, a: float) -> Tensor:
    return t**a / (t**a + (1 - t) ** a)
