"""The ideal reader as a classifier: the exact posterior of a hidden fact, and so the best possible accuracy.

A story's grammar draws facts first (how it ends, what *bank* means) and words after them. So for each value c of a fact
the probability of what is visible is known, p(visible | c), and Bayes' rule gives p(c | visible). Nobody who sees the
same words can be right more often than by choosing the most probable value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course.grammar import Grammar
from course.labels import SENSE_NAMES, SENSES, SENTIMENTS
from course.oracle import Oracle
from course.oracle.reader import STORIES

FATES = ({"fate": "bad"}, {"fate": "good"})  # in the order of SENTIMENTS
# The senses of different words are drawn apart from each other, so two readers serve all of them.
SENSE_FACTS = tuple(
    {"bank_sense": bank, "thing_sense": thing, "pitch_sense": pitch, "spring_sense": spring}
    for bank, thing, pitch, spring in zip(SENSES["bank"], SENSES["bat"], SENSES["pitch"], SENSES["spring"], strict=True)
)


class IdealClassifier:
    """Bayes' rule with the story grammar.

    Args:
        grammar: of the stories.
        classes: for each class, the facts that hold in it. The posterior is over these classes alone.

    Raises:
        course.grammar.GrammarError: a fact never has one of the values.
    """

    def __init__(self, grammar: Grammar, classes: Sequence[Mapping[str, str]]) -> None:
        self.readers = [Oracle(grammar.fix(**facts)) for facts in classes]
        self.log_prior = np.log([_prior(grammar, facts) for facts in classes])

    def posterior(self, ids: Sequence[int] | Tensor, hidden: Sequence[bool] | Tensor | None = None) -> Tensor:
        """Return p(class | the visible words), float64 [C].

        Args:
            ids: [T] token ids of one story with its begin and end tokens, or of the beginning of one.
            hidden: bool [T], True where a word is not seen; what stands there is not looked at.

        Raises:
            ValueError: no story of the grammar has these visible words.
        """
        tokens = np.asarray(ids)
        visible = np.ones(len(tokens), dtype=bool) if hidden is None else ~np.asarray(hidden)
        log_likelihood = np.array([_evidence(reader, tokens, visible) for reader in self.readers])
        if not np.isfinite(log_likelihood).any():
            raise ValueError("No story of this grammar has these visible words; pass one of the corpus.")
        return torch.from_numpy(self.log_prior + log_likelihood).softmax(0)


def ideal_sentiment(path: Path | str | None = None) -> IdealClassifier:
    """Return the best classifier of how a story ends; classes in the order of `course.labels.SENTIMENTS`."""
    assert len(FATES) == len(SENTIMENTS)
    return IdealClassifier(Grammar.load(Path(path or STORIES) / "grammar.json"), FATES)


def ideal_sense(path: Path | str | None = None) -> IdealClassifier:
    """Return the best classifier of a homonym's sense: class 0 is the first of `SENSES[word]`, class 1 the second."""
    return IdealClassifier(Grammar.load(Path(path or STORIES) / "grammar.json"), SENSE_FACTS)


def spread_senses(posterior: Tensor, word: str) -> Tensor:
    """Return a posterior [2] over the two senses of `word` as one over all of `SENSE_NAMES`, float64 [8]."""
    spread = torch.zeros(len(SENSE_NAMES), dtype=posterior.dtype)
    spread[[SENSE_NAMES.index(sense) for sense in SENSES[word]]] = posterior
    return spread


def _prior(grammar: Grammar, facts: Mapping[str, str]) -> float:
    """Return the probability of the facts, each of which must be drawn by itself."""
    return float(np.prod([dict(grammar.variables[name].table[None])[value] for name, value in facts.items()]))


def _evidence(reader: Oracle, tokens: np.ndarray, visible: np.ndarray) -> float:
    """Return log p(the visible tokens), a sum over each of them given the visible ones before it."""
    rows = reader.next_token_log_probs(tokens, ~visible)
    steps = rows[np.arange(len(tokens)), tokens][visible]
    return -np.inf if np.isnan(steps).any() else float(steps.sum())
