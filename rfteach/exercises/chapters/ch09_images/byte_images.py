"""Checking the way from bytes to points in [-1, 1], and back."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from rfteach.exercises.tools.answers import Wrong, call
from rfteach.exercises.tools.expect import NO_TIME, expect_close, expect_tensor

BYTES = "An image file wants bytes: convert with `.to(torch.uint8)` in the end."


def expect_points(to_points: Any, pixels: Tensor) -> None:
    """Raise Wrong unless bytes (n, height, width) become points (n, 1, height, width)."""
    values = pixels.float()[:, None]
    wanted = values / 127.5 - 1
    result = call(to_points, pixels)
    if isinstance(result, Tensor) and result.shape == pixels.shape:
        raise Wrong(
            f"The points have shape {tuple(result.shape)}. A network for images wants an axis for "
            f"the channels, even if there is but one: {tuple(wanted.shape)}."
        )
    if isinstance(result, Tensor) and result.dtype == torch.uint8:
        raise Wrong("The points are still bytes, which know no minus and no fractions.")
    floats = "Points are `torch.float32`: convert the bytes with `.float()`, once."
    got = expect_tensor(result, wanted, "The tensor of points", dtype=floats, finite=NO_TIME)
    wrapped = (2 * pixels)[:, None].float()  # 2 * pixels runs over 255 and begins again at 0
    by_largest = 2 * values / (255 if values.max() > 1 else 1) - 1
    mistakes = [
        (
            by_largest,
            f"The brightest byte of this batch is {int(values.max())}, and it is mapped as if the "
            f"batch were in [0, 1] already. Bytes are bytes, however dark: divide in any case.",
        ),
        (values, "These are the bytes as they are, from 0 to 255."),
        (
            torch.div(values, 127.5, rounding_mode="floor") - 1,
            "Whole numbers alone come out: is there a `//` where `/` belongs?",
        ),
        (values / 255, "This maps the bytes to [0, 1]. Noise is around 0, so take [-1, 1]."),
        (values / 255 - 0.5, "This maps the bytes to [-1/2, 1/2]. Twice that is asked for."),
        (values / 128 - 1, "White is 255, and it should become 1. Yours is a little below."),
        *(
            (
                (values - 127) / by,
                "0 should become -1 and 255 become 1: take off 127.5, and divide by 127.5.",
            )
            for by in (127, 127.5, 128)
        ),
        ((values - 127.5) / 128, "White is 255, and it should become 1. Yours is a little below."),
        (1 - values / 127.5, "Black and white are swapped: 0 should become -1."),
        (
            wrapped / 255 - 1,
            "The bytes were doubled as bytes: above 127 they run over. Convert to float first.",
        ),
        *(
            (
                (pixels - gray)[:, None].float() / by,
                "The difference was taken as bytes, which know no minus. Convert to float first.",
            )
            for gray in (127, 128)
            for by in (127, 127.5, 128)
        ),
        (
            (values - values.min()) / (values.max() - values.min()).clamp(min=1) * 2 - 1,
            "This stretches each batch to its own darkest and brightest pixel. Black is 0 and "
            "white 255, whatever is in the batch.",
        ),
        (
            values / values.max().clamp(min=1) * 2 - 1,
            "This stretches each batch to its own brightest pixel. White is 255, whatever is in "
            "the batch.",
        ),
        (
            values - values.mean(),
            "This subtracts the mean of the batch: the same image becomes another point in another "
            "batch.",
        ),
    ]
    case = "A case to try: the bytes 0, 51 and 255 become -1, -0.6 and 1."
    expect_close(got, wanted, mistakes, name="The tensor of points", tolerance=1e-5, pointer=case)


def expect_pixels(to_pixels: Any, pixels: Tensor, generator: torch.Generator) -> None:
    """Raise Wrong unless points near these bytes (n, height, width) become bytes again."""
    x = pixels.double()[:, None] / 127.5 - 1
    inner = (pixels[:, None] > 0) & (pixels[:, None] < 255)
    shift = torch.rand(x.shape, generator=generator, device="cpu").to(x.device) - 0.5
    x = torch.where(inner, x + 0.9 * shift / 127.5, x)  # off by less than half of a byte
    beyond = torch.where(pixels[:, None] > 127, x + 0.3, x - 0.3)
    for points, outside in ((x.float(), False), (beyond.float(), True)):
        exact = 127.5 * (points + 1)
        wanted = exact.clamp(0, 255).round().to(torch.uint8)[:, 0]
        result = call(to_pixels, points)
        if isinstance(result, Tensor) and result.is_floating_point():
            raise Wrong(f"The pixels have dtype {result.dtype}. An image file wants torch.uint8.")
        if isinstance(result, Tensor) and result.shape == points.shape:
            raise Wrong("The pixels still have the axis of the channels. Take it off again.")
        got = expect_tensor(result, wanted, "The tensor of pixels", dtype=BYTES).double()
        cut = exact.clamp(0, 255)[:, 0].double()
        whole = exact[:, 0].double()
        least, most = points.min(), points.max()
        stretched = ((points - least) / (most - least) * 255)[:, 0].double()
        rescaled = "This stretches each batch to its own darkest and brightest pixel. The scale is "
        rescaled += "fixed: -1 is black and 1 is white."
        wraps = "Points may lie a little outside of [-1, 1], and as bytes they wrap around: white "
        wraps += "turns black. Clamp first."
        cuts = "The fractions are cut off, so the image gets darker. Round first."
        mistakes = [
            (cut.floor(), cuts),
            (whole.round() % 256, wraps),
            (whole.trunc() % 256, wraps if outside else cuts),
            (stretched.round(), rescaled),
            (stretched.floor(), rescaled),
            (cut.ceil(), "This rounds up. Round to the nearest byte."),
            (whole.clamp(min=0).round() % 256, f"Only the dark end is cut off. {wraps}"),
            (whole.clamp(max=255).round() % 256, f"Only the bright end is cut off. {wraps}"),
            (
                (128 * (points + 1)).clamp(0, 255)[:, 0].double().round(),
                "This multiplies by 128. 1 is white, 255: half of that is 127.5.",
            ),
            (
                (128 * (points + 1)).clamp(0, 255)[:, 0].double().floor(),
                "This multiplies by 128, and cuts. 1 is white, 255: half of that is 127.5.",
            ),
            (
                (127 * (points + 1)).clamp(0, 255)[:, 0].double().round(),
                "This multiplies by 127. 1 is white, 255: half of that is 127.5.",
            ),
            (
                (127.5 * points + 128).clamp(0, 255)[:, 0].double().round(),
                "This adds 128. Black is -1, and 127.5 brings it to 0.",
            ),
            (
                (255 * points).clamp(0, 255)[:, 0].double().round(),
                "This takes [0, 1] for the range of the points; all that is dark turns black.",
            ),
            (
                (255 * (points + 1)).clamp(0, 255)[:, 0].double().round(),
                "This takes [-1, 0] for the range of the points. From black to white it is 2.",
            ),
            (
                (127.5 * (points.round() + 1)).clamp(0, 255)[:, 0].double().round(),
                "This rounds the points, before they are bytes. Round in the end.",
            ),
            (
                (255 * torch.sigmoid(points))[:, 0].double().round(),
                "A sigmoid is no straight line: -1 becomes 0 and 1 becomes 255.",
            ),
            (
                (255 * points.clamp(0, 1))[:, 0].double().round(),
                "This takes [0, 1] for the range of the points; all that is dark turns black.",
            ),
            (
                (127.5 * (points.clamp(0, 1) + 1))[:, 0].double().round(),
                "This cuts off all below 0, which is gray. Black is -1.",
            ),
            *(
                (
                    (127.5 * each)[:, 0].double().round() % 256,
                    "Black is -1, and should become 0: add 1 before you multiply.",
                )
                for each in (points, points.clamp(-1, 1), points.clamp(min=0))
            ),
            (
                (255 * (points.clamp(-1, 1) + 1))[:, 0].double().round() % 256,
                "From black to white it is 2, from -1 to 1. Half of 255 for each.",
            ),
            (255 - wanted.double(), "Black and white are swapped: -1 should become 0."),
        ]
        case = "A case to try: the points -1.2, -0.6, 0.5 and 1.2 become 0, 51, 191 and 255."
        expect_close(
            got,
            wanted.double(),
            mistakes,
            name="The tensor of pixels",
            tolerance=1e-9,
            pointer=case,
        )
