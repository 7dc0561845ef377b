import pytest
import torch

import rfteach as rf


@pytest.mark.parametrize("label", [-1, 10])
def test_a_label_without_captions(label, says):
    with says(ValueError, f"label = {label}", "0 to 9"):
        rf.fashion_captions(label)


def test_a_word_that_was_never_read(says):
    with says(ValueError, "'hat'", "is in no caption", "ankle, background, bag"):
        rf.tokenize_captions(["a bag", "a hat"])


def test_too_many_words(says):
    with says(ValueError, "13 words", "at most 12"):
        rf.tokenize_captions(["a bag", " ".join(["a"] * 13)])


def test_one_text_in_place_of_a_list(says):
    with says(TypeError, "one text", "tokenize_captions(['a bag'])"):
        rf.tokenize_captions("a bag")


@pytest.mark.parametrize("drop", [-0.1, 1.1, float("nan")])
def test_a_drop_that_is_no_probability(drop, says, coupling):
    with says(ValueError, f"drop = {drop}", "at least 0 and at most 1"):
        rf.CaptionCoupling(coupling, drop=drop)


@pytest.mark.parametrize(
    "how",
    [{"patch": 5}, {"width": 40}, {"patch": 0}, {"depth": 0}, {"words": 0}],
    ids=lambda how: next(iter(how)),
)
def test_a_network_that_cannot_be(how, says):
    settings = {"size": 28, "patch": 14, "width": 32, "depth": 1, "words": 5} | how
    ((name, value),) = how.items()
    with says(ValueError, f"{name} = {value}"):
        rf.MMDiTVelocity(**settings)


def test_a_transformer_told_the_wrong_things(says):
    velocity = rf.MMDiTVelocity(28, 14, 32, 1, 5)
    x, t = torch.zeros(2, 1, 28, 28), torch.zeros(2)
    with says(ValueError, "a text for each of the 2 images", "none", "tokenize"):
        velocity(x, t)
    with says(ValueError, "tokens of shape (3, 12)"):
        velocity(x, t, torch.zeros(3, 12, dtype=torch.long))
    with says(ValueError, "(batch, 1, 28, 28)", "(2, 1, 14, 14)"):
        velocity(x[..., :14, :14], t, torch.zeros(2, 12, dtype=torch.long))


def test_guidance_needs_a_row_of_both_for_each_point(says):
    labels = torch.zeros(3, dtype=torch.long)
    with says(ValueError, "(3,)", "(2,)", "zeros_like"):
        rf.guided(lambda x, t, condition: x, labels, labels[:2], scale=2)
    with says(TypeError, "condition must be a torch.Tensor, not list"):
        rf.guided(lambda x, t, condition: x, [1, 2, 3], labels, scale=2)
    with says(TypeError, "nothing must be a torch.Tensor, not NoneType"):
        rf.guided(lambda x, t, condition: x, labels, None, scale=2)
    for scale in (float("nan"), float("inf")):
        with says(ValueError, f"scale = {scale}"):
            rf.guided(lambda x, t, condition: x, labels, labels, scale=scale)
    with pytest.raises(ValueError, match=r"interval = \(0.6, 0.2\).*start < stop"):
        rf.guided(lambda x, t, condition: x, labels, labels, scale=2, interval=(0.6, 0.2))
    velocity = rf.guided(lambda x, t, condition: x, labels, labels, scale=2)
    with says(ValueError, "shape (3,)", "4 points"):
        rf.euler(velocity, torch.zeros(4, 2), steps=1)


def test_a_coupling_without_labels(coupling, says):
    with says(ValueError, "gives 2 tensors", "ConditionalCoupling(source, images, labels)"):
        rf.CaptionCoupling(coupling).sample(3)
    with says(TypeError, "the coupling is of type Moons"):
        rf.CaptionCoupling(rf.Moons())


def test_labels_that_have_no_caption(says):
    images, noise = torch.zeros(2, 1, 28, 28), rf.Gaussian(1, 28, 28)
    coupling = rf.CaptionCoupling(rf.ConditionalCoupling(noise, images, torch.tensor([-1, -1])))
    with says(IndexError, "-1 is no label", "0 to 9"):
        coupling.sample(3)
    with says(ValueError, "streams = 3"):
        rf.MMDiTVelocity(8, 2, 32, 1, 5, streams=3)
    with says(ValueError, "size = 0"):
        rf.MMDiTVelocity(0, 2, 32, 1, 5)
