"""Captions: the labels of Fashion-MNIST in words, and words as numbers for a network.

A class has several names, and a name stands in several sentences, so that one label gives many
captions. Every fifth of them is kept out of training, to ask for what was never read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from rfteach._checks import check_count, check_coupling, check_number
from rfteach._couplings import Coupling
from rfteach._network_checks import check_labels

NAMES = (  # of labels 0 to 9
    ("a T-shirt", "a tee", "a top with short sleeves"),
    ("trousers", "pants", "a pair of trousers"),
    ("a pullover", "a sweater", "a jumper"),
    ("a dress", "a gown", "a long dress"),
    ("a coat", "a jacket", "a warm coat"),
    ("a sandal", "a pair of sandals", "an open shoe"),
    ("a shirt", "a blouse", "a shirt with buttons"),
    ("a sneaker", "a pair of sneakers", "a running shoe"),
    ("a bag", "a handbag", "a purse"),
    ("an ankle boot", "a pair of boots", "a boot"),
)
SENTENCES = (
    "{}",
    "a photo of {}",
    "a picture of {}",
    "{}, side view",
    "{} on a black background",
    "a gray photo of {}",
    "here is {}",
)
LENGTH = 12
"""The number of words that the text encoder reads; shorter texts are filled up with zeros."""


def fashion_captions(label: int, *, unseen: bool = False) -> list[str]:
    """Return the captions of a label: 17 to train on, or the 4 that are kept back.

    Raises:
        ValueError: the label is not one of 0 to 9.
    """
    if not 0 <= label < len(NAMES):
        raise ValueError(f"label = {label}, but the labels of Fashion-MNIST are 0 to 9")
    texts = [sentence.format(name) for name in NAMES[label] for sentence in SENTENCES]
    kept_back = texts[4::5]
    return kept_back if unseen else [text for text in texts if text not in kept_back]


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z-]+", text.lower())


CAPTION_VOCABULARY = sorted(
    {word for label in range(10) for text in fashion_captions(label) for word in _words(text)}
)
"""The words of the captions. Word i has the number i + 1; 0 is no word."""


def tokenize_captions(texts: Sequence[str]) -> Int[Tensor, "batch 12"]:
    """Return the numbers of the words of each text, filled up with zeros to 12.

    Case and punctuation are ignored. The empty text is all zeros: it is what the velocity is told
    when it is told nothing.

    Raises:
        TypeError: a single text was passed, not a list.
        ValueError: a text has a word that the captions have not, or more than 12 words.
    """
    if isinstance(texts, str):
        raise TypeError(f"texts is one text; pass a list of them: tokenize_captions([{texts!r}])")
    rows = torch.zeros(len(texts), LENGTH, dtype=torch.long)
    for row, text in zip(rows, texts, strict=True):
        words = _words(text)
        if len(words) > LENGTH:
            raise ValueError(f"{text!r} has {len(words)} words, but at most {LENGTH} are read")
        for i, word in enumerate(words):
            if word not in CAPTION_VOCABULARY:
                raise ValueError(
                    f"{word!r} is in no caption, so the text encoder has not learned it; the "
                    f"words are {', '.join(CAPTION_VOCABULARY)}"
                )
            row[i] = CAPTION_VOCABULARY.index(word) + 1
    return rows


class CaptionCoupling:
    """A coupling whose condition is a caption in place of a label: each time another wording.

    With probability `drop` the text is empty. So one network learns the flow given the text and
    the flow given nothing, which `guided` needs (Ho and Salimans 2022, Algorithm 1).

    Args:
        coupling: gives triples (x0, x1, label), such as a `ConditionalCoupling`.
        drop: probability of the empty text.

    Raises:
        ValueError: `drop` is not a probability.
        TypeError: it is no number, or `coupling` gives no pairs.
    """

    def __init__(self, coupling: Coupling, *, drop: float = 0.1):
        check_coupling(coupling)
        check_number("drop", drop, low=0, high=1)
        self.coupling, self.drop = coupling, drop
        self.tokens = torch.stack(
            [tokenize_captions(fashion_captions(label)) for label in range(len(NAMES))]
        )

    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
    ) -> tuple[Float[Tensor, "n *event"], Float[Tensor, "n *event"], Shaped[Tensor, "n 12"]]:
        """Draw `n` triples (x0, x1, tokens of a caption); ValueError where there are no labels."""
        check_count("n", n)
        drawn = self.coupling.sample(n, generator=generator, device=device)
        if len(drawn) != 3:
            raise ValueError(
                f"the coupling gives {len(drawn)} tensors, but captions need a label as well; pass "
                f"ConditionalCoupling(source, images, labels)"
            )
        x0, x1, labels = drawn
        labels = labels.long()  # bytes and truth values would be read as a mask
        check_labels(labels, len(NAMES), n)
        self.tokens = self.tokens.to(x1.device)
        draw = torch.rand(2, n, generator=generator, device=x1.device)
        wording = (draw[0] * self.tokens.shape[1]).long().clamp(max=self.tokens.shape[1] - 1)
        kept = draw[1] >= self.drop
        return x0, x1, self.tokens[labels, wording] * kept[:, None]
