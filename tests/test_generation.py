"""`course.generation` against the library `transformers`, and against searching through everything."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable

import pytest
import torch
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.generation import RepetitionPenaltyLogitsProcessor, TopKLogitsWarper, TopPLogitsWarper

from autograde.catalogue import references
from autograde.layout import Layout
from course.blocks.causal_lm import CausalLM
from course.configs import DecoderConfig, GenerationConfig
from course.generation import (
    adjust_logits,
    beam_search,
    generate,
    pad_left,
    penalise_repetition,
    top_k_filter,
    top_p_filter,
)
from course.training import seeded

V, EOS, PAD = 13, 7, 0


def numbers(seed, *shape):
    return 2 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.fixture(scope="module")
def library():
    """A small GPT-2 of the library whose tokens are far from equally probable."""
    with seeded(3):
        model = GPT2LMHeadModel(GPT2Config(vocab_size=V, n_positions=32, n_embd=16, n_layer=2, n_head=2)).eval()
        for parameter in model.parameters():
            parameter.data.add_(0.4 * torch.randn_like(parameter))
    return model


def as_ours(library):
    """The library's model as our functions call it; positions count real tokens."""

    @torch.no_grad()
    def model(ids, mask=None):
        mask = torch.ones_like(ids) if mask is None else mask.long()
        positions = (mask.cumsum(1) - 1).clamp(min=0)
        return library(ids, attention_mask=mask, position_ids=positions).logits

    return model


def theirs(library, ids, mask=None, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library warns of defaults that it overrides itself
        return library.generate(
            ids,
            attention_mask=torch.ones_like(ids) if mask is None else mask.long(),
            pad_token_id=PAD,
            **{"do_sample": False, "eos_token_id": EOS, "bos_token_id": None, **options},
        )


# ---- the filters


@pytest.mark.parametrize("k", [1, 3, 8, 9, 20])
def test_top_k_keeps_what_the_library_keeps(k):
    logits = numbers(k, 5, 9)
    assert torch.equal(top_k_filter(logits, k), TopKLogitsWarper(k)(None, logits))


@pytest.mark.parametrize("p", [0.01, 0.3, 0.75, 0.9, 0.999])
def test_top_p_keeps_what_the_library_keeps(p):
    logits = numbers(11, 6, 9)
    assert torch.equal(top_p_filter(logits, p), TopPLogitsWarper(p)(None, logits))


def test_top_p_keeps_everything_at_1_even_where_a_sum_in_floats_is_1_before_the_end():
    logits = torch.tensor([[40.0, 0.0, -40.0]])
    assert torch.equal(top_p_filter(logits, 1.0), logits)
    assert top_p_filter(logits, 1e-9).isfinite().sum() == 1


def test_top_p_after_top_k_looks_at_what_is_left():
    logits = torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log()
    kept = top_p_filter(top_k_filter(logits, 2), 0.5).isfinite()  # 4/7 and 3/7 are left
    assert kept.tolist() == [[True, False, False, False]]


@pytest.mark.parametrize("penalty", [0.7, 1.0, 1.3, 5.0])
def test_the_penalty_is_the_librarys(penalty):
    logits = numbers(12, 4, 9)
    ids = torch.randint(9, (4, 12), generator=torch.Generator().manual_seed(0))
    expected = RepetitionPenaltyLogitsProcessor(penalty)(ids, logits.clone())
    assert torch.equal(penalise_repetition(logits, ids, penalty), expected)


@pytest.mark.parametrize(
    ("call", "says"), [(lambda z: top_k_filter(z, 0), "k is 0"), (lambda z: top_p_filter(z, 1.5), "p is 1.5")]
)
def test_a_filter_refuses_what_keeps_nothing(call, says):
    with pytest.raises(ValueError, match=says):
        call(torch.zeros(1, 3))


def test_penalty_comes_first_then_temperature_then_the_filters():
    logits, ids = torch.tensor([[2.0, 1.5, 1.0, -1.0]]), torch.tensor([[0]])
    config = GenerationConfig(1, temperature=0.5, top_k=3, top_p=0.6, repetition_penalty=4.0)
    # Penalised 0.5, 1.5, 1, -1; halved temperature 1, 3, 2, -2; three left: 0.09, 0.67, 0.24.
    assert adjust_logits(logits, ids, config).tolist() == [[-math.inf, 3.0, -math.inf, -math.inf]]


# ---- generate


@pytest.mark.parametrize("penalty", [1.0, 1.8])
def test_greedy_texts_are_the_librarys(library, penalty):
    ids, mask = pad_left([[1, 2, 3, 4], [5], [6, 8]], PAD)
    config = GenerationConfig(12, repetition_penalty=penalty, eos_id=EOS, pad_id=PAD)
    expected = theirs(library, ids, mask, max_new_tokens=12, repetition_penalty=penalty)
    assert torch.equal(generate(as_ours(library), ids, config, prompt_mask=mask), expected)


def test_samples_are_the_librarys_when_drawn_from_the_same_random_numbers(library):
    ids = torch.tensor([[1, 2, 3], [4, 5, 6]]).repeat(8, 1)
    options = {"temperature": 1.4, "top_k": 9, "top_p": 0.95, "repetition_penalty": 1.2}
    with seeded(5):
        expected = theirs(library, ids, max_new_tokens=10, do_sample=True, **options)
    with seeded(5):
        ours = generate(as_ours(library), ids, GenerationConfig(10, do_sample=True, eos_id=EOS, pad_id=PAD, **options))
    assert torch.equal(ours, expected)
    assert len(set(map(tuple, ours.tolist()))) > 8


def test_a_row_of_a_padded_batch_reads_as_it_would_alone():
    with seeded(1):
        model = CausalLM(DecoderConfig(V, d_model=16, n_heads=2, n_layers=2, d_ff=24, max_len=20)).double()
    prompts = [[3, 1, 4, 1, 5], [9], [2, 6]]
    config = GenerationConfig(9, repetition_penalty=3.0, eos_id=None)
    ids, mask = pad_left(prompts, 11)
    together = generate(model, ids, config, prompt_mask=mask)
    for prompt, row in zip(prompts, together, strict=True):
        assert row[-9:].tolist() == generate(model, torch.tensor([prompt]), config)[0, -9:].tolist()


def test_rows_end_at_their_own_eos_and_writing_ends_with_the_last_of_them():
    def counts_up(ids, mask=None):
        return torch.nn.functional.one_hot((ids + 1) % V, V).float()

    out = generate(counts_up, torch.tensor([[7, 5], [7, 3]]), GenerationConfig(9, eos_id=EOS, pad_id=12))
    assert out.tolist() == [[7, 5, 6, 7, 12, 12], [7, 3, 4, 5, 6, 7]]
    out = generate(counts_up, torch.tensor([[5], [3]]), GenerationConfig(3, eos_id=EOS, pad_id=EOS))
    assert out.tolist() == [[5, 6, 7, 7], [3, 4, 5, 6]]


def test_draws_come_from_the_generator_and_follow_the_distribution():
    shares = torch.tensor([0.5, 0.3, 0.2])
    config = GenerationConfig(1, do_sample=True, temperature=0.5)
    prompt, state = torch.zeros(20_000, 1, dtype=torch.long), torch.get_rng_state()

    def draw(seed):
        generator = torch.Generator().manual_seed(seed)
        return generate(lambda ids, mask: shares.log().expand(*ids.shape, 3), prompt, config, generator)[:, 1]

    found = torch.bincount(draw(0), minlength=3) / 20_000
    # Hoeffding: beyond 0.02 with probability below 2 exp(-2 * 20000 * 0.0004), about 2e-7, a token.
    assert (found - shares**2 / (shares**2).sum()).abs().max() < 0.02
    assert torch.equal(draw(0), draw(0))
    assert not torch.equal(draw(0), draw(1))
    assert torch.equal(state, torch.get_rng_state())


# ---- beam search


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("n_beams", [2, 3, 5])
def test_beam_search_finds_what_the_library_finds(library, n_beams, length_penalty):
    for prompt in ([1], [2, 5], [3, 3, 8], [11, 4], [6, 12]):
        ids = torch.tensor([prompt])
        options = {"num_beams": n_beams, "length_penalty": length_penalty, "early_stopping": "never"}
        expected = theirs(library, ids, max_new_tokens=8, **options)[0]
        ours = beam_search(as_ours(library), ids[0], n_beams, 8, length_penalty, EOS)
        assert ours.tolist() == expected[: len(ours)].tolist()


def test_one_beam_is_greedy_while_nothing_ends(library):
    ids = torch.tensor([[4, 2, 9]])
    expected = generate(as_ours(library), ids, GenerationConfig(10))[0]
    assert beam_search(as_ours(library), ids[0], 1, 10).tolist() == expected.tolist()


@pytest.mark.parametrize("eos_id", [None, 2])
@pytest.mark.parametrize("length_penalty", [0.0, 1.0, 1.5])
def test_a_beam_wide_enough_finds_the_best_of_all(eos_id, length_penalty):
    V, steps = 4, 3
    table = numbers(20, V, V)

    def model(ids, mask=None):
        return table[ids]

    def score(row):
        rows = torch.tensor([1, *row])
        steps_log_probs = table[rows[:-1]].log_softmax(-1).gather(1, rows[1:, None])
        return steps_log_probs.sum().item() / len(row) ** length_penalty

    whole = {
        row[: row.index(eos_id) + 1] if eos_id in row else row for row in itertools.product(range(V), repeat=steps)
    }
    best = max(whole, key=score)
    found = beam_search(model, torch.tensor([1]), V**steps, steps, length_penalty, eos_id)
    assert found.tolist() == [1, *best]


def test_padding_on_the_left_lines_the_ends_up():
    ids, mask = pad_left([[7, 8, 9], [], [4]], 5)
    assert ids.tolist() == [[7, 8, 9], [5, 5, 5], [5, 5, 4]]
    assert mask.tolist() == [[True] * 3, [False] * 3, [False, False, True]]
    assert pad_left([], 0)[0].shape == (0, 0)


# ---- the notebook's own answers: what is shown above of these functions holds for them too


@pytest.fixture(scope="module")
def notebook():
    """The names that the reference answers of the notebook define."""
    names = {"torch": torch, "nn": torch.nn, "math": math, "Callable": Callable, "GenerationConfig": GenerationConfig}
    for exercise, source in references(Layout.find(), "week4_causal_lm", "2_generation"):
        if exercise != "CachedAttention":
            exec(source, names)
    return names


@pytest.mark.parametrize("seed", range(4))
def test_the_notebooks_filters_are_these(notebook, seed):
    logits = numbers(seed, 3, 9)
    ids = torch.randint(9, (3, 5), generator=torch.Generator().manual_seed(seed))
    for ours, theirs, value in [
        (top_k_filter, "top_k_filter", 2 + seed),
        (top_p_filter, "top_p_filter", 0.2 + seed / 5),
    ]:
        assert torch.equal(ours(logits, value), notebook[theirs](logits, value))
    assert torch.equal(penalise_repetition(logits, ids, 1.7), notebook["penalise_repetition"](logits, ids, 1.7))


@pytest.mark.parametrize("do_sample", [False, True])
def test_the_notebooks_generate_writes_the_same_texts(notebook, library, do_sample):
    ids, mask = pad_left([[1, 2, 3, 4], [5], [6, 8]], PAD)
    config = GenerationConfig(12, do_sample, 0.8, 9, 0.9, 1.4, EOS, PAD)
    texts = [write(as_ours(library), ids, config, seeded_draws(), mask) for write in (generate, notebook["generate"])]
    assert torch.equal(*texts)


def seeded_draws():
    return torch.Generator().manual_seed(5)


@pytest.mark.parametrize(("n_beams", "length_penalty"), [(1, 1.0), (3, 0.0), (4, 2.0)])
def test_the_notebooks_beam_search_finds_the_same_texts(notebook, library, n_beams, length_penalty):
    for prompt in ([1, 2, 3], [9]):
        asked = (as_ours(library), torch.tensor(prompt), n_beams, 7, length_penalty, EOS)
        assert torch.equal(beam_search(*asked), notebook["beam_search"](*asked))
