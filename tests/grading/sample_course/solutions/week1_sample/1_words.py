# %% [markdown]
# # Words

# %% setup=true
from collections import Counter

import torch
from torch import nn

from course.checks import check_equal


# %% exercise="count_ngrams" points=2
def count_ngrams(documents, n):
    """Return how often each run of n tokens occurs."""
    ### BEGIN SOLUTION
    return Counter(tuple(d[i : i + n]) for d in documents for i in range(len(d) - n + 1))
    ### END SOLUTION


# %% check="count_ngrams"
check_equal(count_ngrams([[1, 2]], 1)[(1,)], 1)


# %% exercise="softmax" points=3
def softmax(scores):
    """Return the softmax over the last axis."""
    ### BEGIN SOLUTION
    powers = torch.exp(scores - scores.max(-1, keepdim=True).values)
    return powers / powers.sum(-1, keepdim=True)
    ### END SOLUTION


# %% check="softmax"
check_equal(softmax(torch.zeros(2)).tolist(), [0.5, 0.5])


# %% exercise="attend" points=2
def attend(scores, values):
    """Return (output, weights)."""
    ### BEGIN SOLUTION
    weights = softmax(scores)
    return weights @ values, weights
    ### END SOLUTION


# %% check="attend"
check_equal(len(attend(torch.zeros(1, 2), torch.zeros(2, 3))), 2)


# %% exercise="Scale" points=2
class Scale(nn.Module):
    """Multiplies by a learned weight."""

    ### BEGIN SOLUTION
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x):
        return x * self.weight

    ### END SOLUTION


# %% check="Scale"
check_equal(Scale(2)(torch.ones(2)).tolist(), [1.0, 1.0])


# %% exercise="draw" points=1
def draw(n, generator):
    """Return n uniform numbers."""
    ### BEGIN SOLUTION
    return torch.rand(n, generator=generator)
    ### END SOLUTION


# %% check="draw"
check_equal(len(draw(2, torch.Generator())), 2)

# %% [markdown] essay="why" points=4
# Say why.
