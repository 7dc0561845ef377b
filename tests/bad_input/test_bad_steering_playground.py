import pytest
import torch
from traitlets import TraitError

import rfteach as rf

LINE = rf.GaussianMixture(torch.zeros(2, 1), torch.ones(2))
MANY = rf.GaussianMixture(torch.zeros(65, 2), torch.ones(65))


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"mixture": rf.Moons()}, TypeError, "not Moons: the page knows"),
        ({"mixture": [[0, 0]]}, TypeError, "not list"),
        ({"mixture": LINE}, ValueError, r"shape \(2, 1\), but it must be \(k, 2\)"),
        ({"mixture": MANY}, ValueError, r"shape \(65, 2\).*k at most 64"),
        ({"particles": 1}, ValueError, "particles = 1, but there can be 2 to 5000"),
        ({"particles": 5001}, ValueError, "particles = 5001"),
        ({"particles": 10.5}, TypeError, "particles"),
        ({"value": 1.0}, TypeError, "'value' is no state of a steering playground.*measured"),
        ({"pull": 3}, TraitError, "pull"),
        ({"angle": "up"}, TraitError, "angle"),
    ],
)
def test_what_is_wrong_is_named(arguments, error, message):
    with pytest.raises(error, match=message):
        rf.steering_playground(**arguments)
