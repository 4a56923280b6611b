"""Writing a checkpoint's files in the form of the model hub."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from course.checkpoints import CONFIG, WEIGHTS


def write_hub_files(folder: Path, settings: Mapping[str, object], state: Mapping[str, Tensor]) -> None:
    """Write `config.json` and `model.safetensors`.

    Args:
        folder: made where it is missing.
        settings: what `config.json` says, with `model_type` and the names that `transformers` gives the sizes.
        state: the weights by the hub's names, in the dtype that they are to be stored in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).write_text(json.dumps(settings, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    tensors = {name: value.detach().contiguous() for name, value in state.items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    (folder / WEIGHTS).chmod(0o644)
