"""Muon against a singular value decomposition, and inside the training loop."""

import pytest
import torch
from torch import nn

from course.muon import Muon, orthogonalised
from course.training import linear_maps, make_optimiser, seeded, train


def gradients(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(3, 6, 6), (2, 4, 9), (2, 9, 4), (1, 1, 5)])
def test_all_singular_values_come_near_1_and_the_singular_vectors_stay(shape):
    matrices = gradients(0, *shape)
    left, sizes, right = torch.linalg.svd(matrices, full_matrices=False)
    inside = left.mT @ orthogonalised(matrices) @ right.mT  # diagonal where the singular vectors are the same
    diagonal = inside.diagonal(dim1=1, dim2=2)
    torch.testing.assert_close(inside, torch.diag_embed(diagonal), rtol=0, atol=1e-9)
    relative = sizes / sizes.norm(dim=1, keepdim=True)
    assert ((diagonal > 0.6) & (diagonal < 1.25))[relative > 0.03].all()


def test_the_length_of_the_gradient_does_not_matter_and_zero_stays_zero():
    matrices = gradients(1, 2, 5, 3)
    torch.testing.assert_close(orthogonalised(1e3 * matrices), orthogonalised(matrices))
    assert not orthogonalised(torch.zeros(1, 3, 3)).any()


def test_a_first_step_goes_against_the_gradient_by_the_rate():
    weights = [nn.Parameter(torch.zeros(4, 4)), nn.Parameter(torch.zeros(4, 4)), nn.Parameter(torch.zeros(8, 2))]
    for number, weight in enumerate(weights):
        weight.grad = gradients(number, *weight.shape).float()
    Muon(weights, lr=0.1).step()
    for weight, longer in zip(weights, (1, 1, 2), strict=True):  # a tall matrix: the root of 8 / 2
        expected = -0.1 * longer * orthogonalised(weight.grad[None])[0]
        torch.testing.assert_close(weight.detach(), expected)


def test_the_average_remembers_earlier_gradients():
    weight = nn.Parameter(torch.zeros(3, 3))
    optimiser = Muon([weight], lr=1.0, momentum=0.9)
    first, second = gradients(5, 3, 3).float(), gradients(6, 3, 3).float()
    weight.grad = first
    optimiser.step()
    before, weight.grad = weight.detach().clone(), second
    optimiser.step()
    mean = 0.9 * (0.1 * first) + 0.1 * second
    mixed = 0.1 * second + 0.9 * mean
    torch.testing.assert_close(weight.detach(), before - orthogonalised(mixed[None])[0])


def test_what_has_no_gradient_stays_and_what_is_no_matrix_is_refused():
    weight = nn.Parameter(torch.ones(2, 2))
    Muon([weight], lr=1.0).step()
    assert (weight == 1).all()
    with pytest.raises(ValueError, match=r"one parameter has the shape \(3,\)"):
        Muon([nn.Parameter(torch.ones(3))], lr=1.0)


class Words(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.map, self.frozen = nn.Embedding(7, 4), nn.Linear(4, 4), nn.Linear(4, 4)
        self.frozen.requires_grad_(False)

    def forward(self, ids):
        return self.frozen(self.map(self.table(ids))) @ self.table.weight.T


def test_each_parameter_is_trained_by_one_of_the_two():
    model = Words()
    assert [id(p) for p in linear_maps(model)] == [id(model.map.weight)]
    adamw = make_optimiser(model, peak_lr=1e-3, weight_decay=0.1, without=linear_maps(model))
    taken = {id(p) for group in adamw.param_groups for p in group["params"]}
    assert taken == {id(model.table.weight), id(model.map.bias)}


def test_training_with_muon_learns_and_moves_linear_maps_in_its_own_way():
    def loss(model, batch):
        return nn.functional.cross_entropy(model(batch[0]), (batch[0] + 1) % 7)

    def batch(generator):
        return (torch.randint(7, (32,), generator=generator),)

    found = {}
    for muon_lr in (None, 0.02):
        with seeded(0):
            model = Words()
        history = train(model, loss, batch, n_steps=150, peak_lr=0.02, warmup=5, muon_lr=muon_lr)
        found[muon_lr] = model.map.weight.detach()
        assert history.losses[-1] < 0.5 < history.losses[0]
    assert not torch.allclose(found[None], found[0.02], atol=1e-3)
