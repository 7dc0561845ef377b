import pytest
import torch
import traitlets

import rfteach as rf
from rfteach._widgets.image_playground import POOL

NOISE = rf.Gaussian(6)


@pytest.fixture
def models():
    """Two networks of images of 2 x 3 pixels and three labels."""
    torch.manual_seed(0)
    return {name: rf.VelocityMLP(6, width=5, depth=1, classes=3) for name in ("1-RF", "distilled")}


def test_the_start_is_the_source(models):
    play = rf.image_playground(models, NOISE, size=(2, 3), images=POOL - 1)
    assert play.start.shape == (POOL - 1, 6)
    # five standard errors of a mean and of a variance
    assert play.start.mean(dim=0).abs().max() < 5 / POOL**0.5
    assert (play.start.var(dim=0) - 1).abs().max() < 5 * (2 / POOL) ** 0.5
    assert len(play.start.unique(dim=0)) == POOL - 1
    first = play.start
    play.seed = 1
    assert not torch.equal(first, play.start)


def test_labels_are_drawn_in_turn_or_one_alone(models):
    play = rf.image_playground(models, NOISE, size=(2, 3), names=["a", "b", "c"], images=5)
    assert play.labels.tolist() == [0, 1, 2, 0, 1]
    play.label = "c"
    assert play.labels.tolist() == [2] * 5
    with pytest.raises(traitlets.TraitError, match="label = 'd'.*each"):
        play.label = "d"
    with pytest.raises(traitlets.TraitError, match="time = nan"):
        play.time = float("nan")


def test_the_picture_says_what_each_model_does(models, shown):
    play = rf.image_playground(models, NOISE, size=(2, 3), one_step=["distilled"], steps=7)
    output = shown(play)[0]["text/html"]
    assert "1-RF, 7 steps; distilled, 1 step" in output and "each label" in output
