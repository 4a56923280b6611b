"""Checkpoints with something changed in their files, for tests of what a reader accepts and refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor


def rewrite(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> Path:
    """Write a checkpoint's weights as `change` gives them; return its folder."""
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path)
    return folder


def reconfigure(folder: Path, **changes: object) -> Path:
    """Change a checkpoint's settings, those that become None taken out; return its folder."""
    path = folder / "config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps({k: v for k, v in settings.items() if v is not None}), encoding="utf-8")
    return folder
