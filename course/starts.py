"""First weights with which a small model learns sooner: words far apart, heads that begin with their neighbours.

Drawn at random, a head looks everywhere alike. It has to find out that neighbours matter, and only then can the next
block learn to look things up: easy with a billion texts, slow with fifty thousand. Here some heads begin where most
trained models end; all of them go on learning. Cf. Trockman and Kolter 2023, who start attention from what trained
models have in common.

D model width, H heads, K head width, W waves, N buckets.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn

SIDES = (-1, 1, -2, 2, -3, 3, 0, None)  # where the heads of an encoder begin to look, in tokens; None: nowhere special
PAST = (0, -1, -2, -3, None, None, None, None)  # the same for a decoder
N_WAVES, FASTEST = 12, 2.6  # the fastest wave turns by so many radians a token
PEAK = 5.0  # score of the place that a head begins with; that of places far from it is about 0
SLOPE, LOWEST = 2.0, -8.0  # a T5's bias falls so much a token, down to so much
MATCH = 0.5  # first size of the maps by which a T5's decoder looks for what is like itself
CARRY = 0.7  # first size of the maps that carry what was found: the product keeps half of it


@torch.no_grad()
def start_bert(model: nn.Module, *, word_std: float = 0.15) -> None:
    """Draw words farther apart, make positions of waves, and turn each head of the first block to its own neighbour.

    Waves have a gift that the paper of 2017 names (Vaswani et al., section 3.5): a linear map turns position t into
    t + n, whatever t is. So a head's queries ask for the place n tokens on, where its keys say which place they are.

    Args:
        model: a `course.blocks.masked_lm.MaskedLM`, or a student's with the same names. Its weights were drawn before.
        word_std: standard deviation of a word's vector. Words whose vectors are alike cannot be told apart by who would
            copy them (BERT's own start, at a width of 96, is 0.057).
    """
    attention, word = model.encoder.blocks[0].self_attn, model.embeddings.word.weight
    d_model, n_waves = word.shape[1], min(N_WAVES, word.shape[1] // 2)
    nn.init.normal_(word, std=word_std)
    plane_DW = nn.init.orthogonal_(torch.empty(d_model, 2 * n_waves))  # the directions that hold the position
    position = model.embeddings.position.weight
    size = word_std * math.sqrt(d_model / n_waves)  # makes a position as long as a word
    position.copy_(size * waves(torch.arange(len(position)), n_waves=n_waves) @ plane_DW.T)
    q_HKD, k_HKD = (part.weight.unflatten(0, (attention.n_heads, -1)) for part in (attention.q_proj, attention.k_proj))
    d_head = q_HKD.shape[1]
    seen_KW = nn.init.orthogonal_(torch.empty(d_head, 2 * n_waves))  # what of the position a head has room for
    normed = math.sqrt(d_model / (2 * n_waves))  # a wave's height behind the norm of the embeddings
    highest = n_waves * min(1.0, d_head / (2 * n_waves)) * normed**2 / math.sqrt(d_head)  # score of a perfect match
    gain = math.sqrt(PEAK / highest)
    for head, offset in zip(range(attention.n_heads), itertools.cycle(SIDES), strict=False):
        if offset is not None:
            q_HKD[head] = gain * seen_KW @ turn(offset, n_waves=n_waves) @ plane_DW.T
            k_HKD[head] = gain * seen_KW @ plane_DW.T


@torch.no_grad()
def start_t5(model: nn.Module) -> None:
    """Give each head its own neighbour by its first biases; let the decoder look for what is like itself, and copy it.

    Behind a sentinel the decoder writes what the encoder found beside the same sentinel. In cross-attention queries and
    keys start as one map, so that like looks at like. What is found is carried by a map and its transpose: a good part
    of it arrives as it was, and the tied head knows it again.

    Args:
        model: a `course.blocks.t5.T5`. Its weights were drawn before.
    """
    buckets_N, n_heads = torch.arange(model.config.n_buckets), model.config.n_heads
    half = model.config.n_buckets // 2
    # Near by, a bucket is one distance; the wide ones stand for at least their number.
    both_N = torch.where(buckets_N < half, -buckets_N, buckets_N - half)  # memory position minus query position
    for table, distances_N, offsets in ((model.encoder_bias, both_N, SIDES), (model.decoder_bias, -buckets_N, PAST)):
        for head, offset in zip(range(n_heads), itertools.cycle(offsets), strict=False):
            table.weight[:, head] = 0.0 if offset is None else _falling(distances_N, offset)
    for block in (*model.encoder_blocks, *model.decoder_blocks):
        for attention in (block.self_attn, getattr(block, "cross_attn", None)):
            if attention is not None:
                nn.init.orthogonal_(attention.v_proj.weight, gain=CARRY)
                attention.out_proj.weight.copy_(attention.v_proj.weight.T)
        if hasattr(block, "cross_attn"):
            nn.init.orthogonal_(block.cross_attn.q_proj.weight, gain=MATCH)
            block.cross_attn.k_proj.weight.copy_(block.cross_attn.q_proj.weight)


def waves(places: Tensor, *, n_waves: int = N_WAVES) -> Tensor:
    """Return sines and cosines side by side, float [T,2W], for places [T]; no two places are alike."""
    return torch.stack([f(places[:, None] * _frequencies(n_waves)) for f in (torch.sin, torch.cos)], 2).flatten(1)


def turn(offset: float, *, n_waves: int = N_WAVES) -> Tensor:
    """Return the map [2W,2W] that takes the waves of any place t to those of t + offset.

    >>> here, there = waves(torch.tensor([3.0, 5.0]))
    >>> torch.allclose(turn(2) @ here, there, atol=1e-5)
    True
    """
    cos_W, sin_W = (f(offset * _frequencies(n_waves)) for f in (torch.cos, torch.sin))
    pairs_W22 = torch.stack([torch.stack([cos_W, sin_W], 1), torch.stack([-sin_W, cos_W], 1)], 1)
    return torch.block_diag(*pairs_W22)


def _frequencies(n_waves: int) -> Tensor:
    """Return radians a token, [W]: from FASTEST down to almost a sixteenth of it."""
    return FASTEST * 16.0 ** (-torch.arange(n_waves) / n_waves)


def _falling(distances: Tensor, offset: int) -> Tensor:
    return (-SLOPE * (distances - offset).abs()).clamp(min=LOWEST)
