"""The best possible losses on the test stories, by the oracle, each with its standard error."""

from __future__ import annotations

from collections.abc import Iterable
from math import log, sqrt

import numpy as np

from course.masked_eval import RATE, STREAM, bert_corruption
from course.oracle import Oracle
from course.oracle.lattice import step
from course.span_eval import STREAM as SPAN_STREAM
from course.span_eval import draw_spans

CONTEXTS = (1, 2, 3, 4, 6, 8, 12, 16)
# How many test stories each floor is measured on; the readers that keep every state alive take longer.
N_STORIES = {"causal": 1_000, "context": 300, "masked_only": 1_000, "span": 300}
# Each random floor has a stream of its own; a new floor takes a new number, and the old ones stay as they are.
STREAMS = {"masked": STREAM, "masked_only": (11, 3), "span": SPAN_STREAM}


def summarize(losses: Iterable[np.ndarray]) -> dict[str, object]:
    """Return the mean loss per token in nats, and its standard error over stories (a ratio of two means)."""
    sums = np.array([(loss.sum(), len(loss)) for loss in losses if len(loss)])
    n_stories, n_tokens = len(sums), sums[:, 1].sum()
    mean = sums[:, 0].sum() / n_tokens
    error = sqrt(((sums[:, 0] - mean * sums[:, 1]) ** 2).sum() * n_stories / max(n_stories - 1, 1)) / n_tokens
    return {
        "loss": round(float(mean), 6),
        "standard_error": round(float(error), 6),
        "n_stories": n_stories,
        "n_tokens": int(n_tokens),
        "split": "test",
    }


def causal_losses(oracle: Oracle, ids: list[int]) -> np.ndarray:
    """Return [T-1], -log p of each token behind [BOS] given all before it."""
    rows = oracle.next_token_log_probs(ids)
    return -rows[np.arange(1, len(ids)), ids[1:]]


def masked_losses(oracle: Oracle, ids: list[int], generator: np.random.Generator, *, bert: bool) -> np.ndarray:
    """Return -log p of each chosen token: all chosen ones show [MASK], or (bert) 80% do, 10% are random, 10% kept."""
    tokens = np.array(ids)
    shown, chosen = bert_corruption(ids, generator, word_ids=oracle.word_ids, mask_id=oracle.mask_id)
    if not chosen.any():
        return np.zeros(0)
    rows = oracle.corrupted_log_probs(shown, chosen, rate=RATE) if bert else oracle.masked_log_probs(tokens, chosen)
    return -rows[np.arange(len(rows)), tokens[chosen]]


def span_losses(oracle: Oracle, ids: list[int], generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return (-log p of each target token, which of them are words), for the story's words without [BOS] and [EOS]."""
    text = np.array(ids[1:-1])
    noise = draw_spans(len(text), generator)
    first = noise & ~np.append(False, noise[:-1])
    sentinel = np.array(oracle.sentinel_ids)[np.maximum(np.cumsum(first) - 1, 0)]
    inputs = np.where(first, sentinel, text)[~noise | first]
    targets = [t for i in np.flatnonzero(noise) for t in ([sentinel[i], text[i]] if first[i] else [text[i]])]
    targets = np.array([*targets, oracle.eos_id])
    found = oracle.span_log_probs([*inputs, oracle.eos_id], targets)
    return -found, np.isin(targets, oracle.word_ids)


class ShortMemory:
    """The best reader that sees only the last k tokens and does not know where in the story it is.

    Before it sees anything, a state is as probable as it is visited often.
    """

    def __init__(self, oracle: Oracle) -> None:
        self.chain = oracle.chain
        self.known: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}

    def losses(self, ids: list[int]) -> dict[int, np.ndarray]:
        """Return, for each k in CONTEXTS, [T-1]: -log p of each token behind [BOS] given the k before it."""
        found = {k: np.zeros(len(ids) - 1) for k in CONTEXTS}
        for begin in range(len(ids) - 1):
            states, weight = self._after((ids[begin],))
            for end in range(begin + 1, min(begin + max(CONTEXTS), len(ids) - 1) + 1):
                seen = weight * self.chain.emission[self.chain.row[states], ids[end]]
                loss = -log(seen.sum() / weight.sum())
                for k in CONTEXTS:
                    if end - begin == k or (begin == 0 and end < k):
                        found[k][end - 1] = loss
                if end == begin + 1:
                    states, weight = self._after((ids[begin], ids[end]))
                    continue
                alive = seen > 0
                states, weight = step(self.chain, states[alive], seen[alive] / seen.sum())
        return found

    def _after(self, tokens: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return the states behind one or two tokens of an unknown place, and their weights."""
        if tokens not in self.known:
            if len(tokens) == 1:
                states, weight = np.arange(self.chain.n_states), self.chain.visits
            else:
                states, weight = self._after(tokens[:1])
            seen = weight * self.chain.emission[self.chain.row[states], tokens[-1]]
            self.known[tokens] = step(self.chain, states[seen > 0], seen[seen > 0] / seen.sum())
        return self.known[tokens]


def unigram_losses(oracle: Oracle, ids: list[int]) -> np.ndarray:
    """Return [T-1], -log of each token's share among all tokens behind [BOS]."""
    visits = oracle.chain.visits.copy()
    visits[oracle.chain.start] = 0.0
    share = np.bincount(oracle.chain.row, weights=visits, minlength=len(oracle.chain.emission)) @ oracle.chain.emission
    return -np.log(share[ids[1:]] / share.sum())


def random_streams() -> dict[str, np.random.Generator]:
    return {name: np.random.Generator(np.random.PCG64(stream)) for name, stream in STREAMS.items()}


def measure_masked(oracle: Oracle, test: list[list[int]]) -> list[np.ndarray]:
    """Return, for each story, the ideal reader's loss at each word that BERT's corruption chose."""
    generator = random_streams()["masked"]
    return [masked_losses(oracle, ids, generator, bert=True) for ids in test]


def masked_text(losses: list[np.ndarray]) -> str:
    """Return what `masked_floor.txt` holds: a line for each story, its losses in nats in the order of the text."""
    return "".join(" ".join(f"{loss:.5f}" for loss in of_story) + "\n" for of_story in losses)


def measure_floors(
    oracle: Oracle, test: list[list[int]], masked: list[np.ndarray], n_stories: dict[str, int] = N_STORIES
) -> dict[str, object]:
    """Return what `floors.json` holds: {"causal": {"loss", "standard_error", ...}, "context": {"1": {...}}, ...}.

    Args:
        oracle: reads the stories.
        test: their token ids.
        masked: as `measure_masked` returns it.
        n_stories: how many stories each of the other floors is measured on.
    """
    memory = ShortMemory(oracle)
    contexts = [memory.losses(ids) for ids in test[: n_stories["context"]]]
    generators = random_streams()
    spans = [span_losses(oracle, ids, generators["span"]) for ids in test[: n_stories["span"]]]
    masked_only = [
        masked_losses(oracle, ids, generators["masked_only"], bert=False) for ids in test[: n_stories["masked_only"]]
    ]
    return {
        "unigram": summarize(unigram_losses(oracle, ids) for ids in test),
        "context": {str(k): summarize(found[k] for found in contexts) for k in CONTEXTS},
        "causal": summarize(causal_losses(oracle, ids) for ids in test[: n_stories["causal"]]),
        "masked": summarize(masked),
        "masked_only": summarize(masked_only),
        "span": summarize(loss for loss, _ in spans),
        "span_words": summarize(loss[words] for loss, words in spans),
        "span_sentinels": summarize(loss[~words] for loss, words in spans),
    }
