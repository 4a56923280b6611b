"""Checkpoints of T5, v1.0 and v1.1, in the form of the model hub, as our model; and the names to write such files."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from course.blocks.t5 import EPS, T5
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
from course.configs import T5Config

# Our size, the hub's name for it.
SIZES = {
    "vocab_size": "vocab_size",
    "d_model": "d_model",
    "n_heads": "num_heads",
    "d_head": "d_kv",
    "n_layers": "num_layers",
    "d_ff": "d_ff",
    "n_buckets": "relative_attention_num_buckets",
    "max_distance": "relative_attention_max_distance",
}
DEFAULTS = {"relative_attention_num_buckets": 32, "relative_attention_max_distance": 128}
# What our model computes; a checkpoint that says otherwise would load and give other numbers.
REQUIRED = {"layer_norm_epsilon": EPS, "is_encoder_decoder": True}
GATED = {"relu": False, "gated-gelu": True}  # feed_forward_proj, and whether our feed-forward part is gated
ATTENTION = {"q_proj": "q", "k_proj": "k", "v_proj": "v", "out_proj": "o"}
FEED_FORWARD = {
    False: {"linear1": "wi", "linear2": "wo"},
    True: {"gate": "wi_0", "linear1": "wi_1", "linear2": "wo"},
}
# In some files: copies of the word embeddings, and a table that the released code made and never used.
COPIES = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight")
UNUSED = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"


@dataclass(frozen=True)
class T5Checkpoint:
    """The sizes and weights of a T5, by our names.

    Attributes:
        config: sizes and form.
        state: the weights, float32, by the names of `T5.state_dict()`.
    """

    config: T5Config
    state: dict[str, Tensor]

    def to_model(self, relative_position_bucket: Callable[[Tensor, bool, int, int], Tensor] | None = None) -> T5:
        """Return our model with these weights, in evaluation mode; the argument is that of `T5`."""
        model = T5(self.config, relative_position_bucket=relative_position_bucket)
        model.load_state_dict(self.state)
        return model.eval()


def load_t5(source: str | Path) -> T5:
    """Return a T5 with its weights, in evaluation mode; `source` and errors as for `read_t5`."""
    return read_t5(source).to_model()


def read_t5(source: str | Path) -> T5Checkpoint:
    """Return the sizes and weights of a T5.

    Args:
        source: one of the course's checkpoints ("small_t5", "small_t5_v1_1"), a local folder with `config.json` and
            `model.safetensors`, or a model's name on the hub, such as "t5-small" or "google/t5-v1_1-small", which is
            fetched where there is a network.

    Raises:
        CheckpointError: files are missing or altered, or the model is of another kind.
    """
    folder = checkpoint_folder(source)
    needed = [name for name in SIZES.values() if name not in DEFAULTS]
    settings = DEFAULTS | read_settings(folder, kinds=["t5"], sizes=needed, required=REQUIRED)
    kind = settings.get("feed_forward_proj", "relu")
    if kind not in GATED:
        raise CheckpointError(f"{folder / CONFIG}: feed_forward_proj is {kind!r}; our blocks know {', '.join(GATED)}.")
    n_layers, n_decoder_layers = settings["num_layers"], settings.get("num_decoder_layers")
    if n_decoder_layers not in (None, n_layers):
        raise CheckpointError(
            f"{folder / CONFIG}: {n_layers} blocks in the encoder, {n_decoder_layers} in the decoder; our sides are "
            "alike."
        )
    sizes = {ours: settings[theirs] for ours, theirs in SIZES.items()}
    # The hub's v1.1 says that the head is not tied; newer versions of the library say that it is not scaled instead.
    tied = settings.get("scale_decoder_outputs", settings.get("tie_word_embeddings", True))
    config = T5Config(**sizes, gated=GATED[kind], tied=tied and settings.get("tie_word_embeddings", True))
    return T5Checkpoint(config, _by_our_names(read_tensors(folder / WEIGHTS), config, folder))


def hub_settings(config: T5Config) -> dict[str, object]:
    """Return what the hub's `config.json` says of a T5 of these sizes; the tokens are for the caller to add."""
    kind = next(name for name, gated in GATED.items() if gated == config.gated)
    return {theirs: getattr(config, ours) for ours, theirs in SIZES.items()} | {
        "model_type": "t5",
        "architectures": ["T5ForConditionalGeneration"],
        "is_encoder_decoder": True,
        "feed_forward_proj": kind,
        "tie_word_embeddings": config.tied,
        "scale_decoder_outputs": config.tied,
        "num_decoder_layers": config.n_layers,
        "layer_norm_epsilon": EPS,
        "dropout_rate": 0.0,
    }


def hub_name(our_name: str, *, gated: bool = False) -> str:
    """Return what a weight of our `T5` is called in a file of the hub.

    Args:
        our_name: as in `T5.state_dict()`.
        gated: whether the model's feed-forward parts are.

    Raises:
        KeyError: there is no such weight.

    Example:
        >>> hub_name("decoder_blocks.2.cross_attn.q_proj.weight")
        'decoder.block.2.layer.1.EncDecAttention.q.weight'
    """
    if our_name in ("word.weight", "head.weight"):
        return {"word.weight": "shared.weight", "head.weight": "lm_head.weight"}[our_name]
    side, _, part = our_name.removesuffix(".weight").partition("_")
    if part in ("bias", "norm"):
        ends = {"bias": "block.0.layer.0.SelfAttention.relative_attention_bias", "norm": "final_layer_norm"}
        return f"{side}.{ends[part]}.weight"
    found = re.fullmatch(r"blocks\.(\d+)\.(\w+)(?:\.(\w+))?", part)
    if side not in ("encoder", "decoder") or found is None:
        raise KeyError(our_name)
    number, module, matrix = found.groups()
    last = 1 if side == "encoder" else 2  # the layers of a block: self-attention, cross-attention, feed-forward
    if module.startswith("norm"):
        return f"{side}.block.{number}.layer.{ {'norm1': 0, 'norm2': 1, 'norm3': last}[module] }.layer_norm.weight"
    layer, their_module, names = {
        "self_attn": (0, "SelfAttention", ATTENTION),
        "cross_attn": (1, "EncDecAttention", ATTENTION),
        "feed_forward": (last, "DenseReluDense", FEED_FORWARD[gated]),
    }[module]
    return f"{side}.block.{number}.layer.{layer}.{their_module}.{names[matrix]}.weight"


def _by_our_names(found: dict[str, Tensor], config: T5Config, folder: Path) -> dict[str, Tensor]:
    """Return the weights of a file by our names; raises CheckpointError unless they are exactly those that we need."""
    with torch.device("meta"):
        wanted = T5(config).state_dict()
    found = {name: value for name, value in found.items() if name != UNUSED}
    shared = (*COPIES, "lm_head.weight") if config.tied else COPIES
    copies = {name: found.pop(name) for name in shared if name in found}
    if "shared.weight" not in found and copies:
        found["shared.weight"] = next(iter(copies.values()))
    if not config.tied and "shared.weight" in found:  # a head that is tied, but not scaled
        found.setdefault("lm_head.weight", found["shared.weight"])
    theirs = {ours: hub_name(ours, gated=config.gated) for ours in wanted}
    require_names(found, theirs.values(), folder)
    state = {ours: found[name].float() for ours, name in theirs.items()}
    require_shapes(state, wanted, folder)
    for name, value in copies.items():
        if not torch.equal(value.float(), state["word.weight"]):
            raise CheckpointError(f"{folder / WEIGHTS}: {name} differs from shared.weight; our model shares the two.")
    return state
