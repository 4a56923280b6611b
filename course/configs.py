"""The sizes of a model, as one frozen value that can be passed about, compared and printed."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

DECODER_POSITIONS = ("learned", "alibi")


@dataclass(frozen=True)
class EncoderConfig:
    """The sizes of an encoder-only model, as BERT (Devlin et al. 2019, section 3) and RoBERTa.

    Args:
        vocab_size: tokens in the vocabulary, V.
        d_model: width, D.
        n_heads: attention heads, H; divides d_model.
        n_layers: blocks.
        d_ff: width of the feed-forward part, F.
        max_len: rows of the table of positions, that is the most tokens that the model can read at once.
        n_segments: rows of the table of segments: 2 in BERT, 1 in RoBERTa.

    Raises:
        ValueError: a size that is not a whole number above 0, or heads that do not divide the width.

    Example:
        >>> EncoderConfig(300, d_model=64, n_heads=4, n_layers=2, d_ff=256, max_len=64).n_segments
        2
    """

    vocab_size: int
    d_model: int
    n_heads: int
    n_layers: int
    d_ff: int
    max_len: int
    n_segments: int = 2

    def __post_init__(self) -> None:
        _require_whole(self)
        _require_heads(self.d_model, self.n_heads)


@dataclass(frozen=True)
class DecoderConfig:
    """The sizes of a decoder-only model: GPT-2 (Radford et al. 2019, table 2) or BLOOM (Scao et al. 2022, section 3.2).

    Args:
        vocab_size: tokens in the vocabulary, V.
        d_model: width, D.
        n_heads: attention heads, H; divides d_model.
        n_layers: blocks.
        d_ff: width of the feed-forward part, F.
        max_len: rows of the table of positions, that is the most tokens that the model can read at once. With "alibi"
            there is no table and no limit; it then says how long the texts of the training were.
        positions: "learned" (GPT-2: a table of vectors) or "alibi" (BLOOM: a bias on the scores; Press et al. 2022).

    Raises:
        ValueError: a size that is not a whole number above 0, heads that do not divide the width, unknown positions.

    Example:
        >>> DecoderConfig(300, d_model=64, n_heads=4, n_layers=2, d_ff=256, max_len=64).positions
        'learned'
    """

    vocab_size: int
    d_model: int
    n_heads: int
    n_layers: int
    d_ff: int
    max_len: int
    positions: str = "learned"

    def __post_init__(self) -> None:
        _require_whole(self, *(field.name for field in fields(self) if field.name != "positions"))
        _require_heads(self.d_model, self.n_heads)
        if self.positions not in DECODER_POSITIONS:
            raise ValueError(f"positions is {self.positions!r}: choose one of {', '.join(DECODER_POSITIONS)}.")


@dataclass(frozen=True)
class T5Config:
    """The sizes of T5 (Raffel et al. 2020, section 2.1), and its two forms: v1.0, and v1.1 with gated=True, tied=False.

    Args:
        vocab_size: tokens in the vocabulary, sentinels included, V.
        d_model: width, D.
        n_heads: attention heads, H.
        d_head: width of a head, K. Heads and width are free of each other: H x K need not be D.
        n_layers: blocks of the encoder, and as many of the decoder.
        d_ff: width of the feed-forward part, F.
        n_buckets: buckets that relative positions are sorted into; even, and at least 4.
        max_distance: from here on all distances share the last bucket; above n_buckets / 2.
        gated: the feed-forward part is gated, with the tanh form of GELU (v1.1; Shazeer 2020), instead of ReLU (v1.0).
        tied: the head is the table of word embeddings transposed, its input scaled by D^-0.5 (v1.0), instead of a
            matrix of its own (v1.1).

    Raises:
        ValueError: a size that is not a whole number above 0, or buckets and distance that do not fit each other.

    Example:
        >>> T5Config(300, d_model=64, n_heads=4, d_head=16, n_layers=2, d_ff=256).n_buckets
        32
    """

    vocab_size: int
    d_model: int
    n_heads: int
    d_head: int
    n_layers: int
    d_ff: int
    n_buckets: int = 32
    max_distance: int = 128
    gated: bool = False
    tied: bool = True

    def __post_init__(self) -> None:
        _require_whole(self, *(field.name for field in fields(self) if field.name not in ("gated", "tied")))
        if self.n_buckets < 4 or self.n_buckets % 2:
            raise ValueError(f"n_buckets is {self.n_buckets}, but must be even and at least 4.")
        if self.max_distance <= self.n_buckets // 2:
            raise ValueError(
                f"max_distance is {self.max_distance}, but must be above {self.n_buckets // 2}, half of n_buckets: so "
                "many distances have a bucket of their own."
            )
        for name in ("gated", "tied"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"{name} is {getattr(self, name)!r}, but must be True or False.")


@dataclass(frozen=True)
class BartConfig:
    """The sizes of a BART (Lewis et al. 2020, section 2.1); encoder and decoder have the same.

    Args:
        vocab_size: tokens in the vocabulary, V, which both sides share.
        d_model: width, D.
        n_heads: attention heads, H; divides d_model.
        n_layers: blocks on either side.
        d_ff: width of the feed-forward part, F.
        max_len: the most tokens that either side can read at once.

    Raises:
        ValueError: a size that is not a whole number above 0, or heads that do not divide the width.

    Example:
        >>> BartConfig(300, d_model=64, n_heads=4, n_layers=2, d_ff=256, max_len=64).max_len
        64
    """

    vocab_size: int
    d_model: int
    n_heads: int
    n_layers: int
    d_ff: int
    max_len: int

    def __post_init__(self) -> None:
        _require_whole(self)
        _require_heads(self.d_model, self.n_heads)


@dataclass(frozen=True)
class GenerationConfig:
    """How a text is written, token by token.

    Args:
        max_new_tokens: at most so many tokens are added to the prompt.
        do_sample: draw each token; False takes the most probable one.
        temperature: logits are divided by it; below 1 sharper, above 1 flatter.
        top_k: keep the k most probable tokens; None keeps all.
        top_p: keep the smallest set of the most probable tokens that holds this much probability; None keeps all.
        repetition_penalty: how much less likely tokens that occurred become (Keskar et al. 2019, section 4.1); 1 does
            nothing.
        eos_id: the token that ends a text; None: none does.
        pad_id: what fills a row that has ended.

    Raises:
        ValueError: a number outside its range; the message names it.

    Example:
        >>> GenerationConfig(max_new_tokens=20, do_sample=True, top_p=0.9).temperature
        1.0
    """

    max_new_tokens: int
    do_sample: bool = False
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0
    eos_id: int | None = None
    pad_id: int = 0

    def __post_init__(self) -> None:
        _require_whole(self, "max_new_tokens", *(["top_k"] if self.top_k is not None else []))
        for name in ("temperature", "repetition_penalty", *(["top_p"] if self.top_p is not None else [])):
            _require_positive(name, getattr(self, name))
        if self.top_p is not None and self.top_p > 1:
            raise ValueError(f"top_p is {self.top_p!r}, but is a probability: above 0 and at most 1.")
        _require_whole(self, "pad_id", *(["eos_id"] if self.eos_id is not None else []), least=0)
        if not isinstance(self.do_sample, bool):
            raise ValueError(f"do_sample is {self.do_sample!r}, but must be True or False.")


def _require_whole(config: object, *names: str, least: int = 1) -> None:
    """Raise ValueError, with the field's name, for a size that is not a whole number of at least `least`.

    Args:
        names: the fields to look at; all of them where none is named.
    """
    for name in names or [field.name for field in fields(config)]:
        value = getattr(config, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ValueError(f"{name} is {value!r}, but must be a whole number of at least {least}.")


def _require_positive(name: str, value: object) -> None:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value < math.inf:
        raise ValueError(f"{name} is {value!r}, but must be a number above 0.")


def _require_heads(d_model: int, n_heads: int) -> None:
    if d_model % n_heads:
        raise ValueError(f"d_model={d_model} does not split into n_heads={n_heads} heads of equal width.")
