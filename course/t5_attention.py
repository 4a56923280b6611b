"""What a T5 looks at while it writes, and what it would write if a word were hidden.

B batch, H heads, S source, T target length, L blocks.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from course.blocks.t5 import T5


@torch.no_grad()
def cross_attention(model: T5, source_ids: Tensor, decoder_ids: Tensor) -> Tensor:
    """Return how much each position of the decoder looks at each word of the source, float [L,H,T,S].

    Args:
        model: a T5.
        source_ids: long [1,S], without padding.
        decoder_ids: long [1,T], from the start token on; row t of the weights is used for the token that follows it.
    """
    weights, handles = [], []

    def record(attention: nn.Module, args: tuple[Tensor, ...]) -> None:
        parts = (attention.q_proj(args[0]), attention.k_proj(args[1]))
        q_HTK, k_HSK = (part[0].unflatten(1, (attention.n_heads, -1)).transpose(0, 1) for part in parts)
        weights.append((q_HTK @ k_HSK.mT).softmax(-1))

    try:
        for block in model.decoder_blocks:
            handles.append(block.cross_attn.register_forward_pre_hook(record))
        model(source_ids, decoder_ids)
    finally:
        for handle in handles:
            handle.remove()
    return torch.stack(weights)


@torch.no_grad()
def effect_of_hiding(model: T5, source_ids: Tensor, decoder_ids: Tensor, word_id: int, other_id: int) -> Tensor:
    """Return for each source word how much less sure of the next word the model is when that word is hidden, float [S].

    Sure is the logarithm of p(word) / p(other), in nats. A hidden word keeps its place, and nobody sees it.

    Args:
        model, source_ids, decoder_ids: as for `cross_attention`.
        word_id: the token that follows decoder_ids.
        other_id: the one that might have stood there instead.
    """
    S = source_ids.shape[1]
    seen_BS = torch.cat([torch.ones(1, S, dtype=torch.bool), ~torch.eye(S, dtype=torch.bool)])
    logits_BV = model(source_ids.expand(S + 1, -1), decoder_ids.expand(S + 1, -1), seen_BS)[:, -1]
    sure_B = logits_BV[:, word_id] - logits_BV[:, other_id]
    return sure_B[0] - sure_B[1:]
