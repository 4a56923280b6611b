"""Writing one of our decoders as a GPT-2 in the form of the model hub."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from course.blocks.causal_lm import CausalLM
from course.checkpoint_build.hub_files import write_hub_files
from course.gpt_checkpoints import KINDS, PREFIX, hub_names


def gpt2_state(model: CausalLM) -> dict[str, Tensor]:
    """Return the weights of a model with learned positions by the hub's names and in its shapes.

    Matrices inside the blocks are stored [in,out], and query, key and value in one.
    """
    kind, state = KINDS["gpt2"], dict(model.state_dict())
    parts: dict[str, list[Tensor]] = {}
    for ours, theirs in hub_names(kind, model.config.n_layers).items():
        matrix = ours.startswith("blocks.") and state[ours].ndim == 2
        parts.setdefault(PREFIX + theirs, []).append(state[ours].mT if matrix else state[ours])
    return {name: torch.cat(values, dim=-1) for name, values in parts.items()}


def write_gpt2(model: CausalLM, folder: Path, *, eos_id: int, dtype: torch.dtype = torch.float16) -> None:
    """Write a model with learned positions as a GPT-2.

    Args:
        model: ours.
        folder: made where it is missing.
        eos_id: the token that ends a text.
        dtype: in which the weights are stored.
    """
    config, kind = model.config, KINDS["gpt2"]
    settings = {
        "architectures": ["GPT2LMHeadModel"],
        "model_type": "gpt2",
        "dtype": str(dtype).removeprefix("torch."),
        "n_inner": config.d_ff,
        "eos_token_id": eos_id,
        **kind.required,
        **{theirs[0]: getattr(config, ours) for ours, theirs in kind.sizes.items()},
    }
    write_hub_files(folder, settings, {name: value.to(dtype) for name, value in gpt2_state(model).items()})
