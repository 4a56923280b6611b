"""One Markov chain out of a grammar: its states are (position in a template, the hidden variables that matter there).

A hidden variable enters the state where it is first needed and leaves it where nothing later depends on it, which is
exact: drawing a fact late, or forgetting it when no word will ask for it again, changes no story's probability. It
keeps the chain small enough to sum over all of it.

States come in *blocks*: one node of the grammar's graph with one set of known variables, and in it one state for each
combination of their values. Whatever is done is done to a whole block at a time.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np

from course.grammar import Choose, Emit, Grammar

Names = tuple[str, ...]
Block = tuple[int, Names]


@dataclass(frozen=True)
class Chain:
    """States that each emit one word, and where they go.

    Attributes:
        emission: [R, V], probabilities of words, one row for each different distribution that some state has.
        row: [S], which row a state emits from.
        first, target, probability: edges of state s are at first[s] up to first[s + 1]; target is the next state. An
            edge always leads to a higher number.
        visits: [S], the probability that a story passes through the state (no state is met twice).
        last: bool [S], states without edges: they emit [EOS].
        node: [S], the node of the grammar's graph that a state belongs to.
        longest: tokens of the longest story, begin and end included.
    """

    emission: np.ndarray
    row: np.ndarray
    first: np.ndarray
    target: np.ndarray
    probability: np.ndarray
    visits: np.ndarray
    last: np.ndarray
    node: np.ndarray
    longest: int

    @property
    def n_states(self) -> int:
        return len(self.row)

    @property
    def start(self) -> int:
        """The state that emits [BOS]."""
        return 0

    def edges_from(self, states: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (source, edge): for every edge out of `states`, the index into `states` and the edge's number."""
        begin = self.first[states]
        count = self.first[states + 1] - begin
        source = np.repeat(np.arange(len(states)), count)
        offset = np.arange(len(source)) - np.repeat(np.cumsum(count) - count, count)
        return source, begin[source] + offset


@dataclass
class _Flow:
    """Probability on its way through silent nodes: where each part came from, how much, and the facts it carries."""

    source: np.ndarray
    weight: np.ndarray
    facts: dict[str, np.ndarray]

    def take(self, kept: np.ndarray, weight: np.ndarray) -> _Flow:
        return _Flow(self.source[kept], weight, {name: column[kept] for name, column in self.facts.items()})


def compile_chain(grammar: Grammar) -> Chain:
    """Return the Markov chain of a grammar over `grammar.vocab`."""
    return _Compiler(grammar).chain()


class _Compiler:
    """Walks the grammar's graph block by block, from [BOS] on."""

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.nodes = grammar.graph.nodes
        self.start: Block = (grammar.graph.start, ())
        self.values = {
            name: list(dict.fromkeys(value for row in variable.table.values() for value, _ in row))
            for name, variable in grammar.variables.items()
        }
        self.ancestors = {name: tuple(grammar.ancestors(name)) for name in grammar.variables}
        self.needed = self._needed()
        self.edges: dict[Block, list[tuple[Block, np.ndarray, _Flow]]] = {}

    def _needed(self) -> list[frozenset[str]]:
        """Return, for each node, the variables that it or any node after it asks for (later nodes were made first)."""
        needed: list[frozenset[str]] = []
        for node in self.nodes:
            after = [o.next for o in node.options] if isinstance(node, Choose) else [node.next]
            needed.append(frozenset(node.needs).union(*(needed[n] for n in after if n is not None)))
        return needed

    def kept(self, number: int, known: Names | dict[str, np.ndarray]) -> Names:
        """Return those known facts that matter at the node or later: asked for, or parents of facts not yet drawn."""
        wanted: set[str] = set()
        for name in self.needed[number]:
            wanted.update([name] if name in known else self.ancestors[name])
        return tuple(sorted(name for name in known if name in wanted))

    def size(self, block: Block) -> int:
        return prod(len(self.values[name]) for name in block[1])

    def columns(self, block: Block) -> dict[str, np.ndarray]:
        """Return, for each known variable, the number of its value in each of the block's states."""
        shape = [len(self.values[name]) for name in block[1]]
        grid = np.indices(shape).reshape(len(shape), -1) if shape else np.zeros((0, 1), dtype=np.int64)
        return dict(zip(block[1], grid, strict=True))

    def chain(self) -> Chain:
        waiting = [self.start]
        while waiting:
            block = waiting.pop()
            if block in self.edges:
                continue
            self.edges[block] = []
            node = self.nodes[block[0]]
            if node.next is not None:
                everyone = np.arange(self.size(block))
                self.push(block, node.next, _Flow(everyone, np.ones(len(everyone)), self.columns(block)))
            waiting.extend(target for target, _, _ in self.edges[block])
        return self._arrays()

    def push(self, block: Block, number: int, flow: _Flow) -> None:
        """Send probability into a node: through choices, until it reaches the blocks of emitting nodes."""
        node = self.nodes[number]
        flow = _Flow(flow.source, flow.weight, {name: flow.facts[name] for name in self.kept(number, flow.facts)})
        for name in node.needs:
            for ancestor in reversed(self.ancestors[name]):
                if name not in flow.facts and ancestor not in flow.facts:
                    flow = self.draw(ancestor, flow)
        if isinstance(node, Emit):
            target: Block = (number, self.kept(number, flow.facts))
            index = np.zeros(len(flow.source), dtype=np.int64)
            for name in target[1]:
                index = index * len(self.values[name]) + flow.facts[name]
            self.edges[block].append((target, index, flow))
            return
        allowed = np.stack([self.allowed(option.guard, flow) * option.weight for option in node.options])
        total = allowed.sum(axis=0)
        if (total <= 0).any():
            at = int(np.argmin(total))
            node.probabilities({name: self.values[name][flow.facts[name][at]] for name in node.needs})
        for option, share in zip(node.options, allowed / total, strict=True):
            kept = share > 0
            if kept.any():
                self.push(block, option.next, flow.take(kept, flow.weight[kept] * share[kept]))

    def draw(self, name: str, flow: _Flow) -> _Flow:
        """Give a variable each of its values."""
        variable = self.grammar.variables[name]
        values = self.values[name]
        table = {parent: dict(row) for parent, row in variable.table.items()}
        parents = [None] if variable.parent is None else self.values[variable.parent]
        matrix = np.array([[table.get(parent, {}).get(value, 0.0) for value in values] for parent in parents])
        given = np.zeros(len(flow.source), dtype=np.int64) if variable.parent is None else flow.facts[variable.parent]
        kept = np.repeat(np.arange(len(flow.source)), len(values))
        drawn = np.tile(np.arange(len(values)), len(flow.source))
        spread = flow.take(kept, flow.weight[kept] * matrix[given[kept], drawn])
        spread.facts[name] = drawn
        return spread.take(spread.weight > 0, spread.weight[spread.weight > 0])

    def allowed(self, guard: dict[str, frozenset[str]], flow: _Flow) -> np.ndarray:
        mask = np.ones(len(flow.source), dtype=bool)
        for name, wanted in guard.items():
            mask &= np.array([value in wanted for value in self.values[name]])[flow.facts[name]]
        return mask

    def _arrays(self) -> Chain:
        blocks = sorted(self.edges, key=lambda block: (-block[0], block[1]))
        base = dict(zip(blocks, np.cumsum([0] + [self.size(b) for b in blocks[:-1]]).tolist(), strict=True))
        n_states = base[blocks[-1]] + self.size(blocks[-1])
        pieces = [
            (base[b] + flow.source, base[target] + index, flow.weight)
            for b in blocks
            for target, index, flow in self.edges[b]
        ]
        source, target, weight = (np.concatenate(column) for column in zip(*pieces, strict=True))
        visits, depth = self._visits(blocks, base, n_states)
        number = np.cumsum(visits > 0) - 1
        real = (visits[source] > 0) & (weight > 0)
        n_states = int((visits > 0).sum())
        key, place = np.unique(number[source[real]] * n_states + number[target[real]], return_inverse=True)
        probability = np.bincount(place, weights=weight[real])
        first = np.searchsorted(key, np.arange(n_states + 1) * n_states)
        row, emission = self._rows(blocks, visits > 0)
        node = np.concatenate([np.full(self.size(b), b[0]) for b in blocks])[visits > 0]
        return Chain(
            emission, row, first, key % n_states, probability, visits[visits > 0], np.diff(first) == 0, node, depth
        )

    def _visits(self, blocks: list[Block], base: dict[Block, int], n_states: int) -> tuple[np.ndarray, int]:
        """Return the probability of passing through each state, and the number of states on the longest way."""
        visits, depth = np.zeros(n_states), np.zeros(n_states, dtype=np.int64)
        visits[0] = depth[0] = 1
        for block in blocks:
            for target, index, flow in self.edges[block]:
                reached = base[target] + index
                coming = visits[base[block] + flow.source] * flow.weight
                np.add.at(visits, reached, coming)
                np.maximum.at(depth, reached[coming > 0], depth[base[block] + flow.source][coming > 0] + 1)
        return visits, int(depth.max())

    def _rows(self, blocks: list[Block], real: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the row of each real state, and the rows."""
        token_id = {word: i for i, word in enumerate(self.grammar.vocab)}
        rows: dict[tuple[tuple[int, float], ...], int] = {}
        numbers = []
        for block in blocks:
            node, columns = self.nodes[block[0]], self.columns(block)
            index, shape = np.zeros(self.size(block), dtype=np.int64), [len(self.values[n]) for n in node.needs]
            for name, n_values in zip(node.needs, shape, strict=True):
                index = index * n_values + columns[name]
            of_case = np.full(prod(shape), -1)
            for values, words in node.table.items():
                case = 0
                for name, value in zip(node.needs, values, strict=True):
                    case = case * len(self.values[name]) + self.values[name].index(value)
                merged: dict[int, float] = {}
                for word, p in words:
                    merged[token_id[word]] = merged.get(token_id[word], 0.0) + p
                of_case[case] = rows.setdefault(tuple(sorted(merged.items())), len(rows))
            numbers.append(of_case[index])
        row = np.concatenate(numbers)[real]
        if (row < 0).any():
            self._name_missing_case(blocks, np.concatenate(numbers), real)
        emission = np.zeros((len(rows), len(token_id)))
        for words, r in rows.items():
            for token, p in words:
                emission[r, token] = p
        return row, emission

    def _name_missing_case(self, blocks: list[Block], row: np.ndarray, real: np.ndarray) -> None:
        at = int(np.flatnonzero((row < 0) & real)[0])
        for block in blocks:
            if at < self.size(block):
                node, columns = self.nodes[block[0]], self.columns(block)
                values = tuple(self.values[name][columns[name][at]] for name in node.needs)
                self.grammar.slots[node.slot].phrases(values)
            at -= self.size(block)
