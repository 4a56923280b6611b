"""What a computation costs: its time, and the memory that it keeps for the backward pass."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def best_seconds(call: Callable[[], object], *, repeats: int = 3) -> float:
    """Return the shortest wall-clock time of several calls, in seconds: what disturbs a call only makes it longer.

    Each runs on one thread, so that the figure is the same on a busy machine as on an idle one.
    """
    n_threads, seconds = torch.get_num_threads(), []
    torch.set_num_threads(1)
    try:
        call()  # the first call pays for what is made only once
        for _ in range(repeats):
            started = time.perf_counter()
            call()
            seconds.append(time.perf_counter() - started)
    finally:
        torch.set_num_threads(n_threads)
    return min(seconds)


def kept_bytes(call: Callable[[], object], *, besides: Sequence[Tensor] = ()) -> int:
    """Return how many bytes autograd keeps for the backward pass of `call`, each piece of memory counted once.

    Args:
        call: a forward pass.
        besides: tensors that would be there anyway, parameters and inputs; they are not counted.
    """
    known = {tensor.untyped_storage().data_ptr() for tensor in besides}
    found: dict[int, int] = {}
    alive = []  # memory that is given back could be counted under the same address twice

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            found[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        call()
    return sum(found.values())


def crossing(lengths: Sequence[int], below: Sequence[float], above: Sequence[float]) -> float | None:
    """Return the length from which on `below` is no longer below `above`, read off between two lengths on log axes.

    Returns None where it is below at the end, and the first length where it never is below.
    """
    gaps = [math.log(b / a) for b, a in zip(below, above, strict=True)]
    if gaps[-1] < 0:
        return None
    last_below = max((i for i, gap in enumerate(gaps) if gap < 0), default=None)
    if last_below is None:
        return float(lengths[0])
    before, after = gaps[last_below : last_below + 2]
    return lengths[last_below] * (lengths[last_below + 1] / lengths[last_below]) ** (before / (before - after))
