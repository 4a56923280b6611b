"""How fast the course's fused blocks train against `transformers` models of the same size, in one run on the CPU.

Each cell is tokens per CPU second of a forward and backward pass on one thread, ours divided by theirs; above 1 we are
ahead. Both sides have the same vocabulary, widths, layers, batch and loss, no dropout, and PyTorch's fused attention
where the model has it. T5's blocks carry relative positions and no biases, ours absolute positions and biases: the same
shape, not the same model.

Run by `make bench`, or alone: `python -m benchmarks blocks`. COURSE_BENCH_QUICK=1 measures one size of each kind.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable

import torch
import transformers
from torch import Tensor, nn
from torch.nn import functional

from course.blocks.embedding import TokenEmbedding
from course.blocks.encoder import Encoder
from course.blocks.encoder_decoder import EncoderDecoder

V, B, N_HEADS = 300, 8, 4
LAYERS, WIDTHS, LENGTHS = (2, 4), (128, 256), (64, 256)
REPEATS = 5


class Reader(nn.Module):
    """A decoder-only or an encoder-only model of the course's blocks, with a tied head."""

    def __init__(self, n_layers: int, width: int, length: int, *, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.embed = TokenEmbedding(V, width, max_len=length, positions="learned")
        activation = "gelu_tanh" if causal else "gelu"
        self.encoder = Encoder(width, N_HEADS, 4 * width, n_layers, causal, activation=activation)
        # BERT's head has a map of its own before the word embedding, and norms its embeddings; GPT-2 has neither.
        self.embed_norm = nn.Identity() if causal else nn.LayerNorm(width)
        self.head = nn.Identity() if causal else nn.Sequential(nn.Linear(width, width), nn.GELU(), nn.LayerNorm(width))

    def forward(self, ids: Tensor) -> Tensor:
        """Return logits [B,T,V] for ids [B,T]."""
        hidden_BTD = self.encoder(self.embed_norm(self.embed(ids)), causal=self.causal)
        return functional.linear(self.head(hidden_BTD), self.embed.weight)


def theirs(kind: str, n_layers: int, width: int, length: int) -> nn.Module:
    """Return the `transformers` model of this size, without dropout."""
    if kind == "BERT":
        config = transformers.BertConfig(
            vocab_size=V,
            hidden_size=width,
            num_hidden_layers=n_layers,
            num_attention_heads=N_HEADS,
            intermediate_size=4 * width,
            max_position_embeddings=length,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
        return transformers.BertForMaskedLM(config)
    if kind == "GPT-2":
        config = transformers.GPT2Config(
            vocab_size=V,
            n_positions=length,
            n_embd=width,
            n_layer=n_layers,
            n_head=N_HEADS,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            use_cache=False,
            bos_token_id=1,
            eos_token_id=2,
        )
        return transformers.GPT2LMHeadModel(config)
    config = transformers.T5Config(
        vocab_size=V,
        d_model=width,
        d_kv=width // N_HEADS,
        d_ff=4 * width,
        num_layers=n_layers,
        num_heads=N_HEADS,
        dropout_rate=0.0,
        use_cache=False,
    )
    return transformers.T5ForConditionalGeneration(config)


def calls(kind: str, n_layers: int, width: int, length: int) -> tuple[Callable[[], Tensor], Callable[[], Tensor]]:
    """Return two functions that give logits, ours and theirs, on the same ids."""
    torch.manual_seed(0)
    ids_BT = torch.randint(5, V, (B, length))
    their_model = theirs(kind, n_layers, width, length).train()
    if kind == "T5":
        our_model = EncoderDecoder(V, V, width, N_HEADS, 4 * width, n_layers, True, max_len=length)
        return lambda: our_model(ids_BT, ids_BT), lambda: their_model(input_ids=ids_BT, decoder_input_ids=ids_BT).logits
    our_model = Reader(n_layers, width, length, causal=kind == "GPT-2")
    return lambda: our_model(ids_BT), lambda: their_model(input_ids=ids_BT).logits


def tokens_per_second(pair: tuple[Callable[[], Tensor], Callable[[], Tensor]], length: int) -> list[float]:
    """Return the speed of both by CPU time, best of some turns taken one after the other."""
    labels = torch.randint(5, V, (B * length,))
    best = [float("inf")] * 2
    for turn in range(REPEATS + 1):
        for side, logits in enumerate(pair):
            started = time.process_time()
            functional.cross_entropy(logits().flatten(0, 1), labels).backward()
            if turn:  # the first turn pays for what is made only once
                best[side] = min(best[side], time.process_time() - started)
    return [B * length / seconds for seconds in best]


def main() -> None:
    """Print one line a size: tokens per second of both sides, and their ratio."""
    transformers.logging.set_verbosity_error()
    torch.set_num_threads(1)  # then CPU time is what the work costs, on a busy machine too
    sizes = list(itertools.product(LAYERS, WIDTHS, LENGTHS))
    if os.environ.get("COURSE_BENCH_QUICK"):
        sizes = sizes[:1]
    print(f"tokens per CPU second, forward and backward, batch {B}, one thread; a ratio above 1 is ours ahead")
    behind = []
    for kind in ("BERT", "GPT-2", "T5"):
        for n_layers, width, length in sizes:
            ours, others = tokens_per_second(calls(kind, n_layers, width, length), length)
            name = f"{kind:5s} {n_layers} layers, width {width}, length {length:3d}"
            print(f"{name}: {ours:8.0f} against {others:8.0f}, ratio {ours / others:.2f}", flush=True)
            if ours < others:
                behind.append(name)
    print("ahead in every cell" if not behind else f"behind in {len(behind)}: {'; '.join(behind)}")


if __name__ == "__main__":
    main()
