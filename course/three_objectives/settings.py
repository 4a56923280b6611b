"""What the comparison fixes: sizes, budget, rates, seeds. The stored results name them, and belong to no others."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field

from course.configs import DecoderConfig, EncoderConfig, T5Config

OBJECTIVES = ("masked", "causal", "span")
FAMILIES = {"masked": "encoder-only", "causal": "decoder-only", "span": "encoder-decoder"}
DENSITY, MEAN_SPAN_LEN = 0.15, 3.0  # BERT's and T5's rate, T5's mean length of a span


@dataclass(frozen=True)
class Settings:
    """One comparison.

    Attributes:
        flops: what each pretraining may cost, 6 N D summed over the parts of the model.
        seeds: of first weights, batches and labels.
        d_model: of the masked and the causal model.
        n_heads: of all three.
        word_std: standard deviation of the first word vectors of the masked and the causal model.
        d_ff: of the two models with two blocks.
        span_d_model, span_d_ff: of the model with two blocks on either side, narrower: in their blocks all three have
            the same number of parameters, to 1%.
        batch: stories in a step.
        muon_lr, peak_lr: highest learning rates of Muon, for linear maps, and of AdamW, for all else; in fine-tuning a
            model to write, too. With the first weights these are the recipes at which weeks 3 to 5 arrived.
        n_labels: labelled stories that a classifier is fine-tuned on, by task.
        tune_steps: of fine-tuning a classifier.
        n_test: test stories that a classifier is judged on.
        n_summaries, n_translations: stories with a summary or in Korean to fine-tune on, summary_steps and
            translation_steps long.
        n_written: stories that a model writes, fills and summarises, to be judged; it translates n_test.
    """

    flops: float = 4e12
    seeds: tuple[int, ...] = (1, 2, 3)
    d_model: int = 96
    n_heads: int = 8
    word_std: float = 0.15
    d_ff: int = 256
    span_d_model: int = 64
    span_d_ff: int = 148
    batch: int = 32
    muon_lr: float = 0.01
    peak_lr: float = 4e-3
    n_labels: dict[str, tuple[int, ...]] = field(
        default_factory=lambda: {"sentiment": (50, 500), "sense": (500,)},
    )
    tune_steps: int = 100
    n_test: int = 200
    n_summaries: int = 500
    summary_steps: int = 200
    n_translations: int = 1000
    translation_steps: int = 600
    n_written: int = 80

    def masked_config(self, vocab_size: int) -> EncoderConfig:
        return EncoderConfig(vocab_size, self.d_model, self.n_heads, n_layers=2, d_ff=self.d_ff, max_len=64)

    def causal_config(self, vocab_size: int) -> DecoderConfig:
        """With BLOOM's positions: a story with a summary behind it is longer than any story."""
        return DecoderConfig(vocab_size, self.d_model, self.n_heads, 2, self.d_ff, max_len=64, positions="alibi")

    def span_config(self, vocab_size: int) -> T5Config:
        d_head = self.span_d_model // self.n_heads
        return T5Config(vocab_size, self.span_d_model, self.n_heads, d_head, n_layers=2, d_ff=self.span_d_ff)

    def as_plain(self) -> dict[str, object]:
        """Return the settings as JSON gives them back."""
        return json.loads(json.dumps(asdict(self)))
