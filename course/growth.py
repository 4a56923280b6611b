"""How much larger pretraining has made a model's parameters: as much longer should be the steps that change them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn

from course.training import linear_maps


@dataclass(frozen=True)
class Growth:
    """The sizes of a model's parameters over those of the same model untrained; without arguments, none has grown.

    T5 was trained with steps in proportion to what they change (Adafactor: Shazeer and Stern 2018, section 8). With
    steps as long for a pretrained model as for a random start, what pretraining has made large hardly moves.

    Attributes:
        parts: by a parameter's name, the quotient of the norms; 1 for every other name.
        maps: the same for all linear maps together.
    """

    parts: Mapping[str, float] = field(default_factory=dict)
    maps: float = 1.0

    @classmethod
    @torch.no_grad()
    def of(cls, model: nn.Module, untrained: nn.Module) -> Growth:
        """Compare a model with an untrained one whose parameters have the same names.

        Parameters that start as zeros (biases) have no size to compare with and are left out.

        Example:
            >>> untrained, model = nn.Linear(3, 2), nn.Linear(3, 2)
            >>> _ = model.load_state_dict({name: 2 * value for name, value in untrained.state_dict().items()})
            >>> round(Growth.of(model, untrained).maps, 4)
            2.0
        """
        now, then = dict(model.named_parameters()), dict(untrained.named_parameters())
        parts = {name: _size(now[name]) / _size(then[name]) for name in now if then[name].any()}
        maps = [torch.cat([weight.flatten() for weight in linear_maps(whole)]) for whole in (model, untrained)]
        return cls(parts, _size(maps[0]) / _size(maps[1]))


def _size(values: torch.Tensor) -> float:
    """Return the root mean square: a table with more rows is no larger for that."""
    return values.square().mean().sqrt().item()
