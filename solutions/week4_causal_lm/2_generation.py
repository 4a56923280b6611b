# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Week 4, notebook 2: writing
#
# | | |
# |---|---|
# | **You build** | top-k, top-p, a repetition penalty, `generate` for a batch of prompts, beam search, a cache |
# | **You need** | notebook 1 (what a GPT gives at each position); week 2 (heads, causal attention) |
# | **Time** | about 75 minutes; everything runs in about a minute |
# | **Points** | 19 |

# %% [markdown]
# ## From a distribution to a text
#
# A GPT gives, at every position, a probability for each token. A text is one token at each position. So somebody has to
# choose: take a token, put it behind the text, ask the model again, and so on. The model is the same each time; how the
# tokens are chosen decides whether the text is dull, wild, or good.
#
# Nothing is trained here. At the end the ideal reader of the stories judges what your choices write.

# %% setup=true
import math
from collections.abc import Callable

import torch
from torch import nn

from course.blocks.dot_product import scaled_dot_product
from course.checks import check_close, check_equal, check_shape
from course.configs import GenerationConfig

# %% [markdown]
# Two ways to choose are obvious. **Greedy**: the most probable token. **Sampling**: draw one, each with its
# probability. Between them lies the **temperature** $\tau$, which divides the logits:
#
# $$p_i = \frac{\exp(z_i / \tau)}{\sum_j \exp(z_j / \tau)}$$
#
# With $\tau \to 0$ sampling becomes greedy, $\tau = 1$ is the model itself, and a large $\tau$ makes all tokens alike.

# %%
toy_V = torch.tensor([2.0, 1.0, 0.0])
for temperature in (0.2, 1.0, 5.0):
    shares = (toy_V / temperature).softmax(0).tolist()
    print(f"temperature {temperature}: " + "  ".join(f"{share:.3f}" for share in shares))

# %% [markdown]
# Now a model: a GPT as in notebook 1, trained on the stories and shipped with the course. How does a story go on that
# begins with "Mia"?
#
# **Predict:** sampling has one weakness that no temperature mends. Which words cause it?

# %%
from course.gpt_checkpoints import load_causal_lm
from course.stories import Stories

stories = Stories.load()
gpt = load_causal_lm("stories_gpt")
prompt = [stories.bos_id, *stories.encode("Mia", special=False)]
with torch.no_grad():
    next_logits_BV = gpt(torch.tensor([prompt]))[:, -1]
probabilities_V = next_logits_BV.softmax(-1)[0]
for i in probabilities_V.argsort(descending=True)[:12].tolist():
    print(f"{stories.vocab[i]:10} {probabilities_V[i]:.4f}")
print(f"The {len(stories.vocab) - 8} behind the first eight together: {1 - probabilities_V.topk(8).values.sum():.4f}")

# %% [markdown]
# ## 1 Top-k
#
# The long tail: words that do not fit, each with a tiny probability. One draw seldom hits them, but a text is many
# draws, and one wrong word can spoil a story. A larger vocabulary has a longer tail. **Top-k** (Fan et al. 2018,
# section 5.2) keeps the $k$ most probable and draws among them.
#
# A filter gives logits back: $-\infty$ where a token is out, for $\exp(-\infty) = 0$, and all the others unchanged. The
# softmax behind it then shares out the probability anew.
#
# A worked example, $k = 2$: the logits $(1, 4, 2, 3)$ become $(-\infty, 4, -\infty, 3)$.


# %% exercise="top_k_filter" points=2
def top_k_filter(logits: torch.Tensor, k: int) -> torch.Tensor:
    """Return logits with -inf on all but the k largest of each row.

    Args:
        logits: float [B,V], finite, no two alike in a row. Not changed.
        k: how many tokens are kept, at least 1; where it is V or more, all are.

    Returns:
        float [B,V], dtype as logits: what is kept is unchanged and in its place, the rest is -inf.

    Example:
        >>> top_k_filter(torch.tensor([[1.0, 4.0, 2.0, 3.0]]), 2)
        tensor([[-inf, 4., -inf, 3.]])
    """
    ### BEGIN SOLUTION
    k = min(k, logits.shape[1])
    smallest_kept_B1 = logits.topk(k, dim=1).values[:, -1:]
    return logits.masked_fill(logits < smallest_kept_B1, -math.inf)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: where is the border?</summary>
#
# `logits.topk(k, dim=1).values` is [B,k], the largest first: its last column holds, for each row, the smallest logit
# that stays. Keep that column two-dimensional, `[:, -1:]`, and it can be compared with all of `logits`. `topk` refuses
# a k above V.
#
# </details>
#
# <details><summary>Hint 2: how do I fill in?</summary>
#
# `logits.masked_fill(condition, value)` gives a new tensor; `masked_fill_`, with the underscore, would write into the
# caller's. `math.inf` is infinity.
#
# </details>

# %% check="top_k_filter"
logits_BV = torch.tensor([[1.0, 4.0, 2.0, 3.0], [-1.0, -5.0, -2.0, -9.0]])
check_equal(
    top_k_filter(logits_BV, 2).tolist(),
    [[-math.inf, 4.0, -math.inf, 3.0], [-1.0, -math.inf, -2.0, -math.inf]],
    "the two largest of each row stay",
)
check_equal(top_k_filter(logits_BV, 9).tolist(), logits_BV.tolist(), "k = 9 of 4 tokens keeps everything")
check_equal(top_k_filter(logits_BV, 1).isfinite().sum(1).tolist(), [1, 1], "k = 1 is greedy")

# %% [markdown]
# ## 2 Top-p
#
# How large should $k$ be? Behind "in the" many nouns may follow, behind "once upon a" hardly anything but "time".
# **Top-p**, or nucleus sampling (Holtzman et al. 2020, section 3.1), keeps a share of the *probability* instead: the
# smallest set of the most probable tokens that holds at least $p$. The set is large where the model is unsure and
# small where it is sure.

# %% [markdown]
# A worked example. The probabilities are $(0.1, 0.5, 0.15, 0.25)$; from the most probable down they add up to $0.5$,
# $0.75$, $0.9$, $1$.
#
# | $p$ | kept | because |
# |---|---|---|
# | 0.4 | the 0.5 | it holds 0.4 by itself |
# | 0.6 | 0.5 and 0.25 | 0.5 is not enough; the token that **crosses** $p$ is kept too |
# | 1 | all | nothing less holds everything |


# %% exercise="top_p_filter" points=3
def top_p_filter(logits: torch.Tensor, p: float) -> torch.Tensor:
    """Return logits with -inf outside the smallest set of the most probable tokens that holds at least p.

    Args:
        logits: float [B,V], no two alike in a row except -inf, which stands on tokens that are out already (at least
            one is not). Not changed.
        p: above 0, at most 1. The softmax of a row is what holds p. With p = 1 everything is kept.

    Returns:
        float [B,V], dtype as logits: what is kept is unchanged and in its place, the rest is -inf. At least one token
        of a row is kept.

    Example:
        >>> top_p_filter(torch.tensor([[0.0, 2.0, 1.0]]), 0.8)  # probabilities 0.09, 0.67, 0.24
        tensor([[-inf, 2., 1.]])
    """
    ### BEGIN SOLUTION
    if p == 1:
        return logits.clone()  # a sum in floats may reach 1 too early
    sorted_BV, order_BV = logits.sort(dim=1, descending=True)
    probabilities_BV = sorted_BV.softmax(1)
    before_BV = probabilities_BV.cumsum(1) - probabilities_BV  # what the more probable tokens hold
    before_BV[:, 0] = 0
    sorted_BV = sorted_BV.masked_fill(before_BV >= p, -math.inf)
    return torch.empty_like(logits).scatter(1, order_BV, sorted_BV)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which tokens are kept?</summary>
#
# Sort each row, largest first, and take the softmax and its running sum (`cumsum`). A token is kept if those *before*
# it do not hold $p$ yet: the running sum without its own probability is below $p$. So the token that crosses is in.
# Floats are rounded, and the running sum of a steep row may be 1 before its last token: treat $p = 1$ by itself.
#
# </details>
#
# <details><summary>Hint 2: how do I get back to the old order?</summary>
#
# `values, order = logits.sort(dim=1, descending=True)` says where each came from. `out.scatter(1, order, values)` puts
# column j of `values` where `order` says; it undoes the sort.
#
# </details>

# %% check="top_p_filter"
shares_BV = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.97, 0.01, 0.015, 0.005]])
kept = {p: top_p_filter(shares_BV.log(), p).isfinite().int().tolist() for p in (0.4, 0.6, 0.8, 1.0)}
check_equal(kept[0.4], [[0, 1, 0, 0], [1, 0, 0, 0]], "p = 0.4: one token is enough")
check_equal(kept[0.6], [[0, 1, 0, 1], [1, 0, 0, 0]], "p = 0.6: the token that crosses is kept")
check_equal(kept[0.8], [[0, 1, 1, 1], [1, 0, 0, 0]], "p = 0.8: three where the model is unsure, one where it is sure")
check_equal(kept[1.0], [[1, 1, 1, 1], [1, 1, 1, 1]], "p = 1: all")
steep_BV = torch.tensor([[40.0, 0.0, -40.0]])
check_equal(top_p_filter(steep_BV, 1.0).tolist(), steep_BV.tolist(), "p = 1: all, however small the others are")
check_close(top_p_filter(shares_BV.log(), 0.6)[0, [1, 3]], shares_BV[0, [1, 3]].log(), "and unchanged, in their places")

# %% [markdown]
# What do temperature, top-k and top-p do to one real distribution, the one behind "Mia"? **Predict:** which of
# temperature 0.5, $k = 5$ and $p = 0.5$ leaves the fewest words?
#
# In a notebook that is running you can move the sliders; a saved one shows six settings.

# %%
from course.figures import show
from course.figures.week4_generation import explore, next_words


def distribution(temperature: float = 1.0, k: int = 300, p: float = 1.0) -> torch.Tensor:
    """Return the probabilities [V] of the next word behind the prompt."""
    return top_p_filter(top_k_filter(next_logits_BV / temperature, k), p).softmax(1)[0]


SETTINGS = [{}, {"temperature": 0.5}, {"temperature": 2.0}, {"k": 5}, {"p": 0.5}, {"temperature": 2.0, "p": 0.5}]
panels = {
    ", ".join(f"{n} {v}" for n, v in chosen.items()) or "the model": distribution(**chosen) for chosen in SETTINGS
}
explore(
    lambda **chosen: next_words(
        {"the model": distribution(), "with your filters": distribution(**chosen)}, stories.vocab
    )[0],
    {
        "temperature": [0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0],
        "k": [1, 2, 5, 10, 20, 50, 300],
        "p": [0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 1.0],
    },
    otherwise=lambda: next_words(panels, stories.vocab)[0],
    alt="Six bar charts of the next word's distribution: a low temperature sharpens it, a high one flattens it, and "
    "top-k and top-p cut it off, top-p later where it is flat.",
)

# %% [markdown]
# A temperature removes nothing: all words stay possible. Top-k always leaves $k$. Top-p follows the distribution:
# behind a high temperature the same $p$ keeps more words.

# %% [markdown]
# ## 3 A penalty for repetition
#
# Models like to say again what they have said. The **repetition penalty** $\theta$ (Keskar et al. 2019, section 4.1)
# makes every token that has occurred less likely: logits above 0 are divided by $\theta$, the others multiplied. Both
# push them down.
#
# A worked example, $\theta = 2$: the text is `[3, 1, 3]`, the logits are $(1, 4, 2, -3)$. Token 1 has occurred: $4 / 2
# = 2$. Token 3 too, twice, and is penalised **once**: $-3 \cdot 2 = -6$. The result is $(1, 2, 2, -6)$.


# %% exercise="penalise_repetition" points=2
def penalise_repetition(logits: torch.Tensor, ids: torch.Tensor, penalty: float) -> torch.Tensor:
    """Return logits in which the tokens that occur in ids are less likely.

    Args:
        logits: float [B,V]. Not changed.
        ids: long [B,T], what each row has said so far; it counts for that row only. How often a token occurs makes no
            difference. Not changed.
        penalty: above 0. Where a token occurs, a positive logit is divided by it, any other multiplied; 1 changes
            nothing.

    Returns:
        float [B,V], dtype as logits.

    Example:
        >>> penalise_repetition(torch.tensor([[1.0, 4.0, 2.0, -3.0]]), torch.tensor([[3, 1, 3]]), 2.0)
        tensor([[ 1.,  2.,  2., -6.]])
    """
    ### BEGIN SOLUTION
    found_BT = logits.gather(1, ids)
    penalised_BT = torch.where(found_BT > 0, found_BT / penalty, found_BT * penalty)
    return logits.scatter(1, ids, penalised_BT)
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do I find the logits of what occurred?</summary>
#
# `logits.gather(1, ids)` is [B,T]: the logit of each token that was said. Make the penalised value of each with
# `torch.where`.
#
# </details>
#
# <details><summary>Hint 2: how do they come back, and only once?</summary>
#
# `logits.scatter(1, ids, values)` writes each value to its token's place, in a new tensor. A token that occurs twice is
# written twice, with the same value: that does no harm, because both were made from the *old* logit.
#
# </details>

# %% check="penalise_repetition"
logits_BV = torch.tensor([[1.0, 4.0, 2.0, -3.0], [1.0, 4.0, 2.0, -3.0]])
said_BT = torch.tensor([[3, 1, 3], [0, 0, 0]])
check_close(penalise_repetition(logits_BV, said_BT, 2.0)[0], [1.0, 2.0, 2.0, -6.0], "the worked example")
check_close(penalise_repetition(logits_BV, said_BT, 2.0)[1], [0.5, 4.0, 2.0, -3.0], "each row for itself, and once")
check_close(penalise_repetition(logits_BV, said_BT, 1.0), logits_BV, "a penalty of 1 changes nothing")

# %% [markdown]
# ## 4 generate
#
# Now the loop. In each step: the logits at the **last** position, the penalty, the temperature, top-k, top-p, one token
# a row, and that token goes behind the text. A row that has said the end token is finished and is filled with padding
# until the others are finished too.
#
# How a text is chosen stands in a `GenerationConfig`, with these fields:

# %%
for name, value in vars(GenerationConfig(max_new_tokens=20)).items():
    print(f"{name:20} {value}")

# %% [markdown]
# Prompts have different lengths, and all rows must go on in the same column. So they are padded on the **left**:
#
# | | | | | | new |
# |---|---|---|---|---|---|
# | row 0 | Mia | met | Tom | at | the |
# | row 1 | *pad* | *pad* | Nora | was | at |
#
# `prompt_mask` is True on real tokens. It goes to the model at every call, one column longer each time, so that padding
# is not seen and positions count real tokens only. Nor does padding count as something that was said.

# %% [markdown]
# A worked example, greedy, end token 9, padding 0, `max_new_tokens=4`, and a model that counts upwards:
#
# | prompt | after 1 | 2 | 3 | 4 |
# |---|---|---|---|---|
# | `[5, 6]` | 7 | 8 | **9** | 0 |
# | `[4, 5]` | 6 | 7 | 8 | **9** |
#
# Had both been finished after 3, nothing would have followed: the result is as long as its longest row.


# %% exercise="generate" points=4
@torch.no_grad()
def generate(
    model: Callable,
    prompt_ids: torch.Tensor,
    config: GenerationConfig,
    generator: torch.Generator | None = None,
    prompt_mask: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return prompts and what the model writes behind them.

    Args:
        model: (ids long [B,T], mask bool [B,T] or None) -> logits float [B,T,V]; mask is True on real tokens.
        prompt_ids: long [B,T], T at least 1, padded on the left. Not changed.
        config: how tokens are chosen. First comes the repetition penalty, for every real token of the row, prompt
            included. Without do_sample the most probable token is then taken. With it the logits are divided by the
            temperature, filtered with top_k and then top_p (None: not at all), and one token a row is drawn.
        generator: every draw takes its random numbers from it; from torch's own where it is None.
        prompt_mask: bool [B,T], True on real tokens, the last column among them; None: all are real. A padded row
            gives what its prompt gives alone, whatever ids stand in its padding.

    Returns:
        long [B,T'], the prompts as they came and then the new tokens. A row ends with config.eos_id, if it says it
        (one in the prompt ends nothing), and is filled with config.pad_id behind it. T' - T is config.max_new_tokens,
        or less: the number of steps until every row had ended.

    Example:
        >>> counts_up = lambda ids, mask=None: nn.functional.one_hot((ids + 1) % 10, 10).float()
        >>> generate(counts_up, torch.tensor([[5, 6], [4, 5]]), GenerationConfig(4, eos_id=9))
        tensor([[5, 6, 7, 8, 9, 0],
                [4, 5, 6, 7, 8, 9]])
    """
    ### BEGIN SOLUTION
    ids_BT = prompt_ids
    mask_BT = torch.ones_like(ids_BT, dtype=torch.bool) if prompt_mask is None else prompt_mask
    finished_B = torch.zeros(len(ids_BT), dtype=torch.bool, device=ids_BT.device)
    for _ in range(config.max_new_tokens):
        said_BT = torch.where(mask_BT, ids_BT, ids_BT[:, -1:])  # in place of padding the last token, which is real
        logits_BV = penalise_repetition(model(ids_BT, mask_BT)[:, -1], said_BT, config.repetition_penalty)
        if config.do_sample:
            logits_BV = logits_BV / config.temperature
            if config.top_k is not None:
                logits_BV = top_k_filter(logits_BV, config.top_k)
            if config.top_p is not None:
                logits_BV = top_p_filter(logits_BV, config.top_p)
            chosen_B = torch.multinomial(logits_BV.softmax(1), 1, generator=generator)[:, 0]
        else:
            chosen_B = logits_BV.argmax(1)
        chosen_B = torch.where(finished_B, config.pad_id, chosen_B)
        ids_BT = torch.cat([ids_BT, chosen_B[:, None]], dim=1)
        mask_BT = torch.cat([mask_BT, torch.ones_like(mask_BT[:, :1])], dim=1)
        if config.eos_id is not None:
            finished_B = finished_B | (chosen_B == config.eos_id)
            if finished_B.all():
                break
    return ids_BT
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: how do I draw, and how do I add a column?</summary>
#
# `torch.multinomial(probabilities, 1, generator=generator)` draws one index a row, [B,1]; it wants probabilities, so
# take the softmax of what the filters left. `torch.cat([ids, chosen[:, None]], dim=1)` adds a column. Do the same with
# the mask: a new token is real.
#
# </details>
#
# <details><summary>Hint 2: what about finished rows, and padding under the penalty?</summary>
#
# Keep `finished`, bool [B]. Before a column is added, put `pad_id` where a row was finished; afterwards a row is
# finished if it was or if it said `eos_id`. For the penalty, put any real token of the row where padding stands, for
# example its last one, `ids[:, -1:]`: what has occurred anyway changes nothing.
#
# </details>


# %% check="generate"
def counts_up(ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Return logits that are 1 on the number behind each of ids, 0 elsewhere; behind 9 comes 0."""
    return nn.functional.one_hot((ids + 1) % 10, 10).float()


written_BT = generate(counts_up, torch.tensor([[5, 6], [4, 5]]), GenerationConfig(max_new_tokens=4, eos_id=9))
check_equal(written_BT.tolist(), [[5, 6, 7, 8, 9, 0], [4, 5, 6, 7, 8, 9]], "the worked example")
written_BT = generate(counts_up, torch.tensor([[7], [6]]), GenerationConfig(max_new_tokens=50, eos_id=9))
check_equal(written_BT.tolist(), [[7, 8, 9, 0], [6, 7, 8, 9]], "ends when every row has ended")
drawing = GenerationConfig(max_new_tokens=8, do_sample=True)
twice = [generate(counts_up, torch.tensor([[1]]), drawing, torch.Generator().manual_seed(3)) for _ in range(2)]
check_equal(twice[0].tolist(), twice[1].tolist(), "the same seed, the same draws")
sharp = GenerationConfig(max_new_tokens=4, do_sample=True, temperature=0.01)
check_equal(generate(counts_up, torch.tensor([[1]]), sharp).tolist(), [[1, 2, 3, 4, 5]], "a low temperature is greedy")
# %% [markdown]
# ## 5 Beam search
#
# Greedy takes the best *token*. The best *text* may begin with the second best. A worked example with three tokens, A,
# B and C, and two steps: behind the prompt A has 0.5, B 0.4; behind A all three are alike (1/3 each), behind B token C
# has 0.9. Greedy takes A and ends with $0.5 \cdot 1/3 \approx 0.17$; B C has $0.4 \cdot 0.9 = 0.36$.
#
# **Beam search** follows the `n_beams` best beginnings at once. It adds up log-probabilities, because
# products of many probabilities become too small for a float.

# %% [markdown]
# A step takes every live hypothesis, and extends each by every token of the vocabulary.
#
# 1. Rank all these extensions by their sum of log-probabilities.
# 2. Those among the `n_beams` best that end with the end token are **finished**, and are put aside.
# 3. The `n_beams` best that do *not* end with it **live** on.
#
# After `max_new_tokens` steps what lives is finished too.

# %% [markdown]
# Which of the finished ones is best? Each further token makes a sum smaller, so short texts would always win. Hence the
# **length penalty** $\alpha$ (in its plain form; Wu et al. 2016, section 7, have another): with $n$ new tokens, the end
# token among them,
#
# $$\text{score} = \frac{1}{n^\alpha} \sum_{t=1}^{n} \log p(w_t \mid \text{what stands before it})$$
#
# $\alpha = 0$ compares sums, $\alpha = 1$ compares means.


# %% exercise="beam_search" points=4
@torch.no_grad()
def beam_search(
    model: Callable,
    prompt_ids: torch.Tensor,
    n_beams: int,
    max_new_tokens: int,
    length_penalty: float = 1.0,
    eos_id: int | None = None,
) -> torch.Tensor:
    """Return the prompt and the continuation with the highest score that a beam search finds.

    Args:
        model: (ids long [N,T], mask or None) -> logits float [N,T,V], finite. Call it with mask None.
        prompt_ids: long [T], T at least 1. Not changed.
        n_beams: how many hypotheses live on after each step, at least 1; fewer where there are not so many extensions.
        max_new_tokens: at most so many tokens are added, at least 1. The search always goes on so far: a long text may
            overtake the finished ones.
        length_penalty: at least 0; the power of the number of new tokens by which a sum of log-probabilities is
            divided.
        eos_id: the token that ends a text, and counts as one of its new tokens; None: none does.

    Returns:
        long [T'], the prompt and at most max_new_tokens new tokens, up to and with eos_id if it came.

    Example:
        >>> table = torch.tensor([[0.01, 0.5, 0.4, 0.09], [0.25] * 4, [0.02, 0.03, 0.05, 0.9], [0.25] * 4]).log()
        >>> beam_search(lambda ids, mask=None: table[ids], torch.tensor([0]), n_beams=2, max_new_tokens=2)
        tensor([0, 2, 3])
    """
    ### BEGIN SOLUTION
    live_NT, sums_N, finished = prompt_ids[None], torch.zeros(1, device=prompt_ids.device), []
    for n_new in range(1, max_new_tokens + 1):
        log_probs_NV = model(live_NT, None)[:, -1].log_softmax(1)
        V = log_probs_NV.shape[1]
        sums, order = (sums_N[:, None] + log_probs_NV).flatten().sort(descending=True)
        extended = torch.cat([live_NT[order // V], (order % V)[:, None]], dim=1)
        ended = extended[:, -1] == (-1 if eos_id is None else eos_id)
        for i in ended[:n_beams].nonzero()[:, 0].tolist():
            finished.append((sums[i].item() / n_new**length_penalty, extended[i]))
        live_NT, sums_N = extended[~ended][:n_beams], sums[~ended][:n_beams]
    finished += [(sums_N[i].item() / max_new_tokens**length_penalty, live_NT[i]) for i in range(len(live_NT))]
    return max(finished, key=lambda pair: pair[0])[1]
    ### END SOLUTION


# %% [markdown]
# <details><summary>Hint 1: which hypothesis and which token is number i?</summary>
#
# The sums are a table [N,V]. Flatten it, and entry $i$ belongs to hypothesis $i // V$ and token $i \bmod V$. `sort` or
# `topk` of the flat table gives the ranking; with `live[indices // V]` each extension takes its *whole* history along.
#
# </details>
#
# <details><summary>Hint 2: how do I start?</summary>
#
# With one live hypothesis, the prompt, and the sum 0. With `n_beams` copies of the prompt all beams would do the same.
# The first step then leaves the `n_beams` best tokens, or all of them where V is smaller.
#
# </details>

# %% check="beam_search"
garden_path_VV = torch.tensor([[0.01, 0.5, 0.4, 0.09], [0.25] * 4, [0.02, 0.03, 0.05, 0.9], [0.25] * 4]).log()


def follows_table(ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """Return the row of the table for each token: only the last one matters."""
    return garden_path_VV[ids]


start = torch.tensor([0])
check_equal(beam_search(follows_table, start, 2, 2).tolist(), [0, 2, 3], "two beams find the better text")
check_equal(beam_search(follows_table, start, 1, 1).tolist(), [0, 1], "one beam, one step: the best token")
short = beam_search(follows_table, start, 4, 2, length_penalty=0.0, eos_id=1)
check_equal(short.tolist(), [0, 1], "sums: 0.5 is more than 0.36, so the short text wins")
even = beam_search(follows_table, start, 4, 2, length_penalty=1.0, eos_id=1)
check_equal(even.tolist(), [0, 2, 3], "means: the longer one wins")

# %% [markdown]
# ## 6 Three ways to tell a story
#
# Now write. **Predict:** which is the better storyteller: greedy, which never risks anything, five beams, or plain
# sampling? And what does greedy write when it is asked a second time?

# %%
from course.oracle import Oracle

oracle, BOS = Oracle.load(), torch.tensor([[stories.bos_id]])
greedy, sampling = (
    GenerationConfig(63, do_sample=do_sample, eos_id=stories.eos_id, pad_id=stories.pad_id)
    for do_sample in (False, True)
)
generator = torch.Generator().manual_seed(0)
samples_BT = generate(gpt, BOS.expand(3, 1), sampling, generator)
told = {"greedy": generate(gpt, BOS, greedy)[0], "greedy again": generate(gpt, BOS, greedy)[0]}
told |= {"five beams": beam_search(gpt, BOS[0], 5, 63, eos_id=stories.eos_id)}
told |= {f"sample {i}": row for i, row in enumerate(samples_BT)}
for name, ids in told.items():
    story = ids.tolist()[: ids.tolist().index(stories.eos_id) + 1] if stories.eos_id in ids else ids.tolist()
    verdict = "possible" if math.isfinite(oracle.log_prob(story)) else "not possible"
    print(f"{name} ({verdict}): {stories.decode(story)}\n")

# %% [markdown]
# Behind each name stands the verdict of the ideal reader: could the grammar have told this story? Greedy tells one,
# always the same, and beam search another one. A fixed rule without chance writes one story for one prompt.
#
# And what comes if the end token ends nothing, so that greedy has to go on? **Predict** before you run it.

# %%
endless = generate(gpt, torch.tensor([prompt]), GenerationConfig(64 - len(prompt)))[0]
print(stories.decode(endless, special=True))

# %% [markdown]
# Behind its first end token the model has nothing to say, and says it again. That is why `generate` needs to know which
# token ends a text.
#
# Prompts of different lengths go on together, padded on the left, each as it would alone:


# %%
def pad_left(prompts: list[list[int]], pad_id: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids [B,T] and a mask, True on real tokens."""
    T = max(map(len, prompts))
    ids = [[pad_id] * (T - len(p)) + p for p in prompts]
    mask = [[False] * (T - len(p)) + [True] * len(p) for p in prompts]
    return torch.tensor(ids), torch.tensor(mask)


openings = ["Mia went to the bank", "One day", "Jack was sad about the"]
prompts = [[stories.bos_id, *stories.encode(text, special=False)] for text in openings]
prompt_BT, prompt_mask_BT = pad_left(prompts, stories.pad_id)
together = generate(gpt, prompt_BT, greedy, prompt_mask=prompt_mask_BT)
for row, ids in zip(together, prompts, strict=True):
    alone = generate(gpt, torch.tensor([ids]), greedy)[0]
    same = stories.decode(row) == stories.decode(alone)
    print(f"{stories.decode(row)[:90]}...  the same as alone: {same}")
# %% [markdown]
# ## 7 Nothing twice: the key-value cache
#
# `generate` gives the model the whole text in every step, and the model computes all positions, though only the last
# one is new. Causality makes that a waste: what position 3 computes depends on positions 0 to 3 only, and these do not
# change any more.
#
# What does a new token need from the old ones? Their **keys and values** in each attention, and nothing else. Keep
# them, and a step computes one position.

# %% [markdown]
# A worked example, $S = 3$ old tokens and $T = 2$ new ones. The queries are the new tokens', the keys are all five:
#
# | | key 0 | 1 | 2 | 3 | 4 |
# |---|---|---|---|---|---|
# | **query 3** | sees | sees | sees | sees | |
# | **query 4** | sees | sees | sees | sees | sees |
#
# Query number $t$ of the new ones stands at position $S + t$, and sees the keys up to that. With a single new token
# nothing is hidden.


# %% exercise="CachedAttention" points=4
class CachedAttention(nn.Module):
    """Causal multi-head attention that can go on where it left off.

    Args:
        d_model: width, D.
        n_heads: H; divides d_model.

    Submodules: `q_proj`, `k_proj`, `v_proj`, `out_proj`, each an nn.Linear from D to D with bias, as in week 2. Head h
    has channels h*K to (h+1)*K - 1. There are no other parameters, and nothing is remembered between calls but what
    the caller passes as `cache`.
    """

    def __init__(self, d_model: int, n_heads: int) -> None:
        super().__init__()
        ### BEGIN SOLUTION
        self.n_heads = n_heads
        self.q_proj, self.k_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        self.v_proj, self.out_proj = nn.Linear(d_model, d_model), nn.Linear(d_model, d_model)
        ### END SOLUTION

    def forward(
        self, x: torch.Tensor, cache: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        """Return what the new tokens take from all tokens so far, and the cache for the next call.

        Args:
            x: float [B,T,D], the new tokens, T at least 1. Not changed.
            cache: keys and values [B,H,S,K] of the tokens before them, as an earlier call returned them; None: there
                are none. Not changed.

        Returns:
            out, float [B,T,D]: new token t sees the S old tokens and the new ones up to itself.
            cache, a pair: keys and values [B,H,S+T,K] of the old tokens and the new ones, in this order.
        """
        ### BEGIN SOLUTION
        q_BHTK, k_BHSK, v_BHSK = (
            projection(x).unflatten(2, (self.n_heads, -1)).transpose(1, 2)
            for projection in (self.q_proj, self.k_proj, self.v_proj)
        )
        if cache is not None:
            k_BHSK = torch.cat([cache[0], k_BHSK], dim=2)
            v_BHSK = torch.cat([cache[1], v_BHSK], dim=2)
        T, S = q_BHTK.shape[2], k_BHSK.shape[2]
        seen_TS = torch.ones(T, S, dtype=torch.bool, device=x.device).tril(S - T)
        mixed_BHTK, _ = scaled_dot_product(q_BHTK, k_BHSK, v_BHSK, seen_TS)
        return self.out_proj(mixed_BHTK.transpose(1, 2).flatten(2)), (k_BHSK, v_BHSK)
        ### END SOLUTION


# %% [markdown]
# Given: `scaled_dot_product(query, key, value, mask)` is week 2's attention, for query [B,H,T,K], key and value
# [B,H,S,K]. Its mask is True where something may be seen and broadcasts to [B,H,T,S]. It returns the output [B,H,T,K]
# and the weights.
#
# <details><summary>Hint 1: what becomes longer, and along which axis?</summary>
#
# Project the new tokens only. Split into heads as in week 2: `y.unflatten(2, (H, -1)).transpose(1, 2)` is [B,H,T,K].
# Then put the old keys in front of the new ones along axis 2, `torch.cat([old, new], dim=2)`, and the same for values.
# Queries are not kept: nobody asks again for an old token.
#
# </details>
#
# <details><summary>Hint 2: which mask is it?</summary>
#
# A table with T rows, one a new token, and a column for each key, old and new. Row t is True up to column
# $S_{old} + t$: the lower triangle, moved to the right by the number of old tokens. `torch.ones(T, S,
# dtype=torch.bool).tril(S - T)` is that, if S counts all keys.
#
# </details>

# %% check="CachedAttention"
torch.manual_seed(0)
attention = CachedAttention(d_model=6, n_heads=2)
x_BTD = torch.randn(3, 5, 6)
whole_BTD, (keys, values) = attention(x_BTD)
check_shape(whole_BTD, (3, 5, 6), "one vector out for each token")
check_shape(keys, (3, 2, 5, 3), "the cache holds keys [B,H,S,K]")
first_BTD, cache = attention(x_BTD[:, :3])
rest_BTD, cache = attention(x_BTD[:, 3:], cache)
check_close(torch.cat([first_BTD, rest_BTD], dim=1), whole_BTD, "three tokens, then two: the same as five at once")
check_close(cache[1], values, "and the same cache")
check_close(attention(x_BTD[:, :1])[0], whole_BTD[:, :1], "the first token sees itself only")

# %% [markdown]
# Now the trained GPT with your attention in its blocks. The weights fit by name. `CachedGPT` is a model as `generate`
# wants it, and computes only the tokens that it has not seen in the call before.
#
# **A trap:** the first new token stands at position `old`, not at 0. A model that counts anew writes nonsense, and no
# error tells you.


# %%
class CachedGPT(nn.Module):
    """The GPT with your attention; what was computed in the call before is not computed again."""

    def __init__(self, gpt: nn.Module) -> None:
        super().__init__()
        self.gpt, self.seen, self.caches = gpt, None, []
        self.attentions = nn.ModuleList(CachedAttention(gpt.config.d_model, gpt.config.n_heads) for _ in gpt.blocks)
        for attention, block in zip(self.attentions, gpt.blocks, strict=True):
            attention.load_state_dict(block.self_attn.state_dict())

    def forward(self, ids: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Return logits for the tokens of ids [B,T] that are new, [B,T_new,V]. There is no padding."""
        old = 0 if self.seen is None else self.seen.shape[1]
        if not 0 < old < ids.shape[1] or not torch.equal(ids[:, :old], self.seen):
            old, self.caches = 0, [None] * len(self.attentions)  # another text: begin anew
        x_BTD = self.gpt.word(ids[:, old:]) + self.gpt.position.weight[old : ids.shape[1]]
        for i, (attention, block) in enumerate(zip(self.attentions, self.gpt.blocks, strict=True)):
            mixed_BTD, self.caches[i] = attention(block.norm1(x_BTD), self.caches[i])
            x_BTD = x_BTD + mixed_BTD
            x_BTD = x_BTD + block.feed_forward(block.norm2(x_BTD))
        self.seen = ids
        return self.gpt.norm(x_BTD) @ self.gpt.word.weight.T


# %%
cached_gpt, test_BT = CachedGPT(gpt), torch.tensor([story[:40] for story in stories.test if len(story) >= 40][:20])
with torch.no_grad():
    whole_BTV = gpt(test_BT)
    steps = [cached_gpt(test_BT[:, : t + 1]) for t in range(test_BT.shape[1])]
cached_BTV = torch.cat(steps, dim=1)
print(f"{len(steps)} steps of {tuple(steps[-1].shape)}; largest difference {(cached_BTV - whole_BTV).abs().max():.1e}")
check_close(cached_BTV, whole_BTV, "the same logits with and without the cache", tolerance=1e-5)

# %% [markdown]
# The same numbers, up to the order of adding up. What does it save? **Predict:** a text of twice the length takes how
# many times as long to write, without and with the cache? (An untrained model of the same size that can read long
# texts; what it writes does not matter here.)

# %%
import time

from course.blocks.causal_lm import CausalLM
from course.configs import DecoderConfig
from course.figures.week4_generation import cost_of_writing
from course.measuring import kept_bytes

LENGTHS = [64, 128, 256, 512]
long_gpt = CausalLM(DecoderConfig(300, d_model=96, n_heads=4, n_layers=2, d_ff=384, max_len=LENGTHS[-1])).eval()


def cost(n: int, *, cached: bool) -> tuple[float, int]:
    """Return the seconds that a text of n tokens takes, and the bytes that its last step needs."""
    model, text_BT = CachedGPT(long_gpt), torch.randint(300, (1, n), generator=torch.Generator().manual_seed(n))
    began = time.perf_counter()
    with torch.no_grad():
        for t in range(1, n + 1):
            if not cached:
                model.seen = None  # forget: compute everything again
            model(text_BT[:, :t])
        seconds = time.perf_counter() - began
        model(text_BT[:, :-1])
    if not cached:
        model.seen = None
    return seconds, kept_bytes(lambda: model(text_BT), besides=list(model.parameters()))


# %%
costs = {
    "without a cache": [cost(n, cached=False) for n in LENGTHS],
    "with a cache": [cost(n, cached=True) for n in LENGTHS],
}
seconds, memory = ({name: [pair[i] for pair in pairs] for name, pairs in costs.items()} for i in range(2))

# %%
fig, _ = cost_of_writing(LENGTHS, seconds, memory)
show(
    fig,
    alt="Time and memory against length on logarithmic axes: without a cache both grow nearly with the square of the "
    "length, with a cache the time grows nearly in proportion and the last step needs far less memory.",
)
sizes = {"the smallest GPT-2": (12, 768, 124e6), "the largest BLOOM": (70, 14336, 176e9)}
for name, (n_layers, d_model, n) in sizes.items():
    cache = 2 * n_layers * d_model * 2  # bytes for each token, in 16-bit numbers
    print(f"{name}: {cache / 1024:,.0f} KiB of cache a token; as much as the weights after {n * 2 / cache:,.0f} tokens")

# %% [markdown]
# The cache buys time with memory: two numbers for each channel of each block and each token. The tokens of all texts
# that are written at the same time count together, so many texts at once can need more memory than the weights.
#
# ## 8 The ideal reader judges
#
# With the cache it is cheap to write many stories. The oracle says of each whether the grammar could have told it at
# all. **Predict:** greedy is the limit of low temperatures. Is it so that the lower the temperature, the safer the
# story? And what is lost on the way there?

# %%
from course.figures.week4_generation import judged_by_temperature
from course.progress import Progress

N_TEXTS, TEMPERATURES = 200, [0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.5]


def write_stories(**choices) -> list[list[int]]:
    """Return stories written by your model with your `generate`, each up to its end token."""
    config = GenerationConfig(63, do_sample=True, eos_id=stories.eos_id, pad_id=stories.pad_id, **choices)
    rows = generate(CachedGPT(gpt), BOS.expand(N_TEXTS, 1), config, torch.Generator().manual_seed(1)).tolist()
    return [row[: row.index(stories.eos_id) + 1] if stories.eos_id in row else row for row in rows]


def judge(texts: list[list[int]]) -> tuple[float, float, float]:
    """Return the share that is possible, distinct pairs of words per pair, mean nats of a possible story."""
    pairs = [pair for text in texts for pair in zip(text, text[1:], strict=False)]
    costs = [-cost for cost in oracle.log_probs(texts) if math.isfinite(cost)]
    mean_cost = sum(costs) / len(costs) if costs else math.nan
    return len(costs) / len(texts), len(set(pairs)) / len(pairs), mean_cost


# %%
real = judge(stories.test[:N_TEXTS])
judged = {}
with Progress(total=len(TEMPERATURES), desc="stories", unit="temperature") as bar:
    for temperature in TEMPERATURES:
        judged[temperature] = judge(write_stories(temperature=temperature))
        bar.update()
possible, variety, _ = zip(*judged.values(), strict=True)
fig, _ = judged_by_temperature(TEMPERATURES, possible, variety, real_variety=real[1], n_texts=N_TEXTS)
show(
    fig,
    alt="Share of possible stories against temperature, near 100% at low ones and falling at high ones, and variety, "
    "which rises with the temperature through that of real stories.",
)

# %% [markdown]
# Where every choice is a safe one, nearly every story is possible. But look at the left end of the second panel: they
# are not as varied as real ones. What has become the same? See which plots are told, and how many of each are possible:

# %%
PLOTS = ["had a", "was waiting", "went to", "lived at"]  # the words behind the first one tell the plots apart
print(f"{'possible / told':16}" + "".join(f"{'... ' + plot + ' ...':>20}" for plot in PLOTS))
for name, texts in {
    "temperature 0.2": write_stories(temperature=0.2),
    "temperature 1.0": write_stories(),
    "real stories": stories.test[:N_TEXTS],
}.items():
    counts = dict.fromkeys(PLOTS, (0, 0))
    for text, log_prob in zip(texts, oracle.log_probs(texts), strict=True):
        plot = stories.decode(text[2:4]).lower()  # decode begins with a capital
        if plot in counts:
            good, told = counts[plot]
            counts[plot] = good + math.isfinite(log_prob), told + 1
    print(f"{name:16}" + "".join(f"{f'{good} / {told}':>20}" for good, told in counts.values()))

# %% [markdown]
# A low temperature tells one plot again and again: the one whose beginning is a little more probable than the others.
# Divided by 0.2, a small lead becomes nearly everything. Each of these stories is faultless, and together they are
# nothing like the corpus. A judge who looks at one story at a time cannot see it.
#
# Here is all of it in numbers, with your filters beside the temperatures. The last column is what a possible story
# costs the ideal reader: below the real stories' number, stories are too easy to guess. **Predict:** what does a
# repetition penalty do to stories whose ending repeats their beginning?

# %%
print(f"{'':24}{'possible':>9}{'variety':>9}{'nats of a possible one':>25}")
rules = {"top_k = 5": {"top_k": 5}, "top_p = 0.9": {"top_p": 0.9}, "top_p = 0.5": {"top_p": 0.5}}
rules |= {f"repetition penalty {penalty}": {"repetition_penalty": penalty} for penalty in (1.3, 2.0)}
rows = {f"temperature {t}": judged[t] for t in TEMPERATURES}
rows |= {name: judge(write_stories(**choices)) for name, choices in rules.items()}
for name, (share, distinct, cost) in (rows | {"real stories": real}).items():
    print(f"{name:24}{share:9.0%}{distinct:9.3f}{cost:25.1f}")
best = max(rows, key=lambda name: rows[name][0])
print(f"\nMost possible stories: {best}. Sampling error of a share: about {2 * (0.25 / N_TEXTS) ** 0.5:.0%}.")

# %% [markdown]
# ## In practice
#
# - Open-ended text is sampled, mostly with a temperature a little below 1 and top-p (Holtzman et al. 2020). Beam search
#   is at home where the answer is nearly fixed, as in translation and speech recognition.
# - A repetition penalty punishes what must be repeated: full stops, names, the word that a story is about. That is why
#   a strong one does harm here.
# - Libraries keep the cache in one block of memory, made beforehand; `torch.cat` copies it in every step.

# %% [markdown]
# ## What now works
#
# You can turn any next-token model into text: greedily, by sampling with temperature, top-k, top-p and a penalty, by
# beam search, for prompts of any length at once, and without computing anything twice. And you know what the choice of
# a token does to whole stories, because a reader who knows the grammar has judged them.

# %% [markdown]
# ## What comes next
#
# Notebook 3 loads weights of GPT-2 and BLOOM into your model, number for number, and replaces the table of positions by
# a bias that reads texts longer than those of the training.
