"""Forward and backward sums over a chain's states, kept sparse: only states that the evidence leaves possible.

Evidence is a likelihood for each emission row: how probable is what was seen at a place, if the state there emits from
that row. A word that was seen gives its column of the emission matrix, a hidden one gives ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from course.oracle.chain import Chain


@dataclass
class Layer:
    """Possible states at one place of the text.

    Attributes:
        states: [n] in rising order.
        arriving: [n], probability of being about to emit here, given what was seen before (adds up to one).
        likelihood: [n], of what was seen here.
        source, target, probability: edges from this layer's states to the next layer's, as indices into both.
    """

    states: np.ndarray
    arriving: np.ndarray
    likelihood: np.ndarray
    source: np.ndarray
    target: np.ndarray
    probability: np.ndarray


def distinct(states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what `np.unique(states, return_inverse=True)` does; a table of the states in between saves the sorting."""
    low = int(states.min(initial=0))
    width = int(states.max(initial=-1)) + 1 - low
    if width > 64 * len(states):
        return np.unique(states, return_inverse=True)
    met = np.zeros(width, dtype=bool)
    met[states - low] = True
    found = np.flatnonzero(met)
    place = np.empty(width, dtype=np.int64)
    place[found] = np.arange(len(found))
    return found + low, place[states - low]


def step(chain: Chain, states: np.ndarray, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the states one word later and the weight that reaches each of them."""
    source, edge = chain.edges_from(states)
    reached, place = distinct(chain.target[edge])
    return reached, np.bincount(place, weights=weight[source] * chain.probability[edge], minlength=len(reached))


def forward(chain: Chain, likelihood: np.ndarray) -> tuple[list[Layer], float]:
    """Return the layers of a text and the log-probability of its evidence, in nats.

    Args:
        chain: the grammar's chain.
        likelihood: [T, R], of what was seen at each place, by emission row.

    Returns:
        A layer for each place that can be reached (the last one has no edges if the evidence there is impossible), and
        the logarithm of the probability that a story begins so (-inf if none does).
    """
    states, arriving = np.array([chain.start]), np.ones(1)
    layers: list[Layer] = []
    log_total = 0.0
    for at in range(len(likelihood)):
        if len(states) == 0:
            return layers, -np.inf
        seen = likelihood[at, chain.row[states]]
        weight = arriving * seen
        total = weight.sum()
        if not total > 0:
            nowhere = np.zeros(0, dtype=np.int64)
            layers.append(Layer(states, arriving, seen, nowhere, nowhere, np.zeros(0)))
            return layers, -np.inf
        log_total += np.log(total)
        alive = np.flatnonzero(weight > 0)
        source, edge = chain.edges_from(states[alive])
        reached, place = distinct(chain.target[edge])
        probability = chain.probability[edge]
        layers.append(Layer(states, arriving, seen, alive[source], place, probability))
        arriving = np.bincount(place, weights=weight[alive][source] / total * probability, minlength=len(reached))
        states = reached
    return layers, float(log_total)


def forward_many(chain: Chain, stories: list[np.ndarray]) -> np.ndarray:
    """Return [N], the log-probability that a story begins as each of `stories` does: one pass over all of them."""
    lengths = np.array([len(tokens) for tokens in stories])
    ids = np.zeros((len(stories), lengths.max()), dtype=np.int64)
    for number, tokens in enumerate(stories):
        ids[number, : len(tokens)] = tokens
    story, states, weight = np.arange(len(stories)), np.full(len(stories), chain.start), np.ones(len(stories))
    log_total = np.zeros(len(stories))
    for at in range(ids.shape[1]):
        weight = weight * chain.emission[chain.row[states], ids[story, at]]
        total = np.bincount(story, weights=weight, minlength=len(stories))
        with np.errstate(divide="ignore"):
            log_total += np.where(lengths > at, np.log(total), 0.0)
        alive = np.flatnonzero((weight > 0) & (lengths[story] > at + 1))
        source, edge = chain.edges_from(states[alive])
        from_story, weight = (
            story[alive][source],
            (weight[alive] / total[story[alive]])[source] * chain.probability[edge],
        )
        key, place = np.unique(from_story * chain.n_states + chain.target[edge], return_inverse=True)
        story, states = np.divmod(key, chain.n_states)
        weight = np.bincount(place, weights=weight, minlength=len(key))
    return log_total


def backward(chain: Chain, layers: list[Layer]) -> list[np.ndarray]:
    """Return, for each layer, [n]: the likelihood of everything seen after it, up to a factor common to the layer.

    The text is taken to end with the last layer: only states that end a story count there.
    """
    after = chain.last[layers[-1].states].astype(float)
    found = [after]
    for here, there in zip(reversed(layers[:-1]), reversed(layers[1:]), strict=True):
        value = (after * there.likelihood)[here.target] * here.probability
        after = np.bincount(here.source, weights=value, minlength=len(here.states))
        top = after.max(initial=0.0)
        after = after / top if top > 0 else after
        found.append(after)
    return found[::-1]


def by_row(chain: Chain, states: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Return [R], the weight of all states that emit from each row."""
    return np.bincount(chain.row[states], weights=weight, minlength=len(chain.emission))
