"""Span corruption (T5): exact predictions of the hidden spans, whose lengths the reader does not know.

The reader knows the procedure (Raffel et al. 2020, section 3.1.4, and the released code): of a text of T tokens it
hides n = round(density T) in s = round(n / mean) spans; the text starts visible and ends hidden, and every way to cut n
into s spans and T - n into s visible stretches is equally likely. So p(mask | T) = 1 / (C(n-1, s-1) C(T-n-1, s-1)), and
the visible tokens and sentinels leave few values of T. An input that this procedure cannot give (it ends with text,
say) was made by other means; then every mask with that many spans, none empty and none touching, is taken as equally
likely.

Sums run over *places*: (hidden tokens so far, state of the chain), where the chain is about to emit.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import comb

import numpy as np

from course.oracle.chain import Chain


@dataclass
class Places:
    """Sorted keys (hidden so far x states + state), and for each the value of what follows, once known."""

    keys: np.ndarray
    value: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def look_up(self, keys: np.ndarray) -> np.ndarray:
        """Return the values at `keys`, 0 where a key is not among the places."""
        at = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1) if len(self.keys) else None
        return np.zeros(len(keys)) if at is None else np.where(self.keys[at] == keys, self.value[at], 0.0)


def noise_lengths(n_visible: int, n_spans: int, density: float, mean_span_len: float, longest: int) -> dict[int, float]:
    """Return, for each number of hidden tokens that T5's procedure allows, the probability of one single mask.

    Args:
        n_visible: tokens of the text that the input shows.
        n_spans: sentinels in it.
        density, mean_span_len: the procedure's parameters.
        longest: no text has more tokens.
    """
    found = {}
    for length in range(n_visible + n_spans, longest + 1):
        n_noise = min(max(round(length * density), 1), length - 1)
        if length - n_noise == n_visible and max(round(n_noise / mean_span_len), 1) == n_spans <= min(
            n_noise, n_visible
        ):
            found[n_noise] = 1.0 / (comb(n_noise - 1, n_spans - 1) * comb(n_visible - 1, n_spans - 1))
    return found


class SpanReader:
    """Reads one corrupted input, then its targets one by one.

    Args:
        chain: the grammar's chain.
        stretches: the visible tokens before, between and behind the spans; one more than there are spans.
        weights: probability of one mask by number of hidden tokens.
        start: (states, weights) from where the text begins.
        ends: [S + 1], what a text is worth that stops in front of a state; the last entry is for having emitted [EOS].
    """

    def __init__(
        self,
        chain: Chain,
        stretches: list[np.ndarray],
        weights: dict[int, float],
        start: tuple[np.ndarray, np.ndarray],
        ends: np.ndarray,
    ) -> None:
        self.chain, self.stretches, self.ends, self.weights = chain, stretches, ends, weights
        self.width = chain.n_states + 1
        self.n_noise = max(weights)
        self.keys, self.weight = start
        self._reach()
        self._value()
        for token in stretches[0]:
            self.keys, self.weight = self._emit(self.keys, self.weight, token)

    def _edges(self, keys: np.ndarray, token: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return (source, key, factor): where the places lead when `token` (any, if None) is emitted there."""
        hidden, state = np.divmod(keys, self.width)
        real = np.flatnonzero(state < self.chain.n_states)
        seen = np.ones(len(real)) if token is None else self.chain.emission[self.chain.row[state[real]], token]
        real, seen = real[seen > 0], seen[seen > 0]
        source, edge = self.chain.edges_from(state[real])
        over = self.chain.last[state[real]]
        target = np.concatenate([self.chain.target[edge], np.full(over.sum(), self.chain.n_states)])
        source = np.concatenate([source, np.flatnonzero(over)])
        factor = seen[source] * np.concatenate([self.chain.probability[edge], np.ones(over.sum())])
        step = 1 if token is None else 0
        return real[source], (hidden[real][source] + step) * self.width + target, factor

    def _emit(self, keys: np.ndarray, weight: np.ndarray, token: int) -> tuple[np.ndarray, np.ndarray]:
        source, reached, factor = self._edges(keys, token)
        keys, place = np.unique(reached, return_inverse=True)
        return keys, np.bincount(place, weights=weight[source] * factor, minlength=len(keys))

    def _reach(self) -> None:
        """Find the places that the input leaves possible, in front of each visible token and in each span."""
        n_spans = len(self.stretches) - 1
        self.visible: list[list[Places]] = []
        self.hidden: list[list[Places]] = []
        keys = np.unique(self.keys)
        for number, stretch in enumerate(self.stretches):
            row = [Places(keys)]
            for token in stretch:
                row.append(Places(np.unique(self._edges(row[-1].keys, token)[1])))
            self.visible.append(row)
            if number == n_spans:
                break
            room = self.n_noise - (n_spans - number - 1)
            inside, leaving = [row[-1]], []
            while len(inside[-1].keys):
                reached = np.unique(self._edges(inside[-1].keys, None)[1])
                reached = reached[reached // self.width <= room]
                leaving.append(reached)
                inside.append(Places(reached))
            self.hidden.append(inside)
            keys = np.unique(np.concatenate(leaving)) if leaving else np.zeros(0, dtype=np.int64)

    def _value(self) -> None:
        """Give every place the probability of what follows it, from the end of the text backwards."""
        for number in reversed(range(len(self.stretches))):
            row = self.visible[number]
            if number == len(self.stretches) - 1:
                hidden, state = np.divmod(row[-1].keys, self.width)
                mask = np.array([self.weights.get(n, 0.0) for n in range(self.n_noise + 1)])
                row[-1].value = self.ends[state] * mask[hidden]
            else:
                self._value_of_span(number)
            for here, there, token in zip(row[-2::-1], row[:0:-1], reversed(self.stretches[number]), strict=True):
                source, reached, factor = self._edges(here.keys, token)
                worth = there.look_up(reached) * factor
                here.value = np.bincount(source, weights=worth, minlength=len(here.keys))

    def _value_of_span(self, number: int) -> None:
        """Inside a span, a place is worth what follows one more hidden token: the next stretch, or more of the span."""
        behind = self.visible[number + 1][0]
        inside = self.hidden[number]
        inside[-1].value = np.zeros(0)
        for here, there in zip(inside[-2::-1], inside[:0:-1], strict=True):
            source, reached, factor = self._edges(here.keys, None)
            worth = (behind.look_up(reached) + there.look_up(reached)) * factor
            here.value = np.bincount(source, weights=worth, minlength=len(here.keys))

    def possible(self) -> bool:
        """Return whether any story gives this input."""
        return bool(self.weight @ self.hidden[0][0].look_up(self.keys) > 0)

    def words(self, number: int, taken: int) -> np.ndarray:
        """Return [V], up to a factor: the next token of span `number`, of which `taken` tokens are known, is v."""
        source, reached, factor = self._edges(self.keys, None)
        inside = self.hidden[number]
        worth = self.visible[number + 1][0].look_up(reached)
        if taken + 1 < len(inside):
            worth = worth + inside[taken + 1].look_up(reached)
        state = self.keys[source] % self.width
        rows = np.bincount(
            self.chain.row[state], weights=self.weight[source] * factor * worth, minlength=len(self.chain.emission)
        )
        return rows @ self.chain.emission

    def stop(self, number: int) -> float:
        """Return, up to the same factor, how probable it is that span `number` is over here."""
        return float(self.weight @ self.visible[number + 1][0].look_up(self.keys))

    def take(self, token: int) -> None:
        """Go on behind a hidden token that is now known."""
        keys, weight = self._emit(self.keys, self.weight, token)
        self.keys, self.weight = keys + self.width, weight

    def close(self, number: int) -> None:
        """Go on behind span `number`, over the visible tokens that follow it."""
        for token in self.stretches[number + 1]:
            self.keys, self.weight = self._emit(self.keys, self.weight, token)
