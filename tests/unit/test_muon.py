import pytest
import torch
from torch import nn

import rfteach as rf
from rfteach._runs.muon import orthogonalized


@pytest.mark.parametrize("shape", [(16, 64), (64, 16), (32, 32)])
def test_directions_keep_their_places_and_become_equally_long(shape):
    """The polynomial maps singular values of 0.0015 of the norm and more into (0.65, 1.21)."""
    torch.manual_seed(0)
    u, s, vh = torch.linalg.svd(torch.randn(shape, dtype=torch.float64), full_matrices=False)
    s = torch.logspace(0, -1.5, len(s), dtype=torch.float64)
    result = orthogonalized(u * s @ vh)
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.65 and values.max() < 1.21
    inside = u.mT @ result @ vh.mT  # diagonal: same singular vectors
    torch.testing.assert_close(inside, inside.diagonal().diag(), atol=1e-8, rtol=0)


@pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="PyTorch has one from 2.9 on")
@pytest.mark.parametrize("shape", [(16, 64), (64, 16), (32, 32)])
def test_matrices_go_as_by_the_muon_of_pytorch(shape):
    """Within the precision of bf16, 2^-8, in which PyTorch orthogonalizes."""
    torch.manual_seed(0)
    start = torch.randn(shape)
    ours, theirs = (nn.Parameter(start.clone()) for _ in range(2))
    muon = rf.Muon([ours], lr=0.02)
    oracle = torch.optim.Muon([theirs], lr=0.02, weight_decay=0)
    for _ in range(10):
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        muon.step()
        oracle.step()
    assert (ours - theirs).norm() < 2 * 2**-8 * (theirs - start).norm()


def test_a_matrix_moves_as_far_whatever_the_size_of_its_gradient():
    moved = {}
    for size in (1e-3, 1.0, 1e4):
        weight = nn.Parameter(torch.zeros(16, 32))
        torch.manual_seed(0)
        weight.grad = size * torch.randn(16, 32)
        rf.Muon([weight], lr=0.1).step()
        moved[size] = weight.detach()
    torch.testing.assert_close(moved[1.0], moved[1e4])
    torch.testing.assert_close(moved[1.0], moved[1e-3], atol=1e-4, rtol=0.01)
    assert (moved[1.0].norm() / 0.1 / 16**0.5 - 1).abs() < 0.3  # 16 directions of length 1


def test_a_convolution_counts_as_the_matrix_of_its_rows():
    torch.manual_seed(0)
    gradient = torch.randn(16, 4, 3, 3)
    ends = []
    for shape in ((16, 4, 3, 3), (16, 36)):
        weight = nn.Parameter(torch.zeros(shape))
        weight.grad = gradient.reshape(shape)
        rf.Muon([weight], lr=0.1).step()
        ends.append(weight.detach().flatten(1))
    torch.testing.assert_close(*ends)


@pytest.mark.parametrize("shape", [(40,), (8, 64), (64, 8)])
def test_the_rest_goes_by_adam_at_half_the_rate(shape):
    torch.manual_seed(0)
    ours = nn.Parameter(torch.randn(shape))
    theirs = nn.Parameter(ours.detach().clone())
    muon = rf.Muon([ours], lr=0.02)
    adam = torch.optim.Adam([theirs], lr=0.01, betas=(0.9, 0.95))
    for _ in range(5):
        ours.grad = torch.randn(shape)
        theirs.grad = ours.grad.clone()
        muon.step()
        adam.step()
    torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def test_it_resumes_bit_by_bit(tmp_path):
    def run(checkpoint=None, stop=None):
        def callback(step, loss):
            if step == stop:
                raise KeyboardInterrupt

        torch.manual_seed(0)
        velocity = rf.VelocityMLP(2, width=16, depth=3)
        coupling = rf.IndependentCoupling(rf.Gaussian(2), rf.Moons())
        how = {"steps": 40, "batch_size": 32, "optimizer": rf.Muon, "progress": False}
        rf.train(velocity, coupling, checkpoint=checkpoint, callback=callback, **how)
        return velocity

    whole = run()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run.safetensors", stop=25)
    resumed = run(tmp_path / "run.safetensors")
    for a, b in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_checkpoint_of_adam_is_not_that_of_muon(tmp_path):
    def run(**how):
        velocity = rf.VelocityMLP(2, width=16, depth=2)
        coupling = rf.IndependentCoupling(rf.Gaussian(2), rf.Moons())
        path = tmp_path / "run.safetensors"
        rf.train(velocity, coupling, steps=2, batch_size=8, checkpoint=path, progress=False, **how)

    torch.manual_seed(0)
    run()
    with pytest.raises(rf.CheckpointError, match="optimizer"):
        run(optimizer=rf.Muon)
