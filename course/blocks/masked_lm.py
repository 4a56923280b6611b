"""BERT: embeddings, a post-norm encoder, and the head that restores masked tokens; RoBERTa where it differs.

B batch, T length, D model width, V vocabulary. Parameter names are those of week 3's notebook on BERT, so that weights
move between a student's model and ours.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from course.blocks.encoder import Encoder
from course.configs import EncoderConfig

EPS = 1e-12  # of BERT's layer norms; PyTorch's own default is 1e-5


class BertEmbeddings(nn.Module):
    """Word, position and segment embeddings, added and normalised (Devlin et al. 2019, figure 2); without dropout.

    Args:
        vocab_size: V.
        d_model: width, D.
        max_len: rows of the table of positions.
        n_segments: rows of the table of segments.
    """

    def __init__(self, vocab_size: int, d_model: int, max_len: int, n_segments: int) -> None:
        super().__init__()
        self.word = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        self.segment = nn.Embedding(n_segments, d_model)
        self.norm = nn.LayerNorm(d_model, eps=EPS)

    def forward(self, ids: Tensor, segment_ids: Tensor | None = None) -> Tensor:
        """Return float [B,T,D].

        Args:
            ids: long [B,T].
            segment_ids: long [B,T], the segment that each token belongs to; None: all belong to segment 0.

        Raises:
            ValueError: more tokens than positions, or segment_ids of another shape.
        """
        if segment_ids is not None and segment_ids.shape != ids.shape:
            raise ValueError(f"segment_ids are {tuple(segment_ids.shape)}, but ids {tuple(ids.shape)}: one a token.")
        segment = self.segment.weight[0] if segment_ids is None else self.segment(segment_ids)
        return self.norm(self.word(ids) + self._positions(ids) + segment)

    def _positions(self, ids: Tensor) -> Tensor:
        length = ids.shape[1]
        _require_room(length, self.position.num_embeddings)
        return self.position.weight[:length]


class RobertaEmbeddings(BertEmbeddings):
    """BERT's embeddings with RoBERTa's positions, which count real tokens only, from pad_id + 1.

    Args:
        pad_id: the padding token's id.
        others: as for `BertEmbeddings`; max_len counts the pad_id + 1 rows that no real token uses.
    """

    def __init__(self, vocab_size: int, d_model: int, max_len: int, n_segments: int, *, pad_id: int) -> None:
        super().__init__(vocab_size, d_model, max_len, n_segments)
        self.pad_id = pad_id

    def _positions(self, ids: Tensor) -> Tensor:
        _require_room(ids.shape[1] + self.pad_id + 1, self.position.num_embeddings)
        real_BT = ids.ne(self.pad_id)
        return self.position(real_BT.cumsum(1) * real_BT + self.pad_id)


class MaskedLM(nn.Module):
    """BERT with its masked language modelling head (Devlin et al. 2019, section 3.1 and appendix A.1), without dropout.

    The head is a dense map, GELU and a layer norm, then the word embeddings transposed plus a bias: it shares its V x D
    numbers with the embeddings.

    Args:
        config: sizes.
        roberta_pad_id: the padding token's id in a RoBERTa, whose positions depend on it; None for a BERT.
        eps: of the layer norms: 1e-12 in BERT, 1e-5 in RoBERTa.

    Parameters: `embeddings` (word, position, segment, norm), `encoder.blocks`, `dense`, `norm`, `bias` [V].
    """

    def __init__(self, config: EncoderConfig, *, roberta_pad_id: int | None = None, eps: float = EPS) -> None:
        super().__init__()
        self.config = config
        sizes = config.vocab_size, config.d_model, config.max_len, config.n_segments
        if roberta_pad_id is None:
            self.embeddings = BertEmbeddings(*sizes)
        else:
            self.embeddings = RobertaEmbeddings(*sizes, pad_id=roberta_pad_id)
        widths = config.d_model, config.n_heads, config.d_ff, config.n_layers
        self.encoder = Encoder(*widths, activation="gelu", eps=EPS)
        self.dense = nn.Linear(config.d_model, config.d_model)
        self.norm = nn.LayerNorm(config.d_model, eps=EPS)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        set_norm_eps(self, eps)
        initialise(self)

    def encode(self, ids: Tensor, mask: Tensor | None = None, segment_ids: Tensor | None = None) -> Tensor:
        """Return contextual vectors, float [B,T,D].

        Args:
            ids: long [B,T].
            mask: bool [B,T], True on real tokens; None: all are. What a padded position gives means nothing.
            segment_ids: long [B,T]; None: all belong to segment 0.

        Raises:
            ValueError: a mask that is not boolean or not [B,T], or what the embeddings refuse.
        """
        if mask is not None and (mask.dtype != torch.bool or mask.shape != ids.shape):
            raise ValueError(
                f"mask is {mask.dtype} {tuple(mask.shape)}, but must be bool {tuple(ids.shape)}, True on real tokens."
            )
        x_BTD = self.embeddings(ids, segment_ids)
        return self.encoder(x_BTD, None if mask is None else mask[:, None, None, :])

    def head(self, hidden: Tensor) -> Tensor:
        """Return logits [...,V] from hidden vectors [...,D]."""
        transformed = self.norm(functional.gelu(self.dense(hidden)))
        return functional.linear(transformed, self.embeddings.word.weight, self.bias)

    def forward(
        self,
        ids: Tensor,
        mask: Tensor | None = None,
        segment_ids: Tensor | None = None,
        *,
        chosen: Tensor | None = None,
    ) -> Tensor:
        """Return logits for the original token at each position, [B,T,V]; arguments as for `encode`.

        Args:
            chosen: bool [B,T], True where logits are wanted. Then only these are computed: [n_chosen,V], row by row.
        """
        hidden_BTD = self.encode(ids, mask, segment_ids)
        return self.head(hidden_BTD if chosen is None else hidden_BTD[chosen])


def initialise(model: nn.Module) -> None:
    """Draw a model's weights as BERT's are drawn: normal, cut at two standard deviations; biases 0, norms 1.

    BERT's standard deviation is 0.02 at a width of 768 (Devlin et al. 2019, released code). A narrower matrix needs
    larger numbers for sums of the same size, so it grows with the root of 768 / D, D being the last axis of the
    embeddings and of the maps out of a width D.
    """
    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Embedding):
            std = 0.02 * math.sqrt(768 / _width(module))
            nn.init.trunc_normal_(module.weight, std=std, a=-2 * std, b=2 * std)
        elif isinstance(module, nn.LayerNorm):
            module.reset_parameters()
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)


def set_norm_eps(model: nn.Module, eps: float) -> None:
    """Set the eps of every layer norm in the model."""
    for module in model.modules():
        if isinstance(module, nn.LayerNorm):
            module.eps = eps


def _width(module: nn.Linear | nn.Embedding) -> int:
    return module.embedding_dim if isinstance(module, nn.Embedding) else min(module.weight.shape)


def _require_room(n_positions: int, max_len: int) -> None:
    if n_positions > max_len:
        raise ValueError(f"{n_positions} positions are needed, but max_len is {max_len}: raise it or cut the text.")
