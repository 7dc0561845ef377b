import pytest
import torch

import rfteach as rf


@pytest.mark.parametrize("channels", [1, 4])
def test_latents_have_their_channels_and_a_quarter_of_the_side(channels):
    autoencoder = rf.ImageAutoencoder(channels)
    images = torch.rand(3, 1, 28, 28)
    latents = autoencoder.encode(images)
    assert latents.shape == (3, channels, 7, 7)
    again = autoencoder(images)
    assert again.shape == images.shape
    assert torch.equal(again, autoencoder.decode(latents))


def test_there_is_at_least_one_channel():
    with pytest.raises(ValueError, match="channels"):
        rf.ImageAutoencoder(0)


def test_it_learns_to_repeat_a_few_images():
    torch.manual_seed(0)
    images, _ = rf.fashion()
    autoencoder = rf.ImageAutoencoder(4)
    coupling = rf.IndependentCoupling(rf.Gaussian(1, 28, 28), rf.Empirical(images[:16]))

    def loss(network, x0, x1, t):
        return (network(x1) - x1).square().mean()

    how = {"steps": 30, "batch_size": 16, "learning_rate": 5e-3, "ema_decay": 0.0}
    run = rf.train(autoencoder, coupling, loss=loss, progress=False, **how)
    assert run.losses[-5:].mean() < 0.5 * run.losses[:3].mean()
