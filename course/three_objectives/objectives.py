"""The three objectives behind one face: a model, its batches, its loss, what a batch costs, how it reads a text.

B stories, T tokens of the longest, S tokens of a corrupted input, D model width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from course.blocks.causal_lm import CausalLM
from course.blocks.masked_lm import MaskedLM
from course.blocks.t5 import T5
from course.growth import Growth
from course.masking import IGNORED, choose_positions, mask_tokens, special_positions
from course.spans import span_batch
from course.starts import start_bert, start_t5
from course.stories import Stories, pad
from course.three_objectives.settings import DENSITY, MEAN_SPAN_LEN, Settings
from course.training import seeded, train

Batch = tuple[Tensor, ...]
Price = Callable[[float, float], float]  # (parameters, tokens) -> FLOPs
Part = tuple[str, int, int]  # its name, its parameters, the tokens that meet them


class Objective:
    """What the three have in common.

    Args:
        stories: the corpus; batches come from its training stories.
        settings: sizes.
    """

    name: str
    width: int  # of the model's vectors, D
    weight_decay = 0.01

    def __init__(self, stories: Stories, settings: Settings) -> None:
        self.stories, self.settings = stories, settings
        self.ids_NT, self.mask_NT = pad(stories.train, stories.pad_id)
        self.width = settings.d_model

    def build(self, seed: int, vocab_size: int | None = None) -> nn.Module:
        """Return an untrained model; the seed decides its first weights. Its words are the stories', or so many."""
        raise NotImplementedError

    def sample(self, generator: torch.Generator) -> Batch:
        """Return one batch of training stories, corrupted with the generator."""
        raise NotImplementedError

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the mean loss in nats over the batch's targets, a scalar."""
        raise NotImplementedError

    def lr_scale(self, name: str, parameter: Tensor) -> float:
        """Return what AdamW's learning rate of a parameter is multiplied by, in pretraining and in fine-tuning."""
        return 1.0

    def train(
        self,
        model: nn.Module,
        loss: Callable[[nn.Module, Batch], Tensor],
        sample: Callable[[torch.Generator], Batch],
        *,
        n_steps: int,
        seed: int,
        label: str,
        growth: Growth | None = None,
    ) -> list[float]:
        """Train a model in place, on the CPU, and return the loss of each step; `growth` makes the steps longer."""
        growth = growth or Growth()
        rates = {"peak_lr": self.settings.peak_lr, "muon_lr": growth.maps * self.settings.muon_lr}
        options = {"warmup": 100, "weight_decay": self.weight_decay, "seed": seed, "label": label}
        options |= {"lr_scale": self.scales(growth), "device": torch.device("cpu")}
        return train(model, loss, sample, n_steps=n_steps, **rates, **options).losses

    def scales(self, growth: Growth, prefix: str = "") -> Callable[[str, Tensor], float]:
        """Return `lr_scale` for a model that has grown, and whose parameters' names begin with a prefix now."""

        def scale(name: str, parameter: Tensor) -> float:
            return self.lr_scale(name, parameter) * growth.parts.get(name.removeprefix(prefix), 1.0)

        return scale

    def parts(self, model: nn.Module, batch: Batch) -> list[Part]:
        """Return which parameters are multiplied with how many tokens of the batch, padding included.

        Tables of embeddings are looked up, not multiplied, and left out; where the head is such a table, it is
        multiplied there.
        """
        raise NotImplementedError

    def hidden(self, model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
        """Return what a text looks like to the model, float [B,T,D], one vector a token; ids [B,T] begin with [BOS]."""
        raise NotImplementedError

    def rows(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return (ids [B,T], mask [B,T]) of stories drawn at random, no wider than the longest of them."""
        rows = torch.randint(len(self.ids_NT), (self.settings.batch,), generator=generator)
        mask_BT = self.mask_NT[rows]
        width = int(mask_BT.sum(1).max())
        return self.ids_NT[rows, :width], mask_BT[:, :width]


class Masked(Objective):
    """BERT's: 15% of the words are chosen, 80% of these masked, 10% replaced, 10% kept (Devlin et al. 2019)."""

    name = "masked"

    def __init__(self, stories: Stories, settings: Settings) -> None:
        super().__init__(stories, settings)
        self.words, self.specials = torch.tensor(stories.word_ids), [stories.pad_id, stories.bos_id, stories.eos_id]

    def build(self, seed: int, vocab_size: int | None = None) -> MaskedLM:
        """As in week 3: words far apart, heads that begin with their neighbours."""
        with seeded(seed):
            model = MaskedLM(self.settings.masked_config(vocab_size or len(self.stories.vocab)))
            start_bert(model, word_std=self.settings.word_std)
        return model

    def sample(self, generator: torch.Generator) -> Batch:
        """Return (inputs, mask, labels), each [B,T]."""
        ids_BT, mask_BT = self.rows(generator)
        chosen_BT = choose_positions(ids_BT, special_positions(ids_BT, self.specials), DENSITY, generator)
        inputs_BT, labels_BT = mask_tokens(ids_BT, chosen_BT, self.stories.mask_id, self.words, generator)
        return inputs_BT, mask_BT, labels_BT

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        inputs_BT, mask_BT, labels_BT = batch
        chosen_BT = labels_BT != IGNORED
        return functional.cross_entropy(model(inputs_BT, mask_BT, chosen=chosen_BT), labels_BT[chosen_BT])

    def parts(self, model: nn.Module, batch: Batch) -> list[Part]:
        inputs_BT, _, labels_BT = batch
        head = n_parameters([model.dense, model.norm, model.embeddings.word])
        n_chosen = int((labels_BT != IGNORED).sum())
        return [("blocks", n_parameters([model.encoder]), inputs_BT.numel()), ("head", head, n_chosen)]

    def hidden(self, model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
        return model.encode(ids, mask)


class Causal(Objective):
    """GPT's: each token from those before it (Radford et al. 2018)."""

    name = "causal"

    def build(self, seed: int, vocab_size: int | None = None) -> CausalLM:
        """As in week 4: words far apart."""
        with seeded(seed):
            model = CausalLM(self.settings.causal_config(vocab_size or len(self.stories.vocab)))
            nn.init.normal_(model.word.weight, std=self.settings.word_std)
        return model

    def sample(self, generator: torch.Generator) -> Batch:
        """Return (inputs [B,T-1], targets [B,T-1]), -100 where a target is padding."""
        ids_BT, mask_BT = self.rows(generator)
        return ids_BT[:, :-1], ids_BT[:, 1:].masked_fill(~mask_BT[:, 1:], IGNORED)

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        inputs_BT, targets_BT = batch
        return functional.cross_entropy(model(inputs_BT).flatten(0, 1), targets_BT.flatten(), ignore_index=IGNORED)

    def parts(self, model: nn.Module, batch: Batch) -> list[Part]:
        n_tokens = batch[0].numel()
        blocks = n_parameters([model.blocks, model.norm])
        return [("blocks", blocks, n_tokens), ("head", n_parameters([model.word]), n_tokens)]

    def hidden(self, model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
        return model.encode(ids)  # padding stands on the right, and nobody sees to the right


class Span(Objective):
    """T5's: spans of 3 words on average, 15% of them, written one token at a time (Raffel et al. 2020)."""

    name = "span"
    weight_decay = 0.0

    def __init__(self, stories: Stories, settings: Settings) -> None:
        super().__init__(stories, settings)
        self.texts = [story[1:-1] for story in stories.train]
        self.width = settings.span_d_model

    def build(self, seed: int, vocab_size: int | None = None) -> T5:
        """As in week 5: heads that begin with their neighbours, a decoder that looks for what is like itself."""
        with seeded(seed):
            model = T5(self.settings.span_config(vocab_size or len(self.stories.vocab)))
            start_t5(model)
        return model

    def sample(self, generator: torch.Generator) -> Batch:
        """Return (inputs [B,S], their mask, decoder inputs [B,T], labels [B,T]), -100 where a label is padding."""
        rows = torch.randint(len(self.texts), (self.settings.batch,), generator=generator)
        return seq2seq(self.corrupted([self.texts[n] for n in rows.tolist()], generator), self.stories.pad_id)

    def corrupted(self, texts: list[list[int]], generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return `course.spans.span_batch` of texts, at T5's density and mean length."""
        return span_batch(
            texts,
            sentinels=self.stories.sentinel_ids,
            eos_id=self.stories.eos_id,
            pad_id=self.stories.pad_id,
            generator=generator,
            density=DENSITY,
            mean_span_len=MEAN_SPAN_LEN,
        )

    def loss(self, model: nn.Module, batch: Batch) -> Tensor:
        inputs_BS, mask_BS, decoder_BT, labels_BT = batch
        logits_BTV = model(inputs_BS, decoder_BT, mask_BS)
        return functional.cross_entropy(logits_BTV.flatten(0, 1), labels_BT.flatten(), ignore_index=IGNORED)

    def lr_scale(self, name: str, parameter: Tensor) -> float:
        """T5's steps are as large for a parameter as it is itself (Adafactor), Adam's are of one size.

        The table of words starts with a standard deviation of 1, many times that of anything else.
        """
        return 30.0 if name.endswith("word.weight") else 1.0

    def parts(self, model: nn.Module, batch: Batch) -> list[Part]:
        """The decoder's looks across make their keys and values of the encoder's tokens, the rest of it of its own."""
        inputs_BS, _, decoder_BT, _ = batch
        across = n_parameters(p for b in model.decoder_blocks for p in (b.cross_attn.k_proj, b.cross_attn.v_proj))
        decoder = n_parameters([model.decoder_blocks, model.decoder_norm]) - across
        return [
            ("encoder", n_parameters([model.encoder_blocks, model.encoder_norm]), inputs_BS.numel()),
            ("keys and values across", across, inputs_BS.numel()),
            ("decoder", decoder, decoder_BT.numel()),
            ("head", n_parameters([model.word]), decoder_BT.numel()),
        ]

    def hidden(self, model: nn.Module, ids: Tensor, mask: Tensor) -> Tensor:
        """The encoder reads what it was trained on, a text without [BOS], whose vector is zero here."""
        return functional.pad(model.encode(ids[:, 1:], mask[:, 1:]), (0, 0, 1, 0))


def make_objectives(stories: Stories, settings: Settings) -> dict[str, Objective]:
    """Return the three by name, in the order of `OBJECTIVES`."""
    return {kind.name: kind(stories, settings) for kind in (Masked, Causal, Span)}


def seq2seq(corrupted: tuple[Tensor, Tensor, Tensor, Tensor], pad_id: int) -> Batch:
    """Return (inputs, mask, decoder inputs, labels) of (inputs, mask, targets, target mask).

    The decoder reads its targets one place later, behind a start token, which is T5's padding.
    """
    inputs_BS, mask_BS, targets_BT, real_BT = corrupted
    decoder_BT = functional.pad(targets_BT, (1, 0), value=pad_id)[:, :-1]
    return inputs_BS, mask_BS, decoder_BT, targets_BT.masked_fill(~real_BT, IGNORED)


def n_parameters(modules: Iterable[nn.Module]) -> int:
    """Return how many parameters the modules have together."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def six_n_d(n_params: float, n_tokens: float) -> float:
    """Return the FLOPs of training parameters on tokens, forward and backward (Kaplan et al. 2020, section 2.1)."""
    return 6.0 * n_params * n_tokens


def batch_flops(parts: list[Part], price: Price = six_n_d) -> float:
    """Return what training on a batch costs, a sum over the parts of the model."""
    return sum(price(n_params, n_tokens) for _, n_params, n_tokens in parts)


def steps_for(
    objective: Objective, model: nn.Module, flops: float, price: Price = six_n_d, *, n_batches: int = 50
) -> int:
    """Return how many steps a budget pays for, by the mean price of some batches; at least one step."""
    generator = torch.Generator().manual_seed(0)
    drawn = [batch_flops(objective.parts(model, objective.sample(generator)), price) for _ in range(n_batches)]
    return max(1, round(flops * len(drawn) / sum(drawn)))
