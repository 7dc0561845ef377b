import matplotlib.pyplot as plt
import pytest
import torch

from rfteach import figures


def test_each_column_of_planes_says_its_coordinate_where_it_ends():
    figure, axes = figures.planes([*"abcde"], columns=3)
    assert len(axes) == 5 and [ax.get_visible() for ax in figure.axes] == [True] * 5 + [False]
    assert [bool(ax.get_xlabel()) for ax in axes] == [False, False, True, True, True]
    numbered = [ax.xaxis.get_major_ticks()[0].label1.get_visible() for ax in axes]
    assert numbered == [False, False, True, True, True]
    plt.close(figure)


@pytest.mark.parametrize("colors", [1, 3])
def test_a_grid_shows_each_image_in_its_place_and_its_colors(colors):
    images = torch.rand(5, colors, 2, 3, generator=torch.Generator().manual_seed(0)) * 2 - 1
    _, ax = plt.subplots()
    figures.image_grid(ax, images, columns=3)
    sheet = torch.tensor(ax.get_images()[0].get_array().data).reshape(5, 11, colors)
    for k, image in enumerate(images):
        top, left = 3 * (k // 3), 4 * (k % 3)
        shown = sheet[top : top + 2, left : left + 3].permute(2, 0, 1)
        assert torch.allclose(2 * shown - 1, image.double(), atol=1e-6)
    assert bool((sheet[2] == 1).all()) and bool((sheet[3:, 8:] == 1).all())  # white between
    plt.close("all")


def test_the_average_of_a_run_that_is_shorter_than_the_window():
    steps, smooth = figures.moving_average(torch.ones(30), 50)
    assert steps.tolist() == [30] and smooth == pytest.approx([1.0])
