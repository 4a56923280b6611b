"""The tests of the hidden tests: through the real grader, every kind of answer gets what it deserves."""

from __future__ import annotations

import os

import pytest

from autograde.builder.expand import to_bytes
from autograde.builder.lesson import read_lesson
from autograde.catalogue import fill_in, read_catalogue, references
from autograde.grading.pool import JudgePool
from autograde.layout import Layout

LAYOUT = Layout.find()
LESSONS = [lesson for lesson in LAYOUT.lessons() if LAYOUT.hidden_tests(*lesson).is_file()]
ANSWERS = [(lesson, answer) for lesson in LESSONS for answer in read_catalogue(LAYOUT, *lesson)]
POINTS = {
    (lesson, cell.name): cell.points
    for lesson in LESSONS
    for cell in read_lesson(LAYOUT.lesson_source(*lesson)).exercises()
}
# What `course` gives to later notebooks is an answer to an earlier one: it must not be there when that one is graded.
BORROWED = [
    (
        ("week2_self_attention", "1_attention"),
        "attend",
        "from course.blocks.dot_product import scaled_dot_product as attend",
    ),
    (
        ("week2_self_attention", "2_heads_and_positions"),
        "MultiHeadAttention",
        "from course.blocks.attention import MultiHeadAttention",
    ),
    (
        ("week2_self_attention", "2_heads_and_positions"),
        "sinusoidal_positions",
        "from course.blocks.positions import sinusoids as sinusoidal_positions",
    ),
    (("week2_self_attention", "3_transformer"), "FeedForward", "from course.blocks.feed_forward import FeedForward"),
    (("week2_self_attention", "3_transformer"), "EncoderBlock", "from course.blocks.encoder import EncoderBlock"),
    (("week2_self_attention", "3_transformer"), "DecoderBlock", "from course.blocks.decoder import DecoderBlock"),
    (
        ("week2_self_attention", "3_transformer"),
        "Transformer",
        "from course.blocks.encoder_decoder import EncoderDecoder as Transformer",
    ),
    (("week3_masked_lm", "1_tokens"), "train_bpe", "from course.bpe import train_bpe"),
    (("week3_masked_lm", "1_tokens"), "bpe_encode", "from course.bpe import encode_word as bpe_encode"),
    *(
        (("week3_masked_lm", "2_masking"), name, f"from course.masking import {name}")
        for name in ("choose_positions", "mask_tokens", "mlm_loss", "masks_for_epochs")
    ),
    *(
        (("week3_masked_lm", "3_bert"), name, f"from course.blocks.masked_lm import {name}")
        for name in ("BertEmbeddings", "MaskedLM")
    ),
    (("week4_causal_lm", "1_next_token"), "CausalLM", "from course.blocks.causal_lm import CausalLM"),
    *(
        (("week4_causal_lm", "2_generation"), name, f"from course.generation import {name}")
        for name in ("top_k_filter", "top_p_filter", "penalise_repetition", "generate", "beam_search")
    ),
    *(
        (("week4_causal_lm", "3_gpt_and_bloom"), name, f"from course.blocks.alibi import {name}")
        for name in ("alibi_slopes", "alibi_bias")
    ),
    (
        ("week4_causal_lm", "3_gpt_and_bloom"),
        "load_gpt2",
        "from course.gpt_checkpoints import load_causal_lm as load_gpt2",
    ),
    *(
        (("week5_span_corruption", "1_spans"), name, f"from course.spans import {name}")
        for name in ("random_spans", "sentinel_ids", "corrupt", "reconstruct", "lengths_after_corruption")
    ),
    (
        ("week5_span_corruption", "2_t5"),
        "relative_position_bucket",
        "from course.blocks.relative_positions import relative_position_bucket",
    ),
    *(
        (("week5_span_corruption", "3_bart"), name, f"from course.infilling import {name}")
        for name in ("infill", "permute_sentences")
    ),
    (
        ("week6_three_objectives", "1_three_objectives"),
        "training_flops",
        "from course.three_objectives.objectives import six_n_d as training_flops",
    ),
]

# A class that others are built from, left unanswered: the others are judged with ours in its place.
CARRIED = (
    ("week2_self_attention", "3_transformer"),
    "FeedForward",
    ("EncoderBlock", "DecoderBlock", "Transformer"),
)


def submissions():
    """Yield ((lesson, what), submission, exercises to judge): all references, all stubs, and each catalogued answer.

    An answer stands among references, which get their full marks anyway: of these only itself is judged.
    """
    for lesson in LESSONS:
        ours = dict(references(LAYOUT, *lesson))
        yield (lesson, "references"), fill_in(LAYOUT, *lesson, ours), None
        yield (lesson, "stubs"), fill_in(LAYOUT, *lesson, {}), None
        for answer in read_catalogue(LAYOUT, *lesson):
            answers = ours | {answer.exercise: answer.source}
            yield (lesson, answer), fill_in(LAYOUT, *lesson, answers), [answer.exercise]
    lesson, block, _ = CARRIED
    others = {name: source for name, source in references(LAYOUT, *lesson) if name != block}
    yield (lesson, "without " + block), fill_in(LAYOUT, *lesson, others), None
    for lesson, exercise, source in BORROWED:
        ours = dict(references(LAYOUT, *lesson))
        yield (lesson, source), fill_in(LAYOUT, *lesson, ours | {exercise: source}), [exercise]


@pytest.fixture(scope="module")
def reports():
    """Every report, by lesson and by what was handed in: {exercise: its report}."""
    handed_in = list(submissions())
    jobs = [(number, *key[0], to_bytes(notebook), only) for number, (key, notebook, only) in enumerate(handed_in)]
    with JudgePool(LAYOUT.root, LESSONS) as pool:
        graded = dict(pool.grade(jobs, os.cpu_count() or 1))
    return {
        key: {exercise["id"]: exercise for exercise in graded[number]["exercises"]}
        for number, (key, _, _) in enumerate(handed_in)
    }


def told(report):
    """What the student reads about an exercise, for the message of a failing test."""
    return [(check["name"], check["hint"]) for check in report["checks"] if not check["passed"]] + [report["note"]]


@pytest.mark.parametrize(("lesson", "exercise"), POINTS, ids=[f"{exercise}" for _, exercise in POINTS])
def test_the_reference_gets_full_marks_and_the_stub_none(reports, lesson, exercise):
    reference, stub = reports[lesson, "references"][exercise], reports[lesson, "stubs"][exercise]
    assert (reference["score"], reference["max"]) == (POINTS[lesson, exercise],) * 2, told(reference)
    assert (stub["score"], stub["max"]) == (0, POINTS[lesson, exercise])


@pytest.mark.parametrize(
    ("lesson", "answer"), ANSWERS, ids=[f"{answer.exercise}: {answer.title}" for _, answer in ANSWERS]
)
def test_a_catalogued_answer_gets_what_it_deserves(reports, lesson, answer):
    report = reports[lesson, answer][answer.exercise]
    if answer.right:
        assert report["score"] == report["max"], told(report)
    else:
        assert report["score"] < report["max"], "this wrong answer got full marks"
        hints = [check["hint"] for check in report["checks"] if not check["passed"]]
        assert any(answer.hint in hint for hint in hints), told(report)


@pytest.mark.parametrize(("lesson", "exercise", "source"), BORROWED, ids=[exercise for _, exercise, _ in BORROWED])
def test_an_answer_cannot_be_borrowed_from_the_course_package(reports, lesson, exercise, source):
    assert reports[lesson, source][exercise]["score"] == 0


def test_a_missing_building_block_costs_its_own_marks_and_no_others(reports):
    lesson, block, others = CARRIED
    report = reports[lesson, "without " + block]
    assert report[block]["score"] == 0
    for other in others:
        assert report[other]["score"] == report[other]["max"], told(report[other])
        assert f"our {block}" in report[other]["note"]
