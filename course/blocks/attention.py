"""Multi-head attention on PyTorch's fused kernel, which never writes the [T,S] table of weights to memory.

B batch, T target or only length, S source, D model width, H heads, K head width.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from course.blocks.dot_product import additive_mask, scaled_dot_product


class MultiHeadAttention(nn.Module):
    """Attention with several heads (Vaswani et al. 2017, section 3.2.2).

    Args:
        d_model: width, D.
        n_heads: H; divides d_model.

    Parameters are `q_proj`, `k_proj`, `v_proj` and `out_proj`, each a linear map from D to D with bias.
    """

    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        if n_heads < 1 or d_model % n_heads:
            raise ValueError(f"d_model={d_model} does not split into n_heads={n_heads} heads of equal width.")
        self.n_heads = n_heads
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            self.add_module(name, nn.Linear(d_model, d_model))

    def forward(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        causal: bool = False,
        bias: Tensor | None = None,
    ) -> Tensor:
        """Return what each position takes from the others, [B,T,D].

        Args:
            x: float [B,T,D], the positions that look.
            memory: float [B,S,D], what they look at; x itself where it is None.
            mask: bool, True where something may be seen; broadcasts to [B,H,T,S]. A position that may see nothing
                takes nothing: zeros go into `out_proj`.
            causal: hide what comes later, without building a mask. Only for T = S.
            bias: float, added to the scores (ALiBi, relative positions); broadcasts to [B,H,T,S].

        Raises:
            ValueError: a mask that is not boolean, or causal together with a memory of another length.
        """
        q_BHTK, k_BHSK, v_BHSK = self._project(x, memory)
        if mask is None and bias is None:
            if causal and k_BHSK.shape[2] != q_BHTK.shape[2]:
                raise ValueError(
                    f"causal=True needs as many keys as queries, but there are {k_BHSK.shape[2]} and {q_BHTK.shape[2]}."
                )
            mixed_BHTK = functional.scaled_dot_product_attention(q_BHTK, k_BHSK, v_BHSK, is_causal=causal)
        else:
            allowed = self._allowed(mask, causal, x.shape[1], k_BHSK.shape[2], x.device)
            mixed_BHTK = functional.scaled_dot_product_attention(
                q_BHTK, k_BHSK, v_BHSK, attn_mask=additive_mask(allowed, bias, x.dtype)
            )
            if allowed is not None:
                # Kernels differ in what a row of hidden keys gives: some zeros, some the average of the values.
                mixed_BHTK = mixed_BHTK * allowed.any(-1, keepdim=True)
        return self.out_proj(mixed_BHTK.transpose(1, 2).flatten(2))

    def weights(
        self,
        x: Tensor,
        memory: Tensor | None = None,
        mask: Tensor | None = None,
        *,
        causal: bool = False,
        bias: Tensor | None = None,
    ) -> Tensor:
        """Return the weights [B,H,T,S] that `forward` uses but never holds: for pictures. Arguments as there."""
        q_BHTK, k_BHSK, v_BHSK = self._project(x, memory)
        allowed = self._allowed(mask, causal, x.shape[1], k_BHSK.shape[2], x.device)
        return scaled_dot_product(q_BHTK, k_BHSK, v_BHSK, allowed, bias=bias)[1]

    def _project(self, x: Tensor, memory: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        source = x if memory is None else memory
        flat = (self.q_proj(x), self.k_proj(source), self.v_proj(source))
        q, k, v = (part.unflatten(2, (self.n_heads, -1)).transpose(1, 2) for part in flat)
        return q, k, v

    @staticmethod
    def _allowed(mask: Tensor | None, causal: bool, n_queries: int, n_keys: int, device: torch.device) -> Tensor | None:
        """Return the mask and the causal triangle as one mask, or None where nothing is hidden."""
        if mask is not None and mask.dtype != torch.bool:
            raise ValueError(f"mask is {mask.dtype}, but must be bool, True where something may be seen.")
        if not causal:
            return mask
        triangle = torch.ones(n_queries, n_keys, dtype=torch.bool, device=device).tril(n_keys - n_queries)
        return triangle if mask is None else mask & triangle


@contextmanager
def recorded_weights(model: nn.Module) -> Iterator[dict[str, Tensor]]:
    """Record, inside the block, the attention weights [B,H,T,S] of each `MultiHeadAttention` in the model.

    Gives a dict from the attention's name in the model to the weights of its latest call, without gradients.
    """
    found: dict[str, Tensor] = {}
    handles = []

    def watch(name: str, module: MultiHeadAttention) -> None:
        def record(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            with torch.no_grad():
                found[name] = module.weights(*args, **kwargs)

        handles.append(module.register_forward_pre_hook(record, with_kwargs=True))

    for name, module in model.named_modules():
        if isinstance(module, MultiHeadAttention):
            watch(name, module)
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()
