"""Figures in a notebook have twice the dots, and say how large they are."""

from io import BytesIO

import matplotlib.pyplot as plt
import pytest
from PIL import Image

from rfteach._sharp import sharp_png


def test_a_figure_has_twice_the_dots_that_it_is_shown_with():
    figure, axes = plt.subplots(figsize=(2, 1), dpi=100)
    axes.plot([0, 1], color="#0072B2", linewidth=9)
    png, size = sharp_png(figure)
    image = Image.open(BytesIO(png))
    assert image.width == pytest.approx(2 * size["width"], abs=1)
    colors = [color for _, color in image.convert("RGB").getcolors()]
    assert image.mode == "P" and (0x00, 0x72, 0xB2) in colors  # the palette holds the book's own
    plt.close(figure)
