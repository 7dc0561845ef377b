import pytest

import rfteach as rf


@pytest.mark.parametrize("name", ["pairs", "evaluations", "images", "rounds", "distilled"])
def test_a_count_must_be_an_integer_and_not_negative(name):
    with pytest.raises(ValueError, match=f"{name} = -1, but it cannot be negative"):
        rf.ReflowCost(**{name: -1})
    for bad in (4e6, True, "4"):
        with pytest.raises(TypeError, match=f"{name} must be an integer.*pass an int"):
            rf.ReflowCost(**{name: bad})


@pytest.mark.parametrize("bad", [0, -1.0, float("nan"), float("inf")])
def test_operations_and_rate_must_be_positive(bad):
    cost = rf.ReflowCost(pairs=1, evaluations=1)
    with pytest.raises(ValueError, match="operations = .*must be positive and finite"):
        cost.days(bad, 1.0)
    with pytest.raises(ValueError, match="rate = .*must be positive and finite"):
        cost.days(1.0, bad)
