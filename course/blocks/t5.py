"""T5: an encoder that reads a corrupted text both ways, and a decoder that writes what is missing.

B batch, T target or only length, S source, D model width, H heads, K head width, V vocabulary. There are no biases, the
norms only scale, and positions come in through the scores alone.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import torch
from torch import Tensor, nn
from torch.nn import functional

from course.blocks.dot_product import additive_mask
from course.configs import T5Config

EPS = 1e-6  # of the norms


class T5Attention(nn.Module):
    """Multi-head attention without biases, whose scores are plain dot products: not divided by the root of K.

    The first weights of `q_proj` are so much the smaller instead (Raffel et al. 2020, released code).

    Args:
        config: sizes. Parameters are `q_proj`, `k_proj`, `v_proj` (from D to H x K) and `out_proj` (back).
    """

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.n_heads, inner = config.n_heads, config.n_heads * config.d_head
        for name in ("q_proj", "k_proj", "v_proj"):
            self.add_module(name, nn.Linear(config.d_model, inner, bias=False))
        self.out_proj = nn.Linear(inner, config.d_model, bias=False)

    def forward(self, x: Tensor, memory: Tensor, bias: Tensor | None) -> Tensor:
        """Return what x [B,T,D] takes from memory [B,S,D], as [B,T,D]; bias broadcasts to the scores [B,H,T,S]."""
        flat = (self.q_proj(x), self.k_proj(memory), self.v_proj(memory))
        q_BHTK, k_BHSK, v_BHSK = (part.unflatten(2, (self.n_heads, -1)).transpose(1, 2) for part in flat)
        mixed_BHTK = functional.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, attn_mask=bias, scale=1.0)
        return self.out_proj(mixed_BHTK.transpose(1, 2).flatten(2))


class T5FeedForward(nn.Module):
    """linear2(relu(linear1(x))), or gated: linear2(gelu(gate(x)) * linear1(x)) (Shazeer 2020, GEGLU). No biases.

    Args:
        config: sizes and form.
    """

    def __init__(self, config: T5Config) -> None:
        super().__init__()
        self.linear1 = nn.Linear(config.d_model, config.d_ff, bias=False)
        self.linear2 = nn.Linear(config.d_ff, config.d_model, bias=False)
        self.gate = nn.Linear(config.d_model, config.d_ff, bias=False) if config.gated else None

    def forward(self, x: Tensor) -> Tensor:
        """Return [B,T,D], each position from itself alone."""
        if self.gate is None:
            return self.linear2(functional.relu(self.linear1(x)))
        return self.linear2(functional.gelu(self.gate(x), approximate="tanh") * self.linear1(x))


class T5Block(nn.Module):
    """A pre-norm block: self-attention, in the decoder cross-attention, and the feed-forward part.

    Args:
        config: sizes and form.
        decoder: whether there is a cross-attention.
    """

    def __init__(self, config: T5Config, *, decoder: bool) -> None:
        super().__init__()
        self.self_attn, self.norm1 = T5Attention(config), nn.RMSNorm(config.d_model, eps=EPS)
        if decoder:
            self.cross_attn, self.norm2 = T5Attention(config), nn.RMSNorm(config.d_model, eps=EPS)
        self.feed_forward, self.norm3 = T5FeedForward(config), nn.RMSNorm(config.d_model, eps=EPS)

    def forward(
        self, x: Tensor, bias: Tensor, memory: Tensor | None = None, memory_bias: Tensor | None = None
    ) -> Tensor:
        """Return [B,T,D].

        Args:
            x: float [B,T,D].
            bias: float, added to the scores of the self-attention; broadcasts to [B,H,T,T]. It hides what is hidden.
            memory: float [B,S,D], what the encoder gave; None in the encoder.
            memory_bias: the same for the cross-attention, [B,H,T,S]; None: nothing is hidden.
        """
        h_BTD = self.norm1(x)
        x = x + self.self_attn(h_BTD, h_BTD, bias)
        if memory is not None:
            x = x + self.cross_attn(self.norm2(x), memory, memory_bias)
        return x + self.feed_forward(self.norm3(x))


class T5(nn.Module):
    """T5 (Raffel et al. 2020, section 2.1), v1.0 or v1.1 as the config says, without dropout.

    Args:
        config: sizes and form.
        relative_position_bucket: (relative_position, bidirectional, n_buckets, max_distance) -> buckets, long; the
            course's own where it is None.

    Parameters: `word` [V,D], `encoder_bias` and `decoder_bias` [n_buckets,H] (each shared by all blocks of its side),
    `encoder_blocks`, `encoder_norm`, `decoder_blocks`, `decoder_norm`, and `head` where it is not tied.
    """

    def __init__(
        self, config: T5Config, *, relative_position_bucket: Callable[[Tensor, bool, int, int], Tensor] | None = None
    ) -> None:
        super().__init__()
        self.config = config
        # By name, so that a notebook which asks for the buckets is not graded beside them.
        self._bucket = (
            relative_position_bucket or import_module("course.blocks.relative_positions").relative_position_bucket
        )
        self.word = nn.Embedding(config.vocab_size, config.d_model)
        for side in ("encoder", "decoder"):
            blocks = nn.ModuleList([T5Block(config, decoder=side == "decoder") for _ in range(config.n_layers)])
            self.add_module(f"{side}_bias", nn.Embedding(config.n_buckets, config.n_heads))
            self.add_module(f"{side}_blocks", blocks)
            self.add_module(f"{side}_norm", nn.RMSNorm(config.d_model, eps=EPS))
        if not config.tied:
            self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        initialise(self)

    def encode(self, ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the memory, float [B,S,D].

        Args:
            ids: long [B,S].
            mask: bool [B,S], True on real tokens, at least one a row; None: all are. What a padded position gives means
                nothing.

        Raises:
            ValueError: a mask that is not boolean, or not [B,S].
        """
        allowed = _keys_mask(mask, ids.shape)
        x_BSD = self.word(ids)
        bias = additive_mask(allowed, self.relative_bias(ids.shape[1], bidirectional=True), x_BSD.dtype)
        for block in self.encoder_blocks:
            x_BSD = block(x_BSD, bias)
        return self.encoder_norm(x_BSD)

    def decode(self, decoder_ids: Tensor, memory: Tensor, memory_mask: Tensor | None = None) -> Tensor:
        """Return logits [B,T,V] for the token behind each of decoder_ids [B,T], none of which sees a later one.

        Args:
            decoder_ids: long [B,T], from the start token on; padding, if there is any, stands on the right.
            memory: float [B,S,D], from `encode`.
            memory_mask: bool [B,S], the mask that `encode` was given.

        Raises:
            ValueError: as for `encode`.
        """
        x_BTD, length = self.word(decoder_ids), decoder_ids.shape[1]
        past_TT = torch.ones(length, length, dtype=torch.bool, device=decoder_ids.device).tril()
        bias = additive_mask(past_TT, self.relative_bias(length, bidirectional=False), x_BTD.dtype)
        memory_bias = additive_mask(_keys_mask(memory_mask, memory.shape[:2]), None, x_BTD.dtype)
        for block in self.decoder_blocks:
            x_BTD = block(x_BTD, bias, memory, memory_bias)
        x_BTD = self.decoder_norm(x_BTD)
        if self.config.tied:
            return functional.linear(x_BTD * self.config.d_model**-0.5, self.word.weight)
        return self.head(x_BTD)

    def forward(self, ids: Tensor, decoder_ids: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return `decode` of `encode`: logits [B,T,V]; arguments and errors as there."""
        return self.decode(decoder_ids, self.encode(ids, mask), mask)

    def relative_bias(self, length: int, *, bidirectional: bool) -> Tensor:
        """Return what is added to the scores of every block, float [1,H,T,T]: the encoder's, or the decoder's."""
        table = self.encoder_bias if bidirectional else self.decoder_bias
        places_T = torch.arange(length, device=table.weight.device)
        relative_TT = places_T[None, :] - places_T[:, None]  # memory position minus query position
        buckets_TT = self._bucket(relative_TT, bidirectional, self.config.n_buckets, self.config.max_distance)
        return table(buckets_TT).permute(2, 0, 1)[None]


@torch.no_grad()
def initialise(model: T5) -> None:
    """Draw a model's weights as T5's are drawn: normal, with a variance of one over what goes into a sum.

    Embeddings have variance 1, since the tied head scales its input; queries are smaller by the root of K, in place of
    the division that the scores lack; the biases of the buckets have variance 1/D (released code).
    """
    config = model.config
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear):
            std = module.in_features**-0.5
            nn.init.normal_(module.weight, std=std * config.d_head**-0.5 if name.endswith("q_proj") else std)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=config.d_model**-0.5 if name.endswith("_bias") else 1.0)
        elif isinstance(module, nn.RMSNorm):
            nn.init.ones_(module.weight)


def _keys_mask(mask: Tensor | None, shape: torch.Size) -> Tensor | None:
    """Return a mask [B,S] as [B,1,1,S], for the scores; raises ValueError for what is no mask of this shape."""
    if mask is None:
        return None
    if mask.dtype is not torch.bool or mask.shape != shape:
        raise ValueError(f"mask is {mask.dtype} {tuple(mask.shape)}, but must be bool {tuple(shape)}, True where real.")
    return mask[:, None, None, :]
