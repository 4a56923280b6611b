"""The phenomena of the corpus in numbers: what `data/README.md` states and a test compares."""

from __future__ import annotations

from collections import Counter

import numpy as np

from course.corpus_build.sample import Drawn
from course.oracle import Oracle

FAR = 30
# Stories that the oracle reads twice; the counts are over all of them.
N_READ = 300
ENDINGS = {"errand_end", "find_end", "lesson_end", "pets_end", "contest_end", "garden_end"}
NAMES = ("hero", "friend")


def measure_facts(oracle: Oracle, stories: list[Drawn]) -> dict[str, object]:
    """Return counts over all of `stories`, and what facts are worth in them, in nats, by the oracle."""
    grammar = oracle.grammar
    lengths = np.array([len(story.words) for story in stories])
    with_homonym = [s for s in stories if grammar.templates[s.template].homonym]
    settled = Counter(settled_side(oracle, story) for story in with_homonym)
    held = [s for s in stories if any(t.name == "lesson_act" for t in s.told)]
    told = sum(any(t.name == "lesson_tell" and t.end > t.begin for t in s.told) for s in held)
    return {
        "n_stories": len(stories),
        "n_distinct": len({tuple(s.words) for s in stories}),
        "n_words_in_vocabulary": len(grammar.words),
        "n_vocabulary": len(oracle.vocab),
        "n_states": oracle.chain.n_states,
        "length": {
            "mean": round(float(lengths.mean()), 2),
            "min": int(lengths.min()),
            "max": int(lengths.max()),
        },
        "templates": dict(sorted(Counter(s.template for s in stories).items())),
        "homonym": {"stories": len(with_homonym), **{side: settled[side] for side in ("left", "right", "never")}},
        "structure": {"stories": len(held), "told_later": told, "never_told": len(held) - told},
        "far_name": far_names(oracle, stories[:N_READ]),
        "ending": endings(oracle, stories[:N_READ]),
    }


def settled_side(oracle: Oracle, story: Drawn) -> str:
    """Return where the sentence stands whose wording depends on the homonym's sense: "left", "right" or "never"."""
    template = oracle.grammar.templates[story.template]
    position = story.slots.index(template.homonym)
    for told in story.told:
        if template.sense in oracle.grammar.sentences[told.name][told.wording].guard and told.end > told.begin:
            return "left" if told.begin < position else "right"
    return "never"


def worth(oracle: Oracle, story: Drawn, position: int, hidden: np.ndarray) -> float:
    """Return by how many nats the word at `position` is more surprising to a reader without the `hidden` tokens."""
    ids = [oracle.vocab.index(word) for word in story.words[: position + 1]]
    full = oracle.next_token_log_probs(ids)[position, ids[position]]
    less = oracle.next_token_log_probs(ids, hidden[: position + 1])[position, ids[position]]
    return float(full - less)


def far_names(oracle: Oracle, stories: list[Drawn]) -> dict[str, object]:
    """Return what the earlier mentions of a name are worth at its last one, FAR tokens or more behind them."""
    found = []
    for story in stories:
        slots = np.array([slot if slot in NAMES else "" for slot in story.slots])
        for name in NAMES:
            at = np.flatnonzero(slots == name)
            if len(at) > 1 and at[-1] - at[-2] >= FAR:
                hidden = slots == name
                hidden[at[-1] :] = False
                found.append(worth(oracle, story, int(at[-1]), hidden))
    return {"mentions": len(found), "distance": FAR, **mean_and_error(found)}


def endings(oracle: Oracle, stories: list[Drawn]) -> dict[str, object]:
    """Return what the sentence that decides the ending is worth to its reader, and how far before it stands."""
    found, distances = [], []
    for story in stories:
        cause = next(told for told in story.told if told.name.endswith("_fate"))
        end = next(told for told in story.told if told.name in ENDINGS)
        hidden = np.zeros(len(story.words), dtype=bool)
        hidden[cause.begin : cause.end] = True
        ids = [oracle.vocab.index(word) for word in story.words]
        places = np.arange(end.begin, end.end)
        full = oracle.next_token_log_probs(ids)[places, np.array(ids)[places]].sum()
        less = oracle.next_token_log_probs(ids, hidden)[places, np.array(ids)[places]].sum()
        found.append(float(full - less))
        distances.append(end.begin - cause.end)
    return {"stories": len(found), "mean_distance": round(float(np.mean(distances)), 1), **mean_and_error(found)}


def mean_and_error(values: list[float]) -> dict[str, float]:
    if not values:
        return {"nats": 0.0, "standard_error": 0.0}
    error = np.std(values, ddof=1) / np.sqrt(len(values)) if len(values) > 1 else 0.0
    return {"nats": round(float(np.mean(values)), 4), "standard_error": round(float(error), 4)}
