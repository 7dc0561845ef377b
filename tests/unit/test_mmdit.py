import pytest
import torch

import rfteach as rf


def lively(**how):
    """A small network whose last layers are not zero, as they are at the start of training."""
    torch.manual_seed(0)
    settings = {"size": 8, "patch": 4, "width": 32, "depth": 2, "words": 5} | how
    velocity = rf.MMDiTVelocity(**settings)
    for parameter in velocity.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return velocity


@pytest.fixture
def inputs(generator):
    x = torch.randn(3, 1, 8, 8, generator=generator)
    return x, torch.rand(3, generator=generator), torch.randint(1, 6, (3, 12), generator=generator)


@pytest.mark.parametrize("streams", [1, 2])
def test_the_velocity_depends_on_image_time_and_every_word(streams, inputs):
    velocity, (x, t, tokens) = lively(streams=streams), inputs
    v = velocity(x, t, tokens)
    assert v.shape == x.shape and v.dtype == x.dtype
    others = [(x + 1, t, tokens), (x, t / 2, tokens)]
    for word in range(12):
        changed = tokens.clone()
        changed[:, word] = changed[:, word] % 5 + 1
        others.append((x, t, changed))
    for other in others:
        assert (velocity(*other) - v).flatten(1).norm(dim=1).min() > 1e-4


def test_the_order_of_the_words_counts(inputs):
    velocity, (x, t, tokens) = lively(), inputs
    assert (velocity(x, t, tokens.flip(1)) - velocity(x, t, tokens)).abs().max() > 1e-4


def test_rows_do_not_see_each_other(inputs):
    velocity, (x, t, tokens) = lively(), inputs
    alone = [velocity(x[i : i + 1], t[i : i + 1], tokens[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(velocity(x, t, tokens), torch.cat(alone), atol=1e-4, rtol=1e-4)


def test_the_transformer_is_told_the_time_of_stable_diffusion(inputs):
    velocity, (x, t, tokens) = lively(), inputs
    told = []
    velocity.transformer.register_forward_pre_hook(
        lambda module, args, options: told.append(options["timestep"]), with_kwargs=True
    )
    velocity(x, t, tokens)
    torch.testing.assert_close(told, [1000 * (1 - t)])


def test_it_starts_as_a_velocity_of_zero(inputs):
    assert not rf.MMDiTVelocity(8, 4, 32, 2, words=5)(*inputs).any()


def test_one_stream_has_the_weights_of_one():
    """The two kinds of vectors share all but what comes before the blocks, and their last block."""
    counts = [sum(p.numel() for p in lively(streams=s).parameters()) for s in (1, 2)]
    block = lively().transformer.transformer_blocks[0]
    doubled = [block.attn.add_q_proj, block.attn.add_k_proj, block.attn.add_v_proj]
    first = [*doubled, block.attn.to_add_out, block.norm1_context, block.ff_context]
    shared = sum(p.numel() for module in [*first, *doubled] for p in module.parameters())
    assert counts[1] - counts[0] == shared


@pytest.mark.slow
@pytest.mark.parametrize("streams", [1, 2])
def test_it_learns_which_image_belongs_to_which_text(streams):
    """Two flat images, black and white, two texts; 100 steps suffice to tell them apart.

    The means end beyond 0.6 on the side that was asked for.
    """
    torch.manual_seed(0)
    velocity = rf.MMDiTVelocity(8, 4, 32, 2, words=5, streams=streams)
    images = torch.tensor([-1.0, 1.0])[:, None, None, None].expand(2, 1, 8, 8)
    tokens = torch.zeros(2, 12, dtype=torch.long)
    tokens[:, 3] = torch.tensor([1, 2])
    noise = rf.Gaussian(1, 8, 8)
    coupling = rf.ConditionalCoupling(noise, images, tokens)
    rf.train(velocity, coupling, steps=100, batch_size=32, progress=False)
    starts = noise.sample(20, generator=torch.Generator().manual_seed(1))
    asked = tokens[torch.arange(20) % 2]
    made = rf.euler(rf.with_condition(velocity, asked), starts, steps=10).end.mean(dim=(1, 2, 3))
    assert (made.sign() == torch.tensor([-1.0, 1.0]).repeat(10)).all()
