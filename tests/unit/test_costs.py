import pytest
import torch
from torch import nn

import rfteach as rf


def test_a_matrix_product_is_counted_by_hand():
    layer = nn.Linear(30, 50)
    assert rf.count_operations(layer, torch.zeros(7, 30)) == 2 * 7 * 30 * 50


def test_keywords_are_passed_on():
    assert rf.count_operations(torch.mm, input=torch.zeros(2, 3), mat2=torch.zeros(3, 4)) == 48


def test_the_meta_device_counts_the_same():
    counts = []
    for device in ("cpu", "meta"):
        with torch.device(device):
            velocity = rf.UNetVelocity(8, (32, 64))
            counts.append(rf.count_operations(velocity, torch.zeros(3, 1, 8, 8), torch.zeros(3)))
    assert counts[0] == pytest.approx(counts[1], rel=0.01)  # attention differs a little


def forward_and_backward():
    with torch.device("meta"):
        velocity = rf.UNetVelocity(28, (32, 64))
        x, t = torch.zeros(4, 1, 28, 28), torch.zeros(4)
        forward = rf.count_operations(velocity, x, t)
        both = rf.count_operations(lambda: velocity(x, t).sum().backward())
    return forward, both


def test_an_image_in_training_is_worth_three_forward_passes():
    forward, both = forward_and_backward()
    assert 2.9 < both / forward <= 3


def test_the_parts_add_up():
    cost = rf.ReflowCost(pairs=10, evaluations=7, images=100, rounds=2, distilled=30)
    assert cost.solving == 2 * 10 * 7
    assert cost.training == 3 * (2 * 100 + 30)
    assert cost.total == cost.solving + cost.training


def test_days():
    cost = rf.ReflowCost(pairs=1000, evaluations=864)
    assert cost.days(operations=1e9, rate=1e10) == pytest.approx(1.0)
    assert rf.ReflowCost().days(1e9, 1e10) == 0


def test_it_agrees_with_a_solver():
    counted = rf.CountedVelocity(rf.VelocityMLP(dim=2))
    noise = rf.Gaussian(2)
    rf.flow_coupling(counted, noise, size=50, steps=6, solver=rf.heun, progress=False)
    cost = rf.ReflowCost(pairs=50, evaluations=counted.evaluations)
    assert counted.evaluations == 12 and cost.solving == 600
