"""Labelled stories as pairs of texts: what a text-to-text model is fine-tuned on, and how it writes.

B batch, S source length, T target length, V vocabulary. A source is what the model reads, a target what it shall write.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from course.blocks.t5 import T5
from course.stories import TOKEN, Stories, pad
from course.training import seeded

TASKS = ("translate", "summarize", "answer")
PREFIX_WORDS = ("translate", "English", "Korean", "summarize", "question", "context", ":")
IGNORED = -100  # the label that cross entropy leaves out, as in PyTorch
AsText = Callable[[str, dict], tuple[str, str]]


class TextTokenizer:
    """Whole words and punctuation marks as tokens: English, the words of T5's prefixes, and Korean.

    The story vocabulary comes first, so that its ids stay what they are, sentinels included. The prefixes' words
    follow, and then the words of all Korean training texts, in the order of Unicode. Korean words carry their
    particles; the grammar's are few enough for that.

    Args:
        stories: the corpus.

    Attributes:
        words: the vocabulary; an id is a position in it.

    Example:
        >>> tokenizer = TextTokenizer(Stories.load())
        >>> tokenizer.decode(tokenizer.encode("summarize: Ben met Nora at the bank."))
        'summarize: Ben met Nora at the bank.'
    """

    def __init__(self, stories: Stories) -> None:
        korean = {word for row in stories.labels("translation", "train") for word in TOKEN.findall(row["korean"])}
        known = [*stories.vocab, *PREFIX_WORDS]
        self.words = [*known, *sorted(korean - set(known))]
        self.pad_id, self.eos_id, self.unk_id = stories.pad_id, stories.eos_id, stories.unk_id
        self._ids = {word: i for i, word in enumerate(self.words)}

    def __len__(self) -> int:
        return len(self.words)

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text, with the end token behind it; an unknown word becomes [UNK].

        A capital that the vocabulary does not know ("The") is read as a small letter.
        """
        found = TOKEN.findall(text)
        return [*(self._ids.get(word, self._ids.get(word.lower(), self.unk_id)) for word in found), self.eos_id]

    def decode(self, ids: Sequence[int] | Tensor) -> str:
        """Return token ids as running text, up to the first end token; padding is left out.

        Sentences begin with a capital, where the script has any; the words of prefixes stay as they are.
        """
        words = [self.words[int(i)] for i in ids]
        words = words[: words.index("[EOS]")] if "[EOS]" in words else words
        text, begins = "", True
        for word in (word for word in words if word not in ("[PAD]", "[BOS]")):
            shown = word[0].upper() + word[1:] if begins and word not in PREFIX_WORDS else word
            text += shown if word in ".,?:" or not text else f" {shown}"
            begins = word in ".?:"
        return text


def read_examples(stories: Stories, split: str, task: str, n_stories: int | None = None) -> list[dict[str, object]]:
    """Return the examples of one task, as `as_text` reads them.

    Args:
        stories: the corpus.
        split: "train" (its first 5,000 stories carry labels), "valid" or "test".
        task: one of `TASKS`.
        n_stories: only the labels of the first so many stories; None for all.

    Returns:
        One dict an example: `number` of the story in its split, and the texts "english" and "korean", or "story" and
        "summary", or "story", "question" and "answer". A story may come with several questions.

    Raises:
        ValueError: there is no such task or split.
    """
    labels = {"translate": "translation", "summarize": "summary", "answer": "qa"}
    if task not in labels:
        raise ValueError(f"There is no task {task!r}; tasks are {', '.join(TASKS)}.")
    examples = []
    for row in stories.labels(labels[task], split):
        number = row["story"]
        if n_stories is None or number < n_stories:
            texts = {name: value for name, value in row.items() if isinstance(value, str)}
            if task != "translate":
                texts["story"] = stories.decode(getattr(stories, split)[number])
            examples.append({"number": number, **texts})
    return examples


@dataclass(frozen=True)
class TextPairs:
    """Examples of one task as token ids.

    Attributes:
        sources, targets: as many lists of ids, each with its end token.
    """

    sources: list[list[int]]
    targets: list[list[int]]

    def __len__(self) -> int:
        return len(self.sources)


def encode_pairs(examples: Sequence[dict], task: str, as_text: AsText, tokenizer: TextTokenizer) -> TextPairs:
    """Return the examples of one task as token ids; `as_text` is the notebook's."""
    sources, targets = zip(*(as_text(task, example) for example in examples), strict=True)
    return TextPairs([tokenizer.encode(text) for text in sources], [tokenizer.encode(text) for text in targets])


def mixed_batches(
    tasks: Mapping[str, TextPairs], batch: int, weights: Mapping[str, float], pad_id: int
) -> Callable[[torch.Generator], tuple[Tensor, ...]]:
    """Return what draws a batch with a generator: `batch` pairs of one task, the task drawn by its weight.

    T5 mixes tasks within a batch; whole batches of one task cost less here, since their targets are equally long.

    Returns (of what is returned):
        source_ids long [B,S], source_mask bool [B,S], True on real tokens, and labels long [B,T], -100 on padding.
    """
    names, chances = list(tasks), torch.tensor([float(weights[name]) for name in tasks])

    def sample(generator: torch.Generator) -> tuple[Tensor, ...]:
        pairs = tasks[names[int(torch.multinomial(chances, 1, generator=generator))]]
        rows = torch.randint(len(pairs), (batch,), generator=generator).tolist()
        source_ids, source_mask = pad([pairs.sources[row] for row in rows], pad_id)
        labels, label_mask = pad([pairs.targets[row] for row in rows], pad_id)
        return source_ids, source_mask, labels.masked_fill(~label_mask, IGNORED)

    return sample


def text_loss(model: nn.Module, batch: tuple[Tensor, ...]) -> Tensor:
    """Return the mean loss in nats over the target tokens of a batch from `mixed_batches`.

    Args:
        model: `model(source_ids, decoder_ids, source_mask)` gives logits [B,T,V], as `course.blocks.t5.T5` does. The
            decoder starts with the padding token, id 0, as T5's does.
        batch: source_ids, source_mask, labels.
    """
    source_ids, source_mask, labels = batch
    decoder_ids = functional.pad(labels[:, :-1], (1, 0)).clamp(min=0)
    logits_BTV = model(source_ids, decoder_ids, source_mask)
    return functional.cross_entropy(logits_BTV.flatten(0, 1), labels.flatten(), ignore_index=IGNORED)


@torch.no_grad()
def with_more_words(model: T5, vocab_size: int, *, seed: int = 0) -> T5:
    """Return a copy of a T5 with a larger table of words: the old rows, and new ones drawn as a T5's first weights are.

    Args:
        model: a T5 with a tied head; not changed.
        vocab_size: rows of the new table, at least as many as the old one has.
        seed: of the new rows.

    Raises:
        ValueError: the new table would be smaller, or the head is not tied.
    """
    old = model.config
    if vocab_size < old.vocab_size or not old.tied:
        raise ValueError(
            f"A table of {old.vocab_size} rows cannot become one of {vocab_size}, or the head is not tied."
        )
    with seeded(seed):
        larger = T5(replace(old, vocab_size=vocab_size))
    rows = larger.word.weight.clone()
    rows[: old.vocab_size] = model.word.weight
    larger.load_state_dict(model.state_dict() | {"word.weight": rows})
    return larger.eval()


@torch.no_grad()
def write_texts(
    model: nn.Module,
    sources: Sequence[Sequence[int]],
    tokenizer: TextTokenizer,
    *,
    max_new_tokens: int = 64,
    batch: int = 100,
    tick: Callable[[int], object] = lambda n: None,
) -> list[list[int]]:
    """Return what the model writes to each source: greedy, up to its end token, which is left out.

    Args:
        model: a `course.blocks.t5.T5`.
        sources: token ids, each with its end token.
        tokenizer: for its end and padding ids.
        max_new_tokens: the longest that is written.
        batch: so many are written at once.
        tick: called with the number of texts that are done.
    """
    written = []
    for start in range(0, len(sources), batch):
        source_ids, source_mask = pad(sources[start : start + batch], tokenizer.pad_id)
        memory_BSD = model.encode(source_ids, source_mask)
        decoder_ids = torch.full((len(source_ids), 1), tokenizer.pad_id)
        ended = torch.zeros(len(source_ids), dtype=torch.bool)
        while decoder_ids.shape[1] <= max_new_tokens and not ended.all():
            logits_BV = model.decode(decoder_ids, memory_BSD, source_mask)[:, -1]
            chosen = logits_BV.argmax(-1).masked_fill(ended, tokenizer.pad_id)
            decoder_ids = torch.cat([decoder_ids, chosen[:, None]], dim=1)
            ended |= chosen == tokenizer.eos_id
        rows = decoder_ids[:, 1:].tolist()
        ends = (tokenizer.eos_id, tokenizer.pad_id)
        written += [[token for token in row if token not in ends] for row in rows]
        tick(len(rows))
    return written


def resampled_interval(
    score: Callable[[list[str], list[str]], float],
    predictions: Sequence[str],
    references: Sequence[str],
    *,
    n_samples: int = 200,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Return a score and an interval that holds 95% of the scores of resampled test sets: a bootstrap.

    Each resampled set has as many texts as the real one, drawn from it with replacement (Koehn 2004 did so for BLEU).

    Args:
        score: (predictions, references) -> number.
        predictions, references: as many texts, in the same order.
        n_samples: resampled test sets.
        seed: of the draws.
    """
    generator, scores = torch.Generator().manual_seed(seed), []
    for _ in range(n_samples):
        rows = torch.randint(len(predictions), (len(predictions),), generator=generator).tolist()
        scores.append(score([predictions[row] for row in rows], [references[row] for row in rows]))
    low, high = torch.tensor(scores, dtype=torch.float64).quantile(torch.tensor([0.025, 0.975]).double()).tolist()
    value = score(list(predictions), list(references))
    return value, min(low, value), max(high, value)


def share_interval(n_right: int, n_all: int) -> tuple[float, float, float]:
    """Return a share and its 95% interval (Wilson 1927), which stays sensible at 0 and at 1.

    Raises:
        ValueError: n_all is 0.
    """
    if n_all < 1:
        raise ValueError("A share of nothing has no interval: n_all is 0.")
    share, z2 = n_right / n_all, 1.96**2
    middle = (share + z2 / (2 * n_all)) / (1 + z2 / n_all)
    half = 1.96 * ((share * (1 - share) + z2 / (4 * n_all)) / n_all) ** 0.5 / (1 + z2 / n_all)
    return share, min(share, max(0.0, middle - half)), max(share, min(1.0, middle + half))
