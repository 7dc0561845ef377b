"""The network of Stable Diffusion 3 in miniature: a transformer that reads the text (MM-DiT)."""

from __future__ import annotations

from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rfteach._checks import check_count, check_tensor
from rfteach._data.captions import LENGTH
from rfteach._network_checks import check_images, check_precision
from rfteach._optional import optional


class TextEncoder(nn.Module):
    """A small transformer that turns words into vectors; it is trained along with the flow.

    Stable Diffusion 3 uses three large ones that were trained before (Esser et al. 2024, Section
    4), and keeps them frozen.

    Args:
        words: size of the vocabulary.
        width: numbers in a vector.
    """

    def __init__(self, words: int, width: int):
        super().__init__()
        self.embedding = nn.Embedding(words + 1, width)
        self.position = nn.Parameter(0.02 * torch.randn(LENGTH, width))
        self.block = nn.TransformerEncoderLayer(
            width, width // 32, 4 * width, dropout=0.0, activation="gelu", batch_first=True
        )

    def forward(
        self, tokens: Int[Tensor, "batch words"]
    ) -> tuple[Float[Tensor, "batch words width"], Float[Tensor, "batch width"]]:
        """Return a vector for each word, and one for the whole text: their mean."""
        vectors = self.block(self.embedding(tokens) + self.position)
        return vectors, vectors.mean(dim=1)


class MMDiTVelocity(nn.Module):
    """A velocity v(x, t) for gray images, given a text: diffusers' SD3Transformer2DModel.

    The image is cut into patches, and each becomes a vector, as each word does. In every block all
    vectors look at each other (attention). In all else the two kinds have weights of their own: the
    two streams (Esser et al. 2024, Section 4).

    Args:
        size: height and width of the images in pixels.
        patch: height and width of a patch.
        width: numbers in a vector, a multiple of 32.
        depth: number of blocks.
        words: size of the vocabulary.
        streams: 2, or 1 to let images and words share their weights.

    Raises:
        ValueError: the size is no multiple of the patch, the width none of 32, or a number is
            below 1.
        ImportError: diffusers is not installed.
    """

    def __init__(
        self,
        size: int,
        patch: int,
        width: int,
        depth: int,
        words: int,
        streams: Literal[1, 2] = 2,
    ):
        super().__init__()
        sizes = {"size": size, "patch": patch, "width": width, "depth": depth, "words": words}
        for name, value in sizes.items():
            check_count(name, value)
        if streams not in (1, 2):
            raise ValueError(f"streams = {streams}, but it must be 1 or 2")
        if size % patch or width % 32:
            raise ValueError(
                f"size = {size} must be a multiple of patch = {patch}, and width = {width} of 32"
            )
        self.size, self.patch, self.width, self.depth = size, patch, width, depth
        self.words, self.streams = words, streams
        self.text = TextEncoder(words, width)
        self.transformer = optional("diffusers").SD3Transformer2DModel(
            sample_size=size,
            patch_size=patch,
            in_channels=1,
            out_channels=1,
            num_layers=depth,
            attention_head_dim=32,
            num_attention_heads=width // 32,
            joint_attention_dim=width,
            caption_projection_dim=width,
            pooled_projection_dim=width,
            pos_embed_max_size=size // patch,
        )
        for block in self.transformer.transformer_blocks:
            if streams == 1:
                _share(block)
            for norm in (block.norm1, block.norm1_context):
                _zero(norm.linear)  # each block starts as the identity (Peebles and Xie 2023)
        _zero(self.transformer.proj_out)

    def forward(
        self,
        x: Float[Tensor, "batch 1 size size"],
        t: Float[Tensor, " batch"],
        condition: Int[Tensor, "batch words"] | None = None,
    ) -> Float[Tensor, "batch 1 size size"]:
        """Return the velocity of the images `x` at the times `t`, given the tokens of their texts.

        The transformer speaks the language of Stable Diffusion 3: it is told 1000 (1 - t), and
        says noise minus data, which is -v.

        Raises:
            ValueError: a shape is not as above, or there are no tokens.
            TypeError: the weights have another precision, or the tokens are no tensor.
        """
        check_images(x, t, 1, self.size)
        check_precision(self, x=x)
        if condition is not None:
            check_tensor("condition", condition, torch.int64)
        if condition is None or condition.shape != (len(x), LENGTH):
            got = "none" if condition is None else f"tokens of shape {tuple(condition.shape)}"
            raise ValueError(
                f"this network is told a text for each of the {len(x)} images, but got {got}; bind "
                f"rf.tokenize_captions(texts) beforehand by rf.with_condition(velocity, tokens)"
            )
        words, text = self.text(condition)
        output = self.transformer(
            hidden_states=x,
            timestep=1000 * (1 - t),
            encoder_hidden_states=words,
            pooled_projections=text,
        )
        return -output.sample


def _share(block: Any) -> None:
    """Let the words go through the image's weights of a block of diffusers' transformer."""
    attention = block.attn
    attention.add_q_proj, attention.add_k_proj = attention.to_q, attention.to_k
    attention.add_v_proj = attention.to_v
    if not block.context_pre_only:  # in the last block nothing reads what becomes of the words
        attention.to_add_out = attention.to_out[0]
        block.norm1_context, block.ff_context = block.norm1, block.ff


def _zero(layer: nn.Linear) -> None:
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
