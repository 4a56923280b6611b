"""`Oracle`: what an ideal reader of the stories would predict, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from course.grammar import BOS, EOS, SPECIALS, Grammar
from course.oracle.chain import Chain, compile_chain
from course.oracle.lattice import backward, by_row, forward, forward_many
from course.oracle.targets import predict_targets

STORIES = Path(__file__).resolve().parents[2] / "data" / "stories"
CORRUPTION = {"mask": 0.8, "random": 0.1, "kept": 0.1}


class Oracle:
    """The ideal reader of the stories that a grammar tells.

    It knows the grammar, sums over every hidden variable and every derivation, and says how probable each word is. All
    results are numpy float64, in nats. A word that cannot stand somewhere has log-probability -inf.

    Args:
        grammar: any `course.grammar.Grammar`.
    """

    def __init__(self, grammar: Grammar) -> None:
        self.grammar = grammar
        self.vocab: list[str] = grammar.vocab
        self.chain: Chain = compile_chain(grammar)
        token_id = {word: i for i, word in enumerate(self.vocab)}
        self.bos_id, self.eos_id, self.mask_id = token_id[BOS], token_id[EOS], token_id["[MASK]"]
        self.word_ids = np.arange(len(SPECIALS), len(SPECIALS) + len(grammar.words))
        self.sentinel_ids = list(range(len(self.vocab) - 1, self.word_ids[-1], -1))

    @classmethod
    def load(cls, path: Path | str | None = None) -> Oracle:
        """Return the oracle of the course's stories (of the grammar in the folder `path`, if given)."""
        return cls(Grammar.load(Path(path or STORIES) / "grammar.json"))

    def next_token_log_probs(self, ids: object, hidden: object = None) -> np.ndarray:
        """Return [T, V]: row t is log p(token t is v | the tokens before t).

        Args:
            ids: [T] token ids of one story with its begin and end tokens, or of the beginning of one.
            hidden: bool [T], True where the reader does not see a token (later rows do without it).

        Row 0 is unconditional: a story begins with [BOS]. Behind a token that cannot stand there, rows are NaN.
        """
        tokens = self._tokens(ids)
        likelihood = self._likelihood(tokens, self._mask(hidden, tokens, "hidden"))
        layers, _ = forward(self.chain, likelihood)
        probs = np.full((len(tokens), len(self.vocab)), np.nan)
        for at, layer in enumerate(layers):
            probs[at] = by_row(self.chain, layer.states, layer.arriving) @ self.chain.emission
        return _log(probs)

    def log_prob(self, ids: object) -> float:
        """Return the log-probability of a whole story, [BOS] and [EOS] included; -inf if the grammar never tells it.

        For the beginning of a story it is the log-probability that a story begins so.
        """
        tokens = self._tokens(ids)
        return forward(self.chain, self._likelihood(tokens))[1]

    def log_probs(self, stories: Sequence[object]) -> np.ndarray:
        """Return [N], `log_prob` of many stories at once, which is much faster."""
        return forward_many(self.chain, [self._tokens(ids) for ids in stories])

    def masked_log_probs(self, ids: object, mask: object) -> np.ndarray:
        """Return [n_masked, V]: for each position where `mask` is True, log p(token there | all visible tokens).

        Args:
            ids: [T] token ids of one whole story; those under the mask are not looked at.
            mask: bool [T], True where a token is hidden. [BOS] and [EOS] may be among them; T is known to the reader.

        Raises:
            ValueError: no story of T tokens has the visible tokens.
        """
        tokens = self._tokens(ids)
        hidden = self._mask(mask, tokens, "mask")
        gamma = self._posterior(self._likelihood(tokens, hidden))
        return _log(gamma[hidden] @ self.chain.emission) if hidden.any() else np.zeros((0, len(self.vocab)))

    def corrupted_log_probs(self, inputs: object, chosen: object, *, rate: float = 0.15) -> np.ndarray:
        """Return [n_chosen, V]: log p(original token | the text as BERT's corruption left it, and that it was chosen).

        The reader knows the procedure (Devlin et al. 2019, section 3.1): every position but [BOS] and [EOS] was chosen
        with probability `rate`; of the chosen, 80% show [MASK], 10% a word drawn uniformly from all words (the original
        possible), 10% what was there. It does not know which visible words are random. It is told which positions it is
        asked about, one at a time: at position i it knows that i was chosen, of the others only what `inputs` says.

        Args:
            inputs: [T] token ids of a corrupted story with its [BOS] and [EOS].
            chosen: bool [T], True at the positions to restore.
            rate: probability of being chosen, 0 < rate <= 1.
        """
        tokens = self._tokens(inputs)
        asked = self._mask(chosen, tokens, "chosen")
        shown = self._channel(tokens)
        plain = self._likelihood(tokens)
        word = ~np.isin(tokens, (self.bos_id, self.eos_id))
        likelihood = np.where(word[:, None], (1 - rate) * plain + rate * (shown @ self.chain.emission.T), plain)
        gamma = self._posterior(likelihood, without_own=True)
        probs = (gamma[asked] @ self.chain.emission) * shown[asked]
        return _log(probs / probs.sum(axis=1, keepdims=True))

    def span_log_probs(
        self, inputs: object, targets: object, *, density: float = 0.15, mean_span_len: float = 3.0
    ) -> np.ndarray:
        """Return [len(targets)]: log p of each target token, given the corrupted input and the targets before it.

        Args and errors as for `span_next_log_probs`. -inf for a token that cannot stand there, NaN behind it.
        """
        rows = self.span_next_log_probs(inputs, targets, density=density, mean_span_len=mean_span_len)
        return rows[np.arange(len(rows)), self._tokens(targets)]

    def span_next_log_probs(
        self, inputs: object, targets: object, *, density: float = 0.15, mean_span_len: float = 3.0
    ) -> np.ndarray:
        """Return [len(targets), V]: log p(target t is v | the corrupted input, the targets before t).

        The reader knows how spans are chosen, not how long they are; `course.oracle.spans` says what it assumes.

        Args:
            inputs: T5's inputs: the text with <extra_id_0>, <extra_id_1> ... in place of its spans, then [EOS]. The
                text is a story's words alone, or, if it begins with [BOS], the whole story ([EOS] may be hidden).
            targets: each sentinel and its span; a closing sentinel where text follows the last span; [EOS].
            density, mean_span_len: parameters of the procedure.

        Raises:
            ValueError: the input is not in this format, or no story gives it.
        """
        shown, wanted = self._tokens(inputs), self._tokens(targets)
        return _log(predict_targets(self, shown, wanted, density, mean_span_len))

    def _channel(self, tokens: np.ndarray) -> np.ndarray:
        """Return [T, V]: the probability that a chosen word v is shown as the token seen at each position."""
        shown = np.zeros((len(tokens), len(self.vocab)))
        shown[:, self.word_ids] = np.where(tokens == self.mask_id, CORRUPTION["mask"], 0.0)[:, None]
        visible = np.isin(tokens, self.word_ids)
        shown[np.ix_(visible, self.word_ids)] += CORRUPTION["random"] / len(self.word_ids)
        shown[np.flatnonzero(visible), tokens[visible]] += CORRUPTION["kept"]
        return shown

    def _posterior(self, likelihood: np.ndarray, *, without_own: bool = False) -> np.ndarray:
        """Return [T, R]: how probable each emission row is at each place, given all evidence (but its own, if said)."""
        layers, log_total = forward(self.chain, likelihood)
        after = backward(self.chain, layers) if log_total > -np.inf else []
        gamma = np.zeros_like(likelihood)
        for at, (layer, value) in enumerate(zip(layers, after, strict=False)):
            own = 1.0 if without_own else layer.likelihood
            gamma[at] = by_row(self.chain, layer.states, layer.arriving * own * value)
        total = gamma.sum(axis=1, keepdims=True)
        if not (total > 0).all():
            raise ValueError(
                f"No story of {len(likelihood)} tokens has these visible tokens; "
                "pass a story of this grammar, with its [BOS] and [EOS]."
            )
        return gamma / total

    def _likelihood(self, tokens: np.ndarray, hidden: np.ndarray | None = None) -> np.ndarray:
        likelihood = self.chain.emission[:, tokens].T.copy()
        if hidden is not None:
            likelihood[hidden] = 1.0
        return likelihood

    def _tokens(self, ids: object) -> np.ndarray:
        tokens = np.asarray(ids)
        if tokens.ndim != 1 or len(tokens) == 0 or not np.issubdtype(tokens.dtype, np.integer):
            raise ValueError(
                f"One story is a row of token ids, but came with shape {tokens.shape} and dtype {tokens.dtype}; "
                "pass one story at a time, as integers."
            )
        if tokens.min() < 0 or tokens.max() >= len(self.vocab):
            raise ValueError(
                f"Token ids run from 0 to {len(self.vocab) - 1}, but {tokens.min()} to {tokens.max()} came."
            )
        return tokens

    def _mask(self, mask: object, tokens: np.ndarray, name: str) -> np.ndarray:
        if mask is None:
            return np.zeros(len(tokens), dtype=bool)
        found = np.asarray(mask)
        if found.shape != tokens.shape or found.dtype != bool:
            raise ValueError(
                f"{name} must be boolean with one entry a token, {tokens.shape}; "
                f"shape {found.shape} and dtype {found.dtype} came."
            )
        return found


def _log(probs: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(probs)
