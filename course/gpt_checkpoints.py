"""GPT-2 and BLOOM in the form of the model hub, read into our decoder: `course.checkpoints` for the other kinds.

H heads, K head width, D model width. Names of weights follow the released code of GPT-2 (Radford et al. 2019) and of
BLOOM (Scao et al. 2022).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from course.blocks.causal_lm import CausalLM
from course.checkpoints import (
    WEIGHTS,
    CheckpointError,
    checkpoint_folder,
    read_settings,
    read_tensors,
    require_names,
    require_shapes,
)
from course.configs import DecoderConfig

PREFIX = "transformer."
HEAD = "lm_head.weight"  # a copy of the word embeddings, where it is in a file
# Tables of zeros and ones that old files carry along: the causal mask, and what it filled in.
UNUSED = re.compile(r"h\.\d+\.attn\.(bias|masked_bias)$")


@dataclass(frozen=True)
class Kind:
    """How one kind of model says what ours says.

    Attributes:
        positions: of our config.
        sizes: our size, and the names that config.json may give it.
        required: the only values of config.json with which our blocks compute what the model does.
        outside, inside: our modules, and the hub's, outside the blocks and in one.
        fused: the hub's module that holds query, key and value together.
        split: (fused weight or bias, H) -> those of query, key and value.
        transposed: whether the matrices inside a block are stored [in,out].
    """

    positions: str
    sizes: Mapping[str, tuple[str, ...]]
    required: Mapping[str, object]
    outside: Mapping[str, str]
    inside: Mapping[str, str]
    fused: str
    split: Callable[[Tensor, int], tuple[Tensor, ...]]
    transposed: bool


def split_in_thirds(fused: Tensor, n_heads: int) -> tuple[Tensor, ...]:
    """Return query, key and value of a GPT-2, from [D,3D] or [3D]: all queries, then all keys, then all values."""
    del n_heads
    return fused.chunk(3, dim=-1)


def split_by_head(fused: Tensor, n_heads: int) -> tuple[Tensor, ...]:
    """Return query, key and value of a BLOOM, from [3D,D] or [3D]: query, key and value of head 0, those of head 1."""
    return fused.unflatten(0, (n_heads, 3, -1)).transpose(0, 1).flatten(1, 2).unbind(0)


KINDS = {
    "gpt2": Kind(
        positions="learned",
        sizes={
            "vocab_size": ("vocab_size",),
            "d_model": ("n_embd",),
            "n_heads": ("n_head",),
            "n_layers": ("n_layer",),
            "max_len": ("n_positions",),
        },
        required={
            "activation_function": "gelu_new",
            "layer_norm_epsilon": 1e-5,
            "scale_attn_weights": True,
            "scale_attn_by_inverse_layer_idx": False,
            "add_cross_attention": False,
            "tie_word_embeddings": True,
        },
        outside={"word": "wte", "position": "wpe", "norm": "ln_f"},
        inside={
            "norm1": "ln_1",
            "self_attn.out_proj": "attn.c_proj",
            "norm2": "ln_2",
            "feed_forward.linear1": "mlp.c_fc",
            "feed_forward.linear2": "mlp.c_proj",
        },
        fused="attn.c_attn",
        split=split_in_thirds,
        transposed=True,
    ),
    "bloom": Kind(
        positions="alibi",
        sizes={
            "vocab_size": ("vocab_size",),
            "d_model": ("hidden_size", "n_embed"),
            "n_heads": ("n_head", "num_attention_heads"),
            "n_layers": ("n_layer", "num_hidden_layers"),
        },
        required={
            "apply_residual_connection_post_layernorm": False,
            "layer_norm_epsilon": 1e-5,
            "tie_word_embeddings": True,
        },
        outside={"word": "word_embeddings", "embedding_norm": "word_embeddings_layernorm", "norm": "ln_f"},
        inside={
            "norm1": "input_layernorm",
            "self_attn.out_proj": "self_attention.dense",
            "norm2": "post_attention_layernorm",
            "feed_forward.linear1": "mlp.dense_h_to_4h",
            "feed_forward.linear2": "mlp.dense_4h_to_h",
        },
        fused="self_attention.query_key_value",
        split=split_by_head,
        transposed=False,
    ),
}


@dataclass(frozen=True)
class CausalCheckpoint:
    """The sizes and weights of a GPT-2 or BLOOM.

    Attributes:
        kind: "gpt2" or "bloom".
        config: sizes, with `positions` as the kind has them.
        hub_state: the weights as the file has them, by the hub's names.
        state: the same weights, float32, by the names of `CausalLM.state_dict()`.
    """

    kind: str
    config: DecoderConfig
    hub_state: dict[str, Tensor]
    state: dict[str, Tensor]

    def to_model(self) -> CausalLM:
        """Return our model with these weights, in evaluation mode."""
        model = CausalLM(self.config)
        model.load_state_dict(self.state)
        return model.eval()


def load_causal_lm(source: str | Path) -> CausalLM:
    """Return a GPT-2 or BLOOM with its weights; `source` and errors as for `read_causal_checkpoint`."""
    return read_causal_checkpoint(source).to_model()


def read_causal_checkpoint(source: str | Path) -> CausalCheckpoint:
    """Return the sizes and weights of a GPT-2 or BLOOM.

    Args:
        source: one of the course's checkpoints ("small_gpt2", "small_bloom"), a local folder with `config.json` and
            `model.safetensors`, or a model's name on the hub ("gpt2", "bigscience/bloom-560m"), which is fetched where
            there is a network.

    Raises:
        CheckpointError: files are missing or altered, or the model is of another kind.
    """
    folder = checkpoint_folder(source)
    settings = read_settings(folder, kinds=tuple(KINDS), sizes=("vocab_size",), required={})
    name = settings["model_type"]
    kind = KINDS[name]
    read_settings(folder, kinds=(name,), sizes=(), required=kind.required)
    config = _config_of(settings, kind, folder)
    hub_state = read_tensors(folder / WEIGHTS)
    return CausalCheckpoint(name, config, hub_state, _by_our_names(hub_state, config, kind, folder))


def _config_of(settings: Mapping[str, object], kind: Kind, folder: Path) -> DecoderConfig:
    """Return our config. The feed-forward part is four times as wide as the model where config.json does not say."""
    sizes = {"max_len": settings.get("seq_length", 2048)}
    for ours, theirs in kind.sizes.items():
        found = [settings[name] for name in theirs if settings.get(name) is not None]
        if not found:
            raise CheckpointError(f"{folder / 'config.json'} does not say {' or '.join(theirs)}.")
        sizes[ours] = found[0]
    d_ff = settings.get("n_inner") or 4 * sizes["d_model"]
    return DecoderConfig(**sizes, d_ff=d_ff, positions=kind.positions)


def hub_names(kind: Kind, n_layers: int) -> dict[str, str]:
    """Return what the hub calls each of our weights, without the prefix; the three in a fused module share one name."""
    names = {f"{ours}.weight": f"{theirs}.weight" for ours, theirs in kind.outside.items()}
    names |= {f"{ours}.bias": f"{theirs}.bias" for ours, theirs in kind.outside.items() if "norm" in ours}
    inside = kind.inside | {f"self_attn.{part}_proj": kind.fused for part in "qkv"}
    for i in range(n_layers):
        for end in ("weight", "bias"):
            names |= {f"blocks.{i}.{ours}.{end}": f"h.{i}.{theirs}.{end}" for ours, theirs in inside.items()}
    return names


def _by_our_names(found: Mapping[str, Tensor], config: DecoderConfig, kind: Kind, folder: Path) -> dict[str, Tensor]:
    """Return the weights of a file by our names; raises CheckpointError unless they are exactly those that we need."""
    plain = {name.removeprefix(PREFIX): value.float() for name, value in found.items()}
    plain = {name: value for name, value in plain.items() if not UNUSED.match(name)}
    head, names, state = plain.pop(HEAD, None), hub_names(kind, config.n_layers), {}
    require_names(plain, names.values(), folder)
    for ours, theirs in names.items():
        value = plain[theirs]
        if kind.fused in theirs:
            value = kind.split(value, config.n_heads)["qkv".index(ours.split(".")[-2][0])]
        matrix = ours.startswith("blocks.") and value.ndim == 2
        state[ours] = value.mT if kind.transposed and matrix else value
    with torch.device("meta"):
        require_shapes(state, CausalLM(config).state_dict(), folder)
    if head is not None and not torch.equal(head, state["word.weight"]):
        raise CheckpointError(f"{folder / WEIGHTS}: {HEAD} differs from the word embeddings; our head shares the two.")
    return state
