"""The sizes of a model, as one frozen value that can be passed about, compared and printed."""

from __future__ import annotations

from dataclasses import dataclass, fields


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


def _require_whole(config: object) -> None:
    """Raise ValueError, with the field's name, for a size that is not a whole number above 0."""
    for field in fields(config):
        value = getattr(config, field.name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{field.name} is {value!r}, but must be a whole number of at least 1.")


def _require_heads(d_model: int, n_heads: int) -> None:
    if d_model % n_heads:
        raise ValueError(f"d_model={d_model} does not split into n_heads={n_heads} heads of equal width.")
