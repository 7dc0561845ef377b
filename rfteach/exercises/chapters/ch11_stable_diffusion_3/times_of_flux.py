"""The shifted times of FLUX, right and with likely mistakes, for the checker of 11.2."""

from __future__ import annotations

import math

from torch import Tensor

from rfteach._times import shift_times
from rfteach.exercises.tools.answers import Mistake


def shifted_times(even: Tensor, patches: int) -> tuple[Tensor, list[Mistake]]:
    """Return the times of FLUX for equal steps (n + 1,) and a number of patches."""
    share = (patches - 256) / (4096 - 256)
    mu = 0.5 + 0.65 * share
    wanted = shift_times(even, math.exp(mu))
    inside = 0.5 + 0.65 * min(max(share, 0.0), 1.0)
    by_log = 0.5 + 0.65 * math.log(patches / 256) / math.log(16)
    by_root = 0.5 + 0.65 * (patches**0.5 - 16) / 48
    mistakes = [
        (
            shift_times(even, math.exp(-mu)),
            "The shift goes the wrong way: it acts on sigma = 1 - t, and a large one keeps "
            "most of the times near 0, in the noise.",
        ),
        (
            1 - wanted,
            "These are the noise levels sigma, which fall from 1 to 0. Our times are 1 - sigma.",
        ),
        (even, "These times are not shifted."),
        (even.flip(0), "These times fall, and are not shifted."),
        (
            wanted.flip(0),
            "These times fall. Ours rise, from 0 (noise) to 1 (data).",
        ),
        *(
            (
                shift_times(even, base**mu),
                f"This takes {base} to the power mu. The shift is e to the power mu.",
            )
            for base in (2, 10)
        ),
        *(
            (
                shift_times(even, fixed),
                f"This is the fixed shift {fixed:g}, whatever the number of patches. FLUX "
                f"takes e to the power mu, and mu from the patches.",
            )
            for fixed in (3.0, math.exp(0.5), math.exp(1.15))
            if 256 < patches < 4096
        ),
        *(
            (
                shift_times(even, math.exp(0.5 + 0.65 * (side - 256) / 3840)),
                "n is the number of patches, as it comes in, and not the side of the image.",
            )
            for side in (math.sqrt(patches), 8 * math.sqrt(patches), 16 * math.sqrt(patches))
        ),
        (
            shift_times(even, 1 + mu),
            "This is 1 + mu. The shift is e to the power mu.",
        ),
        *(
            (
                shift_times(even, math.exp(0.5 + 0.65 * part)),
                "Check the straight line: mu is 0.5 at 256 patches, and 1.15 at 4096.",
            )
            for part in (patches / 4096, patches / (4096 - 256), (patches - 256) / 4096)
        ),
        (
            shift_times(even, math.exp(0.5 + 1.15 * share)),
            "From 256 to 4096 patches mu rises by 1.15 - 0.5, and not by 1.15.",
        ),
        (
            1 - math.exp(mu) * (1 - even),
            "This multiplies sigma alone. A shift maps sigma to a sigma / (1 + (a - 1) sigma).",
        ),
        (
            1 - math.exp(mu) * (1 - even) / (1 + math.exp(mu) * (1 - even)),
            "Below the bar stands a - 1, not a: a shift maps sigma to a sigma / (1 + (a - 1) "
            "sigma).",
        ),
        *(
            (each, "This takes a power. A shift maps sigma to a sigma / (1 + (a - 1) sigma).")
            for each in (1 - (1 - even) ** math.exp(-mu), 1 - (1 - even) ** math.exp(mu))
        ),
        (
            (even ** math.exp(mu)),
            "This takes a power. A shift maps sigma to a sigma / (1 + (a - 1) sigma).",
        ),
        (
            shift_times(even, math.exp(0.5 + 0.65 * (patches**2 - 256) / 3840))
            if patches < 300
            else even,
            "n is the number of patches already, and not the side of the image: no square.",
        ),
        (shift_times(even, mu), "This takes mu as the shift. The shift is e to the power mu."),
        (
            shift_times(even, math.exp(2 * mu)),
            "This is shifted twice.",
        ),
        (
            shift_times(even, math.exp(1.65 - mu)),
            "The two ends are exchanged: mu is 0.5 at 256 patches, and 1.15 at 4096.",
        ),
        (
            shift_times(even, math.exp(inside)),
            "mu stays on the straight line beyond 256 and 4096 patches, too.",
        ),
        (
            shift_times(even, math.exp(by_log)),
            "mu is a straight line in n itself, not in its logarithm.",
        ),
        (
            shift_times(even, math.exp(by_root)),
            "mu is a straight line in n itself, not in its root.",
        ),
        (
            shift_times(even, math.exp(0.65 * share)),
            "At 256 patches mu is 0.5, not 0.",
        ),
    ]
    return wanted, mistakes
