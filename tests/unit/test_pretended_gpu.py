"""The pretended GPU has a GPU's rules: what must fail there does, and nothing else."""

import numpy as np
import pytest
import torch
from pretended_gpu import DeviceError, pretended_gpu


@pytest.fixture(autouse=True)
def name():
    with pretended_gpu() as name:
        yield name


@pytest.fixture
def x(name):
    return torch.arange(6.0, device=name).reshape(3, 2)


MISTAKES = {
    "a sum over two devices": lambda x: x + torch.ones(3, 2),
    "a network on the CPU": lambda x: torch.nn.Linear(2, 2)(x),
    "the CPU indexed by the GPU": lambda x: torch.ones(6)[x[:, 0].long()],
    "values of the CPU put at an index": lambda x: x.__setitem__(x > 1, torch.ones(4)),
    "to NumPy": lambda x: x.numpy(),
    "to an array": lambda x: np.asarray(x),
    "a generator of the CPU": lambda x: torch.rand(2, device=x.device, generator=torch.Generator()),
    "it fills a tensor": lambda x: x.normal_(generator=torch.Generator()),
}


@pytest.mark.parametrize("name_of_it", MISTAKES)
def test_what_cuda_refuses(name_of_it, x):
    with pytest.raises(DeviceError):
        MISTAKES[name_of_it](x)


def test_what_cuda_allows(x, name):
    generator = torch.Generator(name).manual_seed(3)
    assert generator.device.type == name and generator.initial_seed() == 3
    drawn = torch.randn(3, 2, generator=generator, device=name)
    there = x * torch.tensor(2.0) + drawn
    there[torch.tensor([0, 2])] = 1.0  # the CPU may index it
    there[:, 0] = torch.zeros(3)  # and be copied into it
    assert there.device.type == name and there.cpu().numpy().shape == (3, 2)
    seeded = torch.Generator().manual_seed(3)
    expected = 2 * x.cpu() + torch.randn(3, 2, generator=seeded)
    assert there[1, 1].item() == expected[1, 1].item()


def test_networks_move_there_and_learn(x, name):
    network = torch.nn.Linear(2, 1)
    weights = list(network.parameters())
    network.to(name)
    assert all(p.device.type == name for p in weights)  # the same ones, as on CUDA
    optimizer = torch.optim.Adam(weights)
    network(x).square().sum().backward()
    before = network.weight.detach().cpu().clone()
    optimizer.step()
    assert not torch.equal(before, network.weight.detach().cpu())
