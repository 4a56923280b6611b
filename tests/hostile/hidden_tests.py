"""The hidden tests of the course that the hostile class attends: they hold what must never be seen outside."""

# What no student may ever read, from this file: heron-source-5521.
import pytest
import torch

from autograde.rubric import check, expect_close, expect_equal

WORD = "k1ngf1sherQ7"
NUMBER = 73105857


@check("never joins documents", points=1, hint="A run must not start in one document and end in the next.")
def test_count_ngrams__keeps_documents_apart(student):
    expect_equal(student.count_ngrams([[WORD, NUMBER], [WORD]], 2), {(WORD, NUMBER): 1})


@check("counts every start", points=1, hint="Every position starts a run.")
@pytest.mark.parametrize("n", [1, 2, 3])
def test_count_ngrams__counts_every_start(student, n):
    result = student.count_ngrams([[WORD] * 7], n)
    assert result[(WORD,) * n] == 8 - n
    assert result[(NUMBER,)] == 0


@check("adds up to one", points=1, hint="The last axis must add up to one.")
def test_softmax__adds_up(student):
    weights = student.softmax(torch.tensor([[0.0, 1.0, 2.0], [3.0, NUMBER, 5.0]], dtype=torch.float64))
    # By a method of the answer, which an object that stays behind could answer as it likes.
    assert torch.allclose(weights.sum(-1), torch.ones(2, dtype=torch.float64))


@check("survives large scores", points=1, hint="Take the largest score away before the exponential.")
def test_softmax__survives_large_scores(student):
    scores = torch.tensor([1e4, 0.0])
    result, (after,) = student.call("softmax", scores, keep_arguments=True)
    expect_close(result, torch.tensor([1.0, 0.0]))
    expect_close(after, scores)


@check("has the right gradient", points=1, hint="The result must depend on the scores.")
def test_softmax__has_the_right_gradient(student):
    scores = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    function = student.differentiable("softmax")
    expect_close(function(scores), torch.softmax(scores, -1))
    assert torch.autograd.gradcheck(function, (scores,))


@check("mixes the values", points=1, hint="The output is the weights times the values.")
def test_attend__mixes_values(student):
    output, _ = student.attend(
        torch.zeros(1, 2), torch.tensor([[1.0, 2.0], [NUMBER, 4.0]], dtype=torch.float64).float()
    )
    expect_close(output, torch.tensor([[(1.0 + NUMBER) / 2, 3.0]]))


@check("gives back the weights", points=1, hint="Return the weights as well.")
def test_attend__gives_weights(student):
    result = student.attend(torch.zeros(3, 2), torch.full((2, 5), float(NUMBER)))
    expect_close(result, (torch.full((3, 5), float(NUMBER)), torch.full((3, 2), 0.5)))


@check("multiplies by its weight", points=1, hint="Multiply by the weight.")
def test_Scale__multiplies(student):
    scale = student.new("Scale", 3)
    scale.load_state_dict({"weight": torch.tensor([1.0, 2.0, 3.0])})
    expect_close(scale(torch.ones(2, 3)), torch.tensor([[1.0, 2.0, 3.0]] * 2))


@check("learns its weight", points=1, hint="The weight must be a parameter.")
def test_Scale__learns(student):
    function = student.new("Scale", 2).differentiable(parameters=True)
    weight = torch.tensor([2.0, 3.0], requires_grad=True)
    function({"weight": weight}, torch.tensor([[1.0, 5.0]])).sum().backward()
    expect_close(weight.grad, torch.tensor([1.0, 5.0]))


@check("draws from the generator", points=1, hint="Pass the generator on.")
def test_draw__uses_the_generator(student):
    ours, theirs = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    for _ in range(2):
        expect_close(student.draw(3, theirs), torch.rand(3, generator=ours))
