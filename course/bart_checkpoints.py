"""Checkpoints of BART, in the form of the model hub, as our model."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from course.blocks.bart import Bart
from course.checkpoints import (
    CONFIG,
    WEIGHTS,
    CheckpointError,
    checkpoint_folder,
    read_settings,
    read_tensors,
    require_names,
    require_shapes,
)
from course.configs import BartConfig

# Our size, the hub's name for it. What our model has once the hub's has for either side.
SIZES = {
    "vocab_size": "vocab_size",
    "d_model": "d_model",
    "n_heads": "encoder_attention_heads",
    "n_layers": "encoder_layers",
    "d_ff": "encoder_ffn_dim",
    "max_len": "max_position_embeddings",
}
# What our model computes; a checkpoint that says otherwise would load and give other numbers.
REQUIRED = {
    "activation_function": "gelu",
    "scale_embedding": False,
    "tie_word_embeddings": True,
    "normalize_before": False,
    "add_final_layer_norm": False,
    "normalize_embedding": True,
}
# Ours on the left, the hub's on the right.
TABLES = {
    "word.weight": "shared.weight",
    "final_logits_bias": "final_logits_bias",
    **{f"{side}_position.weight": f"{side}.embed_positions.weight" for side in ("encoder", "decoder")},
    **{
        f"{side}_norm.{end}": f"{side}.layernorm_embedding.{end}"
        for side in ("encoder", "decoder")
        for end in ("weight", "bias")
    },
}
PARTS = {"self_attn": "self_attn", "cross_attn": "encoder_attn", "linear1": "fc1", "linear2": "fc2"}
NORMS = {
    "encoder": {"norm1": "self_attn_layer_norm", "norm2": "final_layer_norm"},
    "decoder": {"norm1": "self_attn_layer_norm", "norm2": "encoder_attn_layer_norm", "norm3": "final_layer_norm"},
}
# Copies of the word embeddings; some files hold them, some do not.
COPIES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")


def hub_name(our_name: str) -> str:
    """Return what a weight of our `Bart` is called in a file of the hub, without the prefix `model.`.

    Raises:
        KeyError: there is no such weight.

    Example:
        >>> hub_name("decoder_blocks.0.feed_forward.linear1.bias")
        'decoder.layers.0.fc1.bias'
    """
    block = re.fullmatch(r"(encoder|decoder)_blocks\.(\d+)\.(?:feed_forward\.)?(\w+)\.(.+)", our_name)
    if block is None:
        return TABLES[our_name]
    side, number, part, rest = block.groups()
    return f"{side}.layers.{number}.{(PARTS | NORMS[side])[part]}.{rest}"


def load_bart(source: str | Path) -> Bart:
    """Return a BART with its weights, in evaluation mode.

    Args:
        source: "small_bart", a local folder with `config.json` and `model.safetensors`, or a model's name on the hub,
            such as "facebook/bart-base", which is fetched where there is a network.

    Raises:
        CheckpointError: files are missing or altered, or the model is of another kind.
    """
    folder = checkpoint_folder(source)
    settings = read_settings(folder, kinds=["bart"], sizes=SIZES.values(), required=REQUIRED)
    for ours in ("n_layers", "n_heads", "d_ff"):
        theirs = SIZES[ours]
        other = settings.get(theirs.replace("encoder", "decoder"), settings[theirs])
        if other != settings[theirs]:
            raise CheckpointError(
                f"{folder / CONFIG}: {theirs} is {settings[theirs]}, the decoder's is {other}; our sides are alike."
            )
    model = Bart(BartConfig(**{ours: settings[theirs] for ours, theirs in SIZES.items()}))
    model.load_state_dict(_by_our_names(read_tensors(folder / WEIGHTS), model.state_dict(), folder))
    return model.eval()


def _by_our_names(found: dict[str, Tensor], wanted: dict[str, Tensor], folder: Path) -> dict[str, Tensor]:
    """Return the weights of a file by our names; raises CheckpointError unless they are exactly those that we need."""
    plain = {name.removeprefix("model."): value for name, value in found.items()}
    copies = {name: plain.pop(name) for name in COPIES if name in plain}
    if "shared.weight" not in plain and copies:
        plain["shared.weight"] = next(iter(copies.values()))
    theirs = {ours: hub_name(ours) for ours in wanted}
    plain.setdefault("final_logits_bias", torch.zeros(1, len(wanted["final_logits_bias"])))
    require_names(plain, theirs.values(), folder)
    plain["final_logits_bias"] = plain["final_logits_bias"].flatten()
    state = {ours: plain[name].float() for ours, name in theirs.items()}
    require_shapes(state, wanted, folder)
    for name, value in copies.items():
        if not torch.equal(value.float(), state["word.weight"]):
            raise CheckpointError(f"{folder / WEIGHTS}: {name} differs from shared.weight; our sides share the two.")
    return state
