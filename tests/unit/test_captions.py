import pytest
import torch

import rfteach as rf
from rfteach._data.captions import CAPTION_VOCABULARY, LENGTH, NAMES, SENTENCES
from rfteach._data.images import FASHION_CLASSES


def labeled(n=30):
    points = torch.arange(n, dtype=torch.float32)[:, None]
    return rf.ConditionalCoupling(rf.Gaussian(1), points, torch.arange(n) % 10), points


def test_every_label_has_captions_to_train_on_and_others_to_test():
    seen, unseen = set(), set()
    for label in range(10):
        train, test = rf.fashion_captions(label), rf.fashion_captions(label, unseen=True)
        assert (len(train), len(test)) == (17, 4)
        assert len({*train, *test}) == len(NAMES[label]) * len(SENTENCES) == 21
        seen |= set(train)
        unseen |= set(test)
    assert len(seen) == 170 and len(unseen) == 40  # no caption says two labels
    assert not seen & unseen


def test_what_is_kept_back_has_no_new_word_and_no_new_sentence():
    """Only the combination is new."""
    for label in range(10):
        names = [any(name in text for text in rf.fashion_captions(label)) for name in NAMES[label]]
        assert all(names)
    texts = {text for label in range(10) for text in rf.fashion_captions(label)}
    for sentence in SENTENCES:
        start, end = sentence.split("{}")
        assert any(text.startswith(start) and text.endswith(end) for text in texts)


@pytest.mark.parametrize("label", range(10))
def test_the_names_are_those_of_the_classes(label):
    """In the order of rfteach._data.images.FASHION_CLASSES."""
    name = FASHION_CLASSES[label].lower()
    assert any(name in text.lower() for text in rf.fashion_captions(label))


def test_words_become_numbers():
    rows = rf.tokenize_captions(["a Sneaker, side view!", "", "T-shirt"])
    assert rows.shape == (3, LENGTH) and rows.dtype == torch.long
    words = [CAPTION_VOCABULARY[number - 1] for number in rows[0] if number]
    assert words == ["a", "sneaker", "side", "view"]
    assert (rows[0, 4:] == 0).all() and (rows[1] == 0).all()
    assert CAPTION_VOCABULARY[rows[2, 0] - 1] == "t-shirt"
    assert rf.tokenize_captions([]).shape == (0, LENGTH)


def test_every_caption_can_be_read():
    texts = [
        t
        for label in range(10)
        for u in (False, True)
        for t in rf.fashion_captions(label, unseen=u)
    ]
    rows = rf.tokenize_captions(texts)
    assert len({tuple(row.tolist()) for row in rows}) == len(texts)
    assert rows.max() == len(CAPTION_VOCABULARY)


def test_the_coupling_gives_captions_of_the_label():
    inner, _ = labeled()
    x0, x1, tokens = rf.CaptionCoupling(inner, drop=0.0).sample(
        2000, generator=torch.Generator().manual_seed(0)
    )
    for label in range(10):
        rows = {tuple(row.tolist()) for row in tokens[x1[:, 0].long() % 10 == label]}
        assert rows == {
            tuple(row.tolist()) for row in rf.tokenize_captions(rf.fashion_captions(label))
        }


@pytest.mark.parametrize("drop", [0.0, 0.1, 1.0])
def test_some_texts_are_empty(drop):
    n = 4000
    coupling = rf.CaptionCoupling(labeled()[0], drop=drop)
    *_, tokens = coupling.sample(n, generator=torch.Generator().manual_seed(0))
    empty = (tokens == 0).all(dim=1).double().mean().item()
    assert empty == pytest.approx(drop, abs=5 * (drop * (1 - drop) / n) ** 0.5)


def test_the_same_seed_gives_the_same_texts_and_the_points_keep_their_law(device):
    inner, points = labeled()
    coupling = rf.CaptionCoupling(inner)
    first, again = (
        coupling.sample(500, generator=torch.Generator(device).manual_seed(3), device=device)
        for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert set(first[1].flatten().tolist()) == set(points.flatten().tolist())
