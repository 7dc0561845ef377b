import matplotlib.pyplot as plt

from rfteach import figures


def test_each_column_of_planes_says_its_coordinate_where_it_ends():
    figure, axes = figures.planes([*"abcde"], columns=3)
    assert len(axes) == 5 and [ax.get_visible() for ax in figure.axes] == [True] * 5 + [False]
    assert [bool(ax.get_xlabel()) for ax in axes] == [False, False, True, True, True]
    numbered = [ax.xaxis.get_major_ticks()[0].label1.get_visible() for ax in axes]
    assert numbered == [False, False, True, True, True]
    plt.close(figure)
