"""The plumbing models of week 1: recurrent language models, and the readers of the recall race."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

CELLS = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}


class RecurrentLM(nn.Module):
    """A recurrent language model: embedding, one recurrent layer, projection to the vocabulary.

    Args:
        vocab_size: V.
        d_model: width of the embeddings, D.
        width: of the state, H.
        cell: "rnn" (tanh), "lstm" or "gru".
    """

    def __init__(self, vocab_size: int, d_model: int, width: int, *, cell: str = "lstm") -> None:
        super().__init__()
        if cell not in CELLS:
            raise ValueError(f"cell is {cell!r}: choose one of {', '.join(sorted(CELLS))}.")
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.recurrence = CELLS[cell](d_model, width, batch_first=True)
        self.output = nn.Linear(width, vocab_size)
        if cell == "lstm":
            self._remember_at_first(width)

    @torch.no_grad()
    def _remember_at_first(self, width: int) -> None:
        """Start with open forget gates (bias 1; Jozefowicz et al. 2015) and state products that keep lengths."""
        self.recurrence.bias_ih_l0.zero_()
        self.recurrence.bias_hh_l0.zero_()
        self.recurrence.bias_ih_l0[width : 2 * width] = 1.0
        for block in self.recurrence.weight_hh_l0.split(width):
            nn.init.orthogonal_(block)

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits [B,T,V] for the token after each of ids [B,T], from a state of zeros."""
        states_BTH, _ = self.recurrence(self.embedding(ids))
        return self.output(states_BTH)


class AttentionLM(nn.Module):
    """A small causal Transformer; what is inside it is the subject of week 2.

    Args:
        vocab_size: V.
        d_model: width, D.
        n_layers: blocks.
        n_heads: attention heads; divides d_model.
        max_len: tokens it can read at most.
    """

    def __init__(self, vocab_size: int, d_model: int, *, n_layers: int, n_heads: int, max_len: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.position = nn.Embedding(max_len, d_model)
        block = nn.TransformerEncoderLayer(
            d_model, n_heads, 2 * d_model, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, n_layers, norm=nn.LayerNorm(d_model), enable_nested_tensor=False)
        self.output = nn.Linear(d_model, vocab_size)

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits [B,T,V] for the token after each of ids [B,T]."""
        length = ids.shape[1]
        if length > self.position.num_embeddings:
            raise ValueError(f"{length} tokens came, but max_len is {self.position.num_embeddings}.")
        x_BTD = self.embedding(ids) + self.position.weight[:length]
        causal = nn.Transformer.generate_square_subsequent_mask(length, device=ids.device)
        return self.output(self.blocks(x_BTD, mask=causal, is_causal=True))


def masked_cross_entropy(model: Callable[[Tensor], Tensor], batch: tuple[Tensor, ...]) -> Tensor:
    """Return the mean loss in nats over the labels that are not -100; batch is (ids [B,T], labels [B,T])."""
    ids_BT, labels_BT = batch
    return functional.cross_entropy(model(ids_BT).flatten(0, 1), labels_BT.flatten())


def next_token_loss(model: Callable[[Tensor], Tensor], batch: tuple[Tensor, ...]) -> Tensor:
    """Return the mean loss in nats of predicting each token from those before it.

    Args:
        model: ids [B,T] -> logits [B,T,V].
        batch: (ids [B,T], mask [B,T]), mask True on real tokens. The first token of a row is never a target.
    """
    ids_BT, mask_BT = batch
    labels_BT = ids_BT[:, 1:].masked_fill(~mask_BT[:, 1:], -100)
    return masked_cross_entropy(model, (ids_BT[:, :-1], labels_BT))


@torch.no_grad()
def next_token_log_probs(model: Callable[[Tensor], Tensor], ids: Tensor) -> Tensor:
    """Return log p of each token after the first, [B,T-1], in nats.

    Args:
        model: ids [B,T] -> logits [B,T,V].
        ids: long [B,T].
    """
    log_probs_BTV = model(ids[:, :-1]).log_softmax(-1)
    return log_probs_BTV.gather(2, ids[:, 1:, None]).squeeze(2)
