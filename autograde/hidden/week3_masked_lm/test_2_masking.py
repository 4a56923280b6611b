"""Hidden tests of week 3, notebook 2: who is chosen, what is shown instead, the loss, masks over epochs.

Where chance matters, a share is compared by Chernoff's bound: a right answer is refused with probability below
FALSE_ALARM in each comparison, some 10 ** -6 in all. Masks that are handed in are patterns, not draws, or draws of
another generator's seed: a mask and fates from one seed would be the same numbers.
"""

import math

import pytest
import torch

from autograde.rubric import Mismatch, StudentError, check, expect_close, expect_equal

FALSE_ALARM = 1e-8


def seed(number):
    return torch.Generator().manual_seed(number)


def hold(claim, sentence, *, known=True):
    """Where the claim does not hold say the sentence: a known mistake, or (not known) what kind is expected."""
    if not claim:
        raise Mismatch(sentence, misconception=known)


def plausible(hits, n, p):
    """Whether `hits` of n independent trials of probability p are no rarer than FALSE_ALARM (Chernoff 1952)."""
    share = float(hits) / n
    parts = [a * math.log(a / b) for a, b in ((share, p), (1 - share, 1 - p)) if a > 0]
    return n * sum(parts) <= math.log(2 / FALSE_ALARM)


def booleans(result, *shape, strict=False):
    """The result, ready to be counted. Numbers pass for booleans, except in the check that asks for the kind."""
    hold(isinstance(result, torch.Tensor), "A tensor is expected.", known=False)
    hold(result.dtype == torch.bool or not strict, "A tensor of booleans is expected.", known=False)
    hold(tuple(result.shape) == shape, "The shape is wrong.", known=False)
    return result != 0


def words(B, T):
    return torch.arange(B * T).reshape(B, T) % 97 + 5


def pattern(B, T, every=2):
    """Every so many positions, shifted by one from row to row."""
    return (torch.arange(T) + torch.arange(B)[:, None]) % every == 0


def no_specials(B, T):
    return torch.zeros(B, T, dtype=torch.bool)


# --- choose_positions ---


@check(
    "chooses ordinary tokens with probability rate",
    points=0.5,
    hint="Each token that is not special is chosen with probability rate: compare a number drawn evenly from 0 to 1 "
    "with the rate itself.",
)
@pytest.mark.parametrize(("rate", "B", "T"), [(0.15, 300, 200), (0.6, 150, 200), (0.03, 200, 400), (0.004, 200, 1000)])
def test_choose_positions__has_the_rate(student, rate, B, T):
    special = pattern(B, T)
    chosen = booleans(student.choose_positions(words(B, T), special, rate, seed(11)), B, T)
    n = int((~special).sum())
    hits = int((chosen & ~special).sum())
    if abs(rate - 0.5) > 0.05:
        hold(not plausible(hits, n, 1 - rate), "The comparison is turned round: choose where the number is below rate.")
    if rate < 0.5:
        message = "Twice as many are chosen as should be: special positions give their share to nobody."
        hold(not plausible(hits, n, 2 * rate), message)
    assert plausible(hits, n, rate)


@check(
    "never chooses a special token, and at rate 1 all the others",
    points=0.5,
    hint="Where special_mask is True nothing may be chosen, whatever the id; an ordinary token may be chosen whatever "
    "its id. special_mask is True on what must be left alone.",
)
@pytest.mark.parametrize(("B", "T"), [(3, 7), (5, 4), (1, 9)])
def test_choose_positions__leaves_special_tokens_alone(student, B, T):
    special = pattern(B, T, every=3)
    for ids in (words(B, T), torch.zeros(B, T, dtype=torch.long), pattern(B, T).long() * 2):
        everything = booleans(student.choose_positions(ids, special, 1.0, seed(1)), B, T)
        hold(not torch.equal(everything, special), "The special_mask is turned round: True means leave it alone.")
        expect_equal(everything, ~special)
        expect_equal(student.choose_positions(ids[:1, :5], special[:1, :5], 0.0, seed(2)).any().item(), False)


@check(
    "leaves the number of chosen tokens to chance",
    points=0.5,
    hint="No fixed number of tokens per row: each is chosen by itself, so a row may lose many, or none at all.",
)
def test_choose_positions__draws_no_fixed_number(student):
    B, T, rate = 4000, 6, 0.5
    counts = booleans(student.choose_positions(words(B, T), no_specials(B, T), rate, seed(3)), B, T).sum(1)
    assert counts.any()
    hold(len(counts.unique()) > 1, "No fixed number of tokens per row: here every row loses the same number.")
    hold((counts == 0).any(), "No row was left without a chosen token, but chance sometimes leaves one.")
    share = counts.sum().item() / (B * T)  # another share is another check's business
    share = rate if plausible(counts.sum(), B * T, rate) else share
    for k in range(T + 1):
        assert plausible((counts == k).sum(), B, math.comb(T, k) * share**k * (1 - share) ** (T - k))
    draws = [student.choose_positions(words(40, 50), no_specials(40, 50), 0.5, seed(n)) for n in range(4, 14)]
    if any(not torch.equal(draw, draws[0]) for draw in draws):
        fixed = "The number of chosen tokens in the whole batch is always the same, or nearly: leave it to chance."
        totals = [int(draw.sum()) for draw in draws]
        hold(max(totals) - min(totals) > 2, fixed)


@check(
    "lets no position follow another",
    points=0.5,
    hint="One number for each position of each row: neighbours, rows and columns must not share theirs.",
)
@pytest.mark.parametrize("rate", [0.5, 0.2])
def test_choose_positions__draws_each_by_itself(student, rate):
    B, T = 400, 60
    chosen = booleans(student.choose_positions(words(B, T), no_specials(B, T), rate, seed(5)), B, T)
    assert chosen.any()
    share = chosen.double().mean().item()  # another share is another check's business
    share = rate if plausible(chosen.sum(), B * T, rate) else share
    assert share < 1  # what is the same everywhere follows nothing either
    same = share**2 + (1 - share) ** 2
    ids = words(B, T)
    each_id = [chosen[ids == i].double().mean().item() for i in ids.unique()]
    hold(any(0 < mean < 1 for mean in each_id), "Tokens with the same id share one choice: draw for each.")
    pairs = {
        "All rows get the same choice: draw for every row.": (chosen[::2], chosen[1::2]),
        "All tokens of a row share one choice: draw for every position.": (chosen[:, ::2], chosen[:, 1::2]),
        "Tokens two places apart follow each other.": (chosen[:, ::4], chosen[:, 2::4]),
        "The second half of the batch repeats the first.": (chosen[: B // 2], chosen[B // 2 :]),
    }
    beside = (chosen[:, ::2], chosen[:, 1::2])
    avoided = (
        not plausible((beside[0] & beside[1]).sum(), beside[0].numel(), share**2) and not (beside[0] & beside[1]).any()
    )
    hold(
        not avoided, "Of two neighbours never both are chosen: each is chosen by itself, whatever becomes of the other."
    )
    for message, (left, right) in pairs.items():
        hold(plausible((left == right).sum(), left.numel(), same), message)


@check(
    "takes all its chance from the generator",
    points=0.5,
    hint="Draw with generator=generator and do not seed anything: the same seed gives the same choice, another seed "
    "another, and a second call with the same generator goes on.",
)
def test_choose_positions__draws_from_the_generator(student):
    ids, special = words(12, 30), pattern(12, 30, every=5)
    first = booleans(student.choose_positions(ids, special, 0.4, seed(7)), 12, 30)
    expect_equal(booleans(student.choose_positions(ids, special, 0.4, seed(7)), 12, 30), first)
    other = booleans(student.choose_positions(ids, special, 0.4, seed(8)), 12, 30)
    hold(not torch.equal(other, first), "Another seed, the same choice.")
    generator = seed(7)
    student.choose_positions(ids, special, 0.4, generator)
    again = booleans(student.choose_positions(ids, special, 0.4, generator), 12, 30)
    hold(not torch.equal(again, first), "The generator was seeded again: two calls with it give the same choice.")


@check(
    "returns booleans [B,T] and leaves its arguments alone",
    points=0.5,
    hint="Return a new bool tensor of the ids' shape; do not write into ids or special_mask.",
)
@pytest.mark.parametrize(("B", "T"), [(9, 40), (60, 7), (1, 300)])
def test_choose_positions__leaves_its_arguments_alone(student, B, T):
    ids, special = words(B, T) * 10**9, pattern(B, T, every=4)
    result, afterwards = student.call(
        "choose_positions", ids=ids, special_mask=special, rate=0.5, generator=seed(9), keep_arguments=True
    )
    chosen = booleans(result, B, T, strict=True)[~special]
    assert chosen.any()
    assert not chosen.all()
    expect_equal(list(afterwards[:2]), [ids, special])


# --- mask_tokens ---

MASK = 990
RANDOM = torch.tensor([907, 450, 903, 611, 300])  # no order, no run of neighbours


def corrupted(student, ids, chosen, random_ids=RANDOM, number=21, *, strict=False):
    """(inputs, labels) after a look at their kind. Exchanged, in one tensor, or of another dtype they pass, except in
    the check that asks for it: one slip is paid for once."""
    result = student.mask_tokens(ids, chosen, MASK, random_ids, seed(number))
    if not strict and isinstance(result, torch.Tensor):
        result = tuple(result)
    hold(isinstance(result, tuple | list), "Return the pair (inputs, labels).", known=False)
    hold(len(result) == 2, "Return the pair (inputs, labels).", known=False)
    for tensor in result:
        hold(isinstance(tensor, torch.Tensor), "Two tensors are expected.", known=False)
        hold(tuple(tensor.shape) == tuple(ids.shape), "The shape is wrong: inputs and labels are [B,T].", known=False)
        hold(not strict or tensor.dtype == torch.long, "Token ids are of dtype long, inputs and labels alike.")
    inputs, labels = (tensor.long() for tensor in result)
    if (inputs == -100).any() and not (labels == -100).any():
        hold(not strict, "Inputs and labels are exchanged: what the model sees comes first.")
        inputs, labels = labels, inputs
    return inputs, labels


def one_fate_for_all(student, ids, chosen):
    """Whether in each of some calls all chosen tokens meet one fate, and not the same in all calls."""
    met = {
        tuple(n > 0 for n in fates(ids, corrupted(student, ids, chosen, number=n)[0], chosen)) for n in range(40, 60)
    }
    return len(met) > 1 and all(sum(fate) == 1 for fate in met)


SHARED_FATE = "All tokens of a call share one fate: draw a number for each token."


@check(
    "leaves tokens that were not chosen as they were",
    points=0.5,
    hint="80/10/10 holds for the chosen tokens only. All others stand in the inputs unchanged.",
)
@pytest.mark.parametrize(("B", "T", "every"), [(40, 25, 2), (7, 90, 6), (30, 8, 3)])
def test_mask_tokens__leaves_the_others_alone(student, B, T, every):
    ids, chosen = words(B, T), pattern(B, T, every)
    ids[~chosen] += 10**9
    inputs, _ = corrupted(student, ids, chosen)
    expect_equal(inputs[~chosen], ids[~chosen])
    hold((inputs[chosen] != ids[chosen]).any(), "No chosen token was changed.")
    nothing, _ = corrupted(student, ids, torch.zeros_like(chosen))
    expect_equal(nothing, ids)


@check(
    "labels are -100 where nothing was chosen",
    points=0.5,
    hint="Where a token was not chosen the label is -100: not 0, not -1, not the token itself.",
)
@pytest.mark.parametrize(("B", "T", "every"), [(3, 25, 2), (7, 4, 6), (1, 8, 3)])
def test_mask_tokens__labels_are_ignored_elsewhere(student, B, T, every):
    ids, chosen = words(B, T), pattern(B, T, every)
    _, labels = corrupted(student, ids, chosen, strict=True)
    turned = "The labels are turned round: the tokens stand where nothing was chosen."
    hold(not (torch.equal(labels[~chosen], ids[~chosen]) and (labels[chosen] == -100).all()), turned)
    everywhere = "The labels are the tokens everywhere, chosen or not."
    hold(not torch.equal(labels[~chosen], ids[~chosen]), everywhere)
    expect_equal(labels[~chosen], torch.full_like(labels[~chosen], -100))
    hold((labels[chosen] >= 0).any(), "No chosen token has a label.")


@check(
    "labels are the originals where chosen, whatever became of them",
    points=0.5,
    hint="The label is the original token at every chosen position: where it was masked, where it became another word, "
    "and where it was kept.",
)
@pytest.mark.parametrize("every", [1, 2])
def test_mask_tokens__labels_are_the_originals(student, every):
    ids, chosen = words(30, 40), pattern(30, 40, every)
    inputs, labels = corrupted(student, ids, chosen)
    kept = chosen & (inputs == ids)
    assert not (labels[chosen] == -100).all()
    lost = "The label is lost where the word was kept: the model is asked there too."
    hold(not (labels[kept] == -100).all() or not kept.any(), lost)
    replaced = chosen & (inputs != MASK) & ~kept
    gone = "The label is lost where a random word stands: the model is asked there too."
    hold(not (labels[replaced] == -100).all() or not replaced.any(), gone)
    shown = "The labels were made from what is shown, not from the originals. Or ids was overwritten first."
    hold(torch.equal(labels[chosen], ids[chosen]) or not torch.equal(labels[chosen], inputs[chosen]), shown)
    assert (inputs != ids).any()
    expect_equal(labels[chosen], ids[chosen])


def fates(ids, inputs, chosen):
    """How many chosen tokens are masked, other words, the same; the random words must not be among the ids."""
    masked, same = inputs[chosen] == MASK, inputs[chosen] == ids[chosen]
    return int(masked.sum()), int((~masked & ~same).sum()), int(same.sum())


@check(
    "masks 80% of the chosen tokens",
    points=0.5,
    hint="A chosen token shows mask_id with probability 0.8: not always, and it is 80% of the chosen, not of all.",
)
@pytest.mark.parametrize(("B", "T", "every"), [(200, 150, 1), (150, 400, 3)])
def test_mask_tokens__masks_four_fifths(student, B, T, every):
    ids, chosen = words(B, T), pattern(B, T, every)
    inputs, _ = corrupted(student, ids, chosen)
    n, masked = int(chosen.sum()), fates(ids, inputs, chosen)[0]
    hold(0 < masked < n or not one_fate_for_all(student, ids[:20], chosen[:20]), SHARED_FATE)
    another = int((inputs[chosen] == inputs[chosen].mode().values).sum())
    hold(masked or not plausible(another, n, 0.8), "The masked tokens show another id: mask_id is an argument.")
    hold(masked < n, "Every chosen token is masked: 10% become another word and 10% are kept.")
    hold(
        not plausible(masked, n, 0.72), "Some tokens that were masked are overwritten again: 72% stay masked, not 80%."
    )
    assert plausible(masked, n, 0.8)


@check(
    "of the chosen tokens 10% become a random word and 10% are kept",
    points=0.5,
    hint="One number decides each fate: masked below 0.8, random from 0.8 to 0.9, kept above. Both 10% are of the "
    "chosen tokens.",
)
@pytest.mark.parametrize(("B", "T", "every"), [(200, 150, 1), (150, 400, 3)])
def test_mask_tokens__replaces_a_tenth_and_keeps_a_tenth(student, B, T, every):
    ids, chosen = words(B, T), pattern(B, T, every)
    inputs, _ = corrupted(student, ids, chosen, number=22)
    n = int(chosen.sum())
    masked, replaced, kept = fates(ids, inputs, chosen)
    hold(0 < masked < n or not one_fate_for_all(student, ids[:20], chosen[:20]), SHARED_FATE)
    assert masked
    remaining = "You replaced 10% of the remaining 20%: that is 2% of the chosen tokens, and 18% are kept."
    hold(not (plausible(replaced, n, 0.02) and plausible(kept, n, 0.18)), remaining)
    hold(replaced or kept, "Every chosen token is masked: 10% become another word and 10% are kept.")
    hold(replaced, "No chosen token became another word from random_ids.")
    hold(kept, "No chosen token was kept as it was.")
    swapped = "Of what is not masked, half becomes random and half is kept."
    hold(plausible(replaced, n, 0.1), swapped)
    hold(plausible(kept, n, 0.1), swapped)


@check(
    "draws random words evenly from random_ids, the original among them",
    points=0.5,
    hint="Draw a place in the list, torch.randint(len(random_ids), ...), and look the word up: each of the R words "
    "comes equally often, the original too, and no other id.",
)
@pytest.mark.parametrize("R", [16, 5, 2, 1])
def test_mask_tokens__draws_words_evenly(student, R):
    B, T = 200, 200
    random_ids = (torch.arange(R) * 37 + 11) % 101 + 40
    ids = torch.full((B, T), 7)
    chosen = torch.ones(B, T, dtype=torch.bool)
    inputs, _ = corrupted(student, ids, chosen, random_ids, number=23)
    found = inputs[(inputs != MASK) & (inputs != 7)]
    hold((inputs == MASK).any() and len(found) or not one_fate_for_all(student, ids[:20], chosen[:20]), SHARED_FATE)
    assert (inputs == MASK).any()
    hold(len(found), "No chosen token became another word from random_ids.")
    outside = (
        "Words that are not in random_ids were drawn: specials or others must not come up. Look the places up in it."
    )
    hold(torch.isin(found, random_ids).all(), outside)
    hold(R < 16 or len(found.unique()) > 1, "All random words of a call are the same word: draw one for each token.")
    for word in random_ids.tolist():
        assert plausible((found == word).sum(), len(found), 1 / R)
    share = 0.1 if plausible(len(found), B * T, 0.1) else len(found) / (B * T)
    for word in random_ids.tolist()[:2] if R > 1 else []:
        inputs, _ = corrupted(student, torch.full((B, T), word), chosen, random_ids, number=24)
        others = ((inputs != MASK) & (inputs != word)).sum()
        right = plausible(others, B * T, share * (1 - 1 / R))
        never = "The original is never drawn as the random word, but it may be: do not leave it out."
        hold(right or not plausible(others, B * T, share), never)
        assert right


@check(
    "draws the fate of each token by itself",
    points=0.5,
    hint="One fate for each position of each row: no fixed numbers, no fate for a whole row, no random word shared by "
    "all.",
)
def test_mask_tokens__draws_each_fate_by_itself(student):
    B, T = 1500, 12
    ids, chosen = torch.full((B, T), 7), torch.ones(B, T, dtype=torch.bool)
    inputs, _ = corrupted(student, ids, chosen, number=25)
    masked = inputs == MASK
    hold(masked.any() and not masked.all() or not one_fate_for_all(student, ids[:20], chosen[:20]), SHARED_FATE)
    assert masked.any()
    share = masked.double().mean().item()  # another share is another check's business
    share = 0.8 if plausible(masked.sum(), B * T, 0.8) else share
    same = share**2 + (1 - share) ** 2
    pairs = {
        "All tokens of a row share one fate.": (masked[:, ::2], masked[:, 1::2]),
        "All rows get the same fates.": (masked[::2], masked[1::2]),
    }
    for message, (left, right) in pairs.items():
        hold(plausible((left == right).sum(), left.numel(), same), message)
    counts = masked.sum(1)
    for k in (8, 9, 10, 11, 12):
        fixed = "The number of masked tokens is fixed: leave it to chance."
        hold(plausible((counts == k).sum(), B, math.comb(T, k) * share**k * (1 - share) ** (T - k)), fixed)
    totals = {int((corrupted(student, ids[:200], chosen[:200], number=n)[0] == MASK).sum()) for n in range(5)}
    hold(
        len(totals) > 1 or share == 1,
        "The number of masked tokens in the whole batch is always the same: leave it to chance.",
    )
    drawn = inputs[torch.isin(inputs, RANDOM)]
    left, right = drawn[: len(drawn) // 2 * 2].reshape(-1, 2).T
    alike = "Neighbours share their random word: draw one for each token."
    agree = sum((drawn == word).double().mean().item() ** 2 for word in RANDOM) if len(drawn) else 0
    hold(len(left) < 50 or plausible((left == right).sum(), len(left), agree), alike)


@check(
    "takes all its chance from the generator and leaves its arguments alone",
    points=0.5,
    hint="Draw with generator=generator, seed nothing, and make new tensors: ids[chosen] = mask_id writes into the "
    "caller's ids.",
)
def test_mask_tokens__draws_from_the_generator(student):
    ids, chosen = words(20, 17), pattern(20, 17)
    generator = seed(31)
    (first, labels), afterwards = student.call(
        "mask_tokens",
        ids=ids,
        chosen=chosen,
        mask_id=MASK,
        random_ids=RANDOM,
        generator=generator,
        keep_arguments=True,
    )
    if (first == -100).any() and not (labels == -100).any():  # exchanged: another check's affair
        first, labels = labels, first
    written = "Your function wrote into its arguments: make new tensors."
    hold(torch.equal(afterwards[0], ids), written)
    hold(torch.equal(afterwards[1], chosen), written)
    hold(torch.equal(afterwards[3], RANDOM), written)
    hold(not torch.equal(first, ids), "No chosen token was changed.")
    unseeded = "The same seed does not give the same inputs: draw every number from the generator."
    hold(torch.equal(corrupted(student, ids, chosen, number=31)[0], first), unseeded)
    again = max(student.mask_tokens(ids, chosen, MASK, RANDOM, generator), key=lambda tensor: int(tensor.min()))
    seeded = "Something was seeded again: another seed, or a second call, gives the same inputs."
    if not (first[chosen] == MASK).all():  # who masks everything draws nothing
        hold(not torch.equal(again, first), seeded)
        hold(not torch.equal(corrupted(student, ids, chosen, number=32)[0], first), seeded)


# --- mlm_loss ---


def losses(logits, labels):
    """The loss of each label that counts, in plain numbers."""
    found = []
    for b in range(labels.shape[0]):
        for t in range(labels.shape[1]):
            if labels[b, t] != -100:
                row = logits[b, t].double()
                found.append(torch.logsumexp(row, 0) - row[labels[b, t]])
    return torch.stack(found)


def asked(number, B, T, V, dtype=torch.float64):
    """Logits, and labels above 0 of which about a third count."""
    generator = seed(number)
    logits = 2 * torch.randn(B, T, V, generator=generator, dtype=dtype)
    labels = torch.randint(1, V, (B, T), generator=generator)
    ignored = torch.rand(B, T, generator=generator) < 0.6
    ignored[0, 0], ignored[-1, -1] = False, True
    labels[0, 0] = V - 1
    return logits, labels.masked_fill(ignored, -100)


def by_reshape(logits, labels):
    """What comes out when [B,T,V] is reshaped to [B,V,T], not transposed."""
    B, T, V = logits.shape
    return losses(logits.reshape(B, V, T).transpose(1, 2), labels).mean()


@check(
    "is the mean over the labels that count, in nats",
    points=0.5,
    hint="Add up -log p of the labels that are not -100, in natural logarithms, and divide by how many they are.",
)
@pytest.mark.parametrize(("B", "T", "V"), [(3, 7, 11), (5, 4, 6), (2, 9, 3), (4, 4, 4), (2, 5, 5)])
def test_mlm_loss__is_the_mean_over_what_counts(student, B, T, V):
    logits, labels = asked(V, B, T, V)
    each, n = losses(logits, labels), int((labels != -100).sum())
    rows = [losses(logits[b : b + 1], labels[b : b + 1]).mean() for b in range(B) if (labels[b] != -100).any()]
    everywhere = losses(logits, labels.clamp(min=0))
    others = {
        "That is the sum. Divide by the number of labels that count.": each.sum(),
        "You divided by the number of all tokens: only labels that are not -100 count.": each.sum() / (B * T),
        "That is a mean of the rows' means: take one mean over all labels that count.": torch.stack(rows).mean(),
        "Every token is counted, with 0 for the label where it is -100.": everywhere.mean(),
        "That is in bits: natural logarithms are asked for.": each.mean() / math.log(2),
        "The sign is turned round.": -each.mean(),
        "Divide by the number of labels that count, not by the number of rows.": each.sum() / B,
        "These are logits: exponentiate and normalise them first.": -torch.stack(
            [logits[b, t, labels[b, t]] for b, t in (labels != -100).nonzero().tolist()]
        ).mean(),
        "Give the logits themselves: cross_entropy does the softmax.": losses(logits.softmax(-1), labels).mean(),
        "Nothing is shifted here: the logits at a position answer for the label at the same position.": losses(
            logits[:, :-1], labels[:, 1:]
        ).mean(),
        "reshape does not turn axes round: bring V to axis 1 with transpose, or flatten B and T.": by_reshape(
            logits, labels
        ),
    }
    right = each.mean()
    apart = {hint: wrong for hint, wrong in others.items() if not torch.isclose(wrong, right, rtol=1e-4)}
    assert n < B * T
    try:
        loss = student.mlm_loss(logits, labels)
    except StudentError as error:
        hold(
            "Expected target size" not in error.message, "cross_entropy wants the classes on axis 1, and found T there."
        )
        raise
    expect_close(loss, right, misconceptions=apart)


@check(
    "ignores -100 and nothing else",
    points=0.5,
    hint="Only -100 is passed over: label 0 is a token like any other, and so is the last one. What the logits say "
    "where the label is -100 does not matter.",
)
@pytest.mark.parametrize(("B", "T", "V"), [(2, 6, 5), (4, 3, 8)])
def test_mlm_loss__ignores_nothing_else(student, B, T, V):
    logits, labels = asked(40 + V, B, T, V)
    labels[0, 0] = 0
    before = student.mlm_loss(logits, labels)
    hold(isinstance(before, torch.Tensor | float), "A scalar tensor is expected.", known=False)
    poisoned = logits.clone()
    poisoned[labels == -100] += 1e3 * torch.randn(int((labels == -100).sum()), V, generator=seed(1), dtype=logits.dtype)
    expect_close(student.mlm_loss(poisoned, labels), torch.as_tensor(before))
    for label, sentence in ((0, "Labels of 0 are passed over: 0 is a token too. Only -100 is ignored."), (V - 1, "")):
        moved = logits.clone()
        moved[labels == label] = moved[labels == label].flip(-1) + torch.arange(V, dtype=logits.dtype)
        labels_there = torch.where(labels == -100, labels, label)
        hold(abs(float(student.mlm_loss(moved, labels_there)) - float(before)) > 1e-6, sentence, known=bool(sentence))


@check(
    "survives logits of any size",
    points=0.5,
    hint="exp(10000) overflows, log(0) is minus infinity: use log_softmax or cross_entropy on the logits themselves.",
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_mlm_loss__survives_extreme_logits(student, dtype):
    for number, shift in enumerate((0.0, 1e4, -1e4)):
        logits = 400 * torch.randn(1, 1, 7, generator=seed(number), dtype=dtype) + shift
        labels = logits.argmin(-1)
        expected = torch.logsumexp(logits[0, 0], 0) - logits.min()
        loss = student.mlm_loss(logits, labels)
        expect_close(loss, expected, rtol=1e-4)
        own = "The loss is in the dtype of the logits: float64 in, float64 out."
        hold(not isinstance(loss, torch.Tensor) or loss.dtype == dtype, own)
    if dtype == torch.float64:
        # Neighbours that float32 cannot tell apart.
        logits, labels = torch.tensor([[[1e8, 1e8 + 1, 1e8 - 2]]], dtype=dtype), torch.tensor([[0]])
        single = "The loss was computed in float32: compute in the dtype of the logits."
        expect_close(
            student.mlm_loss(logits, labels),
            torch.logsumexp(logits[0, 0], 0) - logits[0, 0, 0],
            misconceptions={single: losses(logits.float(), labels).mean()},
            rtol=1e-4,
        )


@check(
    "sends the right gradient, and leaves its arguments alone",
    points=0.5,
    hint="No .item() and no .detach(): the gradient at a label that counts is (softmax - one-hot) / n, elsewhere 0. Do "
    "not write into logits or labels.",
)
@pytest.mark.parametrize(("B", "T", "V"), [(2, 6, 5), (4, 3, 8)])
def test_mlm_loss__sends_the_right_gradient(student, B, T, V):
    """Up to its length: a wrong divisor is another check's business. Each row has two labels that count."""
    logits, labels = asked(60 + V, B, T, V)
    labels = torch.where(torch.arange(T) < 2, labels.masked_fill(labels == -100, 2), -100)
    counted = labels != -100
    _, afterwards = student.call("mlm_loss", logits=logits, labels=labels, keep_arguments=True)
    expect_equal(list(afterwards), [logits, labels])
    wanted = logits.softmax(-1)
    wanted[counted] -= torch.nn.functional.one_hot(labels[counted], V).double()
    wanted = wanted * counted[..., None]
    logits.requires_grad_()
    found = torch.autograd.grad(student.differentiable("mlm_loss")(logits, labels), logits)[0]
    assert found.abs().sum() > 0
    expect_close(found / found.norm(), wanted / wanted.norm())


# --- masks_for_epochs ---


def epochs(student, ids, special, rate, E, dynamic, number, *, strict=False):
    """The masks, ready to be compared. A list, or stories before epochs, pass, except in the check that asks for it."""
    masks = student.masks_for_epochs(ids, special, rate, E, dynamic, seed(number))
    if not strict and isinstance(masks, list | tuple) and all(isinstance(mask, torch.Tensor) for mask in masks):
        masks = torch.stack(list(masks))
    N, T = ids.shape
    if isinstance(masks, torch.Tensor) and tuple(masks.shape) == (N, E, T) != (E, N, T):
        hold(not strict, "Epochs come first: [E,N,T], not [N,E,T].")
        masks = masks.transpose(0, 1)
    if isinstance(masks, torch.Tensor) and (E, N, T) != tuple(masks.shape) in ((E + 1, N, T), (N, T)):
        hold(False, "There are n_epochs tables of masks, no more and no fewer: one epoch is [1,N,T].")
    return booleans(masks, E, N, T, strict=strict)


@check(
    "static masks are one draw, the same in every epoch",
    points=0.5,
    hint="With dynamic=False draw once and use that draw in all epochs: [E,N,T] with E equal tables, in which each "
    "story has a choice of its own.",
)
@pytest.mark.parametrize(("E", "N", "T"), [(4, 30, 50), (7, 60, 20), (1, 40, 60)])
def test_masks_for_epochs__static_masks_stay(student, E, N, T):
    special = torch.zeros(N, T, dtype=torch.bool)
    masks = epochs(student, words(N, T), special, 0.4, E, False, 41)
    fresh = "The masks change from epoch to epoch although dynamic is False."
    hold((masks == masks[0]).all(), fresh)
    hold(not plausible(masks[0].sum(), N * T, 0.15), "rate is an argument, and not always 0.15.")
    assert plausible(masks[0].sum(), N * T, 0.4)
    shared = "All stories get the same choice: draw for each story."
    hold(plausible((masks[0, ::2] == masks[0, 1::2]).sum(), N * T // 2, 0.4**2 + 0.6**2), shared)


@check(
    "dynamic masks are a fresh draw in every epoch",
    points=0.5,
    hint="With dynamic=True each epoch has a draw of its own, independent of the others: call choose_positions once an "
    "epoch, with the same generator, and do not seed it again.",
)
@pytest.mark.parametrize(
    ("E", "N", "T", "rate"), [(4, 60, 100, 0.3), (3, 200, 30, 0.15), (6, 40, 50, 0.5), (24, 20, 40, 0.4)]
)
def test_masks_for_epochs__dynamic_masks_are_fresh(student, E, N, T, rate):
    special = torch.zeros(N, T, dtype=torch.bool)
    masks = epochs(student, words(N, T), special, rate, E, True, 42)
    hold(not (masks == masks[0]).all(), "The masks are the same in every epoch although dynamic is True.")
    apart = "What was chosen in one epoch is not chosen in another: a fresh draw does not look at the others."
    for e in range(E):
        for f in range(e):
            hold((masks[e] & masks[f]).any() or not masks[f].any(), apart)
            again = "Some epochs get the masks of an earlier one again: draw for each epoch."
            hold(not torch.equal(masks[e], masks[f]) or not masks[f].any(), again)
            assert plausible((masks[e] == masks[f]).sum(), N * T, rate**2 + (1 - rate) ** 2)
        ignored = "rate is an argument, and not always 0.15."
        hold(rate == 0.15 or not plausible(masks[e].sum(), N * T, 0.15), ignored)
        assert plausible(masks[e].sum(), N * T, rate)


@check(
    "leaves special tokens alone in every epoch, and puts epochs first",
    points=0.5,
    hint="special_mask holds in every epoch, static or dynamic, and at rate 1 all other tokens are chosen in each. The "
    "result is bool [E,N,T].",
)
@pytest.mark.parametrize(("E", "N", "T"), [(3, 4, 7), (5, 2, 3), (1, 6, 5)])
@pytest.mark.parametrize("dynamic", [False, True])
def test_masks_for_epochs__leaves_special_tokens_alone(student, E, N, T, dynamic):
    special = pattern(N, T, every=3)
    masks = epochs(student, words(N, T), special, 1.0, E, dynamic, 43, strict=True)
    expect_equal(masks, (~special).expand(E, N, T))


@check(
    "takes all its chance from the generator and leaves its arguments alone",
    points=0.5,
    hint="Pass the generator on and seed nothing: the same seed gives the same masks, another seed others, and a "
    "second call goes on. Do not write into ids or special_mask.",
)
@pytest.mark.parametrize("dynamic", [False, True])
def test_masks_for_epochs__draws_from_the_generator(student, dynamic):
    ids, special = words(9, 30), pattern(9, 30, every=4)
    generator = seed(51)
    names = {"ids": ids, "special_mask": special, "rate": 0.4, "n_epochs": 3, "dynamic": dynamic}
    first, afterwards = student.call("masks_for_epochs", **names, generator=generator, keep_arguments=True)
    expect_equal(list(afterwards[:2]), [ids, special])
    expect_equal(student.masks_for_epochs(ids, special, 0.4, 3, dynamic, seed(51)), first)
    hold(isinstance(first, torch.Tensor | list), "A tensor is expected.", known=False)
    seeded = "Something was seeded again: another seed, or a second call, gives the same masks."
    for other in (seed(52), generator):
        masks = student.masks_for_epochs(ids, special, 0.4, 3, dynamic, other)
        hold(any(not torch.equal(a, b) for a, b in zip(masks, first, strict=True)), seeded)
