"""Texts in, texts out: tokens, examples, batches and writing; the notebook's scores against the published libraries."""

from __future__ import annotations

import importlib.util
import math
import random
import re
import string
from collections import Counter

import pytest
import sacrebleu
import torch
import transformers
from rouge_score.rouge_scorer import RougeScorer
from torch import nn
from torch.nn import functional

from autograde.catalogue import read_catalogue, references
from autograde.layout import Layout
from course.blocks.t5 import T5
from course.checkpoint_build import stories_t5
from course.checkpoints import CHECKPOINTS
from course.configs import T5Config
from course.homonyms import exchange_sense, korean_senses, told_sense
from course.span_eval import compare_with_span_floor
from course.stories import Stories
from course.t5_attention import cross_attention, effect_of_hiding
from course.t5_checkpoints import load_t5
from course.text_to_text import (
    IGNORED,
    PREFIX_WORDS,
    TASKS,
    TextPairs,
    TextTokenizer,
    encode_pairs,
    mixed_batches,
    read_examples,
    resampled_interval,
    share_interval,
    text_loss,
    with_more_words,
    write_texts,
)
from course.training import seeded, train

LAYOUT = Layout.find()
LESSON = ("week5_span_corruption", "4_text_to_text")
WORDS = ["dog", "cat", "saw", "the", "ran", "old", "sat", "big", "near"]


@pytest.fixture(scope="module")
def stories():
    return Stories.load()


@pytest.fixture(scope="module")
def tokenizer(stories):
    return TextTokenizer(stories)


def run(sources):
    names = {"math": math, "re": re, "string": string, "Counter": Counter}
    for source in sources:
        exec(source, names)
    return names


@pytest.fixture(scope="module")
def lesson():
    """The notebook's own answers, by name."""
    return run(dict(references(LAYOUT, *LESSON)).values())


@pytest.fixture(scope="module")
def hidden():
    """The module of hidden tests, for the values that they expect."""
    spec = importlib.util.spec_from_file_location("hidden_text_to_text", LAYOUT.hidden_tests(*LESSON))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def texts(draw, n_texts, longest):
    return [" ".join(draw.choice(WORDS) for _ in range(draw.randint(1, longest))) for _ in range(n_texts)]


def noisy(draw, text):
    words = [word if draw.random() < 0.9 else draw.choice(WORDS) for word in text.split() if draw.random() < 0.95]
    return " ".join(words)


# ---- tokens


def test_story_ids_stay_and_new_words_follow(stories, tokenizer):
    V = len(stories.vocab)
    assert tokenizer.words[:V] == stories.vocab
    assert tuple(tokenizer.words[V : V + len(PREFIX_WORDS)]) == PREFIX_WORDS
    assert len(set(tokenizer.words)) == len(tokenizer)
    assert tokenizer.encode("The bank was cold.")[:-1] == stories.encode("The bank was cold.", special=False)
    assert tokenizer.encode("<extra_id_0>") == [stories.sentinel_ids[0], stories.eos_id]


@pytest.mark.parametrize("split", ["valid", "test"])
def test_every_text_of_every_task_comes_back_from_its_tokens(stories, tokenizer, lesson, split):
    for task in TASKS:
        for example in read_examples(stories, split, task):
            for text in lesson["as_text"](task, example):
                ids = tokenizer.encode(text)
                assert stories.unk_id not in ids
                assert ids[-1] == stories.eos_id
                again = tokenizer.decode(ids)
                assert again in (text, text[:1].upper() + text[1:])  # an answer such as "kitten" begins a sentence


def test_a_text_ends_at_its_first_end_token_and_unknown_words_are_marked(tokenizer):
    ids = [*tokenizer.encode("Ben met Nora."), *tokenizer.encode("Tom ran.")]
    assert tokenizer.decode(ids) == "Ben met Nora."
    assert tokenizer.decode([tokenizer.eos_id]) == ""
    assert tokenizer.words[tokenizer.encode("xylophone")[0]] == "[UNK]"


# ---- examples


def test_examples_hold_the_texts_of_their_task(stories):
    fields = {"translate": {"english", "korean"}, "summarize": {"story", "summary"}}
    fields["answer"] = {"story", "question", "answer"}
    for task in TASKS:
        examples = read_examples(stories, "valid", task, 20)
        assert {example["number"] for example in examples} == set(range(20))
        assert all(set(example) == fields[task] | {"number"} for example in examples)
    story = stories.decode(stories.valid[7])
    assert [e["english"] for e in read_examples(stories, "valid", "translate", 8)][7] == story
    assert [e["story"] for e in read_examples(stories, "valid", "summarize", 8)][7] == story


def test_an_unknown_task_is_refused(stories):
    with pytest.raises(ValueError, match="'sum'"):
        read_examples(stories, "valid", "sum")


# ---- batches, loss, writing


PAIRS = {
    "a": TextPairs([[5, 6, 2], [7, 2]], [[8, 2], [9, 9, 9, 2]]),
    "b": TextPairs([[10, 2]], [[11, 11, 2]]),
}


def test_a_batch_is_of_one_task_and_tasks_come_as_often_as_their_weights_say():
    sample, generator = mixed_batches(PAIRS, 6, {"a": 3, "b": 1}, 0), torch.Generator().manual_seed(1)
    n_batches, n_of_b = 1000, 0
    for _ in range(n_batches):
        source_ids, source_mask, labels = sample(generator)
        found = {tuple(row[mask].tolist()) for row, mask in zip(source_ids, source_mask, strict=True)}
        assert found <= {(5, 6, 2), (7, 2)} or found == {(10, 2)}
        assert torch.equal(source_ids == 0, ~source_mask)
        assert len(labels) == 6
        wanted = {(5, 6, 2): [8, 2], (7, 2): [9, 9, 9, 2], (10, 2): [11, 11, 2]}
        for row, mask, label in zip(source_ids, source_mask, labels, strict=True):
            assert label[label != IGNORED].tolist() == wanted[tuple(row[mask].tolist())]
        n_of_b += found == {(10, 2)}
    assert abs(n_of_b / n_batches - 0.25) < math.sqrt(math.log(2 / 1e-7) / (2 * n_batches))  # Hoeffding


def small_model(V=12):
    with seeded(3):
        return T5(T5Config(V, d_model=16, n_heads=2, d_head=8, n_layers=1, d_ff=32)).eval()


def test_the_loss_is_that_of_each_target_token_given_those_before_it():
    model, total, count = small_model(), 0.0, 0
    for source, target in zip(PAIRS["a"].sources, PAIRS["a"].targets, strict=True):
        for t, token in enumerate(target):
            logits = model(torch.tensor([source]), torch.tensor([[0, *target[:t]]]))[0, -1]
            total, count = total - logits.log_softmax(-1)[token].item(), count + 1
    source_ids, source_mask = torch.tensor([[5, 6, 2], [7, 2, 0]]), torch.tensor([[True] * 3, [True, True, False]])
    labels = torch.tensor([[8, 2, IGNORED, IGNORED], [9, 9, 9, 2]])
    assert text_loss(model, (source_ids, source_mask, labels)).item() == pytest.approx(total / count, rel=1e-5)


class Echo(nn.Module):
    """Writes the words of its source, one after the other, as a T5 would."""

    def encode(self, ids, mask):
        return functional.one_hot(ids, 20).float()

    def decode(self, decoder_ids, memory, memory_mask):
        return memory[:, : decoder_ids.shape[1]]


def test_texts_are_written_up_to_their_own_end_and_in_order(tokenizer):
    done = []
    sources = [[5, 6, 7, 2], [8, 2, 9, 9], [2, 9, 9, 9]]
    written = write_texts(Echo(), sources, tokenizer, batch=2, tick=done.append)
    assert written == [[5, 6, 7], [8], []]
    assert done == [2, 1]
    assert write_texts(Echo(), sources[:1], tokenizer, max_new_tokens=2) == [[5, 6]]


def test_greedy_writing_is_the_same_alone_and_beside_longer_texts(tokenizer):
    model, sources = small_model(), [[5, 6, 7, 8, 9, 2], [10, 2]]
    together = write_texts(model, sources, tokenizer, max_new_tokens=6)
    assert together == [write_texts(model, [source], tokenizer, max_new_tokens=6)[0] for source in sources]


def test_pairs_are_what_as_text_gives(stories, tokenizer, lesson):
    examples = read_examples(stories, "valid", "translate", 3)
    pairs = encode_pairs(examples, "translate", lesson["as_text"], tokenizer)
    assert len(pairs) == 3
    assert tokenizer.decode(pairs.targets[2]) == examples[2]["korean"]
    assert tokenizer.decode(pairs.sources[2]) == "translate English to Korean: " + examples[2]["english"]


# ---- homonyms


def test_the_sense_that_each_translation_tells_is_the_label_and_can_be_exchanged(stories, tokenizer):
    senses, words = {row["story"]: row for row in stories.labels("sense", "test")}, korean_senses()
    for example in read_examples(stories, "test", "translate"):
        if label := senses.get(example["number"]):
            pair = words[label["word"]]
            other = exchange_sense(example["korean"], pair)
            assert told_sense(example["korean"], pair) == label["sense"]
            assert told_sense(other, pair) not in (None, label["sense"])
            assert exchange_sense(other, pair) == example["korean"]
            assert len(other.split()) == len(example["korean"].split())
            assert tokenizer.unk_id not in tokenizer.encode(other)


def test_a_text_that_tells_both_senses_or_none_tells_nothing():
    words = {"river": "둑", "money": "은행"}
    assert told_sense("은행에서 둑을 보았어요.", words) is None
    assert told_sense("은행나무를 보았어요.", words) is None
    assert told_sense("둑은 추웠어요.", words) == "river"


def test_particles_fit_the_word_that_comes_in():
    assert (
        exchange_sense("박쥐를 보았어요. 박쥐가 왔어요.", {"a": "박쥐", "b": "도장"})
        == "도장을 보았어요. 도장이 왔어요."
    )
    assert exchange_sense("둑에서 만났어요.", {"a": "둑", "b": "은행"}) == "은행에서 만났어요."


# ---- the notebook's scores


@pytest.mark.parametrize("seed", range(5))
def test_the_notebooks_bleu_and_the_hidden_tests_own_agree_with_sacrebleu(lesson, hidden, seed):
    draw = random.Random(seed)
    wanted = texts(draw, 12, 15)
    predictions = [noisy(draw, text) for text in wanted]
    library = sacrebleu.BLEU(tokenize="none", smooth_method="none", force=True)
    expected = library.corpus_score(predictions, [wanted]).score
    assert expected > 10
    assert lesson["bleu"](predictions, wanted) == pytest.approx(expected, rel=1e-9)
    assert hidden.expected_bleu(predictions, wanted) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("predictions", "wanted"),
    [
        ([""], [""]),
        (["a b c"], ["a b c"]),
        (["a b c d"], ["a b x c d"]),
        ([""], ["a b c d e"]),
        (["a b c d e", ""], ["a b c d e", "f"]),
        (["  a b\tc d e "], ["a b c d e"]),
        (["a b c d e f g h"], ["a b c d"]),
        (["a b c d"], ["a b c d e f g h"]),
    ],
)
def test_bleu_agrees_with_sacrebleu_at_the_edges(lesson, predictions, wanted):
    library = sacrebleu.BLEU(tokenize="none", smooth_method="none", force=True)
    expected = library.corpus_score([" ".join(text.split()) for text in predictions], [wanted]).score
    assert lesson["bleu"](predictions, wanted) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_notebooks_rouge_and_the_hidden_tests_own_agree_with_the_library(lesson, hidden, seed):
    draw, library = random.Random(seed), RougeScorer(["rougeL"], use_stemmer=False)
    for wanted in texts(draw, 10, 11):
        prediction = noisy(draw, wanted)
        expected = library.score(wanted, prediction)["rougeL"].fmeasure
        assert lesson["rouge_l"](prediction, wanted) == pytest.approx(expected, rel=1e-9)
        assert hidden.expected_rouge(prediction, wanted) == pytest.approx(expected, rel=1e-9)


def test_rouge_of_nothing_is_zero_as_in_the_library(lesson):
    library = RougeScorer(["rougeL"], use_stemmer=False)
    for pair in (("", ""), ("a", ""), ("", "a")):
        assert lesson["rouge_l"](*pair) == library.score(*pair)["rougeL"].fmeasure == 0.0


def squad(text):
    """The normalisation as SQuAD's paper describes it, by regular expressions, one step after the other."""
    text = "".join(character for character in text.lower() if character not in set(string.punctuation))
    return re.sub(r"\s+", " ", re.sub(r"\b(a|an|the)\b", " ", text)).strip()


def test_exact_match_agrees_with_squads_normalisation(lesson):
    draw, pieces = random.Random(0), ["the", "The", "a", "an", "cat", "Cat", "cat.", "U.S.", "us", "-", " ", "\t", "!"]
    answers = {True: 0, False: 0}
    for _ in range(3000):
        first, second = (" ".join(draw.choice(pieces) for _ in range(draw.randint(0, 4))) for _ in range(2))
        expected = squad(first) == squad(second)
        answers[expected] += 1
        assert lesson["exact_match"](first, second) is expected
    assert min(answers.values()) > 100


def test_wrong_answers_to_bleu_differ_from_sacrebleu_somewhere():
    draw = random.Random(7)
    library = sacrebleu.BLEU(tokenize="none", smooth_method="none", force=True)
    cases = [(["the the the cat sat on it"], ["the cat sat on it now so"]), (["a b"], ["a b"])]
    cases += [(["The cat sat on it now"], ["the cat sat on it now"]), (["a cat , sat on it"], ["a cat sat on it"])]
    cases += [(["a b c d e", ""], ["a b c d e", "f g"])]
    for n_texts, longest in ((1, 20), (4, 12), (9, 15)):
        wanted = texts(draw, n_texts, longest)
        cases += [([noisy(draw, text) for text in wanted], wanted), (wanted, [noisy(draw, text) for text in wanted])]
    expected = [library.corpus_score(ours, [theirs]).score for ours, theirs in cases]
    wrong = [answer for answer in read_catalogue(LAYOUT, *LESSON) if answer.exercise == "bleu" and not answer.right]
    assert len(wrong) >= 8
    for answer in wrong:
        bleu, found = run([answer.source])["bleu"], []
        for ours, theirs in cases:
            try:
                found.append(bleu(predictions=ours, references=theirs))
            except (TypeError, ValueError, ZeroDivisionError):
                found.append(math.nan)
        assert found != pytest.approx(expected, rel=1e-6), answer.title


# ---- training and looking inside


def test_training_learns_a_few_pairs_by_heart(tokenizer):
    model, sample = small_model(), mixed_batches(PAIRS, 4, {"a": 1, "b": 1}, 0)
    losses = train(model, text_loss, sample, n_steps=150, device=torch.device("cpu")).losses
    assert losses[-1] < 0.05 * losses[0]
    assert write_texts(model, PAIRS["a"].sources, tokenizer, max_new_tokens=5) == [[8], [9, 9, 9]]


def test_the_recorded_weights_are_those_that_the_decoder_uses():
    model, source_ids, decoder_ids = small_model(), torch.tensor([[5, 6, 7, 2]]), torch.tensor([[0, 8, 9]])
    weights_LHTS = cross_attention(model, source_ids, decoder_ids)
    assert weights_LHTS.shape == (1, 2, 3, 4)
    torch.testing.assert_close(weights_LHTS.sum(-1), torch.ones(1, 2, 3))
    block, seen = model.decoder_blocks[0], {}
    block.cross_attn.register_forward_hook(lambda _, args, out: seen.update(memory=args[1], out=out))
    model(source_ids, decoder_ids)
    value_HSK = block.cross_attn.v_proj(seen["memory"])[0].unflatten(1, (2, -1)).transpose(0, 1)
    mixed_TD = (weights_LHTS[0] @ value_HSK).transpose(0, 1).flatten(1)
    torch.testing.assert_close(block.cross_attn.out_proj(mixed_TD), seen["out"][0])


def test_hiding_a_word_has_the_effect_that_leaving_it_unseen_has():
    model, source_ids, decoder_ids = small_model(), torch.tensor([[5, 6, 7, 2]]), torch.tensor([[0, 8]])
    effect_S = effect_of_hiding(model, source_ids, decoder_ids, 9, 10)
    assert effect_S.shape == (4,)
    seen = torch.tensor([[True, False, True, True]])
    with torch.no_grad():
        whole, less = (model(source_ids, decoder_ids, mask)[0, -1].log_softmax(-1) for mask in (None, seen))
    expected = (whole[9] - whole[10]) - (less[9] - less[10])
    assert effect_S[1].item() == pytest.approx(expected.item(), abs=1e-5)


# ---- intervals


def test_resampling_holds_the_score_and_narrows_with_more_texts():
    draw = random.Random(3)

    def share(predictions, references):
        return sum(ours == theirs for ours, theirs in zip(predictions, references, strict=True)) / len(predictions)

    widths = []
    for n_texts in (40, 1000):
        predictions = ["a" if draw.random() < 0.7 else "b" for _ in range(n_texts)]
        value, low, high = resampled_interval(share, predictions, ["a"] * n_texts)
        assert value == predictions.count("a") / n_texts
        assert low <= value <= high
        error = math.sqrt(value * (1 - value) / n_texts)
        assert high - low == pytest.approx(2 * 1.96 * error, rel=0.25)
        widths.append(high - low)
    assert widths[0] > 3 * widths[1]
    assert resampled_interval(share, ["a"] * 5, ["a"] * 5) == (1.0, 1.0, 1.0)


def test_the_interval_of_a_share_solves_wilsons_equation():
    for n_right, n_all in ((0, 20), (13, 20), (50, 50), (300, 657)):
        share, low, high = share_interval(n_right, n_all)
        assert share == n_right / n_all
        for end in (low, high):
            if 0 < end < 1:
                assert (share - end) ** 2 == pytest.approx(1.96**2 * end * (1 - end) / n_all, rel=1e-6)
        assert 0 <= low <= share <= high <= 1
    with pytest.raises(ValueError, match="n_all"):
        share_interval(0, 0)


# ---- the pretrained T5


@pytest.fixture(scope="module")
def pretrained():
    return load_t5("stories_t5")


def test_the_pretrained_t5_is_small_and_has_a_row_for_every_word_of_the_stories(pretrained, stories):
    assert sum(path.stat().st_size for path in (CHECKPOINTS / "stories_t5").iterdir()) < 1_500_000
    assert pretrained.config == T5Config(len(stories.vocab), **stories_t5.WIDTHS)


def test_the_pretrained_t5_restores_spans_nearly_as_well_as_the_ideal_reader(pretrained, stories):
    found = compare_with_span_floor(pretrained, stories, n_stories=60).every
    assert 1 < found.ratio < 1.15  # words by their frequencies alone: 14 times the floor


def test_the_library_reads_the_pretrained_t5_and_computes_the_same(pretrained, stories, tokenizer):
    library = transformers.T5ForConditionalGeneration.from_pretrained(CHECKPOINTS / "stories_t5", dtype=torch.float32)
    source_ids = torch.tensor([tokenizer.encode("Lily took the big <extra_id_0> of her father.")])
    decoder_ids = torch.tensor([[stories.pad_id, stories.sentinel_ids[0], 40, 41]])
    with torch.no_grad():
        theirs = library.eval()(input_ids=source_ids, decoder_input_ids=decoder_ids).logits
        torch.testing.assert_close(pretrained(source_ids, decoder_ids), theirs, rtol=1e-5, atol=1e-4)
    assert library.config.decoder_start_token_id == stories.pad_id
    assert library.config.eos_token_id == stories.eos_id


def test_pretraining_goes_the_way_that_the_checkpoint_went_and_writes_what_is_read(stories, tmp_path):
    model = stories_t5.pretrain(stories, n_steps=2)
    stories_t5.write_checkpoint(model, tmp_path / "again")
    again = load_t5(tmp_path / "again")
    for name, value in model.state_dict().items():
        assert torch.equal(again.state_dict()[name], value.half().float()), name


def test_more_words_leave_the_old_ones_as_they_are_and_draw_the_new_as_first_weights(stories):
    old = small_model(V=30)
    larger = with_more_words(old, 4030, seed=1)
    assert torch.equal(larger.word.weight[:30], old.word.weight)
    new = larger.word.weight[30:]
    assert new.std().item() == pytest.approx(1, abs=0.02)
    assert new.mean().item() == pytest.approx(0, abs=0.02)
    source_ids, decoder_ids = torch.tensor([[5, 6, 2]]), torch.tensor([[0, 7]])
    torch.testing.assert_close(larger(source_ids, decoder_ids)[..., :30], old(source_ids, decoder_ids))
    with pytest.raises(ValueError, match="30 rows"):
        with_more_words(old, 20)
