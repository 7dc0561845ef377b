"""Spreads and guides that steering refuses."""

import pytest
import torch

import rfteach as rf


def test_another_word_for_the_spread():
    with pytest.raises(ValueError, match="'exact', but it must be \"jacobian\""):
        rf.steered(lambda x, t: -x, lambda end: end.sum(dim=1), spread="exact")


def test_a_guide_that_returns_a_number():
    with pytest.raises(TypeError, match="float, not a torch"):
        rf.steered(lambda x, t: -x, lambda end: 1.0)(torch.zeros(3, 2), torch.full((3,), 0.5))
